"""Two of a creature's pictures in one place, and a divider between them that is moved over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QWidget

from engine.collage.layers import Collage
from partcraft_desktop.creature.layer_images import LayerImages
from partcraft_desktop.widgets.controls import CORNER, paint_ring, rounded
from partcraft_desktop.widgets.images import PictureLevels
from partcraft_desktop.widgets.picture_room import MARGIN
from partcraft_desktop.widgets.placement import Placement
from partcraft_desktop.widgets.theme import UNIT

STEP: Final = 0.01
LARGE_STEP: Final = 0.1
"""How far the arrow keys move the divider, without and with Shift, as a share of the picture's width."""
GRIP: Final = 14.0
NARROW: Final = 240.0
"""Width of a picture, in logical pixels, below which the names get less air."""


@dataclass(frozen=True)
class Side:
    """One of the two: its name, and its picture or, without one, its collage; neither while it is read."""

    name: str
    picture: PictureLevels | None = None
    collage: Collage | None = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in its own pixels."""
        shown = self.picture or self.collage
        return (shown.width, shown.height) if shown is not None else None


class CompareView(QWidget):
    """``left`` and ``right`` of a divider, drawn into the same rectangle. ``closed()``: Esc was pressed;
    ``moved(share)``: the divider stands elsewhere."""

    closed = Signal()
    moved = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(160, 120)
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self._left = self._right = Side("")
        self._images = (LayerImages(), LayerImages())
        self._share = 0.5
        self._describe()

    @property
    def share(self) -> float:
        """Where the divider stands: 0 shows the right picture alone, 1 the left one."""
        return self._share

    @property
    def sides(self) -> tuple[Side, Side]:
        """What is compared."""
        return self._left, self._right

    @property
    def picture_rect(self) -> QRectF:
        """Where the pictures are, in logical pixels."""
        width, height = self._left.size or self._right.size or (1, 1)
        return Placement.fitted(width, height, self.width(), self.height(), MARGIN).rect

    def show_sides(self, left: Side, right: Side) -> None:
        """Compare these two; the divider stays where it is."""
        self._left, self._right = left, right
        for images, side in zip(self._images, (left, right), strict=True):
            if side.collage is not None and side.picture is None:
                images.keep(side.collage)
        self._describe()
        self.update()

    def set_share(self, share: float) -> None:
        """Move the divider, within 0..1."""
        share = min(max(share, 0.0), 1.0)
        if share != self._share:
            self._share = share
            self._describe()
            self.update()
            self.moved.emit(share)

    def _describe(self) -> None:
        self.setAccessibleName(f"Compare {self._left.name}, left, with {self._right.name}, right")
        self.setAccessibleDescription(f"Divider at {self._share:.0%}. The arrow keys move it, Esc ends comparing.")

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.SmoothPixmapTransform | QPainter.RenderHint.Antialiasing)
        rect = self.picture_rect
        x = rect.left() + rect.width() * self._share
        left = QRectF(rect.left(), rect.top(), x - rect.left(), rect.height())
        right = QRectF(x, rect.top(), rect.right() - x, rect.height())
        for number, (side, part) in enumerate(((self._left, left), (self._right, right))):
            painter.setClipPath(rounded(rect, CORNER))
            painter.setClipRect(part, Qt.ClipOperation.IntersectClip)
            self._paint_side(painter, side, self._images[number], rect)
        painter.setClipping(False)
        self._paint_names(painter, rect)
        self._paint_divider(painter, rect, x)
        painter.end()

    def _paint_side(self, painter: QPainter, side: Side, images: LayerImages, rect: QRectF) -> None:
        painter.fillRect(rect, self.palette().color(QPalette.ColorRole.AlternateBase))
        if side.size is None:
            return
        size = QSizeF(*side.size).scaled(rect.size(), Qt.AspectRatioMode.KeepAspectRatio)
        target = QRectF(QPointF(), size)
        target.moveCenter(rect.center())
        if side.picture is not None:
            side.picture.draw(painter, target, target.width() / side.picture.width * self.devicePixelRatioF())
        elif side.collage is not None:
            images.draw(painter, side.collage, target, self.palette())

    def _paint_names(self, painter: QPainter, rect: QRectF) -> None:
        metrics = painter.fontMetrics()
        air = UNIT if rect.width() >= NARROW else UNIT // 2
        most = rect.width() / 2 - 2 * air - 2
        for side, at_left in ((self._left, True), (self._right, False)):
            text = metrics.elidedText(side.name, Qt.TextElideMode.ElideRight, int(most - 2 * air))
            label = QRectF(0, rect.top() + air, metrics.horizontalAdvance(text) + 2 * air, metrics.height() + air)
            label.moveLeft(rect.left() + air if at_left else rect.right() - air - label.width())
            ground = QColor(self.palette().color(QPalette.ColorRole.Base))
            ground.setAlphaF(0.88)
            painter.fillPath(rounded(label, label.height() / 2), ground)
            painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
            painter.drawText(label, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_divider(self, painter: QPainter, rect: QRectF, x: float) -> None:
        base, text = (self.palette().color(role) for role in (QPalette.ColorRole.Base, QPalette.ColorRole.WindowText))
        for colour, width in ((text, 4.0), (base, 2.0)):
            painter.setPen(QPen(colour, width))
            painter.drawLine(QPointF(x, rect.top()), QPointF(x, rect.bottom()))
        middle = QPointF(x, rect.center().y())
        painter.setPen(QPen(text, 1))
        painter.setBrush(base)
        painter.drawEllipse(middle, GRIP, GRIP)
        pen = QPen(text, 1.5)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        for way in (-1, 1):
            tip = middle + QPointF(way * 8, 0)
            for down in (-4, 4):
                painter.drawLine(tip, tip + QPointF(-way * 4, down))
        if self.hasFocus():
            grip = QRect(round(x - GRIP), round(middle.y() - GRIP), round(2 * GRIP), round(2 * GRIP))
            paint_ring(painter, grip, self.palette().color(QPalette.ColorRole.Highlight), corner=GRIP)

    # Mouse and keys

    def _share_at(self, x: float) -> float:
        rect = self.picture_rect
        return (x - rect.left()) / max(1.0, rect.width())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.set_share(self._share_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.set_share(self._share_at(event.position().x()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.set_share(0.5)

    def event(self, event: QEvent) -> bool:
        # Esc ends comparing before it stops a render.
        key = event.key() if isinstance(event, QKeyEvent) else 0
        if event.type() == QEvent.Type.ShortcutOverride and key == Qt.Key.Key_Escape:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = LARGE_STEP if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else STEP
        places = {
            Qt.Key.Key_Left: self._share - step,
            Qt.Key.Key_Right: self._share + step,
            Qt.Key.Key_Home: 0.0,
            Qt.Key.Key_End: 1.0,
        }
        if event.key() in places:
            self.set_share(places[Qt.Key(event.key())])
        elif event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()
