"""The job FindParts: the parts of a folder's pictures, shown on some of them; and what Discover shares with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from engine.core.correction import Correction
from engine.core.image_files import open_picture
from engine.core.paths import starter_pack
from engine.core.segmentation import NO_PART
from engine.models.dinov2_wheel import EYES
from engine.models.loader import Models
from engine.packs.codebook import Codebook
from engine.packs.pack import Backbone, Pack
from engine.segmentation.choose_eyes import EyesChoice, are_familiar, are_seen, choose_eyes, eyes_here
from engine.segmentation.codebook_fitting import (
    NOTHING,
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
from engine.segmentation.corrections import (
    NOT_CORRECTED,
    CorrectedPictures,
    Said,
    as_parts,
    correct_clusters,
    correct_foreground,
    correct_split,
    said_cells,
    strokes_by_picture,
)
from engine.segmentation.dino import open_dino
from engine.segmentation.draft_pack import representative_indices
from engine.segmentation.feature_cache import PictureFeatures, compute_features
from engine.segmentation.foreground import FolderForeground, fit_foreground, masks_of, split_by_masks
from engine.segmentation.image_folder import read_image_folder, without
from engine.segmentation.kmeans import Clustering
from engine.segmentation.known_parts import KnownParts, fitting, guided_clusters, known_parts
from engine.segmentation.one_piece import parts_in_one_piece
from engine.segmentation.part_count import suggest_part_count
from engine.segmentation.part_names import part_names
from engine.segmentation.side_by_side import side_by_side
from engine.worker.jobs import REMARKS, Discover, EyeSettings, FindParts, PartsFound, Progress, Report, SeenPicture

_WALL_SIDE: Final = 160

_NO_OBJECT: Final = 0.01
_SAME_GROUND: Final = 0.95
_SAME_GROUND_IN_PHOTOS: Final = 0.7
"""Cosines between foreground and background above which nothing stands out: by two centroids, and by cuts."""
_UNSURE: Final = 0.2
_RARE: Final = 0.1
"""Parts found in a smaller share of the pictures are told."""
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
class _GuideKey:
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
    ``flip``), the pack that is extended, if any, and why these eyes look, unless a person or that pack chose them.
    Of photographs also their foreground, and the known parts that fit them; of a view with corrections, how it was
    without them."""

    backbone: Backbone
    found: PictureFeatures
    sample: FeatureSample
    split: BackgroundSplit
    flip: bool
    known: Pack | None = None
    eyes: EyesChoice | None = None
    foreground: FolderForeground | None = None
    uncorrected: FolderView | None = None
    corrections: FolderCorrections | None = None
    guide: KnownParts | None = None


@dataclass(frozen=True, eq=False)
class FolderCorrections:
    """What was painted in a view's pictures, by their numbers, with clusters as labels, and what that says of cells."""

    strokes: Mapping[int, tuple[Correction, ...]]
    said: Said


def find_parts(models: Models, job: FindParts, report: Report) -> PartsFound:
    """Find the parts of a folder's pictures and show them on some. The engine's handler of :class:`FindParts`.
    Raises :class:`UserError`."""
    view = corrected_view(models, job, report)
    report(Progress("Finding parts", 0, 0))
    if view.known:
        count = suggested = len(view.known.vocabulary.parts)
        reason = f"The parts are those of {view.known.title}."
    else:
        suggested, reason = suggested_count(view, job.seed, report)
        count = job.parts or suggested
    parts = parts_of(models, view, count, job.merged, job.dropped, job.seed)
    report(Progress("Showing parts", 0, 0))
    names = names_for(view, parts)
    book = _codebook_without_codes(view, parts)
    corrected = corrected_pictures(view, parts)
    everything = (view.uncorrected or view).found  # those left out stay on the wall, for they can be taken in again
    shown = representative_indices(_kinds(everything), job.show)
    number_of = {file: index for index, file in enumerate(view.found.files)}

    def seen(index: int) -> SeenPicture:
        number = number_of.get(everything.files[index])
        if number is None:
            return _left_out_picture(everything, index)
        return _seen_picture(book, view.found, number, corrected)

    wall = tuple(side_by_side(lambda place: seen(shown[place]), len(shown)))
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
        familiar=are_familiar(models, everything.files),
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
    left_out: Sequence[str] = (),
) -> FolderView:
    """Look at a folder's pictures and tell background from foreground; kept with the models while memory allows.
    The eyes are those that fit all of them, also those ``left_out``."""
    extended = Pack.open(extends) if extends else None
    if eyes and not extended:
        models.eyes(eyes)  # what is wrong with them is said before a folder is read
    place = read_image_folder(Path(folder), report)
    chosen = None
    if not extended and not eyes:
        report(Progress("Choosing eyes", 0, 0))
        chosen = choose_eyes(models, place.pictures)
    backbone = extended.backbone if extended else backbone_with(models, chosen.id if chosen else eyes, settings)
    place = without(place, left_out)
    skipped = [problem.message for problem in place.problems if problem.what not in REMARKS]
    notes = tuple(problem.message for problem in place.problems if problem.what in REMARKS)
    pictures = compute_features(open_dino(models, backbone), place.pictures, report, place.kinds, together=True)
    pictures = replace(pictures, skipped=(*skipped, *pictures.skipped), notes=notes)
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
        guide = None
        if not extended:
            prototypes = known_parts(models, backbone, report)
            report(Progress("Finding parts", 0, 0))
            key = _GuideKey(pictures.key, seed, flip)
            guide = models.cache.get(
                key, lambda: fitting(prototypes, sample, split.front), prototypes.prototypes.nbytes
            )
        flip = flip and not extended
        return FolderView(backbone, pictures, sample, split, flip, extended, chosen, foreground=known, guide=guide)
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
        shown = tuple(shares.tolist())
        return PartClusters(centroids, members, background, shown, (), book.clusters, book.in_one_piece)
    whole = view.uncorrected or view

    def found() -> Clustering:
        if whole.guide:
            return guided_clusters(whole.sample, whole.split, count, whole.guide, seed)
        return cluster_foreground(whole.sample, whole.split, count, seed)

    clusters = models.cache.get(_ClustersKey(whole.found.key, seed, whole.flip, count), found, len(whole.sample.rows))
    if view.corrections:
        if not view.split.front.any():
            raise NOTHING
        masks = view.foreground.masks if view.foreground else ()
        start, said = clusters.centroids, view.corrections.said
        clusters = correct_clusters(view.found.features, view.sample, view.split, start, said, merged, masks)
    parts = arrange_parts(view.sample, view.split, clusters, merged, dropped)
    if view.foreground is None or parts.clusters is None:
        return parts
    maps, masks = view.found.features, view.foreground.masks
    return replace(parts, in_one_piece=parts_in_one_piece(maps, masks, parts.clusters, parts.members))


