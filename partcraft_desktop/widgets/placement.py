"""Where a picture lies in a view, and where a label fits: plain numbers, no widgets."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, Self

from PySide6.QtCore import QPointF, QRect, QRectF, QSizeF
from PySide6.QtGui import QRegion

MAX_ENLARGEMENT: Final = 32.0
"""View pixels one picture pixel can fill, unless fitting alone fills more."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A picture of ``width`` x ``height`` pixels in a view of ``view_width`` x ``view_height`` logical pixels.

    Picture point (px, py) is seen at (x + scale * px, y + scale * py). A picture larger than the view covers it. A
    smaller one lies in the middle across; down it lies in the middle of the square at the view's top, so that it
    stays where it is when the view gets longer or shorter, and pictures in views side by side are at one height.
    :meth:`settled` keeps that true, and every method returns a settled one.
    """

    width: int
    height: int
    view_width: float
    view_height: float
    margin: float = 0.0
    scale: float = 1.0
    x: float = 0.0
    y: float = 0.0

    @classmethod
    def fitted(cls, width: int, height: int, view_width: float, view_height: float, margin: float = 0.0) -> Self:
        """The whole picture as large as the view allows, ``margin`` logical pixels free around it."""
        bare = cls(max(1, width), max(1, height), max(1.0, view_width), max(1.0, view_height), margin)
        return replace(bare, scale=bare.fit_scale).settled()

    @property
    def fit_scale(self) -> float:
        """The scale at which the whole picture is seen."""
        across = max(1.0, self.view_width - 2 * self.margin) / self.width
        down = max(1.0, self.view_height - 2 * self.margin) / self.height
        return min(across, down)

    @property
    def is_fitted(self) -> bool:
        """Whether the whole picture is seen, as large as it can be."""
        return self.scale <= self.fit_scale * 1.0001

    @property
    def rect(self) -> QRectF:
        """Where the picture lies in the view."""
        return QRectF(self.x, self.y, self.width * self.scale, self.height * self.scale)

    def to_view(self, point: QPointF) -> QPointF:
        """From picture pixels to logical pixels of the view."""
        return QPointF(self.x + self.scale * point.x(), self.y + self.scale * point.y())

    def to_picture(self, point: QPointF) -> QPointF:
        """From logical pixels of the view to picture pixels; outside the picture too."""
        return QPointF((point.x() - self.x) / self.scale, (point.y() - self.y) / self.scale)

    def pixel_at(self, point: QPointF) -> tuple[int, int]:
        """Column and row of the picture pixel seen at a point of the view; may lie outside the picture."""
        picture = self.to_picture(point)
        return math.floor(picture.x()), math.floor(picture.y())

    def rect_to_view(self, rect: QRectF) -> QRectF:
        """A rectangle in picture pixels, as seen in the view."""
        return QRectF(self.to_view(rect.topLeft()), QSizeF(rect.width() * self.scale, rect.height() * self.scale))

    def settled(self) -> Self:
        """With the scale within its bounds and the picture neither lost nor loose."""
        least = self.fit_scale
        scale = min(max(self.scale, least), max(MAX_ENLARGEMENT, least))
        high, square = self.height * scale, min(self.view_width, self.view_height)
        top = max(self.margin, (square - high) / 2)
        return replace(
            self,
            scale=scale,
            x=_settle(self.x, self.width * scale, self.view_width, self.margin, self.view_width),
            y=_settle(self.y, high, self.view_height, self.margin, top),
        )

    def zoomed(self, factor: float, at: QPointF) -> Self:
        """Scaled by ``factor``, with the picture point under ``at`` staying there where the bounds allow it."""
        least = self.fit_scale
        scale = min(max(self.scale * factor, least), max(MAX_ENLARGEMENT, least))
        point = self.to_picture(at)
        moved = replace(self, scale=scale, x=at.x() - scale * point.x(), y=at.y() - scale * point.y())
        return moved.settled()

    def moved(self, dx: float, dy: float) -> Self:
        """Shifted by logical pixels of the view, within the bounds."""
        return replace(self, x=self.x + dx, y=self.y + dy).settled()

    def resized(self, view_width: float, view_height: float) -> Self:
        """In a view of another size: fitted if it was, else with the same picture point in the middle."""
        if self.is_fitted:
            return type(self).fitted(self.width, self.height, view_width, view_height, self.margin)
        middle = self.to_picture(QPointF(self.view_width / 2, self.view_height / 2))
        view_width, view_height = max(1.0, view_width), max(1.0, view_height)
        return replace(
            self,
            view_width=view_width,
            view_height=view_height,
            x=view_width / 2 - self.scale * middle.x(),
            y=view_height / 2 - self.scale * middle.y(),
        ).settled()

    def refitted(self) -> Self:
        """The whole picture again."""
        return type(self).fitted(self.width, self.height, self.view_width, self.view_height, self.margin)

    def of_picture(self, width: int, height: int) -> Self:
        """For another picture: in the same rectangle if it has the same shape, whatever its size, else fitted."""
        width, height = max(1, width), max(1, height)
        if not same_shape((width, height), (self.width, self.height)):
            return type(self).fitted(width, height, self.view_width, self.view_height, self.margin)
        return replace(self, width=width, height=height, scale=self.scale * self.width / width).settled()


def same_shape(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two pictures, given as width and height, fill the same rectangle, but for half a percent."""
    return abs(one[0] * other[1] - other[0] * one[1]) <= 0.005 * one[0] * other[1]


def _settle(offset: float, length: float, view: float, margin: float, most: float) -> float:
    """Where a picture's edge lies: in the middle, but at ``most`` so far in, while the view has room for all of it."""
    room = view - length
    if room >= 0:
        return min(room / 2, most)
    # Enlarged: an edge of the picture may come in as far as the margin it has when fitted.
    return min(max(offset, room - margin), margin)


def label_rect(size: QSizeF, around: QRectF, inside: QRectF, gap: float = 8.0) -> QRectF:
    """Where a label of ``size`` goes at the edge of ``around`` so that it never leaves ``inside``.

    Above the middle of the top edge, else below, else right, else left; where nothing fits it lies over the
    rectangle, as near to its top as ``inside`` allows.
    """
    across = around.center().x() - size.width() / 2
    down = around.center().y() - size.height() / 2
    places = (
        QPointF(across, around.top() - gap - size.height()),
        QPointF(across, around.bottom() + gap),
        QPointF(around.right() + gap, down),
        QPointF(around.left() - gap - size.width(), down),
    )
    for place in places:
        rect = QRectF(_kept(place, size, inside), size)
        if not rect.intersects(around):
            return rect
    return QRectF(_kept(QPointF(across, around.top() + gap), size, inside), size)


def _kept(place: QPointF, size: QSizeF, inside: QRectF) -> QPointF:
    """The nearest point to ``place`` at which a rectangle of ``size`` lies inside."""
    x = max(inside.left(), min(place.x(), inside.right() - size.width()))
    y = max(inside.top(), min(place.y(), inside.bottom() - size.height()))
    return QPointF(x, y)


def rects_of(region: QRegion) -> list[QRect]:
    """The rectangles a region is made of; they do not overlap."""
    return list(iter(region))  # type: ignore[call-overload]  # PySide's stubs do not know that it can be iterated


def covering(rect: QRectF) -> QRect:
    """The smallest rectangle of whole pixels around another, one pixel wider for soft edges."""
    return rect.toAlignedRect().adjusted(-1, -1, 1, 1)
