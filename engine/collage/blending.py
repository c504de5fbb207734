"""Blending: a part goes over into what it lies on, without a seam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from PIL import Image, ImageFilter
from scipy.ndimage import binary_erosion, distance_transform_edt

from engine.collage.inpainting import Floats, diffuse
from engine.collage.layers import Layer, lay

_SIDE: Final = 128  # pixels at most at which the change of colours is found: it is smooth
_DEPTH: Final = 0.35  # of the root of a part's area: so far from a seam its colours may change
_SMOOTH: Final = 2  # pixels of that size: what is compared along a seam is the mean around, not the grain
_FEWEST: Final = 4  # pixels of a seam


def blend(layers: Sequence[Layer], width: int, height: int) -> tuple[Layer, ...]:
    """The layers, back to front, each with its colours changed near the seams with the layers it lies on.

    The gradients of a part stay and its colours at a seam become those beneath (Pérez, Gangnet and Blake, Poisson Image
    Editing, 2003), which a smooth change added to it does; further in, and where a part ends on the ground, it stays
    as it is. ``width`` and ``height`` are the collage's.
    """
    beneath = Image.new("RGBA", (width, height))
    made: list[Layer] = []
    for layer in layers:
        changed = _blended(layer, beneath) if layer.visible else layer
        if layer.visible:
            lay(beneath, changed)
        made.append(changed)
    return tuple(made)


def _blended(layer: Layer, beneath: Image.Image) -> Layer:
    height, width = layer.image.shape[:2]
    shrink = -(-max(height, width) // _SIDE)
    under = beneath.crop((layer.left, layer.top, layer.left + width, layer.top + height)).reduce(shrink)
    own = Image.fromarray(layer.image).reduce(shrink)
    inside = np.asarray(own.getchannel("A")) >= 128
    seam = inside & ~np.asarray(binary_erosion(inside), bool) & (np.asarray(under.getchannel("A")) >= 192)
    if seam.sum() < _FEWEST:
        return layer
    far = inside & (np.asarray(distance_transform_edt(~seam)) > _DEPTH * float(inside.sum()) ** 0.5)
    apart = np.where(seam, _smoothed(under) - _smoothed(own), 0).astype(np.float32)
    change = diffuse(apart, seam | far)
    box = (0, 0, width / shrink, height / shrink)
    image = layer.image.copy()
    for channel, plane in enumerate(change):
        large = Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR, box)
        image[..., channel] = np.clip(image[..., channel] + np.asarray(large) + 0.5, 0, 255)
    return replace(layer, image=image)


def _smoothed(image: Image.Image) -> Floats:
    """Colours (3, h, w) of an image, each the mean of those around as far as they are opaque."""
    premultiplied = np.asarray(image.convert("RGBa").filter(ImageFilter.GaussianBlur(_SMOOTH)), np.float32)
    colours = premultiplied[..., :3] * (255 / np.maximum(premultiplied[..., 3:], 1))
    return np.ascontiguousarray(colours.transpose(2, 0, 1), np.float32)
