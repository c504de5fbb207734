"""What every tile of a list of pictures is: a cover with round corners, a ring for its state, words or marks below."""

from __future__ import annotations

import math
from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QSize, Qt
from PySide6.QtGui import QPainter, QPalette, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from partcraft_desktop.widgets.controls import paint_cover, paint_ring, read_side, rounded
from partcraft_desktop.widgets.theme import UNIT, paint_icon
from partcraft_desktop.widgets.thumbnails import Thumbnails

Index = QModelIndex | QPersistentModelIndex
Role = QPalette.ColorRole
Ring = tuple[QPalette.ColorRole, float]
"""The colour of a ring around a tile, and its width in logical pixels."""

CHOSEN: Final[Ring] = (Role.Highlight, 2.0)
FOCUSED: Final[Ring] = (Role.PlaceholderText, 1.5)
HOVERED: Final[Ring] = (Role.Mid, 1.5)
ICON: Final = 24


class TileDelegate(QStyledItemDelegate):
    """Paints a tile as large as the view's grid allows: a square picture, and what a subclass paints below it.

    A subclass says with :meth:`path` which picture a tile shows, and overrides what else is its own.
    """

    missing_icon = "picture"
    """Shown where the picture of a tile cannot be read."""

    def __init__(self, thumbnails: Thumbnails, view: QListView) -> None:
        super().__init__(view)
        self._thumbnails = thumbnails
        self._view = view

    def path(self, index: Index) -> str:
        """The picture file of a tile."""
        return index.data(Qt.ItemDataRole.UserRole)

    def picture(self, index: Index, side: int, ratio: float) -> QPixmap | None:
        """The picture of a tile, about ``side`` logical pixels at device pixel ratio ``ratio``; null where there is
        none, None while it is read."""
        return self._thumbnails.get(self.path(index), read_side(side), ratio)

    def icon(self, index: Index) -> str:
        """The name of the icon in place of a picture that there is not."""
        return self.missing_icon

    def ring(self, index: Index, state: QStyle.StateFlag) -> Ring | None:
        """The ring around a tile, if any: faint under the pointer, a little stronger where the keys are."""
        if state & QStyle.StateFlag.State_HasFocus and state & QStyle.StateFlag.State_Active:
            return FOCUSED
        return HOVERED if state & QStyle.StateFlag.State_MouseOver else None

    def picture_rect(self, square: QRect, index: Index) -> QRect:
        """Where in a tile's square the picture lies: all of it, unless something is painted beside it."""
        return square

    def paint_picture(self, painter: QPainter, pixmap: QPixmap, square: QRect, index: Index) -> None:
        """Paint the picture of a tile: it covers the square, cut at its longer sides."""
        paint_cover(painter, pixmap, square)

    def paint_below(self, painter: QPainter, square: QRect, index: Index, option: QStyleOptionViewItem) -> None:
        """Paint what stands below the picture, which is ``square``."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        rect: QRect = option.rect  # type: ignore[attr-defined]
        palette: QPalette = option.palette  # type: ignore[attr-defined]
        side = rect.width() - UNIT
        square = self.picture_rect(QRect(rect.x() + UNIT // 2, rect.y() + UNIT // 2, side, side), index)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillPath(rounded(square.toRectF(), UNIT), palette.color(Role.AlternateBase))
        pixmap = self.picture(index, side, painter.device().devicePixelRatioF())
        if pixmap is not None and not pixmap.isNull():
            self.paint_picture(painter, pixmap, square, index)
        elif pixmap is not None:
            middle = QRect(0, 0, ICON, ICON)
            middle.moveCenter(square.center())
            paint_icon(painter, self.icon(index), middle.toRectF(), palette.color(Role.PlaceholderText))
        ring = self.ring(index, option.state)  # type: ignore[attr-defined]
        if ring is not None:
            paint_ring(painter, square, palette.color(ring[0]), ring[1])
        self.paint_below(painter, square, index, option)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return self._view.gridSize()


def paint_star(painter: QPainter, square: QRect, palette: QPalette) -> None:
    """Paint a star into the upper left corner of a tile."""
    centre = QPointF(square.left() + 14, square.top() + 14)
    star = QPolygonF([QPointF(math.sin(turn) * reach, -math.cos(turn) * reach) + centre for turn, reach in _STAR])
    around = QPen(palette.color(Role.AlternateBase))  # of a transparent view, Base and Window are none
    around.setWidthF(3)
    around.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(around)
    painter.drawPolygon(star)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(palette.color(Role.Highlight))
    painter.drawPolygon(star)


_STAR: Final = tuple((turn * math.pi / 5, 3.6 if turn % 2 else 8.0) for turn in range(10))
"""The corners of a star: turned so far from above, so far from its middle."""


def paint_dot(painter: QPainter, square: QRect, palette: QPalette) -> None:
    """Paint the dot that says "new" into the upper right corner of a tile."""
    centre = QPointF(square.right() - 8, square.top() + 9)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(palette.color(Role.AlternateBase))
    painter.drawEllipse(centre, 6, 6)
    painter.setBrush(palette.color(Role.Highlight))
    painter.drawEllipse(centre, 4, 4)
