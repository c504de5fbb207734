"""Tiny models in the hub's layouts, fetched with an interruption, checked and opened: from the hub into memory."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.core.errors import UserError
from engine.hub.fetch import fetch, offer
from engine.hub.patience import Patience
from engine.models.base_models import components_of
from engine.models.components import load_component
from engine.models.hub import base_model_entry, check_model, find_models, list_models
from engine.models.wholeness import require_whole
from tests.engine import tiny
from tests.stand_in_hub import StandIn

ID = "somebody/base"
MAKERS = {"sd15": tiny.make_sd15, "sdxl": tiny.make_sdxl, "lcm": tiny.make_lcm, "turbo": tiny.make_turbo}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("made")
    return {name: make(root / name) for name, make in MAKERS.items()}


def weights(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.safetensors"))


def add_half(folder: Path) -> None:
    """Half precision beside full, and what else lies on the hub."""
    for file in weights(folder):
        tensors = {name: v.half() if v.is_floating_point() else v for name, v in load_file(file).items()}
        save_file(tensors, file.with_suffix(".fp16.safetensors"), {"format": "pt"})
    unet = folder / "unet/diffusion_pytorch_model.safetensors"
    shutil.copy(unet, unet.with_name("diffusion_pytorch_model.non_ema.safetensors"))
    shutil.copy(unet, folder / "v1-5-pruned.safetensors")
    shutil.copytree(folder / "vae", folder / "vae_1_0")


def shard(folder: Path) -> None:
    """The UNet in two files and an index."""
    file = folder / "unet/diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    names = sorted(tensors)
    parts = {f"diffusion_pytorch_model-0000{n + 1}-of-00002.safetensors": names[n::2] for n in (0, 1)}
    for name, held in parts.items():
        save_file({one: tensors[one] for one in held}, file.with_name(name), {"format": "pt"})
    weight_map = {one: name for name, held in parts.items() for one in held}
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    file.with_name("diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    file.unlink()


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("layout", ["plain", "half", "sharded"])
def test_fetched_with_an_interruption_checked_and_opened(
    hub: StandIn, quick: Patience, made: dict[str, Path], name: str, layout: str
) -> None:
    source = Path(shutil.copytree(made[name], hub.root / ID))
    {"plain": lambda _: None, "half": add_half, "sharded": shard}[layout](source)
    asked = offer(ID, patience=quick)
    assert [file.path for file in asked.files if "non_ema" in file.path or "vae_1_0" in file.path] == []
    if layout == "half":
        assert all(".fp16." in file.path for file in asked.files if file.path.endswith(".safetensors"))
    hub.cut_at, hub.cuts = 0.9, 1
    with pytest.raises(UserError, match="connection broke"):
        fetch(asked, patience=Patience(tries=0), tick=0.005)
    with pytest.raises(UserError, match="was not fetched to its end"):
        check_model(ID)
    folder = fetch(offer(ID, patience=quick), patience=quick, tick=0.005)
    require_whole(check_model(ID))
    find_models(ID)
    assert base_model_entry(ID).widths and [one.kind for one in list_models() if one.id == ID] == ["base model"]
    for component in components_of(folder):
        opened = load_component(folder / component, component, torch.float32).state_dict()
        original = load_component(made[name] / component, component, torch.float32).state_dict()
        near = 0 if layout != "half" else 1e-3
        assert all(same(opened[key], original[key], near) for key in original)


def same(one: Any, other: Any, near: float) -> bool:
    return torch.allclose(one.float(), other.float(), rtol=near, atol=near)
