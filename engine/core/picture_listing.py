"""What is in a folder of pictures: those that can be opened, and those that are left out, with the reason.

A folder as people have it also holds what no person put there: copies that file managers, servers and notebooks make,
recycle bins, and what this app wrote. None of that is a picture of the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.core.errors import UserError
from engine.core.image_files import SUFFIXES, open_image
from engine.core.on_disk import entries_of, is_file, is_folder, is_link, resolved

_OF_SYSTEMS: Final = frozenset(
    {
        "$recycle.bin", "recycler", "system volume information", "found.000", "lost+found", "__macosx", "@eadir",
        "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "network trash folder", "temporary items",
        "__pycache__",
    }
)  # fmt: skip
"""Folders that systems and servers make, in small letters; those with a dot in front are hidden anyway."""

_COPIES: Final = frozenset({"thumbnails", "_thumbnails", "thumbs", "_thumbs"})
"""Folders that programs fill with small copies of the pictures beside them."""

_PACK: Final = "pack.json"  # by which a pack is known, see engine.packs.pack
_PACKS_MAPS: Final = frozenset({"labels", "thumbnails", "codes"})
"""Folders of a pack that hold no picture that somebody chose."""

_MAPS: Final = re.compile(r"(.+)-(labels|parts)\.png", re.IGNORECASE)
"""The two files that the command ``segment`` writes for a picture; only both together are known by their names."""

_RAW: Final = (
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw",
    ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".srw", ".x3f",
)  # fmt: skip
_FOREIGN: Final = {
    ".heic": "HEIC", ".heif": "HEIF", ".hif": "HEIF", ".jxl": "JPEG XL", ".psd": "Photoshop", ".psb": "Photoshop",
    ".jp2": "JPEG 2000", ".j2k": "JPEG 2000", ".svg": "SVG", ".xcf": "GIMP", ".kra": "Krita", ".ora": "OpenRaster",
    ".tga": "Targa", ".ico": "icon", ".exr": "OpenEXR", ".hdr": "Radiance", ".eps": "EPS", ".jxr": "JPEG XR",
    **dict.fromkeys(_RAW, "camera raw"),
}  # fmt: skip
"""Endings of pictures that this app does not open, with what they are called."""

_BEGINNINGS: Final = re.compile(
    rb"\x89PNG\r\n|\xff\xd8\xff|RIFF....WEBP|GIF8[79]a|II\*\0|MM\0\*|BM....\0\0\0\0|....ftyp(avif|heic|heix|mif1)"
    rb"|\xff\x0a|\0\0\0\x0cJXL |8BPS",
    re.DOTALL,
)
"""How files of pictures begin, whatever they are called."""


CUT_OUT: Final = "partcraft-cut-out"
"""The text chunk by which a PNG says that it is a creature or a part that the app saved on nothing."""


def is_cut_out(path: Path) -> bool:
    """Whether a file is a PNG that says so by :data:`CUT_OUT`; False for one that cannot be read."""
    try:
        with open_image(path, ("PNG",)) as picture:
            return CUT_OUT in picture.info
    except (OSError, ValueError, SyntaxError, UserError):
        return False


@dataclass(frozen=True)
class LeftOut:
    """What of a folder is not used, and why: a file of another "format", a file that is the app's "own", or a "note"
    on a folder; ``message`` is a sentence that names it."""

    path: Path
    what: str
    message: str


@dataclass(frozen=True)
class PictureListing:
    """The pictures of a folder and the folders in it, sorted by path, and what was left out."""

    pictures: tuple[Path, ...]
    left_out: tuple[LeftOut, ...] = ()


def picture_files(folder: Path | str) -> list[Path]:
    """The pictures of :func:`list_pictures`."""
    return list(list_pictures(folder).pictures)


def list_pictures(folder: Path | str) -> PictureListing:
    """What is in a folder and the folders in it, also those behind links, each looked into once. Hidden files, hidden
    folders and those of systems are passed over without a word.

    Raises :class:`UserError` if there is no such folder or it has no pictures.
    """
    folder = Path(folder)
    if not is_folder(folder):
        raise UserError(f"There is no folder {folder}.", "Choose a folder with pictures.")
    left_out: list[LeftOut] = []
    pictures = sorted(_walk(folder, left_out))
    names = {str(path) for path in pictures}
    maps = {path for path in pictures if (match := _MAPS.fullmatch(path.name)) and _has_both(path, match[1], names)}
    left_out += [LeftOut(path, "own", f"{path.name} is a label map that PartCraft wrote.") for path in sorted(maps)]
    pictures = [path for path in pictures if path not in maps]
    if not pictures:
        hint = next((one.message for one in left_out), "Choose a folder with PNG, JPEG or WebP pictures.")
        raise UserError(f"There are no pictures in {folder}.", hint)
    return PictureListing(tuple(pictures), tuple(left_out))


def _walk(top: Path, left_out: list[LeftOut]) -> Iterator[Path]:
    """The files with the suffix of a picture. Breadth first and by name, so that it is always the same one of several
    ways into a folder that counts; a real folder before links to it."""
    waiting, real_top = [top], resolved(top)
    seen = {str(real_top)}
    while waiting:
        inside: list[Path] = []
        for place in waiting:
            for path in entries_of(place):
                if path.name.startswith("."):
                    continue
                if is_folder(path):
                    if not _is_passed_over(path, top, left_out):
                        inside.append(path)
                elif path.suffix.lower() in SUFFIXES:
                    if is_file(path):
                        yield path
                elif (reason := _why_not(path)) and is_file(path):
                    left_out.append(LeftOut(path, "format", reason))
        waiting = []
        for path in sorted(inside, key=lambda path: (is_link(path), path)):
            real = resolved(path)
            if str(real) not in seen and not real_top.is_relative_to(real):
                seen.add(str(real))
                waiting.append(path)


def _is_passed_over(folder: Path, top: Path, left_out: list[LeftOut]) -> bool:
    name = folder.name.casefold()
    if name in _OF_SYSTEMS:
        return True
    if is_file(folder / _PACK):
        why = "it is a pack"
    elif is_file(folder.parent / _PACK) and name in _PACKS_MAPS:
        why = "a pack keeps its own pictures there"
    elif name in _COPIES:
        why = "programs keep small copies under that name"
    else:
        return False
    left_out.append(LeftOut(folder, "note", f"The folder {folder.relative_to(top).as_posix()} is left out: {why}."))
    return True


def _has_both(path: Path, stem: str, names: set[str]) -> bool:
    return all(str(path.with_name(f"{stem}-{kind}.png")) in names for kind in ("labels", "parts"))


def _why_not(path: Path) -> str:
    """Why a file that may be a picture is not opened; empty for one that is none."""
    if kind := _FOREIGN.get(path.suffix.lower()):
        return f"{path.name} ({kind}) is of a kind that PartCraft does not open: save it as PNG or JPEG."
    if not path.suffix and is_file(path):
        try:
            with path.open("rb") as file:
                begins_so = _BEGINNINGS.match(file.read(16))
        except OSError:
            return ""
        if begins_so:
            return f"{path.name} looks like a picture but has no ending: add one, such as .jpg or .png."
    return ""
