"""The components of a base model, opened exactly or not at all.

A weight that is missing would be filled at random, another picture at each start; one that is left over says that the
file belongs to another model. Classes are those known here, whatever the files of a model name.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import diffusers
import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DPMSolverMultistepScheduler,
    LCMScheduler,
    UNet2DConditionModel,
)
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from engine.core.errors import UserError, out_of_memory
from engine.models.base_models import is_distilled
from engine.models.model_config import require_json, unreadable
from engine.models.weight_files import stem_of, weight_files, weight_shapes

_AUTOENCODERS: Final[Mapping[str, type[Any]]] = {"AutoencoderKL": AutoencoderKL, "AutoencoderTiny": AutoencoderTiny}
_TEXT_ENCODERS: Final[Mapping[str, type[Any]]] = {
    "text_encoder": CLIPTextModel,
    "text_encoder_2": CLIPTextModelWithProjection,
}
_AGAIN: Final = "Get the model again."
_OTHER: Final = "Choose another base model."
_FORMER_NAMES: Final = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
"""What attention in autoencoders was called once, and diffusers still reads."""
_PREFIX: Final = "text_model."
"""Before the names of a text encoder's weights, or not, by the version that wrote them."""
_UNUSED: Final = "embeddings.position_ids"
"""Numbers that count from 0, which older files hold."""


def require_fitting_weights(place: Path, component: str) -> None:
    """See that the weights in a component's folder are there, whole, and of the names and shapes its config describes,
    by their headers. Raises :class:`UserError` that names the first that is not."""
    found = {_name_today(name): shape for name, shape in weight_shapes(place, stem_of(component)).items()}
    found.pop(_UNUSED, None)
    try:
        with torch.device("meta"):  # nothing is kept: the config may describe more than fits into memory
            model = _build(place, component)
        expected = {_name_today(name): tuple(value.shape) for name, value in model.state_dict().items()}
        expected.pop(_UNUSED, None)
    except UserError:
        raise
    except Exception as error:  # libraries refuse what they do not know in many ways
        raise unreadable(place, error) from error
    missing, unexpected = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    misshapen = sorted(name for name in expected.keys() & found.keys() if expected[name] != found[name])
    if missing:
        fault = f"{missing[0]} is missing"
    elif unexpected:
        fault = f"{unexpected[0]} does not belong to it"
    elif misshapen:
        fault = f"{misshapen[0]} is {found[misshapen[0]]}, not {expected[misshapen[0]]}"
    else:
        return
    more = len(missing) + len(unexpected) + len(misshapen) - 1
    raise UserError(f"The weights in {place} do not fit: {fault}{f', and {more} more' if more else ''}.", _AGAIN)


def load_component(place: Path, component: str, precision: torch.dtype) -> Any:
    """A UNet, autoencoder or text encoder from its folder. Safetensors only. Raises :class:`UserError`, also for
    weights that are no numbers."""
    require_fitting_weights(place, component)
    half = weight_files(place, stem_of(component)).half
    options: dict[str, Any] = {
        "variant": "fp16" if half else None, "use_safetensors": True, "local_files_only": True,
        "output_loading_info": True,
    }  # fmt: skip
    kind = _class_of(place, component)
    try:
        if component in _TEXT_ENCODERS:
            options |= {"config": CLIPTextConfig.from_dict(require_json(place / "config.json")), "dtype": precision}
        else:
            options["torch_dtype"] = precision
        model, loaded = kind.from_pretrained(place, **options)
    except UserError:
        raise
    except Exception as error:  # libraries refuse damaged files in many ways
        if out_of_memory(error):
            raise
        raise unreadable(place, error) from error
    strange = sorted(name for name in (*loaded["missing_keys"], *loaded["unexpected_keys"]) if _UNUSED not in name)
    if strange:
        raise UserError(f"The weights in {place} do not fit: {strange[0]} is not as it should be.", _AGAIN)
    require_finite(model, place)
    return model


def require_finite(model: torch.nn.Module, place: Path) -> None:
    """See that all weights of a model are numbers. Raises :class:`UserError` that names one that is not."""
    for name, value in model.state_dict().items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise UserError(f"The model in {place} is damaged: {name} holds something that is no number.", _AGAIN)


