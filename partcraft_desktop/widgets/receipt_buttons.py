"""A receipt whose parts can be picked: chips that are pressed and let go."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QPainter, QPaintEvent, QPalette, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from engine.core.recipe import Arrival, Creation
from engine.core.vocabulary import Vocabulary
from partcraft_desktop.widgets.controls import PaintedButton
from partcraft_desktop.widgets.receipt_chips import (
    CHIP,
    GAP,
    LEAST_MARK,
    MARK,
    arrival_text,
    chip_width,
    paint_chip,
    paint_mark,
    part_name,
    receipt_text,
)
from partcraft_desktop.widgets.theme import paint_icon

_LOCK = 12
RIM = 2
"""Room about a chip for its ring."""


class ReceiptButtons(QWidget):
    """A creation's receipt in one line: chips with names where all fit, marks without where room is short.

    ``picked_changed()``: other parts are picked."""

    picked_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.chips: list[PartChip] = []
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    @property
    def picked(self) -> tuple[int, ...]:
        """The parts that are picked, in the order of the receipt."""
        return tuple(dict.fromkeys(chip.arrival.part for chip in self.chips if chip.isChecked()))

    def show_receipt(self, creation: Creation | None, vocabulary: Vocabulary | None) -> None:
        """Show the receipt of a creation, or nothing; none of it is picked."""
        for chip in self.chips:
            chip.hide()
            chip.deleteLater()
        arrivals = creation.receipt if creation is not None else ()
        start = creation.recipe.start if creation is not None else None
        kept = start.keep if start is not None else ()
        self.chips = [PartChip(arrival, vocabulary, arrival.part in kept, self) for arrival in arrivals]
        for chip in self.chips:
            chip.toggled.connect(lambda _: self.picked_changed.emit())
            chip.show()
        words = receipt_text(creation, vocabulary) if creation is not None and arrivals else ""
        self.setAccessibleName(words.replace("\n", ", "))
        self.setToolTip(words)
        self.updateGeometry()
        self._lay_out()

    def clear(self) -> None:
        """Let go of what is picked."""
        for chip in self.chips:
            chip.setChecked(False)

    def sizeHint(self) -> QSize:
        return QSize(min(len(self.chips), 6) * MARK, CHIP + 2 * RIM)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._lay_out()

    def _lay_out(self) -> None:
        widths = [chip.width_with_name for chip in self.chips]
        named = sum(widths) + GAP * (len(widths) - 1) <= self.width()
        step = min(float(MARK), self.width() / max(1, len(self.chips)))
        x = 0.0
        for chip, width in zip(self.chips, widths, strict=True):
            chip.set_named(named)
            chip.setGeometry(round(x), 0, width if named else MARK, self.height())
            # Marks that do not all fit are left out from the end: they can still be read in the tip.
            chip.setVisible(named or (step >= LEAST_MARK or x + MARK <= self.width()))
            x += width + GAP if named else max(step, LEAST_MARK)


class PartChip(PaintedButton):
    """One part of a receipt, to be picked."""

    def __init__(self, arrival: Arrival, vocabulary: Vocabulary | None, is_kept: bool, parent: QWidget) -> None:
        super().__init__(parent)
        self.arrival = arrival
        self._vocabulary = vocabulary
        self._is_kept = is_kept
        self._name = part_name(vocabulary, arrival.part)
        self._named = True
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        words = arrival_text(arrival, vocabulary) + (", kept as it was" if is_kept else "")
        self.setAccessibleName(words)
        self.setAccessibleDescription("Pick it to render it anew, or to keep it")
        self.setToolTip(f"{words}\nClick to render it anew, or to keep it")

    @property
    def width_with_name(self) -> int:
        """Logical pixels across with its name in it."""
        return chip_width(self.fontMetrics(), self._name) + 2 * RIM + (_LOCK if self._is_kept else 0)

    def set_named(self, named: bool) -> None:
        """Say the part's name, or show a mark only."""
        self._named = named
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        palette = self.palette()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        room = QRectF(self.rect()).adjusted(RIM, RIM, -RIM, -RIM)
        if self._named:
            name = f"{self._name}     " if self._is_kept else self._name
            paint_chip(painter, room, self.arrival, name, self._vocabulary, palette)
        else:
            paint_mark(painter, room, self.arrival, self._vocabulary, palette)
        if self._is_kept:
            side = _LOCK if self._named else 9
            x = room.right() - 16 - side if self._named else room.right() - side
            y = room.center().y() - side / 2 if self._named else room.bottom() - side
            paint_icon(painter, "lock", QRectF(x, y, side, side), palette.color(QPalette.ColorRole.WindowText))
        if self.isChecked() or self.hasFocus() or self.underMouse():
            lit = self.isChecked() or self.hasFocus()
            role = QPalette.ColorRole.Highlight if lit else QPalette.ColorRole.PlaceholderText
            painter.setPen(QPen(palette.color(role), 2 if self.isChecked() else 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            ring = room.adjusted(-1, -1, 1, 1)
            painter.drawRoundedRect(ring, ring.height() / 2, ring.height() / 2)
        painter.end()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(self.width_with_name if self._named else MARK, CHIP + 2 * RIM)
