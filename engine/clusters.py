"""Clusters: the three tiers of centroids found in the feature maps of a folder's pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine.errors import UserError
from engine.segmentation import Codebook

_ROWS: Final = 100_000
"""Feature rows a clustering sees at most; more do not move centroids."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Found:
    """Pictures with their feature maps: what a vocabulary is found in. ``classes[i]`` is the name of picture
    i's folder when the pictures are sorted into folders by kind, else empty."""

    files: tuple[Path, ...]
    features: tuple[Floats, ...]
    classes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Clusters:
    """A codebook and what to know about how well it was found: sizes, shares, sentences for people."""

    codebook: Codebook
    code_names: tuple[tuple[str, ...], ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)


def fit_codebook(
    found: Found,
    parts: int,
    codes: int,
    *,
    centroids: Floats | None = None,
    foreground: Floats | None = None,
    flip_background: bool = False,
    seed: int = 0,
) -> Clusters:
    """The three tiers of centroids.

    Foreground and background are told apart by two clusters, the background being the one that touches the
    borders more (or the other with ``flip_background``); parts are clusters of foreground rows; codes are
    clusters of the pictures' pooled part features, or the mean of each class. ``centroids`` (M, C) and
    ``foreground`` (2, C) replace the first two steps. All on normalised rows.
    Raises :class:`UserError` when there is too little to find so many parts in.
    """
    generator = np.random.default_rng(seed)
    rows = [_units(one.reshape(one.shape[0], -1).T) for one in found.features]
    metrics: dict[str, Any] = {"pictures": len(rows), "skipped": list(found.skipped)}
    if foreground is None:
        foreground = _split_background(found.features, rows, generator, flip_background)
    front = [
        one @ foreground[1] / _length(foreground[1]) > one @ foreground[0] / _length(foreground[0]) for one in rows
    ]
    metrics["foreground_share"] = float(np.mean(np.concatenate(front)))
    inside = np.concatenate([one[mask] for one, mask in zip(rows, front, strict=True)])
    if len(inside) < parts:
        raise UserError(
            "The pictures show nothing in front of their background.", "Flip the background, or add pictures."
        )
    if centroids is None:
        centroids = _distinct_clusters(_sample(inside, _ROWS, generator), parts, generator, metrics)
    book = Codebook(foreground, centroids, np.zeros((len(centroids), 1, rows[0].shape[1]), np.float32))
    maps = [(one, book.segment(one).labels) for one in found.features]
    pooled = np.stack([book.pooled(features, labels) for features, labels in maps])  # (N, M, C)
    if found.classes:
        kinds = sorted(set(found.classes))
        numbers = np.array([kinds.index(kind) for kind in found.classes])
        fine = _class_codes(pooled, numbers, len(kinds))
        names = (tuple(kinds),) * len(centroids)
    else:
        fine = np.stack([_clustered_codes(pooled[:, part], codes, generator) for part in range(len(centroids))])
        names = ()
    book = replace(book, codes=fine)
    metrics["codes_found"] = [int(one.any(axis=1).sum()) for one in fine]
    metrics["parts_share"] = [
        float(np.mean([np.mean(labels == m) for _, labels in maps])) for m in range(len(centroids))
    ]
    return Clusters(book, names, metrics)


def _split_background(
    maps: Sequence[Floats], rows: Sequence[Floats], generator: np.random.Generator, flip: bool
) -> Floats:
    """Background's then foreground's centroid: (2, C)."""
    two = _kmeans(_sample(np.concatenate(rows), _ROWS, generator), 2, generator)
    touching = np.zeros(2)
    for features, one in zip(maps, rows, strict=True):
        nearest = (one @ two.T).argmax(axis=1).reshape(features.shape[1:])
        edge = np.concatenate([nearest[0], nearest[-1], nearest[:, 0], nearest[:, -1]])
        for cluster in range(2):
            # Of all its cells, how many are at the border: a large background is not favoured by its size.
            touching[cluster] += (edge == cluster).sum() / max((nearest == cluster).sum(), 1)
    background = int(touching.argmax())
    order = [background, 1 - background]
    return two[order[::-1] if flip else order]


def _distinct_clusters(rows: Floats, count: int, generator: np.random.Generator, metrics: dict[str, Any]) -> Floats:
    """Clusters of rows; tells of those that are nearly the same, which a person may want to merge."""
    centroids = _kmeans(rows, count, generator)
    units = _units(centroids)
    like = units @ units.T - np.eye(count)
    metrics["alike"] = [[int(a), int(b)] for a, b in np.argwhere(np.triu(like) > 0.98)]
    return centroids


def _class_codes(pooled: Floats, kinds: npt.NDArray[np.int64], count: int) -> Floats:
    """Each class's mean part feature over its pictures that show the part: (M, K, C), zeros where none does."""
    _, parts, width = pooled.shape
    codes = np.zeros((parts, count, width), np.float32)
    for part in range(parts):
        shown = pooled[:, part].any(axis=1)
        for kind in range(count):
            members = pooled[(kinds == kind) & shown, part]
            if len(members):
                codes[part, kind] = members.mean(axis=0)
    return codes


def _clustered_codes(pooled: Floats, count: int, generator: np.random.Generator) -> Floats:
    """Clusters of the pictures' part features (N, C), largest first: (K, C), zeros where there are too few pictures."""
    shown = pooled[pooled.any(axis=1)]
    codes = np.zeros((count, pooled.shape[1]), np.float32)
    distinct = len(np.unique(shown.round(4), axis=0))
    if distinct:
        found = _kmeans(_units(shown), min(count, distinct), generator)
        sizes = np.bincount((_units(shown) @ _units(found).T).argmax(axis=1), minlength=len(found))
        codes[: len(found)] = found[np.argsort(-sizes, kind="stable")]
    return codes


def _kmeans(rows: Floats, count: int, generator: np.random.Generator) -> Floats:
    """k-means++ with restarts on unit rows (N, C): unit centroids (count, C)."""
    from sklearn.cluster import KMeans

    restarts = 4 if count <= 32 else 1
    fitted: Any = KMeans(
        count,
        n_init=restarts,  # type: ignore[arg-type]  # the stubs know only "auto"
        random_state=int(generator.integers(2**31)),
    ).fit(rows)
    return _units(fitted.cluster_centers_.astype(np.float32))


def _sample(rows: Floats, count: int, generator: np.random.Generator) -> Floats:
    return rows if len(rows) <= count else rows[np.sort(generator.choice(len(rows), count, replace=False))]


def _units(rows: Floats) -> Floats:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _length(row: Floats) -> float:
    return max(float(np.linalg.norm(row)), 1e-12)
