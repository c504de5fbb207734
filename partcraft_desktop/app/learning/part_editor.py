"""The verbs of the Parts page: how many parts, what they are called, which are one, which are background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from PySide6.QtCore import QObject, QTimer, Signal

from engine.worker.jobs import FindParts, GetEyes, PartsFound, SeenPicture
from partcraft_desktop.app.learning.part_sorting import MOST_PARTS, PartSorting, relabelled_wall, sort_clusters
from partcraft_desktop.app.learning.picture_edits import MOST_STROKES, PartStroke, picture_name, thinned
from partcraft_desktop.app.learning.wizard_jobs import WizardJobs
from partcraft_desktop.app.learning.wizard_store import WizardStore

SETTLE_MS: Final = 300
"""A slider that is dragged asks for clusters once it rests this long."""
KEPT_WALLS: Final = 8


class PartEditor(QObject):
    """Sorts clusters into parts; each change can be undone, and searches for what it needs.

    ``parts_shown``: parts that were found are in the state.
    """

    parts_shown = Signal()

    def __init__(self, store: WizardStore, jobs: WizardJobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._jobs = jobs
        self._undone: list[PartSorting] = []
        self._redone: list[PartSorting] = []
        self._kept: dict[FindParts, PartsFound] = {}
        self._searching: FindParts | None = None
        self._shown: FindParts | None = None
        self._held = False
        self._later = QTimer(self, singleShot=True, interval=SETTLE_MS)
        self._later.timeout.connect(self.search)

    @property
    def _sorting(self) -> PartSorting:
        return self._store.now.draft.sorting

    def close(self) -> None:
        """Search no more."""
        self._later.stop()

    def reset(self) -> None:
        """Forget what was found and what can be undone: the pictures, or what they are for, are others."""
        self._later.stop()
        self._jobs.cancel("parts")
        self._undone, self._redone = [], []
        self.forget_results()
        self._store.replace(parts_found=None, wall=(), can_undo=False, can_redo=False)

    def forget_results(self) -> None:
        """Search anew when parts are next asked for; what is on show stays until then."""
        self._kept, self._shown = {}, None

    def set_eyes(self, eyes: str) -> None:
        """Have other eyes look (empty: those that fit the pictures). They see other parts, so sorting begins anew."""
        draft = self._store.now.draft
        if eyes != draft.eyes and not draft.extends:
            self._store.replace_draft(eyes=eyes)
            self._search_anew()

    def get_eyes(self) -> None:
        """Fetch the eyes for photographs, and look with them unless a person chose others."""

        def landed(_folder: str) -> None:
            draft = self._store.now.draft
            if not draft.eyes and not draft.extends:
                self._search_anew()

        if not self._jobs.is_running("eyes"):
            self._jobs.start("eyes", GetEyes(), landed)

    def _search_anew(self) -> None:
        self.reset()
        self._jobs.cancel("pack")
        self._jobs.cancel("measure")
        self._store.clear_error("parts")
        self._store.replace_draft(sorting=self._sorting.anew())
        self.search()

    def set_clusters(self, count: int) -> None:
        """Look for another number of parts."""
        self._change(self._sorting.with_clusters(min(max(count, 1), MOST_PARTS), self._sorting.flip))

    def flip_background(self) -> None:
        """Take what was the background for the thing, and the thing for the background."""
        self._change(self._sorting.with_clusters(self._sorting.clusters, not self._sorting.flip))

    def rename(self, part: int, name: str) -> str | None:
        """Name a part. What is wrong with the name, in words, or None."""
        sorting = self._sorting
        name = " ".join(name.split())
        if not name:
            return "A part needs a name."
        if any(char in "<>:" for char in name):
            return "A name cannot have <, > or a colon: prompts use them."
        if part >= len(sorting.parts):
            return "That part is not there any more."
        others = {other.name.casefold() for at, other in enumerate(sorting.parts) if at != part}
        if name.casefold() in others:
            return f"Another part is called “{name}”. Merge them, or choose another name."
        if name != sorting.parts[part].name:
            self._change(sorting.changed(part, name=name, named=True))
        return None

    def recolour(self, part: int, colour: str) -> None:
        """Give a part another colour (``#rrggbb``); a part that has it takes this one's."""
        sorting = self._sorting
        if part >= len(sorting.parts):
            return  # chosen a moment before other parts were found
        old = sorting.parts[part].colour
        same = (at for at, other in enumerate(sorting.parts) if other.colour == colour and at != part)
        swapped = next(same, None)
        sorting = sorting.changed(part, colour=colour)
        self._change(sorting if swapped is None else sorting.changed(swapped, colour=old))

    def merge(self, first: int, second: int) -> None:
        """Make two parts one."""
        sorting = self._sorting
        if first != second and sorting.settled and max(first, second) < len(sorting.parts):
            self._change(sorting.merge(first, second))

    def split(self, part: int) -> None:
        """Take a merged part apart again."""
        sorting = self._sorting
        if sorting.settled and part < len(sorting.parts) and len(sorting.parts[part].members) > 1:
            self._change(sorting.split(part, ()))

    def drop(self, part: int, dropped: bool = True) -> None:
        """Let a part belong to the background, or take it back."""
        sorting = self._sorting
        if part < len(sorting.parts):
            self._change(sorting.changed(part, dropped=dropped))

    def paint(
        self, picture: str, part: int | None, points: Sequence[tuple[float, float]], radius: tuple[float, float]
    ) -> None:
        """Say with a stroke what is there in a picture of the wall: a part, or (None) background. ``points`` and
        ``radius`` are shares of its width and height."""
        sorting = self._sorting
        if not sorting.settled or not points or (part is not None and part >= len(sorting.parts)):
            return
        clusters = {} if part is None else {sorting.of: sorting.parts[part].members[0]}
        name = picture_name(picture, self._store.now.draft.folder)
        stroke = PartStroke(name, thinned(points, radius), radius, part is None, clusters)
        self._change_pictures(replace(sorting, strokes=(*sorting.strokes, stroke)[-MOST_STROKES:]))

    def leave_out(self, picture: str, out: bool = True) -> None:
        """Learn nothing of a picture of the wall, or take it in again. The last one cannot be left out."""
        sorting, surveyed = self._sorting, self._store.now.surveyed
        name = picture_name(picture, self._store.now.draft.folder)
        others = tuple(other for other in sorting.left_out if other != name)
        if not out:
            self._change_pictures(replace(sorting, left_out=others))
        elif sorting.settled and (surveyed is None or len(others) + 1 < len(surveyed.pictures)):
            self._change_pictures(replace(sorting, left_out=(*others, name)))

    def hold(self, held: bool) -> None:
        """Look again only once a person has put the brush down."""
        if held != self._held:
            self._held = held
            if not held:
                self.search()

    def undo(self) -> None:
        """Take back the last change of the parts."""
        if self._undone:
            self._redone.append(self._sorting)
            self._show_sorting(self._undone.pop())

    def redo(self) -> None:
        """Change them again."""
        if self._redone:
            self._undone.append(self._sorting)
            self._show_sorting(self._redone.pop())

    def _change(self, sorting: PartSorting) -> None:
        if not self._store.now.draft.extends:  # those parts are another pack's
            self._change_pictures(sorting)

    def _change_pictures(self, sorting: PartSorting) -> None:
        before = self._sorting
        if sorting == before:
            return
        # A slider that is dragged is one step back, not one for each place it passed.
        if before.settled or not self._undone:
            self._undone.append(before)
        self._redone = []
        self._show_sorting(sorting)

    def _show_sorting(self, sorting: PartSorting) -> None:
        self._store.replace_draft(sorting=sorting)
        self._store.replace(
            wall=self._wall(sorting, self._store.now.parts_found),
            can_undo=bool(self._undone),
            can_redo=bool(self._redone),
        )
        parts_found = self._kept.get(self._wanted())
        if parts_found is not None:
            self._later.stop()
            self._show_parts(parts_found)
        else:
            self._later.start()

    def _wanted(self) -> FindParts:
        draft = self._store.now.draft
        sorting = draft.sorting
        edits: Any = {"left_out": sorting.left_out, "corrections": sorting.corrections}
        if draft.extends:
            return FindParts(draft.folder, extends=draft.extends, **edits)
        return FindParts(draft.folder, sorting.clusters, draft.eyes, sorting.flip, sorting.merged, **edits)

    def search(self) -> None:
        """Search for the parts that are wanted, unless they are on show, or searched for already."""
        self._later.stop()
        now, job = self._store.now, self._wanted()
        if not job.folder or not now.models_listed or now.draft.page not in ("parts", "plan"):
            return
        if self._held and self._shown is not None:
            return
        if job == self._shown or (self._jobs.is_running("parts") and job == self._searching):
            return
        self._searching = job
        self._jobs.start("parts", job, lambda result: self._land(job, result))

    def _land(self, job: FindParts, result: PartsFound) -> None:
        self._keep(job, result)
        # A result for a number that nobody wants any more would put that number back; the timer asks for the new one.
        if job == self._wanted():
            self._show_parts(result)

    def _show_parts(self, result: PartsFound) -> None:
        self._jobs.cancel("parts")
        now = self._store.now
        asked = self._wanted().corrections
        packs = [now.extended] if now.extended else now.extendable
        colours = {part.name: part.colour for pack in reversed(packs) for part in pack.vocabulary.parts}
        sorting = sort_clusters(now.draft.sorting, result, now.parts_found, colours)
        self._store.replace_draft(sorting=sorting)
        self._store.replace(parts_found=result, wall=self._wall(sorting, result))
        # The suggested number is a number from now on. What was painted may follow to parts that were just found.
        self._shown = replace(self._wanted(), corrections=asked)
        self._keep(self._shown, result)
        if self._shown != self._wanted():
            self._later.start()
        self.parts_shown.emit()

    def _wall(self, sorting: PartSorting, result: PartsFound | None) -> tuple[SeenPicture, ...]:
        return relabelled_wall(sorting, result, self._store.now.draft.folder)

    def _keep(self, job: FindParts, result: PartsFound) -> None:
        self._kept = {**self._kept, job: result}
        while len(self._kept) > KEPT_WALLS:
            del self._kept[next(iter(self._kept))]
