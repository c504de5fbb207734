"""Pictures on their way to the screen: read off the Qt thread, scaled well, cut out, kept a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
from PIL import Image
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPen

from engine.core.image_files import read_label_map
from engine.core.segmentation import Segmentation
from partcraft_desktop.app.decoded_pictures import open_decoded
from partcraft_desktop.widgets.part_outlines import PartShape, shapes_of

SMALL_SIDE: Final = 768
"""Pictures smaller than this are enlarged once with a good filter, so that drawings stay crisp in a large view."""


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
class PictureLevels:
    """One picture at several sizes, largest first, so that any scale is drawn from the nearest one above it.

    ``width`` and ``height`` are the picture's own; a small picture has enlarged levels before its own.
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
            enlarged = picture.convert(mode).resize(larger, Image.Resampling.BICUBIC)
            images.append(from_pillow(enlarged))
            # And what lies between: a picture drawn at less than half its size is jagged.
            while max(enlarged.size) >= 3 * longest:
                enlarged = enlarged.reduce(2)
                images.append(from_pillow(enlarged))
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


def read_levels(path: str) -> PictureLevels:
    """A picture file, upright, at the sizes a view needs. Slow: not on the Qt thread. Raises ``UserError``."""
    return PictureLevels.of(open_decoded(path))


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
    scaled_size = (max(1, round(region.width * scale)), max(1, round(region.height * scale)))
    image = from_pillow(region.resize(scaled_size, Image.Resampling.LANCZOS))

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
    picture = open_decoded(path)
    if isinstance(labels, str):
        labels = Segmentation(read_label_map(labels), (0,) * 256)
    shape = shapes_of(labels, (part,)).get(part)
    return cut_out(picture, shape, longest) if shape else QImage()
