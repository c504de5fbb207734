"""What can be asked of the engine, and what it says on the way. Values only: all pickle."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import JobCancelled as JobCancelled
from engine.errors import UserError as UserError
from engine.recipe import Creation, Recipe
from engine.segmentation import Segmentation

# Jobs: what can be asked. ``pack`` is always the pack's folder.


@dataclass(frozen=True)
class Prepare:
    """Load what a pack needs, so that the next job starts at once. Result: None."""

    pack: str


@dataclass(frozen=True)
class Segment:
    """Find the parts of one picture. Result: :class:`Segmented`."""

    pack: str
    image: str


@dataclass(frozen=True)
class Render:
    """Render a recipe into ``out``. News: Progress, Preview, Rendered. Result: tuple of Creation."""

    pack: str
    recipe: Recipe
    out: str


@dataclass(frozen=True)
class Discover:
    """Find a vocabulary in a folder of pictures and write it as a pack. Result: the pack's folder."""

    folder: str
    out: str
    parts: int
    codes: int
    noun: str = "thing"
    eyes: str = ""
    base_model: str = ""
    seed: int = 0
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Train:
    """Learn tokens and a LoRA for a pack. ``plan`` is a JSON file or a run folder to go on with.
    News: Progress, Losses, Preview. Result: the pack's folder."""

    plan: str


@dataclass(frozen=True)
class Evaluate:
    """Render ``count`` recipes that mix parts of ``mix`` references and compare what arrived.
    Result: dict of EMR, CoSim and their parts (JSON values)."""

    pack: str
    out: str
    mix: int = 4
    count: int = 64
    seed: int = 0


Job = Prepare | Segment | Render | Discover | Train | Evaluate


@dataclass(frozen=True)
class Segmented:
    """The parts of one picture at its own resolution. ``note`` is a sentence for the person who looks,
    when the eyes may not see this kind of picture well; empty otherwise."""

    image: str
    segmentation: Segmentation
    note: str = ""


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
    """The job cannot be done: a sentence, a next step, and the traceback for a report."""

    message: str
    hint: str = ""
    details: str = ""


@dataclass(frozen=True)
class Cancelled:
    """The job ended because it was asked to."""


Ending = Finished | Failed | Cancelled
News = Progress | Preview | Rendered | Losses | Ending


@dataclass(frozen=True)
class Event:
    """News with the id of the job it belongs to."""

    job: int
    news: News
