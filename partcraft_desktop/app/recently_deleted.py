"""What was deleted and can still be brought back: creations, packs, trainings, pictures taken off the wall."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from engine.core.errors import UserError
from engine.core.on_disk import is_file
from engine.core.trash import Trashed, days_left, delete_for_good, in_trash
from engine.packs.library import TrashedPack
from engine.packs.pack import Pack
from engine.runs.launcher import restore_run
from engine.runs.run import read_run
from engine.runs.run_folder import PLAN
from partcraft_desktop.app import creation_files
from partcraft_desktop.app.creation_files import DeletedCreation
from partcraft_desktop.app.creation_list import CreationList
from partcraft_desktop.app.messages import sentence_of
from partcraft_desktop.app.open_pictures import OpenPictures, title_of_file
from partcraft_desktop.app.pack_list import PackList
from partcraft_desktop.app.render_queue import title_of
from partcraft_desktop.app.state import DeletedItem
from partcraft_desktop.app.store import Store
from partcraft_desktop.app.undo_control import UndoControl


class RecentlyDeleted:
    """Owns ``state.deleted``, which is read when somebody asks for it."""

    def __init__(
        self,
        store: Store,
        undo: UndoControl,
        creations: CreationList,
        packs: PackList,
        pictures: OpenPictures,
        runs_changed: Callable[[], None],
    ) -> None:
        self._store = store
        self._undo = undo
        self._creations = creations
        self._packs = packs
        self._pictures = pictures
        self._runs_changed = runs_changed
        self._waiting: dict[str, DeletedCreation] = {}

    def read(self) -> None:
        """See what can be brought back now: what is being deleted just now, too."""
        folder, packs = self._creations.folder, self._store.state.packs
        closed = dict(self._pictures.closed)

        def work() -> tuple[list[DeletedCreation], list[DeletedItem]]:
            waiting = creation_files.trashed_in(folder, lambda: self._store.closed)
            trashed_packs = self._packs.trashed()
            by_id = {pack.id: pack for pack in (*(trashed.pack for trashed in trashed_packs), *packs)}
            items = [_creation_item(deleted, by_id.get(deleted.creation.recipe.pack)) for deleted in waiting]
            items += [_pack_item(trashed) for trashed in trashed_packs]
            items += [_training_item(trashed) for trashed in in_trash(PLAN)]
            items += [
                DeletedItem("picture", title_of_file(path), when, path, path)
                for path, when in closed.items()
                if is_file(path)
            ]
            return waiting, sorted(items, key=lambda item: item.when, reverse=True)

        def landed(found: tuple[list[DeletedCreation], list[DeletedItem]]) -> None:
            waiting, items = found
            self._waiting = {str(deleted.path): deleted for deleted in waiting}
            self._store.update_state(deleted=tuple(items), deleted_listed=True)

        self._undo.files.ask(work, landed, "What was deleted cannot be listed.")

    def restore(self, items: Sequence[DeletedItem]) -> None:
        """Bring back some of ``state.deleted``."""
        creations = [self._waiting[item.path] for item in items if item.path in self._waiting]
        if creations:
            self._creations.restore(creations)
        for item in items:
            if item.kind == "pack":
                self._packs.restore(Path(item.path), lambda _: None)
            elif item.kind == "training":
                self._restore_training(Path(item.path))
            elif item.kind == "picture":
                self._pictures.restore_closed(item.path)
        self._take_out(items)

    def _restore_training(self, path: Path) -> None:
        def landed(_: Path) -> None:
            self._runs_changed()

        self._undo.files.ask(lambda: restore_run(path), landed, "The training cannot come back.")

    def delete_for_good(self, items: Sequence[DeletedItem]) -> None:
        """Remove some of ``state.deleted`` so that nothing brings them back. The files of a person's own pictures
        stay: they are only no longer listed."""
        deletions = self._creations.deletions()

        def work() -> tuple[list[DeletedItem], Exception | None]:
            gone: list[DeletedItem] = []
            error: Exception | None = None
            for item in items:
                try:
                    self._remove(item)
                    gone.append(item)
                except (OSError, UserError) as refusal:
                    error = refusal
            self._creations.settle({Path(item.path) for item in gone}, deletions)
            return gone, error

        def landed(outcome: tuple[list[DeletedItem], Exception | None]) -> None:
            gone, error = outcome
            self._creations.drop_empty(deletions)
            self._packs.settle({Path(item.path) for item in gone if item.kind == "pack"})
            self._pictures.forget_closed(item.path for item in gone if item.kind == "picture")
            if gone:
                what = f"{len(gone)} things are" if len(gone) > 1 else f"“{gone[0].name}” is"
                self._store.say(
                    f"{what} deleted for good; undo no longer leads to {'them' if len(gone) > 1 else 'it'}."
                )
            if error is not None:
                self._store.message.emit(sentence_of(error, "Not everything could be deleted for good."))

        self._undo.files.ask(work, landed, "Nothing could be deleted for good.")
        self._take_out(items)

    def _remove(self, item: DeletedItem) -> None:
        if item.kind == "creation":
            creation_files.delete_for_good([Path(item.path)])
        elif item.kind == "pack":
            self._packs.remove_trashed(Path(item.path))
        elif item.kind == "training":
            delete_for_good(Path(item.path), PLAN)

    def _take_out(self, items: Iterable[DeletedItem]) -> None:
        # At once, so that nothing is asked for twice; what could not be done is listed again.
        paths = {item.path for item in items}
        self._store.update_state(deleted=tuple(item for item in self._store.state.deleted if item.path not in paths))
        self.read()


def _creation_item(deleted: DeletedCreation, pack: Pack | None) -> DeletedItem:
    recipe = deleted.creation.recipe
    name = title_of(recipe, pack) if pack is not None else "Creation"
    path = str(deleted.path)
    return DeletedItem("creation", name, deleted.when, path, path, days_left(deleted.when))


def _pack_item(trashed: TrashedPack) -> DeletedItem:
    references = trashed.pack.references
    image = references[0].thumbnail or references[0].image if references else ""
    return DeletedItem("pack", trashed.pack.title, trashed.when, image, str(trashed.path), days_left(trashed.when))


def _training_item(trashed: Trashed) -> DeletedItem:
    path = str(trashed.path)
    return DeletedItem("training", read_run(path).title, trashed.when, "", path, days_left(trashed.when))
