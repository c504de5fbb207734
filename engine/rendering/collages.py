"""Collages in the engine: the window's own, and with them what the eyes see in pictures outside the pack."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.collage.arrangement import arrangement_of
from engine.collage.assemble import CollageMaker
from engine.collage.label_measures import only_parts
from engine.collage.layers import Collage, flatten
from engine.core.errors import UserError
from engine.core.image_files import open_picture
from engine.core.on_disk import is_file
from engine.core.recipe import Recipe
from engine.core.segmentation import NO_PART, Segmentation
from engine.models.loader import Models
from engine.packs.pack import Pack
from engine.packs.stand_ins import uses_stand_ins
from engine.segmentation.dino import open_dino
from engine.segmentation.mask_refinement import segment_picture

_PAPER: Final = (255, 255, 255)

Labels = npt.NDArray[np.uint8]


def open_collage(models: Models, pack: Pack, recipe: Recipe) -> Collage:
    """A recipe's collage, whole. A person's own pictures (a source or pose that is a file's path) are looked at with
    the pack's eyes. Raises :class:`UserError` for the first part that cannot be shown: nothing is left out unsaid."""
    if uses_stand_ins(pack, recipe):
        raise UserError(
            "Its parts have no pictures yet, only drawn stand-ins: there is no collage to look at or to start from.",
            f"Render freely, or paint them first: partcraft packs paint {pack.id}",
        )
    maker = CollageMaker(pack)
    for source in {*(choice.source for choice in recipe.choices), arrangement_of(recipe).pose}:
        if source and pack.reference(source) is None and is_file(source):
            maker.add_picture(source, Path(source), look_at(models, pack, open_picture(source)))
    collage = maker.make(recipe)
    for missing in collage.missing:
        if missing.part is not None:
            raise UserError(missing.message, missing.hint)
    return collage


def look_at(models: Models, pack: Pack, image: Image.Image) -> Segmentation:
    """The parts of an RGB picture as a pack's eyes see them, without the background's. Raises :class:`UserError` where
    they cannot look."""
    (features,) = open_dino(models, pack.backbone).features([image])
    seen = segment_picture(pack.codebook(), features, np.asarray(image))
    visible = frozenset(part.index for part in pack.vocabulary.visible_parts)
    return Segmentation(only_parts(seen.labels, visible), seen.codes)


def picture_of(collage: Collage) -> Image.Image:
    """A collage as RGB, on white paper where it has no ground."""
    flat = Image.fromarray(flatten(collage))
    paper = Image.new("RGBA", flat.size, (*_PAPER, 255))
    return Image.alpha_composite(paper, flat).convert("RGB")


def placed_labels(collage: Collage) -> tuple[Labels, Labels]:
    """Which part is seen where in a collage, uint8 (H, W), ``NO_PART`` on the ground; and which of several of that part
    (from 0), uint8 (H, W)."""
    parts = np.full((collage.height, collage.width), NO_PART, np.uint8)
    nths = np.zeros_like(parts)
    for layer in collage.layers:
        height, width = layer.image.shape[:2]
        top, left = max(layer.top, 0), max(layer.left, 0)
        bottom, right = min(layer.top + height, collage.height), min(layer.left + width, collage.width)
        if layer.visible and bottom > top and right > left:
            seen = layer.image[top - layer.top : bottom - layer.top, left - layer.left : right - layer.left, 3] > 127
            parts[top:bottom, left:right][seen] = layer.part
            nths[top:bottom, left:right][seen] = min(layer.nth, 255)
    return parts, nths
