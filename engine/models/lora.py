"""The LoRA of a pack: small learned differences of the UNet's attention, kept with diffusers' names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import torch
from diffusers.loaders import StableDiffusionLoraLoaderMixin
from diffusers.loaders.lora_base import LORA_ADAPTER_METADATA_KEY
from diffusers.utils import convert_unet_state_dict_to_peft
from peft import LoraConfig, get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.tuners_utils import cast_adapter_dtype
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from engine.core.atomic_files import plain_file, write_whole
from engine.core.errors import UserError, out_of_memory
from engine.core.json_values import finite_number

TARGETS = ("to_q", "to_k", "to_v", "to_out.0")
"""The projections of every attention layer, as in the paper."""

_PREFIX: Final = "unet."
_TEXT_ENCODERS: Final = ("text_encoder", "lora_te")
_PEFT_PREFIX: Final = "base_model.model."
_ADAPTER: Final = "pack"


_METADATA: Final = {
    "r", "lora_alpha", "rank_pattern", "alpha_pattern", "target_modules", "use_rslora", "use_dora", "lora_bias",
    "peft_type",
}  # fmt: skip
_STABLE_DIFFUSION: Final = SimpleNamespace(layers_per_block=2)
"""What reading the original UNet's names takes of its config: all of Stable Diffusion, SDXL too, has two."""
_LAYER_NAME: Final = re.compile(r"\^?[\w.-]+")


@dataclass(frozen=True)
class Lora:
    """What is in a LoRA's file: its tensors by the names they have there, and diffusers' ``lora_adapter_metadata`` (the
    arguments of peft's ``LoraConfig``, each after "unet."), or None where the file has none."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, Any] | None = None


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


def load_lora(path: Path) -> Lora:
    """Read a LoRA of a UNet: what :func:`save_lora` wrote, or any that diffusers reads (its own names of today and
    before, peft's, kohya's). Safetensors only.

    Raises :class:`UserError` if it is missing or damaged, or changes a text encoder too.
    """
    try:
        with safe_open(plain_file(path), "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
            metadata = json.loads((file.metadata() or {}).get(LORA_ADAPTER_METADATA_KEY) or "null")
    except FileNotFoundError as error:
        raise UserError(f"{path.name} is missing from {path.parent.name}.", "Get the pack again.") from error
    except Exception as error:
        raise UserError(f"The LoRA of {path.parent.name} cannot be read: {error}.", "Get the pack again.") from error
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor.float()).all():
            raise UserError(
                f"The LoRA of {path.parent.name} is damaged: {name} holds something that is no number.",
                "Get the pack again.",
            )
    tensors = {_PREFIX + name.removeprefix(_PEFT_PREFIX) if name.startswith(_PEFT_PREFIX) else name: tensor
               for name, tensor in tensors.items()}  # fmt: skip
    if any(name.startswith(_TEXT_ENCODERS) for name in tensors):
        raise UserError(
            f"The LoRA of {path.parent.name} changes the text encoder too, which a pack's cannot.",
            "Use a LoRA that was trained for the UNet alone.",
        )
    if not any(name.startswith((_PREFIX, "lora_")) for name in tensors):  # as a UNet's own save_lora_adapter names them
        tensors = {_PREFIX + name: value for name, value in tensors.items()}
        metadata = metadata and {_PREFIX + name: value for name, value in metadata.items()}
    metadata = _plain_metadata(metadata)
    if metadata and _PREFIX + "target_modules" not in metadata:  # it cannot stand alone; how strong it is, it may say
        alpha = finite_number(metadata.get(_PREFIX + "lora_alpha"))
        layers = {_layer(name) for name in tensors if ".lora_A." in name} if alpha is not None else set()
        tensors |= {f"{layer}.alpha": torch.tensor(alpha) for layer in layers}
        metadata = None
    return Lora(tensors, metadata)


def _plain_metadata(metadata: Any) -> dict[str, Any] | None:
    """Of an adapter's config, how strong it is and where: none of the keys by which peft would import a module, and no
    patterns that search for ever, only names of layers."""
    if not isinstance(metadata, dict):
        return None
    kept = {name: value for name, value in metadata.items() if name.removeprefix(_PREFIX) in _METADATA}
    names: list[Any] = []
    for name, value in kept.items():
        if name.endswith("_modules"):
            names += value if isinstance(value, list) else [value]
        elif name.endswith("_pattern"):
            names += value if isinstance(value, dict) else [value]
    if not all(isinstance(name, str) and _LAYER_NAME.fullmatch(name) for name in names):
        raise UserError("The LoRA names its layers in a way that is not known.", "Use a LoRA that diffusers wrote.")
    return kept or None


def merge_lora(unet: Any, lora: Lora) -> None:
    """Add a LoRA to a UNet's weights, as strongly as its alphas and ranks say, for rendering at the speed of the plain
    UNet. Sums are taken in float32 whatever the UNet's precision.

    Raises :class:`UserError` when the LoRA was made for another UNet, or has tensors that cannot be used; the UNet is
    as it was then.
    """
    if not lora.tensors:
        return
    try:
        named, alphas = _peft_names(lora, unet.config)
        state = {name.removeprefix(_PREFIX): value for name, value in named.items()}
        _require_fit(unet, state)
        unet.load_lora_adapter(
            named, prefix="unet", network_alphas=alphas, metadata=lora.metadata, adapter_name=_ADAPTER,
            low_cpu_mem_usage=True,
        )  # fmt: skip
        # Loading has rounded the LoRA to the UNet's precision: once more, into float32.
        cast_adapter_dtype(unet, _ADAPTER)
        if unused := set_peft_model_state_dict(unet, state, _ADAPTER).unexpected_keys:
            raise ValueError(f"the UNet has no {unused[0]}")
        unet.fuse_lora()
    except UserError:
        raise
    except Exception as error:  # libraries refuse what they do not know in many ways
        if out_of_memory(error):
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"The pack's LoRA is of a kind that cannot be used: {reason}",
            "Use a LoRA that diffusers can load and fuse.",
        ) from error
    finally:
        unet.unload_lora()


@dataclass(frozen=True)
class LoraLayer:
    """What a LoRA adds to one layer: ``alpha / rank * up @ down``; ``down`` is (rank, in), ``up`` (out, rank)."""

    down: Tensor
    up: Tensor
    alpha: float


def lora_layers(lora: Lora) -> dict[str, LoraLayer]:
    """A LoRA by the layers of diffusers' UNet, whatever names its file uses. Raises :class:`UserError` for one that is
    more than pairs of matrices, as DoRA is."""
    try:
        named, alphas = _peft_names(lora, _STABLE_DIFFUSION)
        layers: dict[str, LoraLayer] = {}
        for layer in dict.fromkeys(map(_layer, named)):
            down, up = named.pop(f"{layer}.lora_A.weight"), named.pop(f"{layer}.lora_B.weight")
            alpha = alphas.get(layer) if alphas else None
            if alpha is None:
                alpha = _alpha_in(lora.metadata, layer.removeprefix(_PREFIX), down.shape[0])
            layers[layer.removeprefix(_PREFIX)] = LoraLayer(down, up, alpha)
        if named:
            raise ValueError(f"{next(iter(named))} is no matrix of a LoRA")
    except Exception as error:  # libraries refuse what they do not know in many ways
        raise UserError(
            "The pack's LoRA is of a kind that other programs do not read.", "Train the pack, or get it again."
        ) from error
    return layers


def _alpha_in(metadata: Mapping[str, Any] | None, layer: str, rank: int) -> float:
    """A layer's alpha as an adapter's config says it, by peft's rules; its rank where nothing is said."""
    config = {name.removeprefix(_PREFIX): value for name, value in (metadata or {}).items()}
    patterns = config.get("alpha_pattern") or {}
    matched = (alpha for name, alpha in patterns.items() if re.fullmatch(rf"(.*\.)?({name})", layer))
    alpha = finite_number(next(matched, config.get("lora_alpha", rank)))
    if alpha is None or config.get("use_dora") or config.get("lora_bias"):
        raise ValueError("its strength is not known")
    return alpha * rank**0.5 if config.get("use_rslora") else alpha  # rslora divides by the root of the rank


