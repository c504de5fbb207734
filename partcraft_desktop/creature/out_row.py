"""The row below the creature with the ways out: save, copy, its layers, and a grip to drag it by."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from partcraft_desktop.widgets.controls import push_button
from partcraft_desktop.widgets.drag_out import DragOutButton, Write
from partcraft_desktop.widgets.theme import UNIT, icon


class OutRow(QWidget):
    """``save_wanted()``, ``copy_wanted()``, ``layers_wanted(shown)``: pressed. ``write`` writes what is carried."""

    save_wanted = Signal()
    copy_wanted = Signal()
    layers_wanted = Signal(bool)

    def __init__(self, write: Write, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Ways out")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._needed = 0
        what = "Save as PNG, Photoshop or OpenRaster (Ctrl+S)"
        self.save = self._button("Save as…", "save", self.save_wanted.emit, what)
        self.copy = self._button("Copy", "copy", self.copy_wanted.emit, "Copy the creature without its ground (Ctrl+C)")
        self.layers = self._button("Layers", "layers", None, "Each part as a picture of its own")
        self.layers.setCheckable(True)
        self.layers.toggled.connect(self.layers_wanted)
        self._words = [(button, button.text()) for button in (self.save, self.copy, self.layers)]
        self.grip = DragOutButton(write)
        self.grip.setIcon(icon("grip"))
        self.grip.setAccessibleName("Drag the picture out")
        self.grip.setToolTip("Drag the picture into another program or a folder; a click copies it as a file")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(UNIT // 2)
        row.addStretch(1)
        for widget in (self.save, self.copy, self.layers, self.grip):
            row.addWidget(widget)
        row.addStretch(1)

    def _button(self, text: str, icon_name: str, run: Callable[[], object] | None, tip: str) -> QPushButton:
        button = push_button(text, run, icon_name, look="flat")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setToolTip(tip)
        return button

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # Where there is no room for words, the pictures on the buttons stay, and tips and screen readers tell the rest.
        self._needed = max(self._needed, self.sizeHint().width())
        roomy = self.width() >= self._needed
        for button, words in self._words:
            if bool(button.text()) != roomy:
                button.setText(words if roomy else "")
