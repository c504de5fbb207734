"""A build as a whole: its stages as processes, that end with it, tell what went wrong, and go on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

pytest.importorskip("skia", reason="the aviary is drawn with skia-python (pip install .[aviary])")

from engine.aviary import __main__ as command_line
from engine.aviary.build import FULL, PLANS, BuildPlan, run_trainings
from engine.aviary.starter_pack import GUIDANCE, STEPS
from engine.core.errors import UserError
from engine.core.reentry import own_environment
from engine.packs.pack import Pack
from tests.conftest import REPOSITORY

WAIT = "from engine.aviary.build import end_with_the_build\nend_with_the_build()\nprint('on', flush=True)\n"


def started(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=own_environment(), cwd=REPOSITORY,
    )  # fmt: skip


def test_a_stage_ends_with_the_build_that_started_it() -> None:
    stage = started(WAIT + "import time\ntime.sleep(600)")
    assert stage.stdin is not None and stage.stdout is not None
    assert stage.stdout.readline() == "on\n" and stage.poll() is None
    stage.stdin.close()
    assert stage.wait(60) == 1


def test_a_stage_that_is_done_before_the_build_ends_well() -> None:
    stage = started(WAIT)
    assert stage.stderr is not None
    assert stage.wait(120) == 0 and "Fatal" not in stage.stderr.read()


def test_the_last_words_of_a_stage_that_failed_are_told(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    with pytest.raises(UserError) as told:
        run_trainings(tmp_path, (("reading",),), "no such plan", torch.device("cpu"), print)
    assert "The stage reading failed: " in told.value.message and "no such plan" in told.value.message
    assert "reading.log" in told.value.hint


def test_a_card_that_is_not_there_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["aviary", "build", "--device", "cuda:63", "--out", str(tmp_path / "out")])
    assert command_line.main() == 1
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("Torch finds no device “cuda:63” on this computer.") and not (tmp_path / "out").exists()


def test_memory_that_ran_out_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_words: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")

    monkeypatch.setattr("engine.aviary.build.run_stage", full)
    monkeypatch.setattr(sys, "argv", ["aviary", "stage", "base", "--out", str(tmp_path)])
    assert command_line.main() == 1
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith("There is not enough memory on cpu.")


def test_a_trial_has_networks_of_full_size() -> None:
    small = {"pool", "base", "autoencoder", "decoder", "rehearsed", "judge", "judge_pictures", "eyes", "mixes", "looks"}
    small |= {"practised", "examined", "reader", "reader_pictures"}
    trial, whole = PLANS["trial"], PLANS[FULL]
    changed = {name for name in BuildPlan.__dataclass_fields__ if getattr(trial, name) != getattr(whole, name)}
    assert changed == small


@pytest.mark.slow
def test_a_build_that_is_killed_goes_on_to_its_end(tmp_path: Path) -> None:
    """The networks of the build that ships, a few steps each: every stage hands over to the next, and no kill in the
    middle of one hurts."""
    work = tmp_path / "work"
    command = [sys.executable, "-m", "engine.aviary", "build", "--trial", "--out", str(tmp_path)]
    for sign in ("autoencoder/log.jsonl", "decoder/rehearsal.safetensors", "reader/pool.safetensors"):
        build = subprocess.Popen(command, cwd=REPOSITORY, env=own_environment())
        while build.poll() is None and not (work / sign).exists():
            time.sleep(0.2)
        assert build.poll() is None, f"it ended before {sign} was there"
        build.send_signal(signal.SIGKILL)
        build.wait()
        time.sleep(2)
    done = {stage: (work / stage / "done").stat().st_mtime_ns for stage in ("base", "autoencoder", "judge", "decoder")}
    subprocess.run(command, check=True, cwd=REPOSITORY, env=own_environment())
    assert done == {stage: (work / stage / "done").stat().st_mtime_ns for stage in done}
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["same"]["steps"] == report["mixed"]["steps"] == STEPS and report["same"]["count"] == 8
    pack = Pack.open(tmp_path / "pack")
    assert (pack.base_model.steps, pack.base_model.guidance) == (STEPS, GUIDANCE)
    assert len(pack.references) == 24 and (tmp_path / "pack" / "reader.safetensors").is_file()
    for name in ("base", "eyes", "judge", "practice", "sheet-mixed.png"):
        assert (tmp_path / name).exists()
