"""Change maps: how much each pixel of a start may change, softly, so that no seam shows."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import distance_transform_edt

Changes = npt.NDArray[np.float32]

_REACH: Final = 0.04
"""How far a part's place is grown, and how wide its edge then fades, in shares of the picture's shorter side."""


def change_map(labels: npt.NDArray[np.uint8], keep: tuple[int, ...], only: tuple[int, ...], cell: int) -> Changes:
    """How much of its freedom each pixel has, float32 (H, W) in 0..1.

    ``labels`` uint8 (H, W) says where the parts are. Parts of ``keep`` have none, and it grows from nothing to all
    beside them. Where ``only`` names parts, these and a rim about them have all of it, and beyond a fading edge nothing
    changes. ``cell`` is a latent pixel in pixels, which is as fine as anything can change.
    """
    reach = reach_of(labels.shape, cell)
    changes = np.ones(labels.shape, np.float32)
    if only:
        changes = np.clip(2 - _distance(np.isin(labels, only)) / reach, 0, 1)
    if keep and np.isin(labels, keep).any():
        changes = np.minimum(changes, np.clip(_distance(np.isin(labels, keep)) / reach, 0, 1))
    return changes.astype(np.float32)


def reach_of(shape: tuple[int, ...], cell: int) -> float:
    """Pixels by which a part's place is grown, and over which its edge then fades."""
    return max(_REACH * min(shape), float(cell))


def merged(start: Image.Image, painted: Image.Image, changes: Changes) -> Image.Image:
    """What was painted where it may change, and the start's own pixels where nothing may: these went through no
    autoencoder, however often a picture is changed. All of one size."""
    mask = Image.fromarray(np.round(np.clip(2 * changes, 0, 1) * 255).astype(np.uint8))
    return Image.composite(painted, start, mask)


def _distance(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """How far each pixel is from a mask that is not empty: 0 inside."""
    return np.asarray(distance_transform_edt(~mask))
