"""The creations in the output folder: listed, deleted, brought back."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from engine.core.recipe import Creation
from partcraft_desktop.app import creation_files
from partcraft_desktop.app.creation_files import DeletedCreation, Restored
from partcraft_desktop.app.history import UndoCommand
from partcraft_desktop.app.messages import Message, reason
from partcraft_desktop.app.render_queue import title_of
from partcraft_desktop.app.settings import Settings
from partcraft_desktop.app.store import Store
from partcraft_desktop.app.undo_control import GONE_HINT, UndoControl

MOST_LETTERS: Final = 48
"""Of a creation's name in a sentence."""


class CreationDeletion(UndoCommand):
    """Creations that were deleted together. ``trashed`` is written in the turn of the file changes only."""

    def __init__(self, owner: CreationList, creations: tuple[Creation, ...]) -> None:
        self._owner = owner
        self.creations = creations
        self.trashed: list[DeletedCreation] = []

        self.folder = owner.folder
        self.relabel()

    def relabel(self) -> None:
        """Say how many they are now."""
        count = len(self.creations)
        self.label = "delete a creation" if count == 1 else f"delete {count} creations"

    def redo(self) -> None:
        self._owner.put_aside(self)

    def undo(self) -> None:
        self._owner.bring_back(self)


class CreationList:
    """Keeps ``state.creations`` in step with the folder that the settings name."""

    def __init__(self, store: Store, settings: Settings, undo: UndoControl) -> None:
        self._store = store
        self._settings = settings
        self._undo = undo
        self._folder = settings.out

    @property
    def folder(self) -> Path:
        """The folder whose creations are shown."""
        return self._folder

    def read(self) -> None:
        """Read what is in the folder, behind what is known already."""
        folder = self._folder
        keep = {item.path for deletion in self.deletions() for item in deletion.trashed}

        def listed(creations: tuple[Creation, ...]) -> None:
            if folder != self._folder:
                return
            before = self._store.state.creations
            known_paths = {creation.path for creation in before}
            self._store.update_state(creations=before + tuple(c for c in creations if c.path not in known_paths))

        self._store.ask(
            lambda: creation_files.creations_in(folder, keep), listed, "The folder for creations cannot be read."
        )

    def settings_changed(self) -> None:
        """Show another folder's creations, if the settings name another one now."""
        if self._settings.out != self._folder:
            self._folder = self._settings.out
            self._store.update_state(creations=())
            self.read()

    def delete(self, creations: Iterable[Creation]) -> None:
        """Put creations aside: one step of undo."""
        deleted = tuple(creations)
        if deleted:
            self._undo.do(CreationDeletion(self, deleted))

    def put_aside(self, deletion: CreationDeletion) -> None:
        """Move the creations of a deletion to the trash."""

        def work() -> list[DeletedCreation]:
            deletion.trashed = creation_files.move_to_trash(deletion.creations)
            deletion.creations = tuple(item.creation for item in deletion.trashed) or deletion.creations
            return deletion.trashed

        def moved(trashed: list[DeletedCreation]) -> None:
            # By what this move has done: the next change may have been made already.
            self._hide(deletion)
            deletion.relabel()
            count = max(1, len(trashed))
            sentence = f"{count} creations deleted." if count > 1 else f"Deleted {self._name(deletion.creations)}."
            if trashed:
                self._undo.offer(deletion, sentence)
            else:
                self._undo.drop(deletion)
                self._store.say(f"{sentence} There was no file any more to bring back.", GONE_HINT)

        def failed(_: Message) -> None:
            self._undo.drop(deletion)
            self._add_back(deletion.creations, deletion.folder)

        self._hide(deletion)
        self._undo.files.ask(work, moved, "The creation cannot be deleted.", failed)

    def bring_back(self, deletion: CreationDeletion) -> None:
        """Move the creations of a deletion to where they were."""

        def work() -> Restored:
            restored = creation_files.restore_from_trash(deletion.trashed)
            deletion.trashed = []
            deletion.creations = tuple(restored.back)
            return restored

        def back(restored: Restored) -> None:
            self._show_restored(restored, deletion.folder)
            deletion.relabel()
            if restored.back:
                self._undo.show()
            else:
                self._undo.drop(deletion)

        self._undo.files.ask(work, back, "The creation cannot be brought back.")

    def restore(self, items: Collection[DeletedCreation]) -> None:
        """Bring back deleted creations, whatever deleted them: steps that would do so have nothing left to do."""

        def work() -> Restored:
            restored = creation_files.restore_from_trash(items)
            self.settle({item.path for item in items}, deletions)
            return restored

        def back(restored: Restored) -> None:
            self._show_restored(restored, folder)
            self.drop_empty(deletions)

        deletions, folder = self.deletions(), self._folder
        self._undo.files.ask(work, back, "The creation cannot be brought back.")

    def settle(self, paths: set[Path], deletions: Iterable[CreationDeletion]) -> None:
        """Take files that have left the trash out of some deletions. In the turn of the file changes only."""
        for deletion in deletions:
            left = [item for item in deletion.trashed if item.path not in paths]
            if len(left) != len(deletion.trashed):
                deletion.trashed = left
                deletion.creations = tuple(item.creation for item in left)

    def drop_empty(self, deletions: Iterable[CreationDeletion]) -> None:
        """Forget those of some deletions that have nothing left to bring back."""
        for deletion in deletions:
            deletion.relabel()
            if not deletion.creations:
                self._undo.drop(deletion)
        self._undo.show()

    def deletions(self) -> list[CreationDeletion]:
        """The deletions among the steps of undo."""
        return [command for command in self._undo.commands if isinstance(command, CreationDeletion)]

    def _show_restored(self, restored: Restored, folder: Path) -> None:
        self._add_back(restored.back, folder)
        if restored.gone:
            count = len(restored.gone)
            what = "The creation is" if count == 1 else f"{count} creations are"
            self._store.say(f"{what} no longer in the trash and cannot come back.", GONE_HINT, "warning")
        if restored.refused and restored.error is not None:
            count = len(restored.refused)
            what = "The creation" if count == 1 else f"{count} creations"
            hint = f"{reason(restored.error)} “Recently deleted” still has {'it' if count == 1 else 'them'}."
            self._store.say(f"{what} cannot be brought back.", hint, "error")

    def _name(self, creations: Iterable[Creation]) -> str:
        """The first of some creations in a few words."""
        creation = next(iter(creations), None)
        packs = self._store.state.packs
        pack = next((p for p in packs if creation is not None and p.id == creation.recipe.pack), None)
        title = title_of(creation.recipe, pack) if creation is not None and pack is not None else ""
        return (
            f"“{title if len(title) <= MOST_LETTERS else title[: MOST_LETTERS - 1] + '…'}”" if title else "a creation"
        )

    def _hide(self, deletion: CreationDeletion) -> None:
        paths = {creation.path for creation in deletion.creations}
        self._store.update_state(creations=tuple(c for c in self._store.state.creations if c.path not in paths))

    def _add_back(self, creations: Iterable[Creation], folder: Path) -> None:
        """Show creations of a folder again, unless another folder is shown now."""
        if folder == self._folder:
            together = {creation.path: creation for creation in (*self._store.state.creations, *creations)}
            self._store.update_state(creations=creation_files.newest_first(together.values()))
