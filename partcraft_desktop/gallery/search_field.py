"""The field that searches the gallery, and what is said where nothing was found."""

from __future__ import annotations

from functools import partial
from typing import Final

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPalette
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from engine.core.recipe import Creation
from engine.packs.pack import Pack
from partcraft_desktop.app.creation_filter import CreationFilter
from partcraft_desktop.app.creation_search import CreationSearch
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.store import LatestRequest
from partcraft_desktop.widgets.controls import push_button
from partcraft_desktop.widgets.theme import UNIT, icon

NAMED: Final = 60
"""So many letters of what was searched for are said again."""


class SearchField(QLineEdit):
    """Words to find creations by. Esc empties it; where it is empty, Esc and Down ask to leave it (``left()``)."""

    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, placeholderText="Search", clearButtonEnabled=True)
        self.setObjectName("gallery_search")
        self.setAccessibleName("Search creations")
        self.setToolTip("Search parts, packs and words (Ctrl+F)")
        self.addAction(icon("search", QPalette.ColorRole.PlaceholderText), QLineEdit.ActionPosition.LeadingPosition)
        self.setMinimumWidth(10 * UNIT)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        # The actions beside it keep their words as long as they can.
        return QSize(12 * UNIT, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(10 * UNIT, super().minimumSizeHint().height())

    def event(self, event: QEvent) -> bool:
        is_asked = event.type() == QEvent.Type.ShortcutOverride
        if is_asked and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape and self.text():
            event.accept()  # else it would stop the running render
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
        elif event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_Down):
            self.left.emit()
        else:
            super().keyPressEvent(event)


class NothingFound(QWidget):
    """Says that nothing was found. ``cleared()``: all creations are wanted again."""

    cleared = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.text = QLabel(alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.text.setProperty("quiet", True)
        self.button: QPushButton = push_button("Clear the search", self.cleared.emit, "close")
        column = QVBoxLayout(self)
        column.setSpacing(UNIT)
        column.addStretch(1)
        column.addWidget(self.text)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)

    def show_words(self, words: str, filtered: str = "") -> None:
        """Say what was searched for, and what else has to hold."""
        words = " ".join(words.split())
        words = f"“{words if len(words) <= NAMED else words[: NAMED - 1] + '…'}”" if words else ""
        self.text.setText(f"Nothing found for {' and '.join(filter(None, (words, filtered)))}.")
        self.button.setText("Show all creations" if filtered else "Clear the search")
        self.button.setAccessibleName(self.button.text())


class FoundCreations(QObject):
    """The creations of a session that words find, looked for off the Qt thread. ``changed()``: others are found."""

    changed = Signal()

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._search = CreationSearch()
        self._requests = LatestRequest()
        self._asked: tuple[str, tuple[Creation, ...], tuple[Pack, ...]] = ("", (), ())
        self._found: frozenset[str] | None = None  # paths; None: all
        self._shown: tuple[tuple[object, ...], tuple[Creation, ...]] = ((), ())
        self.filter = CreationFilter()
        """What else is asked of the creations on show."""
        self.words = ""
        """What the creations on show were found by; "" where all are."""

    def look_for(self, words: str) -> None:
        """Find creations by other words, or by the same among creations or packs that have changed."""
        state = self._session.state
        asked = (words.strip(), state.creations, state.packs)
        same = asked[0] == self._asked[0] and all(a is b for a, b in zip(asked[1:], self._asked[1:], strict=True))
        if same or (not asked[0] and not self._asked[0]):
            return
        self._asked = asked
        is_latest = self._requests.begin()

        def landed(found: frozenset[str] | None) -> None:
            if is_latest():
                self.words, self._found = asked[0], found
                self.changed.emit()

        if asked[0]:
            self._session.ask(partial(self._search.paths_of, *asked), landed, "The creations could not be searched")
        else:
            landed(None)

    def among(self, creations: tuple[Creation, ...]) -> tuple[Creation, ...]:
        """Those creations that are found and that the filter lets through; the same tuple as before while nothing has
        changed."""
        found, wanted = self._found, self.filter
        if found is None and not wanted.on:
            return creations
        state = self._session.state
        asked = (creations, found, wanted, state.stars if wanted.starred else None, state.packs)
        if len(self._shown[0]) != len(asked) or any(a is not b for a, b in zip(asked, self._shown[0], strict=True)):
            some = creations if found is None else tuple(one for one in creations if one.path in found)
            packs = {pack.id: pack for pack in reversed(state.packs)}
            self._shown = (asked, wanted.among(some, state.stars, packs) if wanted.on else some)
        return self._shown[1]
