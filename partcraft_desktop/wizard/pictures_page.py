"""The first page of the wizard: which pictures, how many, what is wrong with some, and what they are for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from engine.worker.jobs import REMARKS, Problem
from partcraft_desktop.app.learning.controller import LearningController
from partcraft_desktop.app.learning.state import LearningState
from partcraft_desktop.widgets.controls import ShortLabel, push_button
from partcraft_desktop.widgets.progress import JobProgressLine
from partcraft_desktop.widgets.text import amount, heading, quiet
from partcraft_desktop.widgets.theme import UNIT, paint_icon
from partcraft_desktop.wizard.page import PageTools, WizardPage
from partcraft_desktop.wizard.picture_grid import PictureGrid

SIDE: Final = 280
"""Width of the column beside the pictures."""

_HIGHEST: Final = (1 << 24) - 1
"""No limit, in Qt's words."""

LEFT_OUT: Final = {
    "unreadable": "cannot be read",
    "tiny": "too small to learn from",
    "duplicate": "there twice",
    "format": "of a kind that is not opened",
    "own": "made by PartCraft",
}


class _DropArea(QWidget):
    """An invitation, before there are pictures."""

    def __init__(self, learning: LearningController, choose: Any) -> None:
        super().__init__()
        self.setAccessibleName("Drop a folder of pictures here")
        title = heading("Drop a folder of pictures here")
        title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        advice = quiet(
            "Fifty pictures of one kind of thing are enough, thousands are fine. "
            "If they are sorted into subfolders by kind, each kind gets a name of its own."
        )
        advice.setAlignment(Qt.AlignmentFlag.AlignCenter)
        advice.setFixedSize(384, 4 * advice.fontMetrics().lineSpacing() + 4)
        self.choose = push_button("Choose folder…", choose, "folder", "primary")
        self.practice = push_button("Try it with the practice birds", learning.open_practice, look="flat")
        column = QVBoxLayout(self)
        column.setSpacing(UNIT)
        column.addStretch(2)
        column.addSpacing(7 * UNIT)
        column.addWidget(title)
        self._title = title
        column.addWidget(advice, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(2 * UNIT)
        column.addWidget(self.choose, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.practice, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Mid), 2, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 2 * UNIT, 2 * UNIT)
        top = self._title.y() - 7 * UNIT
        place = QRectF(self.width() / 2 - 24, top, 48, 48)
        paint_icon(painter, "folder", place, self.palette().color(QPalette.ColorRole.PlaceholderText))


