"""The head of the wizard: its steps, which one is open, and which can be gone to."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from partcraft_desktop.app.learning import pages
from partcraft_desktop.app.learning.pages import PageKey, PageSpec
from partcraft_desktop.app.learning.state import LearningState
from partcraft_desktop.widgets.controls import PaintedButton
from partcraft_desktop.widgets.part_glyphs import draw_check
from partcraft_desktop.widgets.theme import UNIT

DISC: Final = 22


class StepButton(PaintedButton):
    """A disc with the step's number, or a check mark once it lies behind, and its name."""

    def __init__(self, page: PageSpec, number: int, count: int) -> None:
        super().__init__()
        self.page = page
        self._number, self._count = number, count
        self.current = False
        self.behind = False
        self.setText(page.title)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_step(self, current: bool, behind: bool, reached: bool) -> None:
        """Show where the step stands."""
        self.current, self.behind = current, behind
        self.setEnabled(reached or current)
        self.setCursor(Qt.CursorShape.PointingHandCursor if reached and not current else Qt.CursorShape.ArrowCursor)
        status = ", open" if current else ", done" if behind else ""
        self.setAccessibleName(f"Step {self._number} of {self._count}: {self.page.title}{status}")
        self.update()

    def sizeHint(self) -> QSize:
        bold = QFont(self.font())
        bold.setWeight(QFont.Weight.DemiBold)
        return QSize(DISC + UNIT + QFontMetrics(bold).horizontalAdvance(self.text()) + UNIT, 4 * UNIT)

    def paintEvent(self, event: QPaintEvent) -> None:
        palette = self.palette()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        disc = QRectF(2, (self.height() - DISC) / 2, DISC, DISC)
        accent = palette.color(QPalette.ColorRole.Highlight if self.isEnabled() else QPalette.ColorRole.Mid)
        quiet = palette.color(QPalette.ColorRole.PlaceholderText)
        if self.current:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(accent)
            painter.drawEllipse(disc)
            painter.setPen(palette.color(QPalette.ColorRole.HighlightedText))
            painter.drawText(disc, Qt.AlignmentFlag.AlignCenter, str(self._number))
        else:
            painter.setPen(QPen(accent if self.behind else palette.color(QPalette.ColorRole.Mid), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(disc.adjusted(1, 1, -1, -1))
            if self.behind:
                draw_check(painter, disc.adjusted(6, 6, -6, -6), accent)
            else:
                painter.setPen(quiet)
                painter.drawText(disc, Qt.AlignmentFlag.AlignCenter, str(self._number))
        font = QFont(self.font())
        if self.current:
            font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        lit = self.current or (self.underMouse() and self.isEnabled())
        painter.setPen(palette.color(QPalette.ColorRole.WindowText) if lit else quiet)
        room = QRect(DISC + UNIT, 0, self.width() - DISC - UNIT, self.height())
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, self.text())
        if self.hasFocus():
            painter.setPen(QPen(palette.color(QPalette.ColorRole.Highlight), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        painter.end()


class StepBar(QWidget):
    """The steps in a row. ``wanted(key)``: go to a page."""

    wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Steps")
        count = len(pages.PAGES)
        self.buttons: dict[PageKey, StepButton] = {
            page.key: StepButton(page, number, count) for number, page in enumerate(pages.PAGES, 1)
        }
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2 * UNIT)
        for key, button in self.buttons.items():
            row.addWidget(button)
            button.clicked.connect(lambda _=False, key=key: self.wanted.emit(key))

    def show_state(self, state: LearningState) -> None:
        """Repaint what changed."""
        at = list(self.buttons).index(state.draft.page)
        for number, (key, button) in enumerate(self.buttons.items()):
            button.show_step(number == at, number < at, state.reached(key))
