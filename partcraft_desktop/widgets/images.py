"""Pictures on their way to the screen: read off the Qt thread, scaled well, cut out, kept a while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
from PIL import Image
from PySide6.QtCore import QObject, QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QImage, QPainter, QPen, QPixmap
from shiboken6 import isValid

from engine.core import image_files as pictures
from engine.packs.codebook import Segmentation
from partcraft_desktop.widgets.part_outlines import PartShape, shapes_of

SMALL_SIDE: Final = 768
"""Pictures smaller than this are enlarged once with a good filter, so that drawings stay crisp in a large view."""

KEPT_BYTES: Final = 128 * 2**20
"""Pixels of small pictures that are kept: several times what the largest window shows."""

AT_ONCE: Final = 2
MOST_WAITING: Final = 128


def to_qimage(pixels: npt.NDArray[np.uint8]) -> QImage:
    """A QImage with a copy of uint8 pixels: (H, W) grey or (H, W, 3) RGB as RGB32, (H, W, 4) straight RGBA as ARGB32.

    Raises ``ValueError`` for other shapes.
    """
    channels = 1 if pixels.ndim == 2 else pixels.shape[2] if pixels.ndim == 3 else 0
    if channels not in (1, 3, 4) or pixels.dtype != np.uint8:
        raise ValueError(f"pixels must be uint8 (H, W), (H, W, 3) or (H, W, 4), not {pixels.dtype} {pixels.shape}")
    height, width = pixels.shape[:2]
    image = QImage(width, height, QImage.Format.Format_ARGB32 if channels == 4 else QImage.Format.Format_RGB32)
    # Written into the image's own memory, by numpy, which lets other threads run meanwhile: nothing is borrowed.
    own = np.frombuffer(image.bits(), np.uint8).reshape(height, width, 4)
    blue_green_red = (0, 0, 0) if channels == 1 else (2, 1, 0)
    source = pixels[..., None] if pixels.ndim == 2 else pixels
    for place, channel in enumerate(blue_green_red):
        own[..., place] = source[..., channel]
    own[..., 3] = source[..., 3] if channels == 4 else 255
    return image


def from_pillow(picture: Image.Image) -> QImage:
    """A QImage with the pixels of a Pillow picture of any mode, RGB32 or ARGB32 premultiplied."""
    see_through = picture.has_transparency_data
    image = to_qimage(np.asarray(picture.convert("RGBA" if see_through else "RGB")))
    return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied) if see_through else image


@dataclass(frozen=True)
class Levels:
    """One picture at several sizes, largest first, so that any scale is drawn from the nearest one above it.

    ``width`` and ``height`` are the picture's own; a small picture has an enlarged level before its own.
    """

    width: int
    height: int
    images: tuple[QImage, ...]

    @classmethod
    def of(cls, picture: Image.Image) -> Self:
        """Halved down to some 500 pixels; a small one enlarged to ``SMALL_SIDE`` first."""
        images: list[QImage] = []
        longest = max(picture.size)
        if longest < SMALL_SIDE:
            times = SMALL_SIDE / longest
            larger = (max(1, round(picture.width * times)), max(1, round(picture.height * times)))
            mode = "RGBA" if picture.has_transparency_data else "RGB"
            images.append(from_pillow(picture.convert(mode).resize(larger, Image.Resampling.BICUBIC)))
        images.append(from_pillow(picture))
        smaller = picture
        while max(smaller.size) > 1024:
            # Pillow lets other threads run meanwhile, Qt would not.
            smaller = smaller.reduce(2)
            images.append(from_pillow(smaller))
        return cls(picture.width, picture.height, tuple(images))

    def draw(self, painter: QPainter, target: QRectF, device_scale: float) -> None:
        """Paint the whole picture into ``target``; ``device_scale`` is device pixels for one picture pixel."""
        fitting = [image for image in self.images if image.width() >= self.width * device_scale * 0.999]
        image = fitting[-1] if fitting else self.images[0]
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(target, image, QRectF(image.rect()))


def read_levels(path: str) -> Levels:
    """A picture file, upright, at the sizes a view needs. Slow: not on the Qt thread. Raises ``UserError``."""
    return Levels.of(pictures.open_picture(path))


def cut_out(picture: Image.Image, shape: PartShape, longest: int, padding: float = 0.04) -> QImage:
    """One part of a picture alone on transparent ground, cropped to its bounds and a little air.

    The longer side becomes ``longest`` pixels; edges follow the part's outline and are soft.
    """
    air = max(shape.bounds.width(), shape.bounds.height()) * padding + 1
    bounds = shape.bounds.adjusted(-air, -air, air, air)
    scale = longest / max(bounds.width(), bounds.height())
    size = QSize(max(1, round(bounds.width() * scale)), max(1, round(bounds.height() * scale)))
    box = (
        max(0, int(bounds.left())),
        max(0, int(bounds.top())),
        min(picture.width, int(bounds.right()) + 2),
        min(picture.height, int(bounds.bottom()) + 2),
    )
    region = picture.convert("RGB").crop(box)
    wanted = (max(1, round(region.width * scale)), max(1, round(region.height * scale)))
    image = from_pillow(region.resize(wanted, Image.Resampling.LANCZOS))

    crop = QImage(size, QImage.Format.Format_ARGB32_Premultiplied)
    crop.fill(Qt.GlobalColor.transparent)
    painter = QPainter(crop)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(scale, scale)
    painter.translate(-bounds.topLeft())
    painter.setPen(Qt.PenStyle.NoPen)
    painter.fillPath(shape.outline, Qt.GlobalColor.black)
    # Half a pixel less all round: the outermost pixels are mixed with what is behind the part.
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_DestinationOut)
    painter.strokePath(shape.outline, QPen(Qt.GlobalColor.black, 1.0))
    painter.resetTransform()
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
    painter.drawImage(QPointF((box[0] - bounds.left()) * scale, (box[1] - bounds.top()) * scale), image)
    painter.end()
    return crop


def read_crop(path: str, labels: str | Segmentation, part: int, longest: int) -> QImage:
    """The crop of one part of a picture file, its longer side ``longest`` pixels; ``labels`` is its segmentation
    or the path of a label PNG.

    A null image where the part is not in the picture. Slow: not on the Qt thread. Raises ``UserError``.
    """
    picture = pictures.open_picture(path)
    if isinstance(labels, str):
        with Image.open(labels) as opened:
            array = np.asarray(opened.convert("L"))
        labels = Segmentation(array, (0,) * 256)
    shape = shapes_of(labels, (part,)).get(part)
    return cut_out(picture, shape, longest) if shape else QImage()


class Readers(QObject):
    """A few threads that read pictures, and a way back to the Qt thread."""

    _landed = Signal(object)

    def __init__(self, parent: QObject | None = None, threads: int = 2) -> None:
        super().__init__(parent)
        self._closed = False
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="readers")
        self._landed.connect(self._land, Qt.ConnectionType.QueuedConnection)

    def ask(self, work: Callable[[], Any], landed: Callable[[Any], None], owner: QObject) -> None:
        """Run ``work`` on a reader; ``landed`` gets its result, or the exception it raised, on the Qt thread, unless
        ``owner``, whose widgets ``landed`` touches, is gone by then."""

        def arrive(done: Future[Any]) -> None:
            if done.cancelled():
                return
            result = done.exception() or done.result()
            try:
                self._landed.emit(lambda: landed(result) if isValid(owner) else None)
            except RuntimeError:
                return  # The window closed while the picture was read; nobody waits for it.

        # A last paint of the window may still ask.
        if not self._closed:
            self._pool.submit(work).add_done_callback(arrive)

    def close(self) -> None:
        """Forget what was not begun; what is being read ends unheard, and nothing more is read."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    @Slot(object)
    def _land(self, call: Callable[[], None]) -> None:
        call()


class Thumbnails(QObject):
    """Small pictures, read when first asked for; those asked for last are kept, ``keep`` bytes of pixels in all.

    ``ready`` says that the picture of a path can now be had; ``failed`` that it never will, with the reason. Whoever
    paints asks again each time, so what has waited longest behind ``MOST_WAITING`` others, and went out of sight
    while somebody scrolled, is forgotten: the readers are for everybody.
    """

    ready = Signal(str)
    failed = Signal(str, object)

    def __init__(self, readers: Readers, keep: int = KEPT_BYTES, parent: QObject | None = None) -> None:
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
        what = labels if isinstance(labels, str) else "given"
        return self._get((path, what, part, pixels, ratio), lambda: read_crop(path, labels, part, pixels), path)

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
    picture = pictures.open_picture(path)
    times = pixels / max(picture.size)
    size = (max(1, round(picture.width * times)), max(1, round(picture.height * times)))
    return from_pillow(picture.resize(size, Image.Resampling.LANCZOS))
