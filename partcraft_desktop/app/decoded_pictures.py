"""A person's own picture is decoded once: what opens it keeps the pixels, and what shows it takes them from here."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from PIL import Image

from engine.core.image_files import open_picture
from engine.core.on_disk import status_of

KEPT_BYTES: Final = 96 * 2**20
"""Decoded pixels that are kept: two pictures of a camera, or one of the largest that is opened."""

_Key = tuple[str, int, int]
_kept: OrderedDict[_Key, Image.Image] = OrderedDict()
_lock = threading.Lock()


def keep_decoded(path: str) -> None:
    """Decode a picture file and keep it for :func:`open_decoded`. Slow: not on the Qt thread. Raises ``UserError``."""
    key = _key(path)
    picture = open_decoded(path)
    if key is None:
        return
    with _lock:
        _kept[key] = picture
        _kept.move_to_end(key)
        while len(_kept) > 1 and sum(map(_bytes_of, _kept.values())) > KEPT_BYTES:
            _kept.popitem(last=False)


def open_decoded(path: str) -> Image.Image:
    """A picture file as :func:`engine.core.image_files.open_picture` gives it, from memory if it was kept and the file
    did not change since. To be read only: others have it too. Slow: not on the Qt thread. Raises ``UserError``."""
    key = _key(path)
    with _lock:
        picture = _kept.get(key) if key is not None else None
    return picture if picture is not None else open_picture(path)


def _key(path: str) -> _Key | None:
    """What a kept picture is known by; None for a file that is not there."""
    status = status_of(path)
    return None if status is None else (path, status.st_mtime_ns, status.st_size)


def _bytes_of(picture: Image.Image) -> int:
    # Pillow keeps an RGB pixel in four bytes.
    return 4 * picture.width * picture.height
