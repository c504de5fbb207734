"""What killed writes left behind: files and folders of the app's own, under names that only it gives."""

from __future__ import annotations

import contextlib
import re
import shutil
import stat
import time
from pathlib import Path
from typing import Final

from engine.core.on_disk import entries_of, is_folder, is_link, status_of

ABANDONED_S: Final = 24 * 3600.0
"""Seconds after which nobody is still writing: by then a write has ended or was killed."""

_FILE: Final = re.compile(r"\.[0-9a-f]{12}-part(\.\w+)?")
"""How :func:`engine.core.atomic_files.write_whole` calls what is not whole yet."""

IMPORTING: Final = ".importing-"
_FOLDER: Final = re.compile(rf"{re.escape(IMPORTING)}\w{{8}}")
"""How folders are called in which a pack is unpacked or put together before it is moved into its place."""


def sweep_leftovers(folder: Path) -> None:
    """Remove what writes into a folder left there when they were killed, more than a day ago. No link is followed and
    no other name touched; what cannot be removed stays. Never raises."""
    for path in entries_of(folder):
        as_folder, as_file = _FOLDER.fullmatch(path.name), _FILE.fullmatch(path.name)
        status = status_of(path, follow=False) if as_folder or as_file else None
        if status is None or time.time() - status.st_mtime < ABANDONED_S:
            continue
        if as_folder and stat.S_ISDIR(status.st_mode):
            shutil.rmtree(path, ignore_errors=True)
        elif as_file and stat.S_ISREG(status.st_mode):
            with contextlib.suppress(OSError):  # gone meanwhile, or not to be removed: it stays
                path.unlink()


def sweep_home(home: Path) -> None:
    """:func:`sweep_leftovers` for the user's folder and the folders in it, but for the models: what is fetched has
    names of its own and is gone on with. Links are not followed. Never raises."""
    waiting = [home]
    while waiting:
        place = waiting.pop()
        sweep_leftovers(place)
        folders = (path for path in entries_of(place) if path != home / "models" and not is_link(path))
        waiting += [path for path in folders if is_folder(path)]
