"""Discovery: the parts of a picture, the parts of a folder's pictures, and a new vocabulary found in a folder.

:func:`find_parts` and :func:`discover` go the same way, so what was shown is what the pack gets.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch.distributed as dist
from PIL import Image

from engine.core.errors import UserError
from engine.core.image_files import open_picture
from engine.core.paths import starter_pack
from engine.core.vocabulary import Vocabulary
from engine.models.loader import Models
from engine.packs.codebook import Codebook
from engine.packs.pack import Backbone, BaseModel, Pack
from engine.segmentation.codebook_fitting import (
    ROWS,
    Parts,
    Sample,
    Split,
    arrange,
    cluster_foreground,
    draw_sample,
    fit_codes,
    kinds_in,
    split_background,
    units,
)
from engine.segmentation.dino import Found, look_at, open_dino
from engine.segmentation.draft_pack import copy_known, make_place, spread, write_draft
from engine.segmentation.image_folder import look_through
from engine.segmentation.part_count import suggest
from engine.segmentation.part_names import code_names, joined_names, make_parts, part_names
from engine.worker.dispatch import Report
from engine.worker.jobs import Discover, FindParts, PartsFound, Progress, SeenPicture, Segment, Segmented

PHOTO_EYES: Final = "facebook/dinov2-base"
"""The model to name when the eyes at hand know only drawings."""

_WALL_SIDE: Final = 160
_FLAT_SHARE: Final = 0.46
_PHOTOS_ASKED: Final = 9
_NO_OBJECT: Final = 0.01
_SAME_GROUND: Final = 0.95
_UNSURE: Final = 0.2


def segment(models: Models, job: Segment, report: Report) -> Segmented:
    """Find the parts of one picture. The engine's handler of :class:`Segment`. Raises :class:`UserError`."""
    pack = Pack.open(job.pack)
    codebook = pack.codebook()
    picture = open_picture(job.image)
    report(Progress("Looking", 0, 0))
    (features,) = open_dino(models, pack.backbone).features([picture])
    found = codebook.segment_picture(features, np.asarray(picture))
    note = ""
    if pack.backbone.sees == "drawings" and looks_like_a_photo(picture):
        note = f"These eyes know drawings only; a pack made with {PHOTO_EYES} sees photos."
    return Segmented(job.image, found, note)


def looks_like_a_photo(picture: Image.Image) -> bool:
    """Whether a picture has the grain of a photograph: few pixels are like both of their neighbours.

    At 256 pixels, ten photographs had 0 to 37% of such pixels, drawings 83% or more, even as JPEG 55%.
    """
    small = np.asarray(picture.convert("RGB").resize((256, 256), Image.Resampling.BOX), np.int16)
    across = np.abs(np.diff(small, axis=1)).max(axis=2)[:-1]
    down = np.abs(np.diff(small, axis=0)).max(axis=2)[:, :-1]
    return float((np.maximum(across, down) <= 1).mean()) < _FLAT_SHARE


# A vocabulary from a folder of pictures.


@dataclass(frozen=True, eq=False)
class _View:
    """A folder as eyes see it: its pictures, a sample of what is in them, background and foreground (changed over if
    ``flip``), and the pack that is extended, if any."""

    backbone: Backbone
    found: Found
    sample: Sample
    split: Split
    flip: bool
    known: Pack | None = None


def find_parts(models: Models, job: FindParts, report: Report) -> PartsFound:
    """Find the parts of a folder's pictures and show them on some. The engine's handler of :class:`FindParts`.
    Raises :class:`UserError`."""
    view = _view(models, job.folder, job.eyes, job.flip_background, job.extends, {}, job.seed, report)
    report(Progress("Finding parts", 0, 0))
    if view.known:
        asked = suggested = len(view.known.vocabulary.parts)
        reason = f"The parts are those of {view.known.title}."
    else:
        suggested, reason = _suggested(view, job.seed, report)
        asked = job.parts or suggested
    parts = _parts(models, view, asked, job.merged, job.dropped, job.seed)
    report(Progress("Showing parts", 0, 0))
    if view.known:
        names = [part.name for part in view.known.vocabulary.parts]
    else:
        names = part_names(parts.centroids, view.sample.rows[view.split.front][::10], view.backbone)
    book = _two_tiers(view, parts)
    shown = spread(_kinds(view.found), job.show)
    with ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1))) as pool:
        wall = tuple(pool.map(lambda index: _seen(book, view.found, index), shown))
    return PartsFound(
        pictures=len(view.found.files),
        asked=asked,
        suggested=suggested,
        reason=reason,
        members=parts.members,
        names=tuple(names),
        background=parts.background,
        shares=parts.shares,
        alike=parts.alike,
        wall=wall,
        note=_note(models, view, parts, asked),
    )


