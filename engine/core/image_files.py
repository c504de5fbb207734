"""Opening pictures from anywhere, without trust: any common format in, plain RGB out, or one sentence why not.

This is the only module that calls Pillow's ``open``: without a list of formats it hands EPS, whatever the file is
called, to Ghostscript, which is a programming language.
"""

from __future__ import annotations

import stat
import warnings
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from engine.core.errors import UserError

SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".jfif"})
"""What a folder of pictures is searched for; :func:`open_picture` itself looks at the content, not at the name."""

FORMATS: Final = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "AVIF")
"""Formats that Pillow decodes itself, by content. Every other is refused unread."""

_MOST_PIXELS: Final = 200_000_000  # to decode: 800 MB at most; Pillow's own gate stands at 179 million
_SMALLER: Final = "Make it smaller in another program, then open it again."
_SEE: Final = "Open a PNG, JPEG, WebP, BMP, GIF or TIFF picture."


def open_picture(path: Path | str, max_side: int = 4096) -> Image.Image:
    """A picture as RGB, upright, the first frame if it moves, no side longer than ``max_side`` pixels.

    CMYK, 16-bit, palette and grey pictures are converted; transparency is laid on white. Raises :class:`UserError` for
    what is missing, empty, damaged, not a picture, or larger than memory should be asked for.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with open_image(path) as picture:
                if picture.mode != "CMYK":
                    picture.draft("RGB", (max_side, max_side))  # a JPEG is decoded at a fraction of its size
                if picture.width * picture.height > _MOST_PIXELS:
                    raise UserError(f"{path.name} is too large to open.", _SMALLER)
                picture.load()
                return _upright_rgb(picture, max_side)
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(f"{path.name} is not there any more.", "It may have been moved or deleted.") from error
    except IsADirectoryError as error:
        raise UserError(f"{path.name} is a folder, not a picture.", _SEE) from error
    except PermissionError as error:
        where = "is a folder, not a picture" if path.is_dir() else "may not be read"
        raise UserError(f"{path.name} {where}.", "Allow reading it, or choose another.") from error
    except Image.UnidentifiedImageError as error:
        empty = path.is_file() and path.stat().st_size == 0
        raise UserError(f"{path.name} is {'empty' if empty else 'not a picture this app can read'}.", _SEE) from error
    except MemoryError as error:
        too_large = f"{path.name} is too large for the memory that is free."
        raise UserError(too_large, "Make it smaller first.", "memory") from error
    except Exception as error:
        raise UserError(f"{path.name} is damaged and cannot be read to its end.", "Get the file again.") from error


def read_label_map(path: Path | str) -> npt.NDArray[np.uint8]:
    """A label map as packs keep them: the grey values of a PNG, uint8 (H, W). Raises :class:`UserError`."""
    path = Path(path)
    again = "Get the pack again."
    try:
        with open_image(path, ("PNG",)) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise UserError(f"{path.name} is too large to open.", again)
            return np.asarray(picture if picture.mode in ("L", "P") else picture.convert("L"))
    except FileNotFoundError as error:
        raise UserError(f"{path.name} is not there any more.", again) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f"{path.name} is damaged and cannot be read.", again) from error
    except MemoryError as error:
        raise UserError(f"{path.name} is too large for the memory that is free.", again, "memory") from error


def picture_files(folder: Path | str) -> list[Path]:
    """The picture files of a folder and the folders in it, sorted by name. Raises :class:`UserError` if there is no
    such folder or it has none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.", "Choose a folder with pictures.")
    pictures = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    if not pictures:
        raise UserError(f"There are no pictures in {folder}.", "Choose a folder with PNG, JPEG or WebP pictures.")
    return pictures


def open_image(path: Path | str, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """Pillow's open for :data:`FORMATS` (or some of them), not decoded yet; a huge JPEG is let through Pillow's gate,
    because it can be decoded at an eighth of its size. Raises what Pillow raises, :class:`UserError` for a picture that
    is too large."""
    path = Path(path)
    if _never_ends(path):
        raise UserError(f"{path.name} is not a picture this app can read.", _SEE)
    try:
        return Image.open(path, formats=formats)
    except Image.DecompressionBombError as error:
        with path.open("rb") as file:
            jpeg = file.read(3) == b"\xff\xd8\xff"
        if jpeg:
            return JpegImageFile(path)
        raise UserError(f"{path.name} is too large to open.", _SMALLER) from error


def _never_ends(path: Path) -> bool:
    """Whether a path leads to a pipe or a device, for which a reader might wait forever."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # opening it says what is wrong
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _upright_rgb(picture: Image.Image, max_side: int) -> Image.Image:
    if picture.mode.startswith(("I", "F")):
        info = picture.info
        picture = Image.fromarray(_eight_bits(np.asarray(picture, np.float32), picture.mode))
        picture.info = info
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
    elif picture.mode in ("1", "P"):
        picture = picture.convert("RGB")
    if max(picture.size) > max_side:
        scale = max_side / max(picture.size)
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        picture = picture.resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    ImageOps.exif_transpose(picture, in_place=True)  # else it copies also what is upright
    if picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _eight_bits(values: np.ndarray, mode: str) -> np.ndarray:
    """Grey values of any depth as uint8: 16 bits by their range, others as they are or between their extremes."""
    values = np.nan_to_num(values)
    low, high = (0.0, 65535.0) if mode.startswith("I;16") else (float(values.min()), float(values.max()))
    if low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    return ((values - low) * (255.0 / max(high - low, 1e-9))).round().clip(0, 255).astype(np.uint8)
