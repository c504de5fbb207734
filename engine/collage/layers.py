"""Layers: what a collage is made of, from the ground up, and the picture they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]

Point = tuple[float, float]
"""x from the left, y from the top, in pixels."""

_UNTOLD: Final[Point] = (float("nan"), float("nan"))


@dataclass(frozen=True, eq=False)
class Layer:
    """One part's cut-out where it stands: ``image`` is uint8 (h, w, 4), straight alpha; its upper left corner is at
    ``left``, ``top`` of the collage and may lie outside. ``part`` is the part's index, ``name`` what people call it.

    ``nth`` tells two choices of one part apart, ``source`` is the id of the picture it is from. ``turn`` is in degrees
    counterclockwise as painted, ``size`` (width, height) the frame before it was turned about its middle, which is the
    image's middle too (not told: the image's own size), ``mirror`` whether it is painted mirrored. ``joint`` is where
    in the collage it is fastened to what it hangs on, before a person's adjustments; None where it hangs on nothing.
    ``middle`` is the point of the collage about which adjustments scale and turn it (not told: the image's middle).
    """

    part: int
    name: str
    image: Pixels
    left: int
    top: int
    visible: bool = True
    nth: int = 0
    turn: float = 0.0
    size: tuple[float, float] = (0.0, 0.0)
    mirror: bool = False
    source: str = ""
    joint: Point | None = None
    middle: Point = _UNTOLD

    def __post_init__(self) -> None:
        height, width = self.image.shape[:2]
        if self.size == (0.0, 0.0):
            object.__setattr__(self, "size", (float(width), float(height)))
        if self.middle is _UNTOLD:
            object.__setattr__(self, "middle", (self.left + width / 2, self.top + height / 2))


@dataclass(frozen=True)
class MissingPart:
    """What was chosen and cannot be shown: the index of a part (None: the picture that gives the pose), which of
    several (``nth``), and why, in two sentences for people."""

    part: int | None
    message: str
    hint: str
    nth: int = 0


@dataclass(frozen=True, eq=False)
class Collage:
    """``layers`` from back to front on ``ground``, uint8 (H, W, 3); None for a transparent one. ``width`` and
    ``height`` in pixels. ``missing`` is what was chosen and is not in it, ``pose`` the id of the picture that
    gave pose and size. ``shrink``: a draft, made for the screen, is so many times smaller than the full one."""

    width: int
    height: int
    layers: tuple[Layer, ...]
    ground: Pixels | None = None
    missing: tuple[MissingPart, ...] = ()
    pose: str = ""
    shrink: int = 1


def flatten(collage: Collage) -> Pixels:
    """The picture of a collage: uint8 (H, W, 4), straight alpha, opaque where there is a ground."""
    if collage.ground is None:
        canvas = Image.new("RGBA", (collage.width, collage.height))
    else:
        canvas = Image.fromarray(collage.ground).convert("RGBA")
    for layer in collage.layers:
        if layer.visible:
            lay(canvas, layer)
    return np.asarray(canvas)


def lay(canvas: Image.Image, layer: Layer) -> None:
    """Lay what is inside the canvas (RGBA) of a layer over it."""
    height, width = layer.image.shape[:2]
    top, left = max(layer.top, 0), max(layer.left, 0)
    bottom, right = min(layer.top + height, canvas.height), min(layer.left + width, canvas.width)
    if bottom > top and right > left:
        inside = layer.image[top - layer.top : bottom - layer.top, left - layer.left : right - layer.left]
        canvas.alpha_composite(Image.fromarray(inside), (left, top))
