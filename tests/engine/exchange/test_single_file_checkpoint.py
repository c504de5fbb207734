"""Checkpoints in one file become folders that are opened like any other, or are refused in a sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from engine.core.errors import UserError
from engine.core.paths import models_dir, resources_dir
from engine.exchange.single_file_checkpoint import unpack, unpack_checkpoint, write_tokenizers
from engine.hub.single_files import UNPACKABLE, single_file_kind
from engine.models.components import load_tokenizer
from engine.models.hub import check_model
from engine.models.loader import Models
from engine.models.wholeness import require_whole
from engine.rendering.painter import Painter
from engine.worker.jobs import UnpackCheckpoint
from tests.engine import tiny
from tests.engine.ldm_names import as_checkpoint

WORDS = 514
"""Of a tokenizer without merges: 256 bytes, the same at a word's end, two marks."""
MAKERS = {"sd1": tiny.make_sd15, "sd2": tiny.make_sd2, "sdxl": tiny.make_sdxl}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base model of each family, how the families are laid out, and a checkpoint of each."""
    folder = tmp_path_factory.mktemp("single files")
    (folder / "layouts").mkdir()
    (folder / "layouts" / "clip_merges.txt").write_text("#version: 0.2\n")
    for family, make in MAKERS.items():
        base, layout = make(folder / family), folder / "layouts" / family
        for encoder in sorted(base.glob("text_encoder*")):
            with_all_letters(encoder)
        for file in [*base.glob("*.json"), *base.glob("*/*config.json")]:
            place = layout / file.relative_to(base)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place)
        save_file(as_checkpoint(base), folder / f"{family}.safetensors")
    return folder


def with_all_letters(encoder: Path) -> None:
    torch.manual_seed(7)
    config = CLIPTextConfig.from_pretrained(encoder)
    config.vocab_size = WORDS
    kind: Any = CLIPTextModelWithProjection if encoder.name.endswith("2") else CLIPTextModel
    kind(config).save_pretrained(encoder)


@pytest.mark.parametrize("family", MAKERS)
def test_each_weight_comes_to_its_place(family: str, world: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    unpack(world / f"{family}.safetensors", out, layouts=world / "layouts")
    pieces = sorted(file.parent.name for file in out.glob("*/*.safetensors"))
    assert pieces == sorted(file.parent.name for file in (world / family).glob("*/*.safetensors"))
    for piece in pieces:
        (theirs,), (ours,) = ((folder / piece).glob("*.safetensors") for folder in (out, world / family))
        found, expected = load_file(theirs), load_file(ours)
        assert found.keys() == expected.keys() and all(value.dtype == torch.float16 for value in found.values())
        assert all(torch.equal(found[name], expected[name].half()) for name in found), piece


@pytest.mark.parametrize("family", MAKERS)
def test_it_draws_what_its_folder_draws(family: str, world: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    unpack(world / f"{family}.safetensors", out, layouts=world / "layouts")
    assert single_file_kind(world / f"{family}.safetensors") == dict(zip(MAKERS, UNPACKABLE, strict=True))[family]
    shutil.copytree(world / family, tmp_path / "own")
    for tokenizer in out.glob("tokenizer*"):  # the tiny ones know fewer letters
        shutil.rmtree(tmp_path / "own" / tokenizer.name)
        shutil.copytree(tokenizer, tmp_path / "own" / tokenizer.name)
    if family == "sd2":  # with velocity it is taken for one of 768 pixels
        shutil.copy(out / "unet" / "config.json", tmp_path / "own" / "unet" / "config.json")
    painters = [Painter(Models(device="cpu").pipeline(str(folder))) for folder in (out, tmp_path / "own")]
    drawn = [np.asarray(one.paint(("a bird",), (), [3], steps=3, guidance=3.0)[0]) for one in painters]
    assert np.abs(drawn[0].astype(int) - drawn[1]).max() <= 3 and drawn[0].std() > 1, "half precision, rounded once"


def test_it_is_a_base_model_like_others_and_is_unpacked_once(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.exchange.single_file_checkpoint.resources_dir", lambda: world)
    job = UnpackCheckpoint(str(world / "sd1.safetensors"))
    told: list[Any] = []
    assert unpack_checkpoint(None, job, told.append) == "checkpoints/sd1"
    require_whole(check_model("checkpoints/sd1"))
    assert [news.done for news in told if news.stage == "Unpacking"] == [0, 1, 2]
    before = (models_dir() / "checkpoints" / "sd1" / "unet" / "config.json").stat().st_mtime_ns
    assert unpack_checkpoint(None, job, told.append) == "checkpoints/sd1"
    assert (models_dir() / "checkpoints" / "sd1" / "unet" / "config.json").stat().st_mtime_ns == before
    other = UnpackCheckpoint(job.file, "v_prediction")
    assert unpack_checkpoint(None, other, told.append) == "checkpoints/sd1-2", "nothing is written over"
    assert sorted(place.name for place in (models_dir() / "checkpoints").iterdir()) == ["sd1", "sd1-2"]


@pytest.mark.parametrize(
    ("family", "name", "notes", "asked", "expected"),
    [
        ("sd1", "x", {}, "", "epsilon"),
        ("sd2", "v2-1_768", {}, "", "v_prediction"),
        ("sd2", "v2-1_512-base", {}, "", "epsilon"),
        ("sd2", "v2-1_512-base", {"modelspec.prediction_type": "v"}, "", "v_prediction"),
        ("sd2", "x", {"modelspec.prediction_type": "epsilon"}, "", "epsilon"),
        ("sd1", "x", {}, "v_prediction", "v_prediction"),
        ("sdxl", "x", {}, "", "epsilon"),
        ("sdxl", "noob", {"v_pred": "a weight"}, "", "v_prediction"),
    ],
)
def test_what_it_predicts(
    family: str, name: str, notes: dict[str, str], asked: str, expected: str, world: Path, tmp_path: Path
) -> None:
    weights = load_file(world / f"{family}.safetensors")
    if notes.pop("v_pred", ""):
        weights["v_pred"] = torch.zeros(0)
    save_file(weights, tmp_path / f"{name}.safetensors", notes or None)
    unpack(tmp_path / f"{name}.safetensors", tmp_path / "model", asked, layouts=world / "layouts")
    said = json.loads((tmp_path / "model" / "scheduler" / "scheduler_config.json").read_text())
    assert said["prediction_type"] == expected


def test_an_old_checkpoint_of_weights_alone_opens_and_one_that_runs_code_does_not(world: Path, tmp_path: Path) -> None:
    weights = load_file(world / "sd1.safetensors")
    torch.save({"state_dict": weights, "global_step": 4}, tmp_path / "old.ckpt")
    unpack(tmp_path / "old.ckpt", tmp_path / "model", layouts=world / "layouts")
    assert (tmp_path / "model" / "unet" / "diffusion_pytorch_model.safetensors").is_file()
    torch.save({"state_dict": weights, "hook": Runs()}, tmp_path / "bad.ckpt")
    refused("bad.ckpt holds more than weights", tmp_path / "bad.ckpt", tmp_path, world)
    assert not (tmp_path / "ran").exists()


class Runs:
    """Would run a program when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, ("touch ran",)


