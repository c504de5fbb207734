"""Spherical k-means: centroids of unit rows, by cosine, on the processor or on the device the rows are on.

The way to them is nested (seeds and restarts on a small sample, then larger ones, then all rows) and the passes over
many rows are pruned: a row whose own centroid is surely still the nearest is not looked at. The bounds are Hamerly's
(2010) said in cosines: a centroid that moved by d changed its cosine with a unit row by at most d.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

ALIKE: Final = 0.98
"""Two centroids with a larger cosine are nearly the same."""

_CHUNK: Final = 2048
_GROWTH: Final = 5
_SAMPLE: Final = 8192
_SAMPLE_EACH: Final = 48
"""Rows of the first sample: so many at least, and so many a centroid."""
_TRIES: Final = 4
_FEW: Final = 32
"""Beginnings on a sample are cheap: so many for each restart where centroids are few, for then luck matters most."""
_SETTLED: Final = 2e-6
"""A pass that lifts the mean cosine by less than this share of what is missing to 1 is the last one. Earlier stages
are a tenth as accurate."""
_ROUGHLY: Final = 50.0
"""How much less accurate beginnings are before the best of them is chosen."""
_PASSES: Final = 100
_SLACK: Final = 2e-5
"""Bounds are wider by this, for sums in float32 round differently each time."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Clustering:
    """Centroids of rows.

    ``centroids`` are unit float32 (K, C), the largest cluster first; ``labels`` int64 (N,) the nearest centroid of each
    row; ``cosine`` the mean cosine of rows and their centroids. K is smaller than asked where there are fewer different
    rows. ``alike`` are pairs of centroids that are nearly the same."""

    centroids: Floats
    labels: npt.NDArray[np.int64]
    cosine: float
    alike: tuple[tuple[int, int], ...] = ()


