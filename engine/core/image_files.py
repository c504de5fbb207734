"""Opening pictures from anywhere, without trust: any common format in, plain RGB out, or one sentence why not.

This is the only module that calls Pillow's ``open``: without a list of formats it hands EPS, whatever the file is
called, to Ghostscript, which is a programming language.
"""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin
from PIL.JpegImagePlugin import JpegImageFile

from engine.core.deep_colour import is_shallow, raw_mode, stretch
from engine.core.errors import UserError
from engine.core.mended_pictures import NOTE, has_lost_its_foot, mended_file
from engine.core.on_disk import exists, is_file, is_folder, size_of
from engine.core.upright_rgb import is_turned, upright_rgb

SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".jfif"})
"""What a folder of pictures is searched for; :func:`open_picture` itself looks at the content, not at the name."""

FORMATS: Final = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "AVIF")
"""Formats that Pillow decodes itself, by content. Every other is refused unread."""

LABELS: Final = "labels.csv"
"""The table in a folder of pictures that may say what kinds they are."""

FULL_SIZE: Final = 1 << 20
"""The ``max_side`` with which no picture is made smaller."""

_MOST_BYTES: Final = 720_000_000
"""What a picture and its decoder may take: with all else, opening one takes 800 MB at most."""
MOST_LABELS: Final = 90_000_000
"""Pixels of a label map: as many as a picture of its size may have that is opened at full size."""
_DECODERS: Final = {"WEBP": 16, "AVIF": 9}
"""Bytes a pixel of formats that are decoded in several copies, as measured."""
_SMALLER: Final = "Make it smaller in another program, then open it again."
_SEE: Final = "Open a PNG, JPEG, WebP, BMP, GIF or TIFF picture."

PngImagePlugin.MAX_TEXT_CHUNK = 16 << 20  # colour profiles and editors' notes have a few MB; Pillow takes 1


def open_picture(path: Path | str, max_side: int = 4096) -> Image.Image:
    """A picture as RGB, upright, the first frame if it moves, no side longer than ``max_side`` pixels.

    CMYK, 16-bit, float, palette and grey pictures are converted; transparency is laid on white. One that lacks a little
    of its end is opened; :func:`note_on` says so. Raises :class:`UserError` for what is missing, empty, damaged, not a
    picture, or would take more than 800 MB.
    """
    path = Path(path)
    try:
        try:
            return _decoded(path, path, max_side)
        except (OSError, ValueError, SyntaxError):
            mended = mended_file(path)
            if mended is None:
                raise
            return _decoded_anyway(path, mended, max_side)
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(f"{path.name} is not there any more.", "It may have been moved or deleted.") from error
    except IsADirectoryError as error:
        raise UserError(f"{path.name} is a folder, not a picture.", _SEE) from error
    except PermissionError as error:
        where = "is a folder, not a picture" if is_folder(path) else "may not be read"
        raise UserError(f"{path.name} {where}.", "Allow reading it, or choose another.") from error
    except Image.UnidentifiedImageError as error:
        empty = is_file(path) and size_of(path) == 0
        raise UserError(f"{path.name} is {'empty' if empty else 'not a picture this app can read'}.", _SEE) from error
    except MemoryError as error:
        too_large = f"{path.name} is too large for the memory that is free."
        raise UserError(too_large, "Make it smaller first.", "memory") from error
    except Exception as error:
        raise UserError(f"{path.name} is damaged and cannot be read to its end.", "Get the file again.") from error


def note_on(picture: Image.Image) -> str:
    """A sentence on what an opened picture lacks; empty if nothing."""
    return str(picture.info.get(NOTE, ""))


def picture_size(path: Path | str) -> tuple[int, int]:
    """Width and height of a picture as it is shown at full size, from its header. Raises as :func:`open_image`."""
    path = Path(path)
    try:
        picture = open_image(path)
    except (OSError, ValueError, SyntaxError):
        mended = mended_file(path)
        if mended is None:
            raise
        picture = _opened(path, mended)
    with picture:
        return (picture.height, picture.width) if is_turned(picture) else picture.size