def refused(match: str, file: Path, folder: Path, world: Path) -> None:
    with pytest.raises(UserError, match=match) as caught:
        unpack(file, folder / "refused" / "model", layouts=world / "layouts")
    assert caught.value.hint and not list((folder / "refused").glob("*")), "nothing is left"


@pytest.mark.parametrize("fault", ["no text encoder", "no autoencoder", "a misshapen weight", "a missing weight", "cut",
                                   "an inpainting model", "a LoRA", "a page of the web", "gone"])  # fmt: skip
def test_what_is_none_is_refused_and_leaves_nothing(fault: str, world: Path, tmp_path: Path) -> None:
    weights = load_file(world / "sd1.safetensors")
    first, file = "model.diffusion_model.input_blocks.0.0.weight", tmp_path / "file.safetensors"

    def without(start: str) -> dict[str, Tensor]:
        return {name: value for name, value in weights.items() if not name.startswith(start)}

    changed, match = {
        "no text encoder": (without("cond_stage_model."), "diffusion checkpoint, which cannot be used"),
        "no autoencoder": (without("first_stage_model."), "has no autoencoder"),
        "a misshapen weight": (weights | {"model.diffusion_model.out.2.bias": torch.zeros(7)}, "is not as its family"),
        "a missing weight": (without("model.diffusion_model.time_embed.0.w"), "(?s)(is not as its family|is missing)"),
        "cut": (weights, "is damaged"),
        "an inpainting model": (weights | {first: torch.zeros(16, 9, 3, 3)}, "inpainting checkpoint, which cannot"),
        "a LoRA": ({"lora_unet_x.lora_up.weight": torch.zeros(2)}, "is no checkpoint of a base model"),
        "a page of the web": (weights, "is damaged"),
        "gone": (weights, "There is no file"),
    }[fault]
    save_file(changed, file)
    if fault == "cut":
        file.write_bytes(file.read_bytes()[:-1000])
    elif fault == "a page of the web":
        file.write_text("<html>Not found</html>")
    elif fault == "gone":
        file.unlink()
    refused(match, file, tmp_path, world)


def test_a_full_disk_is_said_before_anything_is_written(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _place: usage._replace(free=1000))
    refused("and 1 kB are free", world / "sd1.safetensors", tmp_path, world)


@pytest.mark.parametrize("family", MAKERS)
def test_the_layouts_that_ship_are_those_of_the_real_families(family: str, tmp_path: Path) -> None:
    """By names and shapes: all of the real size, none of it in memory."""
    layout = resources_dir() / "layouts" / family
    counts = {"sd1": 859_520_964, "sd2": 865_910_724, "sdxl": 2_567_463_684}
    with torch.device("meta"):
        real: Any = UNet2DConditionModel.from_config(json.loads((layout / "unet" / "config.json").read_text()))
        vae: Any = AutoencoderKL.from_config(json.loads((layout / "vae" / "config.json").read_text()))
    assert sum(value.numel() for value in real.parameters()) == counts[family]
    assert sum(value.numel() for value in vae.parameters()) == 83_653_863


def test_the_tokenizer_that_ships_is_clips(tmp_path: Path) -> None:
    layouts = resources_dir() / "layouts"
    shutil.copytree(layouts / "sdxl", tmp_path / "model")
    write_tokenizers(tmp_path / "model", (layouts / "clip_merges.txt").read_text("utf-8"))
    tokenizer = load_tokenizer(tmp_path / "model" / "tokenizer")
    assert len(tokenizer) == 49408
    assert tokenizer("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert load_tokenizer(tmp_path / "model" / "tokenizer_2").pad_token_id == 0
