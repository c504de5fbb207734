"""The packs in the library: listed, imported, removed, brought back. All of it is read off the Qt thread."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.core.errors import UserError
from engine.core.on_disk import resolved
from engine.core.recipe import Recipe
from engine.packs.library import PackLibrary, TrashedPack
from engine.packs.pack import Pack
from partcraft_desktop.app.history import UndoCommand
from partcraft_desktop.app.messages import Message
from partcraft_desktop.app.store import LatestRequest, Store
from partcraft_desktop.app.undo_control import UndoControl


@dataclass(frozen=True)
class PackListing:
    """What the library had when it was read. ``own`` are the folders of packs that can be removed; ``number`` grows
    from each reading to the next."""

    number: int
    packs: tuple[Pack, ...]
    own: frozenset[Path]
    errors: tuple[UserError, ...]


class PackRemoval(UndoCommand):
    """A pack that was taken out of the library. Its paths are written in the turn of the file changes only."""

    def __init__(self, owner: PackList, pack: Pack) -> None:
        self._owner = owner
        self.label = f"remove pack {pack.title}"
        self.pack = pack.id
        self.title = pack.title
        self.path = pack.path
        self.trashed: Path | None = None
        self.was_shown = False
        self.recipe_after: Recipe | None = None
        """The recipe that took the place of the pack's own."""

    def redo(self) -> None:
        self._owner.take_away(self)

    def undo(self) -> None:
        self._owner.bring_back(self)


class PackList:
    """``listed`` is called with every :class:`PackListing` that is newer than those before; ``open_pack`` switches to
    a pack of the library, ``show_again`` does so without a step of undo."""

    def __init__(
        self,
        store: Store,
        library: PackLibrary,
        undo: UndoControl,
        listed: Callable[[PackListing], None],
        open_pack: Callable[[str], None],
        show_again: Callable[[Pack], None],
    ) -> None:
        self._store = store
        self._library = library
        self._undo = undo
        self._show_again = show_again
        self._listed = listed
        self._open_pack = open_pack
        self._numbers = itertools.count(1)
        self._newest = 0
        self._own: frozenset[Path] = frozenset()
        self.requests = LatestRequest()

    def is_own(self, pack: Pack) -> bool:
        """Whether a pack is the person's own, so that it can be removed."""
        return pack.path in self._own

    def read(self, work: Callable[[], Any] = lambda: None, then: Callable[[Any], None] = lambda _: None) -> None:
        """See which packs there are now. ``work`` is done before, off the Qt thread; ``then`` has what it returned,
        after the packs are shown."""
        self._change(work, then, "The packs cannot be read.", in_turn=False)

    def open_at(self, folder: str) -> None:
        """Switch to the pack in a folder, if it is in the library and no other is asked for meanwhile."""
        still_wanted = self.requests.begin()

        def landed(path: Path) -> None:
            pack = self._pack_at(path)
            if pack is None:
                missing = f"The pack “{Path(folder).name}” is not in the library."
                self._store.say(missing, "It was moved or removed.", "warning")
            elif still_wanted():
                self._open_pack(pack.id)

        listed_pack = self._pack_at(Path(folder))
        if listed_pack is not None:
            self._open_pack(listed_pack.id)  # at once; whether it is still there is seen below
        self.read(lambda: resolved(folder), landed)

    def _pack_at(self, folder: Path) -> Pack | None:
        return next((pack for pack in self._store.state.packs if pack.path == folder), None)

    def import_file(self, path: str | Path) -> None:
        """Take a .partpack into the library and show it, unless another pack is asked for meanwhile."""
        still_wanted = self.requests.begin()

        def landed(pack: Pack) -> None:
            if still_wanted():
                self._open_pack(pack.id)
            self._store.say(f"The pack “{pack.title}” is ready.")

        self._change(lambda: self._library.import_pack(Path(path)), landed, f"“{Path(path).name}” cannot be opened.")

    def remove(self, pack: Pack) -> None:
        """Take one of a person's own packs out of the library: one step of undo."""
        self._undo.do(PackRemoval(self, pack))

    def take_away(self, removal: PackRemoval) -> None:
        """Move the pack of a removal to the trash."""

        def work() -> None:
            removal.trashed = self._library.delete(removal.path)

        def landed(_: None) -> None:
            removal.recipe_after = self._store.state.recipe
            self._undo.offer(removal, f"The pack “{removal.title}” was removed.")

        shown_pack = self._store.state.pack
        removal.was_shown = shown_pack is not None and shown_pack.id == removal.pack
        self._change(work, landed, "The pack cannot be removed.", lambda _: self._undo.drop(removal))

    def bring_back(self, removal: PackRemoval) -> None:
        """Move the pack of a removal back into the library, and show it where it was shown."""

        def work() -> Pack | None:
            if removal.trashed is None:  # it never went
                return None
            pack = self._library.restore(removal.trashed)
            removal.path, removal.trashed = pack.path, None
            return pack

        def landed(pack: Pack | None) -> None:
            after, now = removal.recipe_after, self._store.state.recipe
            went_on = after is None or replace(after, seed=0) != replace(now, seed=0)
            if pack is not None and removal.was_shown and not went_on:
                self._show_again(pack)

        self._change(work, landed, "The pack cannot come back.", lambda _: self._undo.drop(removal))

    def trashed(self) -> list[TrashedPack]:
        """The packs in the trash. Reads files: not on the Qt thread."""
        return self._library.trashed()

    def restore(self, trashed: Path, then: Callable[[Any], None]) -> None:
        """Bring back a pack, whatever removed it: a step that would do so has nothing left to do."""

        def landed(pack: Pack) -> None:
            self.settle([trashed])
            then(pack)

        self._change(lambda: self._library.restore(trashed), landed, "The pack cannot come back.")

    def remove_trashed(self, trashed: Path) -> None:
        """Remove a pack from the trash: nothing brings it back. Changes files: not on the Qt thread."""
        self._library.delete_for_good(trashed)

    def settle(self, trashed: Collection[Path]) -> None:
        """Forget removals whose packs have left the trash."""
        for command in self._undo.commands:
            if isinstance(command, PackRemoval) and command.trashed in trashed:
                self._undo.drop(command)

    def _change(
        self,
        work: Callable[[], Any],
        then: Callable[[Any], None],
        otherwise: str,
        failed: Callable[[Message], None] | None = None,
        in_turn: bool = True,
    ) -> None:
        """Do something to the library and read what it has afterwards; show that, then go on with what was done.
        ``in_turn``: it changes files, and is done after other changes and even if the window closes."""

        def landed(outcome: tuple[Any, PackListing]) -> None:
            result, listing = outcome
            # Two readings may land in the other order than they were made.
            if listing.number > self._newest:
                self._newest = listing.number
                self._own = listing.own
                self._listed(listing)
            then(result)

        ask = self._undo.files.ask if in_turn else self._store.ask
        ask(lambda: (work(), self._read_listing()), landed, otherwise, failed)

    def _read_listing(self) -> PackListing:
        number = next(self._numbers)
        entries = self._library.listing()
        packs = tuple(entry.pack for entry in entries if entry.pack is not None)
        own_folder = resolved(self._library.own)
        own = frozenset(pack.path for pack in packs if pack.path.parent == own_folder)
        return PackListing(number, packs, own, tuple(entry.error for entry in entries if entry.error is not None))
