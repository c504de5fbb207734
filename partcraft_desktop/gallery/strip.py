"""The strip of creations: model, delegate, view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from PySide6.QtCore import (
    QMimeData,
    QModelIndex,
    QObject,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QPainter, QPaintEvent, QPalette, QPixmap, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QListView, QStyle, QStyleOptionViewItem, QWidget

from engine.core.recipe import Creation
from engine.core.vocabulary import Vocabulary
from partcraft_desktop.app.creation_stars import star_of
from partcraft_desktop.app.state import RenderStatus
from partcraft_desktop.widgets.controls import rounded
from partcraft_desktop.widgets.creation_rows import CreationRows
from partcraft_desktop.widgets.drag_and_drop import file_url
from partcraft_desktop.widgets.receipt_chips import CHIP, ReceiptPictures, receipt_text
from partcraft_desktop.widgets.theme import UNIT
from partcraft_desktop.widgets.thumbnails import Thumbnails
from partcraft_desktop.widgets.tile_delegate import CHOSEN, Index, Ring, TileDelegate, paint_dot, paint_star

CreationRole: Final = Qt.ItemDataRole.UserRole
CHIPS: Final = CHIP + UNIT
TILES: Final = (64, 256)
"""The sides of a tile, least and most, in logical pixels."""
GRID_TILE: Final = 128
"""Where two rows of such tiles fit, the strip becomes a grid."""
Role = QPalette.ColorRole


class CreationListModel(CreationRows):
    """Row 0 is the running render, if any; then the creations."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.render: RenderStatus | None = None
        self.preview: QPixmap | None = None
        self.unseen: frozenset[str] = frozenset()
        """Paths of creations that nobody has looked at yet."""
        self.stars: frozenset[str] = frozenset()
        self.names: Callable[[Creation], Vocabulary | None] = lambda _: None

    @property
    def first(self) -> int:
        return 1 if self.render is not None else 0

    def show(self, creations: tuple[Creation, ...], render: RenderStatus | None) -> None:
        """Show another state; rows that stay keep their selection."""
        if (render is None) != (self.render is None):
            if render is None:
                self.beginRemoveRows(QModelIndex(), 0, 0)
                self.render = None
                self.preview = None
                self.endRemoveRows()
            else:
                self.beginInsertRows(QModelIndex(), 0, 0)
                self.render = render
                self.endInsertRows()
        elif render is not self.render:
            if render is not None and self.render is not None and render.item is not self.render.item:
                self.preview = None
            self.render = render
            self.dataChanged.emit(self.index(0), self.index(0))
        self.show_creations(creations)

    def creation(self, index: Index) -> Creation | None:
        """The creation of a row; None for the running render."""
        row = index.row() - self.first
        return self.creations[row] if 0 <= row < len(self.creations) else None

    def show_unseen(self, unseen: frozenset[str]) -> None:
        """Mark other creations as new."""
        changed = unseen ^ self.unseen
        self.unseen = unseen
        for path in changed:
            self.repaint(path)

    def show_stars(self, stars: frozenset[str]) -> None:
        """Mark other creations with a star."""
        if stars is not self.stars:
            changed, self.stars = stars ^ self.stars, stars
            for creation in self.creations if changed else ():
                if star_of(creation) in changed:
                    self.repaint(creation.path)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - the signature Qt calls
        return 0 if parent.isValid() else len(self.creations) + self.first

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == CreationRole:
            return self.creation(index)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            creation = self.creation(index)
            if creation is None:
                return "Rendering"
            words = receipt_text(creation, self.names(creation))
            words = f"{words}\nThe rest is from {creation.rest.title}." if creation.rest else words
            words = f"Starred\n{words}" if star_of(creation) in self.stars else words
            return f"New\n{words}" if creation.path in self.unseen else words
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        if self.creation(index) is None:
            return Qt.ItemFlag.ItemIsEnabled
        return super().flags(index) | Qt.ItemFlag.ItemIsDragEnabled

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        data = QMimeData()
        creations = [creation for index in indexes if (creation := self.creation(index)) is not None]
        data.setUrls([file_url(creation.path) for creation in creations])
        return data


