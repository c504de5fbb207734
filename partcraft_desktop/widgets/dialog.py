"""A calm sheet: a title, a body, buttons at the right."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from partcraft_desktop.widgets.theme import UNIT


class Dialog(QDialog):
    """A calm sheet: a title, a body, buttons at the right."""

    def __init__(self, title: str, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setModal(True)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(3 * UNIT, 3 * UNIT, 3 * UNIT, 2 * UNIT)
        self.column.setSpacing(2 * UNIT)

    def add_title(self, text: str) -> None:
        """The larger of the two text sizes."""
        label = QLabel(text)
        label.setProperty("title", True)
        self.column.addWidget(label)

    def add_buttons(self, *buttons: QWidget) -> None:
        """The last row; buttons stand at the right."""
        row = QHBoxLayout()
        row.setSpacing(UNIT)
        row.addStretch(1)
        for button in buttons:
            row.addWidget(button)
        self.column.addLayout(row)


def quiet_label(text: str) -> QLabel:
    label = QLabel(text, wordWrap=True)
    label.setProperty("quiet", True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label
