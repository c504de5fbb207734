"""Foreground of a folder of photographs: each picture's cut, and what all pictures together are of.

Each picture is cut for itself; clusters of all pictures' cells then vote, and each picture hears the others' votes, not
its own: a house that stands out in one picture is not what the folder is of. A few rounds settle it. Pictures are read
one after another, so thousands of them need no more memory than one, beside the masks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.packs.foreground import ForegroundVotes, PictureCells, centred_cells, rim_of, soft_members, without_specks
from engine.segmentation.codebook_fitting import NOTHING, BackgroundSplit, FeatureSample, draw_sample, unit_rows
from engine.segmentation.kmeans import kmeans
from engine.segmentation.side_by_side import side_by_side

_ROWS: Final = 30_000
_CLUSTERS: Final = (40, 80)
_CELLS_EACH: Final = 40
"""A cluster needs so many cells: small folders of small grids get fewer clusters."""
_PASSES: Final = 3
_TRUST: Final = 0.9
"""How much votes count against the cut where there are many pictures; with 4 pictures it is half of that."""
_FINAL: Final = 0.95
"""The same when votes are settled: by then they know the picture's own."""
_SOME: Final = 4
_USUAL: Final = 0.3
"""What is said of a cluster that no other picture shows, and how many pictures' votes that is worth."""
_USUAL_WEIGHT: Final = 1.0
_SEEN: Final = 0.01
"""A picture's say on a cluster is half of a whole vote at this share of its cells."""
_INNER: Final = 6
"""With fewer cells away from its outline, a picture has a say on parts with all of its foreground."""
_SHARE: Final = 0.06
"""A picture has a say on parts with so many of its cells at most: a portrait shall not count as ten small birds."""

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class FolderForeground:
    """The votes of a folder's pictures, and of each picture which cells are foreground: bool (H, W) each."""

    votes: ForegroundVotes
    masks: tuple[Bools, ...]

    def flipped(self) -> FolderForeground:
        """With background and foreground exchanged."""
        return FolderForeground(self.votes.flip(), tuple(~mask for mask in self.masks))


