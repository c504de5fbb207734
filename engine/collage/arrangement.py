"""Arrangements: what a person decided about a recipe's collage, kept in the recipe itself."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from engine.collage.placement import Adjustment
from engine.core.recipe import Recipe

KEY: Final = "collage"
"""Where a recipe keeps its arrangement, among what versions without collages keep unharmed (``Recipe.extra``)."""

ARRANGEMENT_VERSION: Final = 1

Ground = Literal["pose", "none"] | tuple[int, int, int]
"""What is behind the parts: the pose's picture without its animal, nothing, or a plain colour (red, green, blue)."""


@dataclass(frozen=True)
class Arrangement:
    """``pose`` is the id of the reference that gives pose and ground (empty: the root part's own); ``adjustments``
    are made in their order, after everything was placed."""

    pose: str = ""
    ground: Ground = "pose"
    adjustments: tuple[Adjustment, ...] = ()


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
    return Arrangement(pose if isinstance(pose, str) else "", _ground(kept.get("ground")), tuple(adjustments))


def with_arrangement(recipe: Recipe, arrangement: Arrangement) -> Recipe:
    """The recipe with this arrangement in place of its own; the default one leaves no trace."""
    extra = {key: value for key, value in recipe.extra.items() if key != KEY}
    if arrangement != Arrangement():
        extra[KEY] = {
            "version": ARRANGEMENT_VERSION,
            "pose": arrangement.pose,
            "ground": arrangement.ground if isinstance(arrangement.ground, str) else list(arrangement.ground),
            "adjustments": [adjustment.to_document() for adjustment in arrangement.adjustments],
        }
    return replace(recipe, extra=extra)


def _ground(kept: Any) -> Ground:
    if isinstance(kept, list) and len(kept) == 3 and all(type(value) is int and 0 <= value <= 255 for value in kept):
        red, green, blue = kept
        return red, green, blue
    return "none" if kept == "none" else "pose"
