"""Small pictures, read when first asked for; those asked for last come first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from PIL import Image
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage, QPixmap

from engine.core.segmentation import Segmentation
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.decoded_pictures import open_decoded
from partcraft_desktop.widgets.images import from_pillow, read_crop

KEPT_BYTES: Final = 128 * 2**20
"""Pixels of small pictures that are kept: several times what the largest window shows."""

AT_ONCE: Final = 2
MOST_WAITING: Final = 128


class Thumbnails(QObject):
    """Small pictures, read when first asked for; those asked for last are kept, ``keep`` bytes of pixels in all.

    ``ready`` says that the picture of a path can now be had; ``failed`` that it never will, with the reason. Whoever
    paints asks again each time, so what has waited longest behind ``MOST_WAITING`` others, and went out of sight
    while somebody scrolled, is forgotten: the readers are for everybody.
    """

    ready = Signal(object)  # a path: str would lose what is no Unicode in it
    failed = Signal(object, object)

    def __init__(self, readers: BackgroundReader, keep: int = KEPT_BYTES, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._readers = readers
        self._keep = keep
        self._kept: OrderedDict[tuple[Any, ...], QPixmap] = OrderedDict()
        self._bytes = 0
        self._waiting: OrderedDict[tuple[Any, ...], tuple[Callable[[], QImage], str]] = OrderedDict()
        self._reading: set[tuple[Any, ...]] = set()

    def get(self, path: str, side: int, ratio: float = 1.0) -> QPixmap | None:
        """A picture file whose longer side fills ``side`` logical pixels at device pixel ratio ``ratio``, or
        None while it is read."""
        pixels = max(1, round(side * ratio))
        return self._get((path, pixels, ratio), lambda: _read_small(path, pixels), path)

    def crop(self, path: str, labels: str | Segmentation, part: int, side: int, ratio: float = 1.0) -> QPixmap | None:
        """The cut-out of one part of a picture file (see :func:`read_crop`), its longer side ``side`` logical
        pixels, or None while it is read. The segmentation of a path is taken to be always the same."""
        pixels = max(1, round(side * ratio))
        labels_key = labels if isinstance(labels, str) else "given"
        return self._get((path, labels_key, part, pixels, ratio), lambda: read_crop(path, labels, part, pixels), path)

    def forget(self, path: str) -> None:
        """Read a path again when it is next asked for: its file changed."""
        for key in [key for key in self._kept if key[0] == path]:
            self._bytes -= _bytes_of(self._kept.pop(key))

    def _get(self, key: tuple[Any, ...], work: Callable[[], QImage], path: str) -> QPixmap | None:
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if key not in self._reading and key not in self._waiting:
            self._waiting[key] = work, path
            if len(self._waiting) > MOST_WAITING:
                self._waiting.popitem(last=False)
            self._read_next()
        return None

    def _read_next(self) -> None:
        while self._waiting and len(self._reading) < AT_ONCE:
            key, (work, path) = self._waiting.popitem(last=False)
            self._reading.add(key)
            # Bound now: the next turn of the loop has another key.
            landed = partial(self._keep_result, key, path)
            self._readers.ask(work, landed, self)

    def _keep_result(self, key: tuple[Any, ...], path: str, result: QImage | Exception) -> None:
        self._reading.discard(key)
        pixmap = QPixmap() if isinstance(result, Exception) else QPixmap.fromImage(result)
        pixmap.setDevicePixelRatio(key[-1])
        self._kept[key] = pixmap
        self._bytes += _bytes_of(pixmap)
        while self._bytes > self._keep and len(self._kept) > 1:
            self._bytes -= _bytes_of(self._kept.popitem(last=False)[1])
        self._read_next()
        if isinstance(result, Exception):
            self.failed.emit(path, result)
        else:
            self.ready.emit(path)


def _bytes_of(pixmap: QPixmap) -> int:
    return max(1024, 4 * pixmap.width() * pixmap.height())


def _read_small(path: str, pixels: int) -> QImage:
    picture = open_decoded(path)
    times = pixels / max(picture.size)
    size = (max(1, round(picture.width * times)), max(1, round(picture.height * times)))
    return from_pillow(picture.resize(size, Image.Resampling.LANCZOS))
