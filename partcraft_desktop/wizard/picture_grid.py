"""Pictures of a folder in a grid or a strip; thumbnails are read when they are seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QAbstractListModel, QModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QListView, QSizePolicy, QStyle

from partcraft_desktop.widgets.thumbnails import Thumbnails
from partcraft_desktop.widgets.tile_delegate import CHOSEN, Index, Ring, TileDelegate

CELL: Final = 112


class PictureListModel(QAbstractListModel):
    """Paths of pictures; thumbnails are read when they are seen."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: tuple[str, ...] = ()

    def show(self, paths: Sequence[str]) -> None:
        """Show other pictures."""
        if tuple(paths) != self.paths:
            self.beginResetModel()
            self.paths = tuple(paths)
            self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - the signature Qt calls
        return 0 if parent.isValid() else len(self.paths)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        path = Path(self.paths[index.row()])
        match role:
            case Qt.ItemDataRole.AccessibleTextRole | Qt.ItemDataRole.ToolTipRole:
                return f"{path.parent.name} / {path.name}"
            case Qt.ItemDataRole.UserRole:
                return path
        return None


class PictureDelegate(TileDelegate):
    """A picture alone. The keys are all that marks one here, so their ring is the strong one."""

    missing_icon = "warning"

    def path(self, index: Index) -> str:
        return str(index.data(Qt.ItemDataRole.UserRole))

    def ring(self, index: Index, state: QStyle.StateFlag) -> Ring | None:
        return CHOSEN if state & QStyle.StateFlag.State_HasFocus else None


class PictureGrid(QListView):
    """Pictures in a grid that scrolls. ``enlarged(path)``: a picture was pressed, or Enter on it."""

    enlarged = Signal(object)

    def __init__(self, thumbnails: Thumbnails) -> None:
        super().__init__()
        self.pictures = PictureListModel()
        self.setModel(self.pictures)
        self.setItemDelegate(PictureDelegate(thumbnails, self))
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setLayoutMode(QListView.LayoutMode.Batched)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSelectionMode(QListView.SelectionMode.NoSelection)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Pictures")
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor)
        self.clicked.connect(self._enlarge)
        thumbnails.ready.connect(self._arrived)
        thumbnails.failed.connect(self._arrived)

    def _arrived(self, _path: str, _failure: object = None) -> None:
        self.viewport().update()

    def _enlarge(self, index: QModelIndex) -> None:
        self.enlarged.emit(self.pictures.paths[index.row()])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self.currentIndex().isValid():
            self._enlarge(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        # Qt lays a long list out as if its scroll bar were there.
        bar = self.verticalScrollBar()
        width = self.viewport().width() - 1 - (0 if bar.isVisible() else bar.sizeHint().width())
        cell = max(48, width // max(1, width // CELL))
        self.setGridSize(QSize(cell, cell))
        super().resizeEvent(event)


class PictureStrip(PictureGrid):
    """A few pictures in one row, as high as the room for eight of them allows."""

    EIGHT: Final = 8

    def __init__(self, thumbnails: Thumbnails) -> None:
        super().__init__(thumbnails)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def resizeEvent(self, event: QResizeEvent) -> None:
        cell = max(48, (self.viewport().width() - 1) // self.EIGHT)
        self.setGridSize(QSize(cell, cell))
        self.setFixedHeight(cell)
        QListView.resizeEvent(self, event)
