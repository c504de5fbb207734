"""One undo for everything: recipes, deletions, what was taken off the queue."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from partcraft_desktop.app.file_changes import FileChanges
from partcraft_desktop.app.history import History, RecipeChange, UndoCommand
from partcraft_desktop.app.messages import Action, Message
from partcraft_desktop.app.store import Store

GONE_HINT: Final = "Undo goes on with the step before it."


class UndoControl:
    """Undoes and does again the steps of a history. ``show_recipe`` shows the recipe of now where it has changed.
    ``files`` is for commands that change files."""

    def __init__(self, store: Store, history: History, show_recipe: Callable[[], None]) -> None:
        self._store = store
        self._history = history
        self._show_recipe = show_recipe
        self.files = FileChanges(store, self._press_on)
        self._presses: deque[bool] = deque()
        """Undo (True) and redo pressed while the pack they lead to is on its way back."""

    @property
    def commands(self) -> list[UndoCommand]:
        """The commands that can be undone or done again."""
        return self._history.commands

    def do(self, command: UndoCommand) -> None:
        """Do something that can be undone."""
        self._presses.clear()
        self._history.push(command)
        command.redo()
        self.show()

    def undo(self) -> None:
        """Undo the newest step, whatever it is."""
        self._press(True)

    def redo(self) -> None:
        """Do again what was undone last."""
        self._press(False)

    def undo_command(self, command: UndoCommand) -> None:
        """Undo one command, whatever came after it."""
        self._withdraw(command)
        if self._history.undo_command(command):
            self.show()

    def offer(self, command: UndoCommand, text: str) -> None:
        """Say what a command did, with a button that undoes it; not if it was undone meanwhile."""
        if self._history.is_done(command):
            self._withdraw(command)
            command.message = Message(text, action=Action("Undo", lambda: self.undo_command(command)))
            self._store.message.emit(command.message)

    def drop(self, command: UndoCommand) -> None:
        """Forget a command that cannot be undone or done again. Who calls this has said why, in a sentence."""
        self._withdraw(command)
        self._history.drop(command)
        if command.pack and command.pack not in {pack.id for pack in self._store.state.packs}:
            self._history.forget(command.pack)
        self.show()

    def show(self) -> None:
        """Say in the state what undo and redo would do."""
        fields = self._history.fields()
        if self._presses:
            fields |= {"can_undo": self._has_more(True), "can_redo": self._has_more(False)}
        self._store.update_state(**fields)

    def _withdraw(self, command: UndoCommand) -> None:
        if command.message is not None:
            message, command.message = command.message, None
            self._store.withdrawn.emit(message)

    def _press(self, back: bool) -> None:
        if self._has_more(back):
            self._presses.append(back)
            self._press_on()

    def _has_more(self, back: bool) -> bool:
        """Whether there is a step for one more press, after those that wait."""
        return self._history.count(back) > self._presses.count(back)

    def _press_on(self) -> None:
        while self._presses:
            step = self._history.next_undo if self._presses[0] else self._history.next_redo
            if isinstance(step, RecipeChange) and not self._can_show(step):
                self.show()
                return
            back = self._presses.popleft()
            recipe = self._history.now
            if isinstance(step, UndoCommand):
                self._withdraw(step)
            self._history.undo() if back else self._history.redo()
            self._show_recipe() if self._history.now != recipe else self.show()

    def _can_show(self, step: RecipeChange) -> bool:
        return self.files.idle or any(pack.id == step.recipe.pack for pack in self._store.state.packs)
