"""A complete original checkpoint renders the original's pictures, through the stock pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from safetensors.torch import load_file

from engine.exchange.original_checkpoint import original_lora, original_tokens, read_foreign
from engine.models.loader import Models
from engine.models.lora import save_lora
from engine.models.part_tokens import PartTokens
from engine.rendering.painter import Painter
from tests.engine.models.test_golden_tokens import pieces


@pytest.fixture(scope="module")
def lora(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pack") / "lora.safetensors"
    save_lora(original_lora(read_foreign(golden / "ckpt/checkpoint-20/pytorch_model.bin")), path)
    return path


@pytest.fixture(scope="module")
def painter(golden: Path, lora: Path) -> Painter:
    return open_original(golden, lora, original_tokens(read_foreign(golden / "ckpt/checkpoint-20/pytorch_model_1.bin")))


def open_original(golden: Path, lora: Path | None, tokens: PartTokens) -> Painter:
    pipeline = Models(device="cpu").pipeline(str(golden / "tiny_sd"), lora)
    return Painter(with_ddim(pipeline, golden), tokens)


def with_ddim(pipeline: Any, golden: Path) -> Any:
    pipeline.scheduler = DDIMScheduler.from_pretrained(golden / "tiny_sd/scheduler")
    return pipeline


JOBS = (
    ("parts", "a photo of a <0:3> <2:5> <5:1> bird", "blurry <1:2>"),
    ("twice", "a <2:3> <2:5> bird", ""),
    ("plain", "a photo of a cat", ""),
)


def latents_of(painter: Painter, golden: Path, prompt: str, negative: str, output: str = "latent") -> Any:
    start = load_file(golden / "render.safetensors")["latents"]
    return painter.paint(pieces(prompt), pieces(negative), [0], steps=4, guidance=7.5, latents=start, output=output)


@pytest.mark.parametrize(("name", "prompt", "negative"), JOBS)
def test_pictures_are_the_originals(golden: Path, painter: Painter, name: str, prompt: str, negative: str) -> None:
    data = load_file(golden / "render.safetensors")
    ours = latents_of(painter, golden, prompt, negative)
    assert ours.abs().max() < 30
    torch.testing.assert_close(ours, data[f"{name}.final_latents"], rtol=0, atol=1e-4)
    picture = np.asarray(latents_of(painter, golden, prompt, negative, "pil")[0])
    off = np.abs(picture.astype(int) - data[f"{name}.image_u8"].numpy().astype(int))
    assert (off <= 1).mean() >= 0.999


def test_the_lora_and_the_tokens_matter(golden: Path, painter: Painter) -> None:
    theirs = load_file(golden / "render.safetensors")["parts.final_latents"]
    _, prompt, negative = JOBS[0]
    assert isinstance(painter.tokens, PartTokens)
    without_lora = open_original(golden, None, painter.tokens)
    assert (latents_of(without_lora, golden, prompt, negative) - theirs).abs().max() > 1e-2
    other_tokens = Painter(painter.pipeline, PartTokens(8, 16, 64))
    assert (latents_of(other_tokens, golden, prompt, negative) - theirs).abs().max() > 1e-2


def test_our_lora_file_is_an_ordinary_diffusers_lora(golden: Path, painter: Painter, lora: Path) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(golden / "tiny_sd", safety_checker=None)
    pipeline.load_lora_weights(str(lora.parent), weight_name=lora.name)
    pipeline.set_progress_bar_config(disable=True)
    stock = Painter(with_ddim(pipeline, golden), painter.tokens)
    theirs = load_file(golden / "render.safetensors")["parts.final_latents"]
    ours = latents_of(stock, golden, *JOBS[0][1:])
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)
