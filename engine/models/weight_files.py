"""The weights of a model on disk: which files are loaded, whether they are there and whole, what shapes they hold.

Only headers are read, whatever a model's size.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open

from engine.core.atomic_files import plain_file
from engine.core.errors import UserError
from engine.core.on_disk import exists, files_like, is_file, is_link
from engine.models.model_config import require_json, unreadable

TEXT_STEM: Final = "model"
PICTURE_STEM: Final = "diffusion_pytorch_model"

_AGAIN: Final = "Get the model again."
_UNSAFE: Final = ("bin", "ckpt", "pt", "pth", "msgpack", "h5", "onnx")
"""Endings of weights in other forms; the first four are pickles, which can hold programs."""
_POINTER: Final = b"version https://git-lfs"


@dataclass(frozen=True)
class WeightFiles:
    """The files of a model that are loaded: one, or the shards that an index names; none if there are none. ``half``:
    their names say fp16, because the folder has no others. They need not all be there."""

    files: tuple[Path, ...]
    half: bool = False


def stem_of(component: str) -> str:
    """How the weights of a base model's component are called, without their ending."""
    return TEXT_STEM if component.startswith("text") else PICTURE_STEM


def weight_files(folder: Path, stem: str) -> WeightFiles:
    """What diffusers and transformers load from a model's folder. Raises :class:`UserError` for an index that names
    something that is not beside it."""
    for half in (False, True):
        infix = ".fp16" if half else ""
        single = folder / f"{stem}{infix}.safetensors"
        if exists(single) or is_link(single):
            return WeightFiles((single,), half)
        index = folder / f"{stem}.safetensors.index{infix}.json"
        if exists(index) or is_link(index):
            named = require_json(index).get("weight_map")
            names = set(named.values()) if isinstance(named, dict) and all(map(_is_name, named.values())) else set()
            if not names:
                raise UserError(f"The model in {folder} cannot be read: {index.name} is damaged.", _AGAIN)
            return WeightFiles(tuple(folder / name for name in sorted(names)), half)
    return WeightFiles(())


def missing_weights(folder: Path, stem: str) -> list[str]:
    """The names of the files that are not there, links to nothing among them."""
    files = weight_files(folder, stem).files
    return [file.name for file in files if not is_file(file)] if files else [f"{stem}.safetensors"]


def require_safetensors(place: Path, stem: str) -> None:
    """Raise :class:`UserError` for a model's folder that has its weights in other forms only, which are not opened: to
    get it again would bring the same."""
    if weight_files(place, stem).files:
        return
    others = [file for ending in _UNSAFE for file in files_like(place, f"*.{ending}")]
    if others:
        raise UserError(
            f"The weights in {place} are not safetensors but {others[0].name}, which this app does not open.",
            "Take a copy of the model that has .safetensors files, or have diffusers save it as such.",
        )


def weight_shapes(folder: Path, stem: str) -> dict[str, tuple[int, ...]]:
    """The names and shapes of all weights of a model. Raises :class:`UserError` that says which file is missing, empty,
    cut short or something else."""
    shapes: dict[str, tuple[int, ...]] = {}
    for file in weight_files(folder, stem).files:
        shapes |= file_shapes(file)
    return shapes


def file_shapes(file: Path) -> dict[str, tuple[int, ...]]:
    """The names and shapes in one safetensors file, whose size is what its header says. Raises :class:`UserError`."""
    try:
        with safe_open(plain_file(file), "pt") as opened:
            return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118  not a mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise _fault(file, error) from error


def _fault(file: Path, error: Exception) -> UserError:
    """Why a file of weights cannot be read, in words for what it is most often."""
    if not isinstance(error, SafetensorError) and exists(file):
        return unreadable(file.parent, error)
    start = b""
    if is_file(file):
        with file.open("rb") as opened:
            start = opened.read(64).lstrip()
    if not exists(file):
        what = "leads to a file that is not there" if is_link(file) else "is missing"
    elif not start:
        what = "is empty"
    elif start.startswith(_POINTER):
        what = "is only git's note of where the file is"
    elif start.startswith(b"<"):
        what = "is a web page"
    else:
        what = "is not whole"
    return UserError(f"The model in {file.parent} cannot be read: {file.name} {what}.", _AGAIN)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value not in ("", ".", "..") and not set(value) & set("/\\:\0")
