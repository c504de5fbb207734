"""A render that waits, as a row that can be dragged, moved by keys, taken off, or tried again."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QEnterEvent, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QApplication, QHBoxLayout, QSizePolicy, QWidget

from partcraft_desktop.app.state import QueuedRender
from partcraft_desktop.widgets.controls import ShortLabel, tool_button
from partcraft_desktop.widgets.theme import UNIT, paint_icon

ROW: Final = 32
GRIP: Final = 20
"""The room for the dots by which it is held, in logical pixels."""


class QueueRow(QWidget):
    """``remove_asked(id)``; ``retry_asked(id)``; ``moved(id, index)``: to another place of the queue, which may lie
    outside; ``walked(id, step)``: the keyboard goes on to another row; ``focused()``."""

    remove_asked = Signal(int)
    retry_asked = Signal(int)
    moved = Signal(int, int)
    walked = Signal(int, int)
    focused = Signal()

    def __init__(self, item: QueuedRender, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.item = item
        self._index = 0
        self._pressed: QPointF | None = None
        self._dragged = False
        self.setFixedHeight(ROW)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setCursor(Qt.CursorShape.OpenHandCursor)
        self.title = ShortLabel(quiet=True)
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.retry = tool_button("redo", "Try again", lambda: self.retry_asked.emit(self.item.id))
        self.remove = tool_button("close", "Remove", lambda: self.remove_asked.emit(self.item.id), "Del")
        row = QHBoxLayout(self)
        row.setContentsMargins(GRIP, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.title, 1)
        for button in (self.retry, self.remove):
            button.setCursor(Qt.CursorShape.ArrowCursor)
            button.setFixedSize(ROW - 2, ROW - 2)
            row.addWidget(button)

    def show_item(self, item: QueuedRender, index: int, count: int) -> None:
        """Show a render at a place (from 0) of a queue of ``count``."""
        self.item, self._index = item, index
        self.title.setText(item.title)
        self.retry.setVisible(bool(item.failed))
        state = "Failed" if item.failed else "Held" if item.held else "Waiting"
        self.setAccessibleName(f"{state}, {index + 1} of {count}: {item.title}")
        keys = "Alt+Up and Alt+Down move it, Delete takes it off the queue."
        self.setAccessibleDescription(f"{item.failed} {keys}".strip())
        self.setToolTip(f"{item.title}\n{item.failed}" if item.failed else item.title)
        self.retry.setAccessibleName(f"Try again: {item.title}")
        self.remove.setAccessibleName(f"Take off the queue: {item.title}")
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()), 0)
        if step and event.modifiers() & Qt.KeyboardModifier.AltModifier:
            self.moved.emit(self.item.id, self._index + step)
        elif step:
            self.walked.emit(self.item.id, step)
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.remove_asked.emit(self.item.id)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.item.failed:
            self.retry_asked.emit(self.item.id)
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed = event.globalPosition()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is None:
            return
        far = abs(event.globalPosition().y() - self._pressed.y())
        if not self._dragged and far >= QApplication.startDragDistance():
            self._dragged = True
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            self.update()
        if self._dragged:
            # It takes the place it is dragged over at once: what is seen is what will be.
            index = int(self.mapToParent(event.position().toPoint()).y() // ROW)
            if index != self._index:
                self.moved.emit(self.item.id, index)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._pressed, self._dragged = None, False
        self.setCursor(Qt.CursorShape.OpenHandCursor)
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focused.emit()
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    def enterEvent(self, event: QEnterEvent) -> None:
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        palette = self.palette()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        shape = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        painter.setPen(Qt.PenStyle.NoPen)
        if self._dragged or self.underMouse():
            painter.setBrush(palette.color(QPalette.ColorRole.AlternateBase))
            painter.drawRoundedRect(shape, 6, 6)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(palette.color(QPalette.ColorRole.Highlight), 2))
            painter.drawRoundedRect(shape, 6, 6)
        quiet = palette.color(QPalette.ColorRole.PlaceholderText)
        if self.item.failed:
            side = 2 * UNIT
            paint_icon(painter, "warning", QRectF(1, (ROW - side) / 2, side, side), quiet)
        else:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(quiet)
            for dot in range(6):
                painter.drawEllipse(QPointF(7 + 5 * (dot % 2), ROW / 2 - 5 + 5 * (dot // 2)), 1.2, 1.2)
        painter.end()
