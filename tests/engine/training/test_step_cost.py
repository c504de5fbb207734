"""Measuring: what a step costs, and what a plan will."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.core.errors import UserError
from engine.handlers import HANDLERS
from engine.models.loader import Models
from engine.packs.pack import Pack
from engine.runs.plan import Plan, predict_cost
from engine.worker.jobs import Measure, Measured, News, Progress


def test_a_few_steps_are_measured_and_nothing_is_kept(tiny_pack: Path, home: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in tiny_pack.rglob("*")}
    seen: list[News] = []
    found = HANDLERS[Measure](Models(device="cpu"), Measure(str(tiny_pack), batch=3), seen.append)
    assert found.seconds > 0 and found.start > 0 and found.memory > 50 << 20
    assert (found.size, found.batch) == (64, 3)
    assert 0 <= found.seconds_each < found.seconds and 0 <= found.memory_each < found.memory
    steps = [news.done for news in seen if isinstance(news, Progress) and news.stage == "Trying a few steps"]
    assert steps == list(range(8))
    assert {path: path.stat().st_mtime_ns for path in tiny_pack.rglob("*")} == before and not home.exists()


def test_a_pack_without_references_cannot_be_measured(tiny_pack: Path, tmp_path: Path) -> None:
    bare = replace(Pack.open(tiny_pack), path=tmp_path, references=())
    bare.save()
    with pytest.raises(UserError, match="no references"):
        HANDLERS[Measure](Models(device="cpu"), Measure(str(tmp_path)), lambda news: None)


def test_a_plan_is_predicted_from_what_was_measured() -> None:
    measured = Measured(2.0, 1000, 10.0, 128, batch=4, seconds_each=0.4, memory_each=100)
    assert predict_cost(measured, Plan("p", steps=100, batch=4)) == (pytest.approx(210), 1000)
    assert predict_cost(measured, Plan("p", steps=200, batch=4)) == (pytest.approx(410), 1000)
    assert predict_cost(measured, Plan("p", steps=100, batch=1)) == (pytest.approx(10 + 100 * 0.8), 700)
    assert predict_cost(measured, Plan("p", steps=100, batch=8)) == (pytest.approx(10 + 100 * 3.6), 1400)
    assert predict_cost(measured, Plan("p", steps=100, batch=4, size=256)) == (pytest.approx(10 + 100 * 6.8), 2200)
    older = Measured(2.0, 1000, 10.0, 128)  # measured with one batch only
    assert predict_cost(older, Plan("p", steps=10, batch=8)) == (pytest.approx(30), 1000)
