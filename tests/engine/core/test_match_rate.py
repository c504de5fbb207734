"""Match rates are told against chance, and never say more than their count supports."""

from __future__ import annotations

import json

import pytest

from engine.core.match_rate import MatchRate, part_chances, receipt_words
from engine.core.recipe import Arrival
from engine.core.vocabulary import ABSENT


def arrivals(pairs: list[tuple[int, int]], part: int = 0) -> list[Arrival]:
    """Requested and found codes of a part."""
    return [Arrival(part, requested, found, 0.5) for requested, found in pairs]


def test_eyes_that_call_everything_one_code_are_no_better_than_guessing() -> None:
    lazy = arrivals([(0, 0), (0, 0), (0, 0), (1, 0)])
    assert part_chances(lazy, {0: 2}) == {0: 0.75}
    rate = MatchRate(0.75, 4, 0.75)
    assert rate.skill == 0 and rate.tier == "hardly better"


def test_chance_is_never_below_one_of_the_codes() -> None:
    apart = arrivals([(0, 1), (1, 2), (2, 0)], part=3)  # one request and one finding of each
    assert part_chances(apart, {3: 2})[3] == 0.5
    assert part_chances(apart, {3: 50})[3] == pytest.approx(1 / 3)
    assert part_chances(arrivals([(0, ABSENT)] * 3), {0: 4})[0] == 0.25, "absent is no code: nothing agrees with it"
    assert part_chances([], {0: 4}) == {}


@pytest.mark.parametrize(
    ("rate", "tier"),
    [
        (MatchRate(0.62, 40, 0.5), "hardly better"),
        (MatchRate(0.62, 40_000, 0.5), "hardly better"),  # sure, and still little
        (MatchRate(0.2, 40, 0.5), "hardly better"),
        (MatchRate(0.8, 5, 0.5), "too few"),
        (MatchRate(1.0, 3, 0.5), "too few"),
        (MatchRate(1.0, 5, 0.5), "better"),  # Wilson: .57 to 1
        (MatchRate(0.75, 40, 0.5), "better"),
        (MatchRate(0.83, 40, 0.06), "reliable"),
        (MatchRate(0.83, 8, 0.06), "better"),
        (MatchRate(0.95, 1280, 0.04), "reliable"),
        (MatchRate(1.0, 40, 1.0), "nothing to tell"),
        (MatchRate(0.83, 40), ""),
        (MatchRate(0.83, 0, 0.1), ""),
    ],
)
def test_tiers(rate: MatchRate, tier: str) -> None:
    assert rate.tier == tier and bool(rate.verdict) == bool(tier)


def test_words() -> None:
    words = "0.62 where guessing gives 0.50: hardly better than guessing (40 parts)"
    assert MatchRate(0.62, 40, 0.5).words == words
    assert MatchRate(0.83, 40).words == "0.83 (40 parts)" and MatchRate(0.83).words == "0.83"
    receipt = (*arrivals([(0, 0), (1, 1)]), *arrivals([(1, 0)], part=1))
    assert receipt_words(receipt, 4) == "2 of 3 arrived, where guessing gives 0.8"


def test_wilsons_interval() -> None:
    low, high = MatchRate(0.5, 10, 0.1).interval
    assert (low, high) == (pytest.approx(0.2366, abs=1e-4), pytest.approx(0.7634, abs=1e-4))
    assert MatchRate(1.0, 4, 0.1).interval == (pytest.approx(0.5101, abs=1e-4), pytest.approx(1.0))
    assert MatchRate(0.5).interval == (0, 1)


def test_a_pack_keeps_its_rate() -> None:
    rate = MatchRate(0.625, 8, 0.5)
    assert MatchRate.from_metrics(json.loads(json.dumps(rate.to_metrics()))) == rate
    old = {"match_rate": 0.83, "match_asked": 40}
    assert MatchRate.from_metrics(old) == MatchRate(0.83, 40) and MatchRate.from_metrics({}) is None
    starter = {"mixed": {"count": 256, "emr": 0.947, "floor": 0.039, "parts": {"head": 0.9, "legs": 0.9}}}
    assert MatchRate.from_metrics(starter) == MatchRate(0.947, 512, 0.039)
    assert MatchRate.from_metrics(starter | old) == MatchRate(0.83, 40), "its own training comes first"


@pytest.mark.parametrize("value", [None, True, "0.5", float("nan"), 10**400, -0.1, 1.1, [], {}])
def test_what_others_wrote_is_distrusted(value: object) -> None:
    assert MatchRate.from_metrics({"match_rate": value}) is None
    damaged = MatchRate.from_metrics({"match_rate": 0.5, "match_asked": value, "match_chance": value})
    assert damaged == MatchRate(0.5)
    mixed = {"count": value, "emr": value, "floor": value, "parts": value}
    assert MatchRate.from_metrics({"mixed": mixed}) is None and MatchRate.from_metrics({"mixed": value}) is None
    assert MatchRate.from_metrics({"mixed": mixed | {"emr": 0.5}}) == MatchRate(0.5)


def test_what_is_unsure_is_neither_counted_nor_hidden() -> None:
    receipt = (Arrival(0, 1, 1, 0.5), Arrival(1, 1, 1, 0.5, unsure=True), Arrival(2, 1, 2, 0.5))
    assert [(one.arrived, one.unsure, one.missing) for one in receipt] == [
        (True, False, False), (False, True, False), (False, False, True),
    ]  # fmt: skip
    assert receipt_words(receipt, 10) == "1 of 3 arrived, 1 unsure, where guessing gives 0.3"
    assert "unsure" not in receipt_words(receipt[:1], 10)
    assert part_chances(receipt[1:2], {1: 4}) == {1: 0.25}, "an unsure part agrees with no request"
