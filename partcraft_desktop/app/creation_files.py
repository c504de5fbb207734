"""The creations on disk: listed newest first, put aside when deleted, brought back when wanted."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.core.errors import UserError
from engine.core.png_metadata import read_creation
from engine.core.recipe import Creation

ASIDE: Final = ".deleted"
"""The folder inside the output folder where deleted creations wait."""

KEEP_DELETED_S: Final = 30 * 24 * 3600.0
"""How long a deleted creation can still be found in that folder."""


@dataclass(frozen=True)
class DeletedCreation:
    """A deleted creation: what it was, and where its file waits."""

    creation: Creation
    path: Path


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
            target = folder / f"{time.time_ns():x}-{path.name}"
            try:
                path.replace(target)
            except FileNotFoundError:
                continue
            os.utime(target)
            moved.append(DeletedCreation(creation, target))
    except OSError:
        restore_from_trash(moved)
        raise
    return moved


def restore_from_trash(asides: Iterable[DeletedCreation]) -> list[Creation]:
    """Move deleted creations to where they were. Raises ``OSError``."""
    back: list[Creation] = []
    for aside in asides:
        aside.path.replace(aside.creation.path)
        back.append(aside.creation)
    return back


def purge_trash(folder: Path) -> None:
    """Remove what has waited longer than ``KEEP_DELETED_S``. A file that cannot be removed waits on."""
    try:
        waiting = list((folder / ASIDE).iterdir())
    except OSError:
        return
    for path in waiting:
        try:
            if time.time() - path.stat().st_mtime > KEEP_DELETED_S:
                path.unlink()
        except OSError:
            continue


def creations_in(folder: Path) -> tuple[Creation, ...]:
    """The creations in a folder, newest first: PNGs that remember a recipe. Others are left out.

    An absent folder has none. Raises ``OSError`` if it cannot be read.
    """
    if not folder.exists():
        return ()
    purge_trash(folder)
    creations: list[Creation] = []
    for path in folder.glob("*.png"):
        try:
            creations.append(read_creation(path))
        except UserError:
            continue  # Somebody's other picture, or one that is damaged: not ours to show or complain about.
    return newest_first(creations)


def newest_first(creations: Iterable[Creation]) -> tuple[Creation, ...]:
    """In the order of the gallery."""
    return tuple(sorted(creations, key=lambda creation: (creation.created, creation.path), reverse=True))