def discover(models: Models, job: Discover, report: Report) -> str:
    """Find parts and codes in a folder and write them as a draft pack: references and all, but no tokens.

    Pictures in two or more subfolders, or named by a ``labels.csv``, are sorted by kind: a code is then a kind.
    ``job.options`` are those of :class:`FindParts` (``flip_background``, ``merged``, ``dropped``, ``extends``) and, a
    value for each part, ``part_names``, ``colours``, ``background`` (instead of ``dropped``); ``references`` (how
    many), ``codes_from`` ("clusters" also for sorted pictures), ``title``, and of the eyes ``image_size``,
    ``feature_layer``, ``sees``. ``job.parts`` 0 takes as many as are suggested.
    Started by a launcher of several processes, each looks at a share of the pictures and the first writes the pack.
    The engine's handler of :class:`Discover`. Raises :class:`UserError`.
    """
    options = job.options
    if job.parts < 0 or job.codes < 1:
        raise UserError("A vocabulary needs at least one part and one code.", "Choose larger numbers.")
    _meet()
    flip = bool(options.get("flip_background"))
    view = _view(models, job.folder, job.eyes, flip, str(options.get("extends") or ""), options, job.seed, report)
    if dist.is_initialized() and dist.get_rank():
        return str(Path(job.out).resolve())
    report(Progress("Finding parts", 0, 0))
    suggested, reason = (0, "") if view.known else _suggested(view, job.seed, report)
    count = job.parts or suggested
    merged = [tuple(group) for group in options.get("merged") or ()]
    parts = _parts(models, view, count, merged, tuple(options.get("dropped") or ()), job.seed)
    found = view.found
    if options.get("codes_from") == "clusters" or not kinds_in(found):
        found = replace(found, classes=())
    background = _wished(options.get("background"), parts.background)
    if all(background):
        raise UserError("Every part was given to the background.", "Keep at least one part.")
    total = len(found.files)
    clusters = fit_codes(
        found, view.split, parts, job.codes, background, job.seed,
        lambda index: report(Progress("Finding codes", index, total)),
    )  # fmt: skip
    if view.known:
        named = view.known.vocabulary.parts
    else:
        names = list(options.get("part_names") or [])
        names += part_names(parts.centroids, view.sample.rows[view.split.front][::10], view.backbone)[len(names) :]
        named = make_parts(names[: len(background)], background, list(options.get("colours") or []))
    # Names of codes come from what the pictures are called, also where the codes are clusters.
    labels = tuple(tuple(row) for row in code_names(named, clusters, found.files, view.found.classes))
    book = clusters.codebook
    first = 0
    if view.known:
        old = view.known.codebook()
        first = old.codes.shape[1]
        book = replace(book, codes=np.concatenate([old.codes, book.codes], axis=1))
        rows = view.known.vocabulary.code_names or ((),) * len(named)
        new = book.codes.shape[1] - first
        labels = tuple(tuple(joined_names(row, first, more, new)) for row, more in zip(rows, labels, strict=True))
    try:
        words = Vocabulary(job.noun, named, book.codes.shape[1], labels if any(labels) else ())
    except ValueError as error:
        raise UserError(f"The parts cannot be named so: {error}.", "Give each part a name of its own.") from error
    out = make_place(Path(job.out))
    base = job.base_model or (view.known.base_model.id if view.known else "starter/base")
    pack = Pack(
        path=out,
        id=out.name,
        title=str(options.get("title") or out.name),
        vocabulary=words,
        backbone=view.backbone,
        base_model=BaseModel(base),
        references=copy_known(view.known, out) if view.known else (),
        provenance=f"Found in {total} pictures",
        metrics={
            **clusters.metrics,
            "suggested": suggested,
            "reason": reason,
            "note": _note(models, view, parts, count),
        },
        # Which code a kind of picture is, if any: training asks, for names alone may say another's.
        extra={
            "kinds": {kind: first + code for code, kind in enumerate(clusters.kinds)},
            **({"extends": str(view.known.path)} if view.known else {}),
        },
    )
    cut = "Cutting references into parts"
    wanted = int(options.get("references", 60))
    told = write_draft(pack, book, clusters, found, wanted, lambda done, all: report(Progress(cut, done, all)), first)
    return str(told.path)


def _view(
    models: Models, folder: str, eyes: str, flip: bool, extends: str, options: dict[str, Any], seed: int, report: Report
) -> _View:
    """Look at a folder's pictures and tell background from foreground; kept with the models while memory allows."""
    known = Pack.open(extends) if extends else None
    backbone = known.backbone if known else _backbone(models, eyes or "starter/eyes", options)
    place = look_through(Path(folder), report)
    skipped = [one.message for one in place.problems]
    found = look_at(open_dino(models, backbone), place.pictures, report, place.kinds, together=True)
    found = replace(found, skipped=(*skipped, *found.skipped))
    report(Progress("Finding parts", 0, 0))
    bytes = min(ROWS, len(found.files) * found.features[0][0].size) * found.features[0].shape[0] * 4
    sample = models.keep(("sample", found.key, seed), lambda: draw_sample(found.features, seed), bytes)
    if known:
        centroids = known.codebook().foreground
        front = (sample.rows @ units(centroids).T).argmax(axis=1) == 1
        split = Split(centroids, front, 1.0, float(units(centroids)[0] @ units(centroids)[1]))
        return _View(backbone, found, sample, split, False, known)
    split = models.keep(("split", found.key, seed), lambda: split_background(sample, seed), len(sample.rows))
    return _View(backbone, found, sample, split.flipped() if flip else split, flip)


