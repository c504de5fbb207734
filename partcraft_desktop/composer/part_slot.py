"""A slot for each part: what was chosen, from where, how strongly; an empty one invites."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QEnterEvent,
    QFocusEvent,
    QFont,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import QApplication, QLabel, QSizePolicy, QSlider, QToolButton, QWidget

from engine.core.vocabulary import Choice
from partcraft_desktop.widgets import drag_and_drop as dragging
from partcraft_desktop.widgets.controls import tool_button
from partcraft_desktop.widgets.part_glyphs import crop_ground, glyph, mixed, seen_on, with_alpha

HEIGHT: Final = 56
LOW: Final = 38
"""Logical pixels of height where there is little room."""
CROP: Final = 42
"""The longer side of the crop on its tile, in logical pixels."""
_TILES: Final = {HEIGHT: 48, LOW: 34}
"""The side of the tile for each height."""
_AROUND_CROP: Final = 3
STRENGTH_HEIGHT: Final = 32
PAD: Final = 8
SNAP: Final = 4
"""A strength this near to 100 % is meant to be 100 %."""


@dataclass(frozen=True)
class SlotValue:
    """What a slot shows. ``sign`` is the number of the part's symbol; ``code`` the chosen code's name, empty where
    nothing is chosen; ``source`` the title of the picture it came from, empty where that says nothing new."""

    part: int
    name: str
    colour: QColor
    sign: int
    choice: Choice | None = None
    code: str = ""
    source: str = ""


class PartSlot(QWidget):
    """One part of the recipe.

    ``wanted(part)``: pressed, to see where its part came from; ``variants_asked(part)``: to choose among all of its
    kind, which is what a press on an empty one asks; ``remove_asked(part)``;
    ``strength_changed(part, 0.0 to 2.0)``; ``dropped(Choice)``; ``lit(part or None)``.
    """

    wanted = Signal(int)
    variants_asked = Signal(int)
    remove_asked = Signal(int)
    strength_changed = Signal(int, float)
    dropped = Signal(object)
    lit = Signal(object)
    height_changed = Signal()

    def __init__(self, value: SlotValue, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.value = value
        self.crop: QPixmap | None = None
        self._over = False
        self._lit = False
        self._height = HEIGHT
        self.crop_hidden = False
        self._pressed: QPoint | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAcceptDrops(True)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.remove_button = tool_button("close", "Remove", lambda: self.remove_asked.emit(self.value.part), "Del")
        self.variants_button = tool_button("grid", "Change", lambda: self.variants_asked.emit(self.value.part), "F2")
        self.strength_button = QToolButton()
        self.strength_button.setCheckable(True)
        self.strength_button.toggled.connect(self._show_slider)
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setRange(0, 200)
        self._slider.setPageStep(10)
        self._slider.valueChanged.connect(self._slide)
        self._least, self._most = QLabel("any"), QLabel("more")
        for child in (
            self.remove_button,
            self.variants_button,
            self.strength_button,
            self._slider,
            self._least,
            self._most,
        ):
            child.setParent(self)
            child.setCursor(Qt.CursorShape.ArrowCursor)
            child.installEventFilter(self)
        for label in (self._least, self._most):
            label.setProperty("quiet", True)
        self.show_value(value)

    def show_value(self, value: SlotValue) -> None:
        """Show another value of the same part."""
        if value.choice is None or self.value.choice is None or value.choice.code != self.value.choice.code:
            self.crop = None
        self.value = value
        strength = value.choice.strength if value.choice else 1.0
        self._slider.blockSignals(True)
        self._slider.setValue(round(strength * 100))
        self._slider.blockSignals(False)
        self.strength_button.setText(f"{round(strength * 100)} %")
        self.strength_button.setAccessibleName(f"Strength of {value.name}")
        self.strength_button.setToolTip(f"How strongly this {value.name} is meant")
        self._slider.setAccessibleName(f"Strength of {value.name} in percent")
        self.remove_button.setAccessibleName(f"Remove {value.name}")
        self.variants_button.setAccessibleName(f"Change {value.name}")
        if value.choice is None:
            self.strength_button.setChecked(False)
            self.setAccessibleName(f"{value.name}: empty")
            self.setAccessibleDescription(f"Press Enter to pick {_a(value.name)}.")
            self.setToolTip("")
        else:
            came = f", from {value.source}" if value.source else ""
            self.setAccessibleName(f"{value.name}: {value.code}{came}")
            self.setAccessibleDescription("Enter shows where it came from, F2 shows others, Delete removes it.")
            self.setToolTip(f"{value.name}: {value.code}{came}")
        self._show_buttons()
        self.update()

    def show_crop(self, crop: QPixmap | None) -> None:
        """Show the picture of the chosen part; None while it is not known."""
        if crop is not self.crop:
            self.crop = crop
            self.update()

    def hide_crop(self, hidden: bool) -> None:
        """Leave the tile empty while the part is still on its way."""
        self.crop_hidden = hidden
        self.update()

    def set_lit(self, lit: bool) -> None:
        """Light the slot because its part is lit in the picture."""
        if lit != self._lit:
            self._lit = lit
            self.update()

    def set_low(self, low: bool) -> None:
        """Take less height, with a smaller picture."""
        height = LOW if low else HEIGHT
        if height != self._height:
            self._height = height
            self.updateGeometry()
            self._place_buttons()
            self.update()

    @property
    def tile(self) -> QRect:
        """Where the crop is shown, in the slot's coordinates."""
        side = _TILES[self._height]
        return QRect(PAD, (self._height - side) // 2, side, side)

    @property
    def slider(self) -> QSlider:
        """The strength in percent; seen once it was asked for."""
        return self._slider

    def sizeHint(self) -> QSize:
        return QSize(240, self._height + (STRENGTH_HEIGHT if self.strength_button.isChecked() else 0))

    def minimumSizeHint(self) -> QSize:
        return QSize(200, self.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_buttons()

    def _place_buttons(self) -> None:
        side = 28
        top = (self._height - side) // 2
        self.remove_button.setGeometry(self.width() - side - PAD, top, side, side)
        wide = self.strength_button.sizeHint().width()
        self.variants_button.setGeometry(self.remove_button.x() - side - 2, top, side, side)
        self.strength_button.setGeometry(self.variants_button.x() - wide - 2, top, wide, side)
        row = QRect(PAD, self._height - 4, self.width() - 2 * PAD, STRENGTH_HEIGHT - 4)
        self._least.setGeometry(row.adjusted(4, 0, 0, 0))
        self._least.resize(self._least.sizeHint().width(), row.height())
        more = self._most.sizeHint().width()
        self._most.setGeometry(row.right() - more - 4, row.top(), more, row.height())
        left = self._least.geometry().right() + PAD
        self._slider.setGeometry(left, row.top(), self._most.x() - left - PAD, row.height())

    def _show_buttons(self) -> None:
        chosen = self.value.choice is not None
        strength = self.value.choice.strength if self.value.choice else 1.0
        active = self.underMouse() or self.hasFocus() or self.isAncestorOf(QApplication.focusWidget() or self.window())
        self.remove_button.setVisible(chosen and active)
        self.variants_button.setVisible(chosen and active)
        self.strength_button.setVisible(chosen and (active or strength != 1.0 or self.strength_button.isChecked()))
        open_ = chosen and self.strength_button.isChecked()
        for child in (self._slider, self._least, self._most):
            child.setVisible(open_)
        self.update()

    def _show_slider(self, _open: bool) -> None:
        self._show_buttons()
        self.updateGeometry()
        self.height_changed.emit()
        if self.strength_button.isChecked() and self.strength_button.hasFocus():
            self._slider.setFocus(Qt.FocusReason.OtherFocusReason)

    def _slide(self, percent: int) -> None:
        if abs(percent - 100) < SNAP:
            percent = 100
        self.strength_button.setText(f"{percent} %")
        self.strength_changed.emit(self.value.part, percent / 100)

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        value, palette = self.value, self.palette()
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        frame = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        if self._over or self._lit or self.underMouse():
            ground = palette.color(QPalette.ColorRole.AlternateBase)
            painter.setPen(QPen(value.colour, 1.5) if self._over else Qt.PenStyle.NoPen)
            painter.setBrush(mixed(ground, value.colour, 0.18) if self._over else ground)
            painter.drawRoundedRect(frame, 10, 10)
        if self.hasFocus():
            painter.setPen(QPen(palette.color(QPalette.ColorRole.Accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(frame, 10, 10)
        self._paint_tile(painter, palette)
        self._paint_words(painter, palette)

    def _paint_tile(self, painter: QPainter, palette: QPalette) -> None:
        value = self.value
        tile = QRectF(self.tile)
        base = palette.color(QPalette.ColorRole.Base)
        if value.choice is None:
            painter.setPen(QPen(palette.color(QPalette.ColorRole.Mid), 1.25, Qt.PenStyle.DashLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(tile.adjusted(1, 1, -1, -1), 8, 8)
            plus = tile.center()
            painter.setPen(QPen(palette.color(QPalette.ColorRole.PlaceholderText), 1.5))
            painter.drawLine(QPointF(plus.x() - 6, plus.y()), QPointF(plus.x() + 6, plus.y()))
            painter.drawLine(QPointF(plus.x(), plus.y() - 6), QPointF(plus.x(), plus.y() + 6))
            return
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(crop_ground(base, value.colour))
        painter.drawRoundedRect(tile, 8, 8)
        if self.crop_hidden:
            return
        if self.crop is not None and not self.crop.isNull():
            size = self.crop.deviceIndependentSize()
            most = min(CROP, tile.height() - 2 * _AROUND_CROP)
            scale = min(most / size.width(), most / size.height())
            place = QRectF(0, 0, size.width() * scale, size.height() * scale)
            place.moveCenter(tile.center())
            painter.drawPixmap(place, self.crop, QRectF(self.crop.rect()))
        elif self.crop is not None:
            # The pack has no picture of this code.
            painter.fillPath(
                glyph(value.sign, QRectF(tile.center().x() - 9, tile.center().y() - 9, 18, 18)), value.colour
            )

    def _paint_words(self, painter: QPainter, palette: QPalette) -> None:
        value = self.value
        left = self.tile.right() + 13
        right = self.width() - PAD
        for button in (self.remove_button, self.variants_button, self.strength_button):
            if button.isVisible():
                right = min(right, button.x() - 4)
        room = right - left
        metrics = painter.fontMetrics()
        line = metrics.height() + (2 if self._height == HEIGHT else 0)
        top = (self._height - 2 * line) / 2
        quiet = palette.color(QPalette.ColorRole.PlaceholderText)
        mark = QRectF(left, top + line / 2 - 4.5, 9, 9)
        empty = value.choice is None
        colour = seen_on(value.colour, palette.color(QPalette.ColorRole.AlternateBase))
        painter.fillPath(glyph(value.sign, mark), with_alpha(colour, 0.8) if empty else colour)
        one_line = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextSingleLine)
        cut = Qt.TextElideMode.ElideRight
        painter.setPen(quiet)
        painter.drawText(
            QRectF(left + 15, top, room - 15, line), one_line, metrics.elidedText(value.name, cut, room - 15)
        )
        second = QRectF(left, top + line, room, line)
        if empty:
            painter.drawText(second, one_line, metrics.elidedText(f"pick {_a(value.name)}", cut, room))
            return
        font = QFont(painter.font())
        font.setWeight(QFont.Weight.Medium)
        painter.setFont(font)
        painter.setPen(palette.color(QPalette.ColorRole.Text))
        text = f"{value.code}, from {value.source}" if value.source else value.code
        painter.drawText(second, one_line, painter.fontMetrics().elidedText(text, cut, room))

    # What a person does

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.HoverEnter, QEvent.Type.HoverLeave):
            self._show_buttons()
        return super().event(event)

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self._show_buttons()
        return False

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.lit.emit(self.value.part)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.lit.emit(None)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._show_buttons()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._show_buttons()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._press()
        elif event.key() == Qt.Key.Key_F2:
            self.variants_asked.emit(self.value.part)
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and self.value.choice is not None:
            self.remove_asked.emit(self.value.part)
        elif event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.focusNextPrevChild(event.key() == Qt.Key.Key_Down)
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed = event.position().toPoint() if event.button() == Qt.MouseButton.LeftButton else None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is None or self.value.choice is None:
            return
        if (event.position().toPoint() - self._pressed).manhattanLength() >= QApplication.startDragDistance():
            self._pressed = None
            dragging.drag(self, dragging.choice_data(self.value.choice), self.crop or QPixmap())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._pressed is not None and self.rect().contains(event.position().toPoint()):
            self._press()
        self._pressed = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.variants_asked.emit(self.value.part)

    def _press(self) -> None:
        (self.variants_asked if self.value.choice is None else self.wanted).emit(self.value.part)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        choice = dragging.choice_in(event.mimeData())
        if choice is not None and choice.part == self.value.part and event.source() is not self:
            self._over = True
            event.acceptProposedAction()
            self.update()
        else:
            event.ignore()  # The composer takes parts that belong to another slot.

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._over = False
        self.update()

    def dropEvent(self, event: QDropEvent) -> None:
        self._over = False
        self.update()
        choice = dragging.choice_in(event.mimeData())
        if choice is not None:
            event.acceptProposedAction()
            self.dropped.emit(choice)


def _a(name: str) -> str:
    """A noun with its article: plural parts ("legs") have none."""
    if name.endswith("s") and not name.endswith("ss"):
        return name
    return f"an {name}" if name[:1].casefold() in "aeiou" else f"a {name}"
