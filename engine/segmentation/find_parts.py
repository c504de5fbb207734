"""The job FindParts: the parts of a folder's pictures, shown on some of them; and what Discover shares with it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from engine.core.image_files import open_picture
from engine.core.paths import starter_pack
from engine.models.dinov2_wheel import EYES
from engine.models.loader import Models
from engine.packs.codebook import Codebook
from engine.packs.pack import Backbone, Pack
from engine.segmentation.choose_eyes import EyesChoice, are_seen, choose_eyes, eyes_here
from engine.segmentation.codebook_fitting import (
    ROWS,
    BackgroundSplit,
    FeatureSample,
    PartClusters,
    arrange_parts,
    cluster_foreground,
    draw_sample,
    split_background,
    unit_rows,
)
from engine.segmentation.dino import open_dino
from engine.segmentation.draft_pack import representative_indices
from engine.segmentation.feature_cache import PictureFeatures, compute_features
from engine.segmentation.foreground import FolderForeground, fit_foreground, masks_of, split_by_masks
from engine.segmentation.image_folder import read_image_folder
from engine.segmentation.mask_refinement import segment_picture
from engine.segmentation.part_count import suggest_part_count
from engine.segmentation.part_names import part_names
from engine.worker.jobs import EyeSettings, FindParts, PartsFound, Progress, Report, SeenPicture

_WALL_SIDE: Final = 160

_NO_OBJECT: Final = 0.01
_SAME_GROUND: Final = 0.95
_SAME_GROUND_IN_PHOTOS: Final = 0.7
"""Cosines between foreground and background above which nothing stands out: by two centroids, and by cuts."""
_UNSURE: Final = 0.2
_ANATOMY: Final = 5 / 6
"""Of all layers of the eyes: after so many parts are found best in photographs (10 of 12)."""


# What is kept with the models, by the key of the pictures' features.


@dataclass(frozen=True)
class _SampleKey:
    features: str
    seed: int


@dataclass(frozen=True)
class _SplitKey:
    features: str
    seed: int


@dataclass(frozen=True)
class _ForegroundKey:
    features: str
    seed: int


@dataclass(frozen=True)
class _CentredKey:
    features: str
    seed: int
    flip: bool


@dataclass(frozen=True)
class _ClustersKey:
    features: str
    seed: int
    flip: bool
    count: int


# A vocabulary from a folder of pictures.


@dataclass(frozen=True, eq=False)
class FolderView:
    """A folder as eyes see it: its pictures, a sample of what is in them, background and foreground (changed over if
    ``flip``), the pack that is extended, if any, and why these eyes look, unless a person or that pack chose them."""

    backbone: Backbone
    found: PictureFeatures
    sample: FeatureSample
    split: BackgroundSplit
    flip: bool
    known: Pack | None = None
    eyes: EyesChoice | None = None


def find_parts(models: Models, job: FindParts, report: Report) -> PartsFound:
    """Find the parts of a folder's pictures and show them on some. The engine's handler of :class:`FindParts`.
    Raises :class:`UserError`."""
    view = view_folder(models, job.folder, job.eyes, job.flip_background, job.extends, job.seed, report)
    report(Progress("Finding parts", 0, 0))
    if view.known:
        count = suggested = len(view.known.vocabulary.parts)
        reason = f"The parts are those of {view.known.title}."
    else:
        suggested, reason = suggested_count(view, job.seed, report)
        count = job.parts or suggested
    parts = parts_of(models, view, count, job.merged, job.dropped, job.seed)
    report(Progress("Showing parts", 0, 0))
    if view.known:
        names = [part.name for part in view.known.vocabulary.parts]
    else:
        names = part_names(parts.centroids, view.sample.rows[view.split.front][::10], view.backbone)
    book = _codebook_without_codes(view, parts)
    shown = representative_indices(_kinds(view.found), job.show)
    with ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1))) as pool:
        wall = tuple(pool.map(lambda index: _seen_picture(book, view.found, index), shown))
    return PartsFound(
        pictures=len(view.found.files),
        asked=count,
        suggested=suggested,
        reason=reason,
        members=parts.members,
        names=tuple(names),
        background=parts.background,
        shares=parts.shares,
        alike=parts.alike,
        wall=wall,
        note=note_on(models, view, parts, count),
        eyes=view.backbone.id,
        eyes_reason=view.eyes.reason if view.eyes else "",
        eyes_here=eyes_here(),
        eyes_missing=view.eyes is not None and view.eyes.missing,
    )


def view_folder(
    models: Models,
    folder: str,
    eyes: str,
    flip: bool,
    extends: str,
    seed: int,
    report: Report,
    settings: EyeSettings = EyeSettings(),  # noqa: B008 - a frozen value
) -> FolderView:
    """Look at a folder's pictures and tell background from foreground; kept with the models while memory allows."""
    extended = Pack.open(extends) if extends else None
    if eyes and not extended:
        models.eyes(eyes)  # what is wrong with them is said before a folder is read
    place = read_image_folder(Path(folder), report)
    chosen = None
    if not extended and not eyes:
        report(Progress("Choosing eyes", 0, 0))
        chosen = choose_eyes(models, place.pictures)
    backbone = extended.backbone if extended else backbone_with(models, chosen.id if chosen else eyes, settings)
    skipped = [problem.message for problem in place.problems]
    pictures = compute_features(open_dino(models, backbone), place.pictures, report, place.kinds, together=True)
    pictures = replace(pictures, skipped=(*skipped, *pictures.skipped))
    report(Progress("Finding parts", 0, 0))
    bytes = min(ROWS, len(pictures.files) * pictures.features[0][0].size) * pictures.features[0].shape[0] * 4
    if extended and extended.backbone.centred:
        votes = extended.codebook().votes
        known = FolderForeground(votes, masks_of(pictures.features, votes)) if votes else None
    elif backbone.centred:
        size = sum(features.shape[1] * features.shape[2] for features in pictures.features)
        known = models.cache.get(
            _ForegroundKey(pictures.key, seed),
            lambda: fit_foreground(
                pictures.features, seed, lambda done, total: report(Progress("Finding the foreground", done, total))
            ),
            size,
        )
        known = known.flipped() if flip else known
    else:
        known = None
    if known:

        def centred() -> tuple[FeatureSample, BackgroundSplit]:
            return split_by_masks(pictures.features, draw_sample(pictures.features, seed), known)

        key = _CentredKey(pictures.key, seed, flip)
        sample, split = centred() if extended else models.cache.get(key, centred, 2 * bytes)
        if extended:
            split = replace(split, centroids=extended.codebook().foreground, confidence=1.0)
        return FolderView(backbone, pictures, sample, split, flip and not extended, extended, chosen)
    sample = models.cache.get(_SampleKey(pictures.key, seed), lambda: draw_sample(pictures.features, seed), bytes)
    if extended:
        centroids = extended.codebook().foreground
        front = (sample.rows @ unit_rows(centroids).T).argmax(axis=1) == 1
        split = BackgroundSplit(centroids, front, 1.0, float(unit_rows(centroids)[0] @ unit_rows(centroids)[1]))
        return FolderView(backbone, pictures, sample, split, False, known=extended)
    split = models.cache.get(_SplitKey(pictures.key, seed), lambda: split_background(sample, seed), len(sample.rows))
    return FolderView(backbone, pictures, sample, split.flipped() if flip else split, flip, eyes=chosen)


