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
        self._error: PageError | None = None
        self._mark = QLabel()
        self._mark.setPixmap(icon("warning").pixmap(18, 18))
        self.message = QLabel(wordWrap=True)
        self.message.setTextFormat(Qt.TextFormat.PlainText)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.hint = quiet()
        self.out = push_button("", self._run)
        self.retry = push_button("Try again", self.again.emit)
        self.rest = push_button("Details…", lambda: self.details.emit(self._error), look="flat")
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

    def show_error(self, error: PageError | None, can_retry: bool = True) -> None:
        """Show an error, or nothing."""
        self.setVisible(error is not None)
        if error is None or error == self._error:
            self._error = error
            return
        self._error = error
        self.message.setText(error.message)
        self.hint.setText(error.hint)
        self.hint.setVisible(bool(error.hint))
        self.setAccessibleName(f"{error.message} {error.hint}".strip())
        self.rest.setVisible(bool(error.details))
        self.out.setVisible(bool(error.label))
        self.out.setText(error.label)
        self.out.setAccessibleName(error.label)
        self.retry.setVisible(can_retry and not error.label)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._mark.setPixmap(icon("warning").pixmap(18, 18))

    def _run(self) -> None:
        if self._error is not None and self._error.run is not None:
            self._error.run()

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
    ``enlarge_wanted(path)``: show a picture large; ``model_wanted(id)``: show the page of models, at one or none.
    """

    details_wanted = Signal(object)
    folder_wanted = Signal()
    enlarge_wanted = Signal(object)
    model_wanted = Signal(str)
    primary: QPushButton | None = None
    """The page's own way on, where it has one: the keyboard begins there, and the keys of Next press it."""

    def __init__(self, name: str, again: Callable[[], object]) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.error_box = ErrorBox()
        self.error_box.again.connect(lambda: again())
        self.error_box.details.connect(self.details_wanted)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(3 * UNIT, UNIT, 3 * UNIT, UNIT)
        self.column.setSpacing(UNIT + 4)
        self.column.addWidget(self.error_box)

    def show_state(self, state: LearningState) -> None:
        """Repaint what changed."""
        raise NotImplementedError

    def minimumSizeHint(self) -> QSize:
        return QSize(320, 240)
