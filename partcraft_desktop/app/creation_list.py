"""The creations in the output folder: listed, deleted, brought back."""

from __future__ import annotations

from collections.abc import Iterable

from engine.core.recipe import Creation
from partcraft_desktop.app import creation_files
from partcraft_desktop.app.creation_files import DeletedCreation
from partcraft_desktop.app.messages import Action
from partcraft_desktop.app.settings import Settings
from partcraft_desktop.app.store import Store


class CreationList:
    """Keeps ``state.creations`` in step with the folder that the settings name."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._folder = settings.out
        self._deleted: list[list[DeletedCreation]] = []

    def read(self) -> None:
        """Read what is in the folder, behind what is known already."""
        folder = self._folder

        def listed(creations: tuple[Creation, ...]) -> None:
            if folder != self._folder:
                return
            before = self._store.state.creations
            known_paths = {creation.path for creation in before}
            self._store.update_state(creations=before + tuple(c for c in creations if c.path not in known_paths))

        self._store.ask(lambda: creation_files.creations_in(folder), listed, "The folder for creations cannot be read.")

    def settings_changed(self) -> None:
        """Show another folder's creations, if the settings name another one now."""
        if self._settings.out != self._folder:
            self._folder = self._settings.out
            self._store.update_state(creations=())
            self.read()

    def delete(self, creations: Iterable[Creation]) -> None:
        """Put creations aside; they can be brought back."""
        deleted = list(creations)
        if not deleted:
            return
        paths = {creation.path for creation in deleted}
        self._store.update_state(creations=tuple(c for c in self._store.state.creations if c.path not in paths))

        def moved(asides: list[DeletedCreation]) -> None:
            self._deleted.append(asides)
            sentence = "Deleted." if len(deleted) == 1 else f"{len(deleted)} creations deleted."
            self._store.say(sentence, action=Action("Undo", self.restore))

        self._store.ask(
            lambda: creation_files.move_to_trash(deleted),
            moved,
            "The creation cannot be deleted.",
            lambda _: self._add_back(deleted),
            must_finish=True,
        )

    def restore(self) -> None:
        """Bring back what was deleted last."""
        if self._deleted:
            asides = self._deleted.pop()
            self._store.ask(
                lambda: creation_files.restore_from_trash(asides),
                self._add_back,
                "The creation cannot be brought back.",
                must_finish=True,
            )

    def _add_back(self, creations: list[Creation]) -> None:
        together = {creation.path: creation for creation in (*self._store.state.creations, *creations)}
        self._store.update_state(creations=creation_files.newest_first(together.values()))
