"""Models by command line: what they take is said, they are fetched, gone on with, listed, checked."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from engine.__main__ import main
from engine.core.model_places import add_folder
from engine.core.on_disk import size_of
from engine.core.paths import models_dir
from tests.conftest import REPOSITORY
from tests.stand_in_hub import COMMIT, StandIn

ID = "somebody/eyes"
WEIGHTS = random.Random(0).randbytes(400_000)


@pytest.fixture
def model(hub: StandIn) -> StandIn:
    hub.put(ID, {"config.json": b'{"model_type": "dinov2"}', "model.safetensors": WEIGHTS})
    hub.head = {"cardData": {"license": "apache-2.0"}}
    return hub


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> tuple[dict[str, Any], str]:
    """What a command says with ``--json``, and beside it."""
    assert main([*words, "--json"]) == code
    output = capsys.readouterr()
    return json.loads(output.out), output.err


def test_what_a_model_takes_is_said_before_it_is_fetched(model: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    document, beside = said(capsys, "models", "fetch", ID, "--dry-run")
    assert document["size"] == 400_024 and document["license"] == "apache-2.0" and document["revision"] == COMMIT
    assert f"{ID}: 400 kB" in beside and "licence: apache-2.0" in beside and str(models_dir() / ID) in beside
    assert not model.fetched and not models_dir().exists()


@pytest.mark.parametrize("verb", ["fetch", "download"])
def test_fetched_with_how_far_it_is(model: StandIn, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    model.drip = 0.12
    document, beside = said(capsys, "models", verb, ID, "--revision", "v1")
    assert (Path(document["path"]) / "model.safetensors").read_bytes() == WEIGHTS
    assert "400 kB of 400 kB" in beside and "B/s, " in beside and " left" in beside
    assert main(["models", "fetch", ID]) == 0
    assert f"{ID} is in {models_dir() / ID}." in capsys.readouterr().out and len(model.fetched) == 2


@pytest.mark.parametrize(("words", "message"), [(("nobody/else",), "knows no nobody/else"),
                                                ((ID, "--revision", "v9"), "has no revision v9")])  # fmt: skip
def test_faults_are_a_sentence(
    model: StandIn, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    document, _ = said(capsys, "models", "fetch", *words, code=1)
    assert message in document["error"]["message"] and document["error"]["hint"]


def test_a_model_that_is_here_already_is_not_copied(
    model: StandIn, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    other = Path(shutil.copytree(model.root / ID, tmp_path / "other" / ID)).resolve()
    folders, _ = said(capsys, "models", "folders", "--add", str(tmp_path / "other"))
    assert folders == {"folders": [str(tmp_path / "other")]}
    weights = other / "model.safetensors"
    weights.write_bytes(WEIGHTS[::-1])
    assert said(capsys, "models", "fetch", ID, "--dry-run")[0]["path"] == str(models_dir() / ID), "it is another"
    weights.write_bytes(WEIGHTS)
    document, _ = said(capsys, "models", "fetch", ID)
    assert document["path"] == str(other) and not model.fetched and not models_dir().exists()
    assert said(capsys, "models", "folders", "--remove", str(tmp_path / "other"))[0] == {"folders": []}


def test_what_was_fetched_by_half_is_listed_and_can_be_thrown_away(
    model: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    model.claims = 500_000
    said(capsys, "models", "fetch", ID, code=1)
    assert main(["models", "list"]) == 0
    listed = capsys.readouterr().out
    assert f"{ID}  24 bytes of 500 kB are fetched" in listed and "DINOv2" in listed
    assert (
        "somebody/eyes was not fetched to its end"
        in said(capsys, "models", "check", ID, code=1)[0]["models"][0]["message"]
    )
    said(capsys, "models", "discard", ID)
    assert said(capsys, "models", "list")[0]["unfinished"] == [] and not (models_dir() / ID).exists()
    assert "waits to be gone on with" in said(capsys, "models", "discard", ID, code=1)[0]["error"]["message"]


def test_wrong_bytes_are_found_by_check(model: StandIn, capsys: pytest.CaptureFixture[str], tiny_world: Path) -> None:
    eyes = tiny_world / "eyes"
    model.put(ID, {file.name: file.read_bytes() for file in eyes.iterdir() if file.is_file()})
    folder = Path(said(capsys, "models", "fetch", ID)[0]["path"])
    assert said(capsys, "models", "check", ID)[0]["models"][0]["ok"]
    config = folder / "config.json"
    config.write_bytes(config.read_bytes().replace(b"\n", b" ", 1))
    message = said(capsys, "models", "check", ID, code=1)[0]["models"][0]["message"]
    assert "config.json is not what the hub has" in message


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
def test_ctrl_c_ends_it_at_once_and_the_same_command_goes_on(model: StandIn, home: Path) -> None:
    model.silent_after = 100_000
    environment = {**os.environ, "HF_ENDPOINT": model.address, "HF_HUB_OFFLINE": "0", "PARTCRAFT_HOME": str(home)}
    command = [sys.executable, "-m", "engine", "models", "fetch", ID]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background may ignore it
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    deadline = time.monotonic() + 60
    while not any(size_of(part) >= 100_000 for part in home.rglob("*.incomplete")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    pressed = time.monotonic()
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=30)[1]
    assert process.returncode == 130 and "the same command goes on from there" in error
    assert time.monotonic() - pressed < 15, "the server is silent for 30 seconds"
    model.silent_after = 0
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and (models_dir() / ID / "model.safetensors").read_bytes() == WEIGHTS
    assert model.fetched[-1].endswith("bytes=100000-")


def test_a_checkpoint_in_one_file_is_unpacked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    first = {"model.diffusion_model.input_blocks.0.0.weight": np.zeros((2, 4, 1, 1), np.float16)}
    save_file(first | {"cond_stage_model.transformer.text_model.x": np.zeros(2, np.float16)}, file)
    add_folder(tmp_path)
    (listed,) = said(capsys, "models", "list")[0]["single_files"]
    assert listed == {"path": str(file), "kind": "Stable Diffusion 1 checkpoint", "size": size_of(file)}
    _, error = said(capsys, "models", "unpack", str(file), code=1)
    assert "The UNet in mine.safetensors is not as its family has it." in error
    assert not list(models_dir().rglob("unet"))