def backbone_with(models: Models, eyes: str, settings: EyeSettings) -> Backbone:
    """How to look: as the starter pack does if it has these eyes, for that is where they see best. At photographs with
    a layer between: places of a body are most alike there, whatever its coat."""
    model = models.eyes(eyes)
    patch = model.patch
    usual = Backbone(eyes, image_size=32 * patch, patch=patch, sees="photos")
    starter = Pack.open(starter_pack()).backbone if eyes.startswith("starter/") else usual
    usual = starter if starter.id == eyes else replace(usual, sees="drawings")
    photos = (settings.sees or usual.sees) == "photos"
    layer = str(max(1, round(_ANATOMY * model.layers))) if photos else usual.feature_layer
    return replace(
        usual,
        feature_layer=settings.feature_layer or layer,
        image_size=settings.image_size or usual.image_size,
        sees=settings.sees or usual.sees,
        centred=photos,
    )


def parts_of(
    models: Models, view: FolderView, count: int, merged: Sequence[Sequence[int]], dropped: Sequence[int], seed: int
) -> PartClusters:
    """The parts of a view: those of the pack it extends, or clusters."""
    if view.known:
        book = view.known.codebook()
        centroids = book.parts
        labels = (view.sample.rows[view.split.front] @ unit_rows(centroids).T).argmax(axis=1)
        shares = np.bincount(labels, minlength=len(centroids)) / len(view.sample.rows)
        members = book.members or tuple((index,) for index in range(len(centroids)))
        background = tuple(part.background for part in view.known.vocabulary.parts)
        return PartClusters(centroids, members, background, tuple(shares.tolist()), (), book.clusters)
    clusters = models.cache.get(
        _ClustersKey(view.found.key, seed, view.flip, count),
        lambda: cluster_foreground(view.sample, view.split, count, seed),
        len(view.sample.rows),
    )
    return arrange_parts(view.sample, view.split, clusters, merged, dropped)


