"""What a folder or file is that somebody dropped on the window: told from names and small files alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from engine.core.atomic_files import read_json
from engine.core.on_disk import files_like, is_file, is_folder
from engine.hub.published import PublishedPack, published_at
from engine.packs.original_files import OriginalFiles, find_original
from engine.packs.pack import MANIFEST

DroppedKind = Literal["pack", "checkpoint", "model", "folder", "file"]

_MODEL_TYPES: Final = ("dinov2", "dinov2_with_registers", "dinov3_vit", "vit")


@dataclass(frozen=True)
class Dropped:
    """A path and what it is: a pack (a ``.partpack`` or a pack's folder), a checkpoint of the original PartCraft, a
    model's folder, another folder, another file. Of a checkpoint: where its pieces are, and which of the published ones
    its names say it is (None: they do not tell)."""

    path: Path
    kind: DroppedKind
    original: OriginalFiles | None = None
    published: PublishedPack | None = None


def look_at_dropped(path: Path) -> Dropped:
    """See what a path is. Reads the disk; what cannot be read is a file."""
    if is_file(path / MANIFEST) or path.suffix.lower() == ".partpack":
        return Dropped(path, "pack")
    if _is_model(path):
        return Dropped(path, "model")
    original = find_original(path)
    if original is not None:
        return Dropped(path, "checkpoint", original, published_at(original.folder) or published_at(path))
    return Dropped(path, "folder" if is_folder(path) else "file")


def _is_model(folder: Path) -> bool:
    """Whether a folder is a model in the layout of diffusers or transformers, such as can be used here."""
    if not is_folder(folder):
        return False
    if is_file(folder / "model_index.json"):
        return True
    described = read_json(folder / "config.json")
    known = described.get("model_type") in _MODEL_TYPES or str(described.get("_class_name")) == "UNet2DConditionModel"
    return known and bool(files_like(folder, "*.safetensors"))
