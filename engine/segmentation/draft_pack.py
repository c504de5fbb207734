"""Draft packs: a codebook, references with their parts, and a picture of each code in one folder; tokens come later."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from engine.core.atomic_files import make_folder, system_fault
from engine.core.errors import UserError
from engine.core.image_files import open_picture
from engine.core.leftovers import IMPORTING, sweep_leftovers
from engine.core.on_disk import entries_of, exists, files_like, is_empty_folder, is_folder, is_link
from engine.core.paths import free_file, slug
from engine.core.segmentation import Segmentation
from engine.core.unicode_text import unicode_text
from engine.core.vocabulary import ABSENT
from engine.packs.codebook import Codebook
from engine.packs.pack import CODE_PICTURES, CODEBOOK, MANIFEST, TOKENS, Pack, Reference
from engine.packs.stand_ins import pictures_of
from engine.segmentation.codebook_fitting import FittedCodebook, unit_rows
from engine.segmentation.corrections import CORRECTIONS, NOT_CORRECTED, CorrectedPictures
from engine.segmentation.feature_cache import PictureFeatures
from engine.segmentation.reference_files import (
    cut_around,
    make_reference_folders,
    write_code_picture,
    write_reference,
)
from engine.segmentation.side_by_side import side_by_side

_REFERENCE_SIDE: Final = 1024
_CUT_SIDE: Final = 512
_PHOTOGRAPHS: Final = (".jpg", ".jpeg", ".jfif")
"""Of these, references are JPEGs, too: a third of a PNG on the disk, made in a thirtieth of the time."""

Step = Callable[[int, int], None]


def write_draft(
    pack: Pack,
    codebook: Codebook,
    clusters: FittedCodebook,
    features: PictureFeatures,
    references: int,
    step: Step,
    first: int = 0,
    corrected: CorrectedPictures = NOT_CORRECTED,
) -> Pack:
    """Write a draft pack's folder, ``pack.json`` last, so that a folder with one is whole.

    ``codebook`` may have ``first`` codes more than ``clusters``, before theirs. References that ``pack`` has stay.
    ``step`` is told how many pictures of how many are cut. Labels are as ``corrected``. Raises :class:`UserError`.
    """
    make_reference_folders(pack.path)
    codebook.save(pack.path / CODEBOOK)
    chosen = representative_indices(features.classes or ("",) * len(features.files), references)
    nearest = _nearest(pack, clusters)
    written: list[Reference] = []
    pictures = sorted({*chosen, *(index for index, _, _ in nearest)})

    def write(place: int) -> Reference | None:
        index = pictures[place]
        side = _REFERENCE_SIDE if index in chosen else _CUT_SIDE
        picture = open_picture(features.files[index], max_side=side)
        labels = corrected.segment(index, codebook, features.features[index], np.asarray(picture))
        for _, part, code in (entry for entry in nearest if entry[0] == index):
            write_code_picture(pack, part, code + first, cut_around(picture, labels.mask(part)))
        return _reference(pack, clusters, features, index, picture, labels, first) if index in chosen else None

    for done, reference in enumerate(side_by_side(write, len(pictures))):
        step(done, len(pictures))
        if reference:
            written.append(reference)
    step(len(pictures), len(pictures))
    pack = replace(pack, references=(*pack.references, *written))
    pack.save()
    return pack


def copy_references(extended: Pack, folder: Path) -> tuple[Reference, ...]:
    """Copy a pack's references, but for stand-ins, and code pictures into another pack's folder; the references as they
    are there. Raises :class:`UserError`."""
    make_reference_folders(folder)
    copied = []
    try:
        for reference in pictures_of(extended):
            name = f"known-{slug(reference.id, 'reference', lower=False)}"
            places: list[str] = []
            for kind, source in (
                ("references", reference.image),
                ("thumbnails", reference.thumbnail),
                ("labels", reference.labels),
            ):
                place = free_file(folder / kind / f"{name}{Path(source).suffix}")
                shutil.copyfile(source, place)
                places.append(str(place))
            image, thumbnail, labels = places
            copied.append(Reference(reference.id, reference.title, image, thumbnail, labels, reference.codes))
        for picture in files_like(extended.path / CODE_PICTURES, "*.png"):
            shutil.copyfile(picture, folder / CODE_PICTURES / picture.name)
    except OSError as error:
        raise UserError(
            f"The pack “{extended.title}” could not be copied: {error.strerror}.", "Make room, or get that pack again."
        ) from error
    return tuple(copied)


def require_place_for_draft(out: Path) -> None:
    """Raise :class:`UserError` where no draft can be: on a file, and on a pack with tokens, which may have been trained
    for hours."""
    if exists(out / TOKENS):
        raise UserError(f"There is a pack in {out} already.", "Choose another name for the new one.")
    if exists(out) and not is_folder(out):
        raise UserError(f"{out} is a file.", "Choose another name for the new pack.")


@contextlib.contextmanager
def draft_folder(out: Path) -> Iterator[Path]:
    """A folder to write a new draft into, which takes the place of ``out`` at the end. A draft that is there gives way
    only then: if anything goes wrong, ``out`` is as it was, and nothing is left of the new one.

    Raises :class:`UserError` as :func:`require_place_for_draft`, and if the system refuses.
    """
    require_place_for_draft(out)
    is_used = is_folder(out) and not is_empty_folder(out)
    home = make_folder(out if is_used else out.parent, "the pack")
    sweep_leftovers(home)
    try:
        place = tempfile.TemporaryDirectory(prefix=IMPORTING, dir=home)
    except OSError as error:
        raise system_fault(error, out, "the pack") from error
    with place:
        beside = make_folder(Path(place.name) / out.name, "the pack")
        try:
            yield beside
        except UserError as error:  # it names the place that is gone by now
            error.message, error.hint = (text.replace(place.name, str(home)) for text in (error.message, error.hint))
            raise
        try:
            _put_in_place(beside, out, is_used)
        except OSError as error:
            raise system_fault(error, out, "the pack") from error


def _put_in_place(draft: Path, out: Path, is_used: bool) -> None:
    if not is_used:
        if is_folder(out):
            out.rmdir()
        draft.rename(out)
        return
    for name in (MANIFEST, CORRECTIONS):  # without the first it is not whole until the new one is there
        (out / name).unlink(missing_ok=True)
    for piece in sorted(entries_of(draft), key=lambda path: path.name == MANIFEST):
        before = out / piece.name
        if is_folder(before) and not is_link(before):
            shutil.rmtree(before)
        else:
            before.unlink(missing_ok=True)
        piece.rename(before)


def representative_indices(kinds: Sequence[str], count: int) -> list[int]:
    """Which pictures stand for all: as many of each kind, and of a kind from all over the folder; in order."""
    groups: dict[str, list[int]] = {}
    for index, kind in enumerate(kinds):
        groups.setdefault(kind, []).append(index)
    ranked = []
    for group in groups.values():
        share = min(len(group), -(-count // len(groups)))
        places = np.linspace(0, len(group) - 1, share).round().astype(int) if share else []
        ranked += [(rank, group[place]) for rank, place in enumerate(places)]
    return sorted(index for _, index in sorted(ranked)[:count])


def _nearest(pack: Pack, clusters: FittedCodebook) -> list[tuple[int, int, int]]:
    """For each part that is shown and each of its codes that a picture has: picture, part, code."""
    codes = clusters.codes
    chosen = []
    for part in pack.vocabulary.visible_parts:
        features = unit_rows(codes.pooled[:, part.index])
        for code in np.unique(codes.codes[:, part.index]):
            if code == ABSENT:
                continue
            members = np.flatnonzero(codes.codes[:, part.index] == code)
            likeness = features[members] @ unit_rows(codes.centroids[part.index, code][None])[0]
            chosen.append((int(members[likeness.argmax()]), part.index, int(code)))
    return chosen


def _reference(
    pack: Pack,
    clusters: FittedCodebook,
    features: PictureFeatures,
    index: int,
    picture: Image.Image,
    labels: Segmentation,
    first: int,
) -> Reference:
    file = features.files[index]
    kind = features.classes[index] if features.classes else ""
    codes = tuple(
        ABSENT if ABSENT in (visible_code, code) else int(code) + first
        for visible_code, code in zip(labels.codes, clusters.codes.codes[index], strict=True)
    )
    return write_reference(
        pack,
        f"{index:05d}-{slug(file.stem, 'picture', lower=False)}",
        kind or unicode_text(file.stem),
        picture,
        Segmentation(labels.labels, codes),
        ".jpg" if file.suffix.lower() in _PHOTOGRAPHS else ".png",
    )
