"""Paths of the original UNet, held against diffusers' own conversion of checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from engine.core.paths import resources_dir
from engine.models.add_on_lora import layers_by_name
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


KOHYA = {
    "sd1": (
        "lora_te_text_model_encoder_layers_11_mlp_fc2", "lora_te_text_model_encoder_layers_0_self_attn_k_proj",
        "lora_unet_down_blocks_0_attentions_0_proj_in",
        "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_ff_net_0_proj",
        "lora_unet_up_blocks_3_attentions_2_transformer_blocks_0_attn2_to_out_0",
        "lora_unet_mid_block_attentions_0_proj_out",
        "lora_unet_down_blocks_0_downsamplers_0_conv", "lora_unet_up_blocks_1_resnets_2_conv_shortcut",
        "lora_unet_down_blocks_0_resnets_1_time_emb_proj",
        "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q",
        "text_encoder.text_model.encoder.layers.3.self_attn.q_proj",
    ),
    "sdxl": (
        "lora_te1_text_model_encoder_layers_0_self_attn_k_proj", "lora_te2_text_model_encoder_layers_31_mlp_fc1",
        "lora_unet_input_blocks_4_1_proj_in", "lora_unet_input_blocks_8_1_transformer_blocks_9_attn2_to_k",
        "lora_unet_middle_block_1_transformer_blocks_0_ff_net_2", "lora_unet_output_blocks_5_1_proj_out",
        "lora_unet_input_blocks_1_0_in_layers_2", "lora_unet_input_blocks_3_0_op", "lora_unet_output_blocks_2_2_conv",
        "lora_unet_output_blocks_0_0_skip_connection", "lora_unet_input_blocks_4_0_emb_layers_1",
        "lora_unet_label_emb_0_0", "text_encoder_2.text_model.encoder.layers.3.self_attn.q_proj",
        "lora_unet_down_blocks_1_attentions_0_proj_in",
    ),
}  # fmt: skip
"""Names of layers in LoRAs as kohya's trainer and diffusers write them for the real models."""


@pytest.mark.parametrize("layout", list(KOHYA))
def test_the_real_models_layers_are_found_by_the_names_that_trainers_write(layout: str) -> None:
    folder = resources_dir() / "layouts" / layout
    parts: dict[str, Any] = {"text_encoder": None, "text_encoder_2": None, "tokenizer": None, "tokenizer_2": None}
    with torch.device("meta"):
        parts["unet"] = UNet2DConditionModel.from_config(json.loads((folder / "unet/config.json").read_text("utf-8")))
        for name, kind in (("text_encoder", CLIPTextModel), ("text_encoder_2", CLIPTextModelWithProjection)):
            if (folder / name / "config.json").is_file():
                config = json.loads((folder / name / "config.json").read_text("utf-8"))
                parts[name] = kind(CLIPTextConfig.from_dict(config))
    places = layers_by_name(SimpleNamespace(**parts))
    assert not [name for name in KOHYA[layout] if name not in places]
