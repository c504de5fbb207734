"""Base models on disk: which diffusers folders can be used, what they lack, whether their pieces fit, how they draw.

All of it is read from small JSON files, before any weights are loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from engine.core.errors import UserError
from engine.core.json_values import finite_number, number_from
from engine.core.on_disk import is_file
from engine.models.model_config import OWN_WORDS, require_json
from engine.models.weight_files import missing_weights, require_safetensors, stem_of
from engine.packs.pack import BaseModel

_COMPONENTS: Final[dict[str, tuple[str, ...]]] = {
    "StableDiffusionPipeline": ("unet", "vae", "text_encoder"),
    "LatentConsistencyModelPipeline": ("unet", "vae", "text_encoder"),
    "StableDiffusionXLPipeline": ("unet", "vae", "text_encoder", "text_encoder_2"),
}
"""The models of each kind of pipeline that can be used, by its name in model_index.json. A latent consistency model is
an ordinary pipeline with another scheduler."""
_PLAIN: Final = "StableDiffusionPipeline"
_SWAPPED: Final = {"unet": ("UNet2DConditionModel",), "vae": ("AutoencoderKL", "AutoencoderTiny")}
"""The components that those of another folder may take the place of, and their classes."""

Others = Mapping[str, Path]
"""The folders of components, by their names, that take the place of a base model's own."""
_NONE: Final[Others] = MappingProxyType({})
_FEW_STEPS: Final = 4
TAUGHT_GUIDANCE: Final = 8.5
"""What consistency models that were taught a guidance are asked for (arXiv 2310.04378)."""


def components_of(folder: Path) -> tuple[str, ...]:
    """The models in a base model's folder: "unet", "vae", "text_encoder", and for SDXL "text_encoder_2"."""
    return _COMPONENTS.get(_kind(folder), _COMPONENTS[_PLAIN])


def text_widths(folder: Path) -> tuple[int, ...]:
    """How wide the words of each of a base model's text encoders are. Raises :class:`UserError`."""
    return tuple(_width(folder, name) for name in components_of(folder)[2:])


def is_text_to_image(folder: Path) -> bool:
    """Whether a folder's model_index.json is missing (which can be told) or of a kind of base model known here."""
    return _kind(folder) in ("", *_COMPONENTS)


def is_sdxl(folder: Path) -> bool:
    """Whether a base model's folder has the layout of SDXL."""
    return "text_encoder_2" in components_of(folder)


def missing_files(folder: Path, others: Others = _NONE) -> list[str]:
    """What a folder lacks to be a base model; empty if nothing. ``others`` take the place of its own components."""
    components = components_of(folder)
    tokenizers = [name.replace("text_encoder", "tokenizer") for name in components[2:]]
    needed = ["model_index.json", "scheduler/scheduler_config.json"]
    needed += [f"{name}/tokenizer_config.json" for name in tokenizers]
    lacking = [name for name in needed if not is_file(folder / name)]
    lacking += [f"{name}/vocab.json" for name in tokenizers if not _has_vocabulary(folder / name)]
    for component in components:
        place = others.get(component, folder / component)
        if not is_file(place / "config.json"):
            lacking.append(f"{component}/config.json")
        lacking += [f"{component}/{name}" for name in missing_weights(place, stem_of(component))]
    return lacking


def require_base(folder: Path, others: Others = _NONE) -> None:
    """See that a folder is a base model that can be used, whole, and made of pieces that fit.

    Raises :class:`UserError` with the first thing that is wrong.
    """
    kind = _kind(folder)
    if not kind and is_file(folder / "config.json"):
        model = require_json(folder / "config.json").get("model_type", "single model")
        raise UserError(
            f"{folder.name} is a {model}, not a base model.",
            "Choose the folder of a Stable Diffusion model, with a model_index.json in it.",
        )
    if kind and kind not in _COMPONENTS:
        raise UserError(
            f"{folder.name} is a {kind}, which cannot be used.",
            "Choose a diffusers folder of Stable Diffusion 1.x, 2.x or SDXL.",
        )
    lacking = missing_files(folder, others)
    if lacking:
        require_all_safetensors(folder, others)
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise UserError(f"The base model in {folder} lacks {lacking[0]}{more}.", "Get the model again.")
    _require_fit(folder, others)


def require_all_safetensors(folder: Path, others: Others = _NONE) -> None:
    """Raise :class:`UserError` if a component of a base model has its weights in other forms only."""
    for component in components_of(folder):
        require_safetensors(others.get(component, folder / component), stem_of(component))


def component_folder(folder: Path, component: str) -> Path:
    """The "unet" or "vae" in a folder: its own, or a whole base model's. Raises :class:`UserError`."""
    place = folder if is_file(folder / "config.json") else folder / component
    described = require_json(place / "config.json") if is_file(place / "config.json") else {}
    if described.get("_class_name") not in _SWAPPED[component]:
        name = {"unet": "UNet", "vae": "autoencoder"}[component]
        raise UserError(
            f"There is no {name} in {folder}.",
            f"Choose the {name}'s own folder, or the folder of a base model.",
        )
    return place


