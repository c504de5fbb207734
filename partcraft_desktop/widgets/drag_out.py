"""A button that is dragged out of the window: it carries a picture file to another program."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtGui import QMouseEvent, QPixmap
from PySide6.QtWidgets import QApplication, QToolButton, QWidget

from partcraft_desktop.widgets.drag_and_drop import drag, file_data

CARRIED: Final = 96
"""Logical pixels of the longer side of what is seen under the pointer."""

Write = Callable[[Callable[[Path | None], None]], None]
"""Writes the file off the Qt thread, and hands over where it is, or None where it could not be written."""


class DragOutButton(QToolButton):
    """Pressed, it has its file written; moved, it carries the file as soon as that is there. A click does what
    ``clicked`` is connected to, so that whoever drags nothing gets the picture as well."""

    def __init__(self, write: Write, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._write = write
        self._pressed_at: QPoint | None = None
        self._press = object()
        self._moved = False
        self._file: Path | None = None
        self.picture = QPixmap()
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.OpenHandCursor)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed_at, self._moved, self._file = event.position().toPoint(), False, None
            press = self._press = object()
            self._write(lambda file: self._written(press, file))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        start = self._pressed_at
        if start is not None and not self._moved:
            way = event.position().toPoint() - start
            if way.manhattanLength() >= QApplication.startDragDistance():
                self._moved = True
                self._carry()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._pressed_at = None
        if self._moved:  # no click, wherever it ended
            self.setDown(False)
            self._moved = False
            return
        super().mouseReleaseEvent(event)

    def _written(self, press: object, file: Path | None) -> None:
        if press is self._press:
            self._file = file
            self._carry()

    def _carry(self) -> None:
        """Begin the drag, once the pointer moves and the file is there."""
        if self._file is None or not self._moved or self._pressed_at is None:
            return
        self._pressed_at, self._moved = None, False
        self.setDown(False)
        ratio = self.devicePixelRatioF()
        side = QSize(round(CARRIED * ratio), round(CARRIED * ratio))
        picture = self.picture
        if not picture.isNull():
            keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            picture = picture.scaled(side, keep, smooth)
            picture.setDevicePixelRatio(ratio)
        drag(self, file_data(str(self._file)), picture)
