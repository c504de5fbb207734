"""Reading the original PartCraft's checkpoints as packs.

The original's checkpoints are pickles from elsewhere. Weights are read with ``torch.load(weights_only=True)``; the
k-means file holds objects of classes we do not have, which the same restricted reader rebuilds as empty shells, running
none of their code, so that only their tensors can be taken out.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.core.atomic_files import make_folder, plain_file, system_fault, write_whole
from engine.core.errors import UserError
from engine.core.leftovers import IMPORTING
from engine.core.model_places import id_of_folder
from engine.core.on_disk import is_file, is_folder, resolved
from engine.core.palette import PALETTE
from engine.core.part_looks import USUAL_COLOURS
from engine.core.vocabulary import Part, Vocabulary
from engine.models.lora import save_lora
from engine.models.part_tokens import PartTokens
from engine.packs.codebook import Codebook
from engine.packs.original_files import FORMS, original_files
from engine.packs.pack import CODEBOOK, LORA, TOKENS, Backbone, BaseModel, Pack
from engine.packs.stand_ins import with_stand_ins

_FOREIGN = (
    "torchpq.clustering.KMeans.KMeans",
    "torchpq.kernels.ComputeCentroidsCuda.ComputeCentroidsCuda",
    "torchpq.kernels.CustomKernel.Stream",
    "torchpq.kernels.MaxSimCuda.MaxSimCuda",
    "torchpq.kernels.TopkBMMCuda.TopkBMMCuda",
    "cupy._core.raw.RawKernel",
)


class _Shell:
    """Stands for an object of a foreign class: keeps its attributes, runs nothing."""

    def __init__(self, *_arguments: Any) -> None: ...


def read_foreign(path: Path) -> Any:
    """Read a foreign ``.safetensors``, ``.bin`` or ``.pth`` on the CPU; of pickles, tensors and containers only.

    Raises :class:`UserError` when the file is missing, damaged, or holds anything else.
    """
    try:
        plain_file(path)
        if path.suffix == ".safetensors":
            return load_file(path)
        shells = [(_Shell, name) for name in _FOREIGN]
        with torch.serialization.safe_globals([*shells, set]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{path} is not there.", "Choose the folder of an original PartCraft checkpoint.") from error
    except Exception as error:
        raise UserError(
            f"{path.name} is not a file of the original PartCraft, or is damaged.", "Get the checkpoint again."
        ) from error


def original_lora(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The original's LoRA as PEFT names it, relative to the UNet: ``<layer>.lora_A|lora_B.weight``.

    ``...attn1.processor.to_out_lora.up.weight`` becomes ``...attn1.to_out.0.lora_B.weight``.
    Its scale is 1, as with ``lora_alpha`` equal to the rank. Raises :class:`UserError` for other keys.
    """
    renamed: dict[str, Tensor] = {}
    for key, value in state.items():
        match = re.fullmatch(r"(?:unet\.)?(.+)\.processor\.(to_q|to_k|to_v|to_out)_lora\.(down|up)\.weight", key)
        if match is None:
            raise UserError(f"{key} is not a weight of the original's LoRA.", "Choose another checkpoint.")
        layer, name, direction = match.groups()
        name = "to_out.0" if name == "to_out" else name
        renamed[f"{layer}.{name}.{'lora_A' if direction == 'down' else 'lora_B'}.weight"] = value
    return renamed


def original_tokens(state: Mapping[str, Tensor]) -> PartTokens:
    """The original's token mapper. Its embedding has a row more a part, for parts a caption leaves out;
    nothing says that row, so it is dropped. Raises :class:`UserError` for other shapes."""
    try:
        parts, width = state["pe"].shape
        embedding = state["embedding.weight"].view(parts, -1, width)[:, :-1]
        tensors = {"raw": embedding, "position": state["pe"]}
        tensors |= {name: value for name, value in state.items() if name.startswith("projection.")}
        return PartTokens.from_tensors({f"text_encoder.{name}": value for name, value in tensors.items()})
    except (KeyError, ValueError, RuntimeError) as error:
        raise UserError("This is not a token mapper of the original.", "Choose another checkpoint.") from error


def original_centroids(path: Path) -> tuple[npt.NDArray[np.float32], ...]:
    """Foreground (2, C), parts (M, C) and codes (M, K, C) of a ``pretrained_kmeans.pth``."""
    document = read_foreign(path)

    def centroids(kmeans: Any) -> npt.NDArray[np.float32]:
        buffer = kmeans._buffers["centroids"]  # (C, clusters), as torchpq keeps them
        return np.ascontiguousarray(buffer.float().numpy().T)

    def each(kmeans: Any) -> Iterator[Any]:
        return iter(kmeans.values() if isinstance(kmeans, Mapping) else kmeans)

    try:
        codes = np.stack([centroids(part) for part in each(document["fine_kmeans"])])
        return centroids(document["foreground_background"]), centroids(document["coarse_kmeans"]), codes
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path.name} holds no parts of the original PartCraft.", "Choose another file.") from error


