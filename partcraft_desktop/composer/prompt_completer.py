"""Names of parts and codes offered while a choice is typed: ``<`` offers parts, ``<head:`` what heads there are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QObject, QStringListModel, Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QCompleter, QListView, QPlainTextEdit

from engine.core import prompt as language
from engine.core.part_looks import shown_parts
from engine.core.vocabulary import Choice, Vocabulary

_BEGUN: Final = re.compile(r"<(?P<part>[^<>:*\\]*)(?P<colon>:(?P<code>[^<>:*\\]*))?$")
_SPECIAL: Final = re.compile(r"[\\<>:*#\n]")


@dataclass(frozen=True)
class Completion:
    """What fits a choice that was begun: ``names`` by the ``start`` typed so far, and ``texts`` that replace all from
    its ``<`` on, one for each name."""

    start: str
    names: tuple[str, ...]
    texts: tuple[str, ...]
    begin: int


def completion_for(text: str, vocabulary: Vocabulary) -> Completion | None:
    """What can follow a text that ends in a choice that was begun, or None."""
    match = _BEGUN.search(text)
    if match is None:
        return None
    if match["colon"] is None:
        parts = [part for part in shown_parts(vocabulary) if not _SPECIAL.search(part.name)]
        names = tuple(part.name for part in parts)
        return Completion(match["part"], names, tuple(f"<{name}:" for name in names), match.start())
    part = vocabulary.find_part(match["part"])
    if part is None or part.background:
        return None
    codes = range(vocabulary.codes_per_part)
    code_names = tuple(vocabulary.code_name(part.index, code) for code in codes)
    texts = tuple(language.choice_text(Choice(part.index, code), vocabulary) for code in codes)
    return Completion(match["code"], code_names, texts, match.start())


class PromptCompleter(QCompleter):
    """Offers names in a text field; the one taken replaces what was begun."""

    def __init__(self, editor: QPlainTextEdit, parent: QObject | None = None) -> None:
        super().__init__(parent or editor)
        self._editor = editor
        self._list = QStringListModel(self)
        self._offer: Completion | None = None
        self.list_view = QListView()
        # The app's lists are see-through, which a window of its own cannot be.
        self.list_view.setStyleSheet(
            "QListView { background: palette(base); border: 1px solid palette(mid); padding: 4px; }"
            "QListView::item { padding: 4px; border-radius: 4px; }"
            "QListView::item:selected { background: palette(alternate-base); color: palette(text); }"
        )
        self.setPopup(self.list_view)
        self.setModel(self._list)
        self.setWidget(editor)
        self.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.setFilterMode(Qt.MatchFlag.MatchContains)
        self.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        self.setMaxVisibleItems(8)
        self.activated[str].connect(self._take)  # type: ignore[index]

    @property
    def shown(self) -> bool:
        """Whether names are on screen now; Enter, Tab and Escape are then theirs."""
        return self.list_view.isVisible()

    def update_offer(self, vocabulary: Vocabulary) -> None:
        """Offer what fits the text before the cursor, or nothing."""
        cursor = self._editor.textCursor()
        before = cursor.block().text()[: cursor.positionInBlock()]
        self._offer = completion_for(before, vocabulary)
        if self._offer is None or not self._editor.hasFocus():
            self.list_view.hide()
            return
        if self._list.stringList() != list(self._offer.names):
            self._list.setStringList(list(self._offer.names))
        self.setCompletionPrefix(self._offer.start)
        if self.completionCount() == 0:
            self.list_view.hide()
            return
        place = self._editor.cursorRect()
        place.setWidth(min(240, max(160, self._editor.width())))
        self.complete(place)
        self.list_view.setCurrentIndex(self.completionModel().index(0, 0))

    def _take(self, name: str) -> None:
        if self._offer is None or name not in self._offer.names:
            return
        text = self._offer.texts[self._offer.names.index(name)]
        cursor = self._editor.textCursor()
        block = cursor.block()
        cursor.setPosition(block.position() + self._offer.begin, QTextCursor.MoveMode.KeepAnchor)
        cursor.insertText(text)
        self._editor.setTextCursor(cursor)
