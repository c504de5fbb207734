"""Three cards to choose from: how thoroughly to learn, and what it costs on this computer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QSizePolicy, QWidget

from partcraft_desktop.app.learning.draft import SHARES, Preset
from partcraft_desktop.widgets.controls import PaintedButton
from partcraft_desktop.widgets.theme import UNIT

PRESETS: Final[Mapping[Preset, tuple[str, str]]] = {
    "quick": ("Quick", "A first try."),
    "balanced": ("Balanced", "Good for most."),
    "thorough": ("Thorough", "Finer details, rarer kinds."),
}


class PresetCard(PaintedButton):
    """One card: its name, what it is for, and what it costs."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.preset: Preset = preset
        self.cost = ""
        self.steps = 0
        self.setCheckable(True)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(14 * UNIT)
        self.show_cost(0, "")

    def show_cost(self, steps: int, cost: str) -> None:
        """Say how many steps it takes and what they cost."""
        self.steps, self.cost = steps, cost
        title, purpose = PRESETS[self.preset]
        self.setAccessibleName(title)
        self.setAccessibleDescription(f"{purpose} {steps:,} steps. {cost}".strip())
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, 14 * UNIT)

    def paintEvent(self, event: QPaintEvent) -> None:
        palette = self.palette()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        checked = self.isChecked()
        line = QPalette.ColorRole.Highlight if checked or self.hasFocus() else QPalette.ColorRole.Mid
        width = 2.0 if checked else 1.0
        painter.setPen(QPen(palette.color(line), width))
        ground = QPalette.ColorRole.AlternateBase if self.underMouse() and not checked else QPalette.ColorRole.Base
        painter.setBrush(palette.color(ground))
        inset = width / 2 + 1
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), UNIT, UNIT)
        if self.hasFocus() and checked:
            painter.setPen(QPen(palette.color(QPalette.ColorRole.WindowText), 1, Qt.PenStyle.DotLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(5, 5, -5, -5), 5, 5)
        title, purpose = PRESETS[self.preset]
        area = self.rect().adjusted(2 * UNIT, UNIT + 4, -2 * UNIT, -UNIT - 4)
        bold = QFont(self.font())
        bold.setWeight(QFont.Weight.DemiBold)
        high = painter.fontMetrics().height()
        texts = (
            (bold, QPalette.ColorRole.Text, title),
            (self.font(), QPalette.ColorRole.PlaceholderText, purpose),
            (self.font(), QPalette.ColorRole.PlaceholderText, f"{self.steps:,} steps"),
            (bold, QPalette.ColorRole.Text, self.cost or "…"),
        )
        for number, (font, role, text) in enumerate(texts):
            painter.setFont(font)
            painter.setPen(palette.color(role))
            top = area.top() + number * (high + 5) + (4 if number == 3 else 0)
            text = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, area.width())
            painter.drawText(area.left(), top, area.width(), high, Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()


class PresetCards(QWidget):
    """The three cards. ``chosen(preset)``."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.cards: dict[Preset, PresetCard] = {preset: PresetCard(preset) for preset in SHARES}
        group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(UNIT + 4)
        for card in self.cards.values():
            group.addButton(card)
            row.addWidget(card, 1)
            card.clicked.connect(lambda _=False, card=card: self.chosen.emit(card.preset))
        self._group = group

    def show_choice(self, preset: Preset | None, steps: Mapping[Preset, int], costs: Mapping[Preset, str]) -> None:
        """Mark the chosen card (none where the steps are a person's own) and say what each takes."""
        self._group.setExclusive(False)
        for name, card in self.cards.items():
            card.setChecked(name == preset)
            card.show_cost(steps[name], costs.get(name, ""))
        self._group.setExclusive(True)
