"""What is no number is found where it comes out: no black picture is told as a success."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.core.errors import UserError
from engine.core.recipe import Recipe
from engine.core.start import Start
from engine.core.vocabulary import Choice
from engine.models.loader import Models
from engine.packs.pack import Pack
from engine.rendering.painter import Painter, open_painter, require_numbers
from engine.rendering.render import render
from engine.worker.jobs import Render


def _filled_with(value: float) -> Callable[..., torch.Tensor]:
    return lambda _module, _inputs, output: torch.full_like(output, value)


def overflowing(model: Any, value: float) -> Any:
    """Has the last layer of a model give something that is no number."""
    layer = [module for module in model.modules() if isinstance(module, torch.nn.Conv2d)][-1]
    return layer.register_forward_hook(_filled_with(value))


@pytest.mark.parametrize("component", ["unet", "vae"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("begun", [False, True])
def test_nothing_is_kept_of_it(
    component: str, value: float, begun: bool, models: Models, tiny_pack: Path, tmp_path: Path
) -> None:
    pack = Pack.open(tiny_pack)
    pipeline: Any = models.pipeline_of(pack)
    recipe = Recipe(pack.id, ("a ", Choice(0, 1), " bird"), steps=4, seed=1, start=Start(0.7) if begun else None)
    out = tmp_path / "out"
    hook = overflowing(pipeline.unet if component == "unet" else pipeline.vae.decoder, value)
    try:
        with pytest.raises(UserError, match="overflowed") as caught:
            render(models, Render(str(pack.path), recipe, str(out)), lambda _news: None)
    finally:
        hook.remove()
    assert caught.value.hint and not list(out.glob("*.png"))
    assert len(render(models, Render(str(pack.path), recipe, str(out)), lambda _news: None)) == 1


def test_the_picture_is_the_one_the_pipeline_makes(models: Models, tiny_pack: Path) -> None:
    painter: Painter = open_painter(models, Pack.open(tiny_pack))
    (ours,) = painter.paint(("a bird",), (), [3], steps=2, guidance=2.0)
    embeddings, _ = painter.embeddings(("a bird",), ())
    (stock,) = painter.pipeline(
        **embeddings, generator=[torch.Generator("cpu").manual_seed(3)], num_inference_steps=2, guidance_scale=2.0,
        height=painter.size, width=painter.size,
    ).images  # fmt: skip
    assert np.array_equal(np.asarray(ours), np.asarray(stock))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_one_number_is_enough(value: float) -> None:
    latents = torch.zeros(2, 4, 8, 8)
    require_numbers(latents)
    latents[1, 3, 7, 7] = value
    with pytest.raises(UserError, match="overflowed"):
        require_numbers(latents)