def _peft_names(lora: Lora, config: Any) -> tuple[dict[str, Tensor], dict[str, float] | None]:
    """A LoRA's matrices as ``unet.<layer>.lora_A|lora_B.weight``, and the alpha of each ``unet.<layer>`` where the file
    says any; ``config`` is the UNet's. Raises ``ValueError`` for what diffusers does not know."""
    # Of tensors, not of a file: diffusers would read a pickle where it finds one.
    outcome: Any = StableDiffusionLoraLoaderMixin.lora_state_dict(dict(lora.tensors), unet_config=config)
    converted, alphas = outcome
    alphas = {**(alphas or {}), **{name: converted[name].item() for name in converted if name.endswith(".alpha")}}
    named = convert_unet_state_dict_to_peft({name: tensor for name, tensor in converted.items() if name not in alphas})
    if len(named) + len(alphas) != len(lora.tensors):
        raise ValueError("diffusers leaves some of its tensors out")
    if not alphas:
        return named, None
    # Diffusers leaves the old names in kohya's alphas, and then overlooks those of attention layers that differ.
    renamed = convert_unet_state_dict_to_peft({name.removesuffix(".alpha"): alpha for name, alpha in alphas.items()})
    ranks = {_layer(name): float(down.shape[0]) for name, down in named.items() if ".lora_A." in name}
    return named, ranks | {_layer(name): alpha for name, alpha in renamed.items()}


def _layer(name: str) -> str:
    return name.split(".lora_")[0]


def _require_fit(unet: Any, state: Mapping[str, Tensor]) -> None:
    """See that each pair of matrices has a layer of its shape: peft leaves out what has none. Raises
    :class:`UserError`."""
    layers = dict(unet.named_modules())
    for layer in map(_layer, state):
        down, up = state.get(f"{layer}.lora_A.weight"), state.get(f"{layer}.lora_B.weight")
        weight = getattr(layers.get(layer), "weight", None)
        if (down is None) != (up is None):
            raise UserError(
                f"The pack's LoRA has only one of two matrices for {layer}.", "Get the pack again, or train it."
            )
        if (
            weight is None
            or down is None
            or up is None
            or (up.shape[0], down.shape[1]) != weight.shape[:2]
            or up.shape[1] != down.shape[0]
        ):
            raise UserError(
                f"The pack's LoRA does not fit the base model: there is no {layer} of its shape.",
                "Use the base model the pack was trained for.",
            )
