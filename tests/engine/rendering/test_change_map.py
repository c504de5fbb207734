"""Change maps: full freedom in and about what changes, none beyond, and pixels of the start where nothing changes."""

from __future__ import annotations

import numpy as np
from PIL import Image

from engine.core.segmentation import NO_PART
from engine.rendering.change_map import change_map, merged, reach_of

CELL = 4


def labels() -> np.ndarray:
    """64 x 64 with part 0 in a square on the left and part 1 beside it."""
    made = np.full((64, 64), NO_PART, np.uint8)
    made[20:40, 10:25] = 0
    made[20:40, 25:45] = 1
    return made


def test_what_changes_and_its_rim_are_free_and_the_rest_is_not() -> None:
    changes = change_map(labels(), (), (0,), CELL)
    reach = reach_of((64, 64), CELL)
    assert (changes[labels() == 0] == 1).all() and changes[30, 24 + int(reach)] == 1
    assert changes[30, 24 + int(2 * reach)] == 0 and not changes[:10].any() and not changes[:, 50:].any()
    row = changes[30, 25:45]
    assert (np.diff(row) <= 0).all() and ((row > 0) & (row < 1)).any(), "it fades"


def test_what_is_kept_has_no_freedom_and_what_is_far_all_of_it() -> None:
    changes = change_map(labels(), (0,), (), CELL)
    assert not changes[labels() == 0].any() and (changes[:, 50:] == 1).all()
    assert 0 < changes[30, 26] < 1, "freedom grows beside it"


def test_keeping_wins_over_changing() -> None:
    changes = change_map(labels(), (1,), (0,), CELL)
    assert not changes[labels() == 1].any() and changes[30, 12] == 1 and not changes[:, 50:].any()


def test_keeping_what_is_not_there_keeps_nothing() -> None:
    assert (change_map(labels(), (7,), (), CELL) == 1).all()


def test_a_reach_grows_with_the_picture_and_is_no_less_than_a_cell() -> None:
    assert reach_of((64, 64), 8) == 8 and reach_of((1000, 500), 8) == 20


def test_pixels_without_freedom_are_the_starts_own() -> None:
    generator = np.random.default_rng(0)
    start, painted = (Image.fromarray(generator.integers(0, 255, (64, 64, 3), np.uint8)) for _ in range(2))
    changes = change_map(labels(), (), (0,), CELL)
    made = np.asarray(merged(start, painted, changes))
    assert np.array_equal(made[changes == 0], np.asarray(start)[changes == 0])
    assert np.array_equal(made[changes == 1], np.asarray(painted)[changes == 1])
