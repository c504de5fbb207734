"""The foreground of one picture: what stands out in it, corrected by what is foreground in the other pictures.

Two voices are heard. A normalised cut of the picture's own cells (TokenCut, arXiv 2202.11539) says what stands out,
be it the animal or the branch it sits on. Clusters of the cells of all pictures vote (after Amir et al., arXiv
2112.05814): what is in front in many pictures is what the pictures are of. Cells of a picture that look alike then
settle together, so that an object is in front as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.core.errors import UserError

VOTE_SPREAD: Final = 0.05
"""How much nearer, as a cosine, a cluster must be to count e times as much."""

_FEW_AFFINITY: Final = 1e-5
_STEPS: Final = 40
_MOST_CELLS: Final = 1600
"""A finer grid is made coarser before it is cut: the affinities are as many as its cells squared."""
_NEIGHBOURS: Final = 12
_SHARPNESS: Final = 0.1
_ROUNDS: Final = 12
_HEARD: Final = 0.8
"""How much of its neighbours' opinion a cell takes over in each round."""
_SPECK: Final = 3
_SPECK_SHARE: Final = 0.05
"""Pieces of fewer cells than both, this many and this share of the largest, are no objects."""

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ForegroundVotes:
    """What clusters of cells say about foreground: unit centroids float32 (K, C); ``shares`` (K,), how much of each is
    foreground, 0 to 1; ``weight``, how much they count against a picture's own cut, 0 to 1 (more for more pictures).
    With ``flipped``, foreground and background are exchanged in the end. Raises :class:`UserError` on construction if
    shapes or values do not fit together."""

    centroids: Floats
    shares: Floats
    weight: float
    flipped: bool = False

    def __post_init__(self) -> None:
        fits = self.centroids.ndim == 2 and len(self.centroids) and self.shares.shape == self.centroids.shape[:1]
        if not fits or not (np.isfinite(self.centroids).all() and np.isfinite(self.shares).all()):
            raise UserError("The codebook's votes are damaged.", "Get the pack again, or remove it.")

    def flip(self) -> ForegroundVotes:
        """With foreground and background exchanged."""
        return replace(self, flipped=not self.flipped)

    def of(self, rows: Floats) -> Floats:
        """The vote on unit rows (N, C): (N,), 0 to 1."""
        return soft_members(rows, self.centroids) @ self.shares

    def beliefs(self, features: Floats, cut: Floats | None = None) -> Floats:
        """How surely each cell of a feature map, float32 (C, H, W), is foreground: (H, W), 0 to 1. ``cut`` is the
        picture's own opinion, if that is known."""
        picture = PictureCells(features)
        beliefs = picture.settled(self.of(picture.rows), picture.cut() if cut is None else cut, self.weight)
        return 1 - beliefs if self.flipped else beliefs

    def foreground(self, features: Floats, cut: Floats | None = None) -> Bools:
        """Which cells of a feature map, float32 (C, H, W), are foreground: (H, W). Several objects, or none."""
        return self.decided(self.beliefs(features, cut))

    def decided(self, beliefs: Floats) -> Bools:
        """Which cells are foreground by their beliefs: (H, W)."""
        return ~without_specks(beliefs < 0.5) if self.flipped else without_specks(beliefs > 0.5)


