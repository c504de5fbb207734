"""Cut-outs: one part of a reference alone on transparent ground, and the ground behind the animal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt

from engine.collage.layers import Pixels
from engine.core.segmentation import NO_PART


@dataclass(frozen=True, eq=False)
class CutOut:
    """A part alone: uint8 (h, w, 4), straight alpha; its upper left corner is at ``left``, ``top`` of the reference."""

    image: Pixels
    left: int
    top: int


def cut_out(picture: Pixels, labels: Pixels, part: int) -> CutOut | None:
    """The pixels of a part of a picture uint8 (H, W, 3) with label map uint8 (H, W); None where it is not shown."""
    rows, columns = np.nonzero(labels == part)
    if not len(rows):
        return None
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    alpha = np.where(labels[top:bottom, left:right] == part, 255, 0).astype(np.uint8)
    return CutOut(np.dstack([picture[top:bottom, left:right], alpha]), int(left), int(top))


def fill_ground(picture: Pixels, labels: Pixels) -> Pixels:
    """The picture without its animal: each pixel of a part takes the colour of the nearest one that is ground."""
    if not (labels == NO_PART).any():
        return np.full_like(picture, 255)
    nearest = np.zeros((2, *labels.shape), np.int32)
    distance_transform_edt(labels != NO_PART, return_distances=False, return_indices=True, indices=nearest)
    return picture[nearest[0], nearest[1]]
