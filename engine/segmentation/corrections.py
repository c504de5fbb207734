"""What a person corrected in pictures, as constraints of discovery.

Corrected cells are what they were said to be in their own picture, exactly. They also teach: foreground's votes or
centroids learn from cells that were on the wrong side, and the centroids of parts from cells whose part was said, so
that cells like them follow in other pictures. Clusters keep their numbers, for names and merges hang on these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.core.atomic_files import read_json, write_bytes
from engine.core.correction import ANY_PART, Correction
from engine.core.json_values import json_bytes
from engine.core.segmentation import NO_PART, Segmentation
from engine.core.vocabulary import ABSENT
from engine.packs.codebook import Codebook
from engine.packs.foreground import VOTE_SPREAD, centred_cells
from engine.segmentation.codebook_fitting import BackgroundSplit, FeatureSample, alike_parts, unit_rows
from engine.segmentation.foreground import FolderForeground, masks_of
from engine.segmentation.kmeans import Clustering, kmeans
from engine.segmentation.mask_refinement import segment_picture

CORRECTIONS: Final = "corrections.json"
"""Kept with a draft pack: what its training shall know of the pictures it was found in."""

UNSAID: Final = -3
BACKGROUND: Final = -2
"""What cells were said to be, beside clusters' numbers and ``ANY_PART``."""

_WEIGHTS: Final = (0.25, 0.5, 1.0, 2.0, 4.0)
"""How much all that is said of a cluster may weigh, in clusters of usual size: the least that suffices does. What is
painted is what was wrong, and no fair sample of a part: on scenes with truth, weights of 1 and more took away what a
quarter gained."""
_SIDES_STAY: Final = 0.7
"""Background and foreground each keep so much of what they had: two centroids may not change places."""
_STAYS: Final = 0.3
"""A part keeps so much of what it had without corrections: strokes move a part, they do not make another one of it."""
_MOST: Final = 0.5
"""It suffices when more than this share of corrected cells is nearest to where they belong."""
_FEW: Final = 8
"""Fewer corrected cells than this weigh less."""
_ENOUGH: Final = 12
"""So many cells on the wrong side are sure to say what they look like; fewer teach less."""
_APART: Final = 0.85
"""Looks whose cosine with anything that was not painted is larger cannot be told apart by the eyes."""
_LIKE: Final = 0.85
_OWN_LOOKS: Final = 3
_OTHER_LOOKS: Final = 8
_LOOKS: Final = 16
"""One look for each so many cells."""
_TEACHES: Final = 4.0
"""How many folders' votes a correction is worth where clusters look like it."""
_PASSES: Final = 60

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.uint8]
Said = Mapping[int, npt.NDArray[np.int64]]
"""By a picture's number what was said of its cells: (H, W), a cluster, ``ANY_PART``, ``BACKGROUND`` or ``UNSAID``."""


@dataclass(frozen=True)
class CorrectedPictures:
    """The strokes in each picture, by its number, whose labels are parts; in the order they were made."""

    strokes: Mapping[int, tuple[Correction, ...]]

    def grid(self, index: int, book: Codebook, features: Floats) -> Labels:
        """The labels of a picture's cells, with what was corrected: uint8 (H, W)."""
        return self._on(index, book, book.segment(features).labels)

    def segment(self, index: int, book: Codebook, features: Floats, picture: Labels) -> Segmentation:
        """The parts of a picture at its own size, with what was corrected."""
        segmentation = segment_picture(book, features, picture)
        if index not in self.strokes:
            return segmentation
        labels = self._on(index, book, segmentation.labels)
        pooled = book.pooled(features, self.grid(index, book, features))
        shown = set(np.unique(labels).tolist())
        codes = (book.code_of(part, pooled[part]) if part in shown else ABSENT for part in range(len(book.parts)))
        return Segmentation(labels, tuple(codes))

    def _on(self, index: int, book: Codebook, labels: Labels) -> Labels:
        behind = NO_PART if book.background is None else book.background
        return painted(labels, self.strokes.get(index, ()), behind)


NOT_CORRECTED: Final = CorrectedPictures({})


