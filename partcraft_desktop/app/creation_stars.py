"""Stars on creations. They have a file of their own: the index may be thrown away at any time, and PNGs stay as they
are.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from engine.core.atomic_files import read_json, write_bytes
from engine.core.json_values import json_bytes
from engine.core.on_disk import is_file, size_of
from engine.core.paths import free_stem
from engine.core.recipe import Creation
from partcraft_desktop.app.history import UndoCommand
from partcraft_desktop.app.store import Store
from partcraft_desktop.app.undo_control import UndoControl

STARS: Final = "stars.json"


def star_of(creation: Creation) -> str:
    """By what a creation is known when its file was renamed or moved: when it was made, and its seed."""
    return f"{creation.created} {creation.recipe.seed}" if creation.created else Path(creation.path).name


class CreationStars:
    """Owns ``state.stars``, and keeps them in a file in ``home``."""

    def __init__(self, store: Store, home: Path, undo: UndoControl) -> None:
        self._store = store
        self._file = home / STARS
        self._undo = undo

    def begin(self) -> None:
        """Read them."""

        def landed(stars: frozenset[str]) -> None:
            self._store.update_state(stars=self._store.state.stars | stars)

        self._undo.files.ask(lambda: _read(self._file), landed, "The stars cannot be read.")

    def toggle(self, creations: Iterable[Creation]) -> None:
        """Give all of them a star, or take it from all if each has one: one step of undo."""
        wanted = frozenset(map(star_of, creations))
        stars = self._store.state.stars
        changed = wanted - stars or wanted
        if changed:
            self._undo.do(_StarChange(self, changed, not changed <= stars))

    def put(self, changed: frozenset[str], given: bool) -> None:
        """Give or take some stars."""
        stars = self._store.state.stars
        stars = stars | changed if given else stars - changed
        self._store.update_state(stars=stars)
        data = json_bytes({"stars": sorted(stars)}, indent=1)
        self._undo.files.ask(
            lambda: write_bytes(self._file, data, "the stars"), lambda _: None, "The stars cannot be saved."
        )


class _StarChange(UndoCommand):
    def __init__(self, owner: CreationStars, changed: frozenset[str], given: bool) -> None:
        self._owner, self._changed, self._given = owner, changed, given
        what = "a star" if len(changed) == 1 else f"{len(changed)} stars"
        self.label = f"give {what}" if given else f"take {what} away"

    def redo(self) -> None:
        self._owner.put(self._changed, self._given)

    def undo(self) -> None:
        self._owner.put(self._changed, not self._given)


def _read(file: Path) -> frozenset[str]:
    stars = read_json(file).get("stars")
    if isinstance(stars, list):
        return frozenset(star for star in stars if isinstance(star, str))
    if is_file(file) and size_of(file):  # not as it was written: kept, and begun anew
        file.rename(file.with_name(free_stem(file.parent, "stars-damaged", (".json",)) + ".json"))
    return frozenset()
