"""The app's trash: folders that were deleted and can be brought back, for thirty days.

What the app puts there is called by eight hexadecimal digits and what it was called, and holds the file that tells its
kind. Nothing else there is listed or removed, and no link is followed.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.core.atomic_files import make_folder
from engine.core.errors import UserError
from engine.core.on_disk import entries_of, is_file, is_folder, is_link, status_of
from engine.core.paths import free_folder, trash_dir

KEEP_DELETED_S: Final = 30 * 24 * 3600.0
"""How long, in seconds, what was deleted can be brought back."""

_EARLIEST: Final = 1577836800.0
"""2020, in seconds since 1970. A clock that says less stands wrong, as without a battery; what was deleted by it is not
swept: nobody knows when it came."""

_OURS: Final = re.compile(r"[0-9a-f]{8}-.+", re.DOTALL)


@dataclass(frozen=True)
class Trashed:
    """A folder in the trash, and when it came there, in seconds since 1970."""

    path: Path
    when: float

    @property
    def name(self) -> str:
        """What it was called."""
        return self.path.name.partition("-")[2]


def is_due(when: float) -> bool:
    """Whether what was deleted then has waited long enough to go for good."""
    return time.time() - _counted_from(when) > KEEP_DELETED_S


def days_left(when: float) -> int:
    """How many days what was deleted then still waits, 0 for less than one."""
    return max(0, int((min(_counted_from(when), time.time()) + KEEP_DELETED_S - time.time()) // 86400))


def move_to_trash(folder: Path) -> Path:
    """Move a folder to the trash; where it is then. Raises :class:`UserError`."""
    trashed = make_folder(trash_dir(), "the trash") / f"{secrets.token_hex(4)}-{folder.name}"
    move_folder(folder, trashed)
    with contextlib.suppress(OSError):  # when it was deleted; it is deleted all the same
        os.utime(trashed)
    return trashed


def bring_back(trashed: Path, home: Path) -> Path:
    """Move a folder from the trash into ``home``, by the name it had or one beside it; where it is then. Raises
    :class:`UserError`."""
    return move_folder(trashed, free_folder(home, Trashed(trashed, 0).name))


def move_folder(folder: Path, destination: Path) -> Path:
    """Move a folder; where it is then. Raises :class:`UserError`."""
    try:
        make_folder(destination.parent)
        shutil.move(folder, destination)
    except OSError as error:
        raise UserError(f"{folder.name} could not be moved: {error.strerror}.", "Is it open in a program?") from error
    return destination


def in_trash(mark: str) -> list[Trashed]:
    """The folders in the trash that hold a file called ``mark``, the one deleted last first."""
    found = [(path, status_of(path)) for path in entries_of(trash_dir()) if is_trashed(path, mark)]
    # Moving leaves a folder's own time as it was, but not that of its entry.
    listed = [Trashed(path, max(status.st_mtime, status.st_ctime)) for path, status in found if status is not None]
    return sorted(listed, key=lambda trashed: trashed.when, reverse=True)


def is_trashed(path: Path, mark: str) -> bool:
    """Whether a path is a folder that the app put into the trash and that holds a file called ``mark``."""
    is_ours = path.parent == trash_dir() and _OURS.fullmatch(path.name) is not None
    return is_ours and not is_link(path) and is_folder(path) and is_file(path / mark)


def delete_for_good(trashed: Path, mark: str) -> None:
    """Remove a folder from the trash: nothing brings it back. What the app did not put there, and what links lead to,
    is left alone. Raises :class:`UserError`."""
    if not is_trashed(trashed, mark):
        return
    try:
        shutil.rmtree(trashed)
    except OSError as error:
        raise UserError(
            f"{trashed.name} could not be removed: {error.strerror}.", "Is it open in a program?"
        ) from error


def sweep_trash(marks: Collection[str]) -> None:
    """Remove what has waited longer than ``KEEP_DELETED_S`` and holds one of these files. What cannot be removed waits
    on. Never raises."""
    for mark in marks:
        for trashed in in_trash(mark):
            if is_due(trashed.when):
                with contextlib.suppress(UserError):
                    delete_for_good(trashed.path, mark)


def _counted_from(when: float) -> float:
    """From when on the time of what was deleted counts; now, where that is not known."""
    return when if when >= _EARLIEST else time.time()
