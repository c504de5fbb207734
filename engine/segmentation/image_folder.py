"""A folder of pictures: which of them can be used, what is wrong with the others, and of what kind each one is.

What was seen of a file (the digest of its bytes, a tiny copy to know it again by) is remembered by its path, size and
time, so that a folder is read once. Nothing here needs eyes.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.core.atomic_files import write_cached
from engine.core.errors import UserError
from engine.core.image_files import note_on, open_picture, picture_size
from engine.core.on_disk import is_folder, resolved, status_of
from engine.core.paths import cache_dir
from engine.core.picture_listing import is_cut_out, list_pictures
from engine.core.unicode_text import unicode_text
from engine.segmentation.class_labels import kinds_of
from engine.worker.jobs import REMARKS, Problem, Progress, Report, Survey, Surveyed

TINY: Final = 32
"""A picture with a shorter side than this shows too little."""

_NOTES: Final = 3
"""Pictures that lack a little are named each, up to so many."""
_THUMB: Final = 12
_SAVE_EVERY: Final = 2000
_BLOCK: Final = 64
_RATIO: Final = 1.03
_COARSE: Final = 4
_EDGE: Final = 0.3
"""Pictures are compared with those whose mean colours fall into the same coarse step, or nearly so."""

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class FileFacts:
    """What a file is: the digest of its bytes, its sides in pixels, a tiny copy uint8 (12, 12, 3), and the sentence
    why it cannot be used ("unreadable", "tiny" or "own") if so, else what it lacks. What is remembered of an unchanged
    file is the same object."""

    digest: str
    sides: tuple[int, int]
    thumb: Bytes
    fault: str = ""
    message: str = ""


@dataclass(frozen=True)
class ImageFolder:
    """The pictures of a folder that can be used, in order; ``kinds[i]`` is what sort picture i is, empty where nothing
    says so (``kinds`` is empty if the folder is not sorted at all); and what is wrong with the others."""

    place: Path
    pictures: tuple[Path, ...]
    kinds: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def survey(models: object, job: Survey, report: Report) -> Surveyed:
    """Look through a folder. The engine's handler of :class:`Survey`. Raises :class:`UserError`."""
    folder = read_image_folder(Path(job.folder), report)
    counts = Counter(kind for kind in folder.kinds if kind)
    pictures = tuple(str(path) for path in folder.pictures)
    return Surveyed(str(folder.place), pictures, tuple(sorted(counts.items())), folder.problems)


def read_image_folder(place: Path, report: Report) -> ImageFolder:
    """A folder's pictures without the unreadable, the tiny and the duplicates, which are listed.

    Raises :class:`UserError` if there is no such folder, it goes away, or nothing in it can be used.
    """
    place = place.absolute()
    report(Progress("Listing pictures", 0, 0))
    listing = list_pictures(place)
    files = listing.pictures
    facts = identify_files(files, report)
    kinds, on_kinds = kinds_of(place, files)
    problems = [Problem(str(one.path), one.what, one.message) for one in listing.left_out]
    used: list[int] = []
    for index, (file, file_facts, twin) in enumerate(zip(files, facts, _twins_of(tuple(facts)), strict=True)):
        if file_facts.fault:
            problems.append(Problem(str(file), file_facts.fault, file_facts.message))
        elif twin is not None:
            other = files[twin].relative_to(place).as_posix()
            how = "is the same file as" if facts[twin].digest == file_facts.digest else "shows the same picture as"
            problems.append(Problem(str(file), "duplicate", f"{file.name} {how} {other}."))
        else:
            used.append(index)
    if not used:
        raise UserError(
            f"None of the pictures in {place.name} can be used (there are {len(files)}).",
            next((problem.message for problem in problems if problem.what not in REMARKS), "Choose another folder."),
        )
    notes = _notes_on([(files[index], facts[index].message) for index in used if facts[index].message])
    chosen = tuple(kinds[index] for index in used) if kinds else ()
    return ImageFolder(place, tuple(files[index] for index in used), chosen, (*on_kinds, *notes, *problems))


def _notes_on(noted: Sequence[tuple[Path, str]]) -> list[Problem]:
    """What is said of pictures that are used and lack a little: of each, or of many together."""
    if len(noted) <= _NOTES:
        return [Problem(str(file), "note", message) for file, message in noted]
    file = noted[0][0]
    message = f"The last bytes of {len(noted)} pictures are missing, such as {file.name}: a little of them may be grey."
    return [Problem(str(file), "note", unicode_text(message))]


