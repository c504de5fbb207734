"""The picture a render begins with: a collage or a creation at the size of the render, with its parts' places."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.collage.assemble import CollageMaker
from engine.collage.label_measures import only_parts
from engine.collage.layers import Collage, flatten
from engine.core.errors import UserError
from engine.core.image_files import open_picture
from engine.core.recipe import Recipe
from engine.core.segmentation import NO_PART
from engine.models.loader import Models
from engine.packs.pack import CODEBOOK, Pack
from engine.rendering.change_map import Changes, change_map
from engine.rendering.painter import Painter, fitting_size
from engine.segmentation.dino import open_dino
from engine.segmentation.mask_refinement import segment_picture

_WIDEST: Final = 2.0
_NEARLY_SQUARE: Final = 1.05
_PAPER: Final = (255, 255, 255)

Box = tuple[float, float, float, float]
Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class StartPicture:
    """``image`` is RGB at the size of the render. ``labels`` uint8 (H, W) says which part is where (``NO_PART``: none),
    None where nobody could look. ``changes`` float32 (H, W) in 0..1 says how much of ``freedom`` each pixel has; None:
    all have all of it."""

    image: Image.Image
    labels: Labels | None
    freedom: float
    changes: Changes | None = None


def open_start(models: Models, pack: Pack, painter: Painter, recipe: Recipe, out: Path) -> StartPicture | None:
    """What a recipe's render begins with; None for noise alone. A creation that is named without a folder is looked
    for in ``out``. Raises :class:`UserError` for a picture or reference that is gone, for parts that cannot be found,
    and as :meth:`CollageMaker.make`."""
    start = recipe.start
    if start is None or start.is_ignored:
        return None
    side = recipe.size or painter.size
    if start.creation:
        image, labels = _creation(models, pack, out / start.creation, start.is_local)
    else:
        collage = CollageMaker(pack).make(recipe)
        image, labels = picture_of(collage), placed_labels(collage)
    image, labels = _framed(image, labels, side, painter)
    changes = None
    if start.is_local:
        if labels is None:
            raise UserError("The parts of the start cannot be told apart.", "Render without keeping or changing parts.")
        _require_parts(pack, labels, start.only)
        changes = change_map(labels, start.keep, start.only, painter.pipeline.vae_scale_factor)
    return StartPicture(image, labels, start.freedom, changes)


def portable(recipe: Recipe, out: Path) -> Recipe:
    """The recipe as a picture in ``out`` should remember it: a start that lies beside it is named without its folder,
    so that both can move together."""
    start = recipe.start
    if start is None or not start.creation or Path(start.creation).parent.resolve() != out.resolve():
        return recipe
    return replace(recipe, start=replace(start, creation=Path(start.creation).name))


def picture_of(collage: Collage) -> Image.Image:
    """A collage as RGB, on white paper where it has no ground."""
    flat = Image.fromarray(flatten(collage))
    paper = Image.new("RGBA", flat.size, (*_PAPER, 255))
    return Image.alpha_composite(paper, flat).convert("RGB")


def placed_labels(collage: Collage) -> Labels:
    """Which part is seen where in a collage: uint8 (H, W), ``NO_PART`` on the ground."""
    labels = np.full((collage.height, collage.width), NO_PART, np.uint8)
    for layer in collage.layers:
        if not layer.visible:
            continue
        height, width = layer.image.shape[:2]
        top, left = max(layer.top, 0), max(layer.left, 0)
        bottom, right = min(layer.top + height, collage.height), min(layer.left + width, collage.width)
        if bottom > top and right > left:
            seen = layer.image[top - layer.top : bottom - layer.top, left - layer.left : right - layer.left, 3] > 127
            labels[top:bottom, left:right][seen] = layer.part
    return labels


def _creation(models: Models, pack: Pack, path: Path, needed: bool) -> tuple[Image.Image, Labels | None]:
    """A picture file, and its parts as the pack's eyes see them; None when they are not here. Raises
    :class:`UserError` for a file that is gone, and where the parts are ``needed`` and nobody can look."""
    if not path.is_file():
        raise UserError(
            f"The picture to start from, {path.name}, is not there any more.",
            "Start from the collage or from another picture.",
        )
    image = open_picture(path)
    if not (pack.path / CODEBOOK).is_file() or not (needed or models.has(pack.backbone.id)):
        return image, None
    (features,) = open_dino(models, pack.backbone).features([image])
    labels = segment_picture(pack.codebook(), features, np.asarray(image)).labels
    return image, only_parts(labels, frozenset(part.index for part in pack.vocabulary.visible_parts))


def _framed(
    image: Image.Image, labels: Labels | None, side: int, painter: Painter
) -> tuple[Image.Image, Labels | None]:
    """Picture and labels at the size of the render: the shape of the picture is kept, its area becomes that of a square
    of ``side`` pixels. Of pictures more than twice as wide as high (or the other way round) the middle of the creature
    is kept."""
    pipeline = painter.pipeline
    ratio = min(max(image.width / image.height, 1 / _WIDEST), _WIDEST)
    if 1 / _NEARLY_SQUARE < ratio < _NEARLY_SQUARE:
        width = height = fitting_size(side, pipeline.vae_scale_factor)
    else:
        coarsest = pipeline.vae_scale_factor * 2 ** (len(pipeline.unet.config.down_block_types) - 1)
        width, height = (
            fitting_size(round(side * ratio**0.5), coarsest),
            fitting_size(round(side / ratio**0.5), coarsest),
        )
    box = _cropped(image.width, image.height, width / height, _middle(labels, image))
    framed = image.resize((width, height), Image.Resampling.LANCZOS, box)
    if labels is None:
        return framed, None
    return framed, np.asarray(Image.fromarray(labels).resize((width, height), Image.Resampling.NEAREST, box))


def _middle(labels: Labels | None, image: Image.Image) -> tuple[float, float]:
    """The middle of the creature, or of the picture."""
    if labels is None or (labels == NO_PART).all():
        return image.width / 2, image.height / 2
    rows, columns = np.nonzero(labels != NO_PART)
    return float(columns.min() + columns.max() + 1) / 2, float(rows.min() + rows.max() + 1) / 2


def _cropped(width: int, height: int, ratio: float, middle: tuple[float, float]) -> Box:
    """The largest box of a ratio in a picture, with a point as near to its own middle as can be."""
    across, down = min(width, height * ratio), min(height, width / ratio)
    left = min(max(middle[0] - across / 2, 0), width - across)
    top = min(max(middle[1] - down / 2, 0), height - down)
    return left, top, left + across, top + down


def _require_parts(pack: Pack, labels: Labels, parts: tuple[int, ...]) -> None:
    """See that something can change."""
    for part in parts:
        if not (labels == part).any():
            known = part < len(pack.vocabulary.parts)
            name = pack.vocabulary.parts[part].name if known else f"part number {part}"
            raise UserError(f"The start shows no {name} to change.", "Choose another part to change.")
