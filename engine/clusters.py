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
_ALIKE: Final = 0.98

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Found:
    """Pictures with their feature maps: what a vocabulary is found in.

    ``features[i]`` is float32 (C, H, W); it may be read from disk each time, for thousands do not fit into memory.
    ``classes[i]`` is the name of picture i's folder when the pictures are sorted into folders by kind, else empty.
    """

    files: tuple[Path, ...]
    features: Sequence[Floats]
    classes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Clusters:
    """A codebook and what to know about how well it was found: sizes, shares, sentences for people."""

    codebook: Codebook
    code_names: tuple[tuple[str, ...], ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)


def fit_codebook(found: Found, parts: int, codes: int, *, flip_background: bool = False, seed: int = 0) -> Clusters:
    """The three tiers of centroids.

    Foreground and background are told apart by two clusters, the background being the one that touches the
    borders more (or the other with ``flip_background``); parts are clusters of foreground rows; codes are
    clusters of the pictures' pooled part features, or the mean of each class. All on normalised rows, of which
    each picture gives an equal share. Raises :class:`UserError` when there is too little to find so many parts in.
    """
    generator = np.random.default_rng(seed)
    share = max(1, _ROWS // len(found.features))
    foreground = _split_background(found.features, share, generator, flip_background)
    front = []
    for features in found.features:
        rows = _rows(features)
        front.append(_sample(rows[(rows @ foreground.T).argmax(axis=1) == 1], share, generator))
    inside = np.concatenate(front)
    if len(inside) < parts:
        raise UserError(
            "The pictures show nothing in front of their background.", "Flip the background, or add pictures."
        )
    centroids = _kmeans(inside, parts, generator)
    book = Codebook(foreground, centroids, np.zeros((parts, 1, centroids.shape[1]), np.float32))
    pooled = np.zeros((len(found.features), parts, centroids.shape[1]), np.float32)
    covered = np.zeros((len(found.features), parts))
    for index, features in enumerate(found.features):
        labels = book.segment(features).labels
        pooled[index] = book.pooled(features, labels)
        covered[index] = np.bincount(labels.ravel(), minlength=parts)[:parts] / labels.size
    if found.classes:
        kinds = sorted(set(found.classes))
        numbers = np.array([kinds.index(kind) for kind in found.classes])
        fine = _class_codes(pooled, numbers, len(kinds))
        names = (tuple(kinds),) * parts
    else:
        fine = np.stack([_clustered_codes(pooled[:, part], codes, generator) for part in range(parts)])
        names = ()
    metrics = {
        "pictures": len(found.features),
        "skipped": list(found.skipped),
        "foreground_share": float(covered.sum(axis=1).mean()),
        "parts_share": covered.mean(axis=0).tolist(),
        "alike": _alike(centroids),
        "codes_found": [int(one.any(axis=1).sum()) for one in fine],
    }
    return Clusters(replace(book, codes=fine), names, metrics)


def _split_background(maps: Sequence[Floats], share: int, generator: np.random.Generator, flip: bool) -> Floats:
    """Background's then foreground's unit centroid: (2, C)."""
    two = _kmeans(np.concatenate([_sample(_rows(features), share, generator) for features in maps]), 2, generator)
    touching = np.zeros(2)
    for features in maps:
        nearest = (_rows(features) @ two.T).argmax(axis=1).reshape(features.shape[1:])
        edge = np.concatenate([nearest[0], nearest[-1], nearest[:, 0], nearest[:, -1]])
        for cluster in range(2):
            # Of all its cells, how many are at the border: a large background is not favoured by its size.
            touching[cluster] += (edge == cluster).sum() / max((nearest == cluster).sum(), 1)
    background = int(touching.argmax())
    order = [background, 1 - background]
    return two[order[::-1] if flip else order]


def _alike(centroids: Floats) -> list[list[int]]:
    """Pairs of parts that are nearly the same (unit rows (M, C)), which a person may want to merge."""
    cosines = np.triu(centroids @ centroids.T, 1)
    return [[int(one), int(other)] for one, other in np.argwhere(cosines > _ALIKE)]


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


def _rows(features: Floats) -> Floats:
    """A feature map (C, H, W) as unit rows (H W, C)."""
    return _units(features.reshape(features.shape[0], -1).T)
