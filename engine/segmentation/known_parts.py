"""Parts that are known beforehand: where heads, bodies, wings, tails and legs are, as any eyes see them.

The starter pack's references are drawings whose parts are exactly known. Seen with the eyes that look at a folder, and
centred as its pictures are, the mean of what lies on a part is a prototype of that part: centring takes out that they
are drawings, and that they are birds. Where prototypes explain a folder's foreground nearly as well as clusters of its
own, its parts begin at them. Then parts are the same in any half of the folder and in any folder, and have names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from safetensors import SafetensorError
from safetensors.numpy import load_file, save
from scipy.optimize import linear_sum_assignment

from engine.core.atomic_files import write_cached
from engine.core.image_files import open_picture, read_label_map
from engine.core.paths import cache_dir, resources_dir, starter_pack
from engine.core.segmentation import NO_PART
from engine.models.loader import Models
from engine.packs.foreground import centred_cells, rim_of
from engine.packs.pack import Backbone, Pack
from engine.segmentation.codebook_fitting import NOTHING, BackgroundSplit, FeatureSample, unit_rows
from engine.segmentation.dino import open_dino
from engine.segmentation.feature_cache import dino_cache_key
from engine.segmentation.kmeans import Clustering, kmeans
from engine.worker.jobs import Progress, Report

_FITS: Final = 0.925
"""Prototypes fit pictures of which they explain this share of what as many free clusters explain: of 40 birds .944, of
60 dogs .943, of scenes of drawn birds .97; of flat drawings of animals .91, faces .923, food .89, vehicles .87."""
_FEW: Final = 12
_FEW_FIT: Final = 0.90
"""Of fewer pictures than that, free clusters explain more than they should: folders of 6 birds have .88 to .94."""
_OWN: Final = 0.3
"""How much a folder's own part counts against its prototype: at half and half parts of scenes with truth get worse."""
_INNER: Final = 2
_ROWS: Final = 20_000
_NAMED: Final = 0.6
_MARGIN: Final = 0.15
"""A part has a prototype's name if the cosine of its mean and the prototype is so much, and that much more than that of
any other prototype."""
_SURELY: Final = 0.75
_ELSEWHERE: Final = {"wing": ("back", 0.5), "tail": ("tail end", _NAMED)}
"""Where a drawn bird has its wing or tail other animals have something else: only what looks much like a wing is called
so, and what looks so much like it at least is called by the wider word."""

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class KnownParts:
    """Prototypes of parts, unit float32 (P, C), their names, and whether they fit so well that parts are named after
    them."""

    names: tuple[str, ...]
    prototypes: Floats
    naming: bool = True

    def clusters(self, rows: Floats, count: int, seed: int = 0) -> Floats:
        """``count`` unit centroids (K, C) of unit rows (N, C): the prototypes in their order, moved a little towards
        the rows that are theirs. Of fewer, the two most alike are taken together again and again; of more, the part
        whose rows differ most is split, and what is less like its prototype comes last."""
        own = (rows @ self.prototypes.T).argmax(axis=1)
        means = unit_rows(_means(rows, own, self.prototypes))
        groups = [[index] for index in range(len(means))]
        centroids = list(unit_rows((1 - _OWN) * self.prototypes + _OWN * means))
        sizes = np.bincount(own, minlength=len(means)).astype(float)
        while len(centroids) > count:
            kept, joined = _most_alike(unit_rows(np.stack(centroids)))
            weights = [max(float(sizes[group].sum()), 1.0) for group in (groups[kept], groups[joined])]
            centroids[kept] = weights[0] * centroids[kept] + weights[1] * centroids[joined]
            centroids[kept] /= np.linalg.norm(centroids[kept])
            groups[kept] += groups.pop(joined)
            del centroids[joined]
        while len(centroids) < count:
            labels = (rows @ np.stack(centroids).T).argmax(axis=1)
            spread = [float((1 - rows[labels == part] @ centroids[part]).sum()) for part in range(len(centroids))]
            widest = int(np.argmax(spread))
            halves = kmeans(rows[labels == widest], 2, seed=seed).centroids if spread[widest] > 0 else rows[:0]
            if len(halves) < 2:
                break
            near = int((halves @ centroids[widest]).argmax())
            centroids[widest] = halves[near]
            centroids.append(halves[1 - near])
        return np.asarray(np.stack(centroids), np.float32)

    def names_of(self, centroids: Floats, rows: Floats) -> dict[int, str]:
        """Which parts (unit centroids (M, C)) of unit rows (N, C) have a name, by what their rows look like."""
        if not self.naming or not len(rows):
            return {}
        means = unit_rows(_means(rows, (rows @ centroids.T).argmax(axis=1), centroids))
        likeness = means @ self.prototypes.T
        named = {}
        for part, known in zip(*linear_sum_assignment(-likeness), strict=True):
            best, others = likeness[part, known], np.delete(likeness[part], known)
            wider, line = _ELSEWHERE.get(self.names[known], (self.names[known], _NAMED))
            if best >= line and best - others.max() >= _MARGIN:
                named[int(part)] = self.names[known] if best >= _SURELY else wider
        return named