def corrected_view(models: Models, job: FindParts | Discover, report: Report) -> FolderView:
    """A job's folder as :func:`view_folder` has it, without the pictures that are left out and with what a person
    corrected. Features are kept, so this is quick where the folder was looked at before. Raises :class:`UserError`."""
    settings = job.eye_settings if isinstance(job, Discover) else EyeSettings()
    request = models, job.folder, job.eyes, job.flip_background, job.extends, job.seed, report, settings
    whole = view_folder(*request)
    if not job.left_out and not job.corrections:
        return whole
    report(Progress("Looking again with what you corrected", 0, 0))
    view = view_folder(*request, left_out=job.left_out) if job.left_out else whole
    maps = view.found.features
    strokes = strokes_by_picture(view.found.files, Path(job.folder), job.corrections)
    said = {} if view.known else said_cells(strokes, maps)
    if said and view.foreground:
        foreground = correct_foreground(maps, view.foreground, said)
        sample, split = split_by_masks(maps, draw_sample(maps, job.seed), foreground)
        view = replace(view, sample=sample, split=split, foreground=foreground)
    elif said:
        view = replace(view, split=correct_split(maps, view.sample, view.split, said))
    return replace(view, uncorrected=whole, corrections=FolderCorrections(strokes, said))


def corrected_pictures(view: FolderView, parts: PartClusters) -> CorrectedPictures:
    """What was painted in a view's pictures, as parts."""
    if view.corrections is None:
        return NOT_CORRECTED
    return CorrectedPictures(as_parts(view.corrections.strokes, parts.members))


def suggested_count(view: FolderView, seed: int, report: Report) -> tuple[int, str]:
    """How many parts fit a view, and why."""
    trying = "Trying numbers of parts"
    view = view.uncorrected or view  # a number that changed with each stroke would be hard to follow
    key = f"{view.found.key}-{seed}-{int(view.flip)}{'-known' if view.guide else ''}"

    def tried(done: int, total: int) -> None:
        report(Progress(trying, done, total))

    return suggest_part_count(view.sample, view.split, key, tried, view.guide)


def names_for(view: FolderView, parts: PartClusters) -> list[str]:
    """A name for each part of a view: those of the pack it extends, or what they look like, else "part 1", ..."""
    if view.known:
        return [part.name for part in view.known.vocabulary.parts]
    rows = view.sample.rows[view.split.front][::10]
    return part_names(parts.centroids, rows, view.backbone, known=view.guide)


def _codebook_without_codes(view: FolderView, parts: PartClusters) -> Codebook:
    """A codebook of parts that knows no codes: one for each part, the part itself."""
    return parts.codebook(view.split, parts.centroids[:, None].copy(), parts.background)


def _seen_picture(book: Codebook, pictures: PictureFeatures, index: int, corrected: CorrectedPictures) -> SeenPicture:
    image = np.asarray(open_picture(pictures.files[index], max_side=_WALL_SIDE))
    labels = corrected.segment(index, book, pictures.features[index], image).labels
    return SeenPicture(str(pictures.files[index]), _kinds(pictures)[index], image, labels)


def _left_out_picture(pictures: PictureFeatures, index: int) -> SeenPicture:
    image = np.asarray(open_picture(pictures.files[index], max_side=_WALL_SIDE))
    nothing = np.full(image.shape[:2], NO_PART, np.uint8)
    return SeenPicture(str(pictures.files[index]), _kinds(pictures)[index], image, nothing, left_out=True)


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
    sentences += _rare(view, parts)
    cluster_count = sum(len(group) for group in parts.members)
    if cluster_count < count:
        sentences.append(f"Only {cluster_count} different parts could be found.")
    if view.eyes is not None:
        sentences += [view.eyes.reason] if view.eyes.missing else []
    elif view.backbone.sees == "drawings" and not are_seen(models, view.backbone, view.found.files):
        sentences.append(f"These eyes do not see such pictures well; {EYES} does.")
    return " ".join(sentences)


def _rare(view: FolderView, parts: PartClusters) -> list[str]:
    """Which parts hardly any picture shows, in a sentence each."""
    inside = view.sample.rows[view.split.front]
    clusters = parts.centroids if parts.clusters is None else parts.clusters
    nearest, picture = (inside @ clusters.T).argmax(axis=1), view.sample.picture[view.split.front]
    names, total = names_for(view, parts), len(view.found.files)
    shown = [len(np.unique(picture[np.isin(nearest, group)])) for group in parts.members]
    return [
        f"The part called “{name}” was found in {count} of {total} pictures only."
        for name, count, background in zip(names, shown, parts.background, strict=True)
        if count < _RARE * total and not background
    ]