def without(folder: ImageFolder, left_out: Sequence[str]) -> ImageFolder:
    """A folder without some pictures: paths below it, with slashes. Raises :class:`UserError` if none is left."""
    gone = set(left_out)
    kept = [i for i, file in enumerate(folder.pictures) if file.relative_to(folder.place).as_posix() not in gone]
    if not kept:
        raise UserError("Every picture was left out.", "Take some in again.")
    kinds = tuple(folder.kinds[index] for index in kept) if folder.kinds else ()
    return replace(folder, pictures=tuple(folder.pictures[index] for index in kept), kinds=kinds)


def identify_files(files: Sequence[Path], report: Report) -> list[FileFacts]:
    """What each file is; files that were seen before and have not changed since are not read again.

    Raises :class:`UserError` if the folder of the files goes away.
    """
    memory = _FactsOnDisk()
    facts: list[FileFacts] = []
    try:
        with ThreadPoolExecutor(max(1, min(8, os.cpu_count() or 1))) as pool:
            for start in range(0, len(files), _BLOCK):
                block = files[start : start + _BLOCK]
                remembered = [memory.recall(file) for file in block]
                fresh = [file for file, file_facts in zip(block, remembered, strict=True) if file_facts is None]
                if fresh:
                    report(Progress("Looking through the folder", start, len(files)))
                fresh_facts: Iterator[FileFacts] = pool.map(_facts_of, fresh)
                for file, file_facts in zip(block, remembered, strict=True):
                    if file_facts is None:
                        file_facts = next(fresh_facts)
                        memory.keep(file, file_facts)
                    facts.append(file_facts)
    finally:
        memory.save()
    return facts


def _facts_of(file: Path) -> FileFacts:
    """Read one file."""
    empty_thumb = np.zeros((_THUMB, _THUMB, 3), np.uint8)
    digest = ""
    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
        picture = open_picture(file, max_side=8 * _THUMB)
        sides = _sides(file, picture)
    except (OSError, UserError) as error:
        if not is_folder(file.parent):
            raise missing_folder_error(file.parent) from error
        message = error.message if isinstance(error, UserError) else f"{file.name} cannot be read: {error.strerror}."
        return FileFacts(digest, (0, 0), empty_thumb, "unreadable", message)
    thumb = np.asarray(picture.resize((_THUMB, _THUMB), Image.Resampling.BOX))
    if min(sides) < TINY:
        return FileFacts(digest, sides, thumb, "tiny", f"{file.name} is tiny: {sides[0]} x {sides[1]} pixels.")
    if file.suffix.lower() == ".png" and is_cut_out(file):
        return FileFacts(digest, sides, thumb, "own", f"{file.name} is a cut-out that PartCraft saved.")
    return FileFacts(digest, sides, thumb, message=note_on(picture))


def missing_folder_error(folder: Path) -> UserError:
    """What to say of a folder that was there before."""
    return UserError(
        f"The folder {folder.name} is not there any more.",
        "Bring it back (is a drive unplugged?), then start again: what was looked at is kept.",
    )


def _sides(file: Path, picture: Image.Image) -> tuple[int, int]:
    """Width and height of the file's picture, of which ``picture`` may be a smaller copy."""
    return picture.size if max(picture.size) < 8 * _THUMB else picture_size(file)


@lru_cache(maxsize=2)
def _twins_of(facts: tuple[FileFacts, ...]) -> tuple[int | None, ...]:
    """For each picture the number of an earlier one that is the same, or None; kept, for a folder is asked for again
    with every number of parts."""
    same = _NearDuplicates(facts)
    twins: list[int | None] = []
    for index, file_facts in enumerate(facts):
        twin = None if file_facts.fault else same.find(index)
        if twin is None and not file_facts.fault:
            same.add(index)
        twins.append(twin)
    return tuple(twins)


