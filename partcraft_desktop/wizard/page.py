"""What the pages of the wizard share: a sentence with a next step, a line of progress, a heading, a page."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.learning.controller import LearningController
from partcraft_desktop.app.learning.state import LearningState, PageError
from partcraft_desktop.widgets.controls import push_button
from partcraft_desktop.widgets.text import quiet
from partcraft_desktop.widgets.theme import UNIT, icon
from partcraft_desktop.widgets.thumbnails import Thumbnails


class ErrorBox(QWidget):
    """A sentence that says what is wrong, one that says what to do, and buttons for it.

    ``again()``: try once more; ``details(PageError)``: show the rest.
    """

    again = Signal()
    details = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._trouble: PageError | None = None
        self._mark = QLabel()
        self._mark.setPixmap(icon("warning").pixmap(18, 18))
        self.message = QLabel(wordWrap=True)
        self.message.setTextFormat(Qt.TextFormat.PlainText)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.hint = quiet()
        self.out = push_button("", self._run)
        self.retry = push_button("Try again", self.again.emit)
        self.rest = push_button("Details…", lambda: self.details.emit(self._trouble), look="flat")
        text_column = QVBoxLayout()
        text_column.setSpacing(2)
        text_column.addWidget(self.message)
        text_column.addWidget(self.hint)
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * UNIT, UNIT + 4, UNIT + 4, UNIT + 4)
        row.setSpacing(UNIT + 4)
        row.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(text_column, 1)
        for button in (self.rest, self.out, self.retry):
            button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
            row.addWidget(button)
        self.hide()

    def show_trouble(self, trouble: PageError | None, can_retry: bool = True) -> None:
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


class PageTools(NamedTuple):
    """What pages are made with."""

    learning: LearningController
    readers: BackgroundReader
    thumbnails: Thumbnails


class WizardPage(QWidget):
    """A page: an error on top, then what the page is about.

    ``details_wanted(PageError)``: show what a report would need; ``folder_wanted()``: choose a folder in a dialog;
    ``enlarge_wanted(path)``: show a picture large.
    """

    details_wanted = Signal(object)
    folder_wanted = Signal()
    enlarge_wanted = Signal(str)
    primary: QPushButton | None = None
    """The page's own way on, where it has one: the keyboard begins there, and the keys of Next press it."""

    def __init__(self, name: str, again: Callable[[], object]) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.trouble = ErrorBox()
        self.trouble.again.connect(lambda: again())
        self.trouble.details.connect(self.details_wanted)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(3 * UNIT, UNIT, 3 * UNIT, UNIT)
        self.column.setSpacing(UNIT + 4)
        self.column.addWidget(self.trouble)

    def show_state(self, state: LearningState) -> None:
        """Repaint what changed."""
        raise NotImplementedError

    def minimumSizeHint(self) -> QSize:
        return QSize(320, 240)
