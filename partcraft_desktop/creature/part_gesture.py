"""A part in the hand: from where the pointer went to where the part is wanted, with what it snaps to. No widgets."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import count
from typing import Final, Literal

from PySide6.QtCore import QPointF

from engine.collage.arrangement import Adjustment
from partcraft_desktop.app.arrangement_control import SCALES, half_turned
from partcraft_desktop.app.history import DRAG
from partcraft_desktop.creature.placed_layers import PlacedLayer

Kind = Literal["move", "scale", "turn"]

SNAP: Final = 8.0
"""Logical pixels within which a part goes to its joint by itself."""
SNAP_TURN: Final = 3.0
TURN_STEP: Final = 15.0
_SMALLEST: Final = 4.0  # pixels of the collage that a scaled part keeps on its longer side

_numbers = count(1)


@dataclass(frozen=True)
class Gesture:
    """One drag of a part, from ``start`` (pixels of the collage) on. ``name`` is another for every drag."""

    kind: Kind
    placed: PlacedLayer
    start: QPointF
    name: str

    @classmethod
    def begun(cls, kind: Kind, placed: PlacedLayer, start: QPointF) -> Gesture:
        """A new drag."""
        return cls(kind, placed, start, f"{DRAG}{next(_numbers)}")

    def on(self, placed: PlacedLayer) -> Gesture:
        """The same drag of the same part in a collage of another size."""
        ratio = placed.side / self.placed.side
        return replace(self, placed=replace(placed, wanted=self.placed.wanted), start=self.start * ratio)

    def adjusted(self, point: QPointF, pixel: float, other: bool = False, free: bool = False) -> Adjustment:
        """The part's adjustment with the pointer at a point of the collage, of which one logical pixel of the screen
        shows ``pixel``. ``other`` is the other way to do it: moved straight, scaled about the joint, turned in steps.
        ``free``: nothing snaps."""
        reach = 0.0 if free else SNAP * pixel
        if self.kind == "move":
            return self._moved(point, reach, straight=other)
        if self.kind == "scale":
            return self._scaled(point, reach, about_joint=other)
        return self._turned(point, in_steps=other, free=free)

    def _moved(self, point: QPointF, reach: float, straight: bool) -> Adjustment:
        placed, begin = self.placed, self.placed.wanted
        step = (point - self.start) / placed.side
        if straight:
            step = QPointF(step.x(), 0.0) if abs(step.x()) >= abs(step.y()) else QPointF(0.0, step.y())
        moved = replace(begin, move=(begin.move[0] + step.x(), begin.move[1] + step.y()))
        for target in (fastened_move(placed, moved), (0.0, 0.0)):
            if math.dist(moved.move, target) * placed.side < reach:
                return replace(moved, move=target)
        return moved

    def _scaled(self, point: QPointF, reach: float, about_joint: bool) -> Adjustment:
        placed, begin = self.placed, self.placed.wanted
        joint = placed.own_joint() if about_joint else None
        about = placed.middle if joint is None else joint
        first, now = _distance(self.start, about), _distance(point, about)
        smallest = max(SCALES[0], _SMALLEST * begin.scale / max(*placed.layer.size, 1.0))
        scale = min(max(begin.scale * now / max(first, 1e-6), smallest), SCALES[1])
        if abs(scale - 1.0) * first / begin.scale < reach:
            scale = 1.0
        scaled = replace(begin, scale=scale)
        if joint is None:
            return scaled
        away = (placed.middle - joint) * (scale / begin.scale - 1.0) / placed.side
        return replace(scaled, move=(begin.move[0] + away.x(), begin.move[1] + away.y()))

    def _turned(self, point: QPointF, in_steps: bool, free: bool) -> Adjustment:
        placed, begin = self.placed, self.placed.wanted
        turn = begin.turn + _angle(point, placed.middle) - _angle(self.start, placed.middle)
        step = TURN_STEP if in_steps else 90.0
        near = round(turn / step) * step
        if in_steps or (not free and abs(turn - near) < SNAP_TURN):
            turn = near
        return replace(begin, turn=half_turned(turn))


def fastened_move(placed: PlacedLayer, adjustment: Adjustment) -> tuple[float, float]:
    """The move, in shares of the longer side, with which an adjusted part meets its joint."""
    place, own = placed.joint_place, placed.own_joint(replace(adjustment, move=(0.0, 0.0)))
    if place is None or own is None:
        return 0.0, 0.0
    away = (place - own) / placed.side
    return away.x(), away.y()


def is_snapped(placed: PlacedLayer) -> bool:
    """Whether a part is, to a pixel, at its joint or where it was placed."""
    targets = (0.0, 0.0), fastened_move(placed, placed.wanted)
    return any(math.dist(placed.wanted.move, target) * placed.side < 0.5 for target in targets)


def _distance(one: QPointF, other: QPointF) -> float:
    return math.hypot(one.x() - other.x(), one.y() - other.y())


def _angle(point: QPointF, middle: QPointF) -> float:
    """In degrees, counterclockwise as seen."""
    return math.degrees(math.atan2(middle.y() - point.y(), point.x() - middle.x()))
