"""Correction: a stroke of a brush in one picture, by which a person says what is there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

ANY_PART: Final = -1
"""What a stroke says whose part is not there any more: not background."""

MOST_POINTS: Final = 2000


@dataclass(frozen=True)
class Correction:
    """``picture`` is a path below the folder, with slashes. ``label`` is what is there: the number of a cluster (of a
    part, where it says so), ``ANY_PART``, or None for background. ``points`` (x, y) and ``radius`` (x, y) are shares
    of the picture's width and height: the stroke is what is within the radius of the line through its points."""

    picture: str
    label: int | None
    points: tuple[tuple[float, float], ...]
    radius: tuple[float, float]

    def covers(self, height: int, width: int) -> npt.NDArray[np.bool_]:
        """The pixels or cells, bool (H, W), whose middle the stroke covers; those its points are in if it is so thin
        that it covers none."""
        mask = np.zeros((height, width), np.bool_)
        rx, ry = self.radius
        points = np.array(self.points, np.float64).reshape(-1, 2)
        for start, end in zip(points[:1].tolist() + points[:-1].tolist(), points.tolist(), strict=True):
            left, right = sorted((start[0], end[0]))
            upper, lower = sorted((start[1], end[1]))
            x0, x1 = _span(left - rx, right + rx, width)
            y0, y1 = _span(upper - ry, lower + ry, height)
            if x0 >= x1 or y0 >= y1:
                continue
            x = ((np.arange(x0, x1) + 0.5) / width - start[0]) / rx
            y = ((np.arange(y0, y1) + 0.5) / height - start[1]) / ry
            along = (end[0] - start[0]) / rx, (end[1] - start[1]) / ry
            length = along[0] ** 2 + along[1] ** 2
            share = (x[None] * along[0] + y[:, None] * along[1]) / length if length > 0 else np.zeros((len(y), len(x)))
            share = np.clip(share, 0, 1)
            near = (x[None] - share * along[0]) ** 2 + (y[:, None] - share * along[1]) ** 2 <= 1
            mask[y0:y1, x0:x1] |= near
        if not mask.any():
            for x, y in self.points:
                if 0 <= x < 1 and 0 <= y < 1:
                    mask[int(y * height), int(x * width)] = True
        return mask

    def to_document(self) -> dict[str, Any]:
        """JSON values."""
        document = asdict(self)
        return {**document, "points": [list(point) for point in self.points], "radius": list(self.radius)}

    @classmethod
    def from_document(cls, document: object) -> Correction | None:
        """From JSON values; None if anything in them is not right."""
        if not isinstance(document, Mapping):
            return None
        picture, label = document.get("picture"), document.get("label")
        points, radius = document.get("points"), _pair(document.get("radius"))
        if not isinstance(picture, str) or not picture or not isinstance(points, list) or radius is None:
            return None
        pairs = [_pair(point) for point in points]
        fits = label is None or (type(label) is int and label >= ANY_PART)
        if not fits or not 0 < len(pairs) <= MOST_POINTS or not all(0 < side <= 1 for side in radius):
            return None
        whole = tuple(pair for pair in pairs if pair is not None and all(-1 <= value <= 2 for value in pair))
        return cls(picture, label, whole, radius) if len(whole) == len(pairs) else None


def _span(first: float, last: float, count: int) -> tuple[int, int]:
    """The cells of ``count`` that lie between two shares: first, one after the last."""
    return max(0, math.floor(first * count)), min(count, math.ceil(last * count) + 1)


def _pair(value: object) -> tuple[float, float] | None:
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    if not all(isinstance(side, int | float) and not isinstance(side, bool) and math.isfinite(side) for side in value):
        return None
    return float(value[0]), float(value[1])
