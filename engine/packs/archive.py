"""``.partpack`` files: a pack's folder zipped, and the distrust with which one is opened."""

from __future__ import annotations

import contextlib
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

from engine.core.errors import UserError
from engine.core.paths import make_folder, write_whole
from engine.packs.codebook import NO_PART
from engine.packs.pack import BEGINNINGS, CODE_PICTURES, CODEBOOK, LORA, MANIFEST, TOKENS, Pack, Reference, free_folder

_AGAIN: Final = "Get the pack again, or remove it."
_MOST_BYTES: Final = 8 << 30
_MOST_FILES: Final = 50_000
_STORED: Final = {".png", ".jpg", ".jpeg", ".webp", ".safetensors"}  # already as small as they get


def check_files(pack: Pack, thorough: bool = False) -> None:
    """See that a pack's files are there, whole, and of the shapes its description says.

    ``thorough`` reads the references' pictures and labels too. Raises :class:`UserError` for the first fault.
    """
    pack.codebook()
    _check_tokens(pack)
    _shapes(pack, LORA)
    for reference in pack.references:
        for path in {reference.image, reference.thumbnail, reference.labels}:
            if not Path(path).is_file():
                raise UserError(f"The pack “{pack.path.name}” lacks {_inside(pack, path)}.", _AGAIN)
        if thorough:
            _check_reference(pack, reference)


def pack_up(pack: Pack, file: Path) -> Path:
    """Zip what belongs to a pack into ``file``, whole or not at all; its path, which ends in ``.partpack``.

    The pack is checked first. Raises :class:`UserError`.
    """
    check_files(pack, thorough=True)
    if file.suffix != ".partpack":
        file = file.with_name(f"{file.name}.partpack")
    names = {MANIFEST, CODEBOOK, TOKENS, LORA, BEGINNINGS}
    names |= {
        path.name for path in pack.path.iterdir() if re.fullmatch(r"(?i)(licen[cs]e|readme|notice)\b.*", path.name)
    }
    for reference in pack.references:
        names |= {_inside(pack, path) for path in (reference.image, reference.thumbnail, reference.labels)}
    names |= {path.relative_to(pack.path).as_posix() for path in (pack.path / CODE_PICTURES).glob("*.png")}

    def write(beside: Path) -> None:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in sorted(names):
                if (pack.path / name).is_file():
                    stored = zipfile.ZIP_STORED if Path(name).suffix in _STORED else zipfile.ZIP_DEFLATED
                    archive.write(pack.path / name, name, stored)

    write_whole(file, write, "the pack")
    return file


def unpack(file: Path, folder: Path, present: Sequence[Pack] = ()) -> Pack:
    """Unpack a ``.partpack`` into a folder of packs, after a thorough check beside its place.

    ``present`` are the packs already at hand: an equal one is returned instead, and one with the same id makes the new
    one take another. Raises :class:`UserError`; then ``folder`` is as it was.
    """
    make_folder(folder, "the folder of packs")
    with contextlib.ExitStack() as stack:
        beside = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".importing-", dir=folder)))
        there = beside / (_slug(file.stem) or "pack")
        try:
            _extract(file, there)
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
            raise UserError(f"{file.name} is not a whole pack.", "Get the file again.") from error
        except FileNotFoundError as error:
            raise UserError(f"{file.name} is not there any more.", "It may have been moved or deleted.") from error
        except OSError as error:
            reason = error.strerror or "the file is damaged"
            raise UserError(
                f"{file.name} cannot be unpacked: {reason}.", "Make room, or get the file again."
            ) from error
        pack = Pack.open(there)
        check_files(pack, thorough=True)
        for other in present:
            if _same(pack, other):
                return other
        taken = {other.id for other in present}
        if pack.id in taken:
            pack = replace(pack, id=next(f"{pack.id}-{n}" for n in range(2, 10_000) if f"{pack.id}-{n}" not in taken))
            pack.save()
        home = free_folder(folder, _slug(pack.id) or there.name)
        there.rename(home)
    return Pack.open(home)


def _extract(file: Path, there: Path) -> None:
    """Write the files of an archive under ``there``; names that lead elsewhere, links and bombs are refused."""
    with zipfile.ZipFile(file) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        names = [_safe_name(member, file) for member in members]
        root = _root(names)
        if root is None:
            raise UserError(f"{file.name} is not a pack: {MANIFEST} is missing.", "Choose a .partpack file.")
        size = sum(member.file_size for member in members)
        if size > _MOST_BYTES or len(members) > _MOST_FILES:
            raise UserError(f"{file.name} is too large to be a pack.", "Get the pack from someone you trust.")
        if size > shutil.disk_usage(there.parent).free:
            raise UserError(f"There is no room to unpack {file.name}.", f"It needs {size >> 20} MB of disk.")
        for member, name in zip(members, names, strict=True):
            if name.is_relative_to(root):
                target = there.joinpath(*name.relative_to(root).parts)
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


def _same(one: Pack, other: Pack) -> bool:
    try:
        if one.to_document() != other.to_document():
            return False
        return all(_bytes(one.path / name) == _bytes(other.path / name) for name in (CODEBOOK, TOKENS, LORA))
    except (OSError, ValueError):  # the other one is broken: then it is not the same
        return False


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _slug(text: str) -> str:
    """A name that is a folder's name everywhere; letters of any script stay."""
    return re.sub(r"[^\w-]+", "-", text).strip("-_.").lower()[:64]


def _check_tokens(pack: Pack) -> None:
    words = pack.vocabulary
    needed = (len(words.parts), words.codes_per_part)
    widths = pack.base_model.widths
    for name, shape in _shapes(pack, TOKENS).items():
        if name.rpartition(".")[2] in ("raw", "projected"):
            if len(shape) != 3 or shape[:2] != needed:
                raise UserError(
                    f"The tokens of “{pack.path.name}” do not fit it: {name} is {shape}, not {needed} and a width.",
                    _AGAIN,
                )
            if widths and shape[2] not in widths:
                raise UserError(
                    f"The tokens of “{pack.path.name}” are {shape[2]} wide, but its base model reads {widths}.", _AGAIN
                )


def _shapes(pack: Pack, name: str) -> dict[str, tuple[int, ...]]:
    """Shapes in a safetensors file, from its header; nothing if the pack has no such file."""
    from safetensors import SafetensorError, safe_open

    path = pack.path / name
    if not path.exists():
        return {}
    try:
        with safe_open(path, "numpy") as file:
            return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"The pack “{pack.path.name}” is damaged: {name} is not whole.", _AGAIN) from error


def _check_reference(pack: Pack, reference: Reference) -> None:
    import numpy as np
    from PIL import Image

    from engine.core.image_files import open_picture

    picture = open_picture(reference.image, max_side=1 << 20)
    open_picture(reference.thumbnail)
    try:
        with Image.open(reference.labels) as image:
            size, labels = image.size, np.asarray(image)
    except (OSError, ValueError, SyntaxError) as error:
        name = _inside(pack, reference.labels)
        raise UserError(f"The pack “{pack.path.name}” is damaged: {name} is not whole.", _AGAIN) from error
    right = labels.ndim == 2 and labels.dtype == np.uint8
    if not right or size != picture.size or labels[labels != NO_PART].max(initial=0) >= len(pack.vocabulary.parts):
        raise UserError(
            f"The labels of “{reference.title}” in the pack “{pack.path.name}” do not fit its picture.", _AGAIN
        )


def _inside(pack: Pack, path: str) -> str:
    return Path(path).relative_to(pack.path).as_posix()
