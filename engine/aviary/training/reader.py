"""The starter's reader: trained on drawn mixtures whose parts are known exactly, a few of them of no species.

It shares nothing with the judge but the drawings' space: another network, made as any pack's reader is
(:mod:`engine.segmentation.reader_fitting`), that never saw the judge's answers, its pictures or the held-out species.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from diffusers import AutoencoderTiny

from engine.aviary.drawing.attributes import PARTS, Bird, random_part
from engine.aviary.drawing.bird import Pose, draw_bird
from engine.aviary.drawing.species import SPECIES
from engine.aviary.training.devices import CPU
from engine.core.segmentation import NO_PART
from engine.core.vocabulary import ABSENT
from engine.models.part_reader import SIDE, PartReader
from engine.models.vae import rebuild_pictures
from engine.segmentation.reader_examples import LabelledPictures
from engine.segmentation.reader_fitting import ReaderPlan, ReaderScores, make_reader

SEED: Final = 41
FOREIGN: Final = 0.08
"""The share of parts of no species."""
_CELLS: Final = 16
"""The latents of a picture of the starter, a side."""
NEAR: Final = 0.06
"""The share of parts that have about half of their forms and colours of one species and half of another."""


def drawn_pictures(
    names: Sequence[str], count: int, seed: int, foreign: float = FOREIGN, near: float = NEAR
) -> LabelledPictures:
    """Mixtures of the named species, at the reader's size, with their exact labels; some parts are of none."""
    pictures = np.empty((count, SIDE, SIDE, 3), np.uint8)
    labels = np.empty((count, SIDE, SIDE), np.uint8)
    codes = np.empty((count, len(PARTS)), np.int64)
    for index in range(count):
        rng = np.random.default_rng((seed, index))
        parts = {}
        for number, part in enumerate(PARTS):
            code, kind = int(rng.integers(len(names))), float(rng.random())
            look = SPECIES[names[code]].part(part)
            if kind < foreign:
                code, look = ABSENT, random_part(part, rng)
            elif kind < foreign + near:
                code, look = ABSENT, _hybrid(look, part, names, rng)
            parts[part], codes[index, number] = look, code
        drawing = draw_bird(Bird(**parts), Pose.random(rng), SIDE)  # pyright: ignore[reportArgumentType]
        pictures[index] = drawing.image
        labels[index] = np.where(drawing.labels == 0, NO_PART, drawing.labels - 1)
    return LabelledPictures(pictures, labels, codes)


def _hybrid(look: Any, part: str, names: Sequence[str], rng: np.random.Generator) -> Any:
    """A species' part that has about half of its forms and colours from another species'."""
    other = SPECIES[names[int(rng.integers(len(names)))]].part(part)
    named = [field.name for field in fields(look)]
    taken = [name for name in named if rng.random() < 0.5 and getattr(look, name) != getattr(other, name)]
    if not taken or all(getattr(look, name) == getattr(other, name) for name in set(named) - set(taken)):
        return random_part(part, rng)
    return replace(look, **{name: getattr(other, name) for name in taken})


def train_starter_reader(
    folder: Path, vae: Path, names: Sequence[str], pictures: int, steps: int, log: Callable[[str], None] = print,
    device: torch.device = CPU,
) -> tuple[PartReader, ReaderScores]:  # fmt: skip
    """The starter's reader of these species' parts: ``pictures`` drawings, of which most are changed, half of them
    through the autoencoder in the folder ``vae``. Goes on from what ``folder`` keeps. One core: about 0.2 s a step."""
    torch.set_num_threads(1)
    model: Any = AutoencoderTiny.from_pretrained(vae).float().eval().to(device)  # pyright: ignore
    side = _CELLS * 2 ** (len(model.config.decoder_block_out_channels) - 1)
    source = drawn_pictures(names, pictures, SEED)
    log(f"{pictures} pictures are drawn")
    plan = ReaderPlan(examples=pictures, steps=steps, held_out=0.05, seed=SEED)
    return make_reader(
        source, len(names), plan, lambda some: rebuild_pictures(model, some, side), log=log, folder=folder,
        device=device,
    )  # fmt: skip
