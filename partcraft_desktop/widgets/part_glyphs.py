"""The little shapes that stand beside part colours, so that nobody has to tell parts by colour alone."""

from __future__ import annotations

import math
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen

SEEN: Final = 3.0
"""The least contrast of a symbol with its ground (WCAG 1.4.11)."""
_DARK: Final = 0.2
"""The luminance below which a ground is dark."""
_BETWEEN: Final = QColor("#8f959b")
"""Black and white both have a contrast of 3 on it."""


def glyph(sign: int, rect: QRectF) -> QPainterPath:
    """Symbol ``sign`` filling ``rect``; sixteen differ: eight outlines, then the same as rings. Which part has which:
    :mod:`engine.core.part_looks`."""
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.OddEvenFill)
    _outline(path, sign % 8, rect)
    if sign % 16 >= 8:
        inset = rect.width() * 0.28
        _outline(path, sign % 8, rect.adjusted(inset, inset, -inset, -inset))
    return path


def _outline(path: QPainterPath, kind: int, rect: QRectF) -> None:
    if kind == 0:
        path.addEllipse(rect)
    elif kind == 1:
        inset = rect.width() * 0.06
        path.addRoundedRect(rect.adjusted(inset, inset, -inset, -inset), rect.width() * 0.15, rect.width() * 0.15)
    elif kind == 2:
        _polygon(path, rect, 3, -90, 1.12, rect.height() * 0.1)
    elif kind == 3:
        _polygon(path, rect, 4, -90, 1.08)
    elif kind == 4:
        _polygon(path, rect, 5, -90, 1.06)
    elif kind == 5:
        _polygon(path, rect, 3, 90, 1.12, -rect.height() * 0.1)
    elif kind == 6:
        _polygon(path, rect, 6, 0, 1.04)
    else:
        _star(path, rect)


def _polygon(path: QPainterPath, rect: QRectF, corners: int, first: float, grow: float, shift: float = 0.0) -> None:
    radius = rect.width() / 2 * grow
    for corner in range(corners):
        angle = math.radians(first + 360 * corner / corners)
        point = rect.center() + QPointF(radius * math.cos(angle), radius * math.sin(angle) + shift)
        if corner == 0:
            path.moveTo(point)
        else:
            path.lineTo(point)
    path.closeSubpath()


def _star(path: QPainterPath, rect: QRectF) -> None:
    for corner in range(8):
        radius = rect.width() / 2 * (1.15 if corner % 2 == 0 else 0.5)
        angle = math.radians(45 * corner - 90)
        point = rect.center() + QPointF(radius * math.cos(angle), radius * math.sin(angle))
        if corner == 0:
            path.moveTo(point)
        else:
            path.lineTo(point)
    path.closeSubpath()


def draw_check(painter: QPainter, rect: QRectF, colour: QColor) -> None:
    """A check mark filling ``rect``."""
    pen = QPen(colour, rect.width() * 0.16)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    at = rect.topLeft()
    side = rect.width()
    painter.drawPolyline(
        [
            at + QPointF(side * 0.16, side * 0.54),
            at + QPointF(side * 0.41, side * 0.78),
            at + QPointF(side * 0.86, side * 0.26),
        ]
    )


def readable_on(colour: QColor) -> QColor:
    """Black or white, whichever is easier to read on a colour."""
    return QColor("#101114") if luminance(colour) > 0.3 else QColor("#ffffff")


def luminance(colour: QColor) -> float:
    """Relative luminance as WCAG defines it, 0 (black) to 1 (white)."""

    def linear(value: float) -> float:
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    return 0.2126 * linear(colour.redF()) + 0.7152 * linear(colour.greenF()) + 0.0722 * linear(colour.blueF())


def contrast(first: QColor, second: QColor) -> float:
    """Contrast of two opaque colours as WCAG defines it, 1 to 21."""
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def seen_on(colour: QColor, ground: QColor) -> QColor:
    """A part's colour as its symbol is painted: on dark ground so much lighter that its contrast is ``SEEN``."""
    if luminance(ground) >= _DARK:
        return colour
    steps = (mixed(colour, QColor("#ffffff"), share / 20) for share in range(20))
    return next((lighter for lighter in steps if contrast(lighter, ground) >= SEEN), QColor("#ffffff"))


def crop_ground(base: QColor, colour: QColor) -> QColor:
    """What a part alone is shown on: the theme's surface with a little of the part's colour. In a dark theme a grey, on
    which black parts are seen as well as white ones."""
    return mixed(_BETWEEN if luminance(base) < _DARK else base, colour, 0.14)


def with_alpha(colour: QColor, alpha: float) -> QColor:
    """The colour at an opacity of 0 to 1."""
    result = QColor(colour)
    result.setAlphaF(alpha)
    return result


def mixed(first: QColor, second: QColor, share: float) -> QColor:
    """Between two opaque colours: ``share`` 0 is the first, 1 the second."""
    return QColor.fromRgbF(
        first.redF() + (second.redF() - first.redF()) * share,
        first.greenF() + (second.greenF() - first.greenF()) * share,
        first.blueF() + (second.blueF() - first.blueF()) * share,
    )
