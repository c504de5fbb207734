"""The strip under the creature: the collage, the running render and the creations of the pack, a flick apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from PySide6.QtCore import QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QPainter, QPixmap, QWheelEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QListView, QStyle, QStyleOptionViewItem, QWidget

from engine.collage.layers import Collage
from engine.core.recipe import Creation
from partcraft_desktop.app.state import RenderStatus
from partcraft_desktop.creature.layer_images import LayerImages
from partcraft_desktop.creature.on_show import Here, Item, OnShow
from partcraft_desktop.creature.strip_model import CreatureStripModel
from partcraft_desktop.widgets.controls import rounded
from partcraft_desktop.widgets.theme import UNIT
from partcraft_desktop.widgets.thumbnails import Thumbnails
from partcraft_desktop.widgets.tile_delegate import CHOSEN, Index, Ring, Role, TileDelegate, paint_dot

SIDE: Final = 52
SMALL_SIDE: Final = 40
"""Sides of a thumb in logical pixels, with much and with little room."""
REDRAWN_MS: Final = 100
"""A collage that changes under somebody's hand is drawn anew here so often; a large one when it rests."""
LARGE: Final = 2**20
"""Pixels of a large collage."""


class CreatureStrip(QListView):
    """One row of thumbs; the one on show has the ring. ``chosen(item)``: a person wants to see one."""

    chosen = Signal(object)
    collage_drawn = Signal(QPixmap)

    def __init__(
        self, on_show: OnShow, words: Callable[[Item], str], thumbnails: Thumbnails, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._on_show = on_show
        self._follows = False  # the ring is moved by what is on show, not by a person
        self._collage: Collage | None = None
        self._images = LayerImages()
        self.rows = CreatureStripModel(words, self)
        self.setAccessibleName("Collage and creations")
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setDragEnabled(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setModel(self.rows)
        self.setItemDelegate(_ThumbDelegate(thumbnails, self.rows, self))
        self._side = 0
        self.set_small(False)
        self._redraw = QTimer(self, singleShot=True, interval=REDRAWN_MS)
        self._redraw.timeout.connect(self._draw_collage)
        self.selectionModel().currentChanged.connect(self._moved)
        thumbnails.ready.connect(self.rows.repaint)
        thumbnails.failed.connect(self.rows.repaint)

    def set_small(self, small: bool) -> None:
        """Show smaller thumbs, where room is short."""
        side = SMALL_SIDE if small else SIDE
        if side != self._side:
            self._side = side
            self.setGridSize(QSize(side + UNIT, side + UNIT))
            self.setFixedHeight(side + UNIT)

    def show_rows(self, render: RenderStatus | None) -> None:
        """Show what is a flick apart now, with the ring around what is on show."""
        on_show = self._on_show
        self._follows = True
        self.rows.show(render, on_show.creations, on_show.unseen)
        index = self.rows.index(self.rows.row_of(on_show.item))
        if index.isValid() and index != self.currentIndex():
            self.setCurrentIndex(index)
        elif not index.isValid():  # a creation of another pack
            self.selectionModel().clear()
        self._follows = False

    def show_collage(self, collage: Collage | None) -> None:
        """Take another collage; it is drawn soon."""
        if collage is not self._collage:
            self._collage = collage
            is_large = collage is not None and collage.width * collage.height > LARGE
            if is_large or not self._redraw.isActive():
                self._redraw.start()

    def show_preview(self, preview: QImage) -> None:
        """Take a new preview of the running render."""
        self.rows.set_pictures(preview=QPixmap.fromImage(preview))

    def _draw_collage(self) -> None:
        picture = QPixmap()
        if self._collage is not None:
            picture = self._images.thumbnail(self._collage, SIDE, self.devicePixelRatioF(), self.palette())
        self.rows.set_pictures(collage=picture)
        self.collage_drawn.emit(picture)

    def _moved(self, current: Index) -> None:
        item = self.rows.item(current.row()) if current.isValid() else None
        if item is not None and not self._follows:
            self.chosen.emit(item)

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned, moved = event.angleDelta(), event.pixelDelta()
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - (moved.x() or moved.y() or (turned.x() or turned.y()) // 2))
        event.accept()


class _ThumbDelegate(TileDelegate):
    """A thumb: the ring around the one on show, a dot on what came unseen, how far the running render is."""

    def __init__(self, thumbnails: Thumbnails, rows: CreatureStripModel, view: CreatureStrip) -> None:
        super().__init__(thumbnails, view)
        self._rows = rows

    def path(self, index: Index) -> str:
        item = self._rows.item(index.row())
        return item.path if isinstance(item, Creation) else ""

    def picture(self, index: Index, side: int, ratio: float) -> QPixmap | None:
        item = self._rows.item(index.row())
        if item is Here.COLLAGE:
            return self._rows.collage
        if item is Here.RENDER:
            return self._rows.preview
        return super().picture(index, side, ratio)

    def icon(self, index: Index) -> str:
        item = self._rows.item(index.row())
        return "bird" if item is Here.COLLAGE else "render" if item is Here.RENDER else self.missing_icon

    def ring(self, index: Index, state: QStyle.StateFlag) -> Ring | None:
        if state & QStyle.StateFlag.State_Selected:
            keyboard = state & QStyle.StateFlag.State_HasFocus and state & QStyle.StateFlag.State_Active
            return (CHOSEN[0], 3.0) if keyboard else CHOSEN
        return super().ring(index, state)

    def paint_below(self, painter: QPainter, square: QRect, index: Index, option: QStyleOptionViewItem) -> None:
        palette: Any = option.palette  # type: ignore[attr-defined]
        item = self._rows.item(index.row())
        if isinstance(item, Creation) and item.path in self._rows.unseen:
            paint_dot(painter, square, palette)
        elif item is Here.RENDER:
            render = self._rows.render
            bar = QRectF(square.x() + 4, square.bottom() - 7, square.width() - 8, 4)
            painter.fillPath(rounded(bar, 2), palette.color(Role.Base))
            if render is not None and render.total:
                bar.setWidth(max(4.0, bar.width() * render.done / render.total))
                painter.fillPath(rounded(bar, 2), palette.color(Role.Highlight))
