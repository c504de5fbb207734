"""The freedom slider: how far a render may go from the collage, from "Collage" to "Free", and what it adds there."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QEvent, QObject, QRectF, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QStyle,
    QStyleOptionSlider,
    QVBoxLayout,
    QWidget,
)

from partcraft_desktop.app.history import DRAG
from partcraft_desktop.widgets import theme
from partcraft_desktop.widgets.controls import ShortLabel, push_button

SNAP: Final = 3
"""A drag that ends this near to the default, in percent, is meant to be it."""
_TICK: Final = 5.0
_HANDLE: Final = 14

_drags = itertools.count(1)


@dataclass(frozen=True)
class FreedomValue:
    """What the slider shows. ``freedom`` and ``default`` 0..1. ``painted`` is the side in pixels a render has, and
    ``collage`` that of the collage (0: not known). ``kept`` and ``anew``: names of the parts that stay, and of those
    that alone are rendered. ``creation``: it begins with a creation instead of the collage."""

    freedom: float
    default: float
    painted: int = 0
    collage: int = 0
    kept: tuple[str, ...] = ()
    anew: tuple[str, ...] = ()
    creation: bool = False


class FreedomSlider(QWidget):
    """``changed(freedom, gesture)``: another freedom is wanted, with the same gesture for all steps of a drag;
    ``collage_asked()``: begin with the whole collage again. Nothing is seen of it without a value."""

    changed = Signal(float, str)
    collage_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider = _TickedSlider()
        self.slider.valueChanged.connect(self._slide)
        self.slider.sliderPressed.connect(self._begin_drag)
        self.slider.sliderReleased.connect(self._end_drag)
        self.slider.reset_asked.connect(lambda: self.slider.setValue(self.slider.default))
        self.slider.installEventFilter(self)
        self.brief = ShortLabel(quiet=True)
        self.brief.hide()
        self.text = QLabel(wordWrap=True)
        self.text.setProperty("quiet", True)
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.whole = push_button("Use the whole collage", self.collage_asked.emit, look="flat")
        self._gesture = ""
        self._value: FreedomValue | None = None
        row = QHBoxLayout()
        row.setSpacing(theme.UNIT)
        self._from, self._to = QLabel("Collage"), QLabel("Free")
        row.addWidget(self._from)
        row.addWidget(self.slider, 1)
        row.addWidget(self._to)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.UNIT // 2)
        column.addLayout(row)
        column.addWidget(self.text)
        column.addWidget(self.brief)
        column.addWidget(self.whole, 0, Qt.AlignmentFlag.AlignLeft)
        self.hide()

    def show_value(self, value: FreedomValue | None) -> None:
        """Show a value without saying that it changed; None: there is nothing to start from."""
        if value == self._value:
            return
        self._value = value
        self.setVisible(value is not None)
        if value is None:
            return
        self.slider.blockSignals(True)
        self.slider.setValue(round(value.freedom * 100))
        self.slider.blockSignals(False)
        self.slider.default = round(value.default * 100)
        self._from.setText("Creation" if value.creation else "Collage")
        words, text = freedom_words(value), added_words(value)
        self.slider.setAccessibleName(words)
        self.slider.setToolTip(f"{words}\n{text}\nThe tick is where to begin; a double click goes there.")
        self.text.setText(text)
        self.brief.setText(text)
        self.slider.setAccessibleDescription(text)
        self.whole.setVisible(value.creation or bool(value.anew))
        self.slider.update()

    def set_little_room(self, little: bool) -> None:
        """Say what rendering adds in one line that may end early, or in as many as it takes."""
        self.brief.setVisible(little)
        self.text.setVisible(not little)

    def _begin_drag(self) -> None:
        self._gesture = f"{DRAG}freedom {next(_drags)}"

    def _end_drag(self) -> None:
        if abs(self.slider.value() - self.slider.default) <= SNAP:
            self.slider.setValue(self.slider.default)
        self._gesture = ""

    def _slide(self, percent: int) -> None:
        self.changed.emit(percent / 100, self._gesture or "freedom")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # The wheel scrolls; it changes only what was pressed before.
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False


class _TickedSlider(QSlider):
    """A slider of 0 to 100 percent with a tick. ``reset_asked()``: a double click."""

    reset_asked = Signal()

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setObjectName("freedom")
        self.setRange(0, 100)
        self.setSingleStep(5)
        self.setPageStep(20)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.default = 0

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.reset_asked.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        option = QStyleOptionSlider()
        self.initStyleOption(option)
        groove = self.style().subControlRect(
            QStyle.ComplexControl.CC_Slider, option, QStyle.SubControl.SC_SliderGroove, self
        )
        x = groove.left() + _HANDLE / 2 + (groove.width() - _HANDLE) * self.default / 100
        middle = self.rect().center().y() + 1.0
        painter = QPainter(self)
        painter.fillRect(
            QRectF(x - 0.75, middle - 3 - _TICK, 1.5, 2 * _TICK + 6),
            self.palette().color(QPalette.ColorRole.PlaceholderText),
        )
        painter.end()
        super().paintEvent(event)


def freedom_words(value: FreedomValue) -> str:
    """The freedom in words, as it is heard: "Freedom 40 %: keeps the layout"."""
    kept = next(words for least, words in _KEEPS if value.freedom >= least)
    return f"Freedom {round(value.freedom * 100)} %: {kept}"


def added_words(value: FreedomValue) -> str:
    """What rendering adds at a freedom, and what it takes away: a render is never smaller without saying so."""
    start = "creation" if value.creation else "collage"
    words = next(words for least, words in _ADDS if value.freedom >= least).format(start=start)
    if value.anew:
        words = f"Renders only {_listed(value.anew)}"
    if value.painted and value.collage > value.painted:
        words += f", at {value.painted} px instead of {value.collage} px"
    elif value.painted:
        words += f", at {value.painted} px"
    return f"{words}. Keeps {_listed(value.kept)}." if value.kept and not value.anew else f"{words}."


_KEEPS: Final = (
    (1.0, "paints freely"),
    (0.85, "keeps little"),
    (0.55, "keeps places, not details"),
    (0.3, "keeps the layout"),
    (0.01, "keeps nearly all"),
    (0.0, "keeps the collage"),
)
_ADDS: Final = (
    (1.0, "Paints freely"),
    (0.85, "Paints nearly freely"),
    (0.55, "New details in the same places"),
    (0.3, "Painted by one hand"),
    (0.01, "Smooths the {start}"),
    (0.0, "Adds nothing to the {start}"),
)


def _listed(names: tuple[str, ...]) -> str:
    """ "head", "head and wing", "head, wing and tail"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
