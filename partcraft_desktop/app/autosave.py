"""What is kept between two starts: pack, recipes, pictures, in one JSON file, written soon after every change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, QTimer, Signal

from engine.core.atomic_files import read_json
from engine.core.json_values import finite_number
from engine.core.recipe import Recipe
from partcraft_desktop.app.settings import FileWriter
from partcraft_desktop.app.timings import Timings

SAVE_AFTER_MS: Final = 250
"""Changes within this time are one write: a slider drag does not write a hundred files."""

MOST_QUEUED: Final = 1000

_LATEST: Final = 32503680000.0
"""The year 3000, in seconds since 1970: no system's clock goes on from there."""


@dataclass(frozen=True)
class Saved:
    """What was there last time. ``recipes`` has the last one of each pack by the pack's id; ``reference`` is a
    reference's id or the path of a person's own picture, ``own`` are such paths, newest first. ``learning`` is what
    :meth:`partcraft_desktop.app.learning.draft.Draft.to_document` says. ``queue`` is what was not rendered yet.
    ``closed`` has the pictures that were taken off the wall, and when, in seconds since 1970."""

    pack: str = ""
    reference: str = ""
    own: tuple[str, ...] = ()
    seed_locked: bool = False
    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    learning: Mapping[str, Any] = field(default_factory=dict)
    queue: tuple[Recipe, ...] = ()
    timings: Timings = field(default_factory=Timings)
    closed: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Saved:
        """From JSON values; whatever is wrong is left out: a damaged file must not keep the app from starting."""

        def text(name: str) -> str:
            value = document.get(name)
            return value if isinstance(value, str) else ""

        own, lines, learning = document.get("own"), document.get("recipes"), document.get("learning")
        queue, closed = document.get("queue"), document.get("closed")
        queued = [_recipe(line) for line in queue[:MOST_QUEUED]] if isinstance(queue, list) else []
        recipes = [_recipe(line) for line in lines.values()] if isinstance(lines, dict) else []
        return cls(
            text("pack"),
            text("reference"),
            tuple(path for path in own if isinstance(path, str)) if isinstance(own, list) else (),
            document.get("seed_locked") is True,
            {recipe.pack: recipe for recipe in recipes if recipe is not None},
            learning if isinstance(learning, dict) else {},
            tuple(recipe for recipe in queued if recipe is not None),
            Timings.from_document(document.get("timings")),
            _times(closed),
        )

    def to_document(self) -> dict[str, Any]:
        """JSON values, read back by :meth:`from_document`."""
        recipes = {pack: recipe.to_json() for pack, recipe in self.recipes.items()}
        return {
            "version": 1,
            "pack": self.pack,
            "reference": self.reference,
            "own": list(self.own),
            "seed_locked": self.seed_locked,
            "recipes": recipes,
            "learning": dict(self.learning),
            "queue": [recipe.to_json() for recipe in self.queue],
            "timings": self.timings.to_document(),
            "closed": dict(self.closed),
        }


class Autosave(QObject):
    """Writes what ``now()`` returns, off the Qt thread, shortly after :meth:`soon`. ``failed`` has the error, once
    until a write works again."""

    failed = Signal(object)

    def __init__(self, path: Path, now: Callable[[], Saved], parent: QObject) -> None:
        super().__init__(parent)
        self._path = path
        self._now = now
        self._writer = FileWriter(path, "your work", self)
        self._writer.failed.connect(self.failed)
        self._timer = QTimer(self, singleShot=True, interval=SAVE_AFTER_MS)
        self._timer.timeout.connect(self._save)

    def read(self) -> Saved:
        """What the file says, or nothing."""
        return Saved.from_document(read_json(self._path))

    def soon(self) -> None:
        """Something changed."""
        if not self._timer.isActive():
            self._timer.start()

    def flush(self) -> None:
        """Write what is not written yet, and wait for it."""
        if self._timer.isActive():
            self._timer.stop()
            self._save()
        self._writer.flush()

    def close(self) -> None:
        """Write what is not written yet, and write no more."""
        self.flush()
        self._writer.close()

    def _save(self) -> None:
        self._writer.write(self._now().to_document())


def _times(table: object) -> dict[str, float]:
    """Paths and times, those that a calendar has."""
    read = {path: finite_number(when) for path, when in table.items()} if isinstance(table, dict) else {}
    return {path: when for path, when in read.items() if when is not None and 0 <= when < _LATEST}


def _recipe(line: object) -> Recipe | None:
    try:
        return Recipe.from_json(line) if isinstance(line, str) else None
    except ValueError:
        return None