class PictureCells:
    """The cells of one feature map, float32 (C, H, W), and how alike they are."""

    def __init__(self, features: Floats) -> None:
        self.shape: tuple[int, int] = features.shape[1:]
        fine = np.moveaxis(np.asarray(features, np.float32), 0, 2)
        fine = np.where(np.isfinite(fine).all(axis=2, keepdims=True), fine, np.float32(0))
        self.step = 1
        while -(-self.shape[0] // self.step) * -(-self.shape[1] // self.step) > _MOST_CELLS:
            self.step += 1
        if self.step > 1:
            fine = _coarser(fine, self.step)
        self.grid: tuple[int, int] = fine.shape[:2]
        rows = fine.reshape(-1, fine.shape[2])
        self.rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        self._likeness = self.rows @ self.rows.T

    def cut(self) -> Floats:
        """The picture's own opinion: 1 for the cells of the side of its normalised cut that stands out, else 0: (N,).

        Cells are tied if they are more alike than the picture's cells are on average. The side with the strongest cell
        stands out, unless it holds most of the border.
        """
        likeness = self._likeness
        if len(likeness) < 3 or float(likeness.max() - likeness.min()) < 1e-4:
            return np.zeros(len(likeness), np.float32)
        ties = np.where(likeness > likeness.mean(), np.float32(1), np.float32(_FEW_AFFINITY))
        second = _second_eigenvector(ties)
        side = second > second.mean()
        if not side[np.abs(second).argmax()]:
            side = ~side
        edge = _border(self.grid).reshape(-1)
        return (~side if side[edge].mean() > 0.5 else side).astype(np.float32)

    def settled(self, votes: Floats, cut: Floats, weight: float) -> Floats:
        """What cells agree on after hearing those most like them: (H, W), 0 to 1; ``votes`` and ``cut`` are (N,)."""
        own = weight * votes + (1 - weight) * cut
        beliefs = own
        ties = self._ties()
        for _ in range(_ROUNDS if len(own) > 1 else 0):
            beliefs = _HEARD * (ties @ beliefs) + (1 - _HEARD) * own
        fine = beliefs.reshape(self.grid).repeat(self.step, axis=0).repeat(self.step, axis=1)
        return np.ascontiguousarray(fine[: self.shape[0], : self.shape[1]], np.float32)

    def coarse(self, fine: Bools) -> Floats:
        """A mask (H, W) on the grid that is voted on: (N,), the share of each cell."""
        values = fine[..., None].astype(np.float32)
        return (values if self.step == 1 else _coarser(values, self.step)).reshape(-1)

    def _ties(self) -> Floats:
        """Weights (N, N), rows that add up to one, of each cell's nearest neighbours in likeness."""
        near = self._likeness.copy()
        np.fill_diagonal(near, -1)
        count = min(_NEIGHBOURS, len(near) - 1)
        least = np.partition(near, -count, axis=1)[:, -count] if count > 0 else np.full(len(near), -1.0, np.float32)
        ties = np.exp((near - 1) / _SHARPNESS) * (near >= np.minimum(least[:, None], least))
        return ties / np.maximum(ties.sum(axis=1, keepdims=True), 1e-12)


def soft_members(rows: Floats, centroids: Floats) -> Floats:
    """How much each unit row (N, C) belongs to each unit centroid (K, C): (N, K), rows add up to one."""
    likeness = rows @ centroids.T
    weights = np.exp((likeness - likeness.max(axis=1, keepdims=True)) / np.float32(VOTE_SPREAD))
    return weights / weights.sum(axis=1, keepdims=True)


def without_specks(mask: Bools) -> Bools:
    """A mask (H, W) without pieces far smaller than its largest one."""
    pieces = pieces_of(mask)
    names, sizes = np.unique(pieces[mask], return_counts=True)
    if not len(names):
        return mask
    least = min(sizes.max(), max(_SPECK, _SPECK_SHARE * sizes.max()))
    return mask & np.isin(pieces, names[sizes >= least])


def centred_cells(features: Floats, mask: Bools) -> Floats:
    """What is left of the cells of a feature map, float32 (C, H, W), without what its foreground (H, W) has in common:
    (H, W, C), length one. Each is the mean of the foreground around it, three cells wide: one cell tells little of
    where on a body it is. Without any foreground the cells are as they are."""
    cells = np.moveaxis(np.asarray(features, np.float32), 0, 2)
    cells = np.where(np.isfinite(cells).all(axis=2, keepdims=True), cells, np.float32(0))
    units = cells / np.maximum(np.linalg.norm(cells, axis=2, keepdims=True), 1e-12)
    if not mask.any():
        return units
    units = units - units[mask].mean(axis=0)
    front = np.pad(units * mask[..., None], ((1, 1), (1, 1), (0, 0)))
    near = np.add.reduce([front[y : y + mask.shape[0], x : x + mask.shape[1]] for y in range(3) for x in range(3)])
    near[~near.any(axis=2)] = units[~near.any(axis=2)]
    return np.asarray(near / np.maximum(np.linalg.norm(near, axis=2, keepdims=True), 1e-12), np.float32)


def rim_of(mask: Bools) -> Bools:
    """The cells of a mask (H, W) beside cells that are not of it; the picture's border is no rim."""
    around = np.pad(mask, 1, constant_values=True)
    inner = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    return mask & ~inner


def _second_eigenvector(ties: Floats) -> Floats:
    """Of the generalised problem (D - W) x = l D x: the one of the second smallest eigenvalue, (N,), by Lanczos' steps
    away from the first, which is known."""
    root = np.sqrt(ties.sum(axis=1, dtype=np.float64))
    scaled = ties / np.outer(root, root).astype(np.float32)
    first = root / np.linalg.norm(root)
    vector = np.random.default_rng(0).standard_normal(len(ties))
    basis, diagonal, beside = [first], [], []
    for _ in range(min(_STEPS, len(ties) - 1)):
        known = np.array(basis)
        for _ in range(2):  # once is not enough: rounding brings the first one back
            vector = vector - known.T @ (known @ vector)
        length = np.linalg.norm(vector)
        if length < 1e-6:
            break
        beside.append(length)
        basis.append(vector / length)
        vector = scaled @ basis[-1].astype(np.float32)
        diagonal.append(float(basis[-1] @ vector))
    small = np.diag(diagonal) + np.diag(beside[1:], 1) + np.diag(beside[1:], -1)
    weights = np.linalg.eigh(small)[1][:, -1]
    return (np.array(basis[1:]).T @ weights / root).astype(np.float32)


def _border(shape: tuple[int, int]) -> Bools:
    edge = np.ones(shape, np.bool_)
    edge[1:-1, 1:-1] = False
    return edge


def _coarser(cells: Floats, step: int) -> Floats:
    """Means of ``step`` by ``step`` cells (H, W, C); the last ones are repeated where they do not fill a square."""
    height, width = cells.shape[:2]
    padded = np.pad(cells, ((0, -height % step), (0, -width % step), (0, 0)), mode="edge")
    squares = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step, -1)
    return np.asarray(squares.mean(axis=(1, 3)), np.float32)


def pieces_of(mask: Bools) -> npt.NDArray[np.int64]:
    """A name for each cell of a mask (H, W) that all cells of its connected piece share; 0 outside."""
    names = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:
        around = np.pad(names, 1)
        grown = (
            np.maximum.reduce([around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:], names]) * mask
        )
        # A name's cell knows a larger name if it was reached: following it at once makes long pieces quick.
        grown = np.where(mask, np.maximum(grown, np.append(0, grown.reshape(-1))[grown]), 0)
        if (grown == names).all():
            return names
        names = grown
