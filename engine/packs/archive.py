"""``.partpack`` files: a pack's folder zipped, and the distrust with which one is opened."""

from __future__ import annotations

import contextlib
import filecmp
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

from engine.core.atomic_files import make_folder, write_whole
from engine.core.errors import UserError
from engine.core.leftovers import IMPORTING
from engine.core.on_disk import exists, is_file, is_folder
from engine.core.paths import free_folder, slug
from engine.core.unicode_text import unicode_text
from engine.packs.contents import pack_files
from engine.packs.pack import CODEBOOK, LORA, MANIFEST, READER, TOKENS, Pack
from engine.packs.validation import check_pack

_MOST_BYTES: Final = 8 << 30
_MOST_FILES: Final = 50_000
_STORED: Final = {".png", ".jpg", ".jpeg", ".webp", ".safetensors"}  # already as small as they get


def write_archive(pack: Pack, file: Path) -> Path:
    """Zip what belongs to a pack into ``file``, whole or not at all; its path, which ends in ``.partpack``.

    The pack is checked first. Raises :class:`UserError`.
    """
    check_pack(pack, thorough=True)
    if file.suffix != ".partpack":
        file = file.with_name(f"{file.name}.partpack")
    names = pack_files(pack)
    for name in names:
        if unicode_text(name) != name:
            raise UserError(
                f"“{unicode_text(name)}” in the pack “{pack.title}” cannot be packed: its name is not Unicode.",
                f"Rename the file, and its entry in {MANIFEST}.",
            )

    def write(beside: Path) -> None:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                stored = zipfile.ZIP_STORED if Path(name).suffix in _STORED else zipfile.ZIP_DEFLATED
                archive.write(pack.path / name, name, stored)

    write_whole(file, write, "the pack")
    return file


def read_archive(file: Path, folder: Path, present: Sequence[Pack] = ()) -> Pack:
    """Unpack a ``.partpack`` into a folder of packs, after a thorough check beside its place.

    ``present`` are the packs already at hand: an equal one is returned instead, and one with the same id makes the new
    one take another. Raises :class:`UserError`; then ``folder`` is as it was.
    """
    if exists(file) and not is_file(file):
        what = "a folder" if is_folder(file) else "a pipe or a device"
        raise UserError(f"{file.name} is {what}, not a pack's file.", "Choose a .partpack file.")
    make_folder(folder, "the folder of packs")
    with contextlib.ExitStack() as stack:
        beside = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=IMPORTING, dir=folder)))
        unpacked = beside / (slug(file.stem, "pack"))
        try:
            _extract(file, unpacked)
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
            raise UserError(f"{file.name} is not a whole pack.", "Get the file again.") from error
        except FileNotFoundError as error:
            raise UserError(f"{file.name} is not there any more.", "It may have been moved or deleted.") from error
        except OSError as error:
            reason = error.strerror or "the file is damaged"
            raise UserError(
                f"{file.name} cannot be unpacked: {reason}.", "Make room, or get the file again."
            ) from error
        pack = Pack.open(unpacked)
        check_pack(pack, thorough=True)
        for other in present:
            if _same(pack, other):
                return other
        ids = {other.id for other in present}
        if pack.id in ids:
            pack = replace(pack, id=next(f"{pack.id}-{n}" for n in range(2, 10_000) if f"{pack.id}-{n}" not in ids))
            pack.save()
        home = free_folder(folder, slug(pack.id, unpacked.name))
        unpacked.rename(home)
    return Pack.open(home)


def _extract(file: Path, unpacked: Path) -> None:
    """Write the files of an archive under ``unpacked``; names that lead elsewhere, links and bombs are refused."""
    with zipfile.ZipFile(file) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        names = [_safe_name(member, file) for member in members]
        root = _root(names)
        if root is None:
            raise UserError(f"{file.name} is not a pack: {MANIFEST} is missing.", "Choose a .partpack file.")
        size = sum(member.file_size for member in members)
        if size > _MOST_BYTES or len(members) > _MOST_FILES:
            raise UserError(f"{file.name} is too large to be a pack.", "Get the pack from someone you trust.")
        if size > shutil.disk_usage(unpacked.parent).free:
            raise UserError(f"There is no room to unpack {file.name}.", f"It needs {size >> 20} MB of disk.")
        for member, name in zip(members, names, strict=True):
            if name.is_relative_to(root):
                target = unpacked.joinpath(*name.relative_to(root).parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, target.open("xb") as goal:
                    shutil.copyfileobj(source, goal)  # zipfile itself stops at the size that was added up above


def _safe_name(member: zipfile.ZipInfo, file: Path) -> PurePosixPath:
    name = PurePosixPath(member.filename)
    strange = not name.parts or name.is_absolute() or ".." in name.parts or re.search(r"[\\:\0]", member.orig_filename)
    kind = stat.S_IFMT(member.external_attr >> 16)
    if strange or kind not in (0, stat.S_IFREG):
        raise UserError(
            f"{file.name} is not safe: it holds “{member.filename}”, which leads out of the pack.",
            "Get the pack from someone you trust.",
        )
    return name


def _root(names: Sequence[PurePosixPath]) -> PurePosixPath | None:
    """The folder in the archive that holds the manifest: its top, or the one folder at its top."""
    homes = [name.parent for name in names if name.name == MANIFEST and len(name.parts) <= 2]
    return min(homes, key=lambda home: len(home.parts), default=None)


def manifest_root(names: Sequence[str]) -> str | None:
    """What stands before the names of a pack's files in an archive: nothing, or a folder and a slash. None if it holds
    no pack."""
    homes = [name.removesuffix(MANIFEST) for name in names if name.rpartition("/")[2] == MANIFEST]
    return min((home for home in homes if home.count("/") <= 1), key=len, default=None)


def _same(pack: Pack, other: Pack) -> bool:
    try:
        if pack.to_document() != other.to_document():
            return False
        return all(_same_file(pack.path / name, other.path / name) for name in (CODEBOOK, TOKENS, LORA, READER))
    except (OSError, ValueError):  # the other one is broken: then it is not the same
        return False


def _same_file(path: Path, other: Path) -> bool:
    """Whether two files hold the same, or neither is there."""
    if is_file(path) and is_file(other):
        return filecmp.cmp(path, other, shallow=False)
    return not is_file(path) and not is_file(other)
