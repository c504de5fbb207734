"""The one thing to press: Render, or, while something is rendered, Add to queue."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QKeyEvent, QPainter, QPainterPath, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from partcraft_desktop.widgets.part_glyphs import mixed

HEIGHT: Final = 44
CORNER: Final = 10.0


class RenderButton(QAbstractButton):
    """``clicked()`` asks for a render."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.show_state(False, "", 1)

    def show_state(self, queues: bool, blocked: str, count: int) -> None:
        """Show that ``count`` creations can be rendered, once others are (``queues``), or in ``blocked`` why none
        can."""
        number = "" if count == 1 else f" {count}"
        text = f"Add{number} to queue" if queues else f"Render{number}"
        self.setText(text)
        self.setEnabled(not blocked)
        self.setAccessibleName(text)
        self.setAccessibleDescription(blocked)
        self.setToolTip(blocked or f"{text} (Ctrl+Enter)")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, HEIGHT)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            event.ignore()  # they flick through what was rendered: no walk to the button beside this one
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        palette = self.palette()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect = QRectF(self.rect())
        font = QFont(self.font())
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        shape = QPainterPath()
        shape.addRoundedRect(rect, CORNER, CORNER)
        if not self.isEnabled():
            painter.fillPath(shape, palette.color(QPalette.ColorRole.AlternateBase))
            painter.setPen(palette.color(QPalette.ColorRole.PlaceholderText))
        else:
            accent = palette.color(QPalette.ColorRole.Highlight)
            if self.isDown():
                accent = mixed(accent, QColor("#000000"), 0.14)
            elif self.underMouse():
                accent = mixed(accent, QColor("#ffffff"), 0.1)
            painter.fillPath(shape, accent)
            painter.setPen(palette.color(QPalette.ColorRole.HighlightedText))
        painter.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), self.text())
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(palette.color(QPalette.ColorRole.HighlightedText), 2))
            painter.drawRoundedRect(rect.adjusted(3, 3, -3, -3), CORNER - 3, CORNER - 3)