def is_distilled(schedule: dict[str, Any]) -> bool:
    """Whether a scheduler_config.json is a distilled model's (turbo, lightning, LCM), that draws in a few steps of
    its own kind and would draw badly with another."""
    name = str(schedule.get("_class_name"))
    if name in ("LCMScheduler", "TCDScheduler"):
        return True
    trailing = schedule.get("timestep_spacing") == "trailing" and not schedule.get("rescale_betas_zero_snr")
    return name.startswith("Euler") and trailing


def base_model_in(folder: Path, id: str, unet: Path | None = None, unet_id: str = "", vae_id: str = "") -> BaseModel:
    """What a pack says of the base model it belongs to: text widths, and how a distilled one wants to be asked."""
    widths = text_widths(folder)
    own = require_json(folder / "model_index.json").get(OWN_WORDS) if is_file(folder / "model_index.json") else None
    if not is_distilled(require_json(folder / "scheduler" / "scheduler_config.json")):
        return _with_own_words(BaseModel(id, "", widths, unet_id, vae=vae_id), own)
    taught = require_json((unet or folder / "unet") / "config.json").get("time_cond_proj_dim")
    lcm = require_json(folder / "scheduler" / "scheduler_config.json").get("_class_name") == "LCMScheduler"
    guidance = TAUGHT_GUIDANCE if taught else float(lcm)
    return BaseModel(id, "", widths, unet_id, _FEW_STEPS, guidance, vae=vae_id, distilled=True)


def _with_own_words(base: BaseModel, own: Any) -> BaseModel:
    """What a base model of ours says of itself in its model_index.json: its revision, and how it wants to be asked."""
    if not isinstance(own, dict):
        return base
    steps, guidance = number_from(own.get("steps")), finite_number(own.get("guidance"))
    few = {"steps": int(steps), "guidance": guidance} if steps and guidance is not None else {}
    return replace(base, revision=str(own.get("revision", "")), **few)


def _has_vocabulary(tokenizer: Path) -> bool:
    """Whether a tokenizer's folder has the words it knows: in one file, or in two. One that is not there lacks more."""
    if not is_file(tokenizer / "tokenizer_config.json") or is_file(tokenizer / "tokenizer.json"):
        return True
    return is_file(tokenizer / "vocab.json") and is_file(tokenizer / "merges.txt")


def _latents(vae: Path) -> tuple[int, int]:
    """The channels of an autoencoder's latents, and how many pixels one of their cells is wide."""
    described = require_json(vae / "config.json")
    levels = described.get("block_out_channels") or described.get("decoder_block_out_channels") or (0,)
    return described.get("latent_channels", 4), 2 ** (len(levels) - 1) if isinstance(levels, list) else 1


def _kind(folder: Path) -> str:
    index = folder / "model_index.json"
    return str(require_json(index).get("_class_name", "")) if is_file(index) else ""


def _width(folder: Path, encoder: str) -> int:
    return int(require_json(folder / encoder / "config.json").get("hidden_size") or 512)


def _require_fit(folder: Path, others: Others) -> None:
    unet = others.get("unet")
    place = unet or folder / "unet"
    described = require_json(place / "config.json")
    advice = (
        "Choose a UNet that was made for this base model." if unet else "Choose another base model, or get it again."
    )
    widths = text_widths(folder)
    width = described.get("cross_attention_dim", 1280)
    if width != sum(widths) and width != [sum(widths)] * len(described.get("block_out_channels") or ()):
        expected_widths = " and ".join(map(str, widths))
        raise UserError(
            f"The UNet in {place} reads words that are {width} wide; this base model's are {expected_widths}.", advice
        )
    if (described.get("addition_embed_type") == "text_time") != is_sdxl(folder):
        raise UserError(f"The UNet in {place} and the base model in {folder} are of different kinds.", advice)
    channels = _latents(folder / "vae")[0]
    if (vae := others.get("vae")) and _latents(vae) != _latents(folder / "vae"):
        raise UserError(
            f"The autoencoder in {vae} does not fit the base model: its latents are of another kind.",
            "Choose an autoencoder that was made for this base model.",
        )
    if described.get("in_channels", 4) != channels or described.get("out_channels", 4) != channels:
        raise UserError(
            f"The UNet in {place} takes {described.get('in_channels', 4)} channels, but its pictures have {channels}.",
            "Choose a base model that makes pictures from text, not one that paints into them.",
        )
    if is_sdxl(folder):
        pooled = require_json(folder / "text_encoder_2" / "config.json").get("projection_dim") or 512
        expected = 6 * int(described.get("addition_time_embed_dim") or 0) + pooled
        if described.get("projection_class_embeddings_input_dim") != expected:
            raise UserError(f"The UNet in {place} does not fit the second text encoder.", advice)
