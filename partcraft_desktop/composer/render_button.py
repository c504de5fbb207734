"""The one thing to press: Render, and while something is rendered, Cancel with how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from partcraft_desktop.widgets.part_glyphs import mixed

HEIGHT: Final = 44
CORNER: Final = 10.0


@dataclass(frozen=True)
class RenderProgress:
    """How far a render is: ``done`` of ``total`` steps (0: not known), creation ``index`` (from 0) of ``count``."""

    stage: str = ""
    done: int = 0
    total: int = 0
    index: int = 0
    count: int = 1
    cancelling: bool = False


class RenderButton(QAbstractButton):
    """``render_asked()`` and ``cancel_asked()``."""

    render_asked = Signal()
    cancel_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._progress: RenderProgress | None = None
        self._blocked = ""
        self._count = 1
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.clicked.connect(self._press)
        self._say()

    def show_state(self, progress: RenderProgress | None, blocked: str, count: int) -> None:
        """Show a running render, or that ``count`` creations can be rendered, or in ``blocked`` why none can."""
        self._progress, self._blocked, self._count = progress, blocked, count
        self._say()

    def _say(self) -> None:
        progress = self._progress
        if progress is None:
            text = "Render" if self._count == 1 else f"Render {self._count}"
        elif progress.cancelling:
            text = "Stopping"
        else:
            text = "Cancel"
        stopping = progress is not None and progress.cancelling
        self.setText(text)
        self.setEnabled(not stopping and (progress is not None or not self._blocked))
        self.setAccessibleName(text)
        why = self._blocked if progress is None else self._progress_text(progress)
        self.setAccessibleDescription(why)
        self.setToolTip(why or "Render (Ctrl+Enter)")
        self.update()

    def _progress_text(self, progress: RenderProgress) -> str:
        """How far the render is, in words."""
        if progress.cancelling:
            return "The render is being stopped."
        of = f"{progress.index + 1} of {progress.count}, " if progress.count > 1 else ""
        if progress.total:
            return f"{of}step {progress.done} of {progress.total}"
        return f"{of}{progress.stage.casefold()}" if progress.stage else f"{of}waiting"

    def _press(self) -> None:
        if self._progress is not None:
            self.cancel_asked.emit()
        else:
            self.render_asked.emit()

    def sizeHint(self) -> QSize:
        return QSize(200, HEIGHT)

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
        if self._progress is None:
            self._paint_ready(painter, rect, shape, palette)
        else:
            self._paint_running(painter, rect, shape, palette, self._progress)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            running = self._progress is not None
            role = QPalette.ColorRole.WindowText if running else QPalette.ColorRole.HighlightedText
            painter.setPen(QPen(palette.color(role), 2))
            painter.drawRoundedRect(rect.adjusted(3, 3, -3, -3), CORNER - 3, CORNER - 3)

    def _paint_ready(self, painter: QPainter, rect: QRectF, shape: QPainterPath, palette: QPalette) -> None:
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

    def _paint_running(
        self, painter: QPainter, rect: QRectF, shape: QPainterPath, palette: QPalette, progress: RenderProgress
    ) -> None:
        ground = palette.color(QPalette.ColorRole.AlternateBase)
        accent = palette.color(QPalette.ColorRole.Highlight)
        painter.fillPath(shape, ground)
        share = progress.done / progress.total if progress.total else 0.0
        share = (progress.index + share) / max(1, progress.count)
        painter.save()
        painter.setClipPath(shape)
        painter.fillRect(
            QRectF(rect.left(), rect.top(), rect.width() * min(share, 1.0), rect.height()), mixed(ground, accent, 0.38)
        )
        painter.restore()
        painter.setPen(palette.color(QPalette.ColorRole.WindowText))
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine
        text_rect = rect.adjusted(16, 0, -16, 0)
        painter.drawText(text_rect, int(middle | Qt.AlignmentFlag.AlignLeft), self.text())
        if not progress.cancelling:
            font = QFont(self.font())
            painter.setFont(font)
            room = text_rect.width() - painter.fontMetrics().horizontalAdvance(self.text()) - 24
            text = painter.fontMetrics().elidedText(
                self._progress_text(progress), Qt.TextElideMode.ElideRight, int(room)
            )
            painter.drawText(text_rect, int(middle | Qt.AlignmentFlag.AlignRight), text)
