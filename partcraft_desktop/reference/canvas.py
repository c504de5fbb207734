"""The picture under the hand: hover lights a part, a click takes it; zoom, pan, keys."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QObject, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QHideEvent, QKeyEvent, QMouseEvent, QShowEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget

from partcraft_desktop.reference.canvas_painting import CanvasPainting
from partcraft_desktop.widgets.pinch import pinch_of

ZOOM_STEP: Final = 1.25
PAN_STEP: Final = 64.0


class PictureCanvas(CanvasPainting):
    """Shows one picture and its parts; says what a person does with them.

    ``toggled(part)``: taken, or put back; ``opened(part)``: pressed twice, to see others of its kind;
    ``drag_wanted(part or None)``: a drag began on a part or beside all parts.
    """

    toggled = Signal(int)
    opened = Signal(int)
    drag_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.grabGesture(Qt.GestureType.PinchGesture)
        self._pressed: QPointF | None = None
        self._pressed_part: int | None = None
        self._panning: QPointF | None = None
        self._panned = False
        self._space = False

    # Pointer

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        pos = event.position()
        if self._panning is not None:
            moved = pos - self._panning
            self._panning = pos
            self._panned = True
            self._place(self._placement.moved(moved.x(), moved.y()))
            return
        if self._pressed is not None:
            far = (pos - self._pressed).manhattanLength() >= QApplication.startDragDistance()
            if far and self._placement.is_fitted:
                self._pressed = None
                self.drag_wanted.emit(self._pressed_part)
            elif far:
                start, self._pressed = self._pressed, None
                self._panning = start
                self.setCursor(Qt.CursorShape.ClosedHandCursor)
                self.mouseMoveEvent(event)
            return
        self._hover(pos)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        pos = event.position()
        self._show_ring(False)
        if event.button() == Qt.MouseButton.MiddleButton or (
            event.button() == Qt.MouseButton.LeftButton and self._space
        ):
            self._panning, self._panned = pos, self._space
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        elif event.button() == Qt.MouseButton.LeftButton:
            self._pressed, self._pressed_part = pos, self.part_at(pos)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._panning is not None:
            self._panning = None
            self._hover(event.position())
        elif event.button() == Qt.MouseButton.LeftButton and self._pressed is not None:
            # Where it was pressed counts: a hand that trembles on the way up still means the same part.
            part = self._pressed_part
            self._pressed = None
            if part is not None and part in self._shapes:
                self.light(part)
                self.toggled.emit(part)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        part = self.part_at(event.position())
        if self._placement.is_fitted:
            if part is not None:
                self.opened.emit(part)
            return
        if part is not None:
            self.toggled.emit(part)  # The first click of the two was not meant for the part.
        self.fit()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.set_bare(False)
        self.light(None)

    def _hover(self, pos: QPointF) -> None:
        part = self.part_at(pos)
        self.light(part)
        if self._space:
            shape = Qt.CursorShape.OpenHandCursor
        elif part is not None:
            shape = Qt.CursorShape.PointingHandCursor
        else:
            shape = Qt.CursorShape.ArrowCursor if self._placement.is_fitted else Qt.CursorShape.OpenHandCursor
        if self.cursor().shape() != shape:
            self.setCursor(shape)

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned = event.angleDelta()
        if event.phase() != Qt.ScrollPhase.NoScrollPhase and not event.modifiers() and not self._placement.is_fitted:
            # Two fingers on a touch pad move the picture; a pinch, or Ctrl with them, scales it.
            shift = event.pixelDelta() if not event.pixelDelta().isNull() else turned / 2
            self._place(self._placement.moved(shift.x(), shift.y()))
        elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            across = turned.x() or turned.y()
            self._place(self._placement.moved(across / 2, 0))
        else:
            # Some desktops turn the wheel sideways while Alt is held.
            self.zoom(2 ** ((turned.y() or turned.x()) / 480), event.position())
        self._hover(event.position())
        event.accept()

    def event(self, event: QEvent) -> bool:
        pinch = pinch_of(event, self)
        if pinch is not None:
            factor, at = pinch
            if factor == 0:
                self.fit()
            else:
                self.zoom(factor, at)
            return True
        return super().event(event)

    # Keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if control and key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom(ZOOM_STEP)
        elif control and key == Qt.Key.Key_Minus:
            self.zoom(1 / ZOOM_STEP)
        elif control and key == Qt.Key.Key_0:
            self.fit()
        elif arrow := _ARROWS.get(Qt.Key(key)):
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self._place(self._placement.moved(-arrow[0] * PAN_STEP, -arrow[1] * PAN_STEP))
            else:
                self._walk(sum(arrow))
        elif key == Qt.Key.Key_Home:
            self._walk(0, 0)
        elif key == Qt.Key.Key_End:
            self._walk(0, -1)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._take()
        elif key == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self._space, self._panned = True, False
        elif key == Qt.Key.Key_Escape and (self._lit is not None or not self._placement.is_fitted):
            if self._lit is not None:
                self.light(None)
            else:
                self.fit()
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and self._space and not event.isAutoRepeat():
            self._space = False
            if not self._panned:
                self._take()
        else:
            super().keyReleaseEvent(event)

    def _walk(self, step: int, at: int | None = None) -> None:
        parts = list(self._shapes)
        if not parts:
            return
        if at is None:
            at = 0 if step > 0 else -1
            if self._lit is not None:
                at = (parts.index(self._lit) + step) % len(parts)
        self._show_ring(True)
        self.light(parts[at])

    def _take(self) -> None:
        if self._lit is not None:
            self.toggled.emit(self._lit)
            QTimer.singleShot(0, self, self._announce)

    # The rest

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._show_ring(event.reason() in _BY_KEYS)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._space = False
        self._show_ring(False)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.window().installEventFilter(self)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.window().removeEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # Alt reaches the window when whoever has the focus does not want it.
        if isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Alt:
            down = event.type() == QEvent.Type.KeyPress
            self.set_bare(down and (self.underMouse() or self.hasFocus()))
        elif event.type() == QEvent.Type.WindowDeactivate:
            self.set_bare(False)
        return False


_ARROWS: Final = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}
_BY_KEYS: Final = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)
