"""A pack's LoRA as files of other programs: named as peft names it, for diffusers, and as kohya's trainer does, which
ComfyUI, A1111, InvokeAI and kohya's own scripts read.

kohya's name of a layer is ``lora_unet_`` and its path with underscores for dots; paths are those of diffusers' UNet for
Stable Diffusion 1.x and 2.x, and of the original UNet (``input_blocks.4.1``) for SDXL. Headers: the ``ss_`` fields that
kohya writes, and ModelSpec 1.0.0 (https://github.com/Stability-AI/ModelSpec).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file

from engine.core.atomic_files import write_whole
from engine.models.lora import LoraLayer
from engine.packs.base_sizes import sizes_of
from engine.packs.pack import Pack

KOHYA_PREFIX: Final = "lora_unet_"
_BLOCKS_BETWEEN: Final = 3
"""SDXL's levels follow each other in the original UNet after two residual blocks and one change of size."""
_ATTENTION: Final = re.compile(r"(down|mid|up)_blocks?\.(?:(\d+)\.)?attentions\.(\d+)\.(.+)")


def write_peft(layers: Mapping[str, LoraLayer], path: Path, header: Mapping[str, str]) -> None:
    """Write a LoRA as diffusers' ``load_lora_weights`` reads it: ``unet.<layer>.lora_A.weight`` (rank, in) and
    ``.lora_B.weight`` (out, rank). Such files say no alpha, so it is within the latter. Raises :class:`UserError`."""
    state: dict[str, torch.Tensor] = {}
    for name, layer in layers.items():
        strength = layer.alpha / layer.down.shape[0]
        state[f"unet.{name}.lora_A.weight"] = layer.down.contiguous()
        state[f"unet.{name}.lora_B.weight"] = layer.up.contiguous() if strength == 1 else layer.up * strength
    write_whole(path, lambda beside: save_file(state, beside, {"format": "pt", **header}), "the pack's LoRA")


def write_kohya(layers: Mapping[str, LoraLayer], path: Path, header: Mapping[str, str], sdxl: bool) -> None:
    """Write a LoRA as kohya's trainer does: ``<name>.lora_down.weight`` (rank, in), ``.lora_up.weight`` (out, rank) and
    ``.alpha`` (). Raises :class:`UserError`."""
    names = kohya_names(layers, sdxl)
    state: dict[str, torch.Tensor] = {}
    for layer_name, layer in layers.items():
        name = names[layer_name]
        state[f"{name}.lora_down.weight"] = layer.down.contiguous()
        state[f"{name}.lora_up.weight"] = layer.up.contiguous()
        state[f"{name}.alpha"] = torch.tensor(layer.alpha, dtype=torch.float32)
    write_whole(path, lambda beside: save_file(state, beside, {"format": "pt", **header}), "the pack's LoRA")


def kohya_names(layers: Iterable[str], sdxl: bool) -> dict[str, str]:
    """kohya's names of layers of diffusers' UNet.

    Programs read a file by one kind of path only: where a layer of SDXL is not in an attention block, all keep
    diffusers' path, which kohya's own scripts alone do not read.
    """
    original = {layer: _original_path(layer) for layer in layers} if sdxl else {}
    paths = original if sdxl and None not in original.values() else {layer: layer for layer in layers}
    return {layer: KOHYA_PREFIX + str(path).replace(".", "_") for layer, path in paths.items()}


def _original_path(layer: str) -> str | None:
    """Where a layer of an attention block of diffusers' SDXL UNet is in the original one."""
    match = _ATTENTION.fullmatch(layer)
    if not match:
        return None
    side, level, index, rest = match[1], int(match[2] or 0), int(match[3]), match[4]
    if side == "mid":
        return f"middle_block.1.{rest}"
    first = 1 if side == "down" else 0  # the original counts the first convolution as a block
    return f"{'input' if side == 'down' else 'output'}_blocks.{first + _BLOCKS_BETWEEN * level + index}.1.{rest}"


def kohya_header(
    layers: Mapping[str, LoraLayer], pack: Pack, widths: tuple[int, ...], words: Iterable[str]
) -> dict[str, str]:
    """The ``ss_`` fields of a kohya file: which network, how strong, of what base, and the words it was taught."""
    ranks = Counter(layer.down.shape[0] for layer in layers.values())
    alphas = Counter(layer.alpha for layer in layers.values())
    version = {(768,): "sd_v1", (1024,): "sd_v2", (768, 1280): "sdxl_base_v1-0"}.get(widths)
    return {
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(max(ranks, key=ranks.__getitem__, default=0)),
        "ss_network_alpha": f"{max(alphas, key=alphas.__getitem__, default=0):g}",
        "ss_output_name": pack.id,
        "ss_sd_model_name": pack.base_model.name,
        "ss_tag_frequency": json.dumps({pack.id: dict.fromkeys(words, 1)}),
        **({"ss_base_model_version": version, "ss_v2": str(version == "sd_v2")} if version else {}),
    }


def modelspec_header(pack: Pack, widths: tuple[int, ...], kind: str, title: str, trigger: str) -> dict[str, str]:
    """The ModelSpec fields of a file; ``kind`` is "lora" or "textual-inversion", ``trigger`` the word that says it."""
    side = sizes_of(pack.base_model).own
    architecture = {
        (768,): "stable-diffusion-v1",
        (1024,): "stable-diffusion-v2-512" if side == 512 else "stable-diffusion-v2-768-v",
        (768, 1280): "stable-diffusion-xl-v1-base",
    }.get(widths, "stable-diffusion-v1")  # the small base models of the app are of this kind, only smaller
    side = side or {(768,): 512, (1024,): 768, (768, 1280): 1024}.get(widths, 0)
    fields = {
        "sai_model_spec": "1.0.0",
        "architecture": f"{architecture}/{kind}",
        "implementation": "diffusers",
        "title": title,
        "description": f"From the PartCraft pack {pack.title}, for {pack.base_model.name}",
        "resolution": f"{side}x{side}" if side else "",
        "license": pack.licence,
        "trigger_phrase": trigger,
    }
    return {f"modelspec.{name}": value for name, value in fields.items() if value}