def read_label_map(path: Path | str) -> npt.NDArray[np.uint8]:
    """A label map as packs keep them: the grey values of a PNG, uint8 (H, W). Raises :class:`UserError`."""
    path = Path(path)
    again = "Get the pack again."
    try:
        with open_image(path, ("PNG",)) as picture:
            if picture.width * picture.height > MOST_LABELS:
                raise UserError(f"{path.name} is too large to open.", again)
            return np.asarray(picture if picture.mode in ("L", "P") else picture.convert("L"))
    except FileNotFoundError as error:
        raise UserError(f"{path.name} is not there any more.", again) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f"{path.name} is damaged and cannot be read.", again) from error
    except MemoryError as error:
        raise UserError(f"{path.name} is too large for the memory that is free.", again, "memory") from error


def open_image(path: Path | str, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """Pillow's open for :data:`FORMATS` (or some of them), not decoded yet; a huge JPEG is let through Pillow's gate,
    because it can be decoded at an eighth of its size. Raises what Pillow raises, :class:`UserError` for a picture that
    is too large."""
    path = Path(path)
    if _never_ends(path):
        raise UserError(f"{path.name} is not a picture this app can read.", _SEE)
    return _opened(path, path, formats)


def _opened(path: Path, source: Path | BytesIO, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(source, formats=formats)
    except Image.DecompressionBombError as error:
        with path.open("rb") as file:
            jpeg = file.read(3) == b"\xff\xd8\xff"
        if jpeg and "JPEG" in formats:
            return JpegImageFile(source)
        raise UserError(f"{path.name} is too large to open.", _SMALLER) from error


def _decoded(path: Path, source: Path | BytesIO, max_side: int) -> Image.Image:
    def opened() -> Image.Image:
        return _opened(path, source) if isinstance(source, BytesIO) else open_image(source)

    with opened() as picture:
        deep = raw_mode(picture)
        need = _companions(picture)
        picture.draft(None, (max_side, max_side))  # a JPEG is decoded at a fraction of its size
        need += _bytes_to_decode(picture, max_side)
        if need > _MOST_BYTES:
            raise UserError(f"{path.name} is too large to open.", _SMALLER)
        picture.load()
        if deep and is_shallow(picture):
            if need + 4 * picture.width * picture.height > _MOST_BYTES:
                raise UserError(f"{path.name} is too large to open.", _SMALLER)
            stretch(picture, deep, opened)
        return upright_rgb(picture, max_side)


def _decoded_anyway(path: Path, mended: BytesIO, max_side: int) -> Image.Image:
    """A picture from its mended file, with a note if something of it may be missing."""
    picture = _decoded(path, mended, max_side)
    if mended.getbuffer()[:1] == b"\xff":
        if has_lost_its_foot(picture):
            raise ValueError("too much of it is missing")
        picture.info[NOTE] = f"The last bytes of {path.name} are missing, so a little of the picture may be grey."
    return picture


def _companions(picture: Image.Image) -> int:
    """Bytes that a JPEG in several passes needs beside its pixels, at full size however small it is decoded: the
    numbers of all passes, two bytes each."""
    if not isinstance(picture, JpegImageFile) or not picture.info.get("progressive"):
        return 0
    layers = picture.layer  # number, and how many samples across and down
    samples = sum(layer[1] * layer[2] for layer in layers)
    full = max(layer[1] for layer in layers) * max(layer[2] for layer in layers)
    return 2 * picture.width * picture.height * samples // full


def _bytes_to_decode(picture: Image.Image, max_side: int) -> int:
    """Bytes that a picture takes while it is decoded and converted."""
    pixels = picture.width * picture.height
    each = 1 if picture.mode in ("1", "L", "P") else 2 if picture.mode.startswith("I;16") else 4
    if picture.format == "TIFF":
        each *= 2  # it may be in one piece, which is read before it is spread
    scale = min(1.0, max_side / max(picture.size))
    return pixels * _DECODERS.get(picture.format or "", each) + round(4 * pixels * scale * scale)


def _never_ends(path: Path) -> bool:
    """Whether a path leads to a pipe or a device, for which a reader might wait forever."""
    return exists(path) and not is_file(path) and not is_folder(path)
