"""Whether a pack's files are there, whole, and fit together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from engine.core.atomic_files import plain_file
from engine.core.errors import UserError
from engine.core.image_files import MOST_LABELS, open_picture, picture_size, read_label_map
from engine.core.on_disk import exists, is_file
from engine.core.segmentation import NO_PART
from engine.packs.finite import first_not_finite
from engine.packs.pack import BEGINNINGS, LORA, READER, TOKENS, Pack, Reference

_TRIED_SIDE: Final = 64
"""Pictures are read to their end, but nobody looks at them here."""
_AGAIN: Final = "Get the pack again, or remove it."
_LORA_PAIR: Final = re.compile(r"[._]lora(?:_linear_layer)?[._](A|B|down|up)(?=\.)")
"""The side of a matrix in names of today, of peft, of diffusers before, and of kohya."""


_ANSWERS: Final = re.compile(r"what\.\d+\.3\.bias")
"""The last layer of each part in a reader's file."""


def check_pack(pack: Pack, thorough: bool = False) -> None:
    """See that a pack's files are there, whole, and of the shapes its description says.

    ``thorough`` reads the references' pictures and labels too, and all
    numbers of tokens and LoRA. Raises :class:`UserError` for the first fault.
    """
    if not pack.blind:
        pack.codebook()
    _check_tokens(pack)
    _check_lora(pack)
    _check_reader(pack)
    if thorough:
        for name in (TOKENS, LORA, READER, BEGINNINGS):
            _check_numbers(pack, name)
    for reference in pack.references:
        for path in {reference.image, reference.thumbnail, reference.labels}:
            if not is_file(path):
                raise UserError(f"The pack “{pack.path.name}” lacks {is_inside(pack, path)}.", _AGAIN)
        if thorough:
            _check_reference(pack, reference)


def _check_tokens(pack: Pack) -> None:
    vocabulary = pack.vocabulary
    needed = (len(vocabulary.parts), vocabulary.codes_per_part)
    widths = pack.base_model.widths
    for name, shape in _shapes(pack, TOKENS).items():
        if name.rpartition(".")[2] in ("raw", "projected"):
            if len(shape) != 3 or shape[:2] != needed:
                raise UserError(
                    f"The tokens of “{pack.path.name}” do not fit it: {name} is {shape}, not {needed} and a width.",
                    _AGAIN,
                )
            if widths and shape[2] not in widths:
                raise UserError(
                    f"The tokens of “{pack.path.name}” are {shape[2]} wide, but its base model reads {widths}.", _AGAIN
                )


def _check_lora(pack: Pack) -> None:
    """See that no matrix of a LoRA lacks the other one of its pair, by their names in any program's form."""
    layers: dict[str, set[str]] = {}
    for name in _shapes(pack, LORA):
        if pair := _LORA_PAIR.search(name):
            side = "down" if pair[1].lower() in ("a", "down") else "up"
            layers.setdefault(name[: pair.start()] + name[pair.end() :], set()).add(side)
    for name, sides in layers.items():
        if len(sides) == 1:
            raise UserError(
                f"The LoRA of “{pack.path.name}” has only one of two matrices for {name.removesuffix('.weight')}.",
                _AGAIN,
            )


def _check_reader(pack: Pack) -> None:
    """See that a reader has an answer for each part's codes and "none of these", and bounds for parts or codes."""
    shapes = _shapes(pack, READER)
    if not shapes:
        return
    vocabulary = pack.vocabulary
    answers = {name: shape[0] for name, shape in shapes.items() if _ANSWERS.fullmatch(name) and shape}
    parts, codes = len(vocabulary.parts), vocabulary.codes_per_part
    bounded = all(shapes.get(name) in ((parts,), (parts, codes)) for name in ("arrived", "missing"))
    bounded = bounded and shapes.get("temperature") == (parts,)
    if len(answers) != parts or set(answers.values()) != {codes + 1} or not bounded:
        raise UserError(f"The reader of the pack “{pack.path.name}” does not fit it.", _AGAIN)


def _check_numbers(pack: Pack, name: str) -> None:
    if exists(pack.path / name) and (tensor := first_not_finite(pack.path / name)):
        raise UserError(
            f"The pack “{pack.path.name}” is damaged: {tensor} in {name} holds something that is no number.", _AGAIN
        )


def _shapes(pack: Pack, name: str) -> dict[str, tuple[int, ...]]:
    """Shapes in a safetensors file, from its header; nothing if the pack has no such file."""
    from safetensors import SafetensorError, safe_open

    path = pack.path / name
    if not exists(path):
        return {}
    try:
        with safe_open(plain_file(path), "numpy") as file:
            return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"The pack “{pack.path.name}” is damaged: {name} is not whole.", _AGAIN) from error


def _check_reference(pack: Pack, reference: Reference) -> None:
    open_picture(reference.image, max_side=_TRIED_SIDE)
    open_picture(reference.thumbnail, max_side=_TRIED_SIDE)
    width, height = picture_size(reference.image)
    if width * height > MOST_LABELS:
        name = is_inside(pack, reference.image)
        raise UserError(f"{name} in the pack “{pack.path.name}” is too large.", "Get the pack with smaller pictures.")
    try:
        labels = read_label_map(reference.labels)
    except UserError as error:
        name = is_inside(pack, reference.labels)
        raise UserError(f"The pack “{pack.path.name}” is damaged: {name} is not whole.", _AGAIN) from error
    # A row at a time: all at once would be copied.
    if labels.shape != (height, width) or max(row[row != NO_PART].max(initial=0) for row in labels) >= len(
        pack.vocabulary.parts
    ):
        raise UserError(
            f"The labels of “{reference.title}” in the pack “{pack.path.name}” do not fit its picture.", _AGAIN
        )


def is_inside(pack: Pack, path: str) -> str:
    return Path(path).relative_to(pack.path).as_posix()
