"""The eyes: vision transformers of the DINO families, opened exactly or not at all.

Each family has a class of its own. Opened with another's, half of the weights would be left out and the features would
be others without anybody noticing, so weights that are missing or left over are an error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from transformers import (
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    DINOv3ViTConfig,
    DINOv3ViTModel,
    ViTConfig,
    ViTModel,
)

from engine.core.atomic_files import plain_file
from engine.core.errors import UserError
from engine.core.on_disk import files_like, is_file
from engine.models.components import require_finite
from engine.models.model_config import require_json, unreadable
from engine.models.weight_files import TEXT_STEM, require_safetensors, weight_shapes

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)

KNOWN_EYES: Final = "Eyes are models of DINO, DINOv2 (with registers or without) or DINOv3 in the transformers layout."
"""The hint where a model is none."""

_AT_ONCE: Final = 4
"""Pictures that a CPU looks at together: with 16 a picture took a fifth longer, and the memory 700 MB more."""

_UNUSED: Final = {"embeddings.mask_token"}
"""Weights that only training needs: folders have them or not."""


@dataclass(frozen=True)
class DinoFamily:
    """How the models of one ``model_type`` are opened."""

    config: type[Any]
    model: type[Any]


FAMILIES: Final[Mapping[str, DinoFamily]] = {
    "dinov2": DinoFamily(Dinov2Config, Dinov2Model),
    "dinov2_with_registers": DinoFamily(Dinov2WithRegistersConfig, Dinov2WithRegistersModel),
    "dinov3_vit": DinoFamily(DINOv3ViTConfig, DINOv3ViTModel),
    "vit": DinoFamily(ViTConfig, ViTModel),  # the original DINO is a plain ViT
}


@dataclass(frozen=True)
class Eyes:
    """A vision transformer and the normalisation its preprocessor_config.json asks for.

    ``leading_tokens``: tokens before those of the patches (the class token, and registers)."""

    model: Any
    patch: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    leading_tokens: int = 1

    @property
    def layers(self) -> int:
        """How many layers the transformer has; hidden state 0 is what goes into the first."""
        return int(self.model.config.num_hidden_layers)

    def states(self, pixels: torch.Tensor, layer: str = "last_hidden_state") -> torch.Tensor:
        """The patches' states of a batch (B, 3, H, W), after the final norm or, for a number, between two layers:
        (B, H/patch * W/patch, C), float32. On CUDA the layers count in half precision; on a CPU a few pictures at a
        time, which takes less memory and is quicker. Layers after the asked one are not computed."""
        if pixels.device.type == "cpu" and len(pixels) > _AT_ONCE:
            return torch.cat([self.states(few, layer) for few in pixels.split(_AT_ONCE)])
        options: dict[str, Any] = {"interpolate_pos_encoding": True} if isinstance(self.model, ViTModel) else {}
        depth = self.layers + 1 if layer == "last_hidden_state" else range(self.layers + 1)[int(layer)]
        with torch.autocast("cuda", torch.float16, enabled=pixels.device.type == "cuda"):
            if 0 < depth < self.layers:
                states = self._states_after(depth, pixels, options)
            elif depth > self.layers:
                states = self.model(pixel_values=pixels, **options).last_hidden_state
            else:
                states = self.model(pixel_values=pixels, output_hidden_states=True, **options).hidden_states[depth]
        return states[:, self.leading_tokens :].float()

    def _states_after(self, depth: int, pixels: torch.Tensor, options: dict[str, Any]) -> torch.Tensor:
        """What comes out of layer ``depth`` (counted from 1), where the model is left."""
        lists = (module for module in self.model.modules() if isinstance(module, torch.nn.ModuleList))
        layers = next(module for module in lists if len(module) == self.layers)

        def leave(_module: Any, _inputs: Any, output: Any) -> None:
            raise _ReachedError(output[0] if isinstance(output, tuple) else output)

        hook = layers[depth - 1].register_forward_hook(leave)
        try:
            self.model(pixel_values=pixels, **options)
        except _ReachedError as reached:
            return reached.states
        finally:
            hook.remove()
        raise AssertionError("the hook of a layer that was passed")  # pragma: no cover


class _ReachedError(Exception):
    """The layer that was asked for has its states: what follows need not be computed."""

    def __init__(self, states: torch.Tensor) -> None:
        super().__init__()
        self.states = states


def open_eyes(folder: Path, device: torch.device) -> Eyes:
    """Open a folder's vision transformer with the class of its family, in float32. Safetensors only. Raises
    :class:`UserError` for another kind of model, and for weights that are damaged, missing or left over."""
    described = require_json(folder / "config.json") if is_file(folder / "config.json") else {}
    kind = described.get("model_type") or described.get("_class_name") or ""
    family = FAMILIES.get(str(kind))
    if family is None:
        what = f"a {kind}" if kind else "no model that is known here"
        raise UserError(f"The model in {folder} cannot be used as eyes: it is {what}.", KNOWN_EYES)
    if not files_like(folder, "*.safetensors"):
        require_safetensors(folder, TEXT_STEM)
        raise UserError(f"The model in {folder} cannot be read: it has no weights.", "Get the model again.")
    shapes = weight_shapes(folder, TEXT_STEM)
    try:
        # Fractions too: the config classes take whole numbers only, older ones took both, and so do the models.
        ratio = described.pop("mlp_ratio", 4)
        config = family.config.from_dict(described)
        if "dinov2" in str(kind):
            config.__dict__["mlp_ratio"] = ratio
        options: dict[str, Any] = {"add_pooling_layer": _has_pooler(folder)} if family.model is ViTModel else {}
        _require_same_shapes(folder, shapes, family.model, config, options)
        load: Any = family.model.from_pretrained
        model, loaded = load(
            folder, config=config, dtype=torch.float32, use_safetensors=True, local_files_only=True,
            output_loading_info=True, **options,
        )  # fmt: skip
    except UserError:
        raise
    except Exception as error:  # libraries refuse damaged files in many ways
        raise unreadable(folder, error) from error
    missing, unexpected = (sorted({*loaded[name]} - _UNUSED) for name in ("missing_keys", "unexpected_keys"))
    if missing or unexpected or loaded["mismatched_keys"]:
        fault = f"{missing[0]} is missing" if missing else f"{unexpected[0]} does not belong to a {kind}"
        raise UserError(f"The model in {folder} cannot be used as eyes: {fault}.", "Get the model again.")
    require_finite(model, folder)
    patch, channels = _side(config.patch_size), config.num_channels
    if patch is None or channels != 3:
        raise UserError(
            f"The model in {folder} cannot be used as eyes: its patches are no squares of colour.", KNOWN_EYES
        )
    mean, std = _normalisation(folder)
    model.requires_grad_(False).eval().to(device)
    return Eyes(model, patch, mean, std, 1 + int(getattr(config, "num_register_tokens", 0)))


def _require_same_shapes(
    folder: Path, found: Mapping[str, tuple[int, ...]], kind: Any, config: Any, options: Mapping[str, Any]
) -> None:
    """See that what a config describes has the shapes of the weights, before it takes any memory: a grid of patches is
    soon larger than that. Raises :class:`UserError`. Which names there are is seen later."""
    with torch.device("meta"):
        expected = {name: tuple(value.shape) for name, value in kind(config, **options).state_dict().items()}
    held = {name.removeprefix(f"{kind.base_model_prefix}."): shape for name, shape in found.items()}
    for name in sorted(expected.keys() & held.keys()):
        if expected[name] != held[name]:
            raise UserError(
                f"The model in {folder} cannot be used as eyes: {name} is {held[name]}, not {expected[name]}.",
                "Get the model again.",
            )
    if sum(map(math.prod, expected.values())) > 2 * sum(map(math.prod, held.values())):
        raise UserError(
            f"The model in {folder} cannot be used as eyes: it describes more weights than it has.",
            "Get the model again.",
        )


def _has_pooler(folder: Path) -> bool:
    """Whether a ViT's folder has the layer behind its class token, which DINO's own have not."""
    for file in files_like(folder, "*.safetensors"):
        try:
            with safe_open(plain_file(file), "pt") as opened:
                if any("pooler." in name for name in opened.keys()):  # noqa: SIM118  not a mapping
                    return True
        except (SafetensorError, OSError) as error:
            raise unreadable(folder, error) from error
    return False


def _side(patch: Any) -> int | None:
    """The side of a square patch, whether it is described by one number or by two."""
    sides = list(patch) if isinstance(patch, list | tuple) else [patch]
    return int(sides[0]) if len(set(sides)) == 1 and type(sides[0]) is int and sides[0] > 0 else None


def _normalisation(folder: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each colour as the model wants them, 0 to 1; ImageNet's where it does not say."""
    file = folder / "preprocessor_config.json"
    document = require_json(file) if is_file(file) else {}
    try:
        mean, std = (
            tuple(float(number) for number in document.get(name, usual))
            for name, usual in (("image_mean", IMAGENET_MEAN), ("image_std", IMAGENET_STD))
        )
    except (TypeError, ValueError) as error:
        raise unreadable(folder, error) from error
    if len(mean) != 3 or len(std) != 3 or not all(number > 0 for number in std):
        raise UserError(f"The model in {folder} cannot be read: {file.name} is damaged.", "Get the model again.")
    return mean, std
