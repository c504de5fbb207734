"""Match rates, told against chance: how many of the requested parts arrived, what guessing would have given, and what
that lets one say."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from engine.core.json_values import finite_number
from engine.core.recipe import Arrival, Receipt

Tier = Literal["", "nothing to tell", "hardly better", "too few", "better", "reliable"]
"""What a match rate lets one say; empty where nobody knows what guessing gives, or how many parts were asked for."""

_WORDS: Final[dict[Tier, str]] = {
    "nothing to tell": "guessing does as well",
    "hardly better": "hardly better than guessing",
    "too few": "too few to say whether that is better than guessing",
    "better": "better than guessing",
    "reliable": "reliable",
}
_HARDLY: Final = 0.25
"""Less than so much of the way from chance to 1 is hardly better than guessing, however many parts say so."""
_RELIABLE: Final = 0.6
"""So much of the way is reliable, when even the lower end of the interval is there."""
_SURE: Final = 1.96
"""Standard deviations: the interval holds the true rate in 95 of 100 cases."""


@dataclass(frozen=True)
class MatchRate:
    """The share of ``asked`` requested parts (part, code) that arrived, 0 to 1; ``asked`` 0: it is not known how many.

    ``chance`` is what guessing would have given, 0 to 1 (see :func:`part_chances`); None: it was not measured, as in
    packs of earlier versions.
    """

    rate: float
    asked: int = 0
    chance: float | None = None

    @property
    def skill(self) -> float:
        """How far the rate is on the way from chance (0) to 1; negative below chance. 0 where that is not known."""
        return _between(self.rate, self.chance)

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true rate is, in 95 of 100 cases: Wilson's interval, (0, 1) for a count that is not known. Parts
        of one picture are counted as if each stood alone."""
        if not self.asked:
            return 0.0, 1.0
        share, square = 1 / self.asked, _SURE**2
        middle = (self.rate + square * share / 2) / (1 + square * share)
        spread = self.rate * (1 - self.rate) * share + square * share**2 / 4
        half = _SURE * math.sqrt(spread) / (1 + square * share)
        return max(0.0, middle - half), min(1.0, middle + half)

    @property
    def tier(self) -> Tier:
        """What can be said: never more than the count supports."""
        if self.chance is None or not self.asked:
            return ""
        if self.chance >= 1:
            return "nothing to tell"
        if self.skill < _HARDLY:
            return "hardly better"
        least = self.interval[0]
        if least <= self.chance:
            return "too few"
        return "reliable" if _between(least, self.chance) >= _RELIABLE else "better"

    @property
    def verdict(self) -> str:
        """The tier in words: "hardly better than guessing"; empty where there is none."""
        return _WORDS.get(self.tier, "")

    @property
    def words(self) -> str:
        """``0.62 where guessing gives 0.50: hardly better than guessing (40 parts)``; without chance the rate alone."""
        count = f" ({self.asked:,} part{'' if self.asked == 1 else 's'})" if self.asked else ""
        if self.chance is None:
            return f"{self.rate:.2f}{count}"
        verdict = f": {self.verdict}" if self.verdict else ""
        return f"{self.rate:.2f} where guessing gives {self.chance:.2f}{verdict}{count}"

    def to_document(self) -> dict[str, Any]:
        """JSON values for a command's answer."""
        return {"rate": self.rate, "asked": self.asked, "chance": self.chance, "verdict": self.verdict}

    def to_metrics(self) -> dict[str, float | int]:
        """As a pack's ``metrics`` keep it."""
        chance = {} if self.chance is None else {"match_chance": self.chance}
        return {"match_rate": self.rate, "match_asked": self.asked, **chance}

    @classmethod
    def from_metrics(cls, metrics: Mapping[str, Any]) -> MatchRate | None:
        """What a pack's ``metrics`` say: of the try at the end of its training, or, for the starter, of its mixes as
        its judge saw them. None if it was not measured, or is no rate at all."""
        mixed = metrics.get("mixed")
        if "match_rate" not in metrics and isinstance(mixed, Mapping):
            parts = mixed.get("parts")
            asked = _count(mixed.get("count")) * (len(parts) if isinstance(parts, Mapping) else 0)
            return _checked(mixed.get("emr"), asked, mixed.get("floor"))
        return _checked(metrics.get("match_rate"), metrics.get("match_asked"), metrics.get("match_chance"))


MATCH_METRICS: Final = ("match_rate", "match_asked", "match_chance")
"""The keys of :meth:`MatchRate.to_metrics`."""


def part_chances(arrivals: Iterable[Arrival], code_counts: Mapping[int, int]) -> dict[int, float]:
    """For each part that was requested, how often a guess would agree with the eyes, 0 to 1.

    Over the codes c of a part: the sum of p_requested(c) * p_assigned(c), the shares of the requests that ask for c and
    of the pictures in which the eyes assign c (those without the part assign none). That is what shuffled requests
    score: eyes that call everything "1" agree with every request for 1. It is at least 1/K, where K is
    ``code_counts``: how many codes of the part can be requested.
    """
    by_part: dict[int, list[Arrival]] = {}
    for arrival in arrivals:
        by_part.setdefault(arrival.part, []).append(arrival)
    chances: dict[int, float] = {}
    for part, some in by_part.items():
        requested, assigned = Counter(one.code for one in some), Counter(one.found for one in some if not one.unsure)
        agree = sum(count * assigned[code] for code, count in requested.items()) / len(some) ** 2
        chances[part] = min(1.0, max(agree, 1 / max(1, code_counts.get(part, 1))))
    return chances


def receipt_words(receipt: Receipt, codes_per_part: int) -> str:
    """A receipt in one line, for parts of so many codes each: "3 of 5 arrived, 1 unsure, where guessing gives 0.2"."""
    arrived, unsure = sum(one.arrived for one in receipt), sum(one.unsure for one in receipt)
    words = f"{arrived} of {len(receipt)} arrived" + (f", {unsure} unsure" if unsure else "")
    return f"{words}, where guessing gives {len(receipt) / max(1, codes_per_part):.1f}"


def _between(rate: float, chance: float | None) -> float:
    return 0.0 if chance is None or chance >= 1 else (rate - chance) / (1 - chance)


def _checked(rate: Any, asked: Any, chance: Any) -> MatchRate | None:
    """Values that somebody else wrote; None unless the rate is one."""
    share, guessed = finite_number(rate), finite_number(chance)
    if share is None or not 0 <= share <= 1:
        return None
    return MatchRate(share, _count(asked), guessed if guessed is not None and 0 <= guessed <= 1 else None)


def _count(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 10**9 else 0
