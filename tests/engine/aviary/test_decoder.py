"""The starter's decoder for 256 pixels: its encoder is the PCA; it grows out of a smaller one, learns, and goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny

pytest.importorskip("skia", reason="the aviary is drawn with skia-python (pip install .[aviary])")

from engine.aviary.dataset import BirdDataset
from engine.aviary.rehearsal import rehearse
from engine.aviary.training import decoder as training
from engine.aviary.training.autoencoder import SCALING, PatchPCA, new_autoencoder
from engine.aviary.training.decoder import (
    DecoderInTraining,
    Rehearsal,
    drawn,
    halved_latents,
    new_large_autoencoder,
    painting_loss,
    sharpness,
    take_over,
    train_decoder,
)
from engine.core.paths import resources_dir

FLOCK = BirdDataset(3, ("Jay", "Owl", "Puffin"), 0.0)


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    return drawn(FLOCK, np.arange(12))


@pytest.fixture(scope="module")
def pca(pictures: torch.Tensor) -> PatchPCA:
    small = ((F.avg_pool2d(pictures, 2) + 1) * 127.5).byte().permute(0, 2, 3, 1).numpy()
    return PatchPCA.fit(small)


def test_the_encoder_gives_the_latents_of_the_picture_at_half_its_size(pca: PatchPCA, pictures: torch.Tensor) -> None:
    vae: Any = new_large_autoencoder(pca)
    with torch.no_grad():
        encoded = vae.encode(pictures).latents * SCALING
    assert encoded.shape == (12, 16, 16, 16)
    assert torch.allclose(encoded, halved_latents(pca, pictures), atol=1e-4)


def test_a_decoder_that_grew_out_of_a_smaller_one_paints_the_same(pca: PatchPCA, pictures: torch.Tensor) -> None:
    torch.manual_seed(0)
    small: Any = new_autoencoder()
    vae: Any = new_large_autoencoder(pca)
    painter = DecoderInTraining(vae.decoder)
    take_over(painter, small.decoder)
    painter.write(vae.decoder)
    latents = halved_latents(pca, pictures[:2]) / SCALING
    with torch.no_grad():
        before = F.interpolate(small.decoder(latents), scale_factor=2)
        assert torch.allclose(vae.decoder(latents), before, atol=1e-5)


def test_what_is_trained_is_what_is_written(pca: PatchPCA, pictures: torch.Tensor) -> None:
    torch.manual_seed(0)
    vae: Any = new_large_autoencoder(pca)
    painter = DecoderInTraining(vae.decoder)
    painter.write(vae.decoder)
    latents = halved_latents(pca, pictures[:1]) / SCALING
    with torch.no_grad():
        trained, written = painter(latents), vae.decoder(latents)
    assert trained.shape == written.shape == (1, 3, 256, 256)
    assert (trained - written).abs().mean() < 0.05 * written.std()  # bfloat16


def test_errors_at_outlines_count_more(pictures: torch.Tensor) -> None:
    blurred = F.avg_pool2d(F.pad(pictures, (2, 2, 2, 2), mode="replicate"), 5, 1)
    wrong = (blurred - pictures).abs().mean((1, 2, 3))
    assert (painting_loss(blurred, pictures) > 3 * wrong).all()
    assert not painting_loss(pictures, pictures).any()
    assert sharpness(blurred) < 0.7 * sharpness(pictures)


def test_a_training_with_an_adversary_goes_on_where_it_stopped(
    pca: PatchPCA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "ADVERSARY_FROM", -1.0)
    rehearsal = Rehearsal(
        FLOCK, halved_latents(pca, drawn(FLOCK, np.arange(4))).half(), torch.randn(4, 16, 16, 16).half()
    )
    train_decoder(tmp_path, FLOCK, pca, 2, rehearsal=rehearsal)
    before = torch.load(tmp_path / "state.pt", weights_only=True)["model"]["kernel"]
    vae: Any = train_decoder(tmp_path, FLOCK, pca, 3, rehearsal=rehearsal)
    after = torch.load(tmp_path / "state.pt", weights_only=True)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 3] == [2, after["step"]]
    assert all(np.isfinite(line[name]) for line in lines for name in ("decoder_db", "painting", "telling", "alike"))
    assert 0 < (after["model"]["kernel"] - before).abs().max() < 0.01
    kept: Any = AutoencoderTiny.from_pretrained(tmp_path / "model")
    assert torch.allclose(kept.decoder.layers[-2].weight, vae.decoder.layers[-2].weight)


def test_the_base_mends_drawings_and_paints_of_its_own(pca: PatchPCA, tmp_path: Path) -> None:
    from diffusers import StableDiffusionPipeline

    from engine.aviary.continue_training import latents_of
    from engine.models.part_tokens import PartTokens
    from engine.packs.pack import Pack
    from engine.rendering.painter import Painter

    starter = resources_dir() / "starter"
    if not starter.is_dir():
        pytest.skip("the starter was not built")
    pipeline: Any = StableDiffusionPipeline.from_pretrained(starter / "base", dtype=torch.float32)
    painter = Painter(pipeline, PartTokens.load(starter / "pack" / "tokens.safetensors"))
    flock = BirdDataset(12, Pack.open(starter / "pack").vocabulary.code_names[0], 0.0)
    images = ((F.avg_pool2d(drawn(flock, np.arange(24)), 2) + 1) * 127.5).byte().permute(0, 2, 3, 1).numpy()
    own = latents_of(starter / "base" / "vae", images)
    made = rehearse(tmp_path, painter, flock, own, 3, 2)
    assert made.mended.shape == (3, 16, 16, 16) and made.free.shape == (2, 16, 16, 16)
    true = halved_latents(own, drawn(flock, np.arange(3)))
    error = (made.mended.float() - true).square().mean().sqrt()
    assert 0.02 < error < 0.6 * (true - true.flip(0)).square().mean().sqrt()
    again = rehearse(tmp_path, painter, flock, own, 3, 2)
    assert torch.equal(again.mended, made.mended) and torch.equal(again.free, made.free)
