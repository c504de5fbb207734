"""What lies over a picture, painted once for each placement: one faint layer of all parts, one cropped
highlight for each part that is looked at. Hovering then only copies pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPainterPath, QPen, QPixmap, QTransform

from partcraft_desktop.geometry import Placement, covering
from partcraft_desktop.glyphs import draw_check, glyph, readable_on, with_alpha
from partcraft_desktop.images import Levels
from partcraft_desktop.outlines import PartShape

CORNER = 10.0
"""Radius of a picture's corners in logical pixels."""


class Layers:
    """The picture, its faint overlay and its highlights for one placement, as pixmaps at device resolution."""

    def __init__(
        self,
        placement: Placement,
        ratio: float,
        levels: Levels,
        shapes: Mapping[int, PartShape],
        colours: Mapping[int, QColor],
        ground: QColor,
    ) -> None:
        self.placement = placement
        self.ratio = ratio
        self.ground = ground
        self.view = QRect(0, 0, round(placement.view_width), round(placement.view_height))
        self._levels = levels
        self._shapes = shapes
        self._colours = colours
        self._picture: QPixmap | None = None
        self._overlaid: QPixmap | None = None
        self._highlights: dict[tuple[int, bool], tuple[QPixmap, QRect]] = {}
        self._outlines: dict[int, QPainterPath] = {}

    @property
    def picture(self) -> QPixmap:
        """The ground and the picture on it; opaque."""
        if self._picture is None:
            self._picture = _blank(self.view.size(), self.ratio, self.ground)
            painter = QPainter(self._picture)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            _round_clip(painter, self.placement.rect)
            self._levels.draw(painter, self.placement.rect, self.placement.scale * self.ratio)
            painter.end()
        return self._picture

    @property
    def overlaid(self) -> QPixmap:
        """The same with all parts faintly over it, so that a repaint copies one opaque pixmap."""
        if self._overlaid is None:
            self._overlaid = self.picture.copy()
            painter = QPainter(self._overlaid)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            _round_clip(painter, self.placement.rect)
            for part in self._shapes:
                outline = self.outline(part)
                painter.fillPath(outline, with_alpha(self._colours[part], 0.16))
                painter.strokePath(outline, QPen(with_alpha(self._colours[part], 0.55), 1.0))
            painter.end()
        return self._overlaid

    def outline(self, part: int) -> QPainterPath:
        """A part's outline in logical pixels of the view."""
        if part not in self._outlines:
            place = self.placement
            to_view = QTransform(place.scale, 0, 0, place.scale, place.x, place.y)
            self._outlines[part] = to_view.map(self._shapes[part].outline)
        return self._outlines[part]

    def highlight(self, part: int, lit: bool) -> tuple[QPixmap, QRect]:
        """A part ``lit`` under the pointer, or calmly marked as chosen: premultiplied pixels and where they go."""
        key = (part, lit)
        if key not in self._highlights:
            seen = covering(self.placement.rect_to_view(self._shapes[part].bounds)).adjusted(-4, -4, 4, 4)
            rect = seen.intersected(self.view)
            pixmap = _blank(rect.size(), self.ratio, QColor(0, 0, 0, 0))
            if not rect.isEmpty():
                painter = QPainter(pixmap)
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                painter.translate(-rect.topLeft())
                self._paint_highlight(painter, part, lit)
                painter.end()
            self._highlights[key] = (pixmap, rect)
        return self._highlights[key]

    def _paint_highlight(self, painter: QPainter, part: int, lit: bool) -> None:
        colour = self._colours[part]
        outline = self.outline(part)
        if lit:
            painter.fillPath(outline, with_alpha(colour, 0.34))
            # A dark line under the coloured one keeps the edge visible on any picture.
            painter.strokePath(outline, _pen(with_alpha(QColor("#000000"), 0.45), 4.5))
            painter.strokePath(outline, _pen(QColor("#ffffff"), 3.0))
            painter.strokePath(outline, _pen(colour, 1.75))
        else:
            painter.fillPath(outline, with_alpha(colour, 0.14))
            painter.strokePath(outline, _pen(with_alpha(QColor("#000000"), 0.35), 3.5))
            painter.strokePath(outline, _pen(colour, 2.25))

    def paint_next(self) -> bool:
        """Paint one layer that is not yet painted; False when all are."""
        if self._overlaid is None:
            return self.overlaid is not None
        for part in self._shapes:
            if (part, True) not in self._highlights:
                self.highlight(part, True)
                return True
        return False

    def cut_out(self, part: int, longest: float = 160.0) -> QPixmap:
        """A part as it is seen now, alone on transparent ground, at most ``longest`` logical pixels; null where
        it is out of view."""
        rect = covering(self.placement.rect_to_view(self._shapes[part].bounds)).intersected(self.view)
        if rect.isEmpty():
            return QPixmap()
        pixmap = _blank(rect.size(), self.ratio, QColor(0, 0, 0, 0))
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(-rect.topLeft())
        brush = QBrush(self.picture)
        painter.fillPath(self.outline(part), brush)
        painter.end()
        side = max(rect.width(), rect.height())
        if side <= longest:
            return pixmap
        smaller = pixmap.size() * (longest / side)
        return pixmap.scaled(smaller, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation)

    def check_rect(self, part: int) -> QRectF:
        """Where the check mark of a chosen part sits; empty where that is out of view."""
        at = self.placement.to_view(self._shapes[part].corner)
        rect = QRectF(at.x() - 9, at.y() - 9, 18, 18)
        return rect if QRectF(self.view).contains(rect) else QRectF()


def draw_chosen_mark(painter: QPainter, rect: QRectF, colour: QColor) -> None:
    """A small disc with a check mark in a part's colour."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor("#ffffff"), 1.5))
    painter.setBrush(colour)
    painter.drawEllipse(rect.adjusted(0.75, 0.75, -0.75, -0.75))
    inset = rect.width() * 0.22
    painter.setBrush(Qt.BrushStyle.NoBrush)
    draw_check(painter, rect.adjusted(inset, inset, -inset, -inset), readable_on(colour))


def draw_glyph(painter: QPainter, part: int, rect: QRectF, colour: QColor) -> None:
    """A part's shape in its colour."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.fillPath(glyph(part, rect), colour)


def union(rects: Iterable[QRect]) -> QRect:
    """The smallest rectangle around several."""
    whole = QRect()
    for rect in rects:
        whole = whole.united(rect)
    return whole


def _pen(colour: QColor, width: float) -> QPen:
    pen = QPen(colour, width)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    return pen


def _blank(size: QSize, ratio: float, ground: QColor) -> QPixmap:
    pixmap = QPixmap(round(size.width() * ratio), round(size.height() * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(ground)
    return pixmap


def _round_clip(painter: QPainter, rect: QRectF) -> None:
    clip = QPainterPath()
    radius = min(CORNER, rect.width() / 4, rect.height() / 4)
    clip.addRoundedRect(rect, radius, radius)
    painter.setClipPath(clip)
