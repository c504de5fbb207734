"""Which kind each picture of a folder is: its subfolder, or what a ``labels.csv`` says."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath
from typing import Final

from engine.core.errors import UserError
from engine.core.unicode_text import unicode_text
from engine.worker.jobs import Problem

LABELS: Final = "labels.csv"

_FILE_COLUMNS: Final = ("file", "picture", "image", "filename", "path", "name")
_KIND_COLUMNS: Final = ("label", "class", "kind", "species", "category")
_HOW: Final = "Give it the columns file,label, such as: robin-1.jpg,Robin"
_LISTED: Final = 20
"""Wrong rows that are told one by one; more of them are counted."""


def kinds_of(folder: Path, files: Sequence[Path]) -> tuple[tuple[str, ...], list[Problem]]:
    """The kind of each file, and what is wrong with the labels; no kinds if nothing sorts the pictures.

    A ``labels.csv`` in the folder (UTF-8; columns file,label or picture,class; commas, semicolons or tabs) goes first;
    a picture it does not name has the kind "". Else the first folder under ``folder``, if all files are in folders, two
    at least. Raises :class:`UserError` for a ``labels.csv`` that says nothing about these pictures.
    """
    if (folder / LABELS).is_file():
        return _labelled(folder, files)
    firsts = [file.relative_to(folder).parts[:-1][:1] for file in files]
    if all(firsts) and len(set(firsts)) > 1:
        # Names that are no Unicode (unpacked from a foreign archive) are made so: they will be names of codes.
        return tuple(unicode_text(first[0]) for first in firsts), []
    return (), []


def _labelled(folder: Path, files: Sequence[Path]) -> tuple[tuple[str, ...], list[Problem]]:
    place = folder / LABELS
    rows = _read(place)
    full = {_key(file.relative_to(folder).as_posix()): index for index, file in enumerate(files)}
    short: dict[str, list[int]] = {}
    for index, file in enumerate(files):
        short.setdefault(_key(file.name), []).append(index)
        short.setdefault(_key(file.stem), []).append(index)
    kinds = [""] * len(files)
    wrong: list[str] = []
    for line, name, kind in rows:
        key = _key(PureWindowsPath(name).as_posix().removeprefix("./"))
        matches = [full[key]] if key in full else short.get(key, [])
        if not kind:
            wrong.append(f"Line {line} of {LABELS} has no label for {name or 'its picture'}.")
        elif len(matches) != 1:
            number = "several pictures" if matches else "no picture"
            wrong.append(f"Line {line} of {LABELS} names “{name}”, and there is {number} of that name.")
        elif kinds[matches[0]] and kinds[matches[0]] != kind:
            wrong.append(f"Line {line} of {LABELS} calls {name} {kind}, an earlier one {kinds[matches[0]]}.")
        else:
            kinds[matches[0]] = kind
    if not any(kinds):
        raise UserError(f"{LABELS} names none of the pictures beside it.", wrong[0] if wrong else _HOW)
    if len(wrong) > _LISTED:
        wrong = [*wrong[:_LISTED], f"{len(wrong) - _LISTED} more lines of {LABELS} are wrong."]
    if unnamed := kinds.count(""):
        wrong.append(f"{LABELS} does not name {unnamed} of the {len(files)} pictures.")
    return tuple(kinds), [Problem(str(place), "label", message) for message in wrong]


def _read(place: Path) -> list[tuple[int, str, str]]:
    """Line number, file and label of each row. Raises :class:`UserError` if it is no such table."""
    try:
        text = place.read_text("utf-8-sig")
    except OSError as error:
        raise UserError(f"{LABELS} cannot be read: {error.strerror}.", "Allow reading it, or remove it.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{LABELS} is not text in UTF-8.", "Save it as “CSV UTF-8”, or remove it.") from error
    lines = text.splitlines()
    header = lines[0] if lines else ""
    separator = max(",;\t", key=header.count)
    try:
        rows = list(csv.reader(lines, delimiter=separator))
    except csv.Error as error:
        raise UserError(f"{LABELS} is not a table: {error}.", _HOW) from error
    names = [_key(cell) for cell in rows[0]] if rows else []
    file = next((names.index(word) for word in _FILE_COLUMNS if word in names), None)
    kind = next((names.index(word) for word in _KIND_COLUMNS if word in names), None)
    if file is None or kind is None:
        raise UserError(f"{LABELS} lacks the columns file and label.", _HOW)
    entries = []
    for number, row in enumerate(rows[1:], 2):
        if any(cell.strip() for cell in row):
            cells = [*row, *[""] * (max(file, kind) + 1 - len(row))]
            entries.append((number, cells[file].strip(), unicodedata.normalize("NFC", cells[kind].strip())))
    return entries


def _key(text: str) -> str:
    """A name as it is compared: accents composed in one way, capitals alike."""
    return unicodedata.normalize("NFC", text).strip().casefold()
