"""The add-ons of the recipe: a row for each, with its weight; what is wrong with it, and the ways out of that."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import QEvent, QObject, QRectF, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QSizePolicy, QSlider, QVBoxLayout, QWidget

from engine.core.add_on import LEAST_WEIGHT, MOST_WEIGHT, AddOn
from partcraft_desktop.app.history import DRAG
from partcraft_desktop.app.state import AddOnFault
from partcraft_desktop.widgets import theme
from partcraft_desktop.widgets.controls import ShortLabel, push_button, tool_button
from partcraft_desktop.widgets.number_field import NumberField

FILES: Final = "LoRAs and embeddings (*.safetensors);;All files (*)"
_STEP: Final = 0.05
_TICK: Final = 14.0
_NUMBER: Final = 52
"""The width of the weight's number, in logical pixels."""

_drags = itertools.count(1)


class AddOnRows(QWidget):
    """``added(paths)``; ``weighed(add_on, weight, gesture)``: with the same gesture for all steps of a drag;
    ``removed(add_on)``; ``found(add_on, path)``: a person says where its file is. Nothing is seen without add-ons."""

    added = Signal(list)
    weighed = Signal(object, float, str)
    removed = Signal(object)
    found = Signal(object, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: list[AddOnRow] = []
        title = QLabel("Add-ons")
        title.setProperty("quiet", True)
        self.add = tool_button("plus", "Add a LoRA or an embedding", self.ask)
        head = QHBoxLayout()
        head.addWidget(title, 1)
        head.addWidget(self.add)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(theme.UNIT)
        self._column.addLayout(head)
        self.hide()

    def ask(self) -> None:
        """Let a person choose files to add."""
        dialog = QFileDialog(self.window(), "Add a LoRA or an embedding", str(Path.home()), FILES)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(lambda paths: self.added.emit(list(paths)))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def show_add_ons(self, add_ons: Sequence[AddOn], faults: Sequence[AddOnFault]) -> bool:
        """Show others, or other weights, without saying that they changed. Whether there is more to see
        than before."""
        before = len(self.rows) + sum(not row.fault.isHidden() for row in self.rows)
        while len(self.rows) > len(add_ons):
            row = self.rows.pop()
            if row.isAncestorOf(self.focusWidget() or self):  # the keyboard stays near
                (self.rows[-1].remove if self.rows else self.add).setFocus(Qt.FocusReason.OtherFocusReason)
            self._column.removeWidget(row)
            row.hide()
            row.deleteLater()
        while len(self.rows) < len(add_ons):
            row = AddOnRow()
            row.weighed.connect(self.weighed)
            row.removed.connect(self.removed)
            row.find_asked.connect(self._find)
            self._column.addWidget(row)
            self.rows.append(row)
        for row, add_on in zip(self.rows, add_ons, strict=True):
            fault = next((fault.why for fault in faults if fault.add_on.is_same_file(add_on)), "")
            row.show_add_on(add_on, fault)
        self.setVisible(bool(add_ons))
        return len(add_ons) + sum(not row.fault.isHidden() for row in self.rows) > before

    def _find(self, add_on: AddOn) -> None:
        dialog = QFileDialog(self.window(), f"Find {add_on.name}", str(Path.home()), FILES)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.selectFile(add_on.name)
        dialog.fileSelected.connect(lambda path: self.found.emit(add_on, path))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()


class AddOnRow(QWidget):
    """One add-on. ``weighed(add_on, weight, gesture)``, ``removed(add_on)``, ``find_asked(add_on)``."""

    weighed = Signal(object, float, str)
    removed = Signal(object)
    find_asked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.add_on = AddOn("", "")
        self._gesture = ""
        self.name = ShortLabel()
        self.remove = tool_button("close", "Take it off", lambda: self.removed.emit(self.add_on))
        self.slider = _WeightSlider()
        self.slider.valueChanged.connect(self._slide)
        self.slider.sliderPressed.connect(self._begin_drag)
        self.slider.sliderReleased.connect(self._end_drag)
        self.number = NumberField("Weight", "", LEAST_WEIGHT, MOST_WEIGHT, _STEP, 2, buttons=False)
        self.number.setFixedWidth(_NUMBER)
        self.number.value_changed.connect(lambda value: self.weighed.emit(self.add_on, float(value), ""))
        self.fault = QLabel(wordWrap=True)
        self.fault.setProperty("quiet", True)
        self.fault.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.find_button = push_button("Find…", lambda: self.find_asked.emit(self.add_on), look="flat")
        self.without = push_button("Render without it", lambda: self.removed.emit(self.add_on), look="flat")
        for button in (self.find_button, self.without):
            button.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        top = QHBoxLayout()
        top.setSpacing(theme.UNIT)
        top.addWidget(self.name, 1)
        top.addWidget(self.remove)
        weight = QHBoxLayout()
        weight.setSpacing(theme.UNIT)
        weight.addWidget(self.slider, 1)
        weight.addWidget(self.number)
        ways = QHBoxLayout()
        ways.setSpacing(theme.UNIT)
        ways.addWidget(self.find_button)
        ways.addWidget(self.without)
        ways.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for line in (top, weight, ways):
            column.addLayout(line)
        column.insertWidget(2, self.fault)

    def show_add_on(self, add_on: AddOn, fault: str) -> None:
        """Show an add-on, and what is wrong with it."""
        self.add_on = add_on
        noun = add_on.noun
        self.name.setText(add_on.word)
        self.name.setToolTip(f"{noun}: {add_on.name}")
        self.name.setAccessibleName(f"{noun} {add_on.word}")
        self.remove.setAccessibleName(f"Take off {add_on.word}")
        self.slider.blockSignals(True)
        self.slider.setValue(round(add_on.weight * 100))
        self.slider.blockSignals(False)
        kept_out = ", kept out" if add_on.kind != "lora" and add_on.weight < 0 else ""
        self.slider.setAccessibleName(f"Weight of {add_on.word}: {add_on.weight:g}{kept_out}")
        tip = "0 is without it; below 0 the opposite" if add_on.kind == "lora" else "below 0 it is kept out"
        self.slider.setToolTip(f"Weight {add_on.weight:g}: {tip}. A double click makes it 1.")
        self.number.set_value(float(add_on.weight))
        self.number.edit.setAccessibleName(f"Weight of {add_on.word}, in numbers")
        self.number.edit.setToolTip(f"From {LEAST_WEIGHT:g} to {MOST_WEIGHT:g}")
        self.fault.setText(fault)
        self.find_button.setAccessibleName(f"Find {add_on.name}")
        self.without.setAccessibleName(f"Render without {add_on.word}")
        for widget in (self.fault, self.find_button, self.without):
            widget.setVisible(bool(fault))
        for usable in (self.slider, self.number):
            usable.setEnabled(not fault)

    def _begin_drag(self) -> None:
        self._gesture = f"{DRAG}weight {next(_drags)}"

    def _end_drag(self) -> None:
        self._gesture = ""

    def _slide(self, percent: int) -> None:
        self.weighed.emit(self.add_on, percent / 100, self._gesture)


class _WeightSlider(QSlider):
    """From -200 to 200 percent, with a tick at 0; a double click makes it 100."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setObjectName("weight")
        self.setRange(round(LEAST_WEIGHT * 100), round(MOST_WEIGHT * 100))
        self.setSingleStep(round(_STEP * 100))
        self.setPageStep(25)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumWidth(80)
        self.installEventFilter(self)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        middle = QRectF(self.rect()).center()
        tick = QRectF(middle.x() - 0.75, middle.y() - _TICK / 2, 1.5, _TICK)
        painter.fillRect(tick, self.palette().color(QPalette.ColorRole.PlaceholderText))
        painter.end()
        super().paintEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.setValue(100)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # The wheel scrolls; it changes only what was pressed before.
        if event.type() == QEvent.Type.Wheel and not self.hasFocus():
            event.ignore()
            return True
        return False
