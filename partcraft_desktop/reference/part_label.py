"""What is written over a picture: a part's name and code at its edge, the hint of the first start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPalette, QPen

from partcraft_desktop.widgets.part_glyphs import draw_check, glyph, seen_on, with_alpha
from partcraft_desktop.widgets.placement import label_rect

GLYPH: Final = 10.0
PAD: Final = 10.0
GAP: Final = 8.0
HINT_GAP: Final = 22.0
HINT_DOT: Final = 9.0
"""The radius of the ring around the point that the hint points at."""
WIDEST: Final = 300.0
FRAME: Final = PAD + GLYPH + GAP + GAP + GLYPH + PAD
"""What a label is wide without its words: the part's shape before them, a plus or a check mark after."""


@dataclass(frozen=True)
class PartLabel:
    """A part's shape, name and code in a pill; ``colour`` is the part's."""

    part: int
    name: str
    code: str
    colour: QColor
    sign: int

    def rect(self, font: QFont, around: QRectF, inside: QRectF) -> QRectF:
        """Where the pill goes: at the edge of ``around``, never out of ``inside``."""
        name, code = self._texts(font, inside.width())
        width = FRAME + _wide(_bold(font), name) + (GAP + _wide(font, code) if code else 0)
        height = QFontMetricsF(font).height() + 12
        return label_rect(QSizeF(min(width, inside.width()), height), around, inside)

    def paint(self, painter: QPainter, rect: QRectF, room: float, palette: QPalette, chosen: bool) -> None:
        """The pill at the ``rect`` found for a view with ``room`` pixels of width; a check mark at its end says
        that the part is chosen, a plus that it can be."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        _pill(painter, rect, palette)
        font = painter.font()
        name, code = self._texts(font, room)
        at = rect.left() + PAD
        mark = QRectF(at, rect.center().y() - GLYPH / 2, GLYPH, GLYPH)
        painter.fillPath(glyph(self.sign, mark), seen_on(self.colour, palette.color(QPalette.ColorRole.AlternateBase)))
        at = mark.right() + GAP
        bold = _bold(font)
        painter.setFont(bold)
        painter.setPen(palette.color(QPalette.ColorRole.Text))
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextSingleLine
        painter.drawText(QRectF(at, rect.top(), rect.width(), rect.height()), int(middle), name)
        painter.setFont(font)
        if code:
            at += _wide(bold, name) + GAP
            painter.setPen(palette.color(QPalette.ColorRole.PlaceholderText))
            painter.drawText(QRectF(at, rect.top(), rect.width(), rect.height()), int(middle), code)
        end = QRectF(rect.right() - PAD - GLYPH, rect.center().y() - GLYPH / 2, GLYPH, GLYPH)
        quiet = palette.color(QPalette.ColorRole.PlaceholderText)
        if chosen:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            draw_check(painter, end, palette.color(QPalette.ColorRole.Text))
        else:
            painter.setPen(QPen(quiet, 1.5))
            middle_point = end.center()
            painter.drawLine(QPointF(end.left() + 1, middle_point.y()), QPointF(end.right() - 1, middle_point.y()))
            painter.drawLine(QPointF(middle_point.x(), end.top() + 1), QPointF(middle_point.x(), end.bottom() - 1))

    def _texts(self, font: QFont, room: float) -> tuple[str, str]:
        share = min(room, WIDEST) - FRAME - GAP + 1
        cut = Qt.TextElideMode.ElideRight
        name = QFontMetricsF(_bold(font)).elidedText(self.name, cut, max(24.0, share * 0.6))
        return name, QFontMetricsF(font).elidedText(self.code, cut, max(24.0, share - _wide(_bold(font), name)))


def hint_rect(font: QFont, text: str, at: QPointF, inside: QRectF) -> QRectF:
    """Where the hint that points at a point goes: above it if there is room, else below, inside the view."""
    metrics = QFontMetricsF(font)
    size = QSizeF(_wide(font, text) + 28, metrics.height() + 18)
    return label_rect(size, QRectF(at.x() - 1, at.y() - 1, 2, 2), inside.adjusted(8, 8, -8, -8), HINT_GAP)


def hint_area(font: QFont, text: str, at: QPointF, inside: QRectF) -> QRectF:
    """All that :func:`draw_hint` paints on: the bubble, its tip and the ring."""
    ring = QRectF(at.x() - HINT_DOT, at.y() - HINT_DOT, 2 * HINT_DOT, 2 * HINT_DOT)
    return hint_rect(font, text, at, inside).united(ring).adjusted(-2, -2, 2, 2)


def draw_hint(painter: QPainter, text: str, at: QPointF, inside: QRectF, palette: QPalette) -> None:
    """A bubble in the accent colour whose tip points at a part."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    rect = hint_rect(painter.font(), text, at, inside)
    accent = palette.color(QPalette.ColorRole.Accent)
    path = QPainterPath()
    path.addRoundedRect(rect, rect.height() / 2, rect.height() / 2)
    above = rect.center().y() < at.y()
    edge = rect.bottom() - 1 if above else rect.top() + 1
    foot = min(max(at.x(), rect.left() + 24), rect.right() - 24)
    tip = QPainterPath(QPointF(foot - 9, edge))
    tip.lineTo(foot + 9, edge)
    tip.lineTo(at.x(), at.y() + (-10 if above else 10))
    tip.closeSubpath()
    painter.fillPath(path.united(tip), accent)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(with_alpha(accent, 0.35))
    painter.drawEllipse(at, HINT_DOT, HINT_DOT)
    painter.setBrush(accent)
    painter.drawEllipse(at, 4, 4)
    painter.setPen(palette.color(QPalette.ColorRole.HighlightedText))
    painter.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), text)


def draw_focus(painter: QPainter, rect: QRectF, palette: QPalette) -> None:
    """The ring around a picture that has the keyboard."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(palette.color(QPalette.ColorRole.Accent), 2))
    painter.drawRoundedRect(rect.adjusted(-3, -3, 3, 3), 12, 12)


def _pill(painter: QPainter, rect: QRectF, palette: QPalette) -> None:
    radius = rect.height() / 2
    painter.setPen(QPen(with_alpha(palette.color(QPalette.ColorRole.Text), 0.18), 1))
    painter.setBrush(with_alpha(palette.color(QPalette.ColorRole.Base), 0.95))
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)


def _bold(font: QFont) -> QFont:
    bold = QFont(font)
    bold.setWeight(QFont.Weight.DemiBold)
    return bold


def _wide(font: QFont, text: str) -> float:
    return QFontMetricsF(font).horizontalAdvance(text)
