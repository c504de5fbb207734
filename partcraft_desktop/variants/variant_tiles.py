"""The tiles of the wall: model and delegate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPalette, QPixmap
from PySide6.QtWidgets import QListView, QStyle, QStyleOptionViewItem

from partcraft_desktop.variants.variant_list import Variant
from partcraft_desktop.widgets.controls import CORNER, read_side, rounded
from partcraft_desktop.widgets.part_glyphs import crop_ground
from partcraft_desktop.widgets.theme import UNIT
from partcraft_desktop.widgets.thumbnails import Thumbnails
from partcraft_desktop.widgets.tile_delegate import CHOSEN, Index, Ring, TileDelegate

VariantRole: Final = Qt.ItemDataRole.UserRole
CELL: Final = 112
"""Logical pixels of a tile with its margins, at least."""
LINE: Final = 16
"""Logical pixels of a line below it."""


class VariantModel(QAbstractListModel):
    """The variants whose words contain what was searched for."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: tuple[Variant, ...] = ()
        self._wanted = ""
        self.variants: tuple[Variant, ...] = ()
        self.chosen = -1

    @property
    def lines(self) -> int:
        """How many lines tell all variants apart."""
        return 2 if any(one.detail for one in self._all) else 1

    def show(self, variants: Sequence[Variant]) -> None:
        """Show the variants of another part, all of them."""
        self._all, self._wanted = tuple(variants), ""
        self._filter()

    def search(self, text: str) -> None:
        """Show only variants whose words contain the text, whatever its case."""
        self._wanted = text.casefold().strip()
        self._filter()

    def _filter(self) -> None:
        self.beginResetModel()
        self.variants = tuple(one for one in self._all if self._wanted in one.words.casefold())
        self.endResetModel()

    def mark(self, row: int) -> None:
        """Mark the row of what is chosen, -1 for none."""
        before, self.chosen = self.chosen, row
        for changed in {before, row}:
            if 0 <= changed < len(self.variants):
                self.dataChanged.emit(self.index(changed), self.index(changed))

    def crop_read(self, path: str, _failure: object = None) -> None:
        """Repaint the tiles of a picture that can be had now."""
        for row, variant in enumerate(self.variants):
            if variant.image == path:
                self.dataChanged.emit(self.index(row), self.index(row))

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - the signature Qt calls
        return 0 if parent.isValid() else len(self.variants)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        variant = self.variants[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.ToolTipRole:
                return variant.words
            case Qt.ItemDataRole.AccessibleTextRole:
                return f"{variant.words}, chosen" if index.row() == self.chosen else variant.words
            case Qt.ItemDataRole.UserRole:
                return variant
        return None


class VariantDelegate(TileDelegate):
    """A part alone on the colour of its kind, its name below; a ring around what is chosen."""

    missing_icon = "eye-off"

    def __init__(self, thumbnails: Thumbnails, model: VariantModel, view: QListView) -> None:
        super().__init__(thumbnails, view)
        self._model = model
        self.colour = QColor()
        self.part = 0

    def picture(self, index: Index, side: int, ratio: float) -> QPixmap | None:
        variant: Variant = index.data(VariantRole)
        if not variant.image:
            return QPixmap()
        return self._thumbnails.crop(variant.image, variant.labels, self.part, read_side(side - 2 * UNIT), ratio)

    def icon(self, index: Index) -> str:
        return "close" if index.data(VariantRole).choice is None else self.missing_icon

    def ring(self, index: Index, state: QStyle.StateFlag) -> Ring | None:
        return CHOSEN if index.row() == self._model.chosen else super().ring(index, state)

    def paint_picture(self, painter: QPainter, pixmap: QPixmap, square: QRect, index: Index) -> None:
        base = self._view.window().palette().color(QPalette.ColorRole.Base)  # the view's own is transparent
        painter.fillPath(rounded(square.toRectF(), CORNER), crop_ground(base, self.colour))
        size = pixmap.deviceIndependentSize()
        room = QRectF(square).adjusted(UNIT, UNIT, -UNIT, -UNIT)
        scale = min(room.width() / size.width(), room.height() / size.height())
        place = QRectF(0, 0, size.width() * scale, size.height() * scale)
        place.moveCenter(room.center())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(place, pixmap, QRectF(pixmap.rect()))

    def paint_below(self, painter: QPainter, square: QRect, index: Index, option: QStyleOptionViewItem) -> None:
        variant: Variant = index.data(VariantRole)
        palette = self._view.palette()
        line = QRect(square.x(), square.bottom() + 4, square.width(), LINE)
        middle = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter
        font = QFont(painter.font())
        font.setWeight(QFont.Weight.Medium)
        painter.setFont(font)
        painter.setPen(palette.color(QPalette.ColorRole.WindowText))
        name = painter.fontMetrics().elidedText(variant.name, Qt.TextElideMode.ElideRight, line.width())
        painter.drawText(line, middle, name)
        font.setWeight(QFont.Weight.Normal)
        painter.setFont(font)
        painter.setPen(palette.color(QPalette.ColorRole.PlaceholderText))
        detail = painter.fontMetrics().elidedText(variant.detail, Qt.TextElideMode.ElideRight, line.width())
        painter.drawText(line.translated(0, line.height()), middle, detail)
