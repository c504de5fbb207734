"""The LoRA of a pack: small learned differences of the UNet's attention, kept with diffusers' names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.core.atomic_files import write_whole
from engine.core.errors import UserError

TARGETS = ("to_q", "to_k", "to_v", "to_out.0")
"""The projections of every attention layer, as in the paper."""

_PREFIX = "unet."


def add_lora(unet: Any, rank: int = 4, state: Mapping[str, Tensor] | None = None) -> list[Any]:
    """Add a trainable LoRA of scale 1 to a UNet and freeze all else; returns its parameters.

    It starts without effect (the up matrices are 0, the down ones normal with deviation 1/rank), or from
    ``state`` (names relative to the UNet). Raises ``ValueError`` if a name of ``state`` is not in the UNet.
    """
    unet.requires_grad_(False)
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(TARGETS)))
    if state is not None:
        outcome = set_peft_model_state_dict(unet, dict(state))
        if outcome.unexpected_keys:
            raise ValueError(f"the UNet has no {outcome.unexpected_keys[0]}")
    return [parameter for parameter in unet.parameters() if parameter.requires_grad]


def lora_state(unet: Any) -> dict[str, Tensor]:
    """The UNet's LoRA, float32 on the CPU: ``<layer>.lora_A|lora_B.weight``."""
    return {name: value.detach().float().cpu().contiguous() for name, value in get_peft_model_state_dict(unet).items()}


def save_lora(state: Mapping[str, Tensor], path: Path) -> None:
    """Write ``lora.safetensors`` with the names diffusers' ``load_lora_weights`` reads. Whole or not at all."""
    named = {_PREFIX + name: value.contiguous() for name, value in state.items()}
    write_whole(path, lambda beside: save_file(named, beside, {"format": "pt"}), "the pack's LoRA")


def load_lora(path: Path) -> dict[str, Tensor]:
    """Read what :func:`save_lora` wrote, or any diffusers LoRA of a UNet, names relative to the UNet.
    Raises :class:`UserError` if it is missing or damaged."""
    try:
        named = load_file(path)
    except FileNotFoundError as error:
        raise UserError(f"{path.name} is missing from {path.parent.name}.", "Get the pack again.") from error
    except Exception as error:
        raise UserError(f"The LoRA of {path.parent.name} cannot be read: {error}.", "Get the pack again.") from error
    return {name.removeprefix(_PREFIX): value for name, value in named.items()}


def merge_lora(unet: Any, state: Mapping[str, Tensor]) -> None:
    """Add ``lora_B @ lora_A`` to each layer's weight, for rendering at the speed of the plain UNet.

    Raises :class:`UserError` when the LoRA was made for another UNet.
    """
    layers = dict(unet.named_modules())
    for name, down in state.items():
        if not name.endswith(".lora_A.weight"):
            continue
        layer = layers.get(name.removesuffix(".lora_A.weight"))
        up = state.get(name.replace(".lora_A.", ".lora_B."))
        weight = getattr(layer, "weight", None)
        if weight is None or up is None or weight.shape != (up.shape[0], down.shape[1]):
            raise UserError(
                "The pack's LoRA does not fit the base model.", "Use the base model the pack was trained for."
            )
        with torch.no_grad():
            difference = up.to(weight.device, torch.float32) @ down.to(weight.device, torch.float32)
            weight.copy_((weight.float() + difference).to(weight.dtype))
