"""Where things are kept, and how they are written: whole or not at all."""

from __future__ import annotations

import itertools
import os
import re
import stat
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import platformdirs

from engine.core.errors import UserError
from engine.core.on_disk import resolved

_LONGEST_NAME: Final = 255
"""Bytes of a name that disks take."""

_DEVICES: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)$", re.IGNORECASE)
"""What Windows takes for a device, whatever the suffix behind it."""


def package_root() -> Path:
    """The folder that holds the packages ``engine`` and ``partcraft_desktop``."""
    return Path(__file__).resolve().parents[2]


def resources_dir() -> Path:
    """The bundled resources: inside a frozen program, in the window's package where a wheel put them (``setup.py``),
    else beside the packages."""
    frozen = getattr(sys, "_MEIPASS", None)
    if frozen:
        return Path(frozen) / "resources"
    return _resources_beside()


@cache
def _resources_beside() -> Path:
    """Asked of the disk once: the window wants resources all the time, on the Qt thread."""
    installed = package_root() / "partcraft_desktop" / "resources"
    return installed if installed.is_dir() else package_root() / "resources"


def data_dir() -> Path:
    """The user's folder: ``PARTCRAFT_HOME``, or the platform's place for user data. Not created here. Raises
    :class:`UserError` where there is no home."""
    home = os.environ.get("PARTCRAFT_HOME")
    try:
        return resolved(Path(home or platformdirs.user_data_dir("PartCraft", appauthor=False)).expanduser())
    except RuntimeError as error:  # a user without a home folder, as in some containers
        raise UserError("There is no home folder to keep anything in.", "Set PARTCRAFT_HOME to a folder.") from error


def make_home(home: Path | None = None) -> None:
    """Make the user's folder (or ``home``) if it is not there, and close it to everybody else. Raises ``OSError``.

    Left as it is if it is somebody else's, the user's whole home, or was opened on purpose: writable for everybody or
    for a group other than the user's own, or made to hand its group down. Closing it would lock others out of what
    they share.
    """
    home = home or data_dir()
    if not home.is_dir():
        home.parent.mkdir(parents=True, exist_ok=True)
        home.mkdir(mode=0o700, exist_ok=True)
    elif os.name == "posix" and not _is_shared(home):
        home.chmod(0o700)


def _is_shared(folder: Path) -> bool:
    status = folder.stat()
    opened = status.st_mode & (stat.S_ISGID | stat.S_ISVTX | stat.S_IWOTH)
    grouped = status.st_mode & stat.S_IWGRP and status.st_gid != os.getgid()
    return bool(opened or grouped) or status.st_uid != os.getuid() or folder == Path("~").expanduser()


def packs_dir() -> Path:
    """The user's own packs."""
    return data_dir() / "packs"


def creations_dir() -> Path:
    """Where creations go unless a setting or ``--out`` says otherwise."""
    return data_dir() / "creations"


def models_dir() -> Path:
    """Downloaded models."""
    return data_dir() / "models"


def bundled_models_dir() -> Path:
    """Models that came with the app, or were fetched by its set-up."""
    return resources_dir() / "models"


def cache_dir() -> Path:
    """What can be computed again."""
    return data_dir() / "cache"


def logs_dir() -> Path:
    """Logs of the engine's process."""
    return data_dir() / "logs"


def trash_dir() -> Path:
    """Deleted packs wait here, so that deleting can be undone."""
    return data_dir() / "trash"


def starter_pack() -> Path:
    """The folder of the starter pack."""
    return resources_dir() / "starter" / "pack"


def local_model_folder(id: str) -> Path | None:
    """The folder of a model id if it is on this computer: "starter/..." in the bundled resources, else a folder's path,
    in the models folder, or among the models that came with the app. None if it is in none of them; the Hugging Face
    cache is not looked at."""
    if not id:
        return None
    try:
        here = Path(id).expanduser()
        # A name is one below these folders; only a path that was chosen may walk upwards.
        named = [] if ".." in Path(id).parts else [models_dir() / id, bundled_models_dir() / id]
        if id.startswith("starter/"):
            here, named = resources_dir() / id, []
        for place in [here, *named]:
            if place.is_dir() and not _was_brought(place.resolve()):
                return place.resolve()
        return None
    except (OSError, RuntimeError):  # a name that no file system takes, or the home of somebody who is not here
        return None


def _was_brought(folder: Path) -> bool:
    """Whether a folder is in what packs and runs bring along: models are the user's or the app's own."""
    return any(folder.is_relative_to(place.resolve()) for place in (packs_dir(), trash_dir()))


def slug(text: str, otherwise: str, lower: bool = True) -> str:
    """A file's or folder's name for a text, on every system: letters of any script and digits stay, the rest becomes
    dashes; 64 characters and 180 bytes at most. ``otherwise`` if nothing is left."""
    name = re.sub(r"[^\w-]+", "-", text).strip("-_.")[:64].encode(errors="ignore")[:180].decode(errors="ignore")
    name = f"{name}-1" if _DEVICES.match(name) else name
    return (name.lower() if lower else name) or otherwise


def free_stem(folder: Path, stem: str, endings: Sequence[str], numbered: bool = False) -> str:
    """``stem``, or the first of stem-2, stem-3, ... with which no name that ends in one of ``endings`` is taken in a
    folder: not by a file, a folder or a link, wherever that leads. It is cut short where the names would be longer than
    a disk takes. ``numbered``: the first has a number, too."""
    longest = max(len(ending.encode("utf-8", "surrogatepass")) for ending in endings)
    for number in itertools.count(1):
        tail = "" if number == 1 and not numbered else f"-{number}"
        candidate = _cut(stem, _LONGEST_NAME - len(tail) - longest) + tail
        if not any(os.path.lexists(folder / f"{candidate}{ending}") for ending in endings):
            return candidate
    raise AssertionError("numbers never end")


def free_file(path: Path, numbered: bool = False) -> Path:
    """A path that is not taken, as :func:`free_stem` finds it: this one, or with a number before the suffix. Not
    made."""
    return path.with_name(free_stem(path.parent, path.stem, (path.suffix,), numbered) + path.suffix)


def free_folder(parent: Path, name: str) -> Path:
    """A folder ``parent/name`` that is not there yet, with a number behind the name if need be. Not made."""
    return parent / free_stem(parent, name, ("",))


def _cut(text: str, most: int) -> str:
    """A text of so many bytes at most."""
    encoded = text.encode("utf-8", "surrogatepass")
    return text if len(encoded) <= most else encoded[: max(most, 1)].decode("utf-8", "ignore")


def runs_dir() -> Path:
    """Where runs are, unless a plan says otherwise."""
    return data_dir() / "runs"
