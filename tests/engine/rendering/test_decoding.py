"""Where memory runs out behind the last step, the steps are not taken again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.core.errors import UserError
from engine.core.recipe import Recipe
from engine.core.vocabulary import Choice
from engine.models.loader import Models
from engine.packs.pack import Pack
from engine.rendering.decoding import decode
from engine.rendering.painter import open_painter
from engine.rendering.render import render
from engine.worker.jobs import Render
from tests.engine import tiny


class Short:
    """Has an autoencoder's decoder run out of memory for latents of more than ``most`` numbers a side or a batch."""

    def __init__(self, vae: Any, side: int, batch: int = 99) -> None:
        self.vae, self.side, self.batch = vae, side, batch
        self.shapes: list[tuple[int, ...]] = []

    def __enter__(self) -> Short:
        def check(_module: Any, inputs: Any) -> None:
            latents = inputs[0]
            self.shapes.append(tuple(latents.shape))
            if len(latents) > self.batch or max(latents.shape[-2:]) > self.side:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.00 GiB")

        self.hook = self.vae.decoder.register_forward_pre_hook(check)
        return self

    def __exit__(self, *_: object) -> None:
        self.hook.remove()


@pytest.fixture
def pack(tiny_pack: Path) -> Pack:
    return Pack.open(tiny_pack)


def test_a_batch_that_is_too_much_is_decoded_in_pieces(models: Models, pack: Pack) -> None:
    painter = open_painter(models, pack)
    latents = painter.paint(("a bird",), (), [1, 2, 3], steps=2, guidance=2.0, output="latent")
    whole, said = decode(painter.pipeline, latents), []
    with Short(painter.pipeline.vae, 99, batch=1) as short:
        pieces = decode(painter.pipeline, latents, said.append)
    assert [len(shape) and shape[0] for shape in short.shapes] == [3, 1, 1, 1] and not said
    assert [np.array_equal(np.asarray(one), np.asarray(other)) for one, other in zip(whole, pieces, strict=True)] == [
        True
    ] * 3


def test_a_picture_that_is_too_much_is_decoded_in_tiles_and_it_is_said(tmp_path: Path) -> None:
    pipeline: Any = Models(device="cpu").pipeline(str(tiny.make_sd15(tmp_path / "sd15")))
    pipeline.vae.tile_latent_min_size, pipeline.vae.tile_sample_min_size = 8, 8 * pipeline.vae_scale_factor
    latents = torch.randn(1, 4, 12, 12, generator=torch.Generator().manual_seed(1))
    (whole,), said = decode(pipeline, latents), []
    with Short(pipeline.vae, 8) as short:
        (tiled,) = decode(pipeline, latents, said.append)
    assert said == ["Memory is short: painting in tiles"] and not pipeline.vae.use_tiling
    assert short.shapes[0][-1] == 12 and {shape[-1] for shape in short.shapes[1:]} <= set(range(9))
    assert tiled.size == whole.size


def test_the_steps_are_taken_once(models: Models, pack: Pack, tmp_path: Path) -> None:
    pipeline: Any = models.pipeline_of(pack)
    recipe = Recipe(pack.id, ("a ", Choice(0, 1), " bird"), steps=3, seed=1, count=2)
    steps: list[int] = []
    count = pipeline.unet.register_forward_hook(lambda *_: steps.append(1))
    with Short(pipeline.vae, 99, batch=1):
        made = render(models, Render(str(pack.path), recipe, str(tmp_path)), lambda _news: None)
    count.remove()
    assert len(made) == 2 and len(steps) == 3


def test_a_picture_that_never_fits_is_told(models: Models, pack: Pack, tmp_path: Path) -> None:
    pipeline: Any = models.pipeline_of(pack)
    recipe = Recipe(pack.id, ("a ", Choice(0, 1), " bird"), steps=1, seed=1)
    with Short(pipeline.vae, 1), pytest.raises(UserError, match="not enough memory") as caught:
        render(models, Render(str(pack.path), recipe, str(tmp_path)), lambda _news: None)
    assert caught.value.hint and caught.value.kind == "memory" and not list(tmp_path.glob("*.png"))
