"""Models in one file, as ComfyUI and A1111 keep them: what each is, by the names of its weights alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open

from engine.core.atomic_files import plain_file
from engine.core.on_disk import files_below, is_file

UNPACKABLE: Final = ("Stable Diffusion 1 checkpoint", "Stable Diffusion 2 checkpoint", "SDXL checkpoint")
"""What ``partcraft models unpack`` makes into folders."""
_FIRST: Final = "model.diffusion_model.input_blocks.0.0.weight"
_LORA: Final = ("lora_unet_", "lora_te")
_LORA_PARTS: Final = (".lora_up.", ".lora_down.", ".lora_A.", ".lora_B.")
_DECODER: Final = ("decoder.conv_in.weight", "first_stage_model.decoder.conv_in.weight")


def single_files(root: Path) -> Iterator[tuple[Path, str]]:
    """The models in one file below a folder, and what each is, such as "SDXL checkpoint" or "LoRA". Left out are files
    that belong to a model's folder, and those of which nothing can be said. Links to folders are followed."""
    for file in files_below(root, "*.safetensors", follow=True):
        hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
        if not hidden and not _belongs_to_a_folder(file) and (kind := single_file_kind(file)):
            yield file, kind


def single_file_kind(file: Path) -> str:
    """What a file of weights is; empty where that cannot be told, or the file cannot be read."""
    try:
        with safe_open(plain_file(file), "np") as opened:
            names = set(opened.keys())
            shapes = {_FIRST: tuple(opened.get_slice(_FIRST).get_shape())} if _FIRST in names else {}
    except (SafetensorError, OSError, ValueError):
        return ""
    if shapes:
        return checkpoint_kind(dict.fromkeys(names, ()) | shapes)
    if any(name.startswith(_LORA) or any(part in name for part in _LORA_PARTS) for name in names):
        return "LoRA"
    if "emb_params" in names or {"clip_l", "clip_g"} <= names:
        return "embedding"
    return "autoencoder" if names & set(_DECODER) else ""


def checkpoint_kind(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """A checkpoint's family by its text encoders, from the shapes of its weights by name; empty for no checkpoint."""
    if len(first := shapes.get(_FIRST, ())) < 2:
        return ""

    def has(start: str) -> bool:
        return any(name.startswith(start) for name in shapes)

    if has("conditioner.embedders.1."):
        family = "SDXL"
    elif has("conditioner.embedders.0."):
        family = "SDXL refiner"
    elif has("cond_stage_model.model."):
        family = "Stable Diffusion 2"
    elif has("cond_stage_model.transformer."):
        family = "Stable Diffusion 1"
    else:
        family = "diffusion"
    return f"{family} inpainting checkpoint" if first[1] == 9 else f"{family} checkpoint"


def _belongs_to_a_folder(file: Path) -> bool:
    return any(is_file(place / name) for place in file.parents[:2] for name in ("model_index.json", "config.json"))
