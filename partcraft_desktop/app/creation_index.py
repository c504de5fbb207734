"""What the PNGs of a folder remember, kept beside in SQLite so that a start need not open them all again.

Never the truth itself: a row holds for a file of the same size and times, everything else is read from the PNG again.
An index that is damaged, or of another version, is thrown away and made anew; one that cannot be written is done
without.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict
from os import stat_result
from pathlib import Path
from typing import Any, Final

from engine.core.errors import UserError
from engine.core.json_values import json_bytes
from engine.core.paths import cache_dir
from engine.core.png_metadata import read_creation
from engine.core.recipe import Arrival, Creation, Recipe, Rest

_VERSION: Final = 2
_PATIENCE_S: Final = 2.0
"""How long to wait for another window that writes."""

Stamp = tuple[int, int, int]
"""Size in bytes, and when a file was written and changed, in nanoseconds."""


def index_file() -> Path:
    """Where the index is; it may be deleted at any time."""
    return cache_dir() / "creations.sqlite"


def stamp_of(stat: stat_result) -> Stamp:
    """What tells whether a file is still the one that was read."""
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def read_creations(folder: Path, files: Iterable[tuple[str, Stamp]]) -> list[Creation]:
    """The creations among some PNGs of a folder (paths with stamps), in any order. Files that were read before and are
    the same are not opened; those that are no creations are left out."""
    files = list(files)
    known = _rows(folder)
    creations: list[Creation] = []
    fresh: list[tuple[Any, ...]] = []
    for path, stamp in files:
        row = known.pop(path, None)
        kept = _unpacked(path, row[3]) if row is not None and row[:3] == stamp else None
        if kept is not None:
            creations.extend(kept)
            continue
        try:
            creation = read_creation(path)
        except UserError:
            creation = None  # somebody's other picture, or one that is damaged: not ours to show or complain about
        if creation is not None:
            creations.append(creation)
        fresh.append((os.fsencode(folder), os.fsencode(path), *stamp, _packed(creation)))
    if fresh or known:
        _write(fresh, list(known))
    return creations


def _packed(creation: Creation | None) -> str:
    if creation is None:
        return ""
    receipt = [asdict(arrival) for arrival in creation.receipt]
    document = {"recipe": creation.recipe.to_json(), "receipt": receipt, "created": creation.created}
    document["revision"] = creation.revision
    if creation.rest:
        document["rest"] = creation.rest.to_document()
    return json_bytes(document).decode()


def _unpacked(path: str, text: Any) -> list[Creation] | None:
    """The creation of a row, none for a picture that is none; None if that is not what was written here."""
    if text == "":
        return []
    try:
        document = json.loads(text)
        receipt = tuple(Arrival(**row) for row in document["receipt"])
        recipe, rest = Recipe.from_json(document["recipe"]), Rest.from_document(document.get("rest"))
        return [Creation(path, recipe, receipt, str(document["created"]), str(document["revision"]), rest)]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _rows(folder: Path) -> dict[str, tuple[Any, ...]]:
    """What is kept of a folder's files; nothing where the index cannot be read."""
    try:
        with closing(_open()) as index:
            query = "SELECT path, size, written, changed, creation FROM creations WHERE folder = ?"
            return {os.fsdecode(path): tuple(row) for path, *row in index.execute(query, (os.fsencode(folder),))}
    except (sqlite3.DatabaseError, OSError, ValueError, TypeError) as error:
        _throw_away_if_damaged(error)
        return {}


def _write(fresh: list[tuple[Any, ...]], gone: list[str]) -> None:
    try:
        with closing(_open()) as index, index:
            index.executemany("DELETE FROM creations WHERE path = ?", [(os.fsencode(path),) for path in gone])
            index.executemany("INSERT OR REPLACE INTO creations VALUES (?, ?, ?, ?, ?, ?)", fresh)
    except (sqlite3.DatabaseError, OSError, ValueError, TypeError) as error:
        _throw_away_if_damaged(error)


def _open() -> sqlite3.Connection:
    """The index, made if it is not there or of another version. Raises ``sqlite3.DatabaseError``, ``OSError``."""
    path = index_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    index = sqlite3.connect(path, timeout=_PATIENCE_S)
    try:
        if index.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            with index:
                index.execute("DROP TABLE IF EXISTS creations")
                index.execute(
                    "CREATE TABLE creations (folder BLOB, path BLOB PRIMARY KEY,"
                    " size INTEGER, written INTEGER, changed INTEGER, creation TEXT)"
                )
                index.execute("CREATE INDEX by_folder ON creations (folder)")
                index.execute(f"PRAGMA user_version = {_VERSION}")
    except BaseException:
        index.close()
        raise
    return index


def _throw_away_if_damaged(error: Exception) -> None:
    """Remove an index that is no database any more; one that is only locked, or on a full disk, stays."""
    if isinstance(error, sqlite3.DatabaseError) and (
        not isinstance(error, sqlite3.OperationalError) or "no such" in str(error) or "has no column" in str(error)
    ):
        try:
            index_file().unlink(missing_ok=True)
        except OSError:
            return  # it is done without
