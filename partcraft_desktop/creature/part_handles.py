"""The frame around a selected part with its handles, and the line around the one under the pointer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPalette, QPen, QPixmap, QPolygonF

from partcraft_desktop.creature.placed_layers import PlacedLayer
from partcraft_desktop.widgets.part_glyphs import with_alpha
from partcraft_desktop.widgets.placement import Placement

Handle = Literal["turn", "upper left", "upper right", "lower right", "lower left"]
CORNERS: Final[tuple[Handle, ...]] = ("upper left", "upper right", "lower right", "lower left")

_PAD: Final = 3.0  # logical pixels between a part and its frame
_ARM: Final = 24.0  # from the frame to the handle that turns
_SIDE: Final = 9.0
_REACH: Final = 10.0  # a hand is less exact than an eye
_JOINT: Final = 5.0


@dataclass(frozen=True)
class PartHandles:
    """The frame of a part as seen, in logical pixels of the view: its four corners, where it is turned, and its
    joint (its middle, if it hangs on nothing)."""

    frame: QPolygonF
    points: dict[Handle, QPointF]
    foot: QPointF
    joint: QPointF

    @classmethod
    def of(cls, placed: PlacedLayer, placement: Placement, room: QRectF) -> PartHandles:
        """The frame of a layer. The handle that turns is on the other side where it would lie outside of ``room``."""
        corners = [placement.to_view(placed.frame.at(i)) for i in range(4)]
        middle = (corners[0] + corners[2]) / 2
        right, down = _unit(corners[1] - corners[0], QPointF(1, 0)), _unit(corners[3] - corners[0], QPointF(0, 1))
        signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
        half = (
            max(math.dist(corners[0].toTuple(), corners[1].toTuple()) / 2, _SIDE) + _PAD,
            max(math.dist(corners[0].toTuple(), corners[3].toTuple()) / 2, _SIDE) + _PAD,
        )
        outer = [middle + right * (x * half[0]) + down * (y * half[1]) for x, y in signs]
        foot = middle - down * half[1]
        turn = foot - down * _ARM
        if not room.contains(turn):
            other = middle + down * half[1]
            if room.contains(other + down * _ARM):
                foot, turn = other, other + down * _ARM
        joint = placed.joint_place or placed.middle
        points: dict[Handle, QPointF] = {"turn": turn, **dict(zip(CORNERS, outer, strict=True))}
        return cls(QPolygonF(outer), points, foot, placement.to_view(joint))

    def at(self, point: QPointF) -> Handle | None:
        """The handle within reach of a point of the view."""
        distances: dict[Handle, float] = {
            handle: math.dist(place.toTuple(), point.toTuple()) for handle, place in self.points.items()
        }
        nearest, distance = min(distances.items(), key=lambda item: item[1])
        return nearest if distance <= _REACH else None

    def cursor(self, handle: Handle) -> Qt.CursorShape:
        """What the pointer looks like over a handle."""
        if handle == "turn":
            return Qt.CursorShape.PointingHandCursor
        away = self.points[handle] - (self.frame.at(0) + self.frame.at(2)) / 2
        return Qt.CursorShape.SizeFDiagCursor if away.x() * away.y() > 0 else Qt.CursorShape.SizeBDiagCursor

    def paint(self, painter: QPainter, palette: QPalette) -> None:
        """Paint frame and handles, to be seen on any picture in both themes."""
        line, ground = palette.color(QPalette.ColorRole.Highlight), palette.color(QPalette.ColorRole.Base)
        painter.save()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in (QPen(with_alpha(ground, 0.7), 3.5), QPen(line, 1.5)):
            painter.setPen(pen)
            painter.drawPolygon(self.frame)
            painter.drawLine(self.foot, self.points["turn"])
        painter.setPen(QPen(line, 1.5))
        painter.setBrush(ground)
        for handle, point in self.points.items():
            square = QRectF(point.x() - _SIDE / 2, point.y() - _SIDE / 2, _SIDE, _SIDE)
            if handle == "turn":
                painter.drawEllipse(square.adjusted(-0.5, -0.5, 0.5, 0.5))
            else:
                painter.drawRoundedRect(square, 2, 2)
        painter.restore()

    def paint_joint(self, painter: QPainter, palette: QPalette) -> None:
        """Paint the mark of a part that has snapped to its joint."""
        painter.save()
        painter.setPen(QPen(palette.color(QPalette.ColorRole.Base), 2))
        painter.setBrush(palette.color(QPalette.ColorRole.Highlight))
        painter.drawEllipse(self.joint, _JOINT, _JOINT)
        painter.restore()


def outline_of(pixmap: QPixmap, colour: QColor, width: float) -> tuple[QPixmap, int]:
    """A line of ``width`` device pixels just outside what a pixmap shows, in a pixmap that is so many device pixels
    (the second value) larger on each side."""
    pad = math.ceil(width) + 1
    silhouette = QPixmap(pixmap.width() + 2 * pad, pixmap.height() + 2 * pad)
    silhouette.fill(Qt.GlobalColor.transparent)
    line = QPixmap(silhouette)
    painter = QPainter(silhouette)
    # Painted over itself, what is soft becomes firm.
    for _ in range(3):
        painter.drawPixmap(pad, pad, pixmap)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
    painter.fillRect(silhouette.rect(), colour)
    painter.end()
    painter = QPainter(line)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    for step in range(12):
        angle = math.radians(30 * step)
        painter.drawPixmap(QPointF(width * math.cos(angle), width * math.sin(angle)), silhouette)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_DestinationOut)
    painter.drawPixmap(0, 0, silhouette)
    painter.end()
    return line, pad


def _unit(vector: QPointF, otherwise: QPointF) -> QPointF:
    length = math.hypot(vector.x(), vector.y())
    return vector / length if length > 1e-6 else otherwise
