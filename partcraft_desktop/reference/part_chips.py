"""Parts as chips in rows: a shape, a name, whether it is taken; for keys, for screen readers, for small parts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFocusEvent,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractButton, QApplication, QSizePolicy, QToolTip, QWidget

from partcraft_desktop.widgets.part_glyphs import draw_check, glyph, mixed, seen_on, with_alpha

HEIGHT: Final = 32
GAP: Final = 6
WIDEST: Final = 176


@dataclass(frozen=True)
class PartChip:
    """What one chip shows. ``reason`` says why the part cannot be taken; empty where it can."""

    part: int
    name: str
    code: str
    colour: QColor
    sign: int
    taken: bool = False
    reason: str = ""


class ChipButton(QAbstractButton):
    """One chip. ``pointed(part or None)``: the pointer or the keys are on it or left; ``drag_wanted(part)``."""

    pointed = Signal(object)
    drag_wanted = Signal(int)

    def __init__(self, chip: PartChip, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._lit = False
        self._pressed: QPoint | None = None
        self.show_chip(chip)

    def show_chip(self, chip: PartChip) -> None:
        """Show other values in place."""
        self.chip = chip
        self.setChecked(chip.taken)
        name = f"{chip.name}, {chip.code}" if chip.code else chip.name
        self.setAccessibleName(name)
        self.setAccessibleDescription(chip.reason or ("Chosen. Press to put it back." if chip.taken else ""))
        self.setToolTip(chip.reason or name)
        self.setCursor(Qt.CursorShape.ArrowCursor if chip.reason else Qt.CursorShape.PointingHandCursor)
        self.updateGeometry()
        self.update()

    def set_lit(self, lit: bool) -> None:
        """Light the chip because its part is lit elsewhere."""
        if lit != self._lit:
            self._lit = lit
            self.update()

    def nextCheckState(self) -> None:
        # The recipe decides what is taken; the chip only asks.
        return

    def sizeHint(self) -> QSize:
        text = QFontMetrics(self.font()).horizontalAdvance(self.chip.name)
        return QSize(min(WIDEST, text + 38 + (16 if self.chip.taken else 0)), HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        chip, palette = self.chip, self.palette()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        quiet = bool(chip.reason)
        base = palette.color(QPalette.ColorRole.Base)
        ground = base
        if chip.taken:
            ground = mixed(base, chip.colour, 0.22)
        elif self._lit or (self.underMouse() and not quiet):
            ground = mixed(base, chip.colour, 0.12)
        line = chip.colour if (chip.taken or self._lit) and not quiet else palette.color(QPalette.ColorRole.Mid)
        painter.setPen(QPen(line, 1, Qt.PenStyle.DashLine if quiet else Qt.PenStyle.SolidLine))
        painter.setBrush(QColor(0, 0, 0, 0) if quiet else ground)
        painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), rect.height() / 2, rect.height() / 2)
        if self.hasFocus():
            painter.setPen(QPen(palette.color(QPalette.ColorRole.Accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(rect, rect.height() / 2, rect.height() / 2)
        mark = QRectF(rect.left() + 10, rect.center().y() - 5, 10, 10)
        painter.fillPath(
            glyph(chip.sign, mark), with_alpha(chip.colour, 0.4) if quiet else seen_on(chip.colour, ground)
        )
        colour = palette.color(QPalette.ColorRole.PlaceholderText if quiet else QPalette.ColorRole.Text)
        painter.setPen(colour)
        room = rect.adjusted(26, 0, -24 if chip.taken else -8, 0)
        text = painter.fontMetrics().elidedText(chip.name, Qt.TextElideMode.ElideRight, int(room.width()) + 1)
        painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), text)
        if chip.taken:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            draw_check(painter, QRectF(rect.right() - 21, rect.center().y() - 6, 12, 12), colour)

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.update()
        self.pointed.emit(None if self.chip.reason else self.chip.part)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.update()
        self.pointed.emit(None)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.pointed.emit(None if self.chip.reason else self.chip.part)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.pointed.emit(None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        self._pressed = event.position().toPoint() if event.button() == Qt.MouseButton.LeftButton else None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        if self._pressed is None or self.chip.reason:
            return
        if (event.position().toPoint() - self._pressed).manhattanLength() >= QApplication.startDragDistance():
            self._pressed = None
            self.setDown(False)
            self.drag_wanted.emit(self.chip.part)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        elif event.key() in _WALKING:
            event.ignore()  # The row walks.
        else:
            super().keyPressEvent(event)


_WALKING: Final = {
    Qt.Key.Key_Left: -1,
    Qt.Key.Key_Right: 1,
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_Home: 0,
    Qt.Key.Key_End: 0,
}


class ChipRow(QWidget):
    """Chips in as many centred rows as the width asks for; one stop for Tab, arrows walk within.

    ``asked(part)``: a chip was pressed; ``pointed(part or None)``; ``drag_wanted(part)``.
    """

    asked = Signal(int)
    pointed = Signal(object)
    drag_wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._buttons: list[ChipButton] = []

    @property
    def buttons(self) -> tuple[ChipButton, ...]:
        """The chips in order."""
        return tuple(self._buttons)

    def show_chips(self, chips: Iterable[PartChip]) -> None:
        """Show these chips; buttons are kept where they can be, so that the keyboard stays where it is."""
        new_chips = list(chips)
        while len(self._buttons) > len(new_chips):
            self._buttons.pop().deleteLater()
        for button, chip in zip(self._buttons, new_chips, strict=False):
            if button.chip != chip:
                button.show_chip(chip)
        for chip in new_chips[len(self._buttons) :]:
            button = ChipButton(chip, self)
            button.clicked.connect(lambda _=False, button=button: self._press(button))
            button.pointed.connect(self.pointed)
            button.drag_wanted.connect(self.drag_wanted)
            button.show()
            self._buttons.append(button)
        if not any(button.focusPolicy() == Qt.FocusPolicy.StrongFocus for button in self._buttons):
            self._one_stop(0)
        self._place()

    def light(self, part: int | None) -> None:
        """Light the chip of a part that is lit elsewhere."""
        for button in self._buttons:
            button.set_lit(button.chip.part == part)

    def button_of(self, part: int) -> ChipButton | None:
        """The chip of a part."""
        return next((button for button in self._buttons if button.chip.part == part), None)

    def sizeHint(self) -> QSize:
        return QSize(160, self.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        at = next((i for i, button in enumerate(self._buttons) if button.hasFocus()), None)
        key = Qt.Key(event.key())
        if at is None or key not in _WALKING:
            super().keyPressEvent(event)
        elif _WALKING[key]:
            self._go_to((at + _WALKING[key]) % len(self._buttons))
        else:
            self._go_to(0 if key == Qt.Key.Key_Home else len(self._buttons) - 1)

    def _go_to(self, at: int) -> None:
        self._one_stop(at)
        self._buttons[at].setFocus(Qt.FocusReason.TabFocusReason)

    def _one_stop(self, at: int) -> None:
        for number, button in enumerate(self._buttons):
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus if number == at else Qt.FocusPolicy.ClickFocus)

    def _press(self, button: ChipButton) -> None:
        if button.chip.reason:
            QToolTip.showText(button.mapToGlobal(QPoint(0, -HEIGHT)), button.chip.reason, button)
        else:
            self.asked.emit(button.chip.part)

    def _rects(self, width: int) -> list[QRect]:
        rows: list[list[int]] = [[]]
        used = 0
        for button in self._buttons:
            wide = button.sizeHint().width()
            if rows[-1] and used + wide > width:
                rows.append([])
                used = 0
            rows[-1].append(wide)
            used += wide + GAP
        rects: list[QRect] = []
        for number, row in enumerate(rows):
            left = max(0, (width - sum(row) - GAP * (len(row) - 1)) // 2)
            for wide in row:
                rects.append(QRect(left, number * (HEIGHT + GAP), wide, HEIGHT))
                left += wide + GAP
        return rects

    def _place(self) -> None:
        rects = self._rects(self.width())
        height = max((rect.bottom() + 1 for rect in rects), default=0)
        # Layouts forget to ask for the height that a width needs; a fixed one they keep.
        if self.height() != height:
            self.setFixedHeight(height)
        for button, rect in zip(self._buttons, rects, strict=True):
            button.setGeometry(rect)
