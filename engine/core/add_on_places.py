"""Where the files of add-ons are on this computer: named by a recipe, found again when they have moved."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from engine.core.add_on import AddOn
from engine.core.add_on_file import look_at_add_on, sha256_of
from engine.core.atomic_files import read_json, write_cached
from engine.core.errors import UserError
from engine.core.json_values import json_bytes
from engine.core.model_places import added_folders
from engine.core.on_disk import files_below, is_file, resolved, status_of
from engine.core.paths import data_dir, models_dir

_KNOWN: Final = "add_ons.json"
_MOST_KNOWN: Final = 500


def add_on_of(path: Path, weight: float = 1.0) -> AddOn:
    """A file as a recipe keeps it. Raises :class:`UserError` as :func:`look_at_add_on`, and for a file that cannot be
    read."""
    file = look_at_add_on(path)
    return AddOn(file.kind, path.name, weight, _hash_of(path), str(resolved(path)))


def find_add_on(add_on: AddOn) -> Path | None:
    """The file of an add-on, None where it is nowhere: where it last was, where the same file was seen since, or by its
    name in the models folder and the added folders. Another file of that name is not it. Reads whole files, each once.
    """
    places = dict.fromkeys(_places(add_on))
    return next((place for place in places if is_file(place) and _is_it(place, add_on)), None)


def settled(add_on: AddOn) -> AddOn:
    """An add-on that says which file it is and where it was found; as it is, where it is nowhere."""
    path = find_add_on(add_on)
    return add_on if path is None else replace(add_on, sha256=_hash_of(path), path=str(resolved(path)))


def missing_add_on(add_on: AddOn) -> UserError:
    """The error for an add-on that is nowhere. Its ``model`` is where the file was last, so that the page of models
    opens, where the folder that has it now can be added."""
    last = Path(add_on.path)
    return UserError(
        f"The {add_on.noun} “{add_on.name}” of this recipe is not on this computer.",
        "Find the file, or take it off to render without it.",
        model=str(last if last.is_absolute() else models_dir() / (add_on.path or add_on.name)),
    )


def without_place(add_on: AddOn) -> AddOn:
    """An add-on for others' eyes: where it lies below the models folder or an added one, or nothing."""
    for root in (models_dir(), *added_folders()):
        if add_on.path and Path(add_on.path).is_relative_to(resolved(root)):
            return replace(add_on, path=Path(add_on.path).relative_to(resolved(root)).as_posix())
    return replace(add_on, path="")


def _places(add_on: AddOn) -> Iterator[Path]:
    hint = Path(add_on.path)
    roots = [models_dir(), *added_folders()]
    if add_on.path:
        yield from [hint] if hint.is_absolute() else [root / hint for root in roots]
    if add_on.sha256:
        yield from (Path(path) for path, row in _known().items() if _row_hash(row) == add_on.sha256)
    for root in roots:
        yield from files_below(root, _pattern_of(add_on.name), follow=True)


def _pattern_of(name: str) -> str:
    """A file's name as a pattern that fits it alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _is_it(path: Path, add_on: AddOn) -> bool:
    if not add_on.sha256:
        return path.name == add_on.name
    try:
        return _hash_of(path) == add_on.sha256
    except UserError:
        return False


def _hash_of(path: Path) -> str:
    """The SHA-256 of a file, remembered for as long as the file is as it was. Raises :class:`UserError`."""
    place = str(resolved(path))
    status = status_of(place)
    stamp = [status.st_size, status.st_mtime_ns] if status else []
    known = _known()
    if (row := known.get(place)) and row[1:] == stamp and (digits := _row_hash(row)):
        return digits
    try:
        digits = sha256_of(path)
    except OSError as error:
        reason = error.strerror or os.strerror(error.errno or 0)
        raise UserError(f"“{path.name}” cannot be read: {reason}.", "Check the file and its folder.") from error
    known = {place: [digits, *stamp], **{other: row for other, row in known.items() if other != place}}
    rows = dict(list(known.items())[:_MOST_KNOWN])
    write_cached(data_dir() / _KNOWN, json_bytes({"files": rows}), "the list of add-ons")
    return digits


def _known() -> dict[str, list[Any]]:
    """Hash, size and time of files seen before, by their paths."""
    files = read_json(data_dir() / _KNOWN).get("files")
    rows = files.items() if isinstance(files, dict) else ()
    return {path: row for path, row in rows if isinstance(row, list) and row and "\0" not in path}


def _row_hash(row: list[Any]) -> str:
    return row[0] if isinstance(row[0], str) else ""
