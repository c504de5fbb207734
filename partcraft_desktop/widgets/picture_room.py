"""Room for a picture, no longer than it can use: what stands below it stays right below it."""

from __future__ import annotations

from typing import Final

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

MARGIN: Final = 16
"""Logical pixels around a fitted picture, as the canvases leave them."""

_FIRST: Final = 1 << 10
"""The room's share of a column, so that nothing else in it grows before the room has all that it can use."""


class PictureRoom(QStackedWidget):
    """Pages that show a picture. At its width it is at most as high as a square, or as the picture if that is higher;
    room that is left stays empty below whatever :meth:`fill` puts under it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._height_of_width = 1.0

    def fill(self, column: QVBoxLayout, *below: QWidget | QVBoxLayout | int) -> None:
        """Lay out a column: this, then widgets, layouts and gaps (logical pixels) under it, then what is left."""
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self, _FIRST)
        for item in below:
            if isinstance(item, int):
                column.addSpacing(item)
            elif isinstance(item, QWidget):
                column.addWidget(item)
            else:
                column.addLayout(item)
        column.addStretch(1)

    def show_shape(self, width: int, height: int) -> None:
        """Make room for a picture of this shape."""
        self._height_of_width = max(1.0, height / max(1, width))
        self._limit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._limit()

    def _limit(self) -> None:
        across = max(0, self.width() - 2 * MARGIN)
        self.setMaximumHeight(max(self.minimumSizeHint().height(), round(across * self._height_of_width) + 2 * MARGIN))
