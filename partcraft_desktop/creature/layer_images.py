"""A collage on its way to the screen: its layers as images, scaled once for the size at which they are seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPalette, QPixmap, QRgba64

from engine.collage.layers import Collage, Layer, Pixels
from partcraft_desktop.creature.part_handles import outline_of
from partcraft_desktop.widgets.images import to_qimage

_LINE = 2.0  # logical pixels
_SQUARE = 8  # logical pixels of the squares that mean: nothing is here


@dataclass
class _Kept:
    """``pixels`` is held on to, so that its id stays its own."""

    pixels: Pixels
    width: int = 0
    scaled: QPixmap = field(default_factory=QPixmap)
    outline: tuple[QPixmap, QRgba64, QPixmap, int] | None = None

    @cached_property
    def image(self) -> QImage:
        """The pixels as an image, made when it is first seen."""
        return _image(self.pixels)

    def at(self, width: int, height: int) -> QPixmap:
        """The image at a size in device pixels; enlarged it stays as it is, the painter does that as well."""
        width, height = min(width, self.image.width()), min(height, self.image.height())
        if self.width != width:
            smooth = Qt.TransformationMode.SmoothTransformation
            smaller = self.image.scaled(max(width, 1), max(height, 1), Qt.AspectRatioMode.IgnoreAspectRatio, smooth)
            self.scaled, self.width = QPixmap.fromImage(smaller), width
        return self.scaled

    def outlined(self, pixmap: QPixmap, colour: QColor, width: float) -> tuple[QPixmap, int]:
        """See :func:`outline_of`; drawn once."""
        kept = self.outline
        if kept is None or kept[0] is not pixmap or kept[1] != colour.rgba64():
            self.outline = kept = (pixmap, colour.rgba64(), *outline_of(pixmap, colour, width))
        return kept[2], kept[3]


class LayerImages:
    """Paints collages. What has not changed since the last one is neither converted nor scaled again."""

    def __init__(self) -> None:
        self._kept: dict[int, _Kept] = {}

    def keep(self, collage: Collage, also: Iterable[Layer] = ()) -> None:
        """Let go of what is no longer in a collage, nor in the layers that are ``also`` painted."""
        arrays = [layer.image for layer in (*collage.layers, *also)]
        if collage.ground is not None:
            arrays.append(collage.ground)
        before = self._kept
        self._kept = {id(array): before.get(id(array)) or _Kept(array) for array in arrays}

    def draw_ground(self, painter: QPainter, collage: Collage, target: QRectF, palette: QPalette) -> None:
        """Paint the ground into ``target``, or squares where there is none."""
        if collage.ground is None:
            draw_squares(painter, target, palette)
        else:
            self._draw(painter, collage.ground, target)

    def draw_layer(self, painter: QPainter, layer: Layer, scale: float, corner: QPointF) -> None:
        """Paint one layer of a collage whose upper left corner is at ``corner``, with ``scale`` logical pixels for one
        of the collage."""
        self._draw(painter, layer.image, _place_of(layer, scale, corner))

    def draw_outline(self, painter: QPainter, layer: Layer, scale: float, corner: QPointF, colour: QColor) -> None:
        """Paint a line around a layer; see :meth:`draw_layer`."""
        ratio = painter.device().devicePixelRatio()
        target = _place_of(layer, scale, corner)
        kept = self._of(layer.image)
        pixmap = kept.at(round(target.width() * ratio), round(target.height() * ratio))
        step = target.width() / max(pixmap.width(), 1)
        outline, pad = kept.outlined(pixmap, colour, _LINE / step)
        margin = pad * step
        painter.drawPixmap(target.adjusted(-margin, -margin, margin, margin), outline, QRectF(outline.rect()))

    def _of(self, pixels: Pixels) -> _Kept:
        return self._kept.setdefault(id(pixels), _Kept(pixels))

    def draw(self, painter: QPainter, collage: Collage, target: QRectF, palette: QPalette) -> None:
        """Paint the whole collage into ``target``."""
        self.draw_ground(painter, collage, target, palette)
        for layer in collage.layers:
            if layer.visible:
                self.draw_layer(painter, layer, target.width() / collage.width, target.topLeft())

    def thumbnail(self, collage: Collage, side: int, ratio: float, palette: QPalette) -> QPixmap:
        """A small picture of a collage: its longer side fills ``side`` logical pixels at device pixel ratio
        ``ratio``."""
        self.keep(collage)
        scale = side / max(collage.width, collage.height)
        size = QSizeF(max(1.0, collage.width * scale), max(1.0, collage.height * scale))
        pixmap = QPixmap((size * ratio).toSize())
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        self.draw(painter, collage, QRectF(QPointF(), size), palette)
        painter.end()
        return pixmap

    def _draw(self, painter: QPainter, pixels: Pixels, target: QRectF) -> None:
        ratio = painter.device().devicePixelRatio()
        kept = self._of(pixels)
        pixmap = kept.at(round(target.width() * ratio), round(target.height() * ratio))
        painter.drawPixmap(target, pixmap, QRectF(pixmap.rect()))


def _place_of(layer: Layer, scale: float, corner: QPointF) -> QRectF:
    height, width = layer.image.shape[:2]
    return QRectF(QPointF(layer.left * scale, layer.top * scale) + corner, QSizeF(width * scale, height * scale))


def draw_squares(painter: QPainter, target: QRectF, palette: QPalette) -> None:
    """Paint the pattern of squares that stands for a transparent ground."""
    painter.fillRect(target, palette.color(QPalette.ColorRole.Base))
    tile = QPixmap(2 * _SQUARE, 2 * _SQUARE)
    tile.fill(Qt.GlobalColor.transparent)
    shade = QColor(palette.color(QPalette.ColorRole.Mid))
    shade.setAlphaF(0.5)
    drawing = QPainter(tile)
    for corner in (0, _SQUARE):
        drawing.fillRect(corner, corner, _SQUARE, _SQUARE, shade)
    drawing.end()
    painter.drawTiledPixmap(target, tile)


def _image(pixels: Pixels) -> QImage:
    image = to_qimage(pixels)
    return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied) if pixels.shape[2] == 4 else image