def _backbone(models: Models, eyes: str, options: dict[str, Any]) -> Backbone:
    """How to look: as the starter pack does if it has these eyes, for that is where they see best."""
    patch = models.eyes(eyes).patch
    usual = Backbone(eyes, image_size=32 * patch, patch=patch, sees="photos")
    starter = Pack.open(starter_pack()).backbone if eyes.startswith("starter/") else usual
    usual = starter if starter.id == eyes else replace(usual, sees="drawings")
    return replace(
        usual,
        feature_layer=str(options.get("feature_layer", usual.feature_layer)),
        image_size=int(options.get("image_size", usual.image_size)),
        sees=str(options.get("sees", usual.sees)),
    )


def _parts(
    models: Models, view: _View, count: int, merged: Sequence[Sequence[int]], dropped: Sequence[int], seed: int
) -> Parts:
    """The parts of a view: those of the pack it extends, or clusters."""
    if view.known:
        centroids = view.known.codebook().parts
        labels = (view.sample.rows[view.split.front] @ units(centroids).T).argmax(axis=1)
        shares = np.bincount(labels, minlength=len(centroids)) / len(view.sample.rows)
        members = tuple((index,) for index in range(len(centroids)))
        background = tuple(part.background for part in view.known.vocabulary.parts)
        return Parts(centroids, members, background, tuple(shares.tolist()), ())
    key = ("clusters", view.found.key, seed, view.flip, count)
    found = models.keep(key, lambda: cluster_foreground(view.sample, view.split, count, seed), len(view.sample.rows))
    return arrange(view.sample, view.split, found, merged, dropped)


def _suggested(view: _View, seed: int, report: Report) -> tuple[int, str]:
    """How many parts fit a view, and why."""
    trying = "Trying numbers of parts"
    key = f"{view.found.key}-{seed}-{int(view.flip)}"
    return suggest(view.sample, view.split, key, lambda done, total: report(Progress(trying, done, total)))


def _two_tiers(view: _View, parts: Parts) -> Codebook:
    """A codebook of parts that knows no codes: one for each part, the part itself."""
    rest = next((part for part, given in enumerate(parts.background) if given), None)
    return Codebook(view.split.centroids, parts.centroids, parts.centroids[:, None].copy(), rest)


def _seen(book: Codebook, found: Found, index: int) -> SeenPicture:
    image = np.asarray(open_picture(found.files[index], max_side=_WALL_SIDE))
    kind = found.classes[index] if found.classes else ""
    return SeenPicture(str(found.files[index]), kind, image, book.segment_picture(found.features[index], image).labels)


def _kinds(found: Found) -> tuple[str, ...]:
    return found.classes or ("",) * len(found.files)


def _wished(given: Any, usual: tuple[bool, ...]) -> tuple[bool, ...]:
    """Which parts are background, as asked where that is a value for each part."""
    return tuple(bool(one) for one in given) if given and len(given) == len(usual) else usual


def _note(models: Models, view: _View, parts: Parts, asked: int) -> str:
    """What a person should know about the parts of these pictures, in sentences."""
    said = []
    share = float(view.split.front.mean())
    if len(view.found.files) == 1:
        others = f" ({len(view.found.skipped)} were left out)" if view.found.skipped else ""
        said.append(f"There is only one picture to use{others}, so each part has one code.")
    if not _NO_OBJECT <= share <= 1 - _NO_OBJECT or view.split.likeness > _SAME_GROUND:
        said.append("No object stands out from the background in these pictures.")
    elif view.split.confidence < _UNSURE:
        said.append("It is not clear which is the background; flip it if the wall shows it wrong.")
    found = sum(len(group) for group in parts.members)
    if found < asked:
        said.append(f"Only {found} different parts could be found.")
    drawings = view.backbone.sees == "drawings"
    if drawings and models.keep(("photos", view.found.key), lambda: _mostly_photos(view.found)):
        said.append(f"These look like photos, and these eyes know drawings only; {PHOTO_EYES} sees photos.")
    return " ".join(said)


def _mostly_photos(found: Found) -> bool:
    asked = [found.files[index] for index in spread(_kinds(found), _PHOTOS_ASKED)]
    return 2 * sum(looks_like_a_photo(open_picture(file, max_side=512)) for file in asked) > len(asked)


def _meet() -> None:
    """Join the other processes where a launcher started several; on the processor, for only words are exchanged."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and dist.is_available() and not dist.is_initialized():
        dist.init_process_group("gloo")
