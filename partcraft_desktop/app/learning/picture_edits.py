"""What a person paints in pictures of the wall, and which are left out: values of the draft, and the wall with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import PurePath
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine.core.correction import ANY_PART, MOST_POINTS, Correction
from engine.core.segmentation import NO_PART
from engine.worker.jobs import SeenPicture

Pair = tuple[int, bool]
"""For how many clusters, and whether flipped, parts were found."""

MOST_STROKES: Final = 2000

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class PartStroke:
    """A stroke of the brush in a picture (see :class:`Correction`): of the cluster that ``clusters`` names for the
    number of clusters now, or, with ``background``, of no part."""

    picture: str
    points: Points
    radius: tuple[float, float]
    background: bool = False
    clusters: Mapping[Pair, int] = field(default_factory=dict, hash=False)

    def correction(self, pair: Pair) -> Correction:
        """The stroke as the engine has it; foreground of any part where its own is not there."""
        label = None if self.background else self.clusters.get(pair, ANY_PART)
        return Correction(self.picture, label, self.points, self.radius)

    def to_document(self) -> dict[str, Any]:
        """JSON values, read back by :func:`strokes_from`."""
        ties = [[count, flip, cluster] for (count, flip), cluster in self.clusters.items()]
        geometry = Correction(self.picture, None, self.points, self.radius).to_document()
        return {**geometry, "background": self.background, "clusters": ties}


def strokes_from(value: object) -> tuple[PartStroke, ...]:
    """The strokes of a document; what is wrong is left out."""
    strokes: list[PartStroke] = []
    for line in value[:MOST_STROKES] if isinstance(value, list) else []:
        geometry = Correction.from_document({**line, "label": None}) if isinstance(line, dict) else None
        if geometry is None:
            continue
        ties = line.get("clusters")
        clusters = {
            (tie[0], tie[1]): tie[2]
            for tie in (ties if isinstance(ties, list) else [])
            if isinstance(tie, list) and [type(entry) for entry in tie] == [int, bool, int] and tie[2] >= 0
        }
        background = line.get("background") is True
        strokes.append(PartStroke(geometry.picture, geometry.points, geometry.radius, background, clusters))
    return tuple(strokes)


def picture_name(picture: str, folder: str) -> str:
    """A picture's path below its folder, with slashes."""
    path = PurePath(picture)
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name


def thinned(points: Sequence[tuple[float, float]], radius: tuple[float, float]) -> Points:
    """The points of a stroke without those that change nothing that is seen."""
    kept = list(points[:1])
    for point in points[1:]:
        away = ((point[0] - kept[-1][0]) / radius[0]) ** 2 + ((point[1] - kept[-1][1]) / radius[1]) ** 2
        if away > 0.04:
            kept.append(point)
    kept = [(round(x, 5), round(y, 5)) for x, y in kept]
    return tuple(kept[:: 1 + len(kept) // MOST_POINTS])


def carried_over(
    strokes: Iterable[PartStroke], before: Pair, after: Pair, follows: Mapping[int, int]
) -> tuple[PartStroke, ...]:
    """Strokes for other clusters: ``follows`` says which new cluster is where an old one was."""
    carried = []
    for stroke in strokes:
        old = stroke.clusters.get(before)
        if old is not None and old in follows and after not in stroke.clusters:
            stroke = replace(stroke, clusters={**stroke.clusters, after: follows[old]})
        carried.append(stroke)
    return tuple(carried)


def edited_picture(seen: SeenPicture, corrections: Sequence[Correction], left_out: bool) -> SeenPicture:
    """A picture of the wall with strokes, whose labels are parts, or without any part if it is left out. The same
    object if nothing changes."""
    labels = np.full_like(seen.labels, NO_PART) if left_out else seen.labels
    for correction in () if left_out else corrections:
        mask = _mask_of(correction, *labels.shape)
        if correction.label == ANY_PART:
            continue  # where its part is not known, the engine says which
        label = NO_PART if correction.label is None else correction.label
        if not (labels[mask] == label).all():
            labels = labels.copy() if labels is seen.labels else labels
            labels[mask] = label
    if labels is seen.labels and seen.left_out == left_out:
        return seen
    return replace(seen, labels=labels, left_out=left_out)


@lru_cache(maxsize=512)
def _mask_of(correction: Correction, height: int, width: int) -> npt.NDArray[np.bool_]:
    return correction.covers(height, width)