class PicturesPage(WizardPage):
    """The pictures at the left, what they are for and what is wrong with some at the right."""

    def __init__(self, tools: PageTools) -> None:
        learning = tools.learning
        super().__init__("Pictures", lambda: learning.dismiss("pictures"))
        self._learning = learning
        self._shown: tuple[Any, ...] = ()
        self.drop_area = _DropArea(learning, self.folder_wanted.emit)
        self.doing = JobProgressLine()
        self.doing.cancelled.connect(lambda: learning.cancel("survey"))
        self.title = ShortLabel()
        self.title.setProperty("title", True)
        self.counts = quiet()
        self.change = push_button("Other folder…", self.folder_wanted.emit, "folder")
        self.use = QComboBox()
        self.use.setAccessibleName("What the pictures are for")
        self.use.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.use.activated.connect(lambda _: learning.extend(self.use.currentData()))
        self.kinds = QListWidget()
        self.kinds.setAccessibleName("Kinds")
        self.problems = QListWidget()
        self.problems.setAccessibleName("Pictures that are left out")
        self.problems_title = QLabel()
        self.kinds_title = QLabel()
        for widget in (self.kinds, self.problems):
            widget.setFrameShape(QFrame.Shape.NoFrame)
            widget.setSelectionMode(QListWidget.SelectionMode.NoSelection)
            widget.setWordWrap(True)
            widget.setSpacing(2)
            widget.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.grid = PictureGrid(tools.thumbnails)
        self.grid.enlarged.connect(self.enlarge_wanted)
        self.column.addWidget(self._stack(), 1)

    def _stack(self) -> QStackedWidget:
        text_column = QVBoxLayout()
        text_column.setSpacing(2)
        text_column.addWidget(self.title)
        text_column.addWidget(self.counts)
        text_column.addWidget(self.doing)
        top = QHBoxLayout()
        top.setSpacing(UNIT)
        top.addLayout(text_column, 1)
        top.addWidget(self.change, 0, Qt.AlignmentFlag.AlignTop)
        side = QVBoxLayout()
        side.setSpacing(UNIT)
        side.addWidget(QLabel("Make of them"))
        side.addWidget(self.use)
        side.addSpacing(UNIT)
        side.addWidget(self.kinds_title)
        side.addWidget(self.kinds, 2)
        side.addWidget(self.problems_title)
        side.addWidget(self.problems, 3)
        side.addStretch()
        beside = QWidget()
        beside.setFixedWidth(SIDE)
        side.setContentsMargins(0, 0, 0, 0)
        beside.setLayout(side)
        body = QHBoxLayout()
        body.setSpacing(3 * UNIT)
        body.addWidget(self.grid, 1)
        body.addWidget(beside)
        filled = QWidget()
        column = QVBoxLayout(filled)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(UNIT)
        column.addLayout(top)
        column.addLayout(body, 1)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.drop_area)
        self.stack.addWidget(filled)
        self.stack.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        return self.stack

    def show_state(self, state: LearningState) -> None:
        """Repaint what changed."""
        self.error_box.show_error(state.errors.get("pictures"))
        progress = state.jobs.get("survey")
        self.doing.show_progress(progress)
        self.counts.setVisible(progress is None)
        self.stack.setCurrentIndex(1 if state.draft.folder else 0)
        surveyed = state.surveyed
        shown = (state.draft.folder, surveyed, state.draft.extends, state.extendable, progress is None)
        if shown == self._shown:
            return
        self._shown = shown
        self.title.setText(Path(state.draft.folder).name)
        self.title.setToolTip(state.draft.folder)
        self.grid.pictures.show(surveyed.pictures if surveyed else ())
        self.counts.setText(_counts(state))
        self._show_kinds(surveyed.kinds if surveyed else ())
        self._show_problems(surveyed.problems if surveyed else ())
        self.use.clear()
        self.use.addItem("A new vocabulary", "")
        for pack in state.extendable:
            self.use.addItem(f"More for “{pack.title}”", str(pack.path))
        self.use.setCurrentIndex(max(0, self.use.findData(state.draft.extends)))
        self.use.setToolTip("More for a pack: the parts stay, its tokens stay, and these pictures bring new ones.")

    def _show_kinds(self, kinds: Sequence[tuple[str, int]]) -> None:
        self.kinds.clear()
        self.kinds.setVisible(bool(kinds))
        self.kinds_title.setVisible(bool(kinds))
        self.kinds_title.setText(amount(len(kinds), "kind"))
        for name, count in kinds:
            # A name in any direction of writing, and its number never alone on a line.
            self.kinds.addItem(f"\u2068{name}\u2069\u00a0\u00a0·\u00a0\u00a0{count:,}")
        # A few kinds take no more room than they need: the rest is for what is said of the pictures.
        row = self.kinds.sizeHintForRow(0) + 2 * self.kinds.spacing()
        self.kinds.setMaximumHeight(min(len(kinds) * row + 2 * UNIT, _HIGHEST))

    def _show_problems(self, problems: Sequence[Problem]) -> None:
        self.problems.clear()
        self.problems.setVisible(bool(problems))
        self.problems_title.setVisible(bool(problems))
        left_out = sum(problem.what not in REMARKS for problem in problems)
        notes = ", and notes" if left_out < len(problems) else ""
        self.problems_title.setText(
            f"{amount(left_out, 'picture')} left out{notes}" if left_out else "Notes on the folder"
        )
        for problem in problems:
            self.problems.addItem(problem.message)
            self.problems.item(self.problems.count() - 1).setToolTip(f"{problem.message}\n{problem.picture}")


def _counts(state: LearningState) -> str:
    surveyed = state.surveyed
    if surveyed is None:
        return ""
    counts = amount(len(surveyed.pictures), "picture")
    if surveyed.kinds:
        counts += f" of {amount(len(surveyed.kinds), 'kind')}"
    left_out = [
        f"{sum(problem.what == what for problem in surveyed.problems):,} {reason}"
        for what, reason in LEFT_OUT.items()
        if any(problem.what == what for problem in surveyed.problems)
    ]
    return counts + (f"; left out: {', '.join(left_out)}" if left_out else "")
