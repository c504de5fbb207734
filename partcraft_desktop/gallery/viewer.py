"""A creation, large, with its recipe and its receipt in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence, QPainter, QPaintEvent, QShortcut
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from engine.core import prompt
from engine.core.match_rate import receipt_words
from engine.core.recipe import Arrival, Creation
from engine.core.vocabulary import Vocabulary
from partcraft_desktop.widgets.controls import push_button, tool_button
from partcraft_desktop.widgets.creation_text import creation_title
from partcraft_desktop.widgets.dialog import Dialog, quiet_label
from partcraft_desktop.widgets.picture_dialog import FittedPicture
from partcraft_desktop.widgets.prompt_chips import PromptChips
from partcraft_desktop.widgets.receipt_chips import CHIP, arrival_text, chip_width, paint_chip, part_name
from partcraft_desktop.widgets.theme import UNIT
from partcraft_desktop.widgets.thumbnails import Thumbnails

WIDEST: Final = 140
"""How wide a chip of a receipt may be, in logical pixels: half of what there is."""


class ReceiptLine(QWidget):
    """One line of a receipt: its chip, and in words what became of the choice, in as many lines as that takes."""

    def __init__(self, arrival: Arrival, vocabulary: Vocabulary | None) -> None:
        super().__init__()
        words = arrival_text(arrival, vocabulary)
        self.setAccessibleName(words)
        self.text = quiet_label(words.partition(": ")[2])
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(UNIT)
        row.addWidget(_Chip(arrival, vocabulary), 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.text, 1)


class _Chip(QWidget):
    def __init__(self, arrival: Arrival, vocabulary: Vocabulary | None) -> None:
        super().__init__()
        self._arrival, self._vocabulary = arrival, vocabulary
        self._name = part_name(vocabulary, arrival.part)
        self.setFixedSize(min(chip_width(self.fontMetrics(), self._name), WIDEST), CHIP)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        room = self.width() - chip_width(painter.fontMetrics(), "")
        name = painter.fontMetrics().elidedText(self._name, Qt.TextElideMode.ElideRight, room + 1)
        paint_chip(painter, self.rect().toRectF(), self._arrival, name, self._vocabulary, self.palette())
        painter.end()


class Viewer(Dialog):
    """A creation, large, with its recipe in words and its receipt. Arrows go to its neighbours."""

    recipe_wanted = Signal(object)
    copy_wanted = Signal(object)
    folder_wanted = Signal(object)

    def __init__(
        self,
        creations: Sequence[Creation],
        at: Creation,
        names: Callable[[Creation], Vocabulary | None],
        thumbnails: Thumbnails,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Creation", parent)
        self._creations = list(creations)
        self._names = names
        self._row = next((row for row, c in enumerate(self._creations) if c.path == at.path), 0)
        self.picture = FittedPicture(thumbnails)
        self.prompt = PromptChips(editable=False)
        copy_prompt = QAction("Copy the prompt as text", self.prompt)
        copy_prompt.triggered.connect(self._copy_prompt)
        self.prompt.addAction(copy_prompt)
        self.prompt.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.numbers = quiet_label("")
        self._receipt = QVBoxLayout()
        self._receipt.setSpacing(UNIT // 2)

        self.before = tool_button("chevron-left", "Newer creation", lambda: self._go(-1), "Left")
        self.after = tool_button("chevron-right", "Older creation", lambda: self._go(1), "Right")
        for key, step in ((Qt.Key.Key_Left, -1), (Qt.Key.Key_Right, 1)):
            QShortcut(QKeySequence(key), self).activated.connect(lambda step=step: self._go(step))
        walk = QHBoxLayout()
        walk.setSpacing(0)
        walk.addWidget(self.before)
        walk.addWidget(self.after)
        walk.addStretch(1)
        use = push_button("Use this recipe", self._use, "recipe", "primary")
        actions = QGridLayout()
        actions.setSpacing(UNIT)
        actions.addWidget(use, 0, 0, 1, 2)
        actions.addWidget(push_button("Copy", lambda: self.copy_wanted.emit(self.creation), "copy"), 1, 0)
        actions.addWidget(push_button("Folder", lambda: self.folder_wanted.emit(self.creation), "folder"), 1, 1)

        side = QVBoxLayout()
        side.setSpacing(2 * UNIT)
        side.addLayout(walk)
        side.addWidget(self.prompt)
        side.addLayout(self._receipt)
        side.addWidget(self.numbers)
        side.addStretch(1)
        side.addLayout(actions)
        beside = QWidget()
        beside.setFixedWidth(280)
        beside.setLayout(side)
        side.setContentsMargins(0, 0, 0, 0)
        row = QHBoxLayout()
        row.setSpacing(3 * UNIT)
        row.addWidget(self.picture, 1)
        row.addWidget(beside)
        self.column.setContentsMargins(3 * UNIT, 3 * UNIT, 3 * UNIT, 3 * UNIT)
        self.column.addLayout(row)
        use.setDefault(True)
        use.setFocus()
        self._show()

    @property
    def creation(self) -> Creation:
        """The creation on show."""
        return self._creations[self._row]

    def _go(self, step: int) -> None:
        self._row = min(max(self._row + step, 0), len(self._creations) - 1)
        self._show()

    def _use(self) -> None:
        self.recipe_wanted.emit(self.creation)
        self.accept()

    def _copy_prompt(self) -> None:
        text = prompt.to_text(self.creation.recipe.prompt, self._names(self.creation))
        QGuiApplication.clipboard().setText(text)

    def _show(self) -> None:
        creation = self.creation
        recipe = creation.recipe
        vocabulary = self._names(creation)
        self.picture.show_picture(creation.path)
        self.picture.setAccessibleName(creation_title(creation, vocabulary))
        self.setWindowTitle(creation_title(creation, vocabulary))
        self.prompt.show_prompt(recipe.prompt, vocabulary)
        lines = [f"The rest is from {creation.rest.title}."] if creation.rest else []
        lines += [f"Seed {recipe.seed} · {recipe.steps} steps · guidance {recipe.guidance:g}"]
        if recipe.negative:
            lines.insert(-1, f"Without: {recipe.negative}")
        if creation.created:
            lines.append(creation.created.replace("T", " ")[:16])
        lines.append(Path(creation.path).name)
        self.numbers.setText("\n".join(lines))
        while self._receipt.count():
            item = self._receipt.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.deleteLater()
        for arrival in creation.receipt:
            self._receipt.addWidget(ReceiptLine(arrival, vocabulary))
        if creation.receipt and vocabulary is not None:
            self._receipt.addWidget(quiet_label(receipt_words(creation.receipt, vocabulary.codes_per_part)))
        self.before.setEnabled(self._row > 0)
        self.after.setEnabled(self._row < len(self._creations) - 1)
