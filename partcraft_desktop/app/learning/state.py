"""What the wizard shows, as values: replaced by the verbs of ``controller.py``, never changed in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol

from engine.packs.pack import Pack
from engine.runs.create import proposed_codes
from engine.runs.run import Run
from engine.worker.jobs import Measured, PartsFound, SeenPicture, Surveyed
from partcraft_desktop.app.learning.draft import Draft
from partcraft_desktop.app.learning.pages import PageKey, page_of

Work = Literal["survey", "parts", "eyes", "mix", "pack", "measure", "start"]
"""What the wizard can be busy with: looking through a folder, finding parts, fetching eyes, making a pack to mix with,
writing the untrained pack, measuring a step, starting the training."""

STARTER_BASE: Final = "starter/base"

ALIVE: Final = ("running",)
"""States of a run whose process works."""


class RunsApi(Protocol):
    """What is needed of :mod:`engine.runs.run`."""

    def start(self, path: str, /) -> Run: ...
    def read(self, folder: str, /) -> Run: ...
    def pause(self, folder: str, /) -> None: ...
    def stop(self, folder: str, /) -> Run: ...
    def discard(self, folder: str, /) -> Path: ...
    def restore(self, trashed: Path, /) -> Path: ...
    def runs(self) -> list[Run]: ...


Wish = Literal["pause", "stop", "resume"]
"""What a training can be asked to do."""


@dataclass(frozen=True)
class JobProgress:
    """How far something is: ``done`` of ``total`` (0: unknown) of a stage that began at ``started`` (seconds of
    ``time.monotonic()``)."""

    job: int | None = None
    stage: str = ""
    done: int = 0
    total: int = 0
    started: float = 0.0


@dataclass(frozen=True)
class PageError:
    """What went wrong on a page: a sentence, a next step, the rest for a report, and maybe a way out."""

    message: str
    hint: str = ""
    details: str = ""
    label: str = ""
    run: Callable[[], object] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class LearningState:
    """All the wizard shows. ``wall`` are the pictures of ``parts_found`` with the labels of the draft's parts."""

    shown: bool = False
    draft: Draft = field(default_factory=Draft)
    surveyed: Surveyed | None = None
    parts_found: PartsFound | None = None
    wall: tuple[SeenPicture, ...] = ()
    measured: Measured | None = None
    jobs: Mapping[Work, JobProgress] = field(default_factory=dict)
    errors: Mapping[PageKey, PageError] = field(default_factory=dict)
    runs: tuple[Run, ...] = ()
    wishes: Mapping[str, Wish] = field(default_factory=dict)
    """What a run was asked to do and has not done yet, by its folder."""
    can_undo: bool = False
    can_redo: bool = False
    base_models: tuple[str, ...] = ()
    extendable: tuple[Pack, ...] = ()
    """Packs that can get more: their eyes and base model are on this computer."""
    trained: tuple[Pack, ...] = ()
    """Those of them that have learned tokens."""
    models_listed: bool = False
    """Whether the models and packs on this computer were looked for."""

    @property
    def run(self) -> Run | None:
        """The training of the draft."""
        return self.run_of(self.draft.run)

    @property
    def alive(self) -> Run | None:
        """The training whose process works now."""
        return next((run for run in self.runs if run.state in ALIVE), None)

    @property
    def extended(self) -> Pack | None:
        """The pack that gets more, None for a new vocabulary."""
        return next((pack for pack in self.extendable if str(pack.path) == self.draft.extends), None)

    @property
    def base_model(self) -> str:
        """The base model that is trained: the extended pack's, the one chosen, or the first at hand."""
        if self.extended is not None:
            return self.extended.base_model.id
        chosen = self.draft.plan.base_model
        return chosen if chosen in self.base_models else (*self.base_models, STARTER_BASE)[0]

    @property
    def base_fits(self) -> bool:
        """Whether the base model can paint such pictures, whichever eyes looked at them: the starter's paints small
        drawn birds and nothing else."""
        if self.base_model != STARTER_BASE or self.extended is not None or self.parts_found is None:
            return True
        return self.parts_found.familiar

    def run_of(self, folder: str) -> Run | None:
        """The run of a folder."""
        return next((run for run in self.runs if folder and run.folder == folder), None)

    def reached(self, page: PageKey) -> bool:
        """Whether a page can be shown: what it needs is there."""
        return page_of(page).reached(self)

    @property
    def surveyed_empty(self) -> bool:
        """Whether the folder was looked through and no picture in it can be used."""
        return self.surveyed is not None and not self.surveyed.pictures

    @property
    def has_pictures(self) -> bool:
        """Whether there are pictures, and models, to find parts with."""
        looked = self.surveyed is not None and "survey" not in self.jobs and self.models_listed
        return looked and not self.surveyed_empty

    @property
    def sorted(self) -> bool:
        """Whether the parts on the wall are those that are wanted, with one at least that is not dropped."""
        sorting = self.draft.sorting
        whole = self.parts_found is not None and "parts" not in self.jobs
        return whole and sorting.settled and not all(part.dropped for part in sorting.parts)

    @property
    def all_dropped(self) -> bool:
        """Whether parts were found and none of them is wanted."""
        return self.parts_found is not None and all(part.dropped for part in self.draft.sorting.parts)

    @property
    def starting(self) -> bool:
        """Whether the training is being started."""
        return "start" in self.jobs

    @property
    def pack_written(self) -> bool:
        """Whether the draft's training has its pack."""
        return self.run is not None and has_pack(self.run)

    @property
    def codes(self) -> int:
        """Codes of each part: one for each kind where the pictures are sorted, else as planned or proposed."""
        kinds = len(self.surveyed.kinds) if self.surveyed else 0
        if kinds > 1:
            return kinds
        count = len(self.surveyed.pictures) if self.surveyed else 0
        return self.draft.plan.codes or proposed_codes(count)


def has_pack(run: Run) -> bool:
    """Whether a training has come to its end, or was stopped, and its pack is written."""
    return run.state in ("finished", "stopped") and bool(run.pack)