class CreationDelegate(TileDelegate):
    """A tile with the chips of its receipt; the running render shows its preview and how far it is."""

    def __init__(self, thumbnails: Thumbnails, model: CreationListModel, view: QListView) -> None:
        super().__init__(thumbnails, view)
        self._model = model
        self._receipts = ReceiptPictures()

    def path(self, index: Index) -> str:
        creation = self._model.creation(index)
        return creation.path if creation is not None else ""

    def picture(self, index: Index, side: int, ratio: float) -> QPixmap | None:
        if self._model.creation(index) is None:
            return QPixmap() if self._model.preview is None else self._model.preview
        return super().picture(index, side, ratio)

    def icon(self, index: Index) -> str:
        return "render" if self._model.creation(index) is None else self.missing_icon

    def ring(self, index: Index, state: QStyle.StateFlag) -> Ring | None:
        if self._model.creation(index) is None:
            return None
        return CHOSEN if state & QStyle.StateFlag.State_Selected else super().ring(index, state)

    def paint_below(self, painter: QPainter, square: QRect, index: Index, option: QStyleOptionViewItem) -> None:
        palette: QPalette = option.palette  # type: ignore[attr-defined]
        creation = self._model.creation(index)
        if creation is None:
            self._paint_progress(painter, square, palette)
        else:
            if creation.path in self._model.unseen:
                paint_dot(painter, square, palette)
            if star_of(creation) in self._model.stars:
                paint_star(painter, square, palette)
            room = QRectF(square.x(), square.bottom() + UNIT, square.width(), CHIP)
            self._receipts.paint(painter, room, creation.receipt, self._model.names(creation), palette)

    def _paint_progress(self, painter: QPainter, square: QRect, palette: QPalette) -> None:
        render = self._model.render
        if render is None:
            return
        bar = QRectF(square.x(), square.bottom() + UNIT + 6, square.width(), 4)
        painter.fillPath(rounded(bar, 2), palette.color(Role.AlternateBase))
        if render.total:
            bar.setWidth(max(4.0, bar.width() * render.done / render.total))
            painter.fillPath(rounded(bar, 2), palette.color(Role.Highlight))


class StripView(QListView):
    """One row of tiles as high as the view, which scrolls sideways, by the wheel too; in a high view a grid that
    scrolls down. ``laid_out()``: it became the one or the other, or the grid's tiles have another size."""

    laid_out = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tile = 0
        self._is_grid = False
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setDragEnabled(True)
        self.setDragDropMode(QListView.DragDropMode.DragOnly)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setSelectionRectVisible(False)
        self.setHorizontalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    @property
    def is_grid(self) -> bool:
        """Whether the tiles are a grid."""
        return self._is_grid

    @property
    def tile(self) -> int:
        """The side of the grid's tiles in logical pixels as a person set it; 0: as the height suggests."""
        return self._tile

    def set_tile(self, side: int) -> None:
        """Set the side of the grid's tiles, moved into ``TILES``; 0: as the height suggests."""
        self._tile = min(max(side, TILES[0]), TILES[1]) if side > 0 else 0
        self._lay_out()

    @property
    def grid_side(self) -> int:
        """The side of a tile of the grid."""
        return self._tile or min(max(self.height() // 2 - UNIT - CHIPS, GRID_TILE), TILES[1])

    def _lay_out(self) -> None:
        is_grid = self.height() > 2 * (GRID_TILE + UNIT + CHIPS)
        if is_grid != self._is_grid:
            self._is_grid = is_grid
            self.setWrapping(is_grid)
            self.setResizeMode(QListView.ResizeMode.Adjust if is_grid else QListView.ResizeMode.Fixed)
            shown, hidden = Qt.ScrollBarPolicy.ScrollBarAsNeeded, Qt.ScrollBarPolicy.ScrollBarAlwaysOff
            self.setHorizontalScrollBarPolicy(hidden if is_grid else shown)
            self.setVerticalScrollBarPolicy(shown if is_grid else hidden)
        if is_grid:
            # As many as fit beside each other share the whole width.
            width = self.width() - self.verticalScrollBar().sizeHint().width() - 2
            cell = width // max(1, width // (self.grid_side + UNIT))
            size = QSize(cell, cell + CHIPS)
        else:
            height = self.height() - self.horizontalScrollBar().sizeHint().height()
            size = QSize(min(max(64, height - CHIPS), TILES[1] + UNIT), max(64 + CHIPS, height))
        if size != self.gridSize():
            self.setGridSize(size)
            self.scrollTo(self.currentIndex())
            self.laid_out.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._lay_out()
        super().resizeEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned = event.angleDelta()
        moved = event.pixelDelta()
        if self._is_grid and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.set_tile(self.grid_side + (8 if turned.y() > 0 else -8 if turned.y() < 0 else 0))
        elif self._is_grid:
            super().wheelEvent(event)
        else:
            bar = self.horizontalScrollBar()
            sideways = moved.x() or moved.y() or (turned.x() or turned.y()) // 2
            bar.setValue(bar.value() - sideways)
        event.accept()


class GhostTiles(QWidget):
    """Where creations will be: faint tiles, and a sentence."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        self.setAccessibleName(text)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = min(self.height() - CHIPS - 2 * UNIT, TILES[1])
        count = max(1, (self.width() + UNIT) // (side + UNIT))
        for number in range(count):
            painter.setOpacity(0.7 * (1 - number / count))
            tile = QRectF(number * (side + UNIT) + UNIT // 2, UNIT // 2, side, side)
            painter.fillPath(rounded(tile, UNIT), self.palette().color(Role.AlternateBase))
        painter.setOpacity(1.0)
        painter.setPen(self.palette().color(Role.PlaceholderText))
        painter.drawText(QRectF(0, 0, self.width(), side + UNIT), Qt.AlignmentFlag.AlignCenter, self._text)
        painter.end()
