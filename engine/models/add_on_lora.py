"""Other people's LoRAs beside a pack: read by any of the usual names, and put on a pipeline for a while.

They are not merged. A hook on each layer adds ``weight * alpha / rank * up(down(x))`` to what the layer gives, so the
weights of a pipeline that the memory cache keeps are never touched, and another weight costs nothing. Names of layers
are looked up in a table of the pipeline's own layers: diffusers' paths, kohya's (the same with underscores), and those
of the original UNet, which SDXL's LoRAs use.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
import torch.nn.functional as F
from diffusers.loaders.lora_base import LORA_ADAPTER_METADATA_KEY
from safetensors import safe_open
from torch import Tensor, nn

from engine.core.add_on import LORA
from engine.core.add_on_file import ALPHA, DOWN, UP, look_at_add_on, require_fit
from engine.core.atomic_files import plain_file
from engine.core.errors import UserError
from engine.core.json_values import finite_number
from engine.models.conditioning import encoders_of
from engine.models.lora import LoraLayer
from engine.models.original_unet import original_path

_LAYER_NAME: Final = re.compile(r"\^?[\w.-]+")
_FORMER: Final = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"}
"""What diffusers once called the projections of text encoders."""


@dataclass(frozen=True)
class AddOnLora:
    """A LoRA as its file has it: matrices by the file's own names of layers."""

    name: str
    layers: Mapping[str, LoraLayer]

    @property
    def bytes(self) -> int:
        """What its matrices take."""
        return sum(layer.down.nbytes + layer.up.nbytes for layer in self.layers.values())


def read_add_on_lora(path: Path, widths: tuple[int, ...] = ()) -> AddOnLora:
    """Read a LoRA for a base model whose words are so wide. Safetensors only. Raises :class:`UserError` for a damaged
    file, one of another family, and one that is more than pairs of matrices."""
    require_fit(path.name, file := look_at_add_on(path), widths)
    if file.kind != LORA:
        raise UserError(f"“{path.name}” is no LoRA.", "Add it as an embedding.")
    try:
        with safe_open(plain_file(path), "pt") as opened:
            # Cloned, so that nothing is mapped: the file may be replaced while it is used.
            tensors = {key: opened.get_tensor(key).clone() for key in opened.keys()}  # noqa: SIM118  not a mapping
            header = (opened.metadata() or {}).get(LORA_ADAPTER_METADATA_KEY, "{}")
        strengths = _strengths(json.loads(header), path.name)
    except UserError:
        raise
    except Exception as error:  # the library refuses damaged files in many ways
        raise UserError(f"“{path.name}” is no whole safetensors file.", "Get the file again.") from error
    ups = {UP.sub("", key): key for key in tensors if UP.search(key)}
    downs = {DOWN.sub("", key): key for key in tensors if DOWN.search(key)}
    alphas = {key.removesuffix(ALPHA): key for key in tensors if key.endswith(ALPHA)}
    used = {*ups.values(), *downs.values(), *alphas.values()}
    if strange := next(iter(sorted(tensors.keys() - used)), None):
        raise UserError(f"“{path.name}” holds {strange[-80:]}, which is no part of a LoRA.", "Choose an ordinary LoRA.")
    if ups.keys() != downs.keys() or not alphas.keys() <= ups.keys():
        raise UserError(f"“{path.name}” has only one of two matrices for a layer.", "Get the file again.")
    layers = {}
    for name, key in downs.items():
        down, up = tensors[key], tensors[ups[name]]
        if down.ndim not in (2, 4) or up.ndim != down.ndim or up.shape[1] != down.shape[0]:
            raise UserError(f"The matrices of “{path.name}” do not fit each other.", "Get the file again.")
        if not (torch.isfinite(down.float()).all() and torch.isfinite(up.float()).all()):
            raise UserError(f"“{path.name}” is damaged: {name[-80:]} is no number.", "Get the file again.")
        said = finite_number(tensors[alphas[name]].item()) if name in alphas else None
        alpha = said if said is not None else _alpha_of(name, down.shape[0], strengths)
        layers[name] = LoraLayer(down, up, alpha)
    return AddOnLora(path.name, layers)


@dataclass(frozen=True)
class _Strengths:
    """How strong an adapter is in one model (peft's ``LoraConfig``): its alpha, None: its rank; those of single layers,
    by the ends of their names; ``rooted``: alpha counts by the root of the rank (rsLoRA, arXiv 2312.03732)."""

    alpha: float | None = None
    by_layer: Mapping[str, float] = field(default_factory=dict)
    rooted: bool = False


def _strengths(document: Any, name: str) -> dict[str, _Strengths]:
    """What diffusers' metadata says, by model ("unet", "text_encoder", or "" where it is not said). Raises
    :class:`UserError` for what cannot be read, ``ValueError`` for what is no such metadata."""
    if not isinstance(document, dict):
        raise ValueError("no metadata of an adapter")
    configs: dict[str, dict[str, Any]] = {}
    for key, value in document.items():
        model, _, word = str(key).rpartition(".")
        configs.setdefault(model, {})[word] = value
    found = {}
    for model, config in configs.items():
        if config.get("use_dora"):
            raise UserError(f"“{name}” is a DoRA, which cannot be used.", "Choose an ordinary LoRA.")
        patterns = config.get("alpha_pattern") or {}
        alphas = {str(layer): finite_number(alpha) for layer, alpha in patterns.items()}
        if not all(_LAYER_NAME.fullmatch(layer) and alpha is not None for layer, alpha in alphas.items()):
            raise UserError(
                f"“{name}” says for some layers how strong it is in a way that cannot be read.",
                "Have it saved with an alpha beside each layer, or choose another LoRA.",
            )
        by_layer = {layer.lstrip("^"): alpha for layer, alpha in alphas.items() if alpha is not None}
        found[model] = _Strengths(finite_number(config.get("lora_alpha")), by_layer, config.get("use_rslora") is True)
    return found


