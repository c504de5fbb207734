"""A number to type, or to step with two quiet buttons or the arrow keys."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from partcraft_desktop.widgets.controls import tool_button


class NumberField(QWidget):
    """A number from ``low`` to ``high``, shown with ``decimals`` places at least; without any it is whole, and exact
    however large. ``value_changed(int or float)``: a person changed it.

    What was set is shown as it is, also out of range or with more places, and stays so until somebody types or presses
    a button. What cannot be read as a number gives way to the last value; one typed out of range is moved to the
    nearest end.
    """

    value_changed = Signal(object)

    def __init__(
        self, name: str, tip: str, low: float, high: float, step: float = 1, decimals: int = 0, buttons: bool = True
    ) -> None:
        super().__init__()
        self._low, self._high, self._step, self._decimals = low, high, step, decimals
        self._value: int | float = low
        self.edit = QLineEdit()
        self.edit.setAccessibleName(name)
        self.edit.setToolTip(tip)
        self.edit.editingFinished.connect(self._read)
        self.edit.installEventFilter(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        row.addWidget(self.edit, 1)
        if buttons:
            self.less = tool_button("minus", f"Less {name.lower()}", lambda: self._move(-1))
            self.more = tool_button("plus", f"More {name.lower()}", lambda: self._move(1))
            for button in (self.less, self.more):
                button.setAutoRepeat(True)
                # The arrow keys in the field do the same.
                button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
                row.addWidget(button)
        self.setFocusProxy(self.edit)
        self.set_value(low)

    @property
    def value(self) -> int | float:
        """The number."""
        return self._value

    def set_value(self, value: int | float) -> None:
        """Show a number without saying that it changed; what is being typed is not disturbed by the same number."""
        if value != self._value or not self.edit.text():
            self._value = value
            self._show()

    def _show(self) -> None:
        self.edit.setText(self._text())
        self.edit.setCursorPosition(0)

    def _text(self) -> str:
        value = self._value
        if isinstance(value, int):
            return f"{value}.{'0' * self._decimals}" if self._decimals else str(value)
        short = f"{value:.{self._decimals}f}"
        return short if float(short) == value else np.format_float_positional(value, trim="-")

    def _move(self, steps: int) -> None:
        self._read()
        moved = self._value + steps * self._step
        self._change(moved if isinstance(moved, int) else round(moved, 10))  # 0.1 + 0.2

    def _read(self) -> None:
        if self.edit.text() == self._text():  # the keyboard only came by
            return
        typed = self.edit.text().strip().replace(",", ".")
        try:
            # By way of a float, whole numbers of more than 16 digits would become others.
            value = int(typed) if typed.removeprefix("-").isdecimal() else float(typed)
        except ValueError:  # no number, or one of thousands of digits
            value = self._value
        self._change(self._value if value != value else value)  # "nan" is a float too
        self._show()

    def _change(self, value: int | float) -> None:
        value = min(max(value, self._low), self._high)
        value = value if self._decimals else round(value)
        if value != self._value:
            self._value = value
            self._show()
            self.value_changed.emit(value)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            steps = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1, Qt.Key.Key_PageUp: 10, Qt.Key.Key_PageDown: -10}
            step = steps.get(Qt.Key(event.key()))
            if step is not None:
                self._move(step)
                return True
        return False