def painted(labels: Labels, strokes: Sequence[Correction], background: int) -> Labels:
    """Labels (H, W) of parts with strokes painted over them; ``ANY_PART`` is the nearest part that is there."""
    if not strokes:
        return labels
    result = labels.copy()
    for stroke in strokes:
        mask = stroke.covers(*labels.shape)
        if stroke.label == ANY_PART:
            mask &= (result == background) | (result == NO_PART)
            result[mask] = _nearest_part(result, background)[mask]
        else:
            result[mask] = background if stroke.label is None else stroke.label
    return result


def _nearest_part(labels: Labels, background: int) -> Labels:
    from scipy.ndimage import distance_transform_edt

    behind = (labels == background) | (labels == NO_PART)
    if behind.all():
        return np.zeros_like(labels)
    nearest = np.zeros((2, *labels.shape), np.int32)
    distance_transform_edt(behind, return_distances=False, return_indices=True, indices=nearest)
    return labels[nearest[0], nearest[1]]


def strokes_by_picture(
    files: Sequence[Path], folder: Path, corrections: Sequence[Correction]
) -> dict[int, tuple[Correction, ...]]:
    """The corrections of each picture by its number; those of pictures that are not there are left aside."""
    folder = folder.absolute()
    wanted = {correction.picture for correction in corrections}
    names = [file.relative_to(folder).as_posix() if file.is_relative_to(folder) else file.name for file in files]
    return {
        index: tuple(correction for correction in corrections if correction.picture == name)
        for index, name in enumerate(names)
        if name in wanted
    }


def as_parts(
    strokes: Mapping[int, tuple[Correction, ...]], members: Sequence[Sequence[int]]
) -> dict[int, tuple[Correction, ...]]:
    """Strokes whose labels are clusters, as those of the parts that are made of these ``members``."""
    part_of = {cluster: part for part, group in enumerate(members) for cluster in group}

    def part(label: int | None) -> int | None:
        return None if label is None else part_of.get(label, ANY_PART)

    return {index: tuple(replace(one, label=part(one.label)) for one in some) for index, some in strokes.items()}


def said_cells(strokes: Mapping[int, tuple[Correction, ...]], maps: Sequence[Floats]) -> dict[int, np.ndarray]:
    """What strokes say of the cells of feature maps (C, H, W): see :data:`Said`."""
    said = {}
    for index, some in strokes.items():
        height, width = maps[index].shape[1:]
        cells = np.full((height, width), UNSAID, np.int64)
        for stroke in some:
            cells[stroke.covers(height, width)] = BACKGROUND if stroke.label is None else stroke.label
        said[index] = cells
    return said


def sides_of(cells: np.ndarray, mask: Bools) -> Bools:
    """A mask (H, W) of foreground with what was said of its cells."""
    return np.where(cells == UNSAID, mask, cells >= ANY_PART)


# Foreground


def correct_foreground(maps: Sequence[Floats], found: FolderForeground, said: Said) -> FolderForeground:
    """Foreground with what was said: corrected cells are as said, and votes learn from those that were on the wrong
    side. Clusters that look more like them than like anything else in the corrected picture change sides with them,
    and a look of its own says what such cells are."""
    votes = found.votes
    wrongs, untouched = {}, []
    for index, cells in sorted(said.items()):
        wrong = (cells != UNSAID) & (sides_of(cells, found.masks[index]) != found.masks[index])
        if wrong.any():  # whoever mended a picture's foreground vouches for the rest of it
            wrongs[index] = wrong
            untouched.append(_looks(_unit_cells(maps[index])[~wrong], _OTHER_LOOKS))
    others = np.concatenate(untouched) if untouched else votes.centroids[:0]
    looks, sides, pulls = [], [], np.zeros((2, len(votes.centroids)), np.float32)
    for index, wrong in wrongs.items():
        as_said = sides_of(said[index], found.masks[index])
        for front in (False, True):
            chosen = wrong & (as_said == front)
            rows = _unit_cells(maps[index])[chosen]
            own = _looks(rows, _OWN_LOOKS)
            own = own[(own @ others.T).max(axis=1, initial=-1) < _APART]
            if not len(own):
                continue  # what was painted looks like what was not: nothing can be learned from it
            sure = min(1.0, float(chosen.sum()) / _ENOUGH)
            side = front != votes.flipped
            looks.append(own)
            sides += [0.5 + sure * (float(side) - 0.5)] * len(own)
            pulls[int(side)] += sure * _TEACHES * _teachable(votes.centroids, own, others, rows)
    masks = found.masks
    if looks:
        shares = (votes.shares + pulls[1]) / (1 + pulls.sum(axis=0))
        votes = replace(
            votes,
            centroids=np.concatenate([votes.centroids, *looks]).astype(np.float32),
            shares=np.concatenate([shares, sides]).astype(np.float32),
        )
        masks = masks_of(maps, votes)
    masks = tuple(sides_of(said[index], mask) if index in said else mask for index, mask in enumerate(masks))
    return FolderForeground(votes, masks)


