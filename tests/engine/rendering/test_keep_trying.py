"""Keep trying: until all parts arrive, within a budget, and the best is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.core.errors import JobCancelled
from engine.core.png_metadata import read_creation
from engine.core.recipe import Arrival, Receipt, Recipe
from engine.core.vocabulary import ABSENT, Choice
from engine.packs.pack import Pack
from engine.rendering.keep_trying import best_of, missing_text, seeds_to_try
from engine.rendering.render import render
from engine.worker.jobs import News, Progress, Render, Rendered
from tests.fakes import make_vocabulary

VOCABULARY = make_vocabulary()


def receipt_with(*right: bool, similarity: float = 0.5) -> Receipt:
    return tuple(Arrival(part, 1, 1 if is_right else ABSENT, similarity) for part, is_right in enumerate(right))


class Tries:
    """Tries with receipts told beforehand; what was painted, and what was said."""

    def __init__(self, *receipts: Receipt, cancel_at: int = 99) -> None:
        self.receipts, self.cancel_at = receipts, cancel_at
        self.seeds: list[int] = []
        self.said: list[str] = []

    def paint(self, seed: int, words: str) -> Image.Image:
        if len(self.seeds) == self.cancel_at:
            raise JobCancelled
        self.seeds.append(seed)
        self.said.append(words)
        return Image.new("RGB", (1, 1), (seed, 0, 0))

    def look(self, picture: Image.Image, seed: int) -> Receipt:
        assert picture.getpixel((0, 0)) == (seed, 0, 0)
        return self.receipts[len(self.seeds) - 1]

    def best(self) -> Any:
        return best_of([10 + number for number in range(len(self.receipts))], self.paint, self.look, VOCABULARY)


def test_it_stops_as_soon_as_all_arrive() -> None:
    tries = Tries(receipt_with(True, False), receipt_with(True, True), receipt_with(True, True))
    best = tries.best()
    assert best.seed == 11 and best.is_enough and not best.stopped and tries.seeds == [10, 11]
    assert tries.said == ["Try 1 of 3", "Try 2 of 3: wing missing"]


def test_the_best_is_kept_where_none_is_perfect() -> None:
    one, two, worst = (
        receipt_with(True, False, False),
        receipt_with(True, True, False),
        receipt_with(False, False, False),
    )
    tries = Tries(worst, two, one, receipt_with(True, True, False, similarity=0.4))
    best = tries.best()
    assert best.seed == 11 and best.receipt == two and len(tries.seeds) == 4
    assert tries.said[1:] == ["Try 2 of 4: 3 parts missing", "Try 3 of 4: tail missing", "Try 4 of 4: tail missing"]
    closer = receipt_with(True, True, False, similarity=0.6)
    assert Tries(two, closer).best().receipt == closer, "of equal tries the one that is more alike"


def test_where_nobody_can_say_there_is_one_try() -> None:
    tries = Tries((), ())
    assert tries.best().seed == 10 and tries.seeds == [10]


def test_the_best_so_far_is_kept_when_somebody_cancels() -> None:
    tries = Tries(receipt_with(False, False), receipt_with(True, False), receipt_with(True, True), cancel_at=2)
    best = tries.best()
    assert best.stopped and best.seed == 11
    with pytest.raises(JobCancelled):
        Tries(receipt_with(True), cancel_at=0).best()


def test_no_two_pictures_try_the_same_seed() -> None:
    recipe = Recipe("p", seed=2**63 - 4, count=3, tries=4)
    seeds = [seeds_to_try(recipe, index) for index in range(3)]
    assert [own[0] for own in seeds] == [2**63 - 4, 2**63 - 3, 2**63 - 2]
    assert len({seed for own in seeds for seed in own}) == 12 and all(
        0 <= seed < 2**63 for own in seeds for seed in own
    )


def test_what_is_missing_in_words() -> None:
    assert missing_text(receipt_with(True, False, True), VOCABULARY) == "wing missing"
    assert missing_text(receipt_with(False, False, True), VOCABULARY) == "body and wing missing"


RECIPE = Recipe("tiny", ("a ", Choice(0, 1), " ", Choice(2, 2), " bird"), seed=5, count=2, steps=3, tries=3)


def test_a_render_keeps_one_creation_a_picture(tiny_pack: Path, models: Any, tmp_path: Path) -> None:
    """Random weights: hardly any part arrives, so all tries are made; what is kept can be rendered again alone."""
    seen: list[News] = []
    made = render(models, Render(str(tiny_pack), RECIPE, str(tmp_path / "out")), seen.append)
    stages = {news.stage.partition(":")[0] for news in seen if isinstance(news, Progress)}
    assert len(made) == 2 == len(list((tmp_path / "out").iterdir())) and "Try 1 of 3" in stages
    assert [news.creation for news in seen if isinstance(news, Rendered)] == list(made)
    for index, creation in enumerate(made):
        assert creation.recipe == replace(RECIPE, seed=creation.recipe.seed, count=1, tries=1)
        assert creation.recipe.seed in seeds_to_try(RECIPE, index)
        assert read_creation(creation.path).recipe == creation.recipe
        (again,) = render(models, Render(str(tiny_pack), creation.recipe, str(tmp_path / "again")), lambda news: None)
        with Image.open(creation.path) as one, Image.open(again.path) as other:
            assert np.array_equal(np.asarray(one), np.asarray(other))
        assert creation.receipt == again.receipt
    ranks = {}
    for seed in seeds_to_try(RECIPE, 0):
        (alone,) = render(
            models,
            Render(str(tiny_pack), replace(RECIPE, seed=seed, count=1, tries=1), str(tmp_path)),
            lambda news: None,
        )
        ranks[seed] = sum(arrival.arrived for arrival in alone.receipt)
    assert ranks[made[0].recipe.seed] == max(ranks.values())


def test_a_cancelled_render_gives_the_best_so_far(tiny_pack: Path, models: Any, tmp_path: Path) -> None:
    def cancel(news: News) -> None:
        if isinstance(news, Progress) and news.stage.startswith("Try 2"):
            raise JobCancelled

    pack = Pack.open(tiny_pack)
    never = replace(RECIPE, prompt=(Choice(0, 1), " ", Choice(1, 1), " ", Choice(2, 1), " ", Choice(3, 1)))
    made = render(models, Render(str(pack.path), never, str(tmp_path / "out")), cancel)
    assert [creation.recipe.seed for creation in made] == [5] and len(list((tmp_path / "out").iterdir())) == 1
