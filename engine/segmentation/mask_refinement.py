"""From beliefs on a coarse grid to labels at the picture's own size, with edges that follow the picture.

Two steps. On a small copy of the picture, four samples a cell, each sample asks its neighbours of like colour what
they are, a few times over (mean-field inference in a conditional random field with a bilateral kernel, after
Krähenbühl and Koltun, NIPS 2011, with a window instead of all pairs). The result is carried to the picture's own
size by a guided filter (He, Sun, Tang, ECCV 2010; fast form arXiv 1505.00996), which makes each belief locally a
linear function of colour, so that it jumps where the colour jumps.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.core.segmentation import Segmentation
from engine.core.vocabulary import ABSENT
from engine.packs.codebook import Codebook

MAX_SIDE: Final = 1024
"""Pictures longer than this are refined at this size; labels are then stretched."""

Floats = npt.NDArray[np.float32]

# Chosen on drawn birds with simulated features; tests/engine/segmentation/test_mask_refinement.py has the measure.
_SAMPLES: Final = 4  # a cell: enough to place an edge, few enough to be quick
_REACH: Final = 2.0  # of the asking, in cells: an edge may be a cell or two from where the grid shows it
_NEAR: Final = 1.5  # standard deviation of the kernel in space, in cells
_ALIKE: Final = 0.1  # and in colour, of 0..1 a channel
_OWN: Final = 0.25  # weight of a sample's own first belief against its neighbours'
_OTHERS: Final = 6.0
_ROUNDS: Final = 6
_SMOOTH: Final = 1e-4  # colour variance (of 0..1) that counts as flat, for the guided filter
_ISLAND: Final = 0.75  # in cells: smaller pieces of a part, away from its largest one, are noise


def segment_picture(codebook: Codebook, features: Floats, picture: npt.NDArray[np.uint8]) -> Segmentation:
    """Labels at the size of the picture, with edges that follow it; codes as :meth:`Codebook.segment` finds them.

    ``features`` is float32 (C, h, w) and covers the whole picture, uint8 (H, W, 3). A part that is lost on the way to
    pixels is ``ABSENT``. Raises as :meth:`Codebook.segment`.
    """
    grid = codebook.segment(features)
    shown = [int(label) for label in np.unique(grid.labels)]
    labels = np.array(shown, np.uint8)[refine_labels(codebook.beliefs(features, grid.labels, shown), picture)]
    left = set(np.unique(labels).tolist())
    codes = tuple(code if part in left else ABSENT for part, code in enumerate(grid.codes))
    return Segmentation(labels, codes)


def refine_labels(beliefs: Floats, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The label (index 0..L-1) of each pixel, uint8 (H, W).

    ``beliefs`` is float32 (L, h, w), a distribution over labels a cell; ``picture`` is uint8 (H, W, 3) and covers
    the same view. 0.2 s for 512 px and 6 labels on one core.
    """
    height, width = picture.shape[:2]
    if len(beliefs) == 1:
        return np.zeros((height, width), np.uint8)
    scale = min(1.0, MAX_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if scale < 1:
        picture = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))
    guide = picture.astype(np.float32) / np.float32(255)
    cell = max(size[0] / beliefs.shape[2], size[1] / beliefs.shape[1])
    shrink = max(1, round(cell / _SAMPLES))
    colour = _shrunk(guide, (max(1, round(size[0] / shrink)), max(1, round(size[1] / shrink))))
    settled = _settled(beliefs, colour, cell / shrink)
    labels = settled.argmax(0).astype(np.uint8) if shrink == 1 else _guided(settled, colour, guide)
    labels = _islands_removed(labels, cell)
    if size != (width, height):
        labels = np.asarray(Image.fromarray(labels).resize((width, height), Image.Resampling.NEAREST))
    return labels


