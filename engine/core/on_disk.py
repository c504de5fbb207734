"""Questions to the file system, none of which raises: what cannot be looked at is not there.

``pathlib`` raises for a folder that may not be entered, a name longer than a disk takes, a NUL in it, a drive that went
away. Paths come from saved sessions, packs, plans and people, so any of them may be such a one; code asks here instead.
"""

from __future__ import annotations

import fnmatch
import os
import stat
from pathlib import Path


def status_of(path: Path | str, follow: bool = True) -> os.stat_result | None:
    """What the system says of a file or folder (of the link itself, if links are not followed); None if it says
    nothing."""
    try:
        return os.stat(path, follow_symlinks=follow)  # noqa: PTH116 - Path.stat would be forbidden here, too
    except (OSError, ValueError):
        return None


def is_file(path: Path | str) -> bool:
    """Whether there is a plain file, or a link to one."""
    status = status_of(path)
    return status is not None and stat.S_ISREG(status.st_mode)


def is_folder(path: Path | str) -> bool:
    """Whether there is a folder, or a link to one."""
    status = status_of(path)
    return status is not None and stat.S_ISDIR(status.st_mode)


def is_link(path: Path | str) -> bool:
    """Whether there is a link, wherever it leads."""
    status = status_of(path, follow=False)
    return status is not None and stat.S_ISLNK(status.st_mode)


def exists(path: Path | str) -> bool:
    """Whether there is anything, or a link to anything."""
    return status_of(path) is not None


def is_empty_folder(path: Path | str) -> bool:
    """Whether there is a folder with nothing in it; False where nobody may look."""
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is None
    except (OSError, ValueError):
        return False


def size_of(path: Path | str) -> int:
    """Bytes of a file; 0 where there is none."""
    status = status_of(path)
    return status.st_size if status is not None else 0


def entries_of(folder: Path | str) -> list[Path]:
    """What is in a folder, sorted by name; nothing where it cannot be read."""
    try:
        return sorted(Path(entry.path) for entry in os.scandir(folder))
    except (OSError, ValueError):
        return []


def files_like(folder: Path | str, pattern: str) -> list[Path]:
    """What is in a folder under names like "*.png" (capital letters matter), sorted; nothing where it cannot be
    read. As in a shell, names with a dot in front, such as those of half written files, are asked for with a dot."""
    found = (path for path in entries_of(folder) if path.name.startswith(".") == pattern.startswith("."))
    return [path for path in found if fnmatch.fnmatchcase(path.name, pattern)]


def files_below(folder: Path | str, pattern: str = "*", follow: bool = False) -> list[Path]:
    """Files under names like "*.png" in a folder and in the folders in it, sorted; what cannot be read is passed over.
    Links to folders are not followed, or each folder is looked into once."""
    if not is_folder(folder):  # a walk raises for a name that no disk takes
        return []
    found: list[Path] = []
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=follow):
        if follow:
            real = os.path.realpath(place)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
        found += [path for name in fnmatch.filter(names, pattern) if is_file(path := Path(place, name))]
    return sorted(found)


def resolved(path: Path | str) -> Path:
    """The path with links followed; as it is, made absolute, where links lead in a circle or no disk takes the name."""
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError, ValueError):
        return Path(path).absolute()