def fit_foreground(
    maps: Sequence[Floats], seed: int = 0, report: Callable[[int, int], None] = lambda _done, _total: None
) -> FolderForeground:
    """What is foreground in feature maps, float32 (C, H, W) each. ``report`` is told what is done of how much."""
    total = (_PASSES + 2) * len(maps)
    sample = draw_sample(maps, seed, _ROWS)
    few, many = _CLUSTERS
    count = min(max(few, min(many, len(maps))), max(2, len(sample.rows) // _CELLS_EACH))
    votes = ForegroundVotes(
        (centroids := kmeans(sample.rows, count, seed=seed, restarts=1).centroids),
        np.full(len(centroids), _USUAL, np.float32),
        _TRUST * len(maps) / (len(maps) + _SOME),
    )
    tally = _Tally(len(maps), len(centroids))
    cuts: list[Floats] = []

    def first_look(index: int) -> tuple[Floats, _Shown]:
        picture = PictureCells(maps[index])
        cut = picture.cut()
        return cut, _Shown.of(soft_members(picture.rows, centroids), cut)

    for index, (cut, shown) in enumerate(side_by_side(first_look, len(maps))):
        report(index, total)
        cuts.append(cut)
        tally.take(index, shown)
    for turn in range(1, _PASSES + 1):
        said = tally.copy()

        def look_again(index: int, said: _Tally = said) -> _Shown:
            picture = PictureCells(maps[index])
            members = soft_members(picture.rows, centroids)
            beliefs = picture.settled(members @ said.shares(without=index), cuts[index], votes.weight)
            return _Shown.of(members, picture.coarse(without_specks(beliefs > 0.5)))

        for index, shown in enumerate(side_by_side(look_again, len(maps))):
            report(turn * len(maps) + index, total)
            tally.take(index, shown)
    final = replace(votes, shares=tally.shares(), weight=_FINAL * len(maps) / (len(maps) + _SOME))
    masks = masks_of(maps, final, lambda done: report(total - len(maps) + done, total), cuts)
    if 2 * sum(mask.any() for mask in masks) < len(maps):
        # They have nothing in common that votes could tell: each has what stands out in it.
        final = replace(final, weight=0.0)
        masks = masks_of(maps, final, lambda done: report(total - len(maps) + done, total), cuts)
    return FolderForeground(final, masks)


def masks_of(
    maps: Sequence[Floats],
    votes: ForegroundVotes,
    report: Callable[[int], None] = lambda _done: None,
    cuts: Sequence[Floats] = (),
) -> tuple[Bools, ...]:
    """Which cells of feature maps, float32 (C, H, W) each, are foreground by these votes: bool (H, W) each.
    ``cuts`` are the pictures' own opinions (:meth:`PictureCells.cut`), where they are known."""
    masks = []
    for index, mask in enumerate(
        side_by_side(lambda index: votes.foreground(maps[index], cuts[index] if cuts else None), len(maps))
    ):
        report(index)
        masks.append(mask)
    return tuple(masks)


def split_by_masks(
    maps: Sequence[Floats], sample: FeatureSample, found: FolderForeground
) -> tuple[FeatureSample, BackgroundSplit]:
    """A sample of feature maps with its rows centred as masks have the foreground (:func:`centred_cells`). Parts are
    fitted without the rims, where features are of both sides. Raises :class:`UserError` if no picture has a foreground.
    """
    if not any(mask.any() for mask in found.masks):
        raise NOTHING
    front = np.zeros(len(sample.rows), np.bool_)
    left_out = np.zeros(len(sample.rows), np.bool_)
    generator = np.random.default_rng(0)
    rows = np.empty_like(sample.rows)
    alike = [likeness_of_sides(maps[index], mask) for index, mask in enumerate(found.masks) if 0 < mask.mean() < 1]
    for index, mask in enumerate(found.masks):
        # The rows of a picture follow each other: the sample was drawn picture by picture.
        first, last = np.searchsorted(sample.picture, (index, index + 1))
        cells = sample.cell[first:last]
        front[first:last] = mask.reshape(-1)[cells]
        inner = mask & ~rim_of(mask)
        chosen = np.flatnonzero((inner if inner.sum() >= _INNER else mask).reshape(-1)[cells])
        chosen = generator.permutation(chosen)[: max(_INNER, int(_SHARE * mask.size))]
        left_out[first:last] = True
        left_out[first + chosen] = False
        rows[first:last] = centred_cells(maps[index], mask).reshape(mask.size, -1)[cells]
    means = np.stack([sample.rows[side].mean(axis=0) if side.any() else rows[0] * 0 for side in (~front, front)])
    centroids = unit_rows(means)
    touching = [float(sample.edge[side].mean()) if side.any() else 0.0 for side in (~front, front)]
    split = BackgroundSplit(
        centroids,
        front,
        abs(touching[0] - touching[1]) / max(sum(touching), 1e-12),
        float(np.median(alike)) if alike else 1.0,
        found.votes,
        sum(not mask.any() for mask in found.masks),
    )
    return replace(sample, rows=rows, left_out=left_out), split


def likeness_of_sides(features: Floats, mask: Bools) -> float:
    """The cosine between what the foreground (H, W) of a feature map, float32 (C, H, W), looks like on average and what
    the rest does. Of 100 photographs of animals half have less than .3 and nine of ten less than .45; of text and of
    textures half have more than .83."""
    units = unit_rows(np.moveaxis(np.asarray(features, np.float32), 0, 2).reshape(mask.size, -1))
    front = mask.reshape(-1)
    sides = unit_rows(np.stack([units[front].mean(axis=0), units[~front].mean(axis=0)]))
    return float(sides[0] @ sides[1])


@dataclass(frozen=True, eq=False)
class _Shown:
    """How much of a picture is of each cluster (K,), and how much of that is foreground (K,)."""

    cells: Floats
    front: Floats

    @classmethod
    def of(cls, members: Floats, front: Floats) -> _Shown:
        """From how much its cells are of each cluster (N, K), and of the foreground (N,)."""
        return cls(members.sum(axis=0), front @ members)


class _Tally:
    """How many cells each picture has in each cluster, and how many of them are foreground: (pictures, clusters)."""

    def __init__(self, pictures: int, clusters: int) -> None:
        self._cells = np.zeros((pictures, clusters))
        self._front = np.zeros((pictures, clusters))

    def copy(self) -> _Tally:
        copied = _Tally(*self._cells.shape)
        copied._cells[:], copied._front[:] = self._cells, self._front
        return copied

    def take(self, picture: int, shown: _Shown) -> None:
        """What a picture shows, instead of what it showed before."""
        self._cells[picture], self._front[picture] = shown.cells, shown.front

    def shares(self, without: int | None = None) -> Floats:
        """How much of each cluster is foreground, 0 to 1: (K,). Pictures have a say by what they show of it, large ones
        hardly more than small ones; one may be left out."""
        some = _SEEN * np.maximum(self._cells.sum(axis=1, keepdims=True), 1)
        weight = 1 / (self._cells + some)
        if without is not None:
            weight[without] = 0
        front, cells = (self._front * weight).sum(axis=0), (self._cells * weight).sum(axis=0)
        return ((front + _USUAL_WEIGHT * _USUAL) / (cells + _USUAL_WEIGHT)).astype(np.float32)
