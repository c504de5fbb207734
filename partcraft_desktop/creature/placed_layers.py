"""Where layers are wanted: a collage's layers, moved by what a person changed since it was made. No widgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPolygonF, QTransform

from engine.collage.arrangement import Adjustment, Arrangement, PartKey
from engine.collage.layers import Collage, Layer

SEEN: Final = 48
"""The alpha, of 255, from which a pixel of a layer is taken to be seen."""


@dataclass(frozen=True)
class PlacedLayer:
    """A layer that was made with one adjustment and is wanted with another. Points are in pixels of the collage, whose
    longer side is ``side``; one of the full collage's is ``full_side``."""

    layer: Layer
    made: Adjustment
    wanted: Adjustment
    side: int
    full_side: int

    @property
    def key(self) -> PartKey:
        """The part and which of several it is."""
        return self.layer.part, self.layer.nth

    @cached_property
    def middle(self) -> QPointF:
        """About what it is scaled, turned and mirrored."""
        return self.middle_without + _times(self.wanted.move, self.side)

    @cached_property
    def middle_without(self) -> QPointF:
        """The middle before a person moved it."""
        return QPointF(*self.layer.middle) - _times(self.made.move, self.side)

    @cached_property
    def change(self) -> QTransform:
        """From where it is painted to where it is wanted."""
        made, _ = adjusting(self.made).inverted()
        from_middle = QTransform.fromTranslate(-self.layer.middle[0], -self.layer.middle[1])
        return from_middle * made * adjusting(self.wanted) * QTransform.fromTranslate(self.middle.x(), self.middle.y())

    @property
    def is_there(self) -> bool:
        """Whether it is painted where it is wanted."""
        return self.made == self.wanted

    @cached_property
    def rect(self) -> QRectF:
        """What its image covers, as painted."""
        height, width = self.layer.image.shape[:2]
        return QRectF(self.layer.left, self.layer.top, width, height)

    @cached_property
    def frame(self) -> QPolygonF:
        """The corners around it, turned with it: upper left, upper right, lower right, lower left."""
        width, height = self.layer.size
        upright = QRectF(-width / 2, -height / 2, width, height)
        middle = self.rect.center()
        turned = QTransform.fromTranslate(middle.x(), middle.y()).rotate(-self.layer.turn)
        corners = [upright.topLeft(), upright.topRight(), upright.bottomRight(), upright.bottomLeft()]
        moved = [self.change.map(turned.map(corner)) for corner in corners]
        if self.wanted.mirror != self.made.mirror:
            moved = [moved[1], moved[0], moved[3], moved[2]]
        return QPolygonF(moved)

    @property
    def joint_place(self) -> QPointF | None:
        """Where it is fastened, if it hangs on anything."""
        return None if self.layer.joint is None else QPointF(*self.layer.joint)

    def own_joint(self, wanted: Adjustment | None = None) -> QPointF | None:
        """Where the point comes to lie at which it was fastened."""
        place, adjustment = self.joint_place, wanted or self.wanted
        if place is None:
            return None
        middle = self.middle_without + _times(adjustment.move, self.side)
        return middle + adjusting(adjustment).map(place - self.middle_without)

    def covers(self, point: QPointF) -> bool:
        """Whether it is seen at a point."""
        back, _ = self.change.inverted()
        at = back.map(point)
        column, row = int(at.x() - self.rect.left()), int(at.y() - self.rect.top())
        height, width = self.layer.image.shape[:2]
        return 0 <= column < width and 0 <= row < height and bool(self.layer.image[row, column, 3] >= SEEN)


def placed_layers(collage: Collage, made: Arrangement, wanted: Arrangement) -> tuple[PlacedLayer, ...]:
    """The layers of a collage from back to front, those that are wanted hidden too."""
    side = max(collage.width, collage.height)
    full_side = side * collage.shrink
    by_key = {(layer.part, layer.nth): layer for layer in collage.layers}
    return tuple(
        PlacedLayer(by_key[key], made.adjustment_of(*key), wanted.adjustment_of(*key), side, full_side)
        for key in wanted.ordered(list(by_key))
    )


def layer_at(layers: Sequence[PlacedLayer], point: QPointF) -> PlacedLayer | None:
    """The uppermost layer that is seen at a point of the collage."""
    seen = (one for one in reversed(layers) if not one.wanted.hidden and one.covers(point))
    return next(seen, None)


def adjusting(adjustment: Adjustment) -> QTransform:
    """What an adjustment does to a part about its middle."""
    transform = QTransform().rotate(-adjustment.turn)
    return transform.scale(-adjustment.scale if adjustment.mirror else adjustment.scale, adjustment.scale)


def _times(move: tuple[float, float], side: int) -> QPointF:
    return QPointF(move[0] * side, move[1] * side)
