"""What an evaluation found, as values that travel and are kept: rates with their intervals, by part, by number of
sources, for each judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from engine.core.match_rate import MatchRate

Interval = tuple[float, float]
"""Where the true value is in 95 of 100 cases: a bootstrap over pictures."""


@dataclass(frozen=True)
class PartScores:
    """How often one part was seen with its code (0 to 1), CoSim (see :class:`Scores`), how often no code of the pack
    was seen at all, how often it was asked for, what guessing would reach (``chance``), and what requests of other
    pictures reach (``floor``)."""

    emr: float
    cosim: float
    absent: float
    asked: int
    chance: float = 0.0
    floor: float = 0.0
    emr_interval: Interval = (0.0, 1.0)

    @property
    def match_rate(self) -> MatchRate:
        """The part's match rate, to be told."""
        return MatchRate(self.emr, self.asked, self.chance)


@dataclass(frozen=True)
class Scores:
    """What one judge saw in some pictures.

    ``emr``: the share of requested (part, code) pairs whose part is seen with that code. ``cosim``: the mean cosine of
    the centroids of the seen and of the requested code, 1 where they are one, 0 where none was seen. ``whole``: the
    share of pictures with all parts right. ``chance``: what guessing would reach (see
    :func:`engine.core.match_rate.part_chances`); ``floor`` and ``floor_cosim``: what the same pictures score for the
    requests of other pictures, over all ways to shuffle them.
    """

    emr: float
    cosim: float
    chance: float
    parts: Mapping[str, PartScores]
    pictures: int = 0
    whole: float = 0.0
    floor: float = 0.0
    floor_cosim: float = 0.0
    emr_interval: Interval = (0.0, 1.0)
    cosim_interval: Interval = (-1.0, 1.0)
    whole_interval: Interval = (0.0, 1.0)
    floor_interval: Interval = (0.0, 1.0)

    @property
    def asked(self) -> int:
        """How many parts were asked for, in all pictures."""
        return sum(part.asked for part in self.parts.values())

    @property
    def match_rate(self) -> MatchRate:
        """The match rate of all parts, to be told."""
        return MatchRate(self.emr, self.asked, self.chance)

    def to_document(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self) | {"asked": self.asked, "verdict": self.match_rate.verdict}


@dataclass(frozen=True)
class Judgement:
    """What one judge (its name, for people) saw: in all renders, by how many references they mix, and in pictures that
    nothing was rendered for, by what they are: the ``ceilings``."""

    judge: str
    scores: Scores
    sources: Mapping[int, Scores] = field(default_factory=dict)
    ceilings: Mapping[str, Scores] = field(default_factory=dict)

    def to_document(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "judge": self.judge,
            **self.scores.to_document(),
            "sources": {str(mix): scores.to_document() for mix, scores in self.sources.items()},
            "ceilings": {name: scores.to_document() for name, scores in self.ceilings.items()},
        }


@dataclass(frozen=True)
class Evaluated:
    """An evaluation of a pack (its id): what was rendered, and what each judge saw, the one that counts first.

    ``mixes``: numbers of references a picture mixes. ``count`` pictures of ``planned`` are done: all of them, unless
    the evaluation is still under way.
    """

    pack: str
    mixes: tuple[int, ...]
    count: int
    seed: int
    judgements: tuple[Judgement, ...]
    steps: int = 0
    guidance: float = 0.0
    planned: int = 0

    @property
    def scores(self) -> Scores:
        """What the judge that counts saw in all renders."""
        return self.judgements[0].scores

    def to_document(self) -> dict[str, Any]:
        """JSON values: those of the judge that counts on the top level, all others under ``others``."""
        first, *others = (judgement.to_document() for judgement in self.judgements)
        told = {"pack": self.pack, "mixes": list(self.mixes), "count": self.count, "seed": self.seed}
        return told | {"steps": self.steps, "guidance": self.guidance} | first | {"others": others}
