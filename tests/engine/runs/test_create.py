"""A run is made in one place: what it proposes, and that window and command line get the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.__main__ import main
from engine.core.errors import UserError
from engine.core.paths import runs_dir, slug, starter_pack
from engine.packs.pack import TOKENS, BaseModel, Pack
from engine.runs.create import create_run, new_run, propose_plan, start_pack, write_run
from engine.runs.plan import SMALL, Plan
from engine.worker.jobs import Surveyed
from partcraft_desktop.app.learning.draft import Draft, DraftPlan
from partcraft_desktop.app.learning.planning import make_run
from partcraft_desktop.app.learning.state import LearningState
from tests.fakes import make_pack

PLACES = ("pack", "pictures", "run", "out")


@pytest.fixture
def draft(tmp_path: Path) -> Pack:
    """An untrained pack for the starter's base model."""
    pack = replace(make_pack(tmp_path / "draft"), title="Garden birds", base_model=BaseModel("starter/base"))
    pack.save()
    return pack


def from_window(draft: Pack, tmp_path: Path, **more: Any) -> dict[str, Any]:
    """The plan that the wizard writes for a draft, on a computer with the starter."""
    now = LearningState(
        draft=Draft(folder=str(tmp_path), plan=DraftPlan(title=draft.title, noun="bird", more=more)),
        surveyed=Surveyed(str(tmp_path), ()),
        base_models=("starter/base",),
        extendable=(Pack.open(starter_pack()),),
        trained=(Pack.open(starter_pack()),),
    )
    return json.loads((Path(make_run(now, draft.path, tmp_path / "runs", tmp_path)) / "plan.json").read_text("utf-8"))


def from_command_line(draft: Pack, *words: str) -> dict[str, Any]:
    """The plan that ``partcraft train PACK`` makes."""
    before = set(runs_dir().glob("*/plan.json"))
    assert main(["train", str(draft.path), *words], "tests.fakes:HANDLERS") == 0
    (made,) = set(runs_dir().glob("*/plan.json")) - before
    return json.loads(made.read_text("utf-8"))


@pytest.mark.parametrize(
    ("words", "more"),
    [
        ((), {}),
        (("--seed", "7", "--batch", "3"), {"seed": 7, "batch": 3}),
        (("--recipe", "paper"), {"recipe": "paper"}),
    ],
)
def test_window_and_command_line_make_the_same_plan(
    words: tuple[str, ...], more: dict[str, Any], draft: Pack, tmp_path: Path
) -> None:
    window, command_line = from_window(draft, tmp_path, **more), from_command_line(draft, *words)
    plans = [Plan.from_json(json.dumps({"pack": "p", **{k: v for k, v in plan.items() if k not in PLACES}}))
             for plan in (window, command_line)]  # fmt: skip
    assert plans[0] == plans[1]
    if not words:
        assert all(getattr(plans[1], name) == value for name, value in SMALL.items())
        assert plans[1].start == str(starter_pack()) and plans[1].sample_every == 60


def test_a_larger_base_model_gets_the_defaults() -> None:
    plan = propose_plan("runwayml/stable-diffusion-v1-5", {"steps": 100})
    assert plan == {
        "base_model": "runwayml/stable-diffusion-v1-5", "steps": 100, "checkpoint_every": 13, "sample_every": 13
    }  # fmt: skip


def test_a_long_training_keeps_its_state_as_often_as_any() -> None:
    assert propose_plan("some/base", {"steps": 100_000})["checkpoint_every"] == Plan.checkpoint_every == 500
    assert "batch" not in propose_plan("starter/base", {"recipe": "paper"}), "the paper's settings"


def test_a_packs_own_unet_is_for_its_own_base_model(draft: Pack) -> None:
    pack = replace(draft, base_model=replace(draft.base_model, unet="someone/turbo"))
    plan = propose_plan(pack.base_model.id, {})
    assert pack.unet_for(plan["base_model"]) == pack.unet_for("") == "someone/turbo"
    assert pack.unet_for("another/base") == ""


def test_tokens_begin_at_the_extended_pack_or_at_one_of_the_same_base(draft: Pack, tmp_path: Path) -> None:
    starter = Pack.open(starter_pack())
    (draft.path / TOKENS).unlink()
    assert start_pack("starter/base", (draft, starter)) == starter, "a pack without tokens is no beginning"
    assert start_pack("another/base", (starter,)) is None
    assert start_pack("starter/base", (starter,), draft) == draft
    assert "start" not in propose_plan("starter/base", {"recipe": "paper"}, starter)


def test_a_run_is_whole_or_not_there(draft: Pack, tmp_path: Path) -> None:
    run = new_run(tmp_path / "runs", "Garden birds!")
    assert run.name == "garden-birds" and run.is_dir(), "the name is taken at once"
    create_run(run, draft.path, {"steps": 5}, {"draft.json": {"page": "plan"}})
    assert json.loads((run / "draft.json").read_text()) == {"page": "plan"}
    assert Plan.from_json((run / "plan.json").read_text()).pack == str(run / "vocabulary")
    other = new_run(tmp_path / "runs", "Garden birds!")
    assert other.name == "garden-birds-2" != new_run(tmp_path / "runs", "Garden birds!").name
    with pytest.raises(UserError, match="steps"):
        create_run(other, draft.path, {"steps": 0})
    assert not other.exists()
    with pytest.raises(UserError, match="names no pack"):
        write_run(other, {})


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Птицы / North & South!", "птицы-north-south"),
        ("!!!", "pack"),
        ("..", "pack"),
        ("a" * 99, "a" * 64),
        ("CON", "con-1"),  # a device on Windows
        ("console", "console"),
    ],
)
def test_a_slug_is_a_name_everywhere(text: str, name: str) -> None:
    assert slug(text, "pack") == name