def suggested_count(view: FolderView, seed: int, report: Report) -> tuple[int, str]:
    """How many parts fit a view, and why."""
    trying = "Trying numbers of parts"
    key = f"{view.found.key}-{seed}-{int(view.flip)}"
    return suggest_part_count(view.sample, view.split, key, lambda done, total: report(Progress(trying, done, total)))


def _codebook_without_codes(view: FolderView, parts: PartClusters) -> Codebook:
    """A codebook of parts that knows no codes: one for each part, the part itself."""
    return parts.codebook(view.split, parts.centroids[:, None].copy(), parts.background)


def _seen_picture(book: Codebook, pictures: PictureFeatures, index: int) -> SeenPicture:
    image = np.asarray(open_picture(pictures.files[index], max_side=_WALL_SIDE))
    kind = pictures.classes[index] if pictures.classes else ""
    return SeenPicture(
        str(pictures.files[index]), kind, image, segment_picture(book, pictures.features[index], image).labels
    )


def _kinds(pictures: PictureFeatures) -> tuple[str, ...]:
    return pictures.classes or ("",) * len(pictures.files)


def note_on(models: Models, view: FolderView, parts: PartClusters, count: int) -> str:
    """What a person should know about the parts of these pictures, in sentences."""
    sentences = []
    share = float(view.split.front.mean())
    if len(view.found.files) == 1:
        others = f" ({len(view.found.skipped)} were left out)" if view.found.skipped else ""
        sentences.append(f"There is only one picture to use{others}, so each part has one code.")
    line = _SAME_GROUND_IN_PHOTOS if view.split.votes else _SAME_GROUND
    if not _NO_OBJECT <= share <= 1 - _NO_OBJECT or view.split.likeness > line:
        sentences.append("No object stands out from the background in these pictures.")
    elif view.split.confidence < _UNSURE:
        sentences.append("It is not clear which is the background; flip it if the wall shows it wrong.")
    if view.split.empty:
        sentences.append(f"Nothing like the others was found in {view.split.empty} of the pictures.")
    cluster_count = sum(len(group) for group in parts.members)
    if cluster_count < count:
        sentences.append(f"Only {cluster_count} different parts could be found.")
    if view.eyes is not None:
        sentences += [view.eyes.reason] if view.eyes.missing else []
    elif view.backbone.sees == "drawings" and not are_seen(models, view.backbone, view.found.files):
        sentences.append(f"These eyes do not see such pictures well; {EYES} does.")
    return " ".join(sentences)
