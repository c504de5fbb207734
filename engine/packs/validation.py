"""Whether a pack's files are there, whole, and fit together."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from engine.core.errors import UserError
from engine.core.image_files import open_picture, read_label_map
from engine.core.segmentation import NO_PART
from engine.packs.pack import LORA, TOKENS, Pack, Reference

_AGAIN: Final = "Get the pack again, or remove it."


def check_pack(pack: Pack, thorough: bool = False) -> None:
    """See that a pack's files are there, whole, and of the shapes its description says.

    ``thorough`` reads the references' pictures and labels too. Raises :class:`UserError` for the first fault.
    """
    pack.codebook()
    _check_tokens(pack)
    _shapes(pack, LORA)
    for reference in pack.references:
        for path in {reference.image, reference.thumbnail, reference.labels}:
            if not Path(path).is_file():
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


def _shapes(pack: Pack, name: str) -> dict[str, tuple[int, ...]]:
    """Shapes in a safetensors file, from its header; nothing if the pack has no such file."""
    from safetensors import SafetensorError, safe_open

    path = pack.path / name
    if not path.exists():
        return {}
    try:
        with safe_open(path, "numpy") as file:
            return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"The pack “{pack.path.name}” is damaged: {name} is not whole.", _AGAIN) from error


def _check_reference(pack: Pack, reference: Reference) -> None:
    picture = open_picture(reference.image, max_side=1 << 20)
    open_picture(reference.thumbnail)
    try:
        labels = read_label_map(reference.labels)
    except UserError as error:
        name = is_inside(pack, reference.labels)
        raise UserError(f"The pack “{pack.path.name}” is damaged: {name} is not whole.", _AGAIN) from error
    if labels.shape != (picture.height, picture.width) or labels[labels != NO_PART].max(initial=0) >= len(
        pack.vocabulary.parts
    ):
        raise UserError(
            f"The labels of “{reference.title}” in the pack “{pack.path.name}” do not fit its picture.", _AGAIN
        )


def is_inside(pack: Pack, path: str) -> str:
    return Path(path).relative_to(pack.path).as_posix()
