"""Receipts and evaluations count what arrived."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine.core.errors import UserError
from engine.core.recipe import Arrival, Recipe
from engine.core.vocabulary import ABSENT, Choice
from engine.packs.pack import Pack
from engine.rendering.evaluation import evaluate, mixed_recipes, scores_of
from engine.rendering.receipts import receipt_of
from engine.worker.jobs import Evaluate, News, Progress


def test_a_reference_is_its_own_receipt(tiny_pack: Path, models: Any) -> None:
    """The parts of a reference arrive in the reference itself; parts of another do not."""
    pack = Pack.open(tiny_pack)
    right = wrong = asked = 0
    for reference in pack.references:
        shown = [Choice(part, code) for part, code in enumerate(reference.codes) if code != ABSENT]
        others = [replace(choice, code=(choice.code + 1) % 3) for choice in shown]
        with Image.open(reference.image) as picture:
            right += sum(one.arrived for one in receipt_of(models, pack, picture, Recipe("", tuple(shown))))
            wrong += sum(one.arrived for one in receipt_of(models, pack, picture, Recipe("", tuple(others))))
        asked += len(shown)
    assert asked and right > 0.8 * asked and wrong < 0.2 * asked


def test_pictures_without_a_way_to_look_have_no_receipt(tiny_pack: Path, models: Any) -> None:
    pack = Pack.open(tiny_pack)
    picture, recipe = Image.new("RGB", (64, 64)), Recipe("", (Choice(0, 1),))
    assert len(receipt_of(models, pack, picture, recipe)) == 1
    assert receipt_of(models, pack, picture, Recipe("", ("words",))) == ()
    blind = replace(pack, backbone=replace(pack.backbone, id="nobody/eyes"))
    assert receipt_of(models, blind, picture, recipe) == ()


def test_mixes_take_parts_from_as_many_references_as_asked(tiny_pack: Path) -> None:
    pack = Pack.open(tiny_pack)
    for recipe in mixed_recipes(pack, 1, 20, 3):
        assert len({choice.source for choice in recipe.choices}) == 1
    several = mixed_recipes(pack, 2, 20, 3)
    assert max(len({choice.source for choice in recipe.choices}) for recipe in several) == 2
    assert several == mixed_recipes(pack, 2, 20, 3) != mixed_recipes(pack, 2, 20, 4)
    for recipe in several:
        for choice in recipe.choices:
            reference = pack.reference(choice.source)
            assert reference is not None and reference.codes[choice.part] == choice.code
    with pytest.raises(UserError, match="no references"):
        mixed_recipes(replace(pack, references=()), 2, 2, 0)


def test_scores_are_means_over_what_was_asked(tiny_pack: Path) -> None:
    pack = Pack.open(tiny_pack)
    receipts = [
        (Arrival(0, 1, 1, 0.9), Arrival(1, 2, 0, 0.1)),
        (Arrival(0, 1, 2, 0.3), Arrival(1, 2, ABSENT, 0.0)),
    ]
    result = scores_of(pack, receipts)
    assert result.emr == pytest.approx(0.25) and result.cosim == pytest.approx(1.3 / 4)
    head = {"emr": 0.5, "cosim": pytest.approx(0.6), "absent": 0.0, "asked": 2, "chance": 0.5}
    assert asdict(result.parts["head"]) == head
    assert result.parts["wing"].absent == 0.5 and result.parts["tail"].asked == 0
    # Two heads were asked for as 1, and one of them looks like 1; wings: at least one of as many as can be asked for.
    wings = len({reference.codes[1] for reference in pack.references} - {ABSENT})
    assert result.parts["wing"].chance == pytest.approx(1 / wings)
    assert result.chance == pytest.approx((0.5 + 1 / wings) / 2)
    assert result.match_rate.words.endswith("hardly better than guessing (4 parts)")
    assert 0 < scores_of(pack, []).chance <= 1 and scores_of(pack, []).match_rate.asked == 0


def test_an_evaluation_leaves_its_figures_and_a_sheet(tiny_pack: Path, models: Any, tmp_path: Path) -> None:
    seen: list[News] = []
    result = evaluate(models, Evaluate(str(tiny_pack), str(tmp_path / "out"), mix=2, count=3), seen.append)
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text()) == result.to_document()
    assert 0 <= result.scores.emr <= 1 and result.count == 3
    with Image.open(tmp_path / "out" / "sheet.png") as sheet:
        assert sheet.size == (3 * 64, 64)
    assert any(isinstance(news, Progress) for news in seen)
