"""The wall of pictures, those of a kind as one tile: model and delegate."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QObject,
    QPoint,
    QRect,
    Qt,
)
from PySide6.QtGui import QFontMetrics, QPainter, QPalette
from PySide6.QtWidgets import QListView, QStyle, QStyleOptionViewItem

from engine.packs.pack import Reference
from partcraft_desktop.widgets.controls import rounded
from partcraft_desktop.widgets.drag_and_drop import file_url
from partcraft_desktop.widgets.part_glyphs import with_alpha
from partcraft_desktop.widgets.text import amount
from partcraft_desktop.widgets.thumbnails import Thumbnails
from partcraft_desktop.widgets.tile_delegate import CHOSEN, Index, Ring, TileDelegate

TileRole: Final = Qt.ItemDataRole.UserRole
CAPTION: Final = 24
"""Logical pixels below a tile for its title."""
SMALLEST_CELL: Final = 84
"""Logical pixels of a tile with its margins."""


STACK: Final = 4
"""Logical pixels between the edges of the pictures that lie under the first of a kind."""
BADGE_MARGIN: Final = 5
"""Logical pixels between the count of a kind and the edges of its tile."""


@dataclass(frozen=True)
class Tile:
    """One picture on the wall: a reference of the pack, or a person's own. A tile with ``members`` is a kind that has
    several: it shows the first of them, and ``title`` is the kind's. ``kind`` is the title of a picture's kind."""

    id: str
    title: str
    image: str
    thumbnail: str
    own: bool = False
    kind: str = ""
    members: tuple[Tile, ...] = ()

    @property
    def words(self) -> str:
        """The tile in words: its title, and how many pictures a kind has."""
        return f"{self.title}, {amount(len(self.members), 'picture')}" if self.members else self.title

    def shows(self, picture_id: str) -> bool:
        """Whether a picture is this tile, or one of its kind."""
        return self.id == picture_id or any(member.id == picture_id for member in self.members)


def tiles_by_kind(references: Sequence[Reference]) -> list[Tile]:
    """The references as tiles: one for each title, in the order of their first pictures. A kind of one picture is
    just that picture; the pictures of larger kinds are called as their files were, or by number."""
    kinds: dict[str, list[Reference]] = {}
    for reference in references:
        kinds.setdefault(reference.title, []).append(reference)
    tiles = []
    for title, pictures in kinds.items():
        if len(pictures) == 1:
            tiles.append(_tile(pictures[0], title, title))
            continue
        members = tuple(_tile(picture, _name(picture, number), title) for number, picture in enumerate(pictures, 1))
        first = members[0]
        tiles.append(Tile(f"kind {title}", title, first.image, first.thumbnail, kind=title, members=members))
    return tiles


def _tile(reference: Reference, title: str, kind: str) -> Tile:
    return Tile(reference.id, title, reference.image, reference.thumbnail, kind=kind)


def _name(reference: Reference, number: int) -> str:
    """What tells a picture from the others of its kind: the name in its id (``00012-red-hen``), else its number."""
    name = re.sub(r"^\d+-", "", reference.id).replace("-", " ").replace("_", " ").strip()
    return name if any(letter.isalpha() for letter in name) else f"{reference.title} {number}"


class PictureWallModel(QAbstractListModel):
    """The tiles of a pack, one a kind; or the pictures of the kind that is :attr:`opened`; or, from all kinds and
    pictures, those whose title contains what was searched for."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: tuple[Tile, ...] = ()
        self._wanted = ""
        self.opened: Tile | None = None
        self.tiles: tuple[Tile, ...] = ()

    def show(self, tiles: Sequence[Tile]) -> None:
        """Show other tiles. A kind that is open stays so as long as it has several pictures."""
        if tuple(tiles) != self._all:
            self._all = tuple(tiles)
            if self.opened is not None:
                kind = self.opened.id
                self.opened = next((tile for tile in self._all if tile.id == kind and tile.members), None)
            self._filter()

    def search(self, text: str) -> None:
        """Show only titles that contain the text, whatever its case; searching looks into every kind."""
        self._wanted = text.casefold().strip()
        if self._wanted:
            self.opened = None
        self._filter()

    def open_kind(self, tile: Tile | None) -> None:
        """Show the pictures of a kind, or with None all kinds again."""
        self.opened = tile
        self._filter()

    def _filter(self) -> None:
        self.beginResetModel()
        if self.opened is not None:
            self.tiles = self.opened.members
        else:
            self.tiles = tuple(hit for tile in self._all for hit in self._hits(tile))
        self.endResetModel()

    def _hits(self, tile: Tile) -> tuple[Tile, ...]:
        """A tile that is wanted; or of a kind that is not, the pictures that are."""
        if self._wanted in tile.title.casefold():
            return (tile,)
        return tuple(one for one in tile.members if self._wanted in f"{one.kind} {one.title}".casefold())

    def row_of(self, tile_id: str) -> int:
        """The row of a picture or of its kind, -1 if neither is shown."""
        return next((row for row, tile in enumerate(self.tiles) if tile.shows(tile_id)), -1)

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
            case Qt.ItemDataRole.DisplayRole:
                return tile.title
            case Qt.ItemDataRole.ToolTipRole | Qt.ItemDataRole.AccessibleTextRole:
                return tile.words
            case Qt.ItemDataRole.UserRole:
                return tile
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        kind = index.isValid() and bool(self.tiles[index.row()].members)
        return flags if kind else flags | Qt.ItemFlag.ItemIsDragEnabled

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        data = QMimeData()
        data.setUrls([file_url(self.tiles[index.row()].image) for index in indexes])
        return data


