"""A thin line that says that something is going on."""

from __future__ import annotations

import math
from typing import Final

from PySide6.QtCore import QElapsedTimer, QTimer
from PySide6.QtGui import QLinearGradient, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QWidget

from partcraft_desktop.widgets.part_glyphs import with_alpha

HEIGHT: Final = 2
FRAME_MS: Final = 33
PERIOD_MS: Final = 1800.0


class BusyLine(QWidget):
    """Two pixels high; a soft light wanders along it while running, or it simply stands where motion is reduced."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(HEIGHT)
        self._reduced = False
        self.running = False
        self._clock = QElapsedTimer()
        self._timer = QTimer(self, interval=FRAME_MS)
        self._timer.timeout.connect(self.update)

    def start(self, name: str) -> None:
        """Begin; ``name`` is said to assistive tools."""
        self.running = True
        self.setAccessibleName(name)
        self._clock.start()
        if not self._reduced:
            self._timer.start()
        self.update()

    def stop(self) -> None:
        """End."""
        self.running = False
        self.setAccessibleName("")
        self._timer.stop()
        self.update()

    def set_reduced_motion(self, reduced: bool) -> None:
        """Stand still instead of wandering."""
        self._reduced = reduced
        if reduced:
            self._timer.stop()
        elif self.running:
            self._timer.start()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self.running:
            return
        accent = self.palette().color(QPalette.ColorRole.Accent)
        painter = QPainter(self)
        if self._reduced:
            painter.fillRect(self.rect(), with_alpha(accent, 0.6))
            return
        phase = 0.5 - 0.5 * math.cos(2 * math.pi * (self._clock.elapsed() % PERIOD_MS) / PERIOD_MS)
        middle = self.width() * phase
        light = QLinearGradient(middle - self.width() * 0.25, 0, middle + self.width() * 0.25, 0)
        light.setColorAt(0, with_alpha(accent, 0))
        light.setColorAt(0.5, accent)
        light.setColorAt(1, with_alpha(accent, 0))
        painter.fillRect(self.rect(), light)
