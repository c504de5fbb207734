"""Codebook fitting: the three tiers of centroids found in the feature maps of a folder's pictures.

Everything up to the parts is found in one :class:`FeatureSample` of unit rows, of which each picture gives an equal
share, so that asking for another number of parts reads nothing again. Codes are found in all pictures, one after
another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from engine.core.errors import UserError
from engine.core.vocabulary import ABSENT
from engine.packs.codebook import Codebook
from engine.packs.foreground import ForegroundVotes
from engine.segmentation.feature_cache import FeatureMaps, PictureFeatures
from engine.segmentation.kmeans import ALIKE, Clustering, kmeans
from engine.segmentation.side_by_side import side_by_side

ROWS: Final = 100_000
"""Feature rows a clustering sees at most; more do not move centroids."""

_MANY: Final = 32
"""More clusters than this begin once only: a bad seed among so many costs little."""

NOTHING: Final = UserError(
    "The pictures show nothing in front of their background.", "Flip the background, or choose other pictures."
)

Floats = npt.NDArray[np.float32]
_Float = TypeVar("_Float", bound=np.floating)
Bools = npt.NDArray[np.bool_]

Ints = npt.NDArray[np.int64]
LabelsOf = Callable[[int, Codebook, Floats], npt.NDArray[np.uint8]]


@dataclass(frozen=True, eq=False)
class FeatureSample:
    """Unit rows (N, C) from all pictures; for each the number of its picture, which of its cells it is, and whether it
    lay at the border; and whether parts are to be fitted without it (``left_out``; None: all count)."""

    rows: Floats
    picture: Ints
    cell: Ints
    edge: Bools
    left_out: Bools | None = None


@dataclass(frozen=True, eq=False)
class BackgroundSplit:
    """Background's then foreground's unit centroid (2, C); which rows of the sample are foreground (N,); how sure the
    guess is which of the two is background, 0 (as good as the other) to 1; the cosine of the two centroids. Of
    photographs also the votes, and how many pictures show nothing."""

    centroids: Floats
    front: Bools
    confidence: float
    likeness: float
    votes: ForegroundVotes | None = None
    empty: int = 0

    def flipped(self) -> BackgroundSplit:
        """With background and foreground exchanged."""
        return replace(self, centroids=self.centroids[::-1].copy(), front=~self.front)


@dataclass(frozen=True, eq=False)
class PartClusters:
    """Parts of a sample's foreground: unit centroids (M, C), the clusters each is made of, which of them belong to the
    background, the share of all rows that each covers, pairs that are nearly the same, and parts in one piece."""

    centroids: Floats
    members: tuple[tuple[int, ...], ...]
    background: tuple[bool, ...]
    shares: tuple[float, ...]
    alike: tuple[tuple[int, int], ...]
    clusters: Floats | None = None
    in_one_piece: tuple[int, ...] = ()

    def codebook(self, split: BackgroundSplit, codes: Floats, background: Sequence[bool]) -> Codebook:
        """The codebook of these parts, of which the first that is given to the background takes its cells."""
        part = next((part for part, is_background in enumerate(background) if is_background), None)
        if not split.votes:
            return Codebook(split.centroids, self.centroids, codes, part)
        centred = self.clusters, self.members, self.in_one_piece
        return Codebook(split.centroids, self.centroids, codes, part, split.votes, *centred)


@dataclass(frozen=True, eq=False)
class PartCodes:
    """Code centroids (M, K, C); the mean feature of each part of each picture, float32 (N, M, C), zeros where it shows
    none; and the code of each, int (N, M), ``ABSENT`` where there is none."""

    centroids: Floats
    pooled: Floats
    codes: Ints


@dataclass(frozen=True, eq=False)
class FittedCodebook:
    """A codebook and what to know about how well it was found: sizes, shares, sentences for people."""

    codebook: Codebook
    parts: PartClusters
    codes: PartCodes
    kinds: tuple[str, ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)


def draw_sample(maps: Sequence[Floats], seed: int = 0, limit: int = ROWS) -> FeatureSample:
    """An equal share of cells of each feature map (C, H, W), ``limit`` in all."""
    generator = np.random.default_rng(seed)
    share = max(1, limit // len(maps))
    rows, pictures, places, edges = [], [], [], []
    for index in range(len(maps)):
        cells = maps.cells(index) if isinstance(maps, FeatureMaps) else np.moveaxis(maps[index], 0, 2)
        height, width, channels = cells.shape
        count = height * width
        chosen = np.arange(count) if count <= share else np.sort(generator.choice(count, share, replace=False))
        y, x = chosen // width, chosen % width
        rows.append(unit_rows(np.asarray(cells.reshape(count, channels)[chosen], np.float32)))
        pictures.append(np.full(len(chosen), index))
        places.append(chosen)
        edges.append((y == 0) | (y == height - 1) | (x == 0) | (x == width - 1))
    return FeatureSample(*(np.concatenate(column) for column in (rows, pictures, places, edges)))


def split_background(sample: FeatureSample, seed: int = 0) -> BackgroundSplit:
    """Two clusters; the one of whose cells more lie at the border is the background. Raises :class:`UserError` if
    all rows are the same."""
    two = kmeans(sample.rows, 2, seed=seed)
    if len(two.centroids) < 2:
        raise NOTHING
    # Of all its cells, how many are at the border: a large background is not favoured by its size.
    touching = np.array([sample.edge[two.labels == cluster].mean() for cluster in (0, 1)])
    background = int(touching.argmax())
    centroids = two.centroids[[background, 1 - background]]
    confidence = float(abs(touching[0] - touching[1]) / max(touching.sum(), 1e-12))
    return BackgroundSplit(centroids, two.labels != background, confidence, float(centroids[0] @ centroids[1]))


def cluster_foreground(sample: FeatureSample, split: BackgroundSplit, count: int, seed: int = 0) -> Clustering:
    """At most ``count`` clusters of the foreground's rows, found without those left out. Raises :class:`UserError` if
    nothing is in front."""
    inside = sample.rows[split.front]
    if not len(inside):
        raise NOTHING
    if sample.left_out is None or not (inner := ~sample.left_out[split.front]).any():
        return kmeans(inside, count, seed=seed)
    found = kmeans(inside[inner], count, seed=seed)
    labels = (inside @ found.centroids.T).argmax(axis=1)
    order = np.argsort(-np.bincount(labels, minlength=len(found.centroids)), kind="stable")
    return Clustering(found.centroids[order], np.argsort(order)[labels], found.cosine)


def arrange_parts(
    sample: FeatureSample,
    split: BackgroundSplit,
    clustering: Clustering,
    merged: Sequence[Sequence[int]] = (),
    dropped: Sequence[int] = (),
) -> PartClusters:
    """Parts of clusters: some taken together (``merged`` are groups), some given to the background (a part with a
    cluster of ``dropped``). Raises :class:`UserError` for clusters that are not there.
    """
    count = len(clustering.centroids)
    members = _groups(count, merged, dropped)
    part_of = np.empty(count, np.int64)
    for part, group in enumerate(members):
        part_of[list(group)] = part
    labels = part_of[clustering.labels]
    centroids = clustering.centroids
    if len(members) < count:  # a part of several clusters is where all their rows are
        inside = sample.rows[split.front]
        centroids = unit_rows(np.stack([inside[labels == part].mean(axis=0) for part in range(len(members))]))
    covered = np.bincount(labels, minlength=len(members)) / len(sample.rows)
    background = tuple(any(cluster in dropped for cluster in group) for group in members)
    return PartClusters(
        centroids, members, background, tuple(covered.tolist()), alike_parts(centroids), clustering.centroids
    )


def pool_and_fit_codes(
    pictures: PictureFeatures,
    book: Codebook,
    background: Sequence[bool],
    count: int,
    seed: int,
    report: Callable[[int], None],
    labels_of: LabelsOf | None = None,
) -> PartCodes:
    """The codes of each part: the mean of each kind's pictures if the pictures are sorted, else clusters of the
    pictures' mean part features. Parts of the background are clustered in any
    case. ``report`` is told each picture's number. ``labels_of`` says which part each cell of a picture is, if that is
    not as the codebook has it.
    """
    kinds = kinds_in(pictures)
    code_count = len(kinds) or count
    numbers = np.array([kinds.index(kind) if kind in kinds else ABSENT for kind in pictures.classes], np.int64)
    shape = len(book.parts), book.parts.shape[1]
    pooled = np.zeros((len(pictures.features), *shape), np.float32)

    def pool(index: int) -> Floats:
        features = pictures.features[index]
        labels = labels_of(index, book, features) if labels_of else book.segment(features).labels
        return book.pooled(features, labels)

    for index, means in enumerate(side_by_side(pool, len(pooled))):
        report(index)
        pooled[index] = means
    centroids = np.zeros((shape[0], code_count, shape[1]), np.float32)
    for part in range(shape[0]):
        if kinds and not background[part]:
            centroids[part] = _class_codes(pooled[:, part], numbers, code_count)
        else:
            centroids[part] = _clustered_codes(pooled[:, part], code_count, seed + part)
    coded = replace(book, codes=centroids)
    codes = np.array(
        [[coded.code_of(part, picture[part]) for part in range(shape[0])] for picture in pooled], np.int64
    ).reshape(len(pooled), shape[0])
    for part in range(shape[0]) if kinds else ():
        if not background[part]:  # the folder knows better than the nearest centroid
            labelled = (codes[:, part] != ABSENT) & (numbers != ABSENT)
            codes[labelled, part] = numbers[labelled]
    return PartCodes(centroids, pooled, codes)


def fit_codes(
    pictures: PictureFeatures,
    split: BackgroundSplit,
    tier: PartClusters,
    count: int,
    background: Sequence[bool],
    seed: int = 0,
    report: Callable[[int], None] = lambda _index: None,
    labels_of: LabelsOf | None = None,
) -> FittedCodebook:
    """The third tier of a codebook, on the two that were found."""
    empty = np.zeros((len(tier.centroids), 1, tier.centroids.shape[1]), np.float32)
    book = tier.codebook(split, empty, background)
    codes = pool_and_fit_codes(pictures, book, background, count, seed, report, labels_of)
    metrics = {
        "pictures": len(pictures.features),
        "skipped": list(pictures.skipped),
        "notes": list(pictures.notes),
        "foreground_share": float(split.front.mean()),
        "foreground_confidence": split.confidence,
        **({"without_object": split.empty} if split.votes else {}),
        "parts_share": list(tier.shares),
        "alike": [list(pair) for pair in tier.alike],
        "codes_found": [int(rows.any(axis=1).sum()) for rows in codes.centroids],
    }
    return FittedCodebook(replace(book, codes=codes.centroids), tier, codes, kinds_in(pictures), metrics)


def kinds_in(pictures: PictureFeatures) -> tuple[str, ...]:
    """The kinds that pictures are sorted into, by name; none if they are not, or all are of one kind."""
    kinds = tuple(sorted({kind for kind in pictures.classes if kind}))
    return kinds if len(kinds) > 1 else ()


def alike_parts(centroids: Floats) -> tuple[tuple[int, int], ...]:
    """Pairs of parts that are nearly the same (unit rows (M, C)), which a person may want to merge."""
    cosines = np.triu(centroids @ centroids.T, 1)
    return tuple((int(part), int(other)) for part, other in np.argwhere(cosines > ALIKE))


def unit_rows(rows: npt.NDArray[_Float]) -> npt.NDArray[_Float]:
    """Rows (..., C) scaled to length one, in their own precision; empty ones stay empty."""
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12).astype(rows.dtype)


def _groups(count: int, merged: Sequence[Sequence[int]], dropped: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """The clusters of each part, parts in the order of their first cluster. Raises :class:`UserError`."""
    if any(not 0 <= cluster < count for cluster in (*dropped, *(cluster for group in merged for cluster in group))):
        raise UserError(f"There are only {count} clusters to merge or drop.", "Find the parts again, then choose.")
    group_of = list(range(count))
    for group in merged:
        joined = {group_of[cluster] for cluster in group}
        group_of = [min(joined) if cluster in joined else cluster for cluster in group_of]
    return tuple(
        tuple(cluster for cluster in range(count) if group_of[cluster] == leader)
        for leader in range(count)
        if leader in group_of
    )


def _class_codes(pooled: Floats, numbers: Ints, count: int) -> Floats:
    """Each kind's mean part feature over its pictures that show the part: (K, C), zeros where none does."""
    codes = np.zeros((count, pooled.shape[1]), np.float32)
    shown = pooled.any(axis=1)
    for kind in range(count):
        members = pooled[(numbers == kind) & shown]
        if len(members):
            codes[kind] = members.mean(axis=0)
    return codes


def _clustered_codes(pooled: Floats, count: int, seed: int) -> Floats:
    """Clusters of the pictures' part features (N, C), largest first: (K, C), zeros where there are too few pictures."""
    shown = unit_rows(pooled[pooled.any(axis=1)])
    codes = np.zeros((count, pooled.shape[1]), np.float32)
    if len(shown):
        centroids = kmeans(shown, count, seed=seed, restarts=4 if count <= _MANY else 1).centroids
        codes[: len(centroids)] = centroids
    return codes
