"""From label arrays to outlines: contours along pixel edges, smoothed, as painter paths."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainterPath, QPolygonF

from engine.core.segmentation import Segmentation
from engine.core.vocabulary import ABSENT

ANCHOR_GRID: Final = 48
"""Cells across the grid on which the innermost point of a part is looked for."""


@dataclass(frozen=True)
class PartShape:
    """One part of a picture as geometry in picture pixels.

    ``outline`` encloses the part (odd-even: holes are inner loops), ``bounds`` is its bounding box, ``anchor``
    a point well inside it, and ``corner`` its upper right point, where a mark hides least of it.
    """

    part: int
    outline: QPainterPath
    bounds: QRectF
    anchor: QPointF
    corner: QPointF


def shapes_of(segmentation: Segmentation, parts: Iterable[int]) -> dict[int, PartShape]:
    """The shapes of those of ``parts`` that the picture shows, in the order asked for.

    A few milliseconds for each million pixels: not on the Qt thread for large pictures.
    """
    shapes: dict[int, PartShape] = {}
    for part in parts:
        if part >= len(segmentation.codes) or segmentation.codes[part] == ABSENT:
            continue
        mask = segmentation.labels == part
        rows = np.flatnonzero(mask.any(axis=1))
        if rows.size == 0:
            continue
        columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
        top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
        inner = mask[top:bottom, left:right]
        # Steps of a coarse grid are smoothed away in small pictures and large ones alike.
        reach = min(max(max(segmentation.labels.shape) / 160, 1.2), 8.0)
        outline = QPainterPath()
        corner = np.array((right, top), np.float64)
        for number, loop in enumerate(_worth_drawing(contours(inner))):
            points = smoothed_outline(loop, reach) + np.array((left, top))
            if number == 0:
                corner = points[np.argmax(points[:, 0] - points[:, 1])]
            outline.addPolygon(QPolygonF([QPointF(x, y) for x, y in points.tolist()]))
            outline.closeSubpath()
        x, y = innermost(inner)
        bounds = QRectF(left, top, right - left, bottom - top)
        shapes[part] = PartShape(part, outline, bounds, QPointF(left + x, top + y), QPointF(*corner.tolist()))
    return shapes


def contours(mask: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.float64]]:
    """The closed borders of a bool (H, W) mask along pixel edges, each (N, 2) corner points x, y, longest first.

    The inside is on the right of the way, so that holes run the other way round; pixels that touch at a
    corner only are kept apart.
    """
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    width = mask.shape[1] + 1
    starts: list[npt.NDArray[np.int64]] = []
    ends: list[npt.NDArray[np.int64]] = []
    # Right along the top of a pixel, down its right side, left along its bottom, up its left side.
    for outside, (x0, y0), (x1, y1) in (
        (~padded[:-2, 1:-1], (0, 0), (1, 0)),
        (~padded[1:-1, 2:], (1, 0), (1, 1)),
        (~padded[2:, 1:-1], (1, 1), (0, 1)),
        (~padded[1:-1, :-2], (0, 1), (0, 0)),
    ):
        y, x = np.nonzero(inside & outside)
        starts.append((y + y0) * width + x + x0)
        ends.append((y + y1) * width + x + x1)
    heading = np.repeat(np.arange(4), [len(side_starts) for side_starts in starts])
    start, end = np.concatenate(starts), np.concatenate(ends)
    if start.size == 0:
        return []
    keys = start * 4 + heading
    order = np.argsort(keys)
    keys = keys[order]
    following = np.full(start.size, -1)
    # Where two pixels touch at a corner both ways on exist: turning right first stays with the same pixel.
    for turn in (3, 0, 1):
        next_keys = end * 4 + (heading + turn) % 4
        at = np.minimum(np.searchsorted(keys, next_keys), keys.size - 1)
        following = np.where(keys[at] == next_keys, order[at], following)

    after = following.tolist()
    visited = bytearray(len(after))
    loops: list[npt.NDArray[np.float64]] = []
    for first in range(len(after)):
        if visited[first]:
            continue
        edges: list[int] = []
        edge = first
        while not visited[edge]:
            visited[edge] = 1
            edges.append(edge)
            edge = after[edge]
        corners = start[edges]
        loops.append(np.stack([corners % width, corners // width], axis=1).astype(np.float64))
    return sorted(loops, key=len, reverse=True)


def smoothed_outline(loop: npt.NDArray[np.float64], reach: float) -> npt.NDArray[np.float64]:
    """A closed pixel border (N, 2) without its steps: edge middles averaged over ``reach`` edges (a Gaussian's
    standard deviation), thinned to about one point for each ``reach``."""
    middles = (loop + np.roll(loop, -1, axis=0)) / 2
    count = len(middles)
    reach = min(reach, count / 12)
    radius = int(3 * reach)
    if radius < 1:
        return middles
    offsets = np.arange(-radius, radius + 1)
    weights: npt.NDArray[np.float64] = np.exp(-0.5 * (offsets / reach) ** 2)
    weights /= weights.sum()
    wrapped = middles[np.arange(-radius, count + radius) % count]
    columns = [np.convolve(wrapped[:, axis], weights, mode="valid").real for axis in (0, 1)]
    return np.stack(columns, axis=1)[:: max(1, int(reach))]


def innermost(mask: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """x, y of a point of a bool (H, W) mask that is as far from its border as a coarse grid can tell."""
    height, width = mask.shape
    step = max(1, round(max(height, width) / ANCHOR_GRID))
    coarse = mask[step // 2 :: step, step // 2 :: step]
    if not coarse.any():
        y, x = np.nonzero(mask)
        return float(x[len(x) // 2]) + 0.5, float(y[len(y) // 2]) + 0.5
    left = coarse
    while True:
        padded = np.pad(left, 1)
        fewer = left & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
        if not fewer.any():
            break
        left = fewer
    y, x = np.nonzero(left)
    middle = np.argmin((y - y.mean()) ** 2 + (x - x.mean()) ** 2)
    return float(x[middle] * step + step // 2) + 0.5, float(y[middle] * step + step // 2) + 0.5


def _worth_drawing(loops: list[npt.NDArray[np.float64]]) -> list[npt.NDArray[np.float64]]:
    """All but the specks, which would only flicker."""
    return [loop for loop in loops if len(loop) >= max(6, len(loops[0]) * 0.04)]
