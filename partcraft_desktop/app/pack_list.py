"""The packs in the library: listed, imported, removed, brought back. All of it is read off the Qt thread."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.core.errors import UserError
from engine.packs.library import PackLibrary
from engine.packs.pack import Pack
from partcraft_desktop.app.messages import Action
from partcraft_desktop.app.store import LatestRequest, Store


@dataclass(frozen=True)
class PackListing:
    """What the library had when it was read. ``own`` are the folders of packs that can be removed; ``number`` grows
    from each reading to the next."""

    number: int
    packs: tuple[Pack, ...]
    own: frozenset[Path]
    errors: tuple[UserError, ...]


class PackList:
    """``listed`` is called with every :class:`PackListing` that is newer than those before; ``open_pack`` switches to
    a pack of the library."""

    def __init__(
        self,
        store: Store,
        library: PackLibrary,
        listed: Callable[[PackListing], None],
        open_pack: Callable[[str], None],
    ) -> None:
        self._store = store
        self._library = library
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
        self._change(work, then, "The packs cannot be read.", must_finish=False)

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
        self.read(lambda: Path(folder).resolve(), landed)

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
        """Take one of a person's own packs out of the library; it can be brought back."""

        def landed(trashed: Path) -> None:
            action = Action("Undo", lambda: self._bring_back(trashed))
            self._store.say(f"The pack “{pack.title}” was removed.", action=action)

        self._change(lambda: self._library.delete(pack.path), landed, "The pack cannot be removed.")

    def _bring_back(self, trashed: Path) -> None:
        self._change(lambda: self._library.restore(trashed), lambda _: None, "The pack cannot come back.")

    def _change(
        self, work: Callable[[], Any], then: Callable[[Any], None], otherwise: str, must_finish: bool = True
    ) -> None:
        """Do something to the library and read what it has afterwards; show that, then go on with what was done."""

        def landed(outcome: tuple[Any, PackListing]) -> None:
            result, listing = outcome
            # Two readings may land in the other order than they were made.
            if listing.number > self._newest:
                self._newest = listing.number
                self._own = listing.own
                self._listed(listing)
            then(result)

        self._store.ask(lambda: (work(), self._read_listing()), landed, otherwise, must_finish=must_finish)

    def _read_listing(self) -> PackListing:
        number = next(self._numbers)
        entries = self._library.listing()
        packs = tuple(entry.pack for entry in entries if entry.pack is not None)
        own_folder = self._library.own.resolve()
        own = frozenset(pack.path for pack in packs if pack.path.parent == own_folder)
        return PackListing(number, packs, own, tuple(entry.error for entry in entries if entry.error is not None))