def _settled(beliefs: Floats, colour: Floats, cell: float) -> Floats:
    """Beliefs (L, H, W) that neighbours of like colour agree on; ``colour`` is (H, W, 3), ``cell`` in samples."""
    height, width = colour.shape[:2]
    first = np.stack([_stretched(belief, (width, height)) for belief in beliefs]).clip(1e-3)
    first /= first.sum(0)
    own = _OWN * np.log(first)
    reach, step = max(1, round(_REACH * cell)), max(1, round(cell / 2))
    shifts = [
        (y, x)
        for y in range(-reach, reach + 1, step)
        for x in range(-reach, reach + 1, step)
        if 0 < x * x + y * y <= reach * reach
    ]
    edged = np.pad(colour, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    weights = []
    for y, x in shifts:
        other = edged[reach + y : reach + y + height, reach + x : reach + x + width]
        unlike = ((other - colour) ** 2).sum(-1) / (2 * _ALIKE**2)
        weights.append(np.exp(-unlike - (x * x + y * y) / (2 * (_NEAR * cell) ** 2)))
    total = np.sum(weights, axis=0) + 1e-3  # a sample unlike all around keeps its own belief
    now = first
    for _ in range(_ROUNDS):
        around = np.pad(now, ((0, 0), (reach, reach), (reach, reach)), mode="edge")
        heard = np.zeros_like(now)
        for (y, x), weight in zip(shifts, weights, strict=True):
            heard += weight * around[:, reach + y : reach + y + height, reach + x : reach + x + width]
        energy = own + _OTHERS * heard / total
        now = np.exp(energy - energy.max(0))
        now /= now.sum(0)
    return now


def _guided(beliefs: Floats, colour: Floats, guide: Floats) -> npt.NDArray[np.uint8]:
    """The winning label (H, W): beliefs (L, h, w) with their colours (h, w, 3), carried along a guide (H, W, 3)."""
    from scipy.ndimage import uniform_filter

    height, width = guide.shape[:2]

    def mean(values: Floats) -> Floats:
        return np.asarray(uniform_filter(values, size=_SAMPLES + 1, axes=(0, 1), mode="nearest"), np.float32)

    mean_colour = mean(colour)
    products = mean(colour[..., :, None] * colour[..., None, :])
    spread = products - mean_colour[..., :, None] * mean_colour[..., None, :] + _SMOOTH * np.eye(3, dtype=np.float32)
    inverse = np.linalg.inv(spread)
    best = np.full((height, width), -np.inf, np.float32)
    labels = np.zeros((height, width), np.uint8)
    for label, belief in enumerate(beliefs):
        mean_belief = mean(belief)
        together = mean(colour * belief[..., None]) - mean_colour * mean_belief[..., None]
        slope = np.einsum("hwij,hwj->hwi", inverse, together)
        offset = mean_belief - (slope * mean_colour).sum(-1)
        lines = mean(np.concatenate([slope, offset[..., None]], -1))
        value = _stretched(lines[..., 3], (width, height)).copy()
        for channel in range(3):
            value += _stretched(lines[..., channel], (width, height)) * guide[..., channel]
        won = value > best
        best[won] = value[won]
        labels[won] = label
    return labels


def _islands_removed(labels: npt.NDArray[np.uint8], cell: float) -> npt.NDArray[np.uint8]:
    """Labels (H, W) in which pieces much smaller than a cell have gone to their nearest neighbour.

    The largest piece of each label stays, however small: a part that is there is not lost.
    """
    from scipy import ndimage

    limit = (_ISLAND * cell) ** 2
    drop = np.zeros(labels.shape, bool)
    for value in np.unique(labels):
        pieces = np.zeros(labels.shape, np.int32)
        if int(ndimage.label(labels == value, output=pieces)) > 1:  # pyright: ignore[reportArgumentType]
            areas = np.bincount(pieces.ravel())
            areas[0] = 0
            small = areas < min(limit, areas.max())
            small[0] = False
            drop |= small[pieces]
    if not drop.any():
        return labels
    nearest = np.zeros((2, *labels.shape), np.int32)
    ndimage.distance_transform_edt(drop, return_distances=False, return_indices=True, indices=nearest)
    return labels[nearest[0], nearest[1]]


def _stretched(values: Floats, size: tuple[int, int]) -> Floats:
    """Values (h, w) at another size (width, height), bilinear; averaged where that is smaller."""
    if (values.shape[1], values.shape[0]) == size:
        return values
    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR), np.float32)


def _shrunk(colour: Floats, size: tuple[int, int]) -> Floats:
    """A picture (H, W, 3) at another size (width, height)."""
    return np.stack([_stretched(colour[..., channel], size) for channel in range(3)], -1)
