"""Arrangements: what a person decided about a recipe's collage, kept in the recipe itself."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from engine.collage.layers import Point
from engine.core.json_values import finite_number
from engine.core.recipe import Recipe

KEY: Final = "collage"
"""Where a recipe keeps its arrangement, among what versions without collages keep unharmed (``Recipe.extra``)."""

ARRANGEMENT_VERSION: Final = 1

LARGEST_FACTOR: Final = 10.0
"""By how much a person can enlarge a part, or make it smaller."""

LARGEST_MOVE: Final = 10.0
"""How far a part can be moved, in longer sides of the collage."""

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

Ground = Literal["pose", "none"] | Colour | tuple[Colour, Colour]
"""What is behind the parts: the pose's picture without its animal, nothing, a plain colour, or one that goes evenly
into another from top to bottom."""


PartKey = tuple[int, int]
"""A part's index, and a number from 0 that tells two choices of one part apart."""


@dataclass(frozen=True)
class Adjustment:
    """What a person changed about a part after it was placed, about its own centre.

    ``move`` is in shares of the collage's longer side (right and down are positive), ``scale`` a factor, ``turn`` in
    degrees counterclockwise, ``mirror`` left to right; ``hidden`` leaves it out of the picture. ``nth`` tells two
    choices of one part apart, from 0.
    """

    part: int
    move: Point = (0.0, 0.0)
    scale: float = 1.0
    turn: float = 0.0
    mirror: bool = False
    hidden: bool = False
    nth: int = 0

    def to_document(self) -> dict[str, Any]:
        """A JSON object, read back by :meth:`from_document`."""
        return {**vars(self), "move": list(self.move)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Adjustment:
        """Read what :meth:`to_document` wrote; what is missing has its default, what is too much its limit. Raises
        ``ValueError``."""
        try:
            x, y = document.get("move", (0.0, 0.0))
            return cls(
                int(document["part"]), (_limited(x, LARGEST_MOVE), _limited(y, LARGEST_MOVE)),
                limited_factor(_limited(document.get("scale", 1.0), LARGEST_FACTOR)),
                _limited(document.get("turn", 0.0), 360.0), document.get("mirror") is True,
                document.get("hidden") is True, int(document.get("nth", 0)),
            )  # fmt: skip
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError("this is not an adjustment") from error


def limited_factor(factor: float) -> float:
    """A factor moved into what a part can be scaled by."""
    return min(max(factor, 1 / LARGEST_FACTOR), LARGEST_FACTOR)


def _limited(value: Any, most: float) -> float:
    number = finite_number(value)
    if number is None:
        raise ValueError("this is not a number")
    return min(max(number, -most), most)


@dataclass(frozen=True)
class Arrangement:
    """``pose`` is the id of the reference that gives pose and ground (empty: the root part's own); ``adjustments``
    are made in their order, after everything was placed. ``match_colours`` brings the parts' colours and light near to
    those of the part that gives the pose; ``blend`` lets them go over into each other where they overlap. Both are for
    photographs. ``order`` are parts from back to front as a person laid them; those it does not name lie as by nature.
    """

    pose: str = ""
    ground: Ground = "pose"
    adjustments: tuple[Adjustment, ...] = ()
    match_colours: bool = False
    blend: bool = False
    order: tuple[PartKey, ...] = ()

    def adjustment_of(self, part: int, nth: int = 0) -> Adjustment:
        """All that was changed about a part, as one adjustment."""
        whole = Adjustment(part, nth=nth)
        for one in self.adjustments:
            if (one.part, one.nth) == (part, nth):
                whole = replace(
                    one,
                    move=(
                        _limited(whole.move[0] + one.move[0], LARGEST_MOVE),
                        _limited(whole.move[1] + one.move[1], LARGEST_MOVE),
                    ),
                    scale=limited_factor(whole.scale * one.scale),
                    turn=(-whole.turn if one.mirror else whole.turn) + one.turn,
                    mirror=whole.mirror != one.mirror,
                )
        return whole

    def with_adjustment(self, adjustment: Adjustment) -> Arrangement:
        """This arrangement with a part's adjustment in place of those before; one that changes nothing is left out."""
        part, nth = adjustment.part, adjustment.nth
        kept = tuple(one for one in self.adjustments if (one.part, one.nth) != (part, nth))
        changes = adjustment != Adjustment(part, nth=nth)
        return replace(self, adjustments=(*kept, adjustment) if changes else kept)

    def without_part(self, part: int, nth: int | None = None) -> Arrangement:
        """This arrangement without what was changed about a part, or about all choices of it (``nth`` None)."""

        def stays(key: PartKey) -> bool:
            return key[0] != part or nth not in (None, key[1])

        adjustments = tuple(one for one in self.adjustments if stays((one.part, one.nth)))
        return replace(self, adjustments=adjustments, order=tuple(key for key in self.order if stays(key)))

    def ordered(self, parts: Sequence[PartKey]) -> tuple[PartKey, ...]:
        """Parts from back to front, given as they lie by nature, as they were laid: what ``order`` names changes
        places among itself."""
        named = iter([key for key in self.order if key in parts])
        return tuple(next(named) if key in self.order else key for key in parts)


def arrangement_of(recipe: Recipe) -> Arrangement:
    """The arrangement a recipe keeps; what is missing, damaged or of a newer version is as if never decided."""
    kept = recipe.extra.get(KEY)
    if not isinstance(kept, Mapping) or kept.get("version") != ARRANGEMENT_VERSION:
        return Arrangement()
    adjustments: list[Adjustment] = []
    listed = kept.get("adjustments")
    for document in listed if isinstance(listed, list) else ():
        with contextlib.suppress(ValueError):  # a damaged one: the others still count
            adjustments.append(Adjustment.from_document(document))
    pose = kept.get("pose")
    return Arrangement(
        pose if isinstance(pose, str) else "", _ground(kept.get("ground")), tuple(adjustments),
        kept.get("match_colours") is True, kept.get("blend") is True, _order(kept.get("order")),
    )  # fmt: skip


def with_arrangement(recipe: Recipe, arrangement: Arrangement) -> Recipe:
    """The recipe with this arrangement in place of its own; the default one leaves no trace."""
    extra = {key: value for key, value in recipe.extra.items() if key != KEY}
    if arrangement != Arrangement():
        extra[KEY] = {
            "version": ARRANGEMENT_VERSION,
            "pose": arrangement.pose,
            "ground": _ground_document(arrangement.ground),
            "adjustments": [adjustment.to_document() for adjustment in arrangement.adjustments],
            "match_colours": arrangement.match_colours,
            "blend": arrangement.blend,
            "order": [list(key) for key in arrangement.order],
        }
    return replace(recipe, extra=extra)


def _order(kept: Any) -> tuple[PartKey, ...]:
    keys: dict[PartKey, None] = {}
    for key in kept if isinstance(kept, list) else ():
        if isinstance(key, list) and len(key) == 2 and all(type(value) is int for value in key):
            keys[key[0], key[1]] = None
    return tuple(keys)


def _ground_document(ground: Ground) -> str | list[Any]:
    if isinstance(ground, str):
        return ground
    return [list(one) if isinstance(one, tuple) else one for one in ground]


def _ground(kept: Any) -> Ground:
    colours = [_colour(one) for one in kept] if isinstance(kept, list) and len(kept) == 2 else [_colour(kept)]
    if len(colours) == 2 and colours[0] and colours[1]:
        return colours[0], colours[1]
    if len(colours) == 1 and colours[0]:
        return colours[0]
    return "none" if kept == "none" else "pose"


def _colour(kept: Any) -> Colour | None:
    if isinstance(kept, list) and len(kept) == 3 and all(type(value) is int and 0 <= value <= 255 for value in kept):
        red, green, blue = kept
        return red, green, blue
    return None
