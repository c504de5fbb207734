"""Sample pictures of a training: a row for the whole and one for each part, a column for each checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

from engine.runs.run import SampleImage
from partcraft_desktop.widgets.controls import paint_cover, paint_ring, rounded
from partcraft_desktop.widgets.part_glyphs import glyph
from partcraft_desktop.widgets.theme import UNIT
from partcraft_desktop.widgets.thumbnails import Thumbnails

CELL: Final = 88
GAP: Final = UNIT
NAMES: Final = 104
"""Width of the column of names."""
HEAD: Final = 24
WHOLE: Final = -1


@dataclass(frozen=True)
class SampleRow:
    """A row: the whole sentence (``part`` -1), or one part with its name, colour and the number of
    its symbol."""

    part: int
    name: str
    colour: str = ""
    sign: int = 0


class SampleGrid(QScrollArea):
    """``enlarged(path)``: a picture was pressed. The newest is in sight unless a person scrolled back."""

    enlarged = Signal(object)

    def __init__(self, thumbnails: Thumbnails) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName("Sample pictures")
        self.canvas = _Grid(thumbnails)
        self.canvas.pressed.connect(self.enlarged)
        self.canvas.seen.connect(lambda x, y: self.ensureVisible(x, y, CELL, CELL))
        self.setWidget(self.canvas)
        self.horizontalScrollBar().valueChanged.connect(lambda _: self.canvas.update())
        self.viewport().setAutoFillBackground(False)
        self.canvas.setAutoFillBackground(False)

    def show_samples(self, rows: Sequence[SampleRow], samples: Sequence[SampleImage]) -> None:
        """Show other samples."""
        bar = self.horizontalScrollBar()
        at_end = bar.value() >= bar.maximum() - CELL
        if self.canvas.show_samples(tuple(rows), tuple(samples)) and at_end:
            # The range follows after the layout.
            QTimer.singleShot(0, self, lambda: bar.setValue(bar.maximum()))


class _Grid(QWidget):
    pressed = Signal(object)
    seen = Signal(int, int)

    def __init__(self, thumbnails: Thumbnails) -> None:
        super().__init__()
        self._thumbnails = thumbnails
        self.rows: tuple[SampleRow, ...] = ()
        self.steps: tuple[int, ...] = ()
        self.pictures: dict[tuple[int, int], str] = {}
        self.at = (0, 0)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAccessibleName("Sample pictures: arrows walk, Enter enlarges")
        thumbnails.ready.connect(self._arrived)

    def _arrived(self, path: str) -> None:
        if path in self.pictures.values():
            self.update()

    def show_samples(self, rows: tuple[SampleRow, ...], samples: tuple[SampleImage, ...]) -> bool:
        """Take other samples; whether anything changed."""
        steps = tuple(sorted({sample.step for sample in samples}))
        pictures = {(sample.step, sample.part): sample.picture for sample in samples}
        there = {sample.part for sample in samples}
        rows = tuple(row for row in rows if row.part in there)
        if (rows, steps, pictures) == (self.rows, self.steps, self.pictures):
            return False
        self.rows, self.steps, self.pictures = rows, steps, pictures
        self.resize(self.sizeHint())
        self.setMinimumSize(self.sizeHint())
        self.update()
        return True

    def sizeHint(self) -> QSize:
        return QSize(NAMES + len(self.steps) * (CELL + GAP) + GAP, HEAD + len(self.rows) * (CELL + GAP))

    def rect_of(self, row: int, column: int) -> QRect:
        """Where a picture is."""
        return QRect(NAMES + column * (CELL + GAP), HEAD + row * (CELL + GAP), CELL, CELL)

    def _cell_at(self, point: QPoint) -> tuple[int, int] | None:
        if point.x() < NAMES - self.x():
            return None  # on the names
        for row in range(len(self.rows)):
            for column in range(len(self.steps)):
                if self.rect_of(row, column).contains(point):
                    return row, column
        return None

    def _path(self, cell: tuple[int, int]) -> str:
        row, column = cell
        if row >= len(self.rows) or column >= len(self.steps):
            return ""
        return self.pictures.get((self.steps[column], self.rows[row].part), "")

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        palette = self.palette()
        quiet = palette.color(QPalette.ColorRole.PlaceholderText)
        metrics = painter.fontMetrics()
        for column, step in enumerate(self.steps):
            cell = self.rect_of(0, column)
            painter.setPen(quiet)
            head = QRect(cell.x(), 0, CELL, HEAD - 4)
            painter.drawText(head, Qt.AlignmentFlag.AlignCenter, f"step {step:,}" if column == 0 else f"{step:,}")
        for row in range(len(self.rows)):
            for column in range(len(self.steps)):
                self._paint_cell(painter, row, column, event.rect())
        edge = -self.x()  # the names stay in sight when the pictures are scrolled
        painter.fillRect(QRect(edge, 0, NAMES - GAP // 2, self.height()), palette.color(QPalette.ColorRole.Window))
        for row, entry in enumerate(self.rows):
            top, left = self.rect_of(row, 0).y(), edge
            if entry.colour:
                painter.fillPath(glyph(entry.sign, QRectF(edge + 1, top + CELL / 2 - 6, 12, 12)), QColor(entry.colour))
                left += 20
            room = QRect(left, top, edge + NAMES - GAP - left, CELL)
            painter.setPen(palette.color(QPalette.ColorRole.Text))
            name = metrics.elidedText(entry.name, Qt.TextElideMode.ElideRight, room.width())
            painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, name)
        painter.end()

    def _paint_cell(self, painter: QPainter, row: int, column: int, room: QRect) -> None:
        rect = self.rect_of(row, column)
        if not rect.intersects(room):
            return
        painter.fillPath(rounded(rect.toRectF(), 6), self.palette().color(QPalette.ColorRole.AlternateBase))
        path = self._path((row, column))
        pixmap = self._thumbnails.get(path, CELL, self.devicePixelRatioF()) if path else None
        if pixmap is not None and not pixmap.isNull():
            paint_cover(painter, pixmap, rect, 6)
        if self.hasFocus() and self.at == (row, column):
            paint_ring(painter, rect, self.palette().color(QPalette.ColorRole.Highlight), 2, 6)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        cell = self._cell_at(event.position().toPoint())
        shape = Qt.CursorShape.PointingHandCursor if cell and self._path(cell) else Qt.CursorShape.ArrowCursor
        self.setCursor(shape)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        cell = self._cell_at(event.position().toPoint())
        if cell is not None and self._path(cell):
            self.at = cell
            self.pressed.emit(self._path(cell))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        moves = {
            Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0),
        }  # fmt: skip
        move = moves.get(Qt.Key(event.key()))
        if move is not None and self.rows and self.steps:
            row = min(max(self.at[0] + move[0], 0), len(self.rows) - 1)
            self._walk_to(row, min(max(self.at[1] + move[1], 0), len(self.steps) - 1))
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self._path(self.at):
            self.pressed.emit(self._path(self.at))
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if self.rows and self.steps:
            self._walk_to(min(self.at[0], len(self.rows) - 1), min(self.at[1], len(self.steps) - 1))

    def _walk_to(self, row: int, column: int) -> None:
        self.at = (row, column)
        self.setAccessibleDescription(f"{self.rows[row].name} after step {self.steps[column]:,}")
        middle = self.rect_of(row, column).center()
        self.seen.emit(middle.x(), middle.y())
        self.update()
