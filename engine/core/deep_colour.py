"""Colours of 16 bits a channel of which fewer are used, as cameras and scanners write them: 12 bits would be all but
black, for Pillow keeps the upper eight."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

_DEPTHS: Final = (8, 10, 12, 14)
_BAND_PIXELS: Final = 1 << 20
_OTHER_BYTE: Final = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
"""The order of bytes with which Pillow takes the lower of two for the upper one."""


def raw_mode(picture: Image.Image) -> str:
    """How the file of a picture that is not loaded yet keeps colours of 16 bits, in Pillow's words; empty if it has
    others."""
    tiles: list[Any] = getattr(picture, "tile", [])
    arguments = tiles[0].args if tiles else ""
    mode = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return mode if isinstance(mode, str) and mode.startswith(("RGB;16", "RGBA;16", "LA;16")) else ""


def is_shallow(picture: Image.Image) -> bool:
    """Whether a loaded picture of 16 bits uses 14 at most: then none of its upper bytes is above 63."""
    return max(_highest(picture)[:3]) < 1 << (_DEPTHS[-1] - 8)


def stretch(picture: Image.Image, mode: str, again: Callable[[], Image.Image]) -> None:
    """Give a loaded shallow picture the range of the bits it uses, in place. ``mode`` is its :func:`raw_mode`,
    ``again`` opens it once more."""
    low = _lower_bytes(mode, again)
    highest = _highest(picture)
    white = np.array([_white(max(highest[:3]))] * 3 + [_white(alpha) for alpha in highest[3:]])
    if low is None:
        white = (white // 256 * 256).clip(256)
    rows = max(1, _BAND_PIXELS // picture.width)
    for top in range(0, picture.height, rows):
        box = (0, top, picture.width, min(top + rows, picture.height))
        values: npt.NDArray[np.float32] = 256 * np.asarray(picture.crop(box), np.float32)
        if low is not None:
            values += np.asarray(low.crop(box))
        band = (255 * values / white).clip(0, 255).round().astype(np.uint8)
        picture.paste(Image.fromarray(band), box)


def _lower_bytes(mode: str, again: Callable[[], Image.Image]) -> Image.Image | None:
    """The lower byte of each value as a picture; None of grey with transparency, which Pillow cannot read so."""
    if mode.startswith("LA"):
        return None
    picture = again()
    other = mode[:-1] + _OTHER_BYTE[mode[-1]]
    tiles: list[Any] = getattr(picture, "tile", [])
    others = [(other, *tile.args[1:]) if isinstance(tile.args, tuple) else other for tile in tiles]
    vars(picture)["tile"] = [tile._replace(args=args) for tile, args in zip(tiles, others, strict=True)]
    picture.load()
    return picture


def _highest(picture: Image.Image) -> list[float]:
    """The highest value of each band of RGB or RGBA."""
    return [float(np.max(band)) for band in picture.getextrema()]


def _white(highest: float) -> int:
    """The value that is white where the highest upper byte is this."""
    return 2 ** next((bits for bits in _DEPTHS if highest < 1 << (bits - 8)), 16) - 1
