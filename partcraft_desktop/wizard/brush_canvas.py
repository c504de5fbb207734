"""The picture under the brush: its parts, the stroke that is being painted, and the brush itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPainterPathStroker,
    QPaintEvent,
    QPalette,
    QPen,
    QTransform,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from partcraft_desktop.app.learning.part_sorting import DraftPart
from partcraft_desktop.widgets.controls import CORNER, rounded
from partcraft_desktop.widgets.part_glyphs import with_alpha
from partcraft_desktop.widgets.part_outlines import PartShape
from partcraft_desktop.wizard.parts_wall import WallTile

LONG: Final = 1000.0
FILL: Final = 0.3
"""How much of its colour lies over a part."""


class BrushCanvas(QWidget):
    """Paint with the mouse; or with the keyboard: arrow keys move the brush, with Shift they paint, and Space paints a
    dot. ``stroked(points, radius)``, in shares of the picture's width and height."""

    stroked = Signal(object, object)

    def __init__(self) -> None:
        super().__init__()
        self._image = QImage()
        self._shapes: dict[int, PartShape] = {}
        self._shapes_size = QSize()
        self.parts: tuple[DraftPart, ...] = ()
        self._colour: QColor | None = None
        self._share = 0.04
        self._points: list[tuple[float, float]] = []
        self._waiting: list[tuple[QPainterPath, QColor | None]] = []
        """Strokes until the parts that came of them are there."""
        self._brush: tuple[float, float] | None = None
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleDescription("Arrow keys move the brush, Space paints; with Shift, arrow keys paint")

    def minimumSizeHint(self) -> QSize:
        return QSize(64, 64)

    def sizeHint(self) -> QSize:
        return QSize(640, 480)

    def clear(self, image: QImage) -> None:
        """Another picture, of which nothing but a small image is known."""
        self._image, self._shapes, self._points, self._waiting = image, {}, [], []
        self._brush = None
        self.update()

    def show_image(self, image: QImage) -> None:
        """The same picture, sharper."""
        self._image = image
        self.update()

    def show_shapes(self, tile: WallTile, parts: Sequence[DraftPart]) -> None:
        """The parts as they are now, with all that was painted."""
        self._shapes, self.parts = tile.shapes, tuple(parts)
        self._shapes_size = tile.image.size()
        self._waiting = []
        self.update()

    def set_brush(self, colour: QColor | None, share: float) -> None:
        """Paint in a part's colour, or (None) take away; the radius as a share of the picture's longer side."""
        self._colour, self._share = colour, share
        self.update()

    def target(self) -> QRectF:
        """Where the picture is."""
        size = self._image.size().toSizeF().scaled(self.size().toSizeF(), Qt.AspectRatioMode.KeepAspectRatio)
        target = QRectF(0, 0, size.width(), size.height())
        target.moveCenter(QRectF(self.rect()).center())
        return target

    @property
    def _radius(self) -> float:
        """Of the brush, in pixels of the widget."""
        target = self.target()
        return self._share * max(target.width(), target.height())

    # Painting with the mouse and with keys

    def _share_of(self, point: QPointF) -> tuple[float, float]:
        target = self.target()
        x = (point.x() - target.x()) / max(target.width(), 1.0)
        y = (point.y() - target.y()) / max(target.height(), 1.0)
        return min(max(x, -0.5), 1.5), min(max(y, -0.5), 1.5)

    def _point_of(self, share: tuple[float, float]) -> QPointF:
        target = self.target()
        return QPointF(target.x() + share[0] * target.width(), target.y() + share[1] * target.height())

    def _end_stroke(self) -> None:
        target = self.target()
        points, self._points = self._points, []
        if not points or target.isEmpty():
            return
        self._waiting.append((self._path_of(points, target), self._colour))
        self.stroked.emit(points, (self._radius / target.width(), self._radius / target.height()))
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.target().contains(event.position()):
            self._points = [self._share_of(event.position())]
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._brush = self._share_of(event.position())
        if self._points:
            self._points.append(self._brush)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._end_stroke()

    def leaveEvent(self, event: QEvent) -> None:
        if not self.hasFocus():
            self._brush = None
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        ways = {
            Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1),
        }  # fmt: skip
        at = self._brush or (0.5, 0.5)
        key = Qt.Key(event.key())
        if key in ways:
            target = self.target()
            step = max(2.0, self._radius / 2)
            x = at[0] + ways[key][0] * step / max(target.width(), 1.0)
            y = at[1] + ways[key][1] * step / max(target.height(), 1.0)
            self._brush = min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self._points = [*(self._points or [at]), self._brush]
        elif key == Qt.Key.Key_Space:
            self._points, self._brush = [at], at
            self._end_stroke()
        else:
            super().keyPressEvent(event)
        self.update()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Shift and not event.isAutoRepeat():
            self._end_stroke()
        super().keyReleaseEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._end_stroke()
        self.update()

    # Painting on the screen

    def _path_of(self, points: Sequence[tuple[float, float]], target: QRectF) -> QPainterPath:
        """A stroke in a picture whose longer side is ``LONG``, from its left upper corner."""
        long = max(target.width(), target.height())
        across, down = LONG * target.width() / long, LONG * target.height() / long
        radius = LONG * self._share
        line = QPainterPath(QPointF(points[0][0] * across, points[0][1] * down))
        for x, y in points[1:]:
            line.lineTo(x * across, y * down)
        if len(points) == 1:
            dot = QPainterPath()
            dot.addEllipse(line.currentPosition(), radius, radius)
            return dot
        stroker = QPainterPathStroker()
        stroker.setWidth(2 * radius)
        stroker.setCapStyle(Qt.PenCapStyle.RoundCap)
        stroker.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        return stroker.createStroke(line).simplified()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        target = self.target()
        if target.isEmpty():
            return
        painter.save()
        painter.setClipPath(rounded(target, CORNER))
        painter.drawImage(target, self._image)
        if not self._shapes_size.isEmpty():
            scale = target.width() / self._shapes_size.width()
            to_widget = QTransform(scale, 0, 0, scale, target.x(), target.y())
            for part, shape in self._shapes.items():
                if part < len(self.parts) and not self.parts[part].dropped:
                    colour = QColor(self.parts[part].colour)
                    outline = to_widget.map(shape.outline)
                    painter.fillPath(outline, with_alpha(colour, FILL))
                    painter.strokePath(outline, QPen(with_alpha(colour, 0.95), 1.5))
        strokes = list(self._waiting)
        if self._points:
            strokes.append((self._path_of(self._points, target), self._colour))
        scale = max(target.width(), target.height()) / LONG
        for path, colour in strokes:
            self._paint_stroke(
                painter, QTransform(scale, 0, 0, scale, target.x(), target.y()).map(path), colour, target
            )
        painter.restore()
        self._paint_brush(painter)
        if self.hasFocus():
            painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Highlight), 2))
            painter.drawPath(rounded(target.adjusted(1, 1, -1, -1), CORNER))
        painter.end()

    def _paint_stroke(self, painter: QPainter, path: QPainterPath, colour: QColor | None, target: QRectF) -> None:
        """What is painted shows the picture again, with the part's colour over it if it is added."""
        painter.save()
        painter.setClipPath(path, Qt.ClipOperation.IntersectClip)
        painter.drawImage(target, self._image)
        painter.restore()
        if colour is not None:
            painter.fillPath(path, with_alpha(colour, FILL))
            painter.strokePath(path, QPen(with_alpha(colour, 0.95), 1.5))
        else:
            painter.strokePath(path, QPen(with_alpha(QColor("#808080"), 0.8), 1.0, Qt.PenStyle.DotLine))

    def _paint_brush(self, painter: QPainter) -> None:
        if self._brush is None and not self.hasFocus():
            return
        middle = self._point_of(self._brush or (0.5, 0.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, width in ((QColor("#ffffff"), 3.0), (self._colour or QColor("#1b1d1f"), 1.5)):
            painter.setPen(QPen(colour, width))
            painter.drawEllipse(middle, self._radius, self._radius)
