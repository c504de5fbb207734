"""The picture a render begins with: a collage or a creation at the size of the render, with its parts' places."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.core.errors import UserError
from engine.core.image_files import open_picture
from engine.core.on_disk import is_file
from engine.core.recipe import Recipe
from engine.core.segmentation import NO_PART
from engine.models.loader import Models
from engine.packs.pack import CODEBOOK, Pack
from engine.rendering.change_map import Changes, change_map
from engine.rendering.collages import Labels, look_at, open_collage, picture_of, placed_labels
from engine.rendering.painter import Painter, fitting_size

_WIDEST: Final = 2.0
_NEARLY_SQUARE: Final = 1.05

Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class StartPicture:
    """``image`` is RGB at the size of the render. ``labels`` uint8 (H, W) says which part is where (``NO_PART``: none),
    None where nobody could look; ``nths`` which of several of one part, None where these cannot be told apart.
    ``changes`` float32 (H, W) in 0..1 says how much of ``freedom`` each pixel has; None: all have all of it. ``box``
    says which part of the original picture it is: left, top, right and bottom in shares of its sides."""

    image: Image.Image
    labels: Labels | None
    freedom: float
    changes: Changes | None = None
    nths: Labels | None = None
    box: Box = (0.0, 0.0, 1.0, 1.0)

    def place_of(self, part: int, nth: int = 0) -> npt.NDArray[np.bool_]:
        """Bool (H, W): where a part is, the one of several where they can be told apart."""
        if self.labels is None:
            return np.zeros((self.image.height, self.image.width), np.bool_)
        everywhere = self.labels == part
        own = everywhere & (self.nths == nth) if self.nths is not None else everywhere
        return own if own.any() else everywhere


def open_start(models: Models, pack: Pack, painter: Painter, recipe: Recipe) -> StartPicture | None:
    """What a recipe's render begins with; None for noise alone. Raises :class:`UserError` for a picture or reference
    that is gone, for parts that cannot be found, and as :func:`open_collage`."""
    start = recipe.start
    if start is None or start.is_ignored:
        return None
    side = recipe.size or painter.size
    nths: Labels | None = None
    if start.creation:
        image, labels = _creation(models, pack, Path(start.creation), start.is_local)
    else:
        collage = open_collage(models, pack, recipe)
        image, (labels, nths) = picture_of(collage), placed_labels(collage)
    image, labels, nths, box = _framed(image, labels, nths, side, painter)
    changes = None
    if start.is_local:
        if labels is None:
            raise UserError("The parts of the start cannot be told apart.", "Render without keeping or changing parts.")
        _require_parts(pack, labels, start.only)
        changes = change_map(labels, start.keep, start.only, painter.pipeline.vae_scale_factor)
    return StartPicture(image, labels, start.freedom, changes, nths, box)


def _creation(models: Models, pack: Pack, path: Path, needed: bool) -> tuple[Image.Image, Labels | None]:
    """A picture file, and its parts as the pack's eyes see them; None when they are not here. Raises
    :class:`UserError` for a file that is gone, and where the parts are ``needed`` and nobody can look."""
    if not is_file(path):
        raise UserError(
            f"The picture to start from, {path.name[-80:]}, is not there any more.",
            "Start from the collage or from another picture.",
        )
    image = open_picture(path)
    if not is_file(pack.path / CODEBOOK) or not (needed or models.has(pack.backbone.id)):
        return image, None
    return image, look_at(models, pack, image).labels


def _framed(
    image: Image.Image, labels: Labels | None, nths: Labels | None, side: int, painter: Painter
) -> tuple[Image.Image, Labels | None, Labels | None, Box]:
    """Picture, labels and numbers at the size of the render, and which part of the picture they are: its shape is kept,
    its area becomes that of a square of ``side`` pixels. Of pictures more than twice as wide as high (or the other way
    round) the middle of the creature is kept."""
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
    size = (width, height)

    def scaled(values: Labels | None) -> Labels | None:
        if values is None:
            return None
        return np.asarray(Image.fromarray(values).resize(size, Image.Resampling.NEAREST, box))

    left, top, right, bottom = box
    shares = left / image.width, top / image.height, right / image.width, bottom / image.height
    return image.resize(size, Image.Resampling.LANCZOS, box), scaled(labels), scaled(nths), shares


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
