"""A pack before it is added: what it is, what it needs, under which licence; and the question."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFormLayout, QLabel, QWidget

from partcraft_desktop.app.dropped_paths import OfferedPack
from partcraft_desktop.widgets.controls import push_button
from partcraft_desktop.widgets.dialog import Dialog, quiet_label
from partcraft_desktop.widgets.theme import UNIT


class PackOfferDialog(Dialog):
    """Asks whether to add a pack. ``agreed(path)``: it is to be added."""

    agreed = Signal(object)

    def __init__(self, offered: OfferedPack, parent: QWidget | None = None) -> None:
        super().__init__("Add pack", parent)
        about = offered.about
        self.add_title(f"Add “{about.pack.title}”?")
        rows = QFormLayout()
        rows.setHorizontalSpacing(2 * UNIT)
        rows.setVerticalSpacing(UNIT)
        rows.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.terms: dict[str, QLabel] = {}
        for name, value in offered.terms:
            self.terms[name] = label = QLabel(value, wordWrap=True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setAccessibleName(f"{name}: {value}")
            rows.addRow(quiet_label(name), label)
        self.column.addLayout(rows)
        self.column.addWidget(quiet_label("It is copied into your packs; the file stays as it is."))
        self.add = push_button("Add pack", lambda: self._agree(about.file), look="primary")
        self.no = push_button("Not now", self.reject)
        self.add_buttons(self.no, self.add)
        self.add.setDefault(True)
        self.add.setFocus()
        self.setMinimumWidth(420)

    def _agree(self, file: object) -> None:
        self.agreed.emit(file)
        self.accept()
