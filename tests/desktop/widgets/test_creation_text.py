"""Creations in a few words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine.core.recipe import Creation, Recipe
from engine.core.vocabulary import Choice
from partcraft_desktop.widgets.creation_text import creation_caption, creation_title, time_ago
from tests import fakes

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(seconds=-40), "just now"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(minutes=59), "59 minutes ago"),
        (timedelta(hours=5), "5 hours ago"),
        (timedelta(days=3), "3 days ago"),
    ],
)
def test_how_long_ago(before: timedelta, words: str) -> None:
    assert time_ago((NOW - before).isoformat(), NOW) == words
    assert time_ago((NOW - before).replace(tzinfo=None).isoformat(), NOW) == words


def test_what_was_long_ago_has_its_date_and_what_has_no_time_says_nothing() -> None:
    assert time_ago("2025-07-04T12:00:00+00:00", NOW) == "2025-07-04"
    assert time_ago("", NOW) == time_ago("yesterday", NOW) == ""


def test_a_creation_is_named_after_its_parts() -> None:
    words = fakes.make_vocabulary()
    recipe = Recipe("p", (Choice(0, 0), Choice(1, 0), "bird", Choice(2, 1)), seed=7)
    creation = Creation("x.png", recipe, (), (NOW - timedelta(minutes=2)).isoformat())
    names = list(dict.fromkeys(words.code_name(part, code) for part, code in ((0, 0), (1, 0), (2, 1))))
    assert creation_title(creation, words) == ", ".join(names) and len(names) == 2
    assert creation_caption(creation, words, NOW) == f"{', '.join(names)} · seed 7 · 2 minutes ago"
    assert creation_title(creation, None) == "0, 1"
    assert creation_title(Creation("x.png", Recipe("p", ("a bird",))), words) == "Creation"
