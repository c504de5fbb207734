"""Segmentation: which part each pixel of a picture belongs to, and the code of each part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.core.vocabulary import ABSENT

NO_PART: Final = 255
"""The label of a pixel that belongs to no part."""


@dataclass(frozen=True)
class Segmentation:
    """The parts of one picture.

    ``labels`` is uint8 (H, W): a part's index or ``NO_PART``. ``codes[m]`` is the code of part m, or
    ``ABSENT``. H, W are the picture's own, or those of the feature grid before refinement.
    """

    labels: npt.NDArray[np.uint8]
    codes: tuple[int, ...]

    def part_at(self, x: int, y: int) -> int | None:
        """The part under a pixel, or None outside every part or the picture."""
        height, width = self.labels.shape
        if not (0 <= x < width and 0 <= y < height):
            return None
        label = int(self.labels[y, x])
        return None if label == NO_PART or self.codes[label] == ABSENT else label

    def mask(self, part: int) -> npt.NDArray[np.bool_]:
        """Bool (H, W): where a part is."""
        return self.labels == part
