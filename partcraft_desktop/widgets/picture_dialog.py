"""One picture, large."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from partcraft_desktop.widgets.controls import paint_cover, push_button
from partcraft_desktop.widgets.dialog import Dialog
from partcraft_desktop.widgets.thumbnails import Thumbnails


class FittedPicture(QWidget):
    """A picture as large as there is room, never cut."""

    def __init__(self, thumbnails: Thumbnails) -> None:
        super().__init__()
        self._thumbnails = thumbnails
        self._path = ""
        self.setMinimumSize(320, 320)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        # A method, not a lambda: Qt forgets it together with the dialog.
        thumbnails.ready.connect(self._arrived)

    def sizeHint(self) -> QSize:
        return QSize(512, 512)

    def _arrived(self, path: str) -> None:
        if path == self._path:
            self.update()

    def show_picture(self, path: str) -> None:
        """Show a file."""
        self._path = path
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        # One size for any window, so that resizing does not read the file again and again.
        pixmap: QPixmap | None = self._thumbnails.get(self._path, 1024) if self._path else None
        if pixmap is None or pixmap.isNull():
            return
        size = pixmap.deviceIndependentSize().toSize().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        painter = QPainter(self)
        target = self.rect()
        target.setSize(size)
        target.moveCenter(self.rect().center())
        paint_cover(painter, pixmap, target)
        painter.end()


class PictureDialog(Dialog):
    """One picture, large. Any of Esc, Enter and Space closes it."""

    def __init__(self, path: str, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(Path(path).stem, parent)
        picture = FittedPicture(thumbnails)
        picture.show_picture(path)
        picture.setAccessibleName(f"{Path(path).parent.name}, {Path(path).stem}")
        self.column.addWidget(picture, 1)
        close = push_button("Close", self.accept)
        self.add_buttons(close)
        close.setFocus()
