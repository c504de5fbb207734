"""Picture files with a fault that costs nothing, or next to nothing, of the picture: read again around it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from engine.core.on_disk import size_of

NOTE: Final = "partcraft note"
"""The key in a picture's ``info`` under which it says, in a sentence, what is not as it was."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_NEEDED: Final = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_JPEG: Final = b"\xff\xd8\xff"
_END: Final = b"\xff\xd9"
_LARGEST_FILE: Final = 128 << 20
"""Bytes: files are read into memory to be mended."""
_SHARE_LOST: Final = 0.1
"""Of a JPEG's rows: where more is missing, it is not the picture any more."""


def mended_file(path: Path) -> io.BytesIO | None:
    """A file to read in place of one that Pillow refused: a PNG without its texts, profiles and other companions (they
    may be too large, or damaged); a JPEG that ends too early, ended. None if it is neither. Raises ``OSError``."""
    if size_of(path) > _LARGEST_FILE:
        return None
    data = path.read_bytes()
    if data.startswith(_PNG):
        return io.BytesIO(_bare_png(data))
    return io.BytesIO(data + _END) if data.startswith(_JPEG) else None


def has_lost_its_foot(picture: Image.Image) -> bool:
    """Whether a decoded picture that was ended too early has lost too much: its foot is the grey of nothing."""
    foot = picture.crop((0, int(picture.height * (1 - _SHARE_LOST)), *picture.size)).convert("RGB")
    return bool((np.asarray(foot)[:1] == 128).all())


def _bare_png(data: bytes) -> bytes:
    pieces, place = [_PNG], len(_PNG)
    while place + 12 <= len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4], "big")
        if data[place + 4 : place + 8] in _NEEDED:
            pieces.append(data[place:end])
        place = end
    return b"".join(pieces)
