"""From beliefs on a coarse grid to labels at the picture's own size, with edges that follow the picture.

Beliefs are stretched to the picture and passed through a guided filter (He, Sun, Tang: Guided image filtering, ECCV
2010), which makes each belief locally a linear function of colour, so that it jumps where the colour jumps. Its
coefficients change slowly, so they are found on a smaller picture (the fast guided filter, arXiv 1505.00996).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

MAX_SIDE: Final = 1024
"""Pictures longer than this are refined at this size; labels are then stretched."""

Floats = npt.NDArray[np.float32]

_SAMPLES: Final = 4  # of the small picture for each cell of the grid: enough to place an edge, few enough to be quick
_RADIUS: Final = 1.0  # of the filter's window, in cells: an edge may be a cell away from where the grid shows it
_SMOOTH: Final = 1e-4  # colour variance (of 0..1) that counts as flat
_ISLAND: Final = 0.75  # in cells: smaller pieces of a part, away from its largest one, are noise


def refine(beliefs: Floats, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The label (index 0..L-1) of each pixel, uint8 (H, W).

    ``beliefs`` is float32 (L, h, w), a distribution over labels a cell; ``picture`` is uint8 (H, W, 3).
    """
    height, width = picture.shape[:2]
    if len(beliefs) == 1:
        return np.zeros((height, width), np.uint8)
    scale = min(1.0, MAX_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    guide = _resized_picture(picture, size)
    cell = max(size[0] / beliefs.shape[2], size[1] / beliefs.shape[1])
    labels = _islands_removed(_guided(beliefs, guide, cell), cell)
    if size != (width, height):
        labels = np.asarray(Image.fromarray(labels).resize((width, height), Image.Resampling.NEAREST))
    return labels


def _guided(beliefs: Floats, guide: Floats, cell: float) -> npt.NDArray[np.uint8]:
    """The winning label (H, W) after filtering beliefs (L, h, w) along a guide (H, W, 3) of 0..1."""
    from scipy.ndimage import uniform_filter

    height, width = guide.shape[:2]
    shrink = max(1, round(cell / _SAMPLES))
    small = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    window = 2 * max(1, round(_RADIUS * cell / shrink)) + 1

    def mean(values: Floats) -> Floats:
        return uniform_filter(values, size=window, axes=(0, 1), mode="nearest")

    colour = guide if shrink == 1 else np.stack([_stretched(guide[..., c], small) for c in range(3)], -1)
    mean_colour = mean(colour)
    products = mean(colour[..., :, None] * colour[..., None, :])
    spread = products - mean_colour[..., :, None] * mean_colour[..., None, :] + _SMOOTH * np.eye(3, dtype=np.float32)
    inverse = np.linalg.inv(spread)

    best = np.full((height, width), -np.inf, np.float32)
    labels = np.zeros((height, width), np.uint8)
    for label, belief in enumerate(beliefs):
        coarse = _stretched(belief, small)
        mean_belief = mean(coarse)
        together = mean(colour * coarse[..., None]) - mean_colour * mean_belief[..., None]
        slope = np.einsum("hwij,hwj->hwi", inverse, together)
        offset = mean_belief - (slope * mean_colour).sum(-1)
        smooth = mean(np.concatenate([slope, offset[..., None]], -1))
        if shrink > 1:
            smooth = np.stack([_stretched(smooth[..., c], (width, height)) for c in range(4)], -1)
        value = (smooth[..., :3] * guide).sum(-1) + smooth[..., 3]
        won = value > best
        best[won] = value[won]
        labels[won] = label
    return labels


def _islands_removed(labels: npt.NDArray[np.uint8], cell: float) -> npt.NDArray[np.uint8]:
    """Labels (H, W) in which pieces much smaller than a cell have gone to their nearest neighbour.

    The largest piece of each label stays, however small: a part that is there is not lost.
    """
    from scipy.ndimage import distance_transform_edt, label

    limit = (_ISLAND * cell) ** 2
    drop = np.zeros(labels.shape, bool)
    for value in np.unique(labels):
        pieces, count = label(labels == value)
        if count > 1:
            areas = np.bincount(pieces.ravel())
            areas[0] = 0
            small = areas < min(limit, areas.max())
            small[0] = False
            drop |= small[pieces]
    if not drop.any():
        return labels
    nearest = distance_transform_edt(drop, return_distances=False, return_indices=True)
    return labels[tuple(nearest)]


def _stretched(values: Floats, size: tuple[int, int]) -> Floats:
    """Values (h, w) at another size (width, height); bilinear, averaging where it shrinks."""
    if (values.shape[1], values.shape[0]) == size:
        return values
    return np.asarray(Image.fromarray(np.ascontiguousarray(values, np.float32)).resize(size, Image.Resampling.BILINEAR))


def _resized_picture(picture: npt.NDArray[np.uint8], size: tuple[int, int]) -> Floats:
    image = Image.fromarray(picture)
    if image.size != size:
        image = image.resize(size, Image.Resampling.BOX)
    return np.asarray(image, np.float32) / 255
