"""A number to type, or to step with two quiet buttons or the arrow keys."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from partcraft_desktop.widgets.controls import tool_button


class NumberField(QWidget):
    """A number from ``low`` to ``high`` with ``decimals`` places. ``value_changed(float)``: a person changed it.

    What cannot be read as a number gives way to the last value; one out of range is moved to the nearest end.
    """

    value_changed = Signal(float)

    def __init__(
        self, name: str, tip: str, low: float, high: float, step: float = 1, decimals: int = 0, buttons: bool = True
    ) -> None:
        super().__init__()
        self._low, self._high, self._step, self._decimals = low, high, step, decimals
        self._value = low
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
    def value(self) -> float:
        """The number."""
        return self._value

    def set_value(self, value: float) -> None:
        """Show a number without saying that it changed; what is being typed is not disturbed by the same number."""
        if value != self._value or not self.edit.text():
            self._value = value
            self._show()

    def _show(self) -> None:
        self.edit.setText(f"{self._value:.{self._decimals}f}")
        self.edit.setCursorPosition(0)

    def _move(self, steps: int) -> None:
        self._read()
        self._change(self._value + steps * self._step)

    def _read(self) -> None:
        try:
            value = float(self.edit.text().strip().replace(",", "."))
        except ValueError:
            value = self._value
        self._change(value)

    def _change(self, value: float) -> None:
        if value != value:  # "nan" is a float too
            value = self._value
        value = round(min(max(value, self._low), self._high), self._decimals)
        changed = value != self._value
        self._value = value
        if changed or self.edit.text() != f"{value:.{self._decimals}f}":
            self._show()
        if changed:
            self.value_changed.emit(value)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            steps = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1, Qt.Key.Key_PageUp: 10, Qt.Key.Key_PageDown: -10}
            step = steps.get(Qt.Key(event.key()))
            if step is not None:
                self._move(step)
                return True
        return False