def load_tokenizer(place: Path) -> Any:
    """A CLIP tokenizer from its folder, with its vocabulary. Raises :class:`UserError`."""
    try:
        tokenizer = CLIPTokenizer.from_pretrained(place, local_files_only=True)
        ends = tokenizer.bos_token_id, tokenizer.eos_token_id
    except Exception as error:
        raise unreadable(place, error) from error
    if None in ends or len(set(ends)) < 2 or len(tokenizer) < _FEWEST_WORDS:
        raise UserError(f"The tokenizer in {place} has no vocabulary.", _AGAIN)
    return tokenizer


_FEWEST_WORDS: Final = 32
"""Letters alone are more: with fewer, all prompts are alike."""


def load_scheduler(place: Path) -> Any:
    """The noise schedule of a base model's folder: one of diffusers' own, by name. Raises :class:`UserError`."""
    described = require_json(place / "scheduler_config.json")
    name = str(described.get("_class_name", "PNDMScheduler"))
    kind = getattr(diffusers, name, None) if name.isidentifier() else None
    if not isinstance(kind, type) or not issubclass(kind, SchedulerMixin):
        raise UserError(f"The model in {place.parent} wants the schedule {name[:60]}, which is not known.", _OTHER)
    try:
        scheduler: Any = kind
        return scheduler.from_config(described)
    except Exception as error:
        raise unreadable(place, error) from error


def drawing_scheduler(place: Path) -> Any:
    """The noise schedule with which a base model draws: its own if it is distilled, else DPM-Solver++ with its noise,
    of the order that it names, or the second. Two steps are tried, for a schedule may be found wrong only when it is
    used. Raises :class:`UserError`."""
    scheduler: Any = load_scheduler(place)
    solver: Any = DPMSolverMultistepScheduler  # whose annotations say that it comes with what was left over
    try:
        if not is_distilled(require_json(place / "scheduler_config.json")):
            order = scheduler.config.solver_order if isinstance(scheduler, solver) else 2
            scheduler = solver.from_config(
                scheduler.config, algorithm_type="dpmsolver++", solver_order=order, final_sigmas_type="zero"
            )
        tried: Any = type(scheduler).from_config(scheduler.config)  # steps leave traces
        tried.set_timesteps(2)
        latents = torch.zeros(1, 4, 8, 8)
        with torch.random.fork_rng(devices=[]):
            for timestep in tried.timesteps:
                latents = tried.step(tried.scale_model_input(latents, timestep), timestep, latents).prev_sample
    except Exception as error:  # libraries refuse what they do not know in many ways
        if out_of_memory(error):
            raise
        raise unreadable(place, error) from error
    return scheduler


def drawing_in_few_steps(pipeline: Any) -> Any:
    """The same pipeline, with the schedule of latent consistency models (arXiv 2311.05556): nothing is loaded or
    copied, and the other one draws as before."""
    fewer = copy.copy(pipeline)
    fewer.scheduler = LCMScheduler.from_config(pipeline.scheduler.config)
    return fewer


_SAMPLERS: Final = {
    "DDIMScheduler": "DDIM",
    "DPMSolverMultistepScheduler": "DPM++ 2M",
    "EulerAncestralDiscreteScheduler": "Euler a",
    "EulerDiscreteScheduler": "Euler",
    "LCMScheduler": "LCM",
    "PNDMScheduler": "PLMS",
    "TCDScheduler": "TCD",
}


def sampler_name(scheduler: Any) -> str:
    """What other programs call the way a schedule draws: "DPM++ 2M", "Euler", "LCM"."""
    name = type(scheduler).__name__
    if scheduler.config.get("solver_order") == 1:  # DPM-Solver++ of first order is DDIM (arXiv 2211.01095)
        return _SAMPLERS["DDIMScheduler"]
    return _SAMPLERS.get(name, name.removesuffix("Scheduler"))


def _class_of(place: Path, component: str) -> type[Any]:
    if component in _TEXT_ENCODERS:
        return _TEXT_ENCODERS[component]
    if component == "unet":
        return UNet2DConditionModel
    name = str(require_json(place / "config.json").get("_class_name", "AutoencoderKL"))
    if name not in _AUTOENCODERS:
        raise UserError(f"The autoencoder in {place} is a {name[:60]}, which cannot be used.", _OTHER)
    return _AUTOENCODERS[name]


def _build(place: Path, component: str) -> Any:
    """A component as its config describes it, without its weights."""
    kind: Any = _class_of(place, component)
    described = require_json(place / "config.json")
    return kind(CLIPTextConfig.from_dict(described)) if component in _TEXT_ENCODERS else kind.from_config(described)


def _name_today(name: str) -> str:
    name = name.removeprefix(_PREFIX)
    for former, today in _FORMER_NAMES.items():
        name = name.replace(former, today)
    return name
