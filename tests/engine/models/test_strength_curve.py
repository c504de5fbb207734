"""How far a strength moves a part's token."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.aviary.starter_pack import STRENGTHS
from engine.core.paths import starter_pack
from engine.core.vocabulary import Choice
from engine.models.model_config import OWN_WORDS
from engine.models.strength_curve import StrengthCurve

JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
                    lambda inner: st.lists(inner, max_size=4), max_leaves=12)  # fmt: skip


def test_between_its_points_it_is_straight_and_beyond_one_untouched() -> None:
    curve = StrengthCurve.from_json([[0, 0], [0.5, 0.2], [1, 1]])
    assert [curve.share(strength) for strength in (0, 0.25, 0.5, 1, 1.5, 2)] == [0, 0.1, 0.2, 1, 1.5, 2]
    assert curve.share(0.75) == pytest.approx(0.6)


def test_it_is_applied_to_parts_alone() -> None:
    curve = StrengthCurve(((0.0, 0.0), (0.5, 0.2), (1.0, 1.0)))
    said = curve.applied(("a ", Choice(0, 3, 0.5, "jay"), " and ", Choice(1, 2)))
    assert said == ("a ", Choice(0, 3, 0.2, "jay"), " and ", Choice(1, 2))


@pytest.mark.parametrize(
    "value",
    [None, [], [[0, 0]], [[0, 0], [0.5, 0.7]], [[0, 0.1], [1, 1]], [[0, 0], [0.5, 0.9], [0.6, 0.3], [1, 1]],
     [[0, 0], [1, 1], [1, 1]], [[0, 0], ["x", 0.2], [1, 1]], {"0": 0}, [[0, 0], [float("nan"), 0.2], [1, 1]]],
)  # fmt: skip
def test_what_is_no_curve_is_the_straight_one(value: Any) -> None:
    assert StrengthCurve.from_json(value) == StrengthCurve()


@given(JSON)
def test_any_curve_rises_from_nought_to_the_token(value: Any) -> None:
    curve = StrengthCurve.from_json(value)
    shares = [curve.share(strength / 20) for strength in range(41)]
    assert shares[0] == 0 and shares[20] == 1 and shares[40] == 2 and all(a <= b for a, b in pairwise(shares))


def test_the_starter_that_ships_says_the_curve_that_its_build_writes() -> None:
    index = json.loads((starter_pack().parent / "base" / "model_index.json").read_text())
    said = StrengthCurve.from_json(index[OWN_WORDS]["strengths"])
    assert said == StrengthCurve(STRENGTHS) != StrengthCurve()
