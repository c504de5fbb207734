"""The starter's judge as an examiner of evaluations."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("skia")

from engine.aviary.starter_judge import DRAWINGS, open_starter_judge
from engine.core.paths import starter_pack
from engine.core.vocabulary import ABSENT, Choice
from engine.handlers import HANDLERS
from engine.packs.pack import Pack
from engine.rendering.evaluation import mixed_recipes
from engine.rendering.scores import scores_of
from engine.worker.jobs import Evaluate


@pytest.fixture(scope="module")
def pack() -> Pack:
    return Pack.open(starter_pack())


def test_the_judge_knows_the_starter_alone(pack: Pack, models: Any, tmp_path: Path) -> None:
    assert open_starter_judge(models, pack) is not None
    shutil.copytree(pack.path, tmp_path / "starter")
    assert open_starter_judge(models, Pack.open(tmp_path / "starter")) is None, "somebody's own pack of that name"


def test_the_judge_sees_drawings_as_what_they_are(pack: Pack, models: Any) -> None:
    judge = open_starter_judge(models, pack)
    assert judge is not None
    recipes = mixed_recipes(pack, 4, 12, 3)
    drawn = judge.ideals(recipes)[DRAWINGS]
    assert scores_of(pack, judge.receipts(drawn, recipes)).emr > 0.9
    assert scores_of(pack, judge.receipts(drawn[1:] + drawn[:1], recipes)).emr < 0.4
    nothing = judge.receipts([Image.new("RGB", (128, 128), "white")], recipes[:1])
    assert sum(arrival.arrived for arrival in nothing[0]) <= 1
    one = replace(recipes[0], prompt=(Choice(0, 3), " bird"))
    assert judge.ideals([one]) == {} and len(judge.receipts(drawn[:1], [one])[0]) == 1


def test_a_species_that_the_pack_does_not_have_is_none_of_its_codes(pack: Pack, models: Any) -> None:
    judge = open_starter_judge(models, pack)
    assert judge is not None
    practice = next((starter_pack().parent / "practice").glob("*/*.png"))
    recipe = mixed_recipes(pack, 1, 1, 0)[0]
    with Image.open(practice) as picture:
        (receipt,) = judge.receipts([picture], [recipe])
    assert sum(arrival.found == ABSENT for arrival in receipt) >= 3


def test_an_evaluation_of_the_starter_asks_the_judge_first(models: Any, tmp_path: Path) -> None:
    job = Evaluate(str(starter_pack()), str(tmp_path), (2,), 1, steps=2)
    result = HANDLERS[Evaluate](models, job, lambda news: None)
    judge, eyes = result.judgements
    assert judge.judge == "the starter's judge" and eyes.judge.startswith("receipts")
    assert set(judge.ceilings) == set(eyes.ceilings) and DRAWINGS in judge.ceilings
