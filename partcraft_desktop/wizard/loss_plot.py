"""The two losses of a training as curves: raw and smoothed, painted by hand, with what they are under the pointer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from partcraft_desktop.widgets.part_glyphs import with_alpha
from partcraft_desktop.widgets.theme import UNIT

LEFT: Final = 60
BOTTOM: Final = 22
TOP: Final = 24
SMOOTH: Final = 0.97
"""How much of the smoothed loss is carried on from step to step."""

ATTENTION: Final = "#d55e00"
"""The attention loss; the diffusion loss has the accent colour. Told apart by place and words as well."""

Floats = npt.NDArray[np.float64]


def smoothed(values: Floats, keep: float = SMOOTH) -> Floats:
    """An exponential mean that does not start at nought: (N,) to (N,)."""
    result = np.empty_like(values)
    mean = weight = 0.0
    for at, value in enumerate(values.tolist()):
        if math.isfinite(value):
            mean = keep * mean + (1 - keep) * value
            weight = keep * weight + (1 - keep)
        result[at] = mean / weight if weight else math.nan
    return result


def decimated(xs: Floats, ys: Floats, columns: int) -> tuple[Floats, Floats]:
    """At most two points for each of ``columns`` pixels: the least and the greatest, so that no spike is lost."""
    if len(xs) <= 2 * columns or columns < 1:
        return xs, ys
    edges = np.linspace(0, len(xs), columns + 1).astype(int)
    keep: list[int] = []
    for first, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part = ys[first:end]
        if len(part) and np.isfinite(part).any():
            keep += sorted({first + int(np.nanargmin(part)), first + int(np.nanargmax(part))})
    return xs[keep], ys[keep]


class LossPlot(QWidget):
    """Two strips one above the other: diffusion and attention, each with a scale of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(240, 180)
        self.setAccessibleName("Losses")
        self._losses: tuple[tuple[int, float, float], ...] = ()
        self._steps: Floats = np.empty(0)
        self._raw: tuple[Floats, Floats] = (np.empty(0), np.empty(0))
        self._mean: tuple[Floats, Floats] = (np.empty(0), np.empty(0))
        self._last = 1
        self.at: int | None = None

    def show_losses(self, losses: Sequence[tuple[int, float, float]], last: int) -> None:
        """Show (step, diffusion, attention) of a training that ends at step ``last``."""
        if losses == self._losses and last == self._last:
            return
        self._losses = tuple(losses)
        self._last = max(last, 1)
        table = np.array(self._losses, np.float64).reshape(-1, 3)
        self._steps = table[:, 0]
        self._raw = (table[:, 1], table[:, 2])
        self._mean = (smoothed(table[:, 1]), smoothed(table[:, 2]))
        self.setAccessibleDescription(self.reading(len(losses) - 1) if losses else "Nothing learned yet")
        self.update()

    def reading(self, at: int) -> str:
        """What the losses are at an entry, in words."""
        step, diffusion, attention = self._losses[at]
        return f"Step {step:,}: diffusion {_short(diffusion)}, attention {_short(attention)}"

    def sizeHint(self) -> QSize:
        return QSize(420, 240)

    def strips(self) -> tuple[QRectF, QRectF]:
        """Where the curves are: diffusion above attention."""
        room = QRectF(self.rect()).adjusted(LEFT, TOP, -UNIT, -BOTTOM)
        half = (room.height() - TOP) / 2
        upper = QRectF(room.x(), room.y(), room.width(), half)
        return upper, upper.translated(0, half + TOP)

    def entry_at(self, x: float) -> int | None:
        """The entry of the step under a horizontal place."""
        if not self._losses:
            return None
        strip = self.strips()[0]
        step = (x - strip.left()) / max(strip.width(), 1) * self._last
        return int(np.argmin(np.abs(self._steps - step)))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.at = self.entry_at(event.position().x())
        self.update()

    def leaveEvent(self, event: object) -> None:
        self.at = None
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        moves = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_PageUp: -50, Qt.Key.Key_PageDown: 50}
        move = moves.get(Qt.Key(event.key()))
        if move is None or not self._losses:
            super().keyPressEvent(event)
            return
        at = len(self._losses) - 1 if self.at is None else self.at
        self.at = min(max(at + move, 0), len(self._losses) - 1)
        self.setAccessibleDescription(self.reading(self.at))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = (self.palette().color(QPalette.ColorRole.Accent), QColor(ATTENTION))
        for number, (strip, name) in enumerate(zip(self.strips(), ("Diffusion", "Attention"), strict=True)):
            self._paint_strip(painter, strip, name, number, colours[number])
        self._paint_steps(painter, self.strips()[1])
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Highlight), 1))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        painter.end()

    def _paint_strip(self, painter: QPainter, strip: QRectF, name: str, number: int, colour: QColor) -> None:
        palette = self.palette()
        quiet = palette.color(QPalette.ColorRole.PlaceholderText)
        above = QRectF(strip.left(), strip.top() - TOP, strip.width(), TOP - 4)
        shape = QRectF(above.left(), above.center().y() - 1.5, 12, 3)
        painter.fillRect(shape, colour)
        painter.setPen(palette.color(QPalette.ColorRole.Text))
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(above.adjusted(18, 0, 0, 0), int(middle | Qt.AlignmentFlag.AlignLeft), name)
        raw, mean = self._raw[number], self._mean[number]
        finite = raw[np.isfinite(raw)]
        if not len(finite):
            painter.setPen(QPen(palette.color(QPalette.ColorRole.Mid), 1))
            painter.drawLine(strip.bottomLeft(), strip.bottomRight())
            return
        at = len(raw) - 1 if self.at is None else min(self.at, len(raw) - 1)
        value = f"{_short(mean[at])}" if self.at is None else f"step {int(self._steps[at]):,}: {_short(raw[at])}"
        painter.drawText(above, int(middle | Qt.AlignmentFlag.AlignRight), value)
        # Spikes may leave the strip, so that what changes is seen; a flat line stands in its middle.
        low, high = float(np.percentile(finite, 1)), float(np.percentile(finite, 99))
        if high - low < 1e-12:
            low, high = low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1)
        for share, value in ((0.0, high), (1.0, low)):
            y = strip.top() + share * strip.height()
            painter.setPen(QPen(palette.color(QPalette.ColorRole.Mid), 1))
            painter.drawLine(QPointF(strip.left(), y), QPointF(strip.right(), y))
            painter.setPen(quiet)
            place = QRectF(0, y - 9, strip.left() - UNIT, 18)
            painter.drawText(place, int(middle | Qt.AlignmentFlag.AlignRight), _short(value))
        painter.save()
        painter.setClipRect(strip.adjusted(0, -1, 0, 1))
        columns = max(1, int(strip.width()))
        for ys, pen in ((raw, QPen(with_alpha(colour, 0.35), 1.0)), (mean, QPen(colour, 2.0))):
            x, y = decimated(self._steps, ys, columns)
            points = [
                QPointF(
                    strip.left() + a / self._last * strip.width(),
                    strip.bottom() - (b - low) / (high - low) * strip.height(),
                )
                for a, b in zip(x.tolist(), y.tolist(), strict=True)
                if math.isfinite(b)
            ]
            painter.setPen(pen)
            painter.drawPolyline(QPolygonF(points))
        if self.at is not None:
            x_at = strip.left() + self._steps[at] / self._last * strip.width()
            painter.setPen(QPen(quiet, 1, Qt.PenStyle.DotLine))
            painter.drawLine(QPointF(x_at, strip.top()), QPointF(x_at, strip.bottom()))
        painter.restore()

    def _paint_steps(self, painter: QPainter, strip: QRectF) -> None:
        painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
        below = QRectF(strip.left(), strip.bottom() + 4, strip.width(), BOTTOM - 4)
        painter.drawText(below, int(Qt.AlignmentFlag.AlignLeft), "step 0")
        painter.drawText(below, int(Qt.AlignmentFlag.AlignRight), f"{self._last:,}")


def _short(value: float) -> str:
    if not math.isfinite(value):
        return "not a number"
    if value == 0:
        return "0"
    digits = max(0, min(5, 2 - math.floor(math.log10(abs(value)))))
    return f"{value:.{digits}f}"
