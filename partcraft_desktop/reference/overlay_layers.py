"""What lies over a picture, painted once for each placement: one faint layer of all parts with the chosen ones
marked, and one crop for each part as it looks when lit. Hovering then only copies opaque pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPainterPath, QPen, QPixmap, QRegion, QTransform

from partcraft_desktop.widgets.images import PictureLevels
from partcraft_desktop.widgets.part_glyphs import draw_check, readable_on, with_alpha
from partcraft_desktop.widgets.part_outlines import PartShape
from partcraft_desktop.widgets.placement import Placement, covering, rects_of

CORNER = 10.0
"""Radius of a picture's corners in logical pixels."""

GRID: Final = 4
"""Logical pixels that are whole device pixels at every usual ratio (1.25, 1.5, 1.75, 2 and so on)."""


class OverlayLayers:
    """The picture, its faint overlay and its lit parts for one placement, as pixmaps at device resolution."""

    def __init__(
        self,
        placement: Placement,
        ratio: float,
        levels: PictureLevels,
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
        self._marked: QPixmap | None = None
        self._chosen: frozenset[int] = frozenset()
        self._lit: dict[int, tuple[QPixmap, QRect]] = {}
        self._areas: dict[int, QRect] = {}
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
                painter.fillPath(outline, with_alpha(self._colours[part], 0.09))
                painter.strokePath(outline, QPen(with_alpha(self._colours[part], 0.7), 1.25))
            painter.end()
        return self._overlaid

    def outline(self, part: int) -> QPainterPath:
        """A part's outline in logical pixels of the view."""
        if part not in self._outlines:
            place = self.placement
            to_view = QTransform(place.scale, 0, 0, place.scale, place.x, place.y)
            self._outlines[part] = to_view.map(self._shapes[part].outline)
        return self._outlines[part]

    @property
    def marked(self) -> QPixmap:
        """The same with the chosen parts marked; opaque. What is seen while no part is lit."""
        if self._marked is None:
            self._marked = self.overlaid.copy()
            painter = QPainter(self._marked)
            self._mark(painter, self.view)
            painter.end()
        return self._marked

    def choose(self, chosen: frozenset[int]) -> QRegion:
        """Mark these parts as chosen. Returns what looks different now."""
        changed = QRegion()
        for part in self._chosen ^ chosen:
            changed += self.area(part)
        self._chosen = chosen
        if self._marked is not None and not changed.isEmpty():
            painter = QPainter(self._marked)
            for rect in rects_of(changed):
                self._mark(painter, rect)
            painter.end()
        self._lit = {part: lit for part, lit in self._lit.items() if not changed.intersects(lit[1])}
        return changed

    def area(self, part: int) -> QRect:
        """All that looks different when a part is lit or chosen, on a grid that is whole in device pixels too."""
        if part not in self._areas:
            rect = covering(self.placement.rect_to_view(self._shapes[part].bounds)).adjusted(-10, -10, 10, 10)
            left, top = rect.left() // GRID * GRID, rect.top() // GRID * GRID
            right, bottom = -(-rect.right() // GRID) * GRID, -(-rect.bottom() // GRID) * GRID
            self._areas[part] = QRect(left, top, right - left, bottom - top).intersected(self.view)
        return self._areas[part]

    def lit(self, part: int) -> tuple[QPixmap, QRect]:
        """A part as it looks under the pointer, on all that is under it, and where that goes; opaque, so that
        showing it is copying."""
        if part not in self._lit:
            rect = self.area(part)
            pixmap = _blank(rect.size(), self.ratio, self.ground)
            if not rect.isEmpty():
                painter = QPainter(pixmap)
                painter.translate(-rect.topLeft())
                painter.drawPixmap(0, 0, self.marked)
                self._paint_lit(painter, part)
                if part in self._chosen:
                    self._paint_check(painter, part)
                painter.end()
            self._lit[part] = (pixmap, rect)
        return self._lit[part]

    def _mark(self, painter: QPainter, rect: QRect) -> None:
        """Paint a rectangle of the marked layer."""
        painter.setClipRect(rect)
        painter.drawPixmap(0, 0, self.overlaid)
        near = [part for part in sorted(self._chosen) if rect.intersects(self.area(part))]
        for part in near:
            self._paint_chosen(painter, part)
        for part in near:
            self._paint_check(painter, part)

    def _paint_lit(self, painter: QPainter, part: int) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour, outline = self._colours[part], self.outline(part)
        painter.fillPath(outline, with_alpha(colour, 0.34))
        # A dark line under the coloured one keeps the edge visible on any picture.
        painter.strokePath(outline, _pen(with_alpha(QColor("#000000"), 0.45), 4.5))
        painter.strokePath(outline, _pen(QColor("#ffffff"), 3.0))
        painter.strokePath(outline, _pen(colour, 1.75))

    def _paint_chosen(self, painter: QPainter, part: int) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour, outline = self._colours[part], self.outline(part)
        # What was taken is seen in its own colours: all paint of the overlay inside it goes.
        painter.save()
        painter.setClipPath(outline, Qt.ClipOperation.IntersectClip)
        painter.drawPixmap(0, 0, self.picture)
        painter.restore()
        painter.strokePath(outline, _pen(with_alpha(QColor("#000000"), 0.35), 3.5))
        painter.strokePath(outline, _pen(colour, 2.25))

    def _paint_check(self, painter: QPainter, part: int) -> None:
        """A small disc with a check mark where it hides least of the part."""
        at = self.placement.to_view(self._shapes[part].corner)
        rect = QRectF(at.x() - 9, at.y() - 9, 18, 18)
        if not QRectF(self.view).contains(rect):
            return
        colour = self._colours[part]
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor("#ffffff"), 1.5))
        painter.setBrush(colour)
        painter.drawEllipse(rect.adjusted(0.75, 0.75, -0.75, -0.75))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        draw_check(painter, rect.adjusted(4, 4, -4, -4), readable_on(colour))

    def paint_next(self) -> bool:
        """Paint one layer that is not yet painted; False when all are."""
        if self._marked is None:
            return self.marked is not None
        for part in self._shapes:
            if part not in self._lit:
                self.lit(part)
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