def kmeans(rows: Floats | Tensor, count: int, *, seed: int = 0, restarts: int = 4) -> Clustering:
    """At most ``count`` centroids of unit rows, float32 (N, C), by k-means++ and Lloyd's passes.

    The best of ``restarts`` beginnings, judged on a sample, goes on to all rows. Empty clusters begin again at the row
    that fits worst. The same seed gives the same centroids on the same device. A tensor on a GPU is clustered there.
    Raises ``ValueError`` without rows or without a count.
    """
    data = torch.as_tensor(rows)
    if data.ndim != 2 or not len(data) or count < 1:
        raise ValueError(f"{tuple(data.shape)} rows cannot be put into {count} clusters")
    generator = np.random.default_rng(seed)
    first = max(_SAMPLE, _SAMPLE_EACH * count)
    order = torch.from_numpy(generator.permutation(len(data))).to(data.device)
    sizes = [len(data)]
    while sizes[0] > 2 * first:
        sizes.insert(0, max(first, sizes[0] // _GROWTH))
    sample = data if len(sizes) == 1 else data[order[: sizes[0]]]
    tries = max(1, restarts) * (_TRIES if len(sizes) > 1 and count <= _FEW else 1)
    begun = (_lloyd(sample, _seeds(sample, count, generator), _ROUGHLY) for _ in range(tries))
    best = max(begun, key=lambda state: state.cosine)
    for size in sizes:
        whole = size == len(data)
        best = _lloyd(data if whole else data[order[:size]], best.centroids, 1 if whole else 10)
    return _clustering_of(best)


@dataclass
class _State:
    """Where Lloyd's passes are: centroids (K, C), labels (N,), sums of members (K, C), the objective."""

    centroids: Tensor
    labels: Tensor
    sums: Tensor
    cosine: float = 0.0


def _seeds(rows: Tensor, count: int, generator: np.random.Generator) -> Tensor:
    """Greedy k-means++: each next seed is the best of a few rows drawn by how badly they fit so far."""
    trials = 2 + int(math.log(count))
    chosen = [int(generator.integers(len(rows)))]
    missing = (1 - rows @ rows[chosen[0]]).clamp_(min=0)
    while len(chosen) < count:
        total = torch.cumsum(missing.double(), 0)
        if total[-1] < 1e-6 * len(rows):  # every row is a seed's twin
            break
        draws = torch.from_numpy(generator.random(trials)).to(total) * total[-1]
        tried = torch.searchsorted(total, draws).clamp_(max=len(rows) - 1)
        left = torch.minimum(missing[None], (1 - rows[tried] @ rows.T).clamp_(min=0))
        best = int(left.sum(dim=1).argmin())
        chosen.append(int(tried[best]))
        missing = left[best]
    return rows[torch.tensor(chosen, device=rows.device)].clone()


def _lloyd(rows: Tensor, centroids: Tensor, roughly: float = 1.0) -> _State:
    """Passes over rows (N, C) until they settle, ``roughly`` times less accurately."""
    size, count = len(rows), len(centroids)
    device = rows.device
    state = _State(centroids, torch.full((size,), -1, device=device), torch.zeros_like(centroids))
    own = torch.full((size,), -torch.inf, device=device)  # at most the cosine with the own centroid
    other = torch.full((size,), torch.inf, device=device)  # at least the cosine with any other
    everything = torch.arange(size, device=device)
    active = everything
    for _ in range(_PASSES):
        for start in range(0, len(active), _CHUNK):
            which = active[start : start + _CHUNK]
            part = rows[start : start + _CHUNK] if len(active) == size else rows[which]
            _assign(state, part, which, own, other)
        lengths = torch.linalg.vector_norm(state.sums, dim=1)
        cosine = float(lengths.sum()) / size
        gain, state.cosine = cosine - state.cosine, cosine
        done = gain <= roughly * _SETTLED * (1 - cosine) + 1e-9
        alive = torch.bincount(state.labels, minlength=count) > 0
        again = done and _reseed(state, rows, own, alive)
        if done and not again:
            break
        moved = torch.where(alive[:, None], state.sums / lengths.clamp(min=1e-12)[:, None], state.centroids)
        far = torch.linalg.vector_norm(moved - state.centroids, dim=1)
        state.centroids = moved
        own -= far[state.labels]
        other += _farthest_other(far)[state.labels] if count > 1 else 0
        # A centroid that came from nowhere is in nobody's bounds.
        active = everything if again or count == 1 else (own < other + _SLACK).nonzero()[:, 0]
    return state


def _assign(state: _State, part: Tensor, which: Tensor, own: Tensor, other: Tensor) -> None:
    """Give rows ``part`` (their numbers: ``which``) to their nearest centroids; sums and bounds follow."""
    cosines = part @ state.centroids.T
    nearest, labels = cosines.max(dim=1)
    own[which] = nearest
    if cosines.shape[1] > 1:
        cosines.scatter_(1, labels[:, None], -torch.inf)
        other[which] = cosines.amax(dim=1)
    before = state.labels[which]
    changed = (labels != before).nonzero()[:, 0]
    if len(changed):
        fresh = part if len(changed) == len(part) else part[changed]
        _add(state.sums, fresh, labels[changed], 1.0)
        assigned = before[changed] >= 0
        if bool(assigned.any()):
            _add(state.sums, fresh[assigned], before[changed][assigned], -1.0)
        state.labels[which] = labels


def _add(sums: Tensor, rows: Tensor, labels: Tensor, sign: float) -> None:
    """Add rows to their clusters' sums; as a product on a GPU, where index_add_ has no fixed order."""
    if rows.is_cuda or len(sums) <= 32:
        picked = torch.zeros(len(sums), len(rows), dtype=rows.dtype, device=rows.device)
        picked.scatter_(0, labels[None], sign)
        sums.addmm_(picked, rows)
    else:
        sums.index_add_(0, labels, rows, alpha=sign)


def _farthest_other(far: Tensor) -> Tensor:
    """For each centroid, how far any other one moved at most: (K,)."""
    two = far.topk(2)
    result = two.values[0].expand(len(far)).clone()
    result[two.indices[0]] = two.values[1]
    return result


def _reseed(state: _State, rows: Tensor, own: Tensor, alive: Tensor) -> bool:
    """Start empty clusters again at the rows that fit worst; False if no cluster is empty, or every row fits."""
    fit = own.clone()
    started = False
    for cluster in (~alive).nonzero()[:, 0].tolist():
        worst = int(fit.argmin())
        if fit[worst] > 1 - 1e-4:
            break
        state.centroids[cluster] = rows[worst]
        fit = torch.maximum(fit, rows @ rows[worst])
        started = True
    return started


def _clustering_of(state: _State) -> Clustering:
    """Largest first, without empty clusters, as arrays."""
    sizes = torch.bincount(state.labels, minlength=len(state.centroids)).cpu().numpy()
    order = np.argsort(-sizes, kind="stable")[: int((sizes > 0).sum())]
    rank = np.full(len(sizes), -1, np.int64)
    rank[order] = np.arange(len(order))
    sums = state.sums.cpu().numpy()[order]
    centroids = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    likeness = np.triu(centroids @ centroids.T, 1)
    alike = tuple((int(first), int(second)) for first, second in np.argwhere(likeness > ALIKE))
    return Clustering(centroids, rank[state.labels.cpu().numpy()], state.cosine, alike)
