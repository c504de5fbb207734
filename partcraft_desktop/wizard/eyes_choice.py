"""Which eyes look at the pictures, why, and where better ones can be had: a line over the parts that were found."""

from __future__ import annotations

from typing import Final

from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from partcraft_desktop.app.learning.part_editor import PartEditor
from partcraft_desktop.app.learning.state import LearningState
from partcraft_desktop.widgets.controls import push_button
from partcraft_desktop.widgets.progress import JobProgressLine
from partcraft_desktop.widgets.text import quiet
from partcraft_desktop.widgets.theme import UNIT

SEES: Final = {
    "starter/eyes": "Starter: drawn birds like the practice ones",
    "facebook/dinov2-small": "DINOv2: photographs and any art",
}
"""What eyes are called, with what they see."""
WIDE: Final = 360
"""Of the choice, in pixels: its longest text fits."""
NAMES: Final = {"starter/eyes": "the starter’s eyes", "facebook/dinov2-small": "DINOv2"}


class EyesChoice(QWidget):
    """A choice among the eyes on this computer, with the reason for the one that was made, and a button that fetches
    those for photographs where they are wanted and not here."""

    def __init__(self, editor: PartEditor) -> None:
        super().__init__()
        self._editor = editor
        self._items: tuple[tuple[str, str], ...] = ()
        self._here: tuple[str, ...] = ()
        self.choice = QComboBox()
        self.choice.setAccessibleName("Eyes that look at the pictures")
        self.choice.setToolTip("Other eyes see other parts: names and merges begin anew")
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.choice.setMinimumContentsLength(20)
        self.choice.setMaximumWidth(WIDE)
        self.choice.activated.connect(lambda _: editor.set_eyes(self.choice.currentData()))
        label = QLabel("Seen with")
        label.setBuddy(self.choice)
        self.reason = quiet()
        self.get = push_button("Get the eyes for photographs (90 MB)", editor.get_eyes, "eye")
        self.doing = JobProgressLine()
        row = QHBoxLayout()
        row.setSpacing(UNIT)
        row.addWidget(label)
        row.addWidget(self.choice, 1)
        row.addWidget(self.get)
        row.addWidget(self.reason, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(UNIT)
        column.addLayout(row)
        column.addWidget(self.doing)

    def show_state(self, state: LearningState) -> None:
        """Show what was chosen, and what is wanted."""
        parts_found, draft = state.parts_found, state.draft
        self.setVisible(not draft.extends and (parts_found is not None or bool(draft.eyes)))
        if parts_found is not None:
            self._here = parts_found.eyes_here
        fitting = NAMES.get(parts_found.eyes, parts_found.eyes) if parts_found and not draft.eyes else ""
        items = [("Those that fit" + (f": {fitting}" if fitting else ""), "")]
        items += [(SEES.get(eyes, eyes), eyes) for eyes in dict.fromkeys((*self._here, draft.eyes)) if eyes]
        if tuple(items) != self._items:
            self._items = tuple(items)
            self.choice.clear()
            for text, eyes in items:
                self.choice.addItem(text, eyes)
        self.choice.setCurrentIndex(self.choice.findData(draft.eyes))
        missing = parts_found is not None and parts_found.eyes_missing
        # Where eyes are missing the note below the wall says so.
        self.reason.setText("" if parts_found is None or missing else parts_found.eyes_reason)
        progress = state.jobs.get("eyes")
        self.get.setVisible(missing)
        self.get.setEnabled(progress is None)
        self.doing.show_progress(progress)
