"""Lengths of time in words."""

from __future__ import annotations

import pytest

from engine.core.durations import duration, hours_and_minutes


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "1 s"), (0.2, "1 s"), (59, "59 s"), (59.6, "1 min"), (3599, "1.0 h"),
        (90, "2 min"), (119, "2 min"), (5400, "1.5 h"), (7200, "2.0 h"),
        (47 * 3600, "47.0 h"), (48 * 3600, "2 days"), (400_000, "5 days"),
    ],
)  # fmt: skip
def test_about_how_long(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "a minute"), (29, "a minute"), (31, "1 min"), (3540, "59 min"), (3600, "1 h 0 min"), (7500, "2 h 5 min")],
)
def test_to_the_minute(seconds: float, words: str) -> None:
    assert hours_and_minutes(seconds) == words
