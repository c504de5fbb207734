"""Colours matched: a cut-out from one photograph in the light of another."""

from __future__ import annotations

from typing import Final

import numpy as np

from engine.collage.inpainting import Floats
from engine.collage.layers import Pixels

# Oklab (Ottosson 2020): linear sRGB to cones, and their cube roots to lightness, green-red and blue-yellow.
_CONES: Final = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    np.float32,
)
_LAB: Final = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    np.float32,
)
_FROM_CONES: Final = np.linalg.inv(_CONES).astype(np.float32)
_FROM_LAB: Final = np.linalg.inv(_LAB).astype(np.float32)

_LINEAR: Final = np.array(
    [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in np.arange(256) / 255], np.float32
)
_MOST: Final = 2.0  # times that contrast is raised or lowered: more would bring out noise
_SAMPLES: Final = 16384  # pixels that are enough for a mean and a spread


def match_colours(image: Pixels, like: Pixels, amount: float = 1.0) -> Pixels:
    """An image uint8 (H, W, 4) with the mean and the spread of another's colours; its alpha stays.

    ``like`` is uint8 (h, w, 4) or (h, w, 3) of any size; pixels count as much as they are opaque. ``amount`` 0 leaves
    the image as it is, 1 goes all the way. Means and spreads are those of lightness and the two opponent colours of
    Oklab (Reinhard and others, Color Transfer between Images, 2001).
    """
    shown = image[..., 3] > 0
    if amount <= 0 or not shown.any() or (like.shape[2] == 4 and not like[..., 3].any()):
        return image
    mean, spread = _mean_and_spread(image)
    wanted_mean, wanted_spread = _mean_and_spread(like)
    scale = np.clip(wanted_spread / np.maximum(spread, 1e-4), 1 / _MOST, _MOST).astype(np.float32)
    colours = _to_lab(image[shown][:, :3])
    moved = (colours - mean) * scale + wanted_mean
    colours += min(amount, 1.0) * (moved - colours)
    made = image.copy()
    made[shown, :3] = _to_rgb(colours)
    return made


def _mean_and_spread(image: Pixels) -> tuple[Floats, Floats]:
    """The mean and the standard deviation (3,) of an image's colours in Oklab, as far as it is opaque."""
    step = max(1, round((image.shape[0] * image.shape[1] / _SAMPLES) ** 0.5))
    if image.shape[2] == 4 and not image[::step, ::step, 3].any():
        step = 1
    pixels = image[::step, ::step].reshape(-1, image.shape[2])
    weights = pixels[:, 3].astype(np.float32) if pixels.shape[1] == 4 else np.ones(len(pixels), np.float32)
    weights /= weights.sum()
    colours = _to_lab(pixels[:, :3])
    mean = weights @ colours
    return mean, np.sqrt(weights @ (colours - mean) ** 2)


def _to_lab(colours: Pixels) -> Floats:
    """Oklab float32 (n, 3) of sRGB uint8 (n, 3)."""
    return np.cbrt(_LINEAR[colours] @ _CONES.T) @ _LAB.T


def _to_rgb(colours: Floats) -> Pixels:
    """SRGB uint8 (n, 3) of Oklab float32 (n, 3)."""
    linear = np.clip((colours @ _FROM_LAB.T) ** 3 @ _FROM_CONES.T, 0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.clip(255 * curved + 0.5, 0, 255).astype(np.uint8)
