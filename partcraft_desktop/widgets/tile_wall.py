"""A wall of tiles that fill its width, and pass what is typed on to a search field."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QListView, QStyle, QWidget

Metric = QStyle.PixelMetric


class TileWall(QListView):
    """Tiles of at least ``smallest`` logical pixels with ``caption`` more below each.

    ``typed(letters)``: what belongs into a search field; ``pointed(index)``: the pointer or the keys are on another
    tile, or on none (an invalid index).
    """

    typed = Signal(str)
    pointed = Signal(QModelIndex)

    def __init__(self, smallest: int, caption: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._smallest, self._caption = smallest, caption
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.entered.connect(self.pointed)
        self.viewportEntered.connect(lambda: self.pointed.emit(QModelIndex()))

    def set_caption(self, caption: int) -> None:
        """Leave so many logical pixels below each tile."""
        if caption != self._caption:
            self._caption = caption
            self._fit_grid()

    def _fit_grid(self) -> None:
        # As wide as Qt lays out: it leaves the style's room for a scroll bar, which may be wider than the bar, and
        # whether the bar is there or not. Cells too wide for that would leave a column empty.
        bar = self.verticalScrollBar()
        extent = max(self.style().pixelMetric(Metric.PM_ScrollBarExtent, None, bar), bar.sizeHint().width())
        width = max(1, self.maximumViewportSize().width() - extent - 1)
        cell = width // max(1, width // self._smallest)
        self.setGridSize(QSize(cell, cell + self._caption))

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit_grid()
        super().resizeEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        # The first click said it. Where other tiles stand there by now, a second one by habit was not meant for them.
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.pointed.emit(QModelIndex())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = not event.modifiers() & ~Qt.KeyboardModifier.ShiftModifier
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self.currentIndex().isValid():
            self.activated.emit(self.currentIndex())
        elif plain and event.text().isprintable() and event.text().strip():
            self.typed.emit(event.text())
        else:
            super().keyPressEvent(event)
            if event.key() in _WALKING:
                self.pointed.emit(self.currentIndex())


_WALKING = frozenset(
    {
        Qt.Key.Key_Left,
        Qt.Key.Key_Right,
        Qt.Key.Key_Up,
        Qt.Key.Key_Down,
        Qt.Key.Key_Home,
        Qt.Key.Key_End,
        Qt.Key.Key_PageUp,
        Qt.Key.Key_PageDown,
    }
)
