"""Which files belong to a pack: those that travel with it. No link leads them out of its folder."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

from engine.core.errors import UserError
from engine.core.on_disk import entries_of, exists, files_like, is_file
from engine.packs.pack import BEGINNINGS, CODE_PICTURES, CODEBOOK, LORA, MANIFEST, READER, TOKENS, Pack

_PAPERS: Final = re.compile(r"(licen[cs]e|readme|notice)\b.*", re.IGNORECASE)


def pack_files(pack: Pack) -> list[str]:
    """The names of a pack's files, with slashes, in order: its description, arrays, references, pictures of codes, and
    what it says of its licence. Nothing else in its folder belongs to it.

    Raises :class:`UserError` if one of them is a link out of the folder, or no file.
    """
    names = {MANIFEST, CODEBOOK, TOKENS, LORA, READER, BEGINNINGS}
    names |= {path.name for path in entries_of(pack.path) if _PAPERS.fullmatch(path.name)}
    for reference in pack.references:
        paths = (reference.image, reference.thumbnail, reference.labels)
        names |= {Path(path).relative_to(pack.path).as_posix() for path in paths}
    names |= {path.relative_to(pack.path).as_posix() for path in files_like(pack.path / CODE_PICTURES, "*.png")}
    there = [name for name in sorted(names) if exists(pack.path / name)]
    for name in there:
        if not is_file(pack.path / name) or not (pack.path / name).resolve().is_relative_to(pack.path.resolve()):
            raise UserError(
                f"“{name}” in the pack “{pack.path.name}” is not a file of its own.",
                "Put a copy of the file in its place, or get the pack again.",
            )
    return there


def copy_pack(pack: Pack, to: Path) -> Path:
    """Copy what belongs to a pack into a new folder, which is returned. Raises ``OSError``, and as
    :func:`pack_files`."""
    for name in pack_files(pack):
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(pack.path / name, to / name)
    return to
