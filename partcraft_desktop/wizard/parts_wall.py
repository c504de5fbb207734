"""The wall of pictures with the parts that were found in them; pointing at a part lights it on all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPalette,
    QPen,
    QPixmap,
    QResizeEvent,
    QTransform,
)
from PySide6.QtWidgets import QApplication, QFrame, QScrollArea, QWidget

from engine.core.segmentation import NO_PART, Segmentation
from engine.worker.jobs import SeenPicture
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.learning.part_sorting import DraftPart
from partcraft_desktop.widgets.controls import CORNER, paint_ring, rounded
from partcraft_desktop.widgets.images import to_qimage
from partcraft_desktop.widgets.part_glyphs import with_alpha
from partcraft_desktop.widgets.part_outlines import PartShape, shapes_of
from partcraft_desktop.widgets.theme import UNIT
from partcraft_desktop.wizard.wall_tools import TileTools

CELL: Final = 168
"""The side of a picture is near this, in logical pixels."""
GAP: Final = UNIT


@dataclass(frozen=True)
class WallTile:
    """A picture of the wall, ready to paint."""

    picture: SeenPicture
    image: QImage
    shapes: dict[int, PartShape]


def wall_tiles(wall: Sequence[SeenPicture], parts: int) -> list[WallTile]:
    """The pictures of a wall with the outlines of their parts. Some milliseconds a picture: not on the Qt thread."""
    tiles = []
    for seen_picture in wall:
        shapes = shapes_of(Segmentation(seen_picture.labels, (0,) * parts), range(parts))
        tiles.append(WallTile(seen_picture, to_qimage(seen_picture.image), shapes))
    return tiles


class PartsWall(QScrollArea):
    """Shows a wall. ``pointed(part or None)``; ``pressed(part)``; ``opened(path)``: correct a picture;
    ``left_out(path, out)``: leave it out, or take it in again."""

    pointed = Signal(object)
    pressed = Signal(int)
    opened = Signal(object)
    left_out = Signal(object, bool)

    def __init__(self, readers: BackgroundReader) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName("Pictures with their parts")
        self.canvas = WallCanvas(readers)
        for own, of_canvas in (
            (self.pointed, self.canvas.pointed),
            (self.pressed, self.canvas.pressed),
            (self.opened, self.canvas.opened),
            (self.left_out, self.canvas.left_out),
        ):
            of_canvas.connect(own)
        self.canvas.moved.connect(self._follow)
        self.setWidget(self.canvas)
        self.viewport().setAutoFillBackground(False)
        self.canvas.setAutoFillBackground(False)

    def show_wall(self, wall: tuple[SeenPicture, ...], parts: Sequence[DraftPart]) -> None:
        """Show other pictures or parts; what was shown stays until they are ready."""
        self.canvas.show_wall(wall, tuple(parts))

    def light(self, part: int | None) -> None:
        """Light a part on all pictures."""
        self.canvas.light(part)

    def focusNextPrevChild(self, forward: bool) -> bool:
        # Qt would scroll to the middle of the canvas when the focus comes to it, or leaves a wall that is hidden.
        place = self.verticalScrollBar().value()
        went = super().focusNextPrevChild(forward)
        self.verticalScrollBar().setValue(place)
        if self.canvas.hasFocus() and self.canvas.tiles and self.isVisible():
            self._follow(self.canvas.current)
        return went

    def _follow(self, index: int) -> None:
        rect = self.canvas.rect_of(index)
        self.ensureVisible(rect.center().x(), rect.center().y(), rect.width() // 2 + GAP, rect.height() // 2 + GAP)


class WallCanvas(QWidget):
    """The pictures. Arrow keys go from one to the next, Enter corrects it, Del leaves it out or takes it in again.
    ``moved(index)``: the keyboard is at another picture."""

    pointed = Signal(object)
    pressed = Signal(int)
    opened = Signal(object)
    left_out = Signal(object, bool)
    moved = Signal(int)

    def __init__(self, readers: BackgroundReader) -> None:
        super().__init__()
        self._readers = readers
        self._request: tuple[object, ...] = ()
        self.tiles: list[WallTile] = []
        self.parts: tuple[DraftPart, ...] = ()
        self._coming: tuple[DraftPart, ...] = ()
        self.lit: int | None = None
        self.current = 0
        self._hovered: int | None = None
        self._pixmaps: dict[tuple[int, int | None], QPixmap] = {}
        self.tools = TileTools(self, lambda: self._open(self._at), lambda: self._leave(self._at))
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Pictures with their parts")

    def show_wall(self, wall: tuple[SeenPicture, ...], parts: tuple[DraftPart, ...]) -> None:
        self._coming = parts
        request = (len(parts), *map(id, wall))
        if request == self._request:
            if len(parts) == len(self.parts) and parts != self.parts:
                self.parts = parts
                self._pixmaps = {}
                self.update()
            return
        self._request = request

        def ready(tiles: list[WallTile] | Exception) -> None:
            # Another wall may have been asked for meanwhile.
            if not isinstance(tiles, Exception) and self._request == request:
                self.tiles, self.parts, self._pixmaps = tiles, self._coming, {}
                self.lit = self.lit if self.lit is not None and self.lit < len(self.parts) else None
                self.current = min(self.current, max(0, len(tiles) - 1))
                self._place()
                self._show_tools()
                self.update()

        if wall:
            self._readers.ask(lambda: wall_tiles(wall, len(parts)), ready, self)
        else:
            ready([])

    def light(self, part: int | None) -> None:
        if part != self.lit and (part is None or part < len(self.parts)):
            self.lit = part
            self.update()

    def columns(self) -> int:
        return max(1, round((self.width() + GAP) / (CELL + GAP)))

    def cell(self) -> int:
        return max(32, (self.width() + GAP) // self.columns() - GAP)

    def rect_of(self, index: int) -> QRect:
        """Where a picture is."""
        side = self.cell()
        row, column = divmod(index, self.columns())
        return QRect(column * (side + GAP), row * (side + GAP), side, side)

    def _place(self) -> None:
        rows = math.ceil(len(self.tiles) / self.columns())
        self.setMinimumHeight(rows * (self.cell() + GAP))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._pixmaps = {}
        self._show_tools()
        # Setting a height while a layout gives the width would make it start again.
        QTimer.singleShot(0, self, self._place)

    def sizeHint(self) -> QSize:
        return QSize(3 * (CELL + GAP), 2 * (CELL + GAP))

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        for index in range(len(self.tiles)):
            rect = self.rect_of(index)
            if rect.intersects(event.rect()):
                painter.drawPixmap(rect.topLeft(), self._pixmap(index))
                if index == self.current and self.hasFocus():
                    inner = rect.adjusted(2, 2, -2, -2)
                    paint_ring(painter, inner, self.palette().color(QPalette.ColorRole.Highlight))
        painter.end()

    def _pixmap(self, index: int) -> QPixmap:
        key = (index, self.lit)
        if key not in self._pixmaps:
            ratio = self.devicePixelRatioF()
            side = self.cell()
            pixmap = QPixmap(round(side * ratio), round(side * ratio))
            pixmap.setDevicePixelRatio(ratio)
            pixmap.fill(Qt.GlobalColor.transparent)
            painter = QPainter(pixmap)
            self._paint_tile(painter, self.tiles[index], QRectF(0, 0, side, side))
            painter.end()
            self._pixmaps[key] = pixmap
        return self._pixmaps[key]

    def _paint_tile(self, painter: QPainter, tile: WallTile, cell: QRectF) -> None:
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillPath(rounded(cell, CORNER), self.palette().color(QPalette.ColorRole.AlternateBase))
        target = _inside(tile, cell)
        painter.setClipPath(rounded(target, CORNER))
        if tile.picture.left_out:
            painter.setOpacity(0.3)
            painter.drawImage(target, tile.image.convertToFormat(QImage.Format.Format_Grayscale8))
            painter.setOpacity(1.0)
            painter.setClipping(False)
            self._paint_left_out(painter, target)
            return
        painter.drawImage(target, tile.image)
        scale = target.width() / tile.image.width()
        to_cell = QTransform(scale, 0, 0, scale, target.x(), target.y())
        for part, shape in tile.shapes.items():
            if part < len(self.parts):
                self._paint_part(painter, to_cell.map(shape.outline), part)

    def _paint_left_out(self, painter: QPainter, target: QRectF) -> None:
        metrics = painter.fontMetrics()
        pill = QRectF(0, 0, metrics.horizontalAdvance("Left out") + 2 * UNIT, metrics.height() + UNIT // 2)
        pill.moveCenter(target.center())
        pill.moveBottom(target.bottom() - UNIT)
        painter.fillPath(rounded(pill, 6), self.palette().color(QPalette.ColorRole.Base))
        painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
        painter.drawText(pill, Qt.AlignmentFlag.AlignCenter, "Left out")

    def _paint_part(self, painter: QPainter, outline: QPainterPath, part: int) -> None:
        colour = QColor(self.parts[part].colour)
        dropped = self.parts[part].dropped
        if part == self.lit:
            painter.fillPath(outline, with_alpha(colour, 0.2 if dropped else 0.45))
            painter.strokePath(outline, QPen(QColor("#ffffff"), 3.0))
            painter.strokePath(outline, QPen(colour, 1.75))
        elif dropped:
            painter.strokePath(outline, QPen(with_alpha(QColor("#808080"), 0.5), 1.0, Qt.PenStyle.DotLine))
        else:
            faint = self.lit is not None
            painter.fillPath(outline, with_alpha(colour, 0.06 if faint else 0.3))
            painter.strokePath(outline, QPen(with_alpha(colour, 0.4 if faint else 0.95), 1.5))

    # Pointing

    def part_at(self, point: QPoint) -> int | None:
        """The part under a point."""
        for index, tile in enumerate(self.tiles):
            rect = self.rect_of(index)
            if rect.contains(point):
                target = _inside(tile, QRectF(rect))
                height, width = tile.picture.labels.shape
                x = int((point.x() - target.x()) / target.width() * width)
                y = int((point.y() - target.y()) / target.height() * height)
                label = int(tile.picture.labels[y, x]) if 0 <= x < width and 0 <= y < height else NO_PART
                return label if label < len(self.parts) else None
        return None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        part = self.part_at(event.position().toPoint())
        self.setCursor(Qt.CursorShape.ArrowCursor if part is None else Qt.CursorShape.PointingHandCursor)
        self.setToolTip("" if part is None else self.parts[part].name)
        if part != self.lit:
            self.pointed.emit(part)
        self._hover(self.tile_at(event.position().toPoint()))

    def leaveEvent(self, event: object) -> None:
        self.pointed.emit(None)
        self._hover(None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        point = event.position().toPoint()
        index = self.tile_at(point)
        if index is not None:
            self._go_to(index)
        part = self.part_at(point)
        if part is not None:
            self.pressed.emit(part)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._open(self.tile_at(event.position().toPoint()))

    # One picture

    def tile_at(self, point: QPoint) -> int | None:
        """The picture under a point."""
        return next((index for index in range(len(self.tiles)) if self.rect_of(index).contains(point)), None)

    @property
    def _at(self) -> int | None:
        """The picture whose tools are shown: under the pointer, or where the keyboard is."""
        if self._hovered is not None and self._hovered < len(self.tiles):
            return self._hovered
        with_keys = self.hasFocus() or self.tools.isAncestorOf(QApplication.focusWidget() or self)
        return self.current if with_keys and self.tiles else None

    def _open(self, index: int | None) -> None:
        if index is not None and not self.tiles[index].picture.left_out:
            self.current = index
            self.opened.emit(self.tiles[index].picture.picture)

    def _leave(self, index: int | None) -> None:
        if index is not None:
            picture = self.tiles[index].picture
            self.setFocus()  # the button that was pressed makes way for another
            self._go_to(index)
            self.left_out.emit(picture.picture, not picture.left_out)

    def _hover(self, index: int | None) -> None:
        if index != self._hovered:
            self._hovered = index
            self._show_tools()

    def _go_to(self, index: int) -> None:
        self.current = index
        self._show_tools()
        self.update()
        self.moved.emit(index)

    def _show_tools(self) -> None:
        at = self._at
        picture = self.tiles[at].picture if at is not None else None
        name = PurePath(picture.picture).name if picture else ""
        self.tools.place(self.rect_of(at) if at is not None else None, name, bool(picture and picture.left_out))
        if self.tiles:
            seen = self.tiles[self.current].picture
            state = ", left out" if seen.left_out else ""
            place = f"picture {self.current + 1} of {len(self.tiles)}"
            self.setAccessibleDescription(f"{PurePath(seen.picture).name}, {place}{state}")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: -self.columns(), Qt.Key.Key_Down: self.columns(),
        }  # fmt: skip
        key = Qt.Key(event.key())
        if not self.tiles or event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            super().keyPressEvent(event)
        elif key in steps:
            self._hovered = None
            self._go_to(min(max(self.current + steps[key], 0), len(self.tiles) - 1))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open(self.current)
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._leave(self.current)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._show_tools()
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._show_tools()
        self.update()


def _inside(tile: WallTile, cell: QRectF) -> QRectF:
    """The whole picture in the middle of its cell."""
    size = tile.image.size().toSizeF().scaled(cell.size(), Qt.AspectRatioMode.KeepAspectRatio)
    target = QRectF(0, 0, size.width(), size.height())
    target.moveCenter(cell.center())
    return target