class PictureTileDelegate(TileDelegate):
    """A tile with its title; a ring around the open one; a kind looks like a stack of pictures with their count."""

    def __init__(self, thumbnails: Thumbnails, view: QListView) -> None:
        super().__init__(thumbnails, view)
        self.open_id = ""

    def path(self, index: Index) -> str:
        return index.data(TileRole).thumbnail

    def ring(self, index: Index, state: QStyle.StateFlag) -> Ring | None:
        return CHOSEN if self._is_open(index) else super().ring(index, state)

    def picture_rect(self, square: QRect, index: Index) -> QRect:
        return square.adjusted(0, 2 * STACK, 0, 0) if index.data(TileRole).members else square

    def _paint_count(self, painter: QPainter, square: QRect, count: int, palette: QPalette) -> None:
        text = f"{count:,}"
        height = painter.fontMetrics().height() + 2
        width = max(height, painter.fontMetrics().horizontalAdvance(text) + 10)
        badge = QRect(0, 0, width, height)
        badge.moveBottomRight(square.bottomRight() - QPoint(BADGE_MARGIN, BADGE_MARGIN))
        painter.fillPath(
            rounded(badge.toRectF(), height / 2), with_alpha(palette.color(QPalette.ColorRole.AlternateBase), 0.9)
        )
        painter.setPen(palette.color(QPalette.ColorRole.WindowText))
        painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_edges(self, painter: QPainter, square: QRect, palette: QPalette) -> None:
        """The upper edges of two pictures that lie under the first."""
        for depth in (2, 1):
            edge = QRect(square.x() + depth * 2 * STACK, square.y() - depth * STACK, 0, STACK - 1)
            edge.setWidth(square.width() - depth * 4 * STACK)
            colour = with_alpha(palette.color(QPalette.ColorRole.PlaceholderText), 0.7 / depth)
            painter.fillPath(rounded(edge.toRectF(), (STACK - 1) / 2), colour)

    def paint_below(self, painter: QPainter, square: QRect, index: Index, option: QStyleOptionViewItem) -> None:
        members = index.data(TileRole).members
        if members:
            self._paint_edges(painter, square, option.palette)  # type: ignore[attr-defined]
            self._paint_count(painter, square, len(members), option.palette)  # type: ignore[attr-defined]
        role = QPalette.ColorRole.WindowText if self._is_open(index) else QPalette.ColorRole.PlaceholderText
        painter.setPen(option.palette.color(role))  # type: ignore[attr-defined]
        caption = QRect(square.x(), square.bottom() + 5, square.width(), CAPTION - 6)
        metrics: QFontMetrics = option.fontMetrics  # type: ignore[attr-defined]
        title = metrics.elidedText(index.data(TileRole).title, Qt.TextElideMode.ElideRight, square.width())
        painter.drawText(caption, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter, title)

    def _is_open(self, index: Index) -> bool:
        return index.data(TileRole).shows(self.open_id)
