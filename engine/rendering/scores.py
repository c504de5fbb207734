"""Scores: from the receipts of many pictures to rates with their intervals, beside what guessing reaches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.core.match_rate import part_chances
from engine.core.on_disk import is_file
from engine.core.recipe import Receipt
from engine.core.vocabulary import ABSENT
from engine.packs.pack import CODEBOOK, Pack
from engine.worker.evaluated import Interval, PartScores, Scores

RESAMPLES: Final = 2000
"""How often pictures are drawn anew for an interval."""
_SEED: Final = 95

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Table:
    """What was asked and seen, a row a picture and a column a visible part: how often it was asked for, how much of
    that arrived, the cosines, how often nothing was seen, and the same against the requests of other pictures. All
    float64 (N, P)."""

    asked: Floats
    arrived: Floats
    cosines: Floats
    absent: Floats
    others: Floats
    others_arrived: Floats
    others_cosines: Floats


class Scorer:
    """Scores receipts of one pack's pictures. Raises :class:`UserError` for a damaged codebook."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self._columns = {part.index: column for column, part in enumerate(pack.vocabulary.visible_parts)}
        self._counts = requestable_codes(pack)
        self._units: Floats | None = None
        if is_file(pack.path / CODEBOOK):
            codes = pack.codebook().codes.astype(np.float64)
            lengths = np.linalg.norm(codes, axis=2, keepdims=True)
            self._units = codes / np.where(lengths > 0, lengths, 1)

    def cosine(self, part: int, seen: int, requested: int) -> float:
        """The cosine (-1..1) of the centroids of two codes of a part: 1 where they are one, 0 where none was seen or
        a code has no centroid."""
        if seen == ABSENT or requested == ABSENT:
            return 0.0
        if seen == requested:
            return 1.0
        return float(self._units[part, seen] @ self._units[part, requested]) if self._units is not None else 0.0

    def scores(self, receipts: Sequence[Receipt], groups: Sequence[int] = ()) -> Scores:
        """What arrived in pictures. Their intervals are 95% percentiles of a bootstrap over pictures, drawn within
        each of the ``groups`` (a number a picture; none: one group). Seeded: the same receipts, the same intervals."""
        table = self._table(receipts)
        weights = _draws(len(receipts), groups)
        whole = np.array([all(arrival.arrived for arrival in receipt) for receipt in receipts if receipt], float)
        judged = np.array([bool(receipt) for receipt in receipts], bool)
        arrivals = [arrival for receipt in receipts for arrival in receipt]
        chances = {part: 1 / count for part, count in self._counts.items()} | part_chances(arrivals, self._counts)
        chance = [chances[arrival.part] for arrival in arrivals] or list(chances.values())
        parts: dict[str, PartScores] = {}
        for part in self._pack.vocabulary.visible_parts:
            column = self._columns[part.index]
            asked, arrived = table.asked[:, column], table.arrived[:, column]
            parts[part.name] = PartScores(
                emr=_rate(arrived, asked),
                cosim=_rate(table.cosines[:, column], asked),
                absent=_rate(table.absent[:, column], asked),
                asked=int(asked.sum()),
                chance=chances[part.index],
                floor=_rate(table.others_arrived[:, column], table.others[:, column]),
                emr_interval=_interval(arrived, asked, weights, (0.0, 1.0)),
            )
        asked, others = table.asked.sum(1), table.others.sum(1)
        arrived, cosines, shuffled = table.arrived.sum(1), table.cosines.sum(1), table.others_arrived.sum(1)
        return Scores(
            emr=_rate(arrived, asked),
            cosim=_rate(cosines, asked),
            chance=float(np.mean(chance)) if chance else 0.0,
            parts=parts,
            pictures=len(receipts),
            whole=float(whole.mean()) if len(whole) else 0.0,
            floor=_rate(shuffled, others),
            floor_cosim=_rate(table.others_cosines.sum(1), others),
            emr_interval=_interval(arrived, asked, weights, (0.0, 1.0)),
            cosim_interval=_interval(cosines, asked, weights, (-1.0, 1.0)),
            whole_interval=_interval(whole, np.ones(len(whole)), weights[:, judged], (0.0, 1.0)),
            floor_interval=_interval(shuffled, others, weights, (0.0, 1.0)),
        )

    def _table(self, receipts: Sequence[Receipt]) -> _Table:
        shape = len(receipts), len(self._columns)
        table = _Table(*(np.zeros(shape) for _ in range(7)))
        requests = {part: Counter(a.code for receipt in receipts for a in receipt if a.part == part)
                    for part in self._columns}  # fmt: skip
        for row, receipt in enumerate(receipts):
            for arrival in receipt:
                column = self._columns.get(arrival.part)
                if column is None:  # a part of the background was asked for by hand
                    continue
                table.asked[row, column] += 1
                table.arrived[row, column] += arrival.arrived
                table.cosines[row, column] += self.cosine(arrival.part, arrival.found, arrival.code)
                table.absent[row, column] += arrival.found == ABSENT
                codes = requests[arrival.part]
                others = codes.total() - 1
                if others:
                    own = arrival.code
                    same = codes[arrival.found] - (arrival.found == own)
                    likeness = sum(
                        (count - (code == own)) * self.cosine(arrival.part, arrival.found, code)
                        for code, count in codes.items()
                    )
                    table.others[row, column] += 1
                    table.others_arrived[row, column] += same / others
                    table.others_cosines[row, column] += likeness / others
        return table


def scores_of(pack: Pack, receipts: Sequence[Receipt]) -> Scores:
    """EMR and CoSim over receipts, in all and by part, each beside what guessing reaches. Raises :class:`UserError`
    as :class:`Scorer`."""
    return Scorer(pack).scores(receipts)


def requestable_codes(pack: Pack) -> dict[int, int]:
    """How many codes of each part can be requested, by the part's index: those that its references show; all where none
    shows the part."""
    shown = {part.index: {reference.codes[part.index] for reference in pack.references} - {ABSENT}
             for part in pack.vocabulary.visible_parts}  # fmt: skip
    return {part: len(codes) or pack.vocabulary.codes_per_part for part, codes in shown.items()}


def _rate(sums: Floats, counts: Floats) -> float:
    total = counts.sum()
    return float(sums.sum() / total) if total else 0.0


def _draws(count: int, groups: Sequence[int]) -> Floats:
    """How often each of ``count`` pictures is drawn in each resample, float64 (RESAMPLES, count)."""
    generator = np.random.default_rng(_SEED)
    weights = np.zeros((RESAMPLES, count))
    labels = np.asarray(groups) if len(groups) else np.zeros(count, int)
    for label in np.unique(labels):
        (members,) = np.nonzero(labels == label)
        weights[:, members] = generator.multinomial(len(members), np.full(len(members), 1 / len(members)), RESAMPLES)
    return weights


def _interval(sums: Floats, counts: Floats, weights: Floats, otherwise: Interval) -> Interval:
    """The middle 95% of a ratio of sums over resamples; ``otherwise`` where nothing was counted."""
    totals = weights @ counts
    if not totals.any():
        return otherwise
    ratios = (weights @ sums)[totals > 0] / totals[totals > 0]
    low, high = np.quantile(ratios, (0.025, 0.975))
    return float(low), float(high)