def _alpha_of(layer: str, rank: int, strengths: Mapping[str, _Strengths]) -> float:
    """The alpha of a layer of so low a rank, as peft finds it: the first pattern that its name ends with, else its
    model's."""
    model, _, path = layer.partition(".")
    said = strengths.get(model) or strengths.get("") or _Strengths()
    alpha = next((a for end, a in said.by_layer.items() if path == end or path.endswith(f".{end}")), said.alpha)
    if alpha is None:
        return float(rank)
    return alpha * rank**0.5 if said.rooted else alpha


@contextmanager
def loras_on(pipeline: Any, loras: Sequence[tuple[AddOnLora, float]]) -> Iterator[None]:
    """While open, a pipeline's UNet and text encoders are changed by LoRAs, each with its weight. Nothing of them is
    left afterwards. Raises :class:`UserError`, with nothing changed, for one that has no place in the pipeline."""
    places = layers_by_name(pipeline) if loras else {}
    bound = [(layers_of(lora, places), weight) for lora, weight in loras]
    with ExitStack() as hooks:
        for layers, weight in bound:
            for module, layer in layers:
                hooks.callback(module.register_forward_hook(_Adds(module, layer, weight)).remove)
        yield


def layers_of(lora: AddOnLora, places: Mapping[str, nn.Module]) -> list[tuple[nn.Module, LoraLayer]]:
    """A LoRA's layers in a pipeline. Raises :class:`UserError` if any has no place there or another shape."""
    found: list[tuple[nn.Module, LoraLayer]] = []
    lost: list[str] = []
    for name, layer in lora.layers.items():
        module = places.get(name)
        module = places.get(_name_today(name)) if module is None else module
        if module is None or not _fits(module, layer):
            lost.append(name)
        else:
            found.append((module, layer))
    if lost:
        raise UserError(
            f"“{lora.name}” was made for another model: {len(lost)} of its {len(lora.layers)} layers "
            f"({lost[0][-80:]}) have no place in this pack’s base model.",
            "Choose a LoRA for the same family of models.",
        )
    return found


def layers_by_name(pipeline: Any) -> dict[str, nn.Module]:
    """The layers of a pipeline that LoRAs change, by all the names they go by in files."""
    names: dict[str, nn.Module] = {}
    for path, module in _layers(pipeline.unet):
        kohya = path.replace(".", "_")
        names |= dict.fromkeys((path, f"unet.{path}", f"base_model.model.{path}", f"lora_unet_{kohya}"), module)
        if original := original_path(path, pipeline.unet.config):
            kohya = original.replace(".", "_")
            names |= dict.fromkeys((f"diffusion_model.{original}", f"lora_unet_{kohya}"), module)
    encoders = encoders_of(pipeline)
    for number, encoder in enumerate(encoders, 1):
        for path, module in _layers(encoder.model):
            path = path if path.startswith(("text_model.", "text_projection")) else f"text_model.{path}"
            kohya = path.replace(".", "_")
            names |= dict.fromkeys((f"{encoder.name}.{path}", f"lora_te{number}_{kohya}"), module)
            names |= dict.fromkeys((f"{encoder.name}.{path.removeprefix('text_model.')}",), module)
            if len(encoders) == 1:
                names[f"lora_te_{kohya}"] = module
    return names


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    return ((path, module) for path, module in model.named_modules() if isinstance(module, nn.Linear | nn.Conv2d))


def _name_today(name: str) -> str:
    """Diffusers' former names of a layer, as it is called today."""
    name = name.replace(".processor.", ".").removesuffix(".lora")
    if name.startswith("text_encoder"):
        head, _, last = name.rpartition(".")
        return f"{head}.{_FORMER.get(last, last)}"
    return re.sub(r"\.to_out$", ".to_out.0", name)


def _fits(module: nn.Module, layer: LoraLayer) -> bool:
    down, up = layer.down, layer.up
    if isinstance(module, nn.Conv2d):
        small = (1, 1)
        kernel = tuple(down.shape[2:]) or small
        is_plain = module.groups == 1 and (tuple(up.shape[2:]) or small) == small
        return is_plain and kernel == module.kernel_size and _ends(layer) == (module.in_channels, module.out_channels)
    is_flat = all(tuple(matrix.shape[2:]) in ((), (1, 1)) for matrix in (down, up))
    return isinstance(module, nn.Linear) and is_flat and _ends(layer) == (module.in_features, module.out_features)


def _ends(layer: LoraLayer) -> tuple[int, int]:
    return layer.down.shape[1], layer.up.shape[0]


class _Adds:
    """A forward hook: what a layer gives, and a LoRA's share."""

    def __init__(self, module: nn.Module, layer: LoraLayer, weight: float) -> None:
        kept: Any = module.weight
        down, up = (matrix.to(kept.device, kept.dtype) for matrix in (layer.down, layer.up))
        self._scale = weight * layer.alpha / layer.down.shape[0]
        is_convolution = isinstance(module, nn.Conv2d)
        self._down = down.reshape(*down.shape[:2], *(down.shape[2:] or (1, 1))) if is_convolution else down.flatten(1)
        self._up = up.reshape(*up.shape[:2], 1, 1) if is_convolution else up.flatten(1)

    def __call__(self, module: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        given = inputs[0]
        if isinstance(module, nn.Conv2d):
            # As the layer itself would, its padding mode too: what its own method does with other weights.
            within: Any = module._conv_forward(given, self._down, None)
            return output + F.conv2d(within, self._up) * self._scale
        return output + F.linear(F.linear(given, self._down), self._up) * self._scale
