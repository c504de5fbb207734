"""The creature and creations as files for other programs. All of it is slow and runs on a thread, never Qt's.

The writers and the knife for creations need scipy and psd-tools, but no model: they are imported when a thread first
needs them, so that the window is there before, and saving needs no engine.
"""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import Final

import numpy as np
from PIL import Image

from engine.collage.layers import Collage, Layer, Pixels, flatten
from engine.core.atomic_files import make_folder, write_whole
from engine.core.errors import UserError
from engine.core.image_files import FULL_SIZE, open_picture
from engine.core.on_disk import entries_of, is_file, status_of
from engine.core.paths import slug
from engine.core.recipe import Creation, Recipe
from engine.core.segmentation import Segmentation
from engine.core.source_mark import source_type_in
from engine.core.vocabulary import Vocabulary
from engine.packs.pack import Pack

DRAGGED: Final = "dragged"
"""The folder of the app's data in which a file waits that is carried out of the window."""

KEEP_DRAGGED_S: Final = 24 * 3600.0
"""How long it waits: the program that took it may read it late."""


@dataclass(frozen=True)
class SaveKind:
    """A form in which pictures leave: what the file dialog says, the suffix, and whether the ground goes along."""

    name: str
    title: str
    suffix: str
    with_ground: bool = True

    @property
    def filter(self) -> str:
        """As file dialogs write it."""
        return f"{self.title} (*{self.suffix})"

    @property
    def in_layers(self) -> bool:
        """Whether it needs to be known where the parts are."""
        return self.name != "ground" and not self.is_workflow

    @property
    def is_workflow(self) -> bool:
        """Whether it is the recipe, for ComfyUI, instead of a picture."""
        return self.name in WORKFLOW_FORMS


KINDS: Final = (
    SaveKind("ground", "PNG with its ground", ".png"),
    SaveKind("transparent", "PNG, transparent", ".png", with_ground=False),
    SaveKind("psd", "Photoshop, in layers", ".psd"),
    SaveKind("ora", "OpenRaster, in layers", ".ora"),
)

WORKFLOW_FORMS: Final = {"comfyui": "window", "comfyui-api": "api"}
WORKFLOWS: Final = (
    SaveKind("comfyui", "ComfyUI workflow", ".json"), SaveKind("comfyui-api", "ComfyUI workflow, API form", ".json"),
)  # fmt: skip
ALL_KINDS: Final = (*KINDS, *WORKFLOWS)


def kind_of(path: Path, chosen: SaveKind) -> SaveKind:
    """The kind in which a file is written: a suffix that somebody typed counts more than what was chosen in a list."""
    if path.suffix.lower() == chosen.suffix:
        return chosen
    return next((kind for kind in ALL_KINDS if kind.suffix == path.suffix.lower()), chosen)


def save_collage(collage: Collage, path: Path, with_ground: bool = True, source: str = "") -> None:
    """Save a collage in the form of its suffix, whole or not at all; ``source`` says what it is made of.
    Raises :class:`UserError`."""
    from engine.exchange.layers import save_layers

    save_layers(collage if with_ground else without_ground(collage), path, source)


def save_creation(
    creation: Creation, path: Path, kind: SaveKind, segmentation: Segmentation | None, vocabulary: Vocabulary | None
) -> None:
    """Save a creation, whole or not at all: as it is, with its recipe, or cut by its segmentation. Raises
    :class:`UserError`."""
    if not kind.in_layers or segmentation is None or vocabulary is None:
        write_whole(path, lambda beside: copy_file(creation.path, beside), "the picture")
        return
    from engine.exchange.layers import layers_of_creation

    collage = layers_of_creation(open_picture(creation.path, max_side=FULL_SIZE), segmentation, vocabulary)
    if not collage.layers:
        raise UserError(
            "No part was found in this picture, so there are no layers to save.", "Save it as PNG with its ground."
        )
    save_collage(collage, path, kind.with_ground, source_type_in(Path(creation.path)))


def save_workflow(recipe: Recipe, pack: Pack, path: Path, kind: SaveKind, make: Callable[[], Collage] | None) -> str:
    """Save a recipe for ComfyUI; a sentence on what cannot be said there. Raises :class:`UserError`."""
    from engine.exchange.comfyui_file import save_workflow

    return " ".join(save_workflow(recipe, pack, path, WORKFLOW_FORMS[kind.name], make))


def copy_file(source: str | Path, target: Path) -> None:
    """Copy a file's contents. Raises :class:`UserError` if the source is gone, and ``OSError`` for the target."""
    if not is_file(source):
        raise UserError(f"“{Path(source).name}” is not there any more.", "It may have been moved or deleted.")
    shutil.copyfile(source, target)


def without_ground(collage: Collage) -> Collage:
    """The creature alone."""
    return replace(collage, ground=None)


def layer_alone(layer: Layer) -> Collage:
    """One layer as a picture of its own: its cut-out at full resolution on nothing."""
    height, width = layer.image.shape[:2]
    return Collage(max(width, 1), max(height, 1), (replace(layer, left=0, top=0, visible=True),))


def ground_alone(collage: Collage) -> Collage:
    """The ground without the creature."""
    return replace(collage, layers=())


def picture_of(collage: Collage, longest: int = 0) -> Pixels:
    """A collage as a picture uint8 (H, W, 4), its longer side at most ``longest`` pixels (0: as large as it is)."""
    picture = flatten(collage)
    if not longest or max(picture.shape[:2]) <= longest:
        return picture
    small = Image.fromarray(picture)
    small.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return np.asarray(small)


def png_of(picture: Pixels) -> bytes:
    """A picture uint8 (H, W, 4) as a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def write_dragged(home: Path, name: str, collage: Collage) -> Path:
    """Write a picture as a PNG that can be carried out of the window. Raises :class:`UserError`."""
    folder = make_folder(home / DRAGGED / token_hex(6), "the picture")
    path = folder / f"{slug(name, 'creature')}.png"
    save_collage(collage, path)
    return path


def sweep_dragged(home: Path) -> None:
    """Remove what was carried out of the window long ago. What cannot be removed waits on."""
    for path in entries_of(home / DRAGGED):
        status = status_of(path)
        if status is not None and time.time() - status.st_mtime > KEEP_DRAGGED_S:
            shutil.rmtree(path, ignore_errors=True)
