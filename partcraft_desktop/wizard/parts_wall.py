"""The wall of pictures with the parts that were found in them; pointing at a part lights it on all."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QImage,
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
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

from engine.core.segmentation import NO_PART, Segmentation
from engine.worker.jobs import SeenPicture
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.learning.part_sorting import DraftPart
from partcraft_desktop.widgets.controls import CORNER, rounded
from partcraft_desktop.widgets.images import to_qimage
from partcraft_desktop.widgets.part_glyphs import with_alpha
from partcraft_desktop.widgets.part_outlines import PartShape, shapes_of
from partcraft_desktop.widgets.theme import UNIT

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
    """Shows a wall. ``pointed(part or None)``; ``pressed(part)``."""

    pointed = Signal(object)
    pressed = Signal(int)

    def __init__(self, readers: BackgroundReader) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName("Pictures with their parts")
        self.canvas = _Canvas(readers, self.pointed.emit, self.pressed.emit)
        self.setWidget(self.canvas)
        self.viewport().setAutoFillBackground(False)
        self.canvas.setAutoFillBackground(False)

    def show_wall(self, wall: tuple[SeenPicture, ...], parts: Sequence[DraftPart]) -> None:
        """Show other pictures or parts; what was shown stays until they are ready."""
        self.canvas.show_wall(wall, tuple(parts))

    def light(self, part: int | None) -> None:
        """Light a part on all pictures."""
        self.canvas.light(part)


class _Canvas(QWidget):
    def __init__(
        self, readers: BackgroundReader, pointed: Callable[[int | None], None], pressed: Callable[[int], None]
    ) -> None:
        super().__init__()
        self._readers = readers
        self._pointed = pointed
        self._pressed = pressed
        self._request: tuple[object, ...] = ()
        self.tiles: list[WallTile] = []
        self.parts: tuple[DraftPart, ...] = ()
        self._coming: tuple[DraftPart, ...] = ()
        self.lit: int | None = None
        self._pixmaps: dict[tuple[int, int | None], QPixmap] = {}
        self.setMouseTracking(True)

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
                self._place()
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
        painter.drawImage(target, tile.image)
        scale = target.width() / tile.image.width()
        to_cell = QTransform(scale, 0, 0, scale, target.x(), target.y())
        for part, shape in tile.shapes.items():
            if part < len(self.parts):
                self._paint_part(painter, to_cell.map(shape.outline), part)

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
            self._pointed(part)

    def leaveEvent(self, event: object) -> None:
        self._pointed(None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        part = self.part_at(event.position().toPoint())
        if part is not None:
            self._pressed(part)


def _inside(tile: WallTile, cell: QRectF) -> QRectF:
    """The whole picture in the middle of its cell."""
    size = tile.image.size().toSizeF().scaled(cell.size(), Qt.AspectRatioMode.KeepAspectRatio)
    target = QRectF(0, 0, size.width(), size.height())
    target.moveCenter(cell.center())
    return target