def import_original(
    checkpoint: Path,
    kmeans: Path | None,
    out: Path,
    *,
    base_model: str,
    title: str = "",
    eyes: str = "facebook/dinov2-base",
    noun: str = "thing",
    part_names: Sequence[str] = (),
    code_names: Sequence[str] = (),
    background: int | None = None,
    foreground_row: int = 0,
    codes_are_classes: bool = False,
    only_named: bool = False,
    source: Mapping[str, str] | None = None,
    licence: str = "",
) -> Pack:
    """Write an original checkpoint as a pack in a new folder ``out``, whole or not at all. The original keeps no
    pictures: the pack's references are drawn stand-ins (:mod:`engine.packs.stand_ins`).

    ``checkpoint`` is a folder with LoRA and mapper in any of the original's three forms; ``kmeans`` its
    ``pretrained_kmeans.pth``, or None where there is none, as of the published checkpoints: the pack is then blind,
    until it has learned from pictures of its own where its parts are. What the original was told on its command line
    has to be told again: which centroid is the foreground (``--fg_idx``), which part the background (``--bg_code``). An
    empty name among ``part_names`` keeps its place. Where ``codes_are_classes``, as in the published checkpoints, the
    tokens were learned on the classes of labelled pictures, which the clusters of the k-means file do not tell: the
    pack then finds parts in pictures, and names no codes there. ``only_named``: codes without a name were never
    trained, and are left out. ``source`` says where it is from. Raises :class:`UserError`.
    """
    files = original_files(checkpoint)
    if files is None:
        first = next((form for form in FORMS if any(is_file(checkpoint / name) for name in form)), FORMS[0])
        missing = next(name for name in first if not is_file(checkpoint / name))
        raise UserError(
            f"There is no {missing} in {checkpoint}.", "Choose the folder of an original PartCraft checkpoint."
        )
    tokens = original_tokens(read_foreign(files.mapper))
    difference = original_lora(read_foreign(files.lora))
    count, kinds, width = tokens.embedding.shape
    for given, most, what in ((part_names, count, "parts"), (code_names, kinds, "codes a part")):
        if len(given) > most:
            raise UserError(f"{len(given)} names were given for {most} {what}.", f"Give {most} names at most.")
    if background is not None and background >= count:
        raise UserError(f"There is no part {background} for the background.", f"The parts are 0 to {count - 1}.")
    if only_named and code_names:
        kinds = len(code_names)
        tokens = tokens.first_codes(kinds)
    codebook = None if kmeans is None else _codebook(
        kmeans, count, kinds, background, foreground_row, codes_are_classes
    )  # fmt: skip
    given_names = [*part_names, *[""] * (count - len(part_names))]
    names = [name.strip() or f"part {index + 1}" for index, name in enumerate(given_names)]
    row = tuple(code_names) + ("",) * (kinds - len(code_names)) if code_names else ()
    colours = _colours(names)
    named = tuple(Part(i, names[i], colours[i], i == background) for i in range(count))
    try:
        vocabulary = Vocabulary(noun, named, kinds, (row,) * count if row else ())
    except ValueError as error:
        raise UserError(f"The parts cannot be named so: {error}.", "Give each part a name of its own.") from error
    pack = Pack(
        path=resolved(out),
        id=out.name,
        title=title or out.name,
        vocabulary=vocabulary,
        backbone=Backbone(_eyes_entry(eyes), feature_layer="-1", image_size=224, patch=14, sees="photos"),
        base_model=base_entry(base_model, out, width),
        licence=licence,
        provenance="Read from a checkpoint of the original PartCraft",
        kinds={name: code for code, name in enumerate(code_names) if name} if codes_are_classes else None,
        blind=codebook is None,
        extra={"source": dict(source)} if source else {},
    )
    make_folder(out.parent, "the pack")
    try:
        with tempfile.TemporaryDirectory(prefix=IMPORTING, dir=out.parent) as place:
            beside = Path(place) / "pack"
            beside.mkdir()
            if codebook is not None:
                codebook.save(beside / CODEBOOK)
            write_whole(beside / TOKENS, lambda file: save_file(tokens.tensors(), file), "the pack's tokens")
            save_lora(difference, beside / LORA)
            with_stand_ins(replace(pack, path=resolved(beside))).save()
            beside.rename(out)
    except OSError as error:
        raise system_fault(error, out, "the pack") from error
    return Pack.open(out)


def base_entry(given: str, out: Path, width: int) -> BaseModel:
    """What a pack in ``out`` says of the base model it was given, an id or a folder: a folder by the id it is found by,
    where it has one, else as it is seen from the pack, so that no path of one computer is kept."""
    folder = Path(given).expanduser()
    if not given or not is_folder(folder):
        return BaseModel(given, "", (width,))
    if id := id_of_folder(folder):
        return BaseModel(id, "", (width,))
    place = resolved(folder)
    try:
        beside = Path(os.path.relpath(place, resolved(out))).as_posix()
    except ValueError:  # on another drive
        beside = ""
    return BaseModel(str(place), "", (width,), beside=beside)


def _eyes_entry(given: str) -> str:
    """The id of eyes that were given by an id or a folder: the folder's path, where it has none."""
    folder = Path(given).expanduser()
    return (id_of_folder(folder) or str(resolved(folder))) if given and is_folder(folder) else given


def _codebook(
    kmeans: Path, count: int, kinds: int, background: int | None, foreground_row: int, codes_are_classes: bool
) -> Codebook:
    foreground, parts, codes = original_centroids(kmeans)
    if codes_are_classes and len(codes) == count:
        codes = np.zeros((count, kinds, codes.shape[2]), np.float32)  # a codebook's empty rows are no code's
    if codes.shape[:2] != (count, kinds):
        raise UserError(
            f"The checkpoint has {count} parts of {kinds} codes, but the k-means file has {codes.shape[:2]}.",
            "Choose the k-means file it was trained with, or, if it was trained on class labels, add --codes classes.",
        )
    order = [1 - foreground_row, foreground_row]
    return Codebook(np.ascontiguousarray(foreground[order]), parts, codes, background)


def _colours(names: Sequence[str]) -> list[str]:
    """A colour for each part: the usual one of its name where that is free, else the next that is."""
    colours = [USUAL_COLOURS.get(name.casefold(), "") for name in names]
    colours = ["" if colour in colours[:at] else colour for at, colour in enumerate(colours)]
    free = iter([colour for colour in PALETTE if colour not in colours] + list(PALETTE) * len(names))
    return [colour or next(free) for colour in colours]
