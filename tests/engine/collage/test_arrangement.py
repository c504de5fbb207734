"""Arrangements go with the recipe, through JSON and through versions that do not know them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from engine.collage.arrangement import KEY, Adjustment, Arrangement, arrangement_of, with_arrangement
from engine.core.recipe import Recipe
from engine.core.vocabulary import Choice

RECIPE = Recipe("crabs", ("a crab with ", Choice(1, 2)), extra={"of a newer version": 1})
ARRANGED = Arrangement(
    "3",
    (1, 2, 3),
    (Adjustment(1, (0.1, 0.2), 1.5, 30, True, nth=1), Adjustment(2, hidden=True)),
    order=((2, 0), (1, 1)),
)


@pytest.mark.parametrize(
    "arrangement",
    [
        ARRANGED,
        Arrangement(ground="none"),
        Arrangement(),
        Arrangement(ground=((1, 2, 3), (4, 5, 6))),
        Arrangement(match_colours=True, blend=True),
    ],
)
def test_it_is_kept_in_the_recipe(arrangement: Arrangement) -> None:
    recipe = with_arrangement(RECIPE, arrangement)
    read = Recipe.from_json(recipe.to_json())
    assert arrangement_of(read) == arrangement and read.extra["of a newer version"] == 1
    assert arrangement_of(recipe) == arrangement, "not through JSON, too"
    assert with_arrangement(read, Arrangement()) == RECIPE
    assert arrangement_of(read.with_choice(Choice(1, 3))) == arrangement, "a change of parts keeps it"


@pytest.mark.parametrize(
    "damaged",
    [None, 1, [], {}, {"version": 99, "pose": "3"}, {"version": 1, "pose": 3, "ground": [1, 2, 999],
     "adjustments": [{}, 5, {"part": "x"}]}, {"version": 1, "adjustments": 7, "ground": "sea"},
     {"version": 1, "ground": [[1, 2, 3], [4, 5]], "blend": 1, "match_colours": "yes"}],
)  # fmt: skip
def test_what_is_damaged_was_never_decided(damaged: Any) -> None:
    assert arrangement_of(Recipe("crabs", extra={KEY: damaged})) == Arrangement()


def test_one_damaged_adjustment_does_not_take_the_others_along() -> None:
    kept = {"version": 1, "adjustments": [{"part": 1, "turn": 5}, {"part": None}]}
    assert arrangement_of(Recipe("crabs", extra={KEY: kept})).adjustments == (Adjustment(1, turn=5.0),)


def test_the_window_can_import_it_without_what_measures_pictures() -> None:
    """The window reads arrangements and layers at its start, where scipy would cost it a quarter of a second."""
    words = "import sys, engine.collage.arrangement, engine.collage.layers; print('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True).stdout == "False\n"


def test_changes_of_a_part_are_one_adjustment() -> None:
    twice = Arrangement(adjustments=(
        Adjustment(1, (0.1, 0.0), 2.0, 30.0), Adjustment(2, turn=9), Adjustment(1, (0.1, 0.2), 1.5, 10.0, True),
    ))  # fmt: skip
    whole = twice.adjustment_of(1)
    assert whole == Adjustment(1, (0.2, 0.2), 3.0, -20.0, True)
    assert twice.adjustment_of(3, 1) == Adjustment(3, nth=1)
    assert twice.with_adjustment(whole).adjustments == (Adjustment(2, turn=9), whole)
    assert twice.with_adjustment(Adjustment(1)).adjustments == (Adjustment(2, turn=9),), "nothing leaves no trace"


def test_a_part_that_goes_takes_its_changes_along() -> None:
    changes = Adjustment(1, turn=5), Adjustment(1, nth=1, turn=5), Adjustment(2, turn=5)
    arrangement = Arrangement("3", adjustments=changes, order=((2, 0), (1, 1), (1, 0)))
    one_less = arrangement.without_part(1, 0)
    assert one_less.adjustments == arrangement.adjustments[1:] and one_less.order == ((2, 0), (1, 1))
    assert arrangement.without_part(1) == Arrangement("3", adjustments=(Adjustment(2, turn=5),), order=((2, 0),))
