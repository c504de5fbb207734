"""Making the reader of a pack that extends another: new codes are learned beside those that the other pack's reader
knows, whose answers and bounds stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
import torch

from engine.models.part_reader import PartReader
from engine.segmentation.reader_examples import IGNORED, LabelledPictures, changed_examples
from engine.segmentation.reader_fitting import (
    ReaderPlan,
    ReaderScores,
    Rebuild,
    bounds,
    changed_each,
    scores_of,
    train_reader,
)

_MOST_REBUILT: Final = 256
"""Pictures that go through the autoencoder: a quarter of a second each for 256 pixels on a CPU."""
_LEAST_ASKED: Final = 240
"""Changed pictures that the new codes' bounds are measured on, at least."""


def extend_reader(
    known: PartReader,
    source: LabelledPictures,
    codes: int,
    plan: ReaderPlan,
    rebuild: Rebuild | None = None,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[PartReader, ReaderScores]:
    """A reader of ``codes`` codes a part, of which the first are those that ``known`` reads, in as many parts; and its
    scores on pictures of the new ones that were kept out, and on those of the known ones.

    ``source`` shows both: a new code is learned against the known ones. Pictures, not examples, go through the
    autoencoder, so that ``plan.rebuilt`` does not count and there can be many examples. ``report`` is told how many
    steps of how many are done.
    """
    rng = np.random.default_rng((plan.seed, 1))
    both, first = _rebuilt_too(source, rebuild, rng)
    new = np.unique(first[(both.codes >= known.codes).any(1)])
    kept = rng.permutation(new)[: round(plan.held_out * len(new))]
    out, fresh = np.isin(first, kept), np.isin(first, new)
    taught = both.rows(np.flatnonzero(~out))
    total = plan.examples + plan.steps
    pool = changed_examples(
        taught, plan.examples, rng, broken=plan.broken, swapped=plan.swapped, report=lambda done: report(done, total)
    )
    reader = train_reader(
        pool, codes, plan, known, lambda done: report(plan.examples + done, total), extends=True
    )  # fmt: skip
    return reader, _measure(reader, both.rows(np.flatnonzero(out | ~fresh if len(kept) else ~out)), known.codes, plan)


def _rebuilt_too(
    source: LabelledPictures, rebuild: Rebuild | None, rng: np.random.Generator
) -> tuple[LabelledPictures, np.ndarray]:
    """Pictures as they are, and (at most so many) as the autoencoder gives them back; and for each row the first that
    shows the same picture, int64 (N,). A picture that is there several times is rebuilt once."""
    rows: dict[bytes, int] = {}
    first = np.array([rows.setdefault(picture.tobytes(), index) for index, picture in enumerate(source.pictures)])
    if rebuild is None:
        return source, first
    some = np.sort(rng.permutation(np.unique(first))[:_MOST_REBUILT])
    again = np.flatnonzero(np.isin(first, some))
    rebuilt = rebuild(source.pictures[some])[np.searchsorted(some, first[again])]
    more = replace(source.rows(again), pictures=rebuilt)
    columns = ("pictures", "labels", "codes")
    both = (np.concatenate([getattr(one, name) for one in (source, more)]) for name in columns)
    return LabelledPictures(*both), np.concatenate([first, first[again]])


@torch.no_grad()
def _measure(reader: PartReader, asked: LabelledPictures, known: int, plan: ReaderPlan) -> ReaderScores:
    """Set the bounds of the codes from ``known`` on, part by part, by pictures as they are and changed; the scores on
    them of all codes. The known ones keep their bounds."""
    rng = np.random.default_rng((plan.seed, 3))
    least = min(_LEAST_ASKED, plan.examples)
    some = asked.rows(np.resize(rng.permutation(len(asked)), max(len(asked), least)))
    changed, wanted = changed_each(some, rng)
    shown = np.concatenate([asked.codes, changed.codes])
    shown = np.where((shown < 0) & (shown != IGNORED), reader.codes, shown)
    chances = reader.probabilities(np.concatenate([asked.pictures, changed.pictures]))
    for part in range(reader.parts):
        rows = np.flatnonzero((shown[:, part] >= known) & (shown[:, part] < reader.codes))
        missing, arrived = bounds(chances[rows, part, shown[rows, part]])
        reader.missing[part, known:], reader.arrived[part, known:] = missing, arrived
    return scores_of(reader, chances, shown, np.concatenate([asked.codes, wanted]), len(asked))
