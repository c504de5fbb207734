"""Which kind each picture of a folder is: its subfolder, or what a ``labels.csv`` says."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath
from typing import Final

from engine.core.atomic_files import read_text
from engine.core.errors import UserError
from engine.core.image_files import LABELS
from engine.core.on_disk import is_file
from engine.core.unicode_text import unicode_text
from engine.worker.jobs import Problem

_FILE_COLUMNS: Final = ("file", "picture", "image", "filename", "path", "name")
_KIND_COLUMNS: Final = ("label", "class", "kind", "species", "category")
_HOW: Final = "Give it the columns file,label, such as: robin-1.jpg,Robin"
_HALVES: Final = frozenset(
    {"train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval", "holdout"}
)
"""Folders into which collections are parted for training and testing, in small letters."""
_FEW: Final = 0.1
"""Share of the pictures that may lie beside the folders of the kinds."""
_LISTED: Final = 20
"""Wrong rows that are told one by one; more of them are counted."""


def kinds_of(folder: Path, files: Sequence[Path]) -> tuple[tuple[str, ...], list[Problem]]:
    """The kind of each file, and what is wrong with the labels; no kinds if nothing sorts the pictures.

    A ``labels.csv`` in the folder (UTF-8; columns file,label or picture,class; commas, semicolons or tabs) goes first;
    a picture it does not name has the kind "". Else the folders in ``folder`` are the kinds, if there are two at least;
    a few pictures beside them have the kind "". An extra folder around them is looked through, and so are the halves of
    a collection (train, val, test). Problems of the sort "note" say what was taken for what. Raises :class:`UserError`
    for a ``labels.csv`` that says nothing about these pictures.
    """
    if is_file(folder / LABELS):
        return _labelled(folder, files)
    parents: list[tuple[str, ...]] = [file.relative_to(folder).parts[:-1] for file in files]
    notes: list[str] = []
    while (first := _layer_above_kinds(parents)) is not None:
        names = ", ".join(sorted(first))
        what = "are parts of one collection" if len(first) > 1 else "is a folder around the others"
        notes.append(f"{names} {what}: the kinds are the folders in {'them' if len(first) > 1 else 'it'}.")
        parents = [parent[1:] for parent in parents]
    kinds = {parent[0] for parent in parents if parent}
    beside = [file for file, parent in zip(files, parents, strict=True) if not parent]
    if len(kinds) < 2:
        return (), []
    if {kind.casefold() for kind in kinds} <= _HALVES:
        said = f"{', '.join(sorted(kinds))} are parts of one collection and no kinds: the pictures are not sorted."
        return (), _notes(folder, [said])
    if len(beside) > max(1, _FEW * len(files)):
        said = f"{len(beside)} of {len(files)} pictures lie beside the folders, so the folders are not taken for kinds."
        return (), _notes(folder, [said])
    if beside:
        others = f" and {len(beside) - 1} more" if len(beside) > 1 else ""
        verb = "lie" if len(beside) > 1 else "lies"
        notes.append(f"{beside[0].name}{others} {verb} beside the folders of the kinds, and so has no kind.")
    # Names that are no Unicode (unpacked from a foreign archive) are made so: they will be names of codes.
    return tuple(unicode_text(parent[0]) if parent else "" for parent in parents), _notes(folder, notes)


def _layer_above_kinds(parents: Sequence[tuple[str, ...]]) -> set[str] | None:
    """The folders of the first layer if they are no kinds and there are folders below: one around all, or the halves
    of a collection. A few pictures may lie beside them."""
    first = {parent[0] for parent in parents if parent}
    below = {parent[1] for parent in parents if len(parent) > 1}
    beside = sum(not parent for parent in parents)
    if not below or beside > max(1, _FEW * len(parents)):
        return None
    if {name.casefold() for name in first} <= _HALVES:
        return first
    return first if len(first) == 1 and len(below) > 1 else None


def _notes(folder: Path, said: Sequence[str]) -> list[Problem]:
    return [Problem(str(folder), "note", unicode_text(sentence)) for sentence in said]


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
        text = read_text(place)
    except OSError as error:
        raise UserError(f"{LABELS} cannot be read: {error.strerror}.", "Allow reading it, or remove it.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{LABELS} is not text in UTF-8.", "Save it as “CSV UTF-8”, or remove it.") from error
    lines = text.splitlines()
    said = re.fullmatch(r"\s*\"?sep=(.)\"?[\s,;]*", lines[0], re.IGNORECASE) if lines else None  # Excel asks for it
    lines = lines[1:] if said else lines
    header = lines[0] if lines else ""
    separator = said[1] if said else max(",;\t", key=header.count)
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
    for number, row in enumerate(rows[1:], 3 if said else 2):
        if any(cell.strip() for cell in row):
            cells = [*row, *[""] * (max(file, kind) + 1 - len(row))]
            entries.append((number, cells[file].strip(), unicodedata.normalize("NFC", cells[kind].strip())))
    return entries


def _key(text: str) -> str:
    """A name as it is compared: accents composed in one way, capitals alike."""
    return unicodedata.normalize("NFC", text).strip().casefold()
