"""Base models as checkpoints in one file: what A1111 and ComfyUI call each weight, written down level by level."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
    "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
OPEN_CLIP = {
    "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}  # fmt: skip


def as_checkpoint(base: Path) -> dict[str, Tensor]:
    """The weights of a base model's folder as they are called in one file."""
    sdxl = (base / "text_encoder_2").is_dir()
    weights = unet(base / "unet") | autoencoder(base / "vae")
    if sdxl:
        weights |= clip(base / "text_encoder", "conditioner.embedders.0.transformer.")
        return weights | open_clip(base / "text_encoder_2", "conditioner.embedders.1.model.")
    if config_of(base / "unet").get("use_linear_projection"):
        return weights | open_clip(base / "text_encoder", "cond_stage_model.model.")
    return weights | clip(base / "text_encoder", "cond_stage_model.transformer.")


def config_of(place: Path) -> dict[str, Any]:
    return json.loads((place / "config.json").read_text())


def weights_of(place: Path) -> dict[str, Tensor]:
    return load_file(next(place.glob("*.safetensors")))


def renamed(weights: dict[str, Tensor], names: dict[str, str], prefix: str) -> dict[str, Tensor]:
    """Each weight by the longest beginning that has another name."""
    starts = sorted(names, key=len, reverse=True)
    found = {}
    for name, value in weights.items():
        start = next(start for start in starts if name.startswith(start + "."))
        found[prefix + names[start] + name[len(start) :]] = value
    return found


def unet(place: Path) -> dict[str, Tensor]:
    config = config_of(place)
    levels, deep = len(config["block_out_channels"]), config["layers_per_block"]
    names = {
        "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
        "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
        "add_embedding.linear_1": "label_emb.0.0",
        "add_embedding.linear_2": "label_emb.0.2",
    }  # fmt: skip
    names |= dict(resnet("mid_block.resnets.0", "middle_block.0")) | {"mid_block.attentions.0": "middle_block.1"}
    names |= dict(resnet("mid_block.resnets.1", "middle_block.2"))
    at = 1
    for level in range(levels):
        for layer in range(deep):
            names |= dict(resnet(f"down_blocks.{level}.resnets.{layer}", f"input_blocks.{at}.0"))
            names[f"down_blocks.{level}.attentions.{layer}"] = f"input_blocks.{at}.1"
            at += 1
        names[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{at}.0.op"
        at += 1
    at = 0
    for level, kind in enumerate(config["up_block_types"]):
        for layer in range(deep + 1):
            names |= dict(resnet(f"up_blocks.{level}.resnets.{layer}", f"output_blocks.{at}.0"))
            names[f"up_blocks.{level}.attentions.{layer}"] = f"output_blocks.{at}.1"
            at += 1
        after = 2 if kind.startswith("CrossAttn") else 1
        names[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{at - 1}.{after}.conv"
    return renamed(weights_of(place), names, "model.diffusion_model.")


def resnet(place: str, name: str) -> Iterator[tuple[str, str]]:
    for ours, theirs in RESNET.items():
        yield f"{place}.{ours}", f"{name}.{theirs}"


def autoencoder(place: Path) -> dict[str, Tensor]:
    config = config_of(place)
    levels, deep = len(config["block_out_channels"]), config["layers_per_block"]
    names = {"quant_conv": "quant_conv", "post_quant_conv": "post_quant_conv"}
    for side in ("encoder", "decoder"):
        names |= {f"{side}.conv_in": f"{side}.conv_in", f"{side}.conv_out": f"{side}.conv_out"}
        names |= {f"{side}.conv_norm_out": f"{side}.norm_out"}
        for block in (0, 1):
            names[f"{side}.mid_block.resnets.{block}"] = f"{side}.mid.block_{block + 1}"
        attention = f"{side}.mid_block.attentions.0"
        for ours, theirs in ATTENTION.items():
            names[f"{attention}.{ours}"] = f"{side}.mid.attn_1.{theirs}"
    for level in range(levels):
        for layer in range(deep + 1):
            for ours, theirs in ((f"encoder.down_blocks.{level}", f"encoder.down.{level}"),
                                 (f"decoder.up_blocks.{level}", f"decoder.up.{levels - 1 - level}")):  # fmt: skip
                names[f"{ours}.resnets.{layer}"] = f"{theirs}.block.{layer}"
                names[f"{ours}.resnets.{layer}.conv_shortcut"] = f"{theirs}.block.{layer}.nin_shortcut"
        names[f"encoder.down_blocks.{level}.downsamplers.0.conv"] = f"encoder.down.{level}.downsample.conv"
        names[f"decoder.up_blocks.{level}.upsamplers.0.conv"] = f"decoder.up.{levels - 1 - level}.upsample.conv"
    weights = renamed(weights_of(place), names, "first_stage_model.")
    flat = {name for name in weights if ".attn_1." in name and "norm" not in name and name.endswith("weight")}
    return {name: value[:, :, None, None] if name in flat else value for name, value in weights.items()}


def clip(place: Path, prefix: str) -> dict[str, Tensor]:
    """As transformers had called them when these files were made."""
    return {
        f"{prefix}text_model.{name.removeprefix('text_model.')}": value for name, value in weights_of(place).items()
    }


def open_clip(place: Path, prefix: str) -> dict[str, Tensor]:
    weights = {name.removeprefix("text_model."): value for name, value in weights_of(place).items()}
    found = {
        "token_embedding.weight": weights["embeddings.token_embedding.weight"],
        "positional_embedding": weights["embeddings.position_embedding.weight"],
        "ln_final.weight": weights["final_layer_norm.weight"],
        "ln_final.bias": weights["final_layer_norm.bias"],
    }
    width = found["positional_embedding"].shape[1]
    projection = weights.get("text_projection.weight")
    found["text_projection"] = torch.eye(width) if projection is None else projection.T.contiguous()
    for layer in range(config_of(place)["num_hidden_layers"]):
        ours, theirs = f"encoder.layers.{layer}", f"transformer.resblocks.{layer}"
        for kind in ("weight", "bias"):
            three = [weights[f"{ours}.self_attn.{name}_proj.{kind}"] for name in "qkv"]
            found[f"{theirs}.attn.in_proj_{kind}"] = torch.cat(three)
            for one, other in OPEN_CLIP.items():
                found[f"{theirs}.{other}.{kind}"] = weights[f"{ours}.{one}.{kind}"]
    return {prefix + name: value for name, value in found.items()}
