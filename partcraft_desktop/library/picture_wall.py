"""The wall of pictures: model, delegate, view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    QUrl,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QPainter, QPalette, QResizeEvent
from PySide6.QtWidgets import QFrame, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from partcraft_desktop.widgets.controls import paint_cover, paint_ring, read_side, rounded
from partcraft_desktop.widgets.theme import UNIT, paint_icon
from partcraft_desktop.widgets.thumbnails import Thumbnails

Index = QModelIndex | QPersistentModelIndex
TileRole: Final = Qt.ItemDataRole.UserRole
CAPTION: Final = 24
SMALLEST_CELL: Final = 96


@dataclass(frozen=True)
class Tile:
    """One picture on the wall: a reference of the pack, or a person's own."""

    id: str
    title: str
    image: str
    thumbnail: str
    own: bool = False


class PictureWallModel(QAbstractListModel):
    """The tiles whose title contains what was searched for."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: tuple[Tile, ...] = ()
        self._wanted = ""
        self.tiles: tuple[Tile, ...] = ()

    def show(self, tiles: Sequence[Tile]) -> None:
        """Show other tiles."""
        if tuple(tiles) != self._all:
            self._all = tuple(tiles)
            self._filter()

    def search(self, text: str) -> None:
        """Show only titles that contain the text, whatever its case."""
        self._wanted = text.casefold().strip()
        self._filter()

    def _filter(self) -> None:
        self.beginResetModel()
        self.tiles = tuple(tile for tile in self._all if self._wanted in tile.title.casefold())
        self.endResetModel()

    def row_of(self, tile_id: str) -> int:
        """The row of a tile, -1 if it is not shown."""
        return next((row for row, tile in enumerate(self.tiles) if tile.id == tile_id), -1)

    def thumbnail_read(self, path: str, _failure: object = None) -> None:
        """Repaint the tiles of a thumbnail that can be had now."""
        for row, tile in enumerate(self.tiles):
            if tile.thumbnail == path:
                self.dataChanged.emit(self.index(row), self.index(row))

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - the signature Qt calls
        return 0 if parent.isValid() else len(self.tiles)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        tile = self.tiles[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.ToolTipRole | Qt.ItemDataRole.AccessibleTextRole:
                return tile.title
            case Qt.ItemDataRole.UserRole:
                return tile
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        return super().flags(index) | Qt.ItemFlag.ItemIsDragEnabled

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(self.tiles[index.row()].image) for index in indexes])
        return data


class PictureTileDelegate(QStyledItemDelegate):
    """A square picture and its title; a ring around the open one, a thinner one around the focused one."""

    def __init__(self, thumbnails: Thumbnails, view: QListView) -> None:
        super().__init__(view)
        self._thumbnails = thumbnails
        self._view = view
        self.open_id = ""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        tile: Tile = index.data(TileRole)
        rect: QRect = option.rect  # type: ignore[attr-defined]
        palette: QPalette = option.palette  # type: ignore[attr-defined]
        state = option.state  # type: ignore[attr-defined]
        side = rect.width() - UNIT
        square = QRect(rect.x() + UNIT // 2, rect.y() + UNIT // 2, side, side)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pixmap = self._thumbnails.get(tile.thumbnail, read_side(side), painter.device().devicePixelRatioF())
        painter.fillPath(rounded(square.toRectF(), UNIT), palette.color(QPalette.ColorRole.AlternateBase))
        if pixmap is not None and not pixmap.isNull():
            paint_cover(painter, pixmap, square)
        elif pixmap is not None:
            middle = QRect(0, 0, 24, 24)
            middle.moveCenter(square.center())
            paint_icon(painter, "picture", middle.toRectF(), palette.color(QPalette.ColorRole.PlaceholderText))
        is_open = tile.id == self.open_id
        if is_open:
            paint_ring(painter, square, palette.color(QPalette.ColorRole.Highlight))
        elif state & QStyle.StateFlag.State_HasFocus and state & QStyle.StateFlag.State_Active:
            paint_ring(painter, square, palette.color(QPalette.ColorRole.PlaceholderText), 1.5)
        elif state & QStyle.StateFlag.State_MouseOver:
            paint_ring(painter, square, palette.color(QPalette.ColorRole.Mid), 1.5)
        role = QPalette.ColorRole.WindowText if is_open else QPalette.ColorRole.PlaceholderText
        painter.setPen(palette.color(role))
        caption = QRect(square.x(), square.bottom() + 5, side, CAPTION - 6)
        title = option.fontMetrics.elidedText(tile.title, Qt.TextElideMode.ElideRight, side)  # type: ignore[attr-defined]
        painter.drawText(caption, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter, title)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return self._view.gridSize()


class WallView(QListView):
    """The wall; letters typed into it go to the search field."""

    typed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setDragEnabled(True)
        self.setDragDropMode(QListView.DragDropMode.DragOnly)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def resizeEvent(self, event: QResizeEvent) -> None:
        width = self.viewport().width() - 1
        cell = width // max(1, width // SMALLEST_CELL)
        self.setGridSize(QSize(cell, cell + CAPTION))
        super().resizeEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = not event.modifiers() & ~Qt.KeyboardModifier.ShiftModifier
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self.currentIndex().isValid():
            self.activated.emit(self.currentIndex())
        elif plain and event.text().isprintable() and event.text().strip():
            self.typed.emit(event.text())
        else:
            super().keyPressEvent(event)
