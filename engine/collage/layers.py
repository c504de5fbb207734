"""Layers: what a collage is made of, from the ground up, and the picture they make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Layer:
    """One part's cut-out where it stands: ``image`` is uint8 (h, w, 4), straight alpha; its upper left corner is at
    ``left``, ``top`` of the collage and may lie outside. ``part`` is the part's index, ``name`` what people call it."""

    part: int
    name: str
    image: Pixels
    left: int
    top: int
    visible: bool = True


@dataclass(frozen=True, eq=False)
class Collage:
    """``layers`` from back to front on ``ground``, uint8 (H, W, 3); None for a transparent one. ``width`` and
    ``height`` in pixels."""

    width: int
    height: int
    layers: tuple[Layer, ...]
    ground: Pixels | None = None


def flatten(collage: Collage) -> Pixels:
    """The picture of a collage: uint8 (H, W, 4), straight alpha, opaque where there is a ground."""
    canvas = np.zeros((collage.height, collage.width, 4), np.float32)
    if collage.ground is not None:
        canvas[..., :3], canvas[..., 3] = collage.ground, 1.0
    for layer in collage.layers:
        if layer.visible:
            _lay(canvas, layer)
    alpha = canvas[..., 3:]
    canvas[..., :3] = np.divide(canvas[..., :3], alpha, out=np.zeros_like(canvas[..., :3]), where=alpha > 0)
    canvas[..., 3] *= 255
    return np.clip(canvas + 0.5, 0, 255).astype(np.uint8)


def _lay(canvas: npt.NDArray[np.float32], layer: Layer) -> None:
    """Lay a layer over a canvas of premultiplied colours (0..255) and alpha (0..1), float32 (H, W, 4)."""
    height, width = layer.image.shape[:2]
    top, left = max(layer.top, 0), max(layer.left, 0)
    bottom, right = min(layer.top + height, canvas.shape[0]), min(layer.left + width, canvas.shape[1])
    if bottom <= top or right <= left:
        return
    source = layer.image[top - layer.top : bottom - layer.top, left - layer.left : right - layer.left]
    alpha = source[..., 3:].astype(np.float32) / 255
    below = canvas[top:bottom, left:right]
    below *= 1 - alpha
    below[..., :3] += source[..., :3] * alpha
    below[..., 3:] += alpha
