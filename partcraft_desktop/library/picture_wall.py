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
    QRect,
    Qt,
)
from PySide6.QtGui import QFontMetrics, QPainter, QPalette
from PySide6.QtWidgets import QListView, QStyle, QStyleOptionViewItem

from partcraft_desktop.widgets.drag_and_drop import file_url
from partcraft_desktop.widgets.thumbnails import Thumbnails
from partcraft_desktop.widgets.tile_delegate import CHOSEN, Index, Ring, TileDelegate

TileRole: Final = Qt.ItemDataRole.UserRole
CAPTION: Final = 24
"""Logical pixels below a tile for its title."""
SMALLEST_CELL: Final = 84
"""Logical pixels of a tile with its margins."""


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
        data.setUrls([file_url(self.tiles[index.row()].image) for index in indexes])
        return data


class PictureTileDelegate(TileDelegate):
    """A tile with its title; a ring around the open one."""

    def __init__(self, thumbnails: Thumbnails, view: QListView) -> None:
        super().__init__(thumbnails, view)
        self.open_id = ""

    def path(self, index: Index) -> str:
        return index.data(TileRole).thumbnail

    def ring(self, index: Index, state: QStyle.StateFlag) -> Ring | None:
        return CHOSEN if self._is_open(index) else super().ring(index, state)

    def paint_below(self, painter: QPainter, square: QRect, index: Index, option: QStyleOptionViewItem) -> None:
        role = QPalette.ColorRole.WindowText if self._is_open(index) else QPalette.ColorRole.PlaceholderText
        painter.setPen(option.palette.color(role))  # type: ignore[attr-defined]
        caption = QRect(square.x(), square.bottom() + 5, square.width(), CAPTION - 6)
        metrics: QFontMetrics = option.fontMetrics  # type: ignore[attr-defined]
        title = metrics.elidedText(index.data(TileRole).title, Qt.TextElideMode.ElideRight, square.width())
        painter.drawText(caption, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter, title)

    def _is_open(self, index: Index) -> bool:
        return index.data(TileRole).id == self.open_id
