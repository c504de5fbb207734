"""Another autoencoder in place of the base model's own, and a tiny one to look at what is being drawn."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from PIL import Image

from engine.core.errors import UserError
from engine.core.paths import models_dir
from engine.core.vocabulary import Choice
from engine.models.hub import base_model_entry, component_bytes, find_models, models_of_pack
from engine.models.loader import Models
from engine.models.vae import decode_latents
from engine.packs.base_sizes import sizes_of
from engine.packs.pack import Pack
from engine.rendering.painter import Painter, open_painter
from engine.rendering.preview import TINY_AUTOENCODERS, LatentPreview, open_preview
from engine.rendering.render import render
from engine.worker.jobs import News, Preview, Render
from tests.engine import tiny


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_sd15(tmp_path_factory.mktemp("bases") / "sd15")


def make_tiny(folder: Path, channels: int = 4, levels: int = 3) -> Path:
    torch.manual_seed(8)
    AutoencoderTiny(
        latent_channels=channels, encoder_block_out_channels=(8,) * levels, decoder_block_out_channels=(8,) * levels,
        num_encoder_blocks=(1,) * levels, num_decoder_blocks=(1,) * levels,
    ).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.fixture
def pack(tiny_pack: Path, base: Path, tmp_path: Path) -> Pack:
    """A pack of this base model, with another autoencoder."""
    folder = Path(shutil.copytree(tiny_pack, tmp_path / "pack"))
    (folder / "lora.safetensors").unlink()
    entry = base_model_entry(str(base), vae=str(make_tiny(tmp_path / "tiny")))
    replace(Pack.open(folder), base_model=entry).save()
    return Pack.open(folder)


def test_a_pack_renders_with_the_autoencoder_it_names(pack: Pack, base: Path, tmp_path: Path) -> None:
    assert pack.to_document()["base_model"]["vae"] == pack.base_model.vae == str(tmp_path / "tiny")
    assert str(tmp_path / "tiny") in pack.model_ids
    models = Models(device="cpu")
    painter = open_painter(models, pack)
    assert isinstance(painter.pipeline.vae, AutoencoderTiny)
    assert sizes_of(pack.base_model).own == painter.size
    own = Painter(models.pipeline(str(base)), painter.tokens)
    words = ("a ", Choice(0, 1), " bird")
    latents = [one.paint(words, (), [3], steps=2, guidance=2.0, output="latent") for one in (painter, own)]
    assert torch.allclose(*latents, atol=1e-5), "only how they are made visible differs"
    drawn = [np.asarray(one.paint(words, (), [3], steps=2, guidance=2.0)[0]).astype(int) for one in (painter, own)]
    assert np.abs(drawn[0] - drawn[1]).max() > 8
    sizes = component_bytes(models_of_pack(pack))
    assert sizes["vae"] == 4 * sum(parameter.numel() for parameter in painter.pipeline.vae.parameters())


@pytest.mark.parametrize(("channels", "levels"), [(16, 3), (4, 4)])
def test_one_for_other_latents_is_refused(base: Path, tmp_path: Path, channels: int, levels: int) -> None:
    folder = make_tiny(tmp_path / "other", channels, levels)
    with pytest.raises(UserError, match="latents are of another kind") as caught:
        find_models(str(base), vae=str(folder))
    assert "autoencoder" in caught.value.hint


def test_what_is_no_autoencoder_is_told(base: Path) -> None:
    with pytest.raises(UserError, match="There is no autoencoder in"):
        find_models(str(base), vae=str(base / "unet"))
    assert find_models(str(base), vae=str(base)).vae == base / "vae", "a whole base model's own"


def test_a_tiny_autoencoder_that_is_here_shows_what_is_being_drawn(pack: Pack, base: Path, tmp_path: Path) -> None:
    replace(pack, base_model=base_model_entry(str(base))).save()
    pack = Pack.open(pack.path)
    models = Models(device="cpu")
    painter = open_painter(models, pack)
    assert isinstance(open_preview(models, pack, painter), LatentPreview)
    folder = make_tiny(models_dir() / TINY_AUTOENCODERS[False])
    look = open_preview(models, pack, painter)
    latents = torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(2))
    shown = look(latents)
    expected = decode_latents(AutoencoderTiny.from_pretrained(folder), latents[None])[0].permute(1, 2, 0)
    assert shown.dtype == np.uint8 and np.abs(shown - ((expected.numpy() + 1) * 127.5)).max() <= 0.51
    news: list[News] = []
    recipe = pack.new_recipe(("a ", Choice(0, 1), " bird"), seed=4)
    (made,) = render(models, Render(str(pack.path), replace(recipe, steps=3), str(tmp_path / "out")), news.append)
    with Image.open(made.path) as picture:
        assert {one.image.shape for one in news if isinstance(one, Preview)} == {(picture.height, picture.width, 3)}


def test_one_that_is_damaged_or_of_another_kind_is_no_reason_not_to_draw(pack: Pack, base: Path) -> None:
    replace(pack, base_model=base_model_entry(str(base))).save()
    pack = Pack.open(pack.path)
    models: Any = Models(device="cpu")
    folder = make_tiny(models_dir() / TINY_AUTOENCODERS[False], channels=16)
    painter = open_painter(models, pack)
    assert isinstance(open_preview(models, pack, painter), LatentPreview)
    weights = folder / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-200])
    assert isinstance(open_preview(Models(device="cpu"), pack, painter), LatentPreview)
