"""The verbs of the Parts page: how many parts, what they are called, which are one, which are background."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QObject, QTimer

from engine.worker.jobs import FindParts, PartsFound
from partcraft_desktop.app.learning.part_sorting import MOST_PARTS, PartSorting, relabelled_wall, sort_clusters
from partcraft_desktop.app.learning.wizard_jobs import SessionServices, WizardJobs

SETTLE_MS: Final = 300
"""A slider that is dragged asks for clusters once it rests this long."""
KEPT_WALLS: Final = 8


class PartEditor(WizardJobs):
    """Sorts clusters into parts; each change can be undone, and asks for what it needs."""

    def __init__(self, desk: SessionServices, parent: QObject | None = None) -> None:
        super().__init__(desk, parent)
        self._undone: list[PartSorting] = []
        self._redone: list[PartSorting] = []
        self._walls: dict[FindParts, PartsFound] = {}
        self._found_for: FindParts | None = None
        self._later = QTimer(self, singleShot=True, interval=SETTLE_MS)
        self._later.timeout.connect(self._find_parts)

    def _sorted(self) -> None:
        """Told when parts were found, for whoever waits for them."""

    def set_clusters(self, count: int) -> None:
        """Look for another number of parts."""
        sorting = self.now.draft.sorting
        self._sort(sorting.with_clusters(min(max(count, 1), MOST_PARTS), sorting.flip))

    def flip_background(self) -> None:
        """Take what was the background for the thing, and the thing for the background."""
        sorting = self.now.draft.sorting
        self._sort(sorting.with_clusters(sorting.clusters, not sorting.flip))

    def rename(self, part: int, name: str) -> str | None:
        """Name a part. What is wrong with the name, in words, or None."""
        sorting = self.now.draft.sorting
        name = " ".join(name.split())
        if not name:
            return "A part needs a name."
        if any(char in "<>:" for char in name):
            return "A name cannot have <, > or a colon: prompts use them."
        if part >= len(sorting.parts):
            return "That part is not there any more."
        others = {one.name.casefold() for at, one in enumerate(sorting.parts) if at != part}
        if name.casefold() in others:
            return f"Another part is called “{name}”. Merge them, or choose another name."
        if name != sorting.parts[part].name:
            self._sort(sorting.changed(part, name=name, named=True))
        return None

    def recolour(self, part: int, colour: str) -> None:
        """Give a part another colour (``#rrggbb``); a part that has it takes this one's."""
        sorting = self.now.draft.sorting
        if part >= len(sorting.parts):
            return  # chosen a moment before other parts were found
        old = sorting.parts[part].colour
        other = next((at for at, one in enumerate(sorting.parts) if one.colour == colour and at != part), None)
        sorting = sorting.changed(part, colour=colour)
        self._sort(sorting if other is None else sorting.changed(other, colour=old))

    def merge(self, first: int, second: int) -> None:
        """Make two parts one."""
        sorting = self.now.draft.sorting
        if first != second and sorting.settled and max(first, second) < len(sorting.parts):
            self._sort(sorting.merge(first, second))

    def split(self, part: int) -> None:
        """Take a merged part apart again."""
        sorting = self.now.draft.sorting
        if sorting.settled and part < len(sorting.parts) and len(sorting.parts[part].members) > 1:
            self._sort(sorting.split(part, ()))

    def drop(self, part: int, dropped: bool = True) -> None:
        """Let a part belong to the background, or take it back."""
        sorting = self.now.draft.sorting
        if part < len(sorting.parts):
            self._sort(sorting.changed(part, dropped=dropped))

    def undo(self) -> None:
        """Take back the last change of the parts."""
        if self._undone:
            self._redone.append(self.now.draft.sorting)
            self._show_sorting(self._undone.pop())

    def redo(self) -> None:
        """Change them again."""
        if self._redone:
            self._undone.append(self.now.draft.sorting)
            self._show_sorting(self._redone.pop())

    def _sort(self, sorting: PartSorting) -> None:
        before = self.now.draft.sorting
        if sorting == before or self.now.draft.extends:
            return
        # A slider that is dragged is one step back, not one for each place it passed.
        if before.settled or not self._undone:
            self._undone.append(before)
        self._redone = []
        self._show_sorting(sorting)

    def _show_sorting(self, sorting: PartSorting) -> None:
        self._draft(sorting=sorting)
        self._set(
            wall=relabelled_wall(sorting, self.now.found), can_undo=bool(self._undone), can_redo=bool(self._redone)
        )
        known = self._walls.get(self._wanted())
        if known is not None:
            self._later.stop()
            self._parts_found(self._wanted(), known)
        else:
            self._later.start()

    def _wanted(self) -> FindParts:
        draft = self.now.draft
        sorting = draft.sorting
        if draft.extends:
            return FindParts(draft.folder, extends=draft.extends)
        return FindParts(draft.folder, sorting.clusters, flip_background=sorting.flip, merged=sorting.merged)

    def _find_parts(self) -> None:
        self._later.stop()
        wanted = self._wanted()
        if not wanted.folder or wanted == self._found_for or self.now.draft.page not in ("parts", "plan"):
            return
        self.cancel("parts")
        self._do("parts", wanted, lambda found: self._parts_found(wanted, found))

    def _parts_found(self, wanted: FindParts, found: PartsFound) -> None:
        self.cancel("parts")
        known = [self.now.extended] if self.now.extended else self.now.extendable
        colours = {part.name: part.colour for pack in reversed(known) for part in pack.vocabulary.parts}
        sorting = sort_clusters(self.now.draft.sorting, found, self.now.found, colours)
        self._draft(sorting=sorting)
        self._set(found=found, wall=relabelled_wall(sorting, found))
        self._found_for = self._wanted()
        self._walls = {**self._walls, wanted: found, self._found_for: found}
        while len(self._walls) > KEPT_WALLS:
            del self._walls[next(iter(self._walls))]
        self._sorted()
