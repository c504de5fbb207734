"""Pixels of any kind as upright RGB, a band of rows at a time, so that no second copy of a large picture is made."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

_BAND_PIXELS: Final = 1 << 21
"""Pixels that are converted together: grey values in floats take some 20 bytes each on the way."""

_AT_ONCE: Final = 64_000_000
"""Pixels of RGB that are made smaller without bands, which is quicker, with another copy of a fourth at most."""

_DEPTHS: Final = (8, 10, 12, 14, 16)
"""Bits that cameras and scanners put into words of 16."""

_ORIENTATION: Final = 0x0112
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF's orientation, and what turns it upright."""

_BRIGHTEST: Final = 4.0
"""Grey values in floats up to here are of 0..1 with highlights, as renderers write them."""


def upright_rgb(picture: Image.Image, max_side: int) -> Image.Image:
    """A decoded picture as RGB, turned as its camera was, no side longer than ``max_side`` pixels; transparency is laid
    on white. The picture itself is returned where nothing is to be done, and may be changed."""
    scale = min(1.0, max_side / max(picture.size))
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    turn = _TURNS.get(picture.getexif().get(_ORIENTATION, 1))
    if picture.mode != "RGB" or "transparency" in picture.info or size != picture.size:
        picture = _converted(picture, size)
    return picture if turn is None else picture.transpose(turn)


def is_turned(picture: Image.Image) -> bool:
    """Whether a picture is shown with width and height exchanged."""
    return picture.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)


def _converted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    if picture.mode == "RGB" and "transparency" not in picture.info and picture.width * picture.height <= _AT_ONCE:
        return picture.resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    grey = _grey_range(picture) if picture.mode.startswith(("I", "F")) else None
    result = Image.new("RGB", size)
    rows = max(1, _BAND_PIXELS * size[1] // (picture.width * picture.height))
    for top in range(0, size[1], rows):
        bottom = min(top + rows, size[1])
        start, end = (row * picture.height / size[1] for row in (top, bottom))
        first, last = math.floor(start), min(math.ceil(end), picture.height)
        band = _as_rgb(picture.crop((0, first, picture.width, last)), grey)
        if band.size != (size[0], bottom - top):
            box = (0.0, start - first, float(picture.width), end - first)
            band = band.resize((size[0], bottom - top), Image.Resampling.BOX, box, reducing_gap=2.0)
        result.paste(band, (0, top))
    return result


def _as_rgb(band: Image.Image, grey: tuple[float, float] | None) -> Image.Image:
    if grey is not None:
        low, high = grey
        values = np.nan_to_num(np.asarray(band, np.float32), nan=low, posinf=high, neginf=low)
        shares = (values - low) / max(high - low, 1e-9)
        return Image.fromarray((255 * shares.clip(0, 1)).round().astype(np.uint8)).convert("RGB")
    if "A" in band.getbands() or "transparency" in band.info:
        band = band.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", band.size, "white"), band).convert("RGB")
    return band if band.mode == "RGB" else band.convert("RGB")


def _grey_range(picture: Image.Image) -> tuple[float, float]:
    """The values that are black and white: those of 8, 10, 12, 14 or 16 bits, of 0..1, or the darkest and brightest."""
    low, high = _extremes(picture)
    if low >= 0 and picture.mode == "F" and high <= _BRIGHTEST:
        return 0.0, 1.0
    if picture.mode.startswith("I;16"):
        return 0.0, 2.0 ** next(bits for bits in _DEPTHS if high < 2**bits) - 1
    return (0.0, 255.0) if low >= 0 and high <= 255 else (low, high)


def _extremes(picture: Image.Image) -> tuple[float, float]:
    """The least and the largest finite value; 0 and 0 if there is none."""
    low, high = math.inf, -math.inf
    rows = max(1, _BAND_PIXELS // picture.width)
    for top in range(0, picture.height, rows):
        band = picture.crop((0, top, picture.width, min(top + rows, picture.height)))
        values: npt.NDArray[np.float32] = np.asarray(band, np.float32)
        finite = values[np.isfinite(values)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return (low, high) if high >= low else (0.0, 0.0)
