"""What can be done with one picture of the wall: two small buttons in its corner, or one to take it in again."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QHBoxLayout, QWidget

from partcraft_desktop.widgets.controls import describe_button, push_button, rounded, tool_button


class TileTools(QWidget):
    """Lies over the picture it is placed on. ``leave``: leave it out, or take it in again."""

    def __init__(self, parent: QWidget, correct: Callable[[], object], leave: Callable[[], object]) -> None:
        super().__init__(parent)
        self.correct = tool_button("brush", "Correct the parts", correct)
        self.leave = tool_button("close", "Leave out", leave)
        self.take = push_button("Take in again", leave)
        self.take.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        for button in (self.correct, self.leave):
            button.setIconSize(QSize(16, 16))
        row = QHBoxLayout(self)
        row.setContentsMargins(2, 2, 2, 2)
        row.setSpacing(0)
        for button in (self.correct, self.leave, self.take):
            row.addWidget(button)
        self.hide()

    def place(self, rect: QRect | None, name: str = "", left_out: bool = False) -> None:
        """Show the tools of a picture whose tile is ``rect``, or none."""
        if rect is None:
            self.hide()
            return
        for button, tip, keys in (
            (self.correct, f"Correct the parts of {name}", "Return"),
            (self.leave, f"Leave {name} out", "Del"),
            (self.take, f"Take {name} in again", "Del"),
        ):
            describe_button(button, tip, keys)
            button.setVisible(left_out == (button is self.take))
        self.adjustSize()
        place = self.rect()
        if left_out:
            place.moveCenter(rect.center())
        else:
            place.moveTopRight(rect.topRight() + QPointF(-4, 4).toPoint())
        self.setGeometry(place)
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.take.isVisible():
            return  # it has a ground of its own
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillPath(rounded(QRectF(self.rect()), 6), self.palette().color(QPalette.ColorRole.Base))
        painter.end()
