"""Models: found by id, checked, loaded when asked for, and kept within a memory budget."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import (
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
)
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from engine.core.errors import UserError
from engine.core.on_disk import status_of
from engine.models.base_models import component_folder, components_of
from engine.models.components import drawing_scheduler, load_component, load_scheduler, load_tokenizer
from engine.models.conditioning import encoders_of, require_same_tokenizers
from engine.models.devices import best_device, best_precision, give_back_memory, memory_of
from engine.models.dino_families import Eyes, open_eyes
from engine.models.hub import PackModels, component_bytes, find_models, model_folder, models_of_pack, weight_bytes
from engine.models.lora import load_lora, merge_lora
from engine.models.memory_cache import HEADROOM, MemoryCache
from engine.models.model_config import require_json
from engine.models.placement import Placement, bytes_on_device, place, placement_for
from engine.models.weight_files import PICTURE_STEM
from engine.packs.pack import Pack

PRECISIONS: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

Pipeline = StableDiffusionPipeline | StableDiffusionXLPipeline


@dataclass(frozen=True)
class _PipelineKey:
    models: PackModels
    lora_changed_ns: int


@dataclass(frozen=True)
class _EyesKey:
    folder: Path


@dataclass(frozen=True)
class _AutoencoderKey:
    folder: Path


class Models:
    """Models by id, on one device in one precision.

    The last used are kept in ``cache`` while they fit ``budget`` bytes (half of the memory unless told otherwise);
    others keep there what they have worked out with them. Nothing is downloaded: see :func:`download`.
    """

    def __init__(
        self, device: str | None = None, precision: torch.dtype | None = None, budget: int | None = None
    ) -> None:
        self.device = torch.device(device or best_device())
        self.precision = precision or best_precision(self.device)
        self.cache = MemoryCache(
            budget or memory_of(self.device)[1] // 2, self.free_bytes, lambda: give_back_memory(self.device)
        )
        diffusers_logging.set_verbosity_error()
        diffusers_logging.disable_progress_bar()
        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()

    def pipeline(self, base: str, lora: Path | None = None, unet: str = "") -> Pipeline:
        """The stock pipeline of a base model, with a pack's LoRA merged into its UNet (or the one of ``unet``).

        It draws with DPM-Solver++, or with its own kind of schedule where it was distilled for that. Merged, a LoRA
        costs nothing while rendering; another pack's pipeline is loaded afresh, so that what one pack renders never
        depends on which was open before. Raises :class:`UserError`.
        """
        return self._pipeline(find_models(base, unet, lora))

    def pipeline_of(self, pack: Pack) -> Pipeline:
        """The pipeline a pack renders with. Raises :class:`UserError` if the base model does not fit the pack."""
        return self._pipeline(models_of_pack(pack))

    def _pipeline(self, models: PackModels) -> Pipeline:
        lora = models.lora
        written = status_of(lora) if lora else None
        key = _PipelineKey(models, written.st_mtime_ns if written else 0)
        sizes = {name: size * self.precision.itemsize // 4 for name, size in component_bytes(models).items()}
        placement: Placement = "whole"
        if self.device.type == "cuda" and key not in self.cache:  # elsewhere there is no second memory to wait in
            placement = placement_for(sizes, int(self.cache.within_reach() / HEADROOM))
        size = bytes_on_device(sizes, placement)
        return self.cache.get(key, lambda: self._load_pipeline(models, self.precision, placement), size)

    def own_pipeline(self, base: str, unet: str = "", precision: str = "auto") -> Pipeline:
        """A base model to change (training), shared with nobody; the others are let go of for its sake.

        ``precision`` is "float32", "bfloat16", "float16" or "auto": half only where it keeps the range of small
        gradients. Raises :class:`UserError`.
        """
        self.forget()
        models = find_models(base, unet)
        kind = torch.float32 if self.precision is torch.float16 else self.precision
        kind = PRECISIONS.get(precision, kind)
        self.cache.make_room(sum(component_bytes(models).values()) * kind.itemsize // 4)
        return self._load_pipeline(models, kind)

    def eyes(self, id: str) -> Eyes:
        """A vision transformer of the DINO families, its weights in float32. Raises :class:`UserError`."""
        folder = model_folder(id)
        return self.cache.get(
            _EyesKey(folder), lambda: open_eyes(folder, self.device), sum(weight_bytes(folder).values())
        )

    def autoencoder(self, id: str) -> Any:
        """An autoencoder of its own, beside those of base models. Raises :class:`UserError`."""
        folder = component_folder(model_folder(id), "vae")

        def load() -> Any:
            return load_component(folder, "vae", self.precision).requires_grad_(False).eval().to(self.device)

        size = sum(weight_bytes(folder, PICTURE_STEM).values()) * self.precision.itemsize // 4
        return self.cache.get(_AutoencoderKey(folder), load, size)

    def has(self, id: str) -> bool:
        """Whether a model is on this computer."""
        try:
            model_folder(id)
        except UserError:
            return False
        return True

    def forget(self) -> None:
        """Let go of every model, and of all else that is kept."""
        self.cache.clear()

    def free_bytes(self) -> int:
        """How much of the device's memory is free."""
        return memory_of(self.device)[0]

    def _load_pipeline(self, models: PackModels, precision: torch.dtype, placement: Placement = "whole") -> Pipeline:
        folder = models.folder
        lora = load_lora(models.lora) if models.lora else None  # read first: it is small, and may be damaged
        pieces: dict[str, Any] = {
            name: load_component(models.place(name), name, precision) for name in components_of(folder)
        }
        for name in components_of(folder)[2:]:
            tokenizer = name.replace("text_encoder", "tokenizer")
            pieces[tokenizer] = load_tokenizer(folder / tokenizer)
        pieces |= {"scheduler": load_scheduler(folder / "scheduler"), "feature_extractor": None, "image_encoder": None}
        pipeline = _assembled(folder, pieces, models.sdxl)
        pipeline.scheduler = drawing_scheduler(folder / "scheduler")
        pipeline.set_progress_bar_config(disable=True)
        require_same_tokenizers(encoders_of(pipeline))
        if lora:
            merge_lora(pipeline.unet, lora)
        in_order = [name for name in components_of(folder) if name.startswith("text")] + ["unet", "vae"]
        for name in in_order:
            getattr(pipeline, name).requires_grad_(False).eval()
        place({name: getattr(pipeline, name) for name in in_order}, self.device, placement)
        return pipeline


def _assembled(folder: Path, pieces: dict[str, Any], sdxl: bool) -> Pipeline:
    with warnings.catch_warnings():
        # It asks users to mend the scheduler's file; our scheduler is set afterwards.
        warnings.simplefilter("ignore", FutureWarning)
        if not sdxl:
            plain: Any = StableDiffusionPipeline  # whose annotations do not know that it needs no safety checker
            return plain(**pieces, safety_checker=None, requires_safety_checker=False)
        zeros = require_json(folder / "model_index.json").get("force_zeros_for_empty_prompt", True)
        return StableDiffusionXLPipeline(**pieces, force_zeros_for_empty_prompt=zeros is True, add_watermarker=False)
