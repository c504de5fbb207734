"""Dialogs: settings, the viewer of a creation, shortcuts, about, details of an error. All are opened, none blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QGridLayout, QLabel, QPlainTextEdit, QScrollArea, QVBoxLayout, QWidget

from engine.core.match_rate import MatchRate
from engine.core.resemblance import Resemblance
from engine.packs.pack import Pack
from partcraft_desktop.app.messages import Message
from partcraft_desktop.widgets.controls import push_button
from partcraft_desktop.widgets.dialog import Dialog, quiet_label
from partcraft_desktop.widgets.theme import UNIT

SHORTCUTS: Final = (
    ("Open a picture", "Ctrl+O"),
    ("Save for another program", "Ctrl+S"),
    ("Copy the creature without its ground", "Ctrl+C"),
    ("New vocabulary from a folder", "Ctrl+N"),
    ("Search pictures, in the gallery creations", "Ctrl+F"),
    ("Walk the parts of the picture", "Arrows"),
    ("Take a part, or put it back", "Enter"),
    ("Zoom in", "Ctrl++"),
    ("Zoom out", "Ctrl+-"),
    ("See the whole picture", "Ctrl+0"),
    ("See the picture without its parts", "Alt"),
    ("See every variant of a slot's part", "F2"),
    ("Select the next part of the creature", "Space"),
    ("Move the selected part (Shift: farther)", "Arrows"),
    ("Make it larger or smaller", "+  -"),
    ("Turn it (Shift: the other way)", "R"),
    ("Mirror it", "M"),
    ("Bring it forward, send it back", "PgUp  PgDown"),
    ("Hide it", "H"),
    ("Put it back where it was placed", "0"),
    ("Take it out of the creature", "Del"),
    ("Keep it as it is in renders", "K"),
    ("Render it anew", "N"),
    ("See the collage and each creation in turn", "Arrows"),
    ("See the collage again", "Home"),
    ("Compare with what was seen before", "C"),
    ("Random mix", "Ctrl+R"),
    ("Render, or add to the queue", "Ctrl+Return"),
    ("Stop the running render", "Esc"),
    ("Move a waiting render", "Alt+Up"),
    ("Undo", "Ctrl+Z"),
    ("Redo", "Ctrl+Shift+Z"),
    ("Use the recipe of a creation", "U"),
    ("View a creation large", "Enter"),
    ("Give a creation a star, or take it away", "S"),
    ("Delete a creation", "Del"),
    ("Next page of the wizard", "Ctrl+Return"),
    ("Page of the wizard before", "Alt+Left"),
    ("Leave a picture of the wizard's wall out", "Del"),
    ("Correct the parts in it with a brush", "Enter"),
    ("Smaller or larger brush", "[  ]"),
    ("Show or hide the library", "Ctrl+B"),
    ("Next area of the window", "F6"),
    ("Settings", "Ctrl+,"),
    ("These shortcuts", "F1"),
    ("Quit", "Ctrl+Q"),
)


class ShortcutsDialog(Dialog):
    """All keys on one sheet, in two columns: it has to fit a small screen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Shortcuts", parent)
        self.add_title("Shortcuts")
        grid = QGridLayout()
        grid.setHorizontalSpacing(3 * UNIT)
        grid.setVerticalSpacing(UNIT // 2)
        grid.setColumnMinimumWidth(2, UNIT)
        rows = -(-len(SHORTCUTS) // 2)
        for index, (description, keys) in enumerate(SHORTCUTS):
            row, column = index % rows, 3 * (index // rows)
            grid.addWidget(QLabel(description), row, column)
            shortcut = QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText) or keys
            label = QLabel(shortcut, alignment=Qt.AlignmentFlag.AlignRight)
            label.setProperty("quiet", True)
            grid.addWidget(label, row, column + 1)
        self.column.addLayout(grid)
        self.add_buttons(push_button("Close", self.accept))


class AboutDialog(Dialog):
    """What this is, whose method it uses, and where its files are: ``files_wanted`` asks to show them."""

    files_wanted = Signal()

    def __init__(self, version: str, packs: Sequence[Pack], parent: QWidget | None = None) -> None:
        super().__init__("About PartCraft", parent)
        self.setMinimumWidth(480)
        self.add_title(f"PartCraft Desktop {version}")
        summary = QLabel(
            "New creatures by parts: take the head of one picture and the wing of another, and render them as one. "
            "Nothing you open or make leaves this computer.",
            wordWrap=True,
        )
        self.column.addWidget(summary)
        self.column.addWidget(
            quiet_label(
                "The method is PartCraft by Ng and others (ECCV 2024, arXiv 2407.04604). "
                "This program is free under the Apache License 2.0; the typeface is Inter, under the Open Font License."
            )
        )
        told_of = QWidget()
        lines = QVBoxLayout(told_of)
        lines.setContentsMargins(0, 0, UNIT, 0)
        lines.setSpacing(2 * UNIT)
        for pack in packs:
            rate = MatchRate.from_metrics(pack.metrics)
            resemblance = Resemblance.from_metrics(pack.metrics, pack.base_model.id)
            told = f"Match rate {rate.words}." if rate else ""
            words = [pack.provenance, pack.licence, (resemblance.advice if resemblance else "") or told]
            if any(words):
                sentences = " ".join(f"{text.strip().removesuffix('.')}." for text in words if text.strip())
                lines.addWidget(quiet_label(f"{pack.title}: {sentences}"))
        lines.addStretch(1)
        # Packs say as much as they like, and there may be many: they would be cut, or the sheet leave the screen.
        area = QScrollArea()
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setMinimumHeight(20 * UNIT)
        area.setAccessibleName("What the packs say of themselves")
        area.setWidget(told_of)
        area.viewport().setAutoFillBackground(False)
        told_of.setAutoFillBackground(False)
        self.column.addWidget(area, 1)
        self.add_buttons(push_button("Show my files", self.files_wanted.emit), push_button("Close", self.accept))


class DetailsDialog(Dialog):
    """What went wrong, in full, to be copied into a report."""

    def __init__(self, message: Message, parent: QWidget | None = None) -> None:
        super().__init__("Details", parent)
        self.setMinimumSize(640, 360)
        self.column.addWidget(QLabel(f"{message.text} {message.hint}".strip(), wordWrap=True))
        self.text = QPlainTextEdit(message.details, readOnly=True)
        self.text.setAccessibleName("Details")
        self.column.addWidget(self.text, 1)
        self.add_buttons(push_button("Copy", self._copy, "copy"), push_button("Close", self.accept))

    def _copy(self) -> None:
        self.text.selectAll()
        self.text.copy()
