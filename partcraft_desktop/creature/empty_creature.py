"""Where the creature will be, before anything was chosen."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFont, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QWidget

from partcraft_desktop.widgets import theme


class EmptyCreature(QWidget):
    """A frame for the creature, with words that say where it comes from."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = ""
        self._hint = "Every part you click in a picture comes here at once."

    def show_noun(self, noun: str, coming: bool = False) -> None:
        """Say what it will be: the vocabulary's noun, or "" for none; nothing while one is on its way (``coming``)."""
        title = f"Your {noun} begins here" if noun and not coming else ""
        if title != self._title:
            self._title = title
            self.setAccessibleName(f"{title}. {self._hint}" if title else "")
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._title:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = min(self.width(), self.height()) - 4 * theme.UNIT
        frame = QRectF(0, 0, side, side)
        frame.moveCenter(QRectF(self.rect()).center())
        frame.moveTop(2 * theme.UNIT)  # where the picture will be
        painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Mid), 1.5, Qt.PenStyle.DashLine))
        painter.setBrush(self.palette().color(QPalette.ColorRole.AlternateBase).lighter(102))
        painter.drawRoundedRect(frame, theme.UNIT, theme.UNIT)
        words = frame.adjusted(2 * theme.UNIT, 0, -2 * theme.UNIT, 0)
        font = QFont(self.font())
        font.setPixelSize(theme.TITLE)
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        centre = Qt.AlignmentFlag.AlignHCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(
            words.adjusted(0, 0, 0, -words.height() / 2 - 4), centre | Qt.AlignmentFlag.AlignBottom, self._title
        )
        painter.setFont(self.font())
        painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
        painter.drawText(words.adjusted(0, words.height() / 2 + 4, 0, 0), centre, self._hint)
        painter.end()
