"""LoRAs and embeddings as other people's programs write them, with random numbers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from peft import LoraConfig, get_peft_model_state_dict
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.exchange.lora_file import kohya_names

RANK = 2
ALPHA = 1.0
_ATTENTION = re.compile(r"attentions\.\d+\..*(to_[qkv]|to_out\.0|proj_in|proj_out|ff\.net\.2|ff\.net\.0\.proj)$")
_RESIDUAL = re.compile(r"resnets\.\d+\.(conv1|conv_shortcut|time_emb_proj)$|(down|up)samplers\.0\.conv$")
_TEXT = re.compile(r"(q_proj|k_proj|v_proj|out_proj|fc1|fc2)$")


def matrices(module: nn.Module, scale: float = 0.3) -> tuple[Tensor, Tensor]:
    """Down and up for a layer, of the shapes trainers write."""
    if isinstance(module, nn.Conv2d):
        down = torch.randn(RANK, module.in_channels, *module.kernel_size)
        return down * scale, torch.randn(module.out_channels, RANK, 1, 1) * scale
    assert isinstance(module, nn.Linear)
    return torch.randn(RANK, module.in_features) * scale, torch.randn(module.out_features, RANK) * scale


def layers(model: nn.Module, *patterns: re.Pattern[str]) -> dict[str, nn.Module]:
    """The layers of a model that fit any of the patterns, by path."""
    return {path: module for path, module in model.named_modules() if any(one.search(path) for one in patterns)}


def kohya(pipeline: Any, path: Path, text: bool = True, residual: bool = False) -> Path:
    """A LoRA as kohya's trainer writes it, with an alpha of half the rank; SDXL's in the original UNet's names."""
    torch.manual_seed(11)
    sdxl = getattr(pipeline, "text_encoder_2", None) is not None
    found = layers(pipeline.unet, _ATTENTION, *([_RESIDUAL] if residual else []))
    names = kohya_names(found, sdxl)
    state: dict[str, Tensor] = {}
    named = {names[layer]: module for layer, module in found.items()}
    for number, encoder in enumerate(("text_encoder", "text_encoder_2"), 1):
        if text and getattr(pipeline, encoder, None) is not None:
            for layer, module in layers(getattr(pipeline, encoder), _TEXT).items():
                layer = layer if layer.startswith("text_model.") else f"text_model.{layer}"
                named[f"lora_te{number if sdxl else ''}_{layer.replace('.', '_')}"] = module
    for name, module in named.items():
        down, up = matrices(module)
        state |= {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
        state[f"{name}.alpha"] = torch.tensor(ALPHA)
    save_file(state, path, {"ss_network_module": "networks.lora"})
    return path


def peft(pipeline: Any, path: Path, prefix: str = "unet.", names: tuple[str, str] = ("lora_A", "lora_B")) -> Path:
    """A LoRA of the UNet in diffusers' names of today, or in others."""
    torch.manual_seed(12)
    state: dict[str, Tensor] = {}
    for layer, module in layers(pipeline.unet, _ATTENTION).items():
        down, up = matrices(module)
        state |= {f"{prefix}{layer}.{names[0]}.weight": down, f"{prefix}{layer}.{names[1]}.weight": up}
    save_file(state, path, {"format": "pt"})
    return path


def patterned(pipeline: Any, path: Path) -> Path:
    """A LoRA of the UNet as diffusers saves an adapter whose layers differ in rank and strength, with its config."""
    torch.manual_seed(15)
    unet: Any = UNet2DConditionModel.from_config(pipeline.unet.config)
    patterns: dict[str, Any] = {"rank_pattern": {"attn2.to_q": 4, "to_v": 1}, "alpha_pattern": {"attn1.to_k": 5}}
    config = LoraConfig(r=RANK, lora_alpha=3, target_modules=["to_q", "to_k", "to_v", "to_out.0"], **patterns)
    unet.add_adapter(config)
    for parameter in (one for one in unet.parameters() if one.requires_grad):
        parameter.data = torch.randn(parameter.shape) * 0.2
    StableDiffusionPipeline.save_lora_weights(
        path.parent,
        unet_lora_layers={**get_peft_model_state_dict(unet)},
        weight_name=path.name,
        unet_lora_adapter_metadata=unet.peft_config["default"].to_dict(),
    )
    return path


def former(pipeline: Any, path: Path) -> Path:
    """A LoRA of the UNet's attention in the names diffusers had before peft."""
    torch.manual_seed(13)
    state: dict[str, Tensor] = {}
    for layer, module in layers(pipeline.unet, re.compile(r"attn\d\.(to_[qkv]|to_out\.0)$")).items():
        attention, _, projection = layer.removesuffix(".0").rpartition(".")
        down, up = matrices(module)
        name = f"unet.{attention}.processor.{projection}_lora"
        state |= {f"{name}.down.weight": down, f"{name}.up.weight": up}
    save_file(state, path, {"format": "pt"})
    return path


def embedding(path: Path, widths: tuple[int, ...], count: int = 3, key: str = "emb_params") -> Path:
    """An embedding of some vectors: under a key for one text encoder, ``clip_l`` and ``clip_g`` for two."""
    torch.manual_seed(14)
    names = (key,) if len(widths) == 1 else ("clip_l", "clip_g")
    save_file({name: torch.randn(count, width) for name, width in zip(names, widths, strict=True)}, path)
    return path
