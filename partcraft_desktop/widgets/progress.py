"""How far a job is: bars, and what is under way in words."""

from __future__ import annotations

import time

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from engine.core.durations import duration
from partcraft_desktop.app.learning.state import JobProgress
from partcraft_desktop.widgets.busy_line import BusyLine
from partcraft_desktop.widgets.controls import ShortLabel, push_button
from partcraft_desktop.widgets.theme import UNIT


def progress_text(progress: JobProgress, now: float) -> str:
    """What is under way and how long yet; ``now`` is ``time.monotonic()``."""
    text = progress.stage or "Starting"
    if progress.total:
        text += f", {min(progress.done, progress.total):,} of {progress.total:,}"
    spent = now - progress.started
    if progress.total and progress.done and spent > 1:
        seconds_left = spent / progress.done * (progress.total - progress.done)
        if seconds_left >= 1:
            text += f", {duration(seconds_left)} left"
    return text


class JobProgressLine(QWidget):
    """A wandering light, what is under way and how long yet, and Cancel. ``cancelled()``."""

    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.line = BusyLine()
        self.words = ShortLabel(quiet=True)
        self.cancel = push_button("Cancel", self.cancelled.emit, look="flat")
        row = QHBoxLayout()
        row.setSpacing(UNIT)
        row.addWidget(self.words, 1)
        row.addWidget(self.cancel)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.line)
        column.addLayout(row)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.hide()

    def show_progress(self, progress: JobProgress | None) -> None:
        """Show what is under way, or nothing."""
        self.setVisible(progress is not None)
        if progress is None:
            if self.line.running:
                self.line.stop()
            return
        self.words.setText(progress_text(progress, time.monotonic()))
        if not self.line.running:
            self.line.start(progress.stage or "Working")


class ProgressBar(QWidget):
    """A thin bar that fills from the left."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.share = 0.0
        self.setFixedHeight(4)

    def show_share(self, share: float, text: str) -> None:
        """Fill a share of 0 to 1; ``text`` is for assistive tools."""
        self.share = min(max(share, 0.0), 1.0)
        self.setAccessibleName(text)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.palette().color(QPalette.ColorRole.Mid))
        painter.drawRoundedRect(QRectF(self.rect()), 2, 2)
        painter.setBrush(self.palette().color(QPalette.ColorRole.Highlight))
        painter.drawRoundedRect(QRectF(0, 0, self.width() * self.share, self.height()), 2, 2)
