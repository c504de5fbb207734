"""Arranging by hand: what a person changes about the creature's parts after they were placed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from engine.collage.arrangement import (
    LARGEST_FACTOR,
    Adjustment,
    Arrangement,
    Ground,
    PartKey,
    arrangement_of,
    with_arrangement,
)
from engine.core.recipe import Recipe
from partcraft_desktop.app.recipe_edits import part_name
from partcraft_desktop.app.store import Store

FARTHEST: Final = 2.0
"""How far a part can be moved from where it was placed, in longer sides of the collage."""
SCALES: Final = (1 / LARGEST_FACTOR, LARGEST_FACTOR)


class ArrangementControl:
    """Changes the arrangement that ``state.recipe`` keeps; ``change(recipe, gesture)`` makes it a step of undo, one for
    all changes of the same gesture. A part is named by its index and by ``nth``, which tells two of them apart."""

    def __init__(self, store: Store, change: Callable[[Recipe, str, str], None]) -> None:
        self._store = store
        self._change = change

    def adjust_part(
        self,
        part: int,
        nth: int = 0,
        *,
        move: tuple[float, float] | None = None,
        scale: float | None = None,
        turn: float | None = None,
        gesture: str = "",
    ) -> None:
        """Say where a part is from now on, how large and how it is turned; None leaves that as it is. As in
        :class:`Adjustment`: ``move`` in shares of the collage's longer side, ``turn`` in degrees counterclockwise."""
        adjustment = self._adjustment(part, nth)
        if move is not None:
            # Rounded far below a pixel, so that a way there and back ends where it began.
            x, y = (round(min(max(value, -FARTHEST), FARTHEST), 7) for value in move)
            adjustment = replace(adjustment, move=(x, y))
        if scale is not None:
            adjustment = replace(adjustment, scale=round(min(max(scale, SCALES[0]), SCALES[1]), 6))
        if turn is not None:
            adjustment = replace(adjustment, turn=round(half_turned(turn), 4))
        changed = "move" if move is not None else "scale" if scale is not None else "turn"
        self._put(adjustment, changed, gesture)

    def mirror_part(self, part: int, nth: int = 0) -> None:
        """Swap left and right of a part as it is seen."""
        adjustment = self._adjustment(part, nth)
        self._put(replace(adjustment, mirror=not adjustment.mirror, turn=half_turned(-adjustment.turn)), "mirror")

    def hide_part(self, part: int, nth: int = 0, hidden: bool = True) -> None:
        """Leave a part out of the picture, or show it again."""
        self._put(replace(self._adjustment(part, nth), hidden=hidden), "hide" if hidden else "show")

    def reorder_part(self, part: int, nth: int = 0, step: int = 1) -> None:
        """Bring a part in front of the next one that is seen; ``step`` -1: behind it."""
        arrangement, key = self._arrangement(), (part, nth)
        order = self.drawing_order()
        if key not in order:
            return
        at = order.index(key) + step
        while 0 <= at < len(order) and arrangement.adjustment_of(*order[at]).hidden:
            at += step
        if 0 <= at < len(order):
            moved = [other for other in order if other != key]
            moved.insert(at, key)
            self._arrange(replace(arrangement, order=tuple(moved)), f"order of {self._name(part)}")

    def drawing_order(self) -> tuple[PartKey, ...]:
        """The parts from back to front, as far as they are placed by now, as they are wanted."""
        collage = self._store.state.creature.collage
        placed = [(layer.part, layer.nth) for layer in collage.layers] if collage is not None else []
        return self._arrangement().ordered(placed)

    def reset_part(self, part: int, nth: int = 0) -> None:
        """Put a part back where it was placed."""
        self._arrange(self._arrangement().without_part(part, nth), f"reset {self._name(part)}")

    def reset_arrangement(self) -> None:
        """Put every part back where it was placed; pose and ground stay."""
        self._arrange(replace(self._arrangement(), adjustments=(), order=()), "reset all parts")

    def set_pose(self, reference_id: str) -> None:
        """Take joints, size and ground from a picture of the pack; "": from that of the root part."""
        self._arrange(replace(self._arrangement(), pose=reference_id), "pose")

    def set_ground(self, ground: Ground) -> None:
        """What is behind the parts."""
        self._arrange(replace(self._arrangement(), ground=ground), "ground")

    def _arrangement(self) -> Arrangement:
        return arrangement_of(self._store.state.recipe)

    def _adjustment(self, part: int, nth: int) -> Adjustment:
        return self._arrangement().adjustment_of(part, nth)

    def _put(self, adjustment: Adjustment, verb: str, gesture: str = "") -> None:
        label = f"{verb} {self._name(adjustment.part)}"
        self._arrange(self._arrangement().with_adjustment(adjustment), label, gesture)

    def _arrange(self, arrangement: Arrangement, label: str, gesture: str = "") -> None:
        self._change(with_arrangement(self._store.state.recipe, arrangement), gesture, label)

    def _name(self, part: int) -> str:
        return part_name(self._store.state.pack, part)


def half_turned(turn: float) -> float:
    """The same turn in degrees, above -180 and up to 180."""
    return -(math.remainder(-turn, 360.0)) if abs(turn) > 180.0 or turn == -180.0 else turn
