"""The row below the creature with the ways out: save, copy, its layers, and a grip to drag it by."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QSize, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QWidget

from partcraft_desktop.widgets.action_row import GAP, ICONS, WORDS, button_width
from partcraft_desktop.widgets.controls import tool_button
from partcraft_desktop.widgets.drag_out import DragOutButton, Write
from partcraft_desktop.widgets.theme import icon


class OutRow(QWidget):
    """``save_wanted()``, ``copy_wanted()``, ``layers_wanted(shown)``, ``check_wanted()``, ``live_wanted(on)``: pressed.
    ``write`` writes what is carried."""

    save_wanted = Signal()
    copy_wanted = Signal()
    layers_wanted = Signal(bool)
    check_wanted = Signal()
    live_wanted = Signal(bool)

    def __init__(self, write: Write, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Ways out")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        what = "Save as PNG, Photoshop or OpenRaster (Ctrl+S)"
        self.save = self._button("Save as…", "save", self.save_wanted.emit, what)
        self.copy = self._button("Copy", "copy", self.copy_wanted.emit, "Copy the creature without its ground (Ctrl+C)")
        self.layers = self._button("Layers", "layers", None, "Each part as a picture of its own")
        self.layers.setCheckable(True)
        self.layers.toggled.connect(self.layers_wanted)
        look = "Have the engine look whether each part is seen, and where it was put"
        self.check = self._button("Check", "check", self.check_wanted.emit, look)
        told = "Paint the collage anew after each change, as Render will, in few steps; nothing is kept"
        self.live = self._button("Live", "live", None, told)
        self.live.setCheckable(True)
        self.live.toggled.connect(self.live_wanted)
        self._words = (self.save, self.copy, self.live, self.layers, self.check)
        self.grip = DragOutButton(write)
        self.grip.setIcon(icon("grip"))
        self.grip.setAccessibleName("Drag the picture out")
        self.grip.setToolTip("Drag the picture into another program or a folder; a click copies it as a file")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GAP)
        for widget in (*self._words, self.grip):
            row.addWidget(widget)
        row.addStretch(1)

    def _button(self, text: str, icon_name: str, run: Callable[[], object] | None, tip: str) -> QToolButton:
        button = tool_button(icon_name, text.rstrip("…"), run)
        button.setText(text)
        button.setIconSize(QSize(18, 18))
        button.setToolTip(tip)
        return button

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())  # the pictures share the room as a person wants it

    def _fit(self) -> None:
        """Say as many words as there is room for, the most wanted ones first; tips and screen readers tell the
        others."""
        room = self.width() - self.grip.sizeHint().width()
        for words in range(len(self._words), -1, -1):
            for at, button in enumerate(self._words):
                button.setToolButtonStyle(WORDS if at < words else ICONS)
            if sum(button_width(button) + GAP for button in self._words) <= room:
                break
        for button in self._words:
            button.setFixedWidth(button_width(button))
