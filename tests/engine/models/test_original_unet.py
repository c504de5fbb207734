"""Paths of the original UNet, held against diffusers' own conversion of checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

from engine.models.original_unet import original_path
from tests.engine import tiny


@pytest.mark.parametrize("kind", ["sd15", "sdxl"])
@pytest.mark.parametrize("each", [1, 2])
def test_every_layer_has_the_path_that_diffusers_reads_it_from(tmp_path: Path, kind: str, each: int) -> None:
    make: Any = {"sd15": tiny.make_sd15, "sdxl": tiny.make_sdxl}[kind]
    unet: Any = UNet2DConditionModel.from_pretrained(make(tmp_path / kind, layers_per_block=each) / "unet")
    state = unet.state_dict()
    original: dict[str, torch.Tensor] = {}
    for name, value in state.items():
        layer, _, last = name.rpartition(".")
        path = original_path(layer, unet.config)
        assert path is not None, layer
        original[f"model.diffusion_model.{path}.{last}"] = value
    assert len(original) == len(state), "no two layers have one path"
    back = convert_ldm_unet_checkpoint(original, dict(unet.config))
    assert back.keys() == state.keys()
    assert all(torch.equal(back[name], state[name]) for name in state)
    assert original_path("nothing.like.it", unet.config) is None
