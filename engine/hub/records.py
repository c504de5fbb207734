"""What is known of files that were fetched: their digests, what is still on its way, whether they are as they were.

A fetched folder keeps them as huggingface_hub does: in ``.cache/huggingface/download``, a file of three lines beside
each (commit, digest, time). So either program knows what the other has fetched.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from engine.core.atomic_files import read_json, read_text, write_bytes
from engine.core.json_values import json_bytes
from engine.core.model_places import UNFINISHED
from engine.core.on_disk import files_below, is_file, resolved, size_of
from engine.core.paths import models_dir
from engine.hub.repository import HubFile

_RECORDS: Final = Path(".cache") / "huggingface" / "download"
_ABOUT: Final = UNFINISHED.with_name("about.json")
_UPDATE: Final = UNFINISHED.with_name("update.json")
"""As UNFINISHED, for another revision of a model that can be used meanwhile."""
_DIGEST: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Record:
    """Of which commit a fetched file is, and its digest (SHA-256, or git's blob id)."""

    commit: str
    digest: str


def record_of(folder: Path, path: str) -> Record | None:
    """What is known of a file below a model's folder; None if it was not fetched, or nobody kept a record."""
    try:
        lines = [line.strip() for line in read_text(_record_file(folder, path)).splitlines()]
    except (OSError, ValueError):
        return None
    if len(lines) < 2 or not _COMMIT.fullmatch(lines[0]) or not _DIGEST.fullmatch(lines[1]):
        return None
    return Record(*lines[:2])


def known_digest(folder: Path, path: str) -> str:
    """The digest that the hub told of a file of a model when it was fetched; empty if nothing is known. The hub's cache
    names files by it; a fetched folder keeps it in records."""
    blob = resolved(folder / path)
    if blob.parent.name == "blobs" and _DIGEST.fullmatch(blob.name):
        return blob.name
    record = record_of(folder, path)
    return record.digest if record else ""


def records_in(folder: Path) -> dict[str, Record]:
    """Paths (with slashes) and records of all that was fetched into a model's folder."""
    root = folder / _RECORDS
    paths = [file.relative_to(root).as_posix().removesuffix(".metadata") for file in files_below(root, "*.metadata")]
    return {path: record for path in paths if (record := record_of(folder, path))}


def keep_record(folder: Path, file: HubFile, commit: str) -> None:
    """Remember that a file was fetched and verified. Raises :class:`UserError`."""
    place = _record_file(folder, file.path)
    place.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(place, f"{commit}\n{file.digest}\n{time.time()}\n".encode(), "the model")


def keep_license(folder: Path, license: str) -> None:
    """Remember what the hub called the licence of a model that was fetched. Raises :class:`UserError`."""
    write_bytes(folder / _ABOUT, json_bytes({"license": license}), "the model")


def license_of(folder: Path) -> str:
    """What the hub called a fetched model's licence; empty if it said nothing, or the model was not fetched."""
    license = read_json(folder / _ABOUT).get("license")
    return license if isinstance(license, str) else ""


def forget_license(folder: Path) -> None:
    """Know nothing more of a model that is gone."""
    (folder / _ABOUT).unlink(missing_ok=True)


def forget_record(folder: Path, file: HubFile) -> None:
    """Know nothing more of a file that is gone."""
    _record_file(folder, file.path).unlink(missing_ok=True)


def part_file(folder: Path, file: HubFile) -> Path:
    """Where a file grows until it is whole: another place for other contents, so that no two are mixed."""
    return folder / _RECORDS / f"{file.path}.{file.digest[:16]}.incomplete"


def is_here(folder: Path, file: HubFile) -> bool:
    """Whether a file of this size was fetched and verified as this one."""
    record = record_of(folder, file.path)
    place = folder / file.path
    return record is not None and record.digest == file.digest and is_file(place) and size_of(place) == file.size


def _record_file(folder: Path, path: str) -> Path:
    return folder / _RECORDS / f"{path}.metadata"


@dataclass(frozen=True)
class Unfinished:
    """A fetch that has not come to its end: of which model, at which revision, how many bytes in all and how many of
    them are here."""

    id: str
    revision: str
    size: int
    here: int


def mark_unfinished(folder: Path, id: str, revision: str, files: tuple[HubFile, ...], usable: bool = False) -> None:
    """Say that a fetch into a model's folder is on its way. ``usable``: what is there already stays as it is until all
    of the new is here. Raises :class:`UserError`."""
    place = folder / (_UPDATE if usable else UNFINISHED)
    place.parent.mkdir(parents=True, exist_ok=True)
    listed = [[file.path, file.size, file.digest] for file in files]
    write_bytes(place, json_bytes({"id": id, "revision": revision, "files": listed}), "the model")


def mark_finished(folder: Path) -> None:
    """Say that a model's folder has all that was to come."""
    (folder / _UPDATE).unlink(missing_ok=True)
    (folder / UNFINISHED).unlink(missing_ok=True)


def unfinished_in(folder: Path) -> Unfinished | None:
    """The fetch into a folder that has not come to its end; None if there is none, or its note is damaged."""
    document = _note(folder)
    files = unfinished_files(folder)
    id, revision = document.get("id"), document.get("revision")
    if not (isinstance(id, str) and isinstance(revision, str) and files):
        return None
    here = sum(file.size if is_here(folder, file) else size_of(part_file(folder, file)) for file in files)
    return Unfinished(id, revision, sum(file.size for file in files), here)


def unfinished_files(folder: Path) -> tuple[HubFile, ...]:
    """The files that an unfinished fetch is to bring, those that are here among them."""
    rows = _note(folder).get("files")
    return tuple(HubFile(*row) for row in rows if _is_row(row)) if isinstance(rows, list) else ()


def unfinished_fetches() -> list[Unfinished]:
    """All fetches into the models folder that wait to be gone on with."""
    notes = [*files_below(models_dir(), UNFINISHED.name), *files_below(models_dir(), _UPDATE.name)]
    folders = [note.parents[2] for note in notes if note.parent.name == "partcraft"]
    return [fetch for folder in dict.fromkeys(folders) if (fetch := unfinished_in(folder))]


def _note(folder: Path) -> dict[str, Any]:
    return read_json(folder / UNFINISHED) or read_json(folder / _UPDATE)


def _is_row(row: object) -> bool:
    return (
        isinstance(row, list)
        and len(row) == 3
        and isinstance(row[0], str)
        and type(row[1]) is int
        and isinstance(row[2], str)
        and _DIGEST.fullmatch(row[2]) is not None
        and ".." not in row[0]
    )
