"""Undo as a list of recipes."""

from __future__ import annotations

import time
from typing import Final

from engine.core.recipe import Recipe

LIMIT: Final = 500
ONE_GESTURE_S: Final = 1.0
"""Changes of the same thing that follow each other within this time are one step: a slider drag, a typed word."""
DRAG: Final = "drag "
"""How gestures begin whose names are never used again: each is one step, however long it takes."""


class History:
    """The recipe now, those before it and those that were undone."""

    def __init__(self, recipe: Recipe) -> None:
        self.now = recipe
        self._before: list[Recipe] = []
        self._after: list[Recipe] = []
        self._gesture = ("", 0.0)

    @property
    def can_undo(self) -> bool:
        """Whether there is something to go back to."""
        return bool(self._before)

    @property
    def can_redo(self) -> bool:
        """Whether something was undone since the last change."""
        return bool(self._after)

    def go_on(self, recipe: Recipe, gesture: str = "") -> bool:
        """Make ``recipe`` the one of now. Steps of the same ``gesture`` close in time become one. False if equal."""
        if recipe == self.now:
            return False
        moment = time.monotonic()
        soon = moment - self._gesture[1] < ONE_GESTURE_S or gesture.startswith(DRAG)
        same = bool(gesture) and gesture == self._gesture[0] and soon
        self._gesture = (gesture, moment)
        if same and self._before and recipe == self._before[-1]:
            # Back where the gesture began: nothing was done, and what comes is another step.
            self._before.pop()
            self._gesture = ("", 0.0)
        elif not (same and self._before):
            self._before.append(self.now)
            del self._before[:-LIMIT]
        self._after.clear()
        self.now = recipe
        return True

    def amend(self, recipe: Recipe) -> None:
        """Replace the recipe of now without a step: what the app changes by itself, as the seed of a render."""
        self.now = recipe

    def forget(self, pack: str) -> None:
        """Drop the steps that lead to recipes of a pack that is gone."""
        self._before = [recipe for recipe in self._before if recipe.pack != pack]
        self._after = [recipe for recipe in self._after if recipe.pack != pack]

    def undo(self) -> bool:
        """Go back one step; False if there is none."""
        return self._step(self._before, self._after)

    def redo(self) -> bool:
        """Go forward again; False if there is nothing."""
        return self._step(self._after, self._before)

    def _step(self, source: list[Recipe], target: list[Recipe]) -> bool:
        if not source:
            return False
        target.append(self.now)
        self.now = source.pop()
        self._gesture = ("", 0.0)
        return True
