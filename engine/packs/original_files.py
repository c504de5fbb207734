"""The files of the original PartCraft's checkpoints, known by their names: found without opening any of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.core.on_disk import entries_of, is_file, is_folder, resolved

FORMS: Final = (
    ("pytorch_model.bin", "pytorch_model_1.bin"),
    ("model.safetensors", "model_1.safetensors"),
    ("lora_layers.pth", "hash_mapper.pth"),
)
"""The LoRA and the token mapper, as accelerate kept them, as newer ones do, and as the end of a training left them."""
CENTROIDS: Final = "pretrained_kmeans.pth"
_STEP: Final = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True)
class OriginalFiles:
    """Where a checkpoint's pieces are: LoRA, token mapper, and the centroids of its parts (None: not near it)."""

    lora: Path
    mapper: Path
    centroids: Path | None

    @property
    def folder(self) -> Path:
        """The folder of LoRA and mapper."""
        return self.lora.parent


def original_files(folder: Path) -> OriginalFiles | None:
    """The pieces of a checkpoint in a folder itself, in any of its forms; None if one of the pair is missing."""
    for lora, mapper in FORMS:
        if is_file(folder / lora) and is_file(folder / mapper):
            return OriginalFiles(folder / lora, folder / mapper, centroids_near(folder))
    return None


def find_original(place: Path) -> OriginalFiles | None:
    """The checkpoint that a folder or file is meant for: in the folder, the newest ``checkpoint-N`` below it (two
    levels at most), or the folder of a file that is one of its pieces. None if it is none. Reads the disk."""
    if is_file(place):
        names = {name for form in FORMS for name in form} | {CENTROIDS}
        if place.name not in names:
            return None
        return original_files(place.parent) or (_newest(place.parent) if place.name == CENTROIDS else None)
    return original_files(place) or _newest(place) or next(filter(None, map(_newest, _folders(place))), None)


def centroids_near(folder: Path) -> Path | None:
    """The k-means file of a checkpoint: in its folder or one of the two above it."""
    place = resolved(folder)
    return next((one / CENTROIDS for one in (place, *list(place.parents)[:2]) if is_file(one / CENTROIDS)), None)


def _newest(folder: Path) -> OriginalFiles | None:
    steps = [(int(match[1]), place) for place in _folders(folder) if (match := _STEP.fullmatch(place.name))]
    return next(filter(None, (original_files(place) for _, place in sorted(steps, reverse=True))), None)


def _folders(folder: Path) -> list[Path]:
    return [place for place in entries_of(folder) if is_folder(place) and not place.name.startswith(".")]
