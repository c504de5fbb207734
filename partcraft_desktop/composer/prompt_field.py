"""The prompt as chips, and the same as a line of text to edit, with what is wrong said below."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFontMetricsF,
    QKeyEvent,
    QResizeEvent,
    QSyntaxHighlighter,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
)
from PySide6.QtWidgets import QLabel, QPlainTextEdit, QSizePolicy, QVBoxLayout, QWidget

from engine.core import prompt as language
from engine.core.errors import UserError
from engine.core.recipe import Prompt
from engine.core.vocabulary import Vocabulary
from engine.packs.prompt_room import PromptRoom, prompt_warning
from partcraft_desktop.composer.prompt_completer import PromptCompleter
from partcraft_desktop.widgets.prompt_chips import PromptChips

CHECK_AFTER_MS: Final = 200
_LONG: Final = 0.8
"""Of the room: from here on the length is shown also while nobody writes."""


class PromptField(QWidget):
    """Shows the prompt as words and chips; pressed, it becomes text.

    ``edited(text)``: the text says something else now, and it is right. While it is wrong nothing is emitted, what is
    wrong is said below, and the text stays until it is mended or given up with Escape.
    """

    edited = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._prompt: Prompt = ()
        self._vocabulary: Vocabulary | None = None
        self._editing = False
        self._text = ""
        self._shown: str | None = None
        """The text that stands for the prompt: until somebody writes, nothing changes."""
        self._setting = False
        self.words = PromptChips()
        self.words.edit_asked.connect(self._edit)
        self.editor = _Editor()
        self.editor.setAccessibleName("Prompt as text")
        self.editor.done.connect(self._done)
        self.editor.given_up.connect(self._give_up)
        self.editor.textChanged.connect(self._typed)
        self._colours = _Highlighter(self.editor.document())
        self.problem = QLabel(wordWrap=True)
        self.problem.setTextFormat(Qt.TextFormat.PlainText)
        self.problem.hide()
        self.room = QLabel(wordWrap=True)
        self.room.setTextFormat(Qt.TextFormat.PlainText)
        self.room.setProperty("quiet", True)
        self.room.setAccessibleName("Length of the prompt")
        self.room.hide()
        self._room: PromptRoom | None = None
        self._check = QTimer(self, singleShot=True, interval=CHECK_AFTER_MS)
        self._check.timeout.connect(self._validate)
        self.editor.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.words)
        column.addWidget(self.editor)
        column.addWidget(self.problem)
        column.addWidget(self.room)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusProxy(self.words)

    @property
    def editing(self) -> bool:
        """Whether the text is seen."""
        return self._editing

    def show_prompt(self, prompt: Prompt, vocabulary: Vocabulary | None) -> None:
        """Show another prompt. A text that is wrong at the moment is not taken from the one who writes it."""
        changed = prompt != self._prompt or vocabulary is not self._vocabulary
        self._prompt, self._vocabulary = prompt, vocabulary
        self.words.show_prompt(prompt, vocabulary)
        self._colours.show_vocabulary(vocabulary)
        if not changed or not self.editing:
            return
        if self.problem.isVisibleTo(self):
            self._shown = None  # what is written was about another prompt
        elif self._parsed() != prompt:
            self._set_text(language.to_text(prompt, vocabulary))

    def show_room(self, room: PromptRoom | None) -> None:
        """Show how much of the prompt the base model reads; None: that is not known."""
        self._room = room
        self._count(self._prompt)

    def _count(self, prompt: Prompt) -> None:
        """Say how long a prompt is, while it is written or grows long, and what is not read of one that is too long."""
        if self._room is None:
            self.room.hide()
            return
        taken, room = self._room.taken(prompt), self._room.room
        self.room.setText(prompt_warning(self._room, prompt) or f"{taken} of {room} word pieces and parts")
        self.room.setVisible(self.editing or taken > room * _LONG)
        self._fit(self.room)

    def _edit(self, at: int) -> None:
        if self._vocabulary is None:
            return
        if not self.editing:
            self._set_text(language.to_text(self._prompt, self._vocabulary))
            self._show_editor(True)
        cursor = self.editor.textCursor()
        cursor.movePosition(QTextCursor.MoveOperation.End)
        if at >= 0:
            cursor.setPosition(min(at, len(self.editor.toPlainText())))
        self.editor.setTextCursor(cursor)
        self.setFocusProxy(self.editor)
        self.editor.setFocus(Qt.FocusReason.OtherFocusReason)
        self.updateGeometry()

    def _set_text(self, text: str) -> None:
        self._setting = True
        self.editor.setPlainText(text)
        self._setting = False
        # Not the text itself: an editor shows less than a prompt may hold, such as half an emoji.
        self._text = self._shown = self.editor.toPlainText()
        self.editor.fit()

    def _parsed(self) -> Prompt | None:
        """The text as words and choices, or None where it is wrong (and what is wrong is then said)."""
        if self._vocabulary is None:
            return None
        try:
            parsed = language.parse(self.editor.toPlainText().replace("\n", " "), self._vocabulary, self._prompt)
        except UserError as error:
            self._say(str(error))
            return None
        self._say("")
        self._count(parsed)
        return parsed

    def _say(self, problem: str) -> None:
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))
        self.editor.setAccessibleDescription(problem)
        self._fit(self.problem)

    def _fit(self, label: QLabel) -> None:
        # A label that wraps knows its height only from its width, which layouts in scroll areas forget to ask; and it
        # never says less than it must have.
        label.setMinimumHeight(0)
        label.setFixedHeight(max(1, label.heightForWidth(max(80, self.width()))))
        self.updateGeometry()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit(self.problem)
        self._fit(self.room)

    def _typed(self) -> None:
        # Colouring changes the document too, and is no typing.
        if self._editing and not self._setting and self.editor.toPlainText() != self._text:
            self._text = self.editor.toPlainText()
            self.editor.fit()
            self._check.start()
            if self._vocabulary is not None:
                self.editor.names.update_offer(self._vocabulary)

    def _validate(self) -> bool:
        """Hand on the text if it is right; False where it is not. One that is as it was shown changes nothing."""
        self._check.stop()
        if self.editor.toPlainText() == self._shown:
            self._say("")
            return True
        parsed = self._parsed()
        if parsed is None:
            return False
        self._shown = self.editor.toPlainText()
        if parsed != self._prompt:
            self.edited.emit(self.editor.toPlainText().replace("\n", " "))
        return True

    def _done(self) -> None:
        # Hiding the editor takes the keyboard from it, which is no second end.
        if self._editing and self._validate():
            self._close()

    def _give_up(self) -> None:
        self._check.stop()
        self._say("")
        self._close()

    def _close(self) -> None:
        focused = self.editor.hasFocus()
        self._show_editor(False)
        self.setFocusProxy(self.words)
        if focused:
            self.words.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_editor(self, editing: bool) -> None:
        self._editing = editing
        self.words.setVisible(not editing)
        self.editor.setVisible(editing)
        self._count(self._prompt)
        self.updateGeometry()


class _Editor(QPlainTextEdit):
    """One to a few lines of text. ``done()``: Enter, or the keyboard went elsewhere; ``given_up()``: Escape."""

    done = Signal()
    given_up = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setTabChangesFocus(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.document().setDocumentMargin(2)
        self.names = PromptCompleter(self)

    def fit(self) -> None:
        """As high as the text, from two lines to six."""
        lines = max(2, min(6, int(self.document().size().height())))
        height = int(lines * QFontMetricsF(self.font()).lineSpacing() + 20)
        if height != self.height():
            self.setFixedHeight(height)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
                event.ignore()  # Render.
            self.done.emit()
        elif event.key() == Qt.Key.Key_Escape:
            self.given_up.emit()
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent):
            if event.type() == QEvent.Type.KeyPress and self.names.shown and event.key() in _FOR_NAMES:
                event.ignore()  # Before Tab moves the keyboard on.
                return True
            if event.type() == QEvent.Type.ShortcutOverride and event.key() == Qt.Key.Key_Escape:
                event.accept()  # While one writes, Escape gives up the writing and not a render.
                return True
        return super().event(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() not in (Qt.FocusReason.PopupFocusReason, Qt.FocusReason.ActiveWindowFocusReason):
            self.done.emit()


_FOR_NAMES: Final = (
    Qt.Key.Key_Return,
    Qt.Key.Key_Enter,
    Qt.Key.Key_Tab,
    Qt.Key.Key_Backtab,
    Qt.Key.Key_Escape,
)


class _Highlighter(QSyntaxHighlighter):
    """Choices in the colour of their part."""

    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)
        self._vocabulary: Vocabulary | None = None

    def show_vocabulary(self, vocabulary: Vocabulary | None) -> None:
        """Colour by the parts of another vocabulary."""
        if vocabulary is not self._vocabulary:
            self._vocabulary = vocabulary
            self.rehighlight()

    def highlightBlock(self, text: str) -> None:
        if self._vocabulary is None:
            return
        start = text.find("<")
        while start >= 0:
            end = text.find(">", start)
            name = text[start + 1 : end].partition(":")[0] if end > 0 else ""
            part = self._vocabulary.find_part(name) if name else None
            if part is not None:
                colour = QColor(part.colour)
                look = QTextCharFormat()
                look.setFontWeight(600)
                look.setUnderlineColor(colour)
                look.setUnderlineStyle(QTextCharFormat.UnderlineStyle.SingleUnderline)
                colour.setAlphaF(0.16)
                look.setBackground(colour)
                self.setFormat(start, end - start + 1, look)
            start = text.find("<", start + 1)
