"""What the window shows, as values: replaced by Session, never changed in place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from engine.collage.arrangement import Arrangement
from engine.collage.layers import Collage
from engine.core.add_on import AddOn
from engine.core.recipe import Creation, Receipt, Recipe
from engine.core.segmentation import Segmentation
from engine.core.vocabulary import Choice
from engine.packs.base_sizes import BaseSizes
from engine.packs.pack import Pack
from engine.packs.prompt_room import PromptRoom
from engine.worker.collage_jobs import Sketched
from partcraft_desktop.app.learning.state import LearningState
from partcraft_desktop.app.model_state import ModelsState
from partcraft_desktop.app.painting_state import PaintingStatus
from partcraft_desktop.app.timings import Timings
from partcraft_desktop.app.vocabulary_state import VocabulariesState

EngineStatus = Literal["off", "waking", "ready", "failed"]
"""Whether the engine process has what the pack needs: not started, loading, loaded, or could not load."""


@dataclass(frozen=True)
class OpenPicture:
    """The picture in the middle of the window.

    ``id`` is the reference's id, or the absolute path of a person's own picture. ``image`` is a path;
    ``segmentation`` has the picture's own (upright) resolution and is None while ``busy`` or where the
    parts could not be found; ``note`` then says why, or what to mind, in a sentence. ``unseen``: the pack's eyes
    cannot see it, so there are no parts.
    """

    id: str
    title: str
    image: str
    segmentation: Segmentation | None = None
    note: str = ""
    busy: bool = False
    unseen: bool = False


@dataclass(frozen=True)
class Creature:
    """The recipe put together from the references' own pixels.

    ``collage`` is None where nothing is chosen, or where it cannot be put together: ``note`` and ``hint`` then say why.
    ``choices`` and ``arrangement`` are those it was made for; ``missing`` has a sentence for each that cannot be shown.
    ``number`` is another for each creature; a draft (``collage.shrink``) and the full collage after it have the same.
    """

    collage: Collage | None = None
    choices: tuple[Choice, ...] = ()
    missing: tuple[str, ...] = ()
    note: str = ""
    hint: str = ""
    arrangement: Arrangement = field(default_factory=Arrangement)
    number: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether there is a collage, and it shows every part that was chosen."""
        return self.collage is not None and all(missing.part is None for missing in self.collage.missing)


@dataclass(frozen=True)
class CollageCheck:
    """The engine's look at the collage: its receipt once ``done``; whether the engine has begun before (``looks``)."""

    receipt: Receipt = ()
    looks: bool = False
    done: bool = False


@dataclass(frozen=True, eq=False)
class LivePainting:
    """Whether the collage is painted live; ``painting`` is of the collage as it is now, None until there is one;
    ``busy``: the engine paints."""

    on: bool = False
    painting: Sketched | None = None
    busy: bool = False


@dataclass(frozen=True)
class QueuedRender:
    """A render in the queue: a recipe with its own seed, the id of its pack, and what it is in a few words.

    ``held``: it waits for a person to say "Go on". ``failed``: why it came to nothing, in a sentence.
    """

    id: int
    recipe: Recipe
    pack: str
    title: str
    held: bool = False
    failed: str = ""

    @property
    def waits(self) -> bool:
        """Whether it is rendered by itself when its turn comes."""
        return not self.held and not self.failed


@dataclass(frozen=True)
class AddOnFault:
    """Why an add-on of the recipe cannot be used, in a sentence: it is nowhere, or made for another base model."""

    add_on: AddOn
    why: str


@dataclass(frozen=True)
class DeletedItem:
    """Something that was deleted and can be brought back.

    ``path`` is where it waits: a file, a folder, or the picture that was taken off the wall; ``image`` is a
    picture of it ("": none). ``when`` is in seconds since 1970. ``days_left``: until it goes for good, None: never.
    """

    kind: Literal["creation", "picture", "pack", "training"]
    name: str
    when: float
    image: str
    path: str
    days_left: int | None = None


@dataclass(frozen=True)
class LoadStatus:
    """Models that load: since when (``time.monotonic()`` seconds), and how many seconds they took last time (0: not
    known)."""

    started: float
    expected: float = 0.0


@dataclass(frozen=True)
class RenderStatus:
    """How far the running render is: steps ``done`` of ``total`` (0: unknown); ``started`` is
    ``time.monotonic()`` seconds; ``whole`` creations of ``count`` are on disk. ``job`` is None until the
    engine has it. ``load`` is there while the render loads its models itself."""

    job: int | None = None
    stage: str = ""
    done: int = 0
    total: int = 0
    started: float = 0.0
    whole: int = 0
    count: int = 1
    cancelling: bool = False
    item: QueuedRender | None = None
    load: LoadStatus | None = None
    updated: float = 0.0
    """When ``done`` was told, in ``time.monotonic()`` seconds; 0: just now."""
    first: int = 0
    """The steps that were done when the stage began."""


@dataclass(frozen=True)
class State:
    """All the window shows. Widgets compare the pieces they paint with the ones they painted last."""

    packs: tuple[Pack, ...] = ()
    packs_listed: bool = False
    """Whether the library was read: before, no packs means nothing."""
    pack: Pack | None = None
    recipe: Recipe = field(default_factory=lambda: Recipe(pack=""))
    seed_locked: bool = False
    tried: Choice | None = None
    """A choice that is only looked at: seen in the creature, not in the recipe."""
    creature: Creature = field(default_factory=Creature)
    check: CollageCheck | None = None
    """There while the engine looks at the collage of the recipe, and once it has."""
    live: LivePainting = field(default_factory=LivePainting)
    add_on_faults: tuple[AddOnFault, ...] = ()
    """What is wrong with add-ons of the recipe, as far as was looked."""
    reference: OpenPicture | None = None
    own: tuple[OpenPicture, ...] = ()
    """A person's own pictures, newest first, with their segmentations once found."""
    creations: tuple[Creation, ...] = ()
    stars: frozenset[str] = frozenset()
    """What creations with a star are known by (see ``star_of``)."""
    render: RenderStatus | None = None
    queue: tuple[QueuedRender, ...] = ()
    """What is not rendered yet, in order; the running render is not among them."""
    sizes: BaseSizes = field(default_factory=BaseSizes)
    prompt_room: PromptRoom | None = None
    """What the pack's base model can paint."""
    saving: tuple[str, ...] = ()
    """The names of the files that are being written for other programs."""
    engine: EngineStatus = "off"
    engine_stage: str = ""
    load: LoadStatus | None = None
    """There while the engine loads what the pack needs."""
    timings: Timings = field(default_factory=Timings)
    can_undo: bool = False
    can_redo: bool = False
    undo_label: str = ""
    """What undo would take back, in a few words."""
    redo_label: str = ""
    deleted: tuple[DeletedItem, ...] = ()
    """What can be brought back, the newest first: as of when it was last asked for."""
    deleted_listed: bool = False
    """Whether that was asked for: before, nothing deleted means nothing."""
    hint: bool = False
    """Whether the first-start hint ("click a part to take it") is still wanted."""
    learning: LearningState = field(default_factory=LearningState)
    """The wizard: what is decided so far, what it is busy with, the trainings."""
    models: ModelsState = field(default_factory=ModelsState)
    """The page of models: what is here, what is being fetched."""
    vocabularies: VocabulariesState = field(default_factory=VocabulariesState)
    """The published vocabularies on that page: what each lacks, which is being fetched and imported."""
    painting: PaintingStatus | None = None
    """How far the pack on show is with the reference pictures it paints; None where it has others."""
