"""The creations on disk: listed newest first, put aside when deleted, brought back when wanted."""

from __future__ import annotations

import fnmatch
import os
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from engine.core.errors import UserError
from engine.core.leftovers import sweep_leftovers
from engine.core.on_disk import entries_of, exists, is_file, is_folder, is_link
from engine.core.paths import free_file
from engine.core.png_metadata import read_creation
from engine.core.recipe import Creation
from engine.core.trash import is_due
from partcraft_desktop.app.creation_index import Stamp, read_creations, stamp_of

ASIDE: Final = ".deleted"
"""The folder inside the output folder where deleted creations wait."""

_LONGEST_NAME: Final = 200
"""Bytes of a name in that folder, behind the time: no file system takes 255 and a time."""

_OURS: Final = re.compile(r"([0-9a-f]{15,16})-.+\.png", re.IGNORECASE)
"""How files in that folder are called: when they came there, and what they were called."""


@dataclass(frozen=True)
class DeletedCreation:
    """A deleted creation: what it was, and where its file waits."""

    creation: Creation
    path: Path

    @property
    def when(self) -> float:
        """When it was deleted, in seconds since 1970."""
        return _deleted_at(self.path) or 0.0


@dataclass
class Restored:
    """What came of bringing creations back: those that are back, with the paths they have now; those whose files are
    gone; those that could not be moved, with the last error."""

    back: list[Creation] = field(default_factory=list)
    gone: list[DeletedCreation] = field(default_factory=list)
    refused: list[DeletedCreation] = field(default_factory=list)
    error: OSError | None = None


def move_to_trash(creations: Iterable[Creation]) -> list[DeletedCreation]:
    """Move creations into the waiting folder beside them. One whose file is gone already is left out.

    Raises ``OSError`` if a file cannot be moved; those moved before are moved back.
    """
    moved: list[DeletedCreation] = []
    try:
        for creation in creations:
            path = Path(creation.path)
            folder = path.parent / ASIDE
            folder.mkdir(exist_ok=True)
            target = free_file(folder / f"{time.time_ns():015x}-{_cut_short(path)}")
            try:
                path.replace(target)
            except FileNotFoundError:
                continue
            moved.append(DeletedCreation(creation, target))
            os.utime(target)
    except OSError:
        restore_from_trash(moved)
        raise
    return moved


def restore_from_trash(deleted: Iterable[DeletedCreation]) -> Restored:
    """Move deleted creations to where they were, or beside that if another file has taken their name."""
    restored = Restored()
    for item in deleted:
        try:
            if not _is_ours(item.path):
                restored.gone.append(item)
                continue
            place = Path(item.creation.path)
            place.parent.mkdir(parents=True, exist_ok=True)
            target = free_file(place)
            item.path.replace(target)
            restored.back.append(replace(item.creation, path=str(target)))
        except OSError as error:
            restored.refused.append(item)
            restored.error = error
    return restored


def trashed_in(folder: Path, stop: Callable[[], bool] = lambda: False) -> list[DeletedCreation]:
    """The deleted creations that wait in a folder, the one deleted last first. ``stop`` is asked between files: true
    ends the search."""
    found: list[DeletedCreation] = []
    for path in _waiting(folder):
        if stop():
            break
        try:
            creation = read_creation(path)
        except UserError:
            continue  # damaged: it waits until it is swept, but there is nothing to show
        found.append(DeletedCreation(_as_before(creation, folder, path), path))
    return sorted(found, key=lambda item: item.when, reverse=True)


def _as_before(creation: Creation, folder: Path, path: Path) -> Creation:
    """A creation read from its file in the waiting folder, with the paths it had before: its own, and that of the
    picture beside it that it began with."""
    recipe = creation.recipe
    start = recipe.start and recipe.start.named_from(path.parent).found_from(folder)
    return replace(creation, path=str(folder / path.name.partition("-")[2]), recipe=replace(recipe, start=start))


def delete_for_good(paths: Iterable[Path]) -> None:
    """Remove files that wait in the folder of deleted creations; others are left alone. Raises ``OSError``."""
    for path in paths:
        if _is_ours(path):
            path.unlink(missing_ok=True)


def purge_trash(folder: Path, keep: Collection[Path] = ()) -> None:
    """Remove what has waited for thirty days, but for ``keep``. Only files that :func:`move_to_trash`
    put there go: no link is followed, no folder entered, no other name touched. What cannot be removed waits on."""
    for path in _waiting(folder):
        try:
            if path not in keep and is_due(_deleted_at(path) or 0.0):
                path.unlink()
        except OSError:
            continue


def _cut_short(path: Path) -> str:
    """A file's name with room for a time before it."""
    room = _LONGEST_NAME - len(os.fsencode(path.suffix))
    stem = os.fsencode(path.stem)
    return path.name if len(stem) <= room else stem[:room].decode("utf-8", "ignore") + path.suffix


def _waiting(folder: Path) -> list[Path]:
    """The files of ours in the waiting folder of a folder."""
    aside = folder / ASIDE
    return [path for path in entries_of(aside) if _is_ours(path)]


def _is_ours(path: Path) -> bool:
    """Whether a path is a plain file that was put into a waiting folder: not a link, not behind one."""
    is_there = is_folder(path.parent) and is_file(path) and not is_link(path.parent) and not is_link(path)
    return is_there and path.parent.name == ASIDE and _OURS.fullmatch(path.name) is not None


def _deleted_at(path: Path) -> float | None:
    match = _OURS.fullmatch(path.name)
    return int(match[1], 16) / 1e9 if match else None


def creations_in(folder: Path, keep: Collection[Path] = ()) -> tuple[Creation, ...]:
    """The creations in a folder, newest first: PNGs that remember a recipe. Others are left out. Before, what was
    deleted long ago is swept, but for ``keep``, and what killed writes left.

    An absent folder has none. Raises ``OSError`` if it cannot be read, or is a file.
    """
    try:
        with os.scandir(folder) as entries:
            # Those with a dot are half written, or hidden by somebody.
            names = [entry.path for entry in entries if fnmatch.fnmatch(entry.name, "[!.]*.png")]
    except (FileNotFoundError, ValueError):  # the latter: a name that no disk takes
        return ()
    except NotADirectoryError:
        if exists(folder):
            raise
        return ()
    purge_trash(folder, keep)
    sweep_leftovers(folder)
    return newest_first(read_creations(folder, _stamped(names)))


def _stamped(paths: Iterable[str]) -> Iterator[tuple[str, Stamp]]:
    for path in paths:
        try:
            yield path, stamp_of(Path(path).stat())
        except OSError:
            continue  # gone meanwhile, or behind a link that leads nowhere


def newest_first(creations: Iterable[Creation]) -> tuple[Creation, ...]:
    """In the order of the gallery."""
    return tuple(sorted(creations, key=lambda creation: (creation.created, creation.path), reverse=True))
