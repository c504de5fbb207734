"""One picture of the wall, large, with a brush to add to a part or to take away from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Final

import numpy as np
from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QImage, QKeyEvent, QKeySequence, QPainter, QPixmap, QResizeEvent, QShortcut
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.core.image_files import open_picture
from engine.core.part_looks import part_signs
from engine.worker.jobs import SeenPicture
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.learning.part_sorting import DraftPart
from partcraft_desktop.widgets.controls import ShortLabel, push_button, tool_button
from partcraft_desktop.widgets.images import to_qimage
from partcraft_desktop.widgets.part_glyphs import glyph
from partcraft_desktop.widgets.theme import UNIT
from partcraft_desktop.wizard.brush_canvas import BrushCanvas
from partcraft_desktop.wizard.parts_wall import wall_tiles

SIDE: Final = 1280
"""Pictures are read at this size."""
SIZES: Final = 12
SIZE: Final = 4
STEP: Final = 0.01
"""The brush's radius, in shares of the picture's longer side, is so much a size."""


class PictureBrush(QWidget):
    """``painted(part or None for background, points, radius)``: a stroke, in shares of the picture; ``undone()``;
    ``done()``: the brush is put down."""

    painted = Signal(object, object, object)
    undone = Signal()
    done = Signal()

    def __init__(self, readers: BackgroundReader) -> None:
        super().__init__()
        self._readers = readers
        self._seen: SeenPicture | None = None
        self.parts: tuple[DraftPart, ...] = ()
        self.canvas = BrushCanvas()
        self.canvas.stroked.connect(self._stroke)
        self.title = ShortLabel()
        self.add, self.take = QToolButton(), QToolButton()
        self.add.setToolTip("Paint what belongs to the part")
        self.take.setToolTip("Paint what is no part, but background")
        self._modes = QButtonGroup(self)
        for button, text in ((self.add, "Add to"), (self.take, "Take away")):
            button.setText(text)
            button.setAccessibleName(text)
            button.setCheckable(True)
            button.setProperty("choice", True)
            button.setMinimumHeight(32)
            self._modes.addButton(button)
        self.add.setChecked(True)
        self._modes.buttonClicked.connect(lambda _button: self._choose())
        self.part = QComboBox()
        self.part.setAccessibleName("Part to add to")
        self.part.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.part.setMinimumContentsLength(6)
        self.part.activated.connect(self._choose_part)
        self.brush_size = QSlider(Qt.Orientation.Horizontal)
        self.brush_size.setRange(1, SIZES)
        self.brush_size.setValue(SIZE)
        self.brush_size.setPageStep(1)
        self.brush_size.setMinimumWidth(64)
        self.brush_size.setMaximumWidth(120)
        self.brush_size.setAccessibleName("Size of the brush")
        self.brush_size.setToolTip("Size of the brush ([ and ])")
        self.brush_size.valueChanged.connect(lambda _value: self._choose())
        self.undo = tool_button("undo", "Undo", self.undone.emit, "Ctrl+Z")
        self.finish = push_button("Done", self.done.emit, look="primary")
        self.finish.setToolTip("Look at the other pictures again with what you painted (Esc)")
        for keys, step in (("[", -1), ("]", 1)):
            shortcut = QShortcut(QKeySequence(keys), self, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(lambda step=step: self.brush_size.setValue(self.brush_size.value() + step))
        self._lay_out()
        self._choose()
        self.hide()

    def _lay_out(self) -> None:
        mode = QHBoxLayout()
        mode.setSpacing(UNIT // 2)
        for widget in (self.add, self.part, self.take):
            mode.addWidget(widget)
        mode.addStretch(1)
        rest = QHBoxLayout()
        rest.setSpacing(UNIT)
        label = QLabel("Brush")
        label.setBuddy(self.brush_size)
        for widget in (label, self.brush_size, self.undo, self.finish):
            rest.addWidget(widget)
        self._rows = QGridLayout()
        self._rows.setHorizontalSpacing(2 * UNIT)
        self._rows.setVerticalSpacing(UNIT // 2)
        self._rows.setColumnStretch(0, 1)
        self._mode, self._rest = mode, rest
        self._two_rows: bool | None = None
        self._arrange(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(UNIT)
        column.addLayout(self._rows)
        column.addWidget(self.canvas, 1)
        column.addWidget(self.title)

    def _arrange(self, two_rows: bool) -> None:
        """The tools in one row, or in two where room is short."""
        if two_rows != self._two_rows:
            self._two_rows = two_rows
            for layout in (self._mode, self._rest):
                self._rows.removeItem(layout)
            self._rows.addLayout(self._mode, 0, 0)
            self._rows.addLayout(self._rest, 1 if two_rows else 0, 0 if two_rows else 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        needed = self._mode.sizeHint().width() + self._rest.sizeHint().width() + 3 * UNIT
        self._arrange(self.width() < needed)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, 160)

    @property
    def picture(self) -> str:
        """The path of the picture that is open; empty if none is."""
        return self._seen.picture if self._seen else ""

    def open(self, seen: SeenPicture, parts: Sequence[DraftPart], part: int | None) -> None:
        """Show a picture, large; ``part`` is what is added to first."""
        self.canvas.clear(to_qimage(seen.image))
        self.show_parts(seen, parts)
        if part is not None:
            self.choose(part)
        self.title.setText(f"{PurePath(seen.picture).name}: paint over what is wrong; the other pictures follow.")
        self.canvas.setAccessibleName(f"{PurePath(seen.picture).name}, to paint on")
        path = seen.picture

        def arrived(image: object) -> None:
            if isinstance(image, QImage) and path == self.picture:
                self.canvas.show_image(image)

        self._readers.ask(lambda: to_qimage(np.asarray(open_picture(path, max_side=SIDE))), arrived, self)
        self.show()
        self.canvas.setFocus()

    def close_picture(self) -> None:
        """Put the brush down."""
        self._seen = None
        self.hide()

    def show_parts(self, seen: SeenPicture, parts: Sequence[DraftPart]) -> None:
        """The picture has other parts now."""
        if tuple(parts) != self.parts:
            self.parts = tuple(parts)
            chosen = self.part.currentData()
            self.part.clear()
            signs = part_signs(tuple(part.name for part in self.parts))
            for at, part in enumerate(self.parts):
                if not part.dropped:
                    self.part.addItem(_part_icon(signs[at], part.colour), part.name, at)
            self.part.setCurrentIndex(max(0, self.part.findData(chosen)))
        if seen is not self._seen:
            self._seen = seen
            parts_now = self.parts
            self._readers.ask(
                lambda: wall_tiles((seen,), len(parts_now)),
                lambda tiles: self._landed(seen, tiles),
                self,
            )
        self._choose()

    def _landed(self, seen: SeenPicture, tiles: object) -> None:
        if seen is self._seen and isinstance(tiles, list):
            self.canvas.show_shapes(tiles[0], self.parts)

    def choose(self, part: int) -> None:
        """Add to a part from now on."""
        at = self.part.findData(part)
        if at >= 0:
            self.part.setCurrentIndex(at)
            self._choose_part()

    def _choose_part(self) -> None:
        self.add.setChecked(True)
        self._choose()

    def _choose(self) -> None:
        part = self.part.currentData() if self.add.isChecked() else None
        colour = QColor(self.parts[part].colour) if part is not None and part < len(self.parts) else None
        self.canvas.set_brush(colour, STEP * self.brush_size.value())

    def _stroke(self, points: object, radius: object) -> None:
        part = self.part.currentData() if self.add.isChecked() else None
        if part is not None or self.take.isChecked():
            self.painted.emit(part, points, radius)

    def event(self, event: QEvent) -> bool:
        # Here Esc puts the brush down, and does not leave the wizard.
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:
            escape = event.key() == Qt.Key.Key_Escape
            event.setAccepted(escape)
            return escape
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.done.emit()
        else:
            super().keyPressEvent(event)


def _part_icon(sign: int, colour: str) -> QIcon:
    """A part's shape in its colour."""
    pixmap = QPixmap(32, 32)
    pixmap.setDevicePixelRatio(2.0)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.fillPath(glyph(sign, QRectF(2, 2, 12, 12)), QColor(colour))
    painter.end()
    return QIcon(pixmap)
