"""The button with the open pack's title, whose menu has the others and the trainings."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QPushButton, QSizePolicy

from engine.runs.run import Run
from partcraft_desktop.widgets.text import amount
from partcraft_desktop.widgets.theme import UNIT, icon

RUN_STATES: Final = {
    "ready": "not started", "running": "learning", "paused": "paused", "stopped": "stopped", "failed": "needs help",
    "lost": "interrupted",
}  # fmt: skip


def finished_text(run: Run) -> str:
    """A finished training in a menu: its title, how long it learned, and its match rate where that was counted and its
    renders resemble its pictures."""
    rate = f", match rate {run.match_rate.rate:.2f}" if run.match_rate else ""
    if run.advice:
        rate = ", does not resemble its pictures"
    return f"{run.title}: {amount(run.step, 'step')}{rate}".replace("&", "&&")


class PackButton(QPushButton):
    """The title of the open pack, shortened where it is long, and an arrow: press it for the other packs."""

    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self.setProperty("flat", True)
        self.setStyleSheet(
            # With a selector: a tip takes on what a sheet says of everything.
            "QPushButton { text-align: left; font-size: 17px; font-weight: 600; padding: 4px 3px 4px 8px;"
            " min-height: 26px; }"
        )
        # An icon stands before the text; read from right to left, that is behind it.
        self.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        self.setIcon(icon("chevron-down"))
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def show_title(self, title: str) -> None:
        """Show another title."""
        if title != self.title:
            self.title = title
            self.setAccessibleName(f"Pack: {title}")
            self.setToolTip(f"{title}\nSwitch to another pack, or import one")
            self._shorten()

    def _shorten(self) -> None:
        self.ensurePolished()
        room = self.width() - 6 * UNIT
        self.setText(self.fontMetrics().elidedText(self.title, Qt.TextElideMode.ElideRight, room))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._shorten()