class _NearDuplicates:
    """Pictures met so far, to ask whether one is among them: the same bytes, or the same picture saved again or
    turned, as happens where a camera's note of how it was held gets lost."""

    def __init__(self, facts: Sequence[FileFacts]) -> None:
        self._facts = facts
        self._thumbs = np.stack([file_facts.thumb for file_facts in facts]).astype(np.int16)
        self._means = self._thumbs.mean(axis=(1, 2)) / _COARSE
        # What saving again changes is small beside what a picture shows; flat pictures must be more alike.
        self._allowed = np.clip(0.15 * self._thumbs.std(axis=(1, 2, 3)), 1, 5)
        self._digests: dict[str, int] = {}
        self._near: dict[tuple[int, ...], list[int]] = {}

    def add(self, index: int) -> None:
        """Remember a picture."""
        self._digests[self._facts[index].digest] = index
        self._near.setdefault(tuple(np.floor(self._means[index]).astype(int).tolist()), []).append(index)

    def find(self, index: int) -> int | None:
        """The number of a picture that is the same, or None."""
        facts = self._facts[index]
        if facts.digest in self._digests:
            return self._digests[facts.digest]
        low, high = (np.floor(self._means[index] + by).astype(int).tolist() for by in (-_EDGE, _EDGE))
        red, green, blue = ({lower, upper} for lower, upper in zip(low, high, strict=True))
        for place in ((r, g, b) for r in red for g in green for b in blue):
            near = self._near.get(place)
            if near is None:
                continue
            for turns in range(4):  # by quarters: a turn keeps the mean, so they are near
                apart = np.abs(self._thumbs[near] - np.rot90(self._thumbs[index], turns)).max(axis=(1, 2, 3))
                across, down = facts.sides if turns % 2 == 0 else facts.sides[::-1]
                for at in np.flatnonzero(apart <= self._allowed[index]):
                    sides = self._facts[near[at]].sides
                    if 1 / _RATIO < (sides[0] * down) / (sides[1] * across) < _RATIO:
                        return near[at]
        return None


class _FactsOnDisk:
    """What is known of files, on disk, a file for each folder of pictures; a change of size or time forgets."""

    def __init__(self) -> None:
        self._known: dict[Path, dict[str, tuple[tuple[int, int], FileFacts]]] = {}
        self._changed: set[Path] = set()
        self._unsaved = 0

    def recall(self, file: Path) -> FileFacts | None:
        """What was seen of a file, if it has not changed since."""
        stamp, facts = self._folder(file.parent).get(file.name, (None, None))
        return facts if stamp is not None and stamp == _stamp(file) else None

    def keep(self, file: Path, facts: FileFacts) -> None:
        """Remember a file."""
        stamp = _stamp(file)
        if stamp is not None and facts.digest:
            self._folder(file.parent)[file.name] = stamp, facts
            self._changed.add(file.parent)
            self._unsaved += 1
            if self._unsaved >= _SAVE_EVERY:
                self.save()

    def save(self) -> None:
        """Write what is new."""
        from safetensors.numpy import save

        for folder in self._changed:
            remembered = self._known[folder]
            arrays = {
                "stamps": np.array([stamp for stamp, _ in remembered.values()], np.int64),
                "sides": np.array([facts.sides for _, facts in remembered.values()], np.int64),
                "thumbs": np.stack([facts.thumb for _, facts in remembered.values()]),
            }
            rows = [(name, facts.digest, facts.fault, facts.message) for name, (_, facts) in remembered.items()]
            text = {key: "\n".join(_flat(row[at]) for row in rows) for at, key in enumerate(_WORDS)}
            write_cached(_facts_place(folder), save(arrays, text), "what is known of the pictures")
        self._changed.clear()
        self._unsaved = 0

    def _folder(self, folder: Path) -> dict[str, tuple[tuple[int, int], FileFacts]]:
        if folder not in self._known:
            place = _facts_place(folder)
            self._known[folder] = dict(_read_facts(place, _stamp(place)))
        return self._known[folder]


_WORDS: Final = ("names", "digests", "faults", "messages")


@lru_cache(maxsize=64)
def _read_facts(place: Path, stamp: tuple[int, int] | None) -> dict[str, tuple[tuple[int, int], FileFacts]]:
    """What was seen of a folder's files, with their stamps; ``stamp`` is there to notice that it was written again."""
    from safetensors import SafetensorError, safe_open

    if stamp is None:
        return {}
    try:
        with safe_open(place, "numpy") as file:
            stamps, sides, thumbs = (file.get_tensor(name) for name in ("stamps", "sides", "thumbs"))
            columns: list[list[str]] = [(file.metadata() or {})[key].split("\n") for key in _WORDS]
    except (OSError, SafetensorError, KeyError):
        return {}  # damaged: the files are read again
    rows = zip(stamps.tolist(), sides.tolist(), thumbs, *columns, strict=False)
    return {
        name: ((time[0], time[1]), FileFacts(digest, (side[0], side[1]), thumb, fault, message))
        for time, side, thumb, name, digest, fault, message in rows
    }


def _flat(text: str) -> str:
    # A name with a line break, or that is no Unicode, is only read anew each time.
    return unicode_text(text).replace("\n", " ")


def _facts_place(folder: Path) -> Path:
    key = hashlib.blake2b(os.fsencode(resolved(folder)), digest_size=16).hexdigest()
    return cache_dir() / "pictures" / f"{key}.safetensors"


def _stamp(file: Path) -> tuple[int, int] | None:
    """Size and time of a file; None if it is gone."""
    status = status_of(file)
    return None if status is None else (status.st_size, status.st_mtime_ns)
