"""Undo as one line of steps: changes of the recipe, and commands that do other things and undo them."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Final

from engine.core.recipe import Recipe
from partcraft_desktop.app.messages import Message

LIMIT: Final = 500
ONE_GESTURE_S: Final = 1.0
"""Changes of the same thing that follow each other within this time are one step: a slider drag, a typed word."""
DRAG: Final = "drag "
"""How gestures begin whose names are never used again: each is one step, however long it takes."""


class UndoCommand(ABC):
    """A step that is no change of the recipe, as a deletion: it can be undone and done again, both at once or off the
    Qt thread. ``label`` says what it did ("delete 2 creations")."""

    label: str = ""
    pack: str = ""
    """The id of the pack it takes away, which is there again when it is undone."""
    message: Message | None = None
    """The sentence on show that offers to undo it."""

    @abstractmethod
    def redo(self) -> None:
        """Do it, the first time and again."""

    @abstractmethod
    def undo(self) -> None:
        """Take it back."""


@dataclass(frozen=True)
class RecipeChange:
    """A step of the recipe: the recipe at its other end."""

    recipe: Recipe
    label: str


Step = RecipeChange | UndoCommand


class History:
    """The recipe now, the steps that led here and those that were undone."""

    def __init__(self, recipe: Recipe) -> None:
        self.now = recipe
        self._before: list[Step] = []
        self._after: list[Step] = []
        self._gesture = ("", 0.0)

    @property
    def can_undo(self) -> bool:
        """Whether there is something to go back to."""
        return bool(self._before)

    @property
    def can_redo(self) -> bool:
        """Whether something was undone since the last change."""
        return bool(self._after)

    def count(self, back: bool) -> int:
        """How many steps there are to undo (``back``) or to do again."""
        return len(self._before if back else self._after)

    @property
    def next_undo(self) -> Step | None:
        """The step that would be undone."""
        return self._before[-1] if self._before else None

    @property
    def next_redo(self) -> Step | None:
        """The step that would be done again."""
        return self._after[-1] if self._after else None

    @property
    def commands(self) -> list[UndoCommand]:
        """All commands that can be undone or done again, the oldest first."""
        return [step for step in (*self._before, *reversed(self._after)) if isinstance(step, UndoCommand)]

    def fields(self) -> dict[str, Any]:
        """What the state says of undo and redo."""
        back, on = self.next_undo, self.next_redo
        return {
            "can_undo": back is not None,
            "can_redo": on is not None,
            "undo_label": back.label if back is not None else "",
            "redo_label": on.label if on is not None else "",
        }

    def go_on(self, recipe: Recipe, gesture: str = "", label: str = "") -> bool:
        """Make ``recipe`` the one of now. Steps of the same ``gesture`` close in time become one. False if equal."""
        if recipe == self.now:
            return False
        moment = time.monotonic()
        soon = moment - self._gesture[1] < ONE_GESTURE_S or gesture.startswith(DRAG)
        same = bool(gesture) and gesture == self._gesture[0] and soon
        begun = self._before[-1] if same and self._before else None
        if isinstance(begun, RecipeChange) and recipe == begun.recipe:
            # Back where the gesture began: nothing was done, and what comes is another step.
            self._before.pop()
            gesture = ""
        elif not isinstance(begun, RecipeChange):
            self._append(RecipeChange(self.now, label))
        self._gesture = (gesture, moment)
        self._after.clear()
        self.now = recipe
        return True

    def push(self, command: UndoCommand) -> None:
        """Add a command that is being done."""
        self._append(command)
        self._after.clear()

    def _append(self, step: Step) -> None:
        self._before.append(step)
        del self._before[:-LIMIT]
        self._gesture = ("", 0.0)

    def amend(self, recipe: Recipe) -> None:
        """Replace the recipe of now without a step: what the app changes by itself, as the seed of a render."""
        self.now = recipe

    def forget(self, pack: str) -> int:
        """Drop the steps that lead to recipes of a pack that is gone, but for those behind a command that brings it
        back. Returns their number."""
        count = len(self._before) + len(self._after)
        before: list[Step] = []
        comes_back = False
        for step in reversed(self._before):
            comes_back = comes_back or (isinstance(step, UndoCommand) and step.pack == pack)
            if comes_back or not _needs(step, pack):
                before.append(step)
        self._before = before[::-1]
        self._after = [step for step in self._after if not _needs(step, pack)]
        return count - len(self._before) - len(self._after)

    def is_done(self, command: UndoCommand) -> bool:
        """Whether a command is among those that can be undone."""
        return command in self._before

    def drop(self, command: UndoCommand) -> None:
        """Forget a command that can no longer be undone or done again."""
        self._before = [step for step in self._before if step is not command]
        self._after = [step for step in self._after if step is not command]

    def undo(self) -> bool:
        """Go back one step; False if there is none."""
        return self._step(self._before, self._after)

    def redo(self) -> bool:
        """Go forward again; False if there is nothing."""
        return self._step(self._after, self._before)

    def undo_command(self, command: UndoCommand) -> bool:
        """Undo a command whatever came after it; False if it is not done."""
        if not self.is_done(command):
            return False
        self._before.remove(command)
        self._after.append(command)
        self._gesture = ("", 0.0)
        command.undo()
        return True

    def _step(self, source: list[Step], target: list[Step]) -> bool:
        if not source:
            return False
        step = source.pop()
        self._gesture = ("", 0.0)
        if isinstance(step, RecipeChange):
            target.append(RecipeChange(self.now, step.label))
            self.now = step.recipe
            return True
        target.append(step)
        step.undo() if source is self._before else step.redo()
        return True


def _needs(step: Step, pack: str) -> bool:
    return (step.recipe.pack if isinstance(step, RecipeChange) else step.pack) == pack
