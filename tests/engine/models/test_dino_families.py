"""Every family of DINO opens as what it is, in the layout of the hub; everything else is refused with a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    Dinov2Config,
    Dinov2ForImageClassification,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    DINOv3ViTConfig,
    DINOv3ViTModel,
    SiglipVisionConfig,
    SiglipVisionModel,
    ViTConfig,
    ViTModel,
)

from engine.core.errors import UserError
from engine.models.dino_families import open_eyes
from engine.models.hub import check_model
from engine.models.loader import Models
from engine.packs.pack import Backbone
from engine.segmentation.dino import Dino, open_dino

CPU = torch.device("cpu")
SMALL: dict[str, Any] = {"hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 56}
WIDE: dict[str, Any] = {**SMALL, "intermediate_size": 48}

MAKE: dict[str, Callable[[], Any]] = {
    "dinov2": lambda: Dinov2Model(Dinov2Config(**SMALL, patch_size=14)),
    "swiglu": lambda: Dinov2Model(Dinov2Config(**SMALL, patch_size=14, use_swiglu_ffn=True)),
    "registers": lambda: Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**SMALL, patch_size=14)),
    "dinov3": lambda: DINOv3ViTModel(DINOv3ViTConfig(**WIDE, patch_size=16, num_register_tokens=4)),
    "dinov3 gated": lambda: DINOv3ViTModel(
        DINOv3ViTConfig(**WIDE, patch_size=16, num_register_tokens=4, use_gated_mlp=True)
    ),
    "dino": lambda: ViTModel(ViTConfig(**WIDE, patch_size=8), add_pooling_layer=False),
    "vit": lambda: ViTModel(ViTConfig(**WIDE, patch_size=16)),
}
REGISTERS = {"registers": 4, "dinov3": 4, "dinov3 gated": 4}
HUB_NAMES = {
    "dinov2": "encoder.layer.2.attention.attention.query.weight",
    "swiglu": "encoder.layer.2.mlp.weights_in.weight",
    "registers": "encoder.layer.2.attention.attention.query.weight",
    "dinov3": "layer.2.attention.q_proj.weight",
    "dinov3 gated": "layer.2.mlp.gate_proj.weight",
    "dino": "encoder.layer.2.attention.attention.query.weight",
    "vit": "pooler.dense.weight",
}
"""Weights as the folders on the hub name them."""


def made(name: str, folder: Path) -> Any:
    """A tiny model of a family with random weights, saved into a folder."""
    torch.manual_seed(0)
    model = MAKE[name]().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    return model


def told(folder: Path, match: str) -> UserError:
    with pytest.raises(UserError, match=match) as caught:
        open_eyes(folder, CPU)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("name", MAKE)
def test_patches_are_those_of_the_family_s_own_model(name: str, tmp_path: Path) -> None:
    model = made(name, tmp_path)
    assert HUB_NAMES[name] in load_file(tmp_path / "model.safetensors")
    assert check_model(str(tmp_path)).kind == "eyes"
    eyes = open_eyes(tmp_path, CPU)
    patch, leading = model.config.patch_size, 1 + REGISTERS.get(name, 0)
    assert (eyes.patch, eyes.leading_tokens, eyes.layers) == (patch, leading, 3)
    pixels = torch.randn(2, 3, 3 * patch, 5 * patch)  # not the size it was trained at
    outputs: list[torch.Tensor] = []
    layers = model.model.layer if "dinov3" in name else getattr(model, "layers", None) or model.encoder.layer
    for layer in layers:
        layer.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    more = {"interpolate_pos_encoding": True} if name in ("dino", "vit") else {}
    with torch.no_grad():
        last = model(pixels, **more).last_hidden_state
        assert last.shape[1] == leading + 15
        torch.testing.assert_close(eyes.states(pixels), last[:, leading:])
        for number in (1, 2, 3):
            torch.testing.assert_close(eyes.states(pixels, str(number)), outputs[number - 1][:, leading:])
        torch.testing.assert_close(eyes.states(pixels, "-1"), outputs[2][:, leading:])
        computed: list[int] = []
        lists = [module for module in eyes.model.modules() if isinstance(module, torch.nn.ModuleList)]
        for index, layer in enumerate(next(module for module in lists if len(module) == 3)):
            layer.register_forward_hook(lambda _module, _inputs, _output, index=index: computed.append(index))
        many = eyes.states(pixels.repeat(3, 1, 1, 1), "2")
        torch.testing.assert_close(many, outputs[1][:, leading:].repeat(3, 1, 1))
    assert set(computed) == {0, 1}, "layers after the asked one are not computed"


@pytest.mark.parametrize("name", MAKE)
def test_a_place_in_the_map_is_that_place_in_the_picture(name: str, tmp_path: Path, home: Path) -> None:
    """Where one patch changes, its place in the map changes most: registers and rows are not mixed up."""
    made(name, tmp_path)
    patch = open_eyes(tmp_path, CPU).patch
    dino = open_dino(Models(device="cpu"), Backbone(str(tmp_path), "0", image_size=6 * patch, patch=patch))
    black = np.zeros((6 * patch, 6 * patch, 3), np.uint8)
    spot = black.copy()
    spot[1 * patch : 2 * patch, 4 * patch : 5 * patch] = 255
    before, after = dino.features([Image.fromarray(black), Image.fromarray(spot)])
    difference = np.abs(after - before).max(axis=0)
    assert before.shape == (24, 6, 6)
    assert difference[1, 4] > 0.1 and np.count_nonzero(difference > 1e-4) == 1


@pytest.mark.parametrize("name", MAKE)
def test_a_batch_gives_what_single_pictures_give(name: str, tmp_path: Path, home: Path) -> None:
    made(name, tmp_path)
    eyes = open_eyes(tmp_path, CPU)
    dino = Dino(eyes, Backbone(str(tmp_path), image_size=4 * eyes.patch, patch=eyes.patch))
    generator = np.random.default_rng(0)
    pictures = [Image.fromarray(generator.integers(0, 255, (*shape, 3), np.uint8)) for shape in ((40, 40), (20, 60))]
    together = dino.features([*pictures, *pictures])
    for index, features in enumerate(together):
        np.testing.assert_allclose(dino.features([pictures[index % 2]])[0], features, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: CLIPVisionModel(CLIPVisionConfig(**WIDE, patch_size=14)), "clip_vision_model"),
        (lambda: SiglipVisionModel(SiglipVisionConfig(**WIDE, patch_size=14)), "siglip_vision_model"),
    ],
)
def test_eyes_of_another_family_are_refused(make: Callable[[], Any], kind: str, tmp_path: Path) -> None:
    make().save_pretrained(tmp_path)
    assert check_model(str(tmp_path)).kind == ""
    assert "DINOv2" in told(tmp_path, f"cannot be used as eyes: it is a {kind}").hint


def test_a_unet_is_no_eyes(tiny_world: Path) -> None:
    told(tiny_world / "base/unet", "it is a UNet2DConditionModel")
    told(tiny_world / "base", "no model that is known")


def test_a_model_under_another_family_s_name_is_refused(tmp_path: Path) -> None:
    """Registers are not lost in silence: this is how they were opened before."""
    made("registers", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_type": "dinov2"}))
    told(tmp_path, "embeddings.register_tokens does not belong to a dinov2")


def test_weights_that_are_missing_or_left_over_are_told(tmp_path: Path) -> None:
    made("dinov2", tmp_path)
    file = tmp_path / "model.safetensors"
    weights = load_file(file)
    name = "encoder.layer.1.mlp.fc1.weight"
    save_file({key: value for key, value in weights.items() if key != name}, file, {"format": "pt"})
    told(tmp_path, f"{name} is missing")
    save_file({**weights, "more": torch.ones(1)}, file, {"format": "pt"})
    told(tmp_path, "more does not belong")
    save_file({**weights, name: torch.ones(2, 2)}, file, {"format": "pt"})
    told(tmp_path, "cannot be")
    save_file({key: value for key, value in weights.items() if "mask" not in key}, file, {"format": "pt"})
    assert open_eyes(tmp_path, CPU).patch == 14, "what only training needs may be missing"


def test_a_model_with_a_classifier_is_refused(tmp_path: Path) -> None:
    Dinov2ForImageClassification(Dinov2Config(**SMALL, patch_size=14)).save_pretrained(tmp_path)
    told(tmp_path, "classifier.* does not belong to a dinov2")


def test_pickled_weights_are_not_opened(tmp_path: Path) -> None:
    model = made("dinov2", tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    told(tmp_path, "not safetensors but pytorch_model.bin")


@pytest.mark.parametrize(
    "document", [{"image_mean": [0.5, 0.5]}, {"image_std": [0.5, 0.0, 0.5]}, {"image_mean": "bright"}, {"image_std": 3}]
)
def test_a_damaged_preparation_is_told(document: dict[str, Any], tmp_path: Path) -> None:
    made("dinov2", tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(document))
    told(tmp_path, "cannot be read")


def test_odd_configurations_are_told(tmp_path: Path) -> None:
    made("dinov2", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for odd in ({"num_channels": 4}, {"patch_size": 7}, {"hidden_size": "wide"}, {"num_hidden_layers": 4}):
        (tmp_path / "config.json").write_text(json.dumps({**config, **odd}))
        told(tmp_path, "The model in")


def test_a_layer_that_is_not_there_is_told(tmp_path: Path, home: Path) -> None:
    made("dinov2", tmp_path)
    models = Models(device="cpu")
    for layer in ("4", "-5", "middle", ""):
        with pytest.raises(UserError, match=f"have no layer {layer}"):
            open_dino(models, Backbone(str(tmp_path), layer, image_size=56, patch=14))
