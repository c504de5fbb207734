"""What the pages of the wizard share: a sentence with a next step, a line of progress, a heading, a page."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from partcraft_desktop.app.learning.state import Doing, LearningState, Trouble
from partcraft_desktop.widgets.busy_line import BusyLine
from partcraft_desktop.widgets.controls import ShortLabel, push_button
from partcraft_desktop.widgets.theme import UNIT, icon


def heading(text: str = "") -> QLabel:
    """The larger of the two text sizes."""
    label = QLabel(text)
    label.setProperty("title", True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def quiet(text: str = "") -> QLabel:
    """A sentence beside the point, in as many lines as it takes."""
    label = QLabel(text, wordWrap=True)
    label.setProperty("quiet", True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def duration(seconds: float) -> str:
    """A length of time for people: "8 s", "3 min", "2.5 h"."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{round(seconds / 86400)} days"


def amount(count: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 picture", "6,000 pictures"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def doing_words(doing: Doing, now: float) -> str:
    """What is under way and how long yet; ``now`` is ``time.monotonic()``."""
    words = doing.stage or "Starting"
    if doing.total:
        words += f", {min(doing.done, doing.total):,} of {doing.total:,}"
    spent = now - doing.started
    if doing.total and doing.done and spent > 1:
        left = spent / doing.done * (doing.total - doing.done)
        if left >= 1:
            words += f", {duration(left)} left"
    return words


class TroubleBox(QWidget):
    """A sentence that says what is wrong, one that says what to do, and buttons for it.

    ``again()``: try once more; ``details(Trouble)``: show the rest.
    """

    again = Signal()
    details = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._trouble: Trouble | None = None
        self._mark = QLabel()
        self._mark.setPixmap(icon("warning").pixmap(18, 18))
        self.message = QLabel(wordWrap=True)
        self.message.setTextFormat(Qt.TextFormat.PlainText)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.hint = quiet()
        self.out = push_button("", self._run)
        self.retry = push_button("Try again", self.again.emit)
        self.rest = push_button("Details…", lambda: self.details.emit(self._trouble), look="flat")
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.message)
        words.addWidget(self.hint)
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * UNIT, UNIT + 4, UNIT + 4, UNIT + 4)
        row.setSpacing(UNIT + 4)
        row.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        for button in (self.rest, self.out, self.retry):
            button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
            row.addWidget(button)
        self.hide()

    def show_trouble(self, trouble: Trouble | None, can_retry: bool = True) -> None:
        """Show a trouble, or nothing."""
        self.setVisible(trouble is not None)
        if trouble is None or trouble == self._trouble:
            self._trouble = trouble
            return
        self._trouble = trouble
        self.message.setText(trouble.message)
        self.hint.setText(trouble.hint)
        self.hint.setVisible(bool(trouble.hint))
        self.setAccessibleName(f"{trouble.message} {trouble.hint}".strip())
        self.rest.setVisible(bool(trouble.details))
        self.out.setVisible(bool(trouble.label))
        self.out.setText(trouble.label)
        self.out.setAccessibleName(trouble.label)
        self.retry.setVisible(can_retry and not trouble.label)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._mark.setPixmap(icon("warning").pixmap(18, 18))

    def _run(self) -> None:
        if self._trouble is not None and self._trouble.run is not None:
            self._trouble.run()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.palette().color(QPalette.ColorRole.AlternateBase))
        painter.drawRoundedRect(QRectF(self.rect()), UNIT, UNIT)


class DoingLine(QWidget):
    """A wandering light, what is under way and how long yet, and Cancel. ``cancelled()``."""

    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.line = BusyLine()
        self.words = ShortLabel(quiet=True)
        self.cancel = push_button("Cancel", self.cancelled.emit, look="flat")
        row = QHBoxLayout()
        row.setSpacing(UNIT)
        row.addWidget(self.words, 1)
        row.addWidget(self.cancel)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.line)
        column.addLayout(row)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.hide()

    def show_doing(self, doing: Doing | None) -> None:
        """Show what is under way, or nothing."""
        self.setVisible(doing is not None)
        if doing is None:
            if self.line.running:
                self.line.stop()
            return
        self.words.setText(doing_words(doing, time.monotonic()))
        if not self.line.running:
            self.line.start(doing.stage or "Working")


class ProgressBar(QWidget):
    """A thin bar that fills from the left."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.share = 0.0
        self.setFixedHeight(4)

    def show_share(self, share: float, words: str) -> None:
        """Fill a share of 0 to 1; ``words`` are for assistive tools."""
        self.share = min(max(share, 0.0), 1.0)
        self.setAccessibleName(words)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.palette().color(QPalette.ColorRole.Mid))
        painter.drawRoundedRect(QRectF(self.rect()), 2, 2)
        painter.setBrush(self.palette().color(QPalette.ColorRole.Highlight))
        painter.drawRoundedRect(QRectF(0, 0, self.width() * self.share, self.height()), 2, 2)


class WizardPage(QWidget):
    """A page: trouble on top, then what the page is about. ``details_wanted(Trouble)``."""

    details_wanted = Signal(object)

    def __init__(self, name: str, again: Callable[[], object]) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.trouble = TroubleBox()
        self.trouble.again.connect(lambda: again())
        self.trouble.details.connect(self.details_wanted)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(3 * UNIT, UNIT, 3 * UNIT, UNIT)
        self.column.setSpacing(UNIT + 4)
        self.column.addWidget(self.trouble)

    def show_state(self, now: LearningState) -> None:
        """Repaint what changed."""
        raise NotImplementedError

    def minimumSizeHint(self) -> QSize:
        return QSize(320, 240)
