"""The prompt as it reads: words, and chips for choices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFontMetricsF,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from engine.core import prompt as language
from engine.core.part_looks import part_sign
from engine.core.recipe import Prompt
from engine.core.vocabulary import Choice, Vocabulary
from partcraft_desktop.widgets.part_glyphs import glyph, mixed, seen_on

PAD: Final = 9.0
CHIP_PAD: Final = 8.0
GLYPH: Final = 9.0


@dataclass(frozen=True)
class PromptRun:
    """A word or a chip where it is painted; ``at`` is where it begins in the prompt's text."""

    rect: QRectF
    text: str
    choice: Choice | None
    at: int


class PromptChips(QWidget):
    """The prompt as it reads: words, and chips for choices. ``edit_asked(position in the text or -1)``; one that is not
    ``editable`` asks for nothing and takes no keys."""

    edit_asked = Signal(int)

    def __init__(self, parent: QWidget | None = None, editable: bool = True) -> None:
        super().__init__(parent)
        self._prompt: Prompt = ()
        self._vocabulary: Vocabulary | None = None
        self.runs: list[PromptRun] = []
        self._editable = editable
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if editable else Qt.FocusPolicy.NoFocus)
        self.setCursor(Qt.CursorShape.IBeamCursor if editable else Qt.CursorShape.ArrowCursor)
        self.setAccessibleName("Prompt")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_prompt(self, prompt: Prompt, vocabulary: Vocabulary | None) -> None:
        """Show these words and choices."""
        self._prompt, self._vocabulary = prompt, vocabulary
        text = "".join(piece if isinstance(piece, str) else self._choice_text(piece) for piece in prompt)
        self.setAccessibleDescription(f"{text}. Press Enter to edit it as text." if self._editable else text)
        self._fit()

    def sizeHint(self) -> QSize:
        return QSize(240, self.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit()

    def _fit(self) -> None:
        """As high as the words need at this width."""
        self.runs = self._lay_out(self.width())
        bottom = max((run.rect.bottom() for run in self.runs), default=PAD + self._line)
        if self.height() != int(bottom + PAD):
            self.setFixedHeight(int(bottom + PAD))
        self.update()

    @property
    def _line(self) -> float:
        return QFontMetricsF(self.font()).height() + 6

    def _chip_text(self, choice: Choice) -> str:
        if self._vocabulary is None or choice.part >= len(self._vocabulary.parts):
            return f"{choice.part}:{choice.code}"
        within = choice.code < self._vocabulary.codes_per_part
        name = self._vocabulary.code_name(choice.part, choice.code) if within else str(choice.code)
        if name.isdigit():
            name = f"{self._vocabulary.parts[choice.part].name} {name}"
        return name if choice.strength == 1 else f"{name} ×{choice.strength:g}"

    def _choice_text(self, choice: Choice) -> str:
        if self._vocabulary is None or choice.part >= len(self._vocabulary.parts):
            return self._chip_text(choice)
        return f"{self._vocabulary.parts[choice.part].name} of {self._chip_text(choice)}"

    def _colour(self, choice: Choice) -> QColor:
        is_known = self._vocabulary is not None and choice.part < len(self._vocabulary.parts)
        return QColor(self._vocabulary.parts[choice.part].colour if is_known and self._vocabulary else "#808080")

    def _lay_out(self, width: int) -> list[PromptRun]:
        metrics = QFontMetricsF(self.font())
        space = metrics.horizontalAdvance(" ")
        line = self._line
        right = max(width - PAD, PAD + 40)
        x, y = PAD, PAD
        runs: list[PromptRun] = []
        at = 0

        def put(text: str, wide: float, choice: Choice | None, start: int) -> None:
            nonlocal x, y
            if x > PAD and x + wide > right:
                x, y = PAD, y + line + 2
            runs.append(PromptRun(QRectF(x, y, min(wide, right - PAD), line), text, choice, start))
            x += wide

        for piece in self._prompt:
            if isinstance(piece, Choice):
                text = self._chip_text(piece)
                put(text, metrics.horizontalAdvance(text) + GLYPH + 3 * CHIP_PAD - 2, piece, at)
                at += len(language.choice_text(piece, self._vocabulary))
                continue
            for number, word in enumerate(piece.split(" ")):
                if number:
                    x += space
                    at += 1
                if word:
                    put(word, metrics.horizontalAdvance(word), None, at)
                at += len(word)
        return runs

    def _run_at(self, point: QPointF) -> PromptRun | None:
        return next((run for run in self.runs if run.rect.contains(point)), None)

    def paintEvent(self, event: QPaintEvent) -> None:
        palette = self.palette()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        focus = self.hasFocus()
        line = palette.color(QPalette.ColorRole.Accent if focus else QPalette.ColorRole.Mid)
        painter.setPen(QPen(line, 1))
        painter.setBrush(palette.color(QPalette.ColorRole.Base))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        flags = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextSingleLine)
        for run in self.runs:
            if run.choice is not None:
                self._paint_chip(painter, run, palette)
                continue
            painter.setPen(palette.color(QPalette.ColorRole.Text))
            text = painter.fontMetrics().elidedText(run.text, Qt.TextElideMode.ElideRight, int(run.rect.width()) + 1)
            painter.drawText(run.rect.adjusted(0, 0, 2, 0), flags, text)
        if not self.runs:
            painter.setPen(palette.color(QPalette.ColorRole.PlaceholderText))
            painter.drawText(QRectF(self.rect()).adjusted(PAD, 0, -PAD, 0), flags, "Say what to make")

    def _paint_chip(self, painter: QPainter, run: PromptRun, palette: QPalette) -> None:
        assert run.choice is not None
        colour = self._colour(run.choice)
        rect = run.rect.adjusted(0.5, 0.5, -0.5, -0.5)
        base = palette.color(QPalette.ColorRole.Base)
        painter.setPen(QPen(mixed(base, colour, 0.6), 1))
        painter.setBrush(mixed(base, colour, 0.18))
        painter.drawRoundedRect(rect, rect.height() / 2, rect.height() / 2)
        mark = QRectF(rect.left() + CHIP_PAD - 1, rect.center().y() - GLYPH / 2, GLYPH, GLYPH)
        painter.fillPath(
            glyph(part_sign(self._vocabulary, run.choice.part), mark), seen_on(colour, painter.brush().color())
        )
        painter.setPen(palette.color(QPalette.ColorRole.Text))
        room = QRectF(mark.right() + 5, rect.top(), rect.right() - mark.right() - 5 - CHIP_PAD + 3, rect.height())
        flags = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextSingleLine)
        text = painter.fontMetrics().elidedText(run.text, Qt.TextElideMode.ElideRight, int(room.width()) + 1)
        painter.drawText(room, flags, text)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._editable and event.button() == Qt.MouseButton.LeftButton:
            run = self._run_at(event.position())
            self.edit_asked.emit(run.at if run else -1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_F2, Qt.Key.Key_Space):
            self.edit_asked.emit(-1)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            run = self._run_at(QPointF(event.pos()))
            if run is not None and run.choice is not None:
                QToolTip.showText(event.globalPos(), self._choice_text(run.choice), self, run.rect.toRect())
            else:
                QToolTip.hideText()
            return True
        return super().event(event)