def known_parts(models: Models, backbone: Backbone, report: Report) -> KnownParts:
    """The prototypes of the starter pack's parts as these eyes see them; kept, for looking takes half a minute.
    Raises :class:`UserError`."""
    pack = Pack.open(starter_pack())
    names = tuple(part.name for part in pack.vocabulary.visible_parts)
    own = cache_dir() / "prototypes" / f"{dino_cache_key(backbone)}.safetensors"
    for place in (shipped_prototypes() / own.name, own):
        rows = _read(place)
        if rows is not None and len(rows) == len(names):
            return KnownParts(names, rows)
    rows = look_at_known_parts(models, backbone, report)
    write_cached(own, save({"prototypes": rows}), "the parts that are known")
    return KnownParts(names, rows)


def shipped_prototypes() -> Path:
    """Where prototypes are that come with the app, for the eyes that it gets at set-up."""
    return resources_dir() / "starter" / "prototypes"


def look_at_known_parts(models: Models, backbone: Backbone, report: Report) -> Floats:
    """The prototypes, unit float32 (P, C), from the starter pack's references and their mirror images, for animals look
    both ways. Raises :class:`UserError`."""
    pack, dino = Pack.open(starter_pack()), open_dino(models, backbone)
    parts = [part.index for part in pack.vocabulary.visible_parts]
    sums: Floats | None = None
    for done, reference in enumerate(pack.references):
        report(Progress("Looking at known parts", done, len(pack.references)))
        picture = open_picture(reference.image)
        labels = read_label_map(reference.labels)
        seen = dino.features([picture, picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)])
        for features, truth in zip(seen, (labels, labels[:, ::-1]), strict=True):
            means = _part_means(features, truth, parts)
            sums = means if sums is None else sums + means
    assert sums is not None
    return unit_rows(sums)


def fitting(known: KnownParts, sample: FeatureSample, front: npt.NDArray[np.bool_]) -> KnownParts | None:
    """Known parts if they fit the foreground of a sample, and whether its parts may be named after them; else None."""
    inside = front if sample.left_out is None else front & ~sample.left_out
    rows = sample.rows[inside][:: max(1, int(inside.sum()) // _ROWS)]
    if len(rows) < len(known.names):
        return None
    means = unit_rows(_means(rows, (rows @ known.prototypes.T).argmax(axis=1), known.prototypes))
    free = kmeans(rows, len(known.names)).centroids
    share = float((rows @ means.T).max(axis=1).mean() / max((rows @ free.T).max(axis=1).mean(), 1e-6))
    few = len(np.unique(sample.picture[inside])) < _FEW
    return KnownParts(known.names, known.prototypes, share >= _FITS) if share >= (_FEW_FIT if few else _FITS) else None


def guided_clusters(
    sample: FeatureSample, split: BackgroundSplit, count: int, known: KnownParts, seed: int = 0
) -> Clustering:
    """At most ``count`` clusters of the foreground's rows that begin at known parts, in their order, found without the
    rows left out. Raises :class:`UserError` if nothing is in front."""
    inside = sample.rows[split.front]
    if not len(inside):
        raise NOTHING
    inner = inside if sample.left_out is None else inside[~sample.left_out[split.front]]
    centroids = known.clusters(inner if len(inner) else inside, count, seed)
    likeness = inside @ centroids.T
    return Clustering(centroids, likeness.argmax(axis=1), float(likeness.max(axis=1).mean()))


def _part_means(features: Floats, labels: npt.NDArray[np.uint8], parts: Sequence[int]) -> Floats:
    """The mean of the centred cells of each part, (P, C), of a feature map (C, h, w) whose parts are known at pixels;
    cells at the outline of the object only where a part has no others."""
    height, width = features.shape[1:]
    shown = [NO_PART, *parts]
    planes = np.stack([_shares(labels == value, (width, height)) for value in shown])
    most = planes.argmax(axis=0)
    mask = most > 0
    cells, inner = centred_cells(features, mask), ~rim_of(mask)
    means = np.zeros((len(parts), features.shape[0]), np.float32)
    for row in range(len(parts)):
        of_part = most == row + 1
        chosen = of_part & inner if (of_part & inner).sum() >= _INNER else of_part
        if chosen.any():
            means[row] = cells[chosen].mean(axis=0)
    return means


def _shares(plane: npt.NDArray[np.bool_], size: tuple[int, int]) -> Floats:
    """How much of each cell of a grid (width, height) a plane (H, W) covers."""
    return np.asarray(Image.fromarray(plane.astype(np.float32)).resize(size, Image.Resampling.BOX))


def _means(rows: Floats, labels: Ints, otherwise: Floats) -> Floats:
    """The mean of the rows (N, C) of each label, (K, C), or a row of ``otherwise`` where there are none."""
    means = otherwise.copy()
    for label in np.unique(labels):
        means[label] = rows[labels == label].mean(axis=0)
    return means


def _most_alike(centroids: Floats) -> tuple[int, int]:
    """The two unit rows (K, C) with the largest cosine, lower index first."""
    likeness = np.triu(centroids @ centroids.T, 1) - 2 * np.tril(np.ones((len(centroids), len(centroids))))
    first, second = np.unravel_index(likeness.argmax(), likeness.shape)
    return int(first), int(second)


def _read(place: Path) -> Floats | None:
    """Prototypes (P, C) from a file, or None if it is not there or damaged: they are looked at again."""
    try:
        rows = load_file(place)["prototypes"]
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    return rows if rows.ndim == 2 and rows.dtype == np.float32 and np.isfinite(rows).all() else None