def _teachable(centroids: Floats, own: Floats, others: Floats, rows: Floats) -> Floats:
    """How surely unit centroids (K, C) show what was painted: (K,), 0 to 1. They are nearly as like its looks, ``own``,
    as its ``rows`` are, and clearly more than they are like the ``others``."""
    likeness = (centroids @ own.T).max(axis=1)
    margin = likeness - (centroids @ others.T).max(axis=1, initial=-1)
    usual = float((rows @ own.T).max(axis=1).mean())
    return np.clip(margin / np.float32(VOTE_SPREAD) - 0.5, 0, 1) * (likeness > _LIKE * usual)


def _looks(rows: Floats, most: int) -> Floats:
    """Centroids of unit rows (N, C): one for each few of them, ``most`` at most, none without rows."""
    return kmeans(rows, min(most, 1 + len(rows) // _LOOKS), restarts=1).centroids if len(rows) else rows


def correct_split(maps: Sequence[Floats], sample: FeatureSample, split: BackgroundSplit, said: Said) -> BackgroundSplit:
    """Two centroids with what was said: they move if a cell was on the wrong side, and corrected rows of the sample
    are as said."""
    rows, labels, wrong = [], [], False
    for index, cells in sorted(said.items()):
        known = cells != UNSAID
        some = _unit_cells(maps[index])[known]
        front = cells[known] >= ANY_PART
        wrong |= bool((((some @ split.centroids.T).argmax(axis=1) == 1) != front).any())
        rows.append(some)
        labels.append(front.astype(np.int64))
    if wrong:
        allowed = np.concatenate(labels)[:, None] == np.arange(2)
        centroids, found = constrained_kmeans(sample.rows, split.centroids, np.concatenate(rows), allowed, _SIDES_STAY)
        split = replace(split, centroids=centroids, front=found == 1, likeness=float(centroids[0] @ centroids[1]))
    return replace(split, front=_front_as_said(sample, split.front, said))


def _front_as_said(sample: FeatureSample, front: Bools, said: Said) -> Bools:
    front = front.copy()
    for index, cells in said.items():
        first, last = np.searchsorted(sample.picture, (index, index + 1))
        of_rows = cells.reshape(-1)[sample.cell[first:last]]
        front[first:last] = sides_of(of_rows, front[first:last])
    return front


# Parts


def correct_clusters(
    maps: Sequence[Floats],
    sample: FeatureSample,
    split: BackgroundSplit,
    start: Floats,
    said: Said,
    merged: Sequence[Sequence[int]],
    masks: Sequence[Bools] = (),
) -> Clustering:
    """Clusters of the foreground's rows that begin at ``start``, unit rows (K, C), and keep its order. Cells that were
    said to be of a cluster stay with it, or with one it is merged with. ``masks`` are the foregrounds of centred
    features."""
    inside = sample.rows[split.front]
    fits = inside if sample.left_out is None else inside[~sample.left_out[split.front]]
    together = np.eye(len(start), dtype=np.bool_)
    for group in merged:
        for cluster in group:
            together[cluster, list(group)] = True
    rows, allowed = [np.zeros((0, start.shape[1]), np.float32)], [together[:0]]
    for index, cells in sorted(said.items()):
        known = (cells >= 0) & (cells < len(start))
        centred = centred_cells(maps[index], masks[index]) if masks else _unit_cells(maps[index])
        rows.append(centred[known])
        allowed.append(together[cells[known]])
    centroids, _ = constrained_kmeans(
        fits if len(fits) else inside, start, np.concatenate(rows), np.concatenate(allowed), _STAYS
    )
    cosines = inside @ centroids.T
    labels = cosines.argmax(axis=1)
    pictures, places = sample.picture[split.front], sample.cell[split.front]
    for index, cells in said.items():
        first, last = np.searchsorted(pictures, (index, index + 1))
        of_rows = cells.reshape(-1)[places[first:last]]
        labels[first:last] = np.where((of_rows >= 0) & (of_rows < len(start)), of_rows, labels[first:last])
    cosine = float(cosines.max(axis=1).mean()) if len(inside) else 0.0
    return Clustering(centroids, labels, cosine, alike_parts(centroids))


def constrained_kmeans(
    rows: Floats, start: Floats, fixed: Floats, allowed: Bools, stays: float
) -> tuple[Floats, np.ndarray]:
    """Unit centroids (K, C) and the nearest of each of the unit ``rows`` (N, C), by Lloyd's passes from ``start``.
    ``fixed`` rows (F, C) go only where ``allowed`` (F, K), and weigh as much as it takes for most of them to be nearest
    to where they belong, but no more than leaves each cluster a share of its rows that ``stays``. A cluster without
    rows stays where it was."""
    centroids = _lloyd(rows, start, fixed[:0], allowed[:0], 0.0)
    plain = labels = (rows @ centroids.T).argmax(axis=1)
    sizes = np.maximum(np.bincount(plain, minlength=len(start)), 1)
    for weight in _WEIGHTS if len(fixed) else ():
        tried = _lloyd(rows, start, fixed, allowed, weight)
        moved = (rows @ tried.T).argmax(axis=1)
        if (np.bincount(plain[plain == moved], minlength=len(start)) / sizes).min() < stays:
            break
        centroids, labels = tried, moved
        if allowed[np.arange(len(fixed)), (fixed @ centroids.T).argmax(axis=1)].mean() > _MOST:
            break
    return centroids, labels


def _lloyd(rows: Floats, start: Floats, fixed: Floats, allowed: Bools, weight: float) -> Floats:
    """Centroids after passes in which all that is said of a cluster weighs ``weight`` times a usual cluster."""
    count = len(start)
    centroids, before = start, None
    for _ in range(_PASSES):
        labels = (rows @ centroids.T).argmax(axis=1)
        said = np.where(allowed, fixed @ centroids.T, -np.inf).argmax(axis=1)
        if before is not None and np.array_equal(np.concatenate([labels, said]), before):
            break
        before = np.concatenate([labels, said])
        numbers = np.maximum(np.bincount(said, minlength=count), _FEW)
        each = (weight * len(rows) / count / numbers).astype(np.float32)
        sums = _sums(rows, labels, count) + _sums(fixed, said, count) * each[:, None]
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centroids = np.where(lengths > 1e-9, sums / np.maximum(lengths, 1e-9), centroids).astype(np.float32)
    return centroids


def _sums(rows: Floats, labels: np.ndarray, count: int) -> Floats:
    return np.stack([rows[labels == cluster].sum(axis=0, dtype=np.float32) for cluster in range(count)])


def _unit_cells(features: Floats) -> Floats:
    """The cells of a feature map (C, H, W) as unit vectors: (H, W, C); those that are not finite are empty."""
    cells = np.moveaxis(np.asarray(features, np.float32), 0, 2)
    return unit_rows(np.where(np.isfinite(cells).all(axis=2, keepdims=True), cells, np.float32(0)))


# Kept with a draft pack, for its training.


def save_corrections(pack: Path, left_out: Sequence[str], corrected: CorrectedPictures) -> None:
    """Keep with a draft pack what its training shall know of the pictures, if there is anything. Raises
    :class:`UserError`."""
    strokes = [stroke.to_document() for some in corrected.strokes.values() for stroke in some]
    path = pack / CORRECTIONS
    if left_out or strokes:
        document = {"left_out": list(left_out), "strokes": strokes}
        write_bytes(path, json_bytes(document), "the corrections")
    else:
        path.unlink(missing_ok=True)


def read_corrections(pack: Path, parts: int) -> tuple[tuple[str, ...], tuple[Correction, ...]]:
    """The pictures that a draft pack with so many ``parts`` was made without, and the strokes in the others."""
    document = read_json(pack / CORRECTIONS)
    left_out, strokes = document.get("left_out"), document.get("strokes")
    found = [Correction.from_document(line) for line in strokes] if isinstance(strokes, list) else []
    return (
        tuple(name for name in left_out if isinstance(name, str)) if isinstance(left_out, list) else (),
        tuple(one for one in found if one and (one.label is None or one.label < parts)),
    )
