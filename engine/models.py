"""Models: found by id, checked, loaded when asked for, and kept within a memory budget."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import psutil
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError, safe_open
from transformers import Dinov2Config, Dinov2Model
from transformers.utils import logging as transformers_logging

from engine.errors import UserError
from engine.hosts import HOST_WORD, out_of_memory
from engine.lora import load_lora, merge_lora
from engine.packs import LORA, Pack
from engine.places import models_dir, resources_dir

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)

_COMPONENTS: Final = ("unet", "vae", "text_encoder")
_NEEDED: Final = ("model_index.json", "scheduler/scheduler_config.json", "tokenizer/tokenizer_config.json")
_WEIGHTS: Final = ("diffusion_pytorch_model", "model")
_HEADROOM: Final = 1.3
"""Memory asked for before loading: weights times this, for what rendering needs beside them."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Eyes:
    """A vision transformer and the normalisation its preprocessor_config.json asks for."""

    model: Any
    patch: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


class Models:
    """Models by id, on one device in one precision.

    The last used are kept while they fit ``budget`` bytes (half of the memory unless told otherwise).
    Nothing is downloaded: see :func:`download`.
    """

    def __init__(
        self, device: str | None = None, precision: torch.dtype | None = None, budget: int | None = None
    ) -> None:
        self.device = torch.device(device or _best_device())
        self.precision = precision or _best_precision(self.device)
        self.budget = budget or _memory(self.device)[1] // 2
        self._kept: OrderedDict[tuple[object, ...], tuple[Any, int]] = OrderedDict()
        diffusers_logging.set_verbosity_error()
        diffusers_logging.disable_progress_bar()
        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()

    def pipeline(self, base: str, lora: Path | None = None) -> StableDiffusionPipeline:
        """The stock pipeline of a base model with DPM-Solver++, and with a pack's LoRA merged into its UNet.

        Merged, a LoRA costs nothing while rendering; another pack's pipeline is loaded afresh, so that what
        one pack renders never depends on which was open before. Raises :class:`UserError`.
        """
        folder = resolve(base)
        key = ("pipeline", folder, lora, lora.stat().st_mtime_ns if lora and lora.is_file() else 0)
        size = sum(weights_of(folder).values()) * self.precision.itemsize // 4
        return self.keep(key, lambda: self._load_pipeline(folder, lora, self.precision), size)

    def pipeline_of(self, pack: Pack) -> StableDiffusionPipeline:
        """The pipeline a pack renders with. Raises :class:`UserError` if the base model does not fit the pack."""
        lora = pack.path / LORA
        pipeline = self.pipeline(pack.base_model.id, lora if lora.is_file() else None)
        width = pipeline.text_encoder.config.hidden_size
        if pack.base_model.widths and pack.base_model.widths != (width,):
            wanted = " and ".join(map(str, pack.base_model.widths))
            raise UserError(
                f"The base model {pack.base_model.id} does not fit the pack {pack.title}: "
                f"its words are {width} wide, the pack's {wanted}.",
                "Use the base model the pack was trained for.",
            )
        return pipeline

    def own_pipeline(self, base: str) -> StableDiffusionPipeline:
        """A base model to change (training), shared with nobody; the others are let go of for its sake.

        Half precision only where it keeps the range of small gradients. Raises :class:`UserError`.
        """
        self.forget()
        folder = resolve(base)
        precision = torch.float32 if self.precision is torch.float16 else self.precision
        self._make_room(sum(weights_of(folder).values()) * precision.itemsize // 4)
        return self._load_pipeline(folder, None, precision)

    def eyes(self, id: str) -> Eyes:
        """A Dinov2 model in float32 (its features are compared with centroids). Raises :class:`UserError`."""
        folder = resolve(id)
        return self.keep(("eyes", folder), lambda: self._load_eyes(folder), sum(weights_of(folder).values()))

    def has(self, id: str) -> bool:
        """Whether a model is on this computer."""
        try:
            resolve(id)
        except UserError:
            return False
        return True

    def keep(self, key: tuple[object, ...], load: Callable[[], _T], size: int = 0) -> _T:
        """What was loaded under ``key``, or load it now, of ``size`` bytes; makes room first.
        Raises :class:`UserError` when it cannot fit into memory."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key][0]
        self._make_room(size)
        made = load()
        self._kept[key] = (made, size)
        return made

    def forget(self) -> None:
        """Let go of every model."""
        while self._kept:
            self._forget_oldest()

    def _make_room(self, size: int) -> None:
        need = int(size * _HEADROOM)
        while self._kept and (
            sum(kept for _, kept in self._kept.values()) + size > self.budget or need > _memory(self.device)[0]
        ):
            self._forget_oldest()
        free = _memory(self.device)[0]
        if need > free:
            raise UserError(
                f"This model needs {_gigabytes(need)} of memory and {_gigabytes(free)} are free.",
                "Close other programs, or choose a pack with a smaller base model.",
            )

    def _forget_oldest(self) -> None:
        self._kept.popitem(last=False)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _load_pipeline(self, folder: Path, lora: Path | None, precision: torch.dtype) -> StableDiffusionPipeline:
        _require_base(folder)
        difference = load_lora(lora) if lora else {}  # read first: it is small, and may be damaged
        try:
            with warnings.catch_warnings():
                # It asks users to mend the scheduler's file; our scheduler is set right below.
                warnings.simplefilter("ignore", FutureWarning)
                pipeline = StableDiffusionPipeline.from_pretrained(
                    folder,
                    dtype=precision,
                    variant=_variant(folder),
                    safety_checker=None,
                    feature_extractor=None,
                    image_encoder=None,
                    requires_safety_checker=False,
                    use_safetensors=True,
                    local_files_only=True,
                )
        except Exception as error:  # libraries refuse damaged files in many ways
            if out_of_memory(error):
                raise
            raise _unreadable(folder, error) from error
        pipeline.scheduler = DPMSolverMultistepScheduler.from_config(
            pipeline.scheduler.config, algorithm_type="dpmsolver++", solver_order=2, final_sigmas_type="zero"
        )
        pipeline.set_progress_bar_config(disable=True)
        merge_lora(pipeline.unet, difference)
        pipeline.to(self.device)
        for component in _COMPONENTS:
            getattr(pipeline, component).requires_grad_(False).eval()
        return pipeline

    def _load_eyes(self, folder: Path) -> Eyes:
        try:
            described, _ = Dinov2Config.get_config_dict(folder)
            ratio = described.pop("mlp_ratio", 4)
            config = Dinov2Config.from_dict(described)
            # The config class takes whole numbers only, older ones took fractions; the model takes both.
            config.__dict__["mlp_ratio"] = ratio
            model: Any = Dinov2Model.from_pretrained(folder, config=config, dtype=torch.float32)
        except Exception as error:  # libraries refuse damaged files in many ways
            raise _unreadable(folder, error) from error
        mean, std = IMAGENET_MEAN, IMAGENET_STD
        preparation = folder / "preprocessor_config.json"
        if preparation.is_file():
            document = _read_json(preparation)
            mean, std = tuple(document.get("image_mean", mean)), tuple(document.get("image_std", std))
        model.requires_grad_(False).eval().to(self.device)
        return Eyes(model, int(model.config.patch_size), mean, std)


def open_models() -> Models:
    """The models of a host. In the window's child process one core is left to the window, which keeps it smooth."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch.set_num_threads(max(1, cores - 1 if HOST_WORD in sys.argv else cores))
    return Models()


def resolve(id: str) -> Path:
    """The folder of a model id.

    In this order: "starter/..." in the bundled resources, a folder's path, the user's models folder, the local
    Hugging Face cache. Raises :class:`UserError` that says where to put it when it is nowhere.
    """
    places = [resources_dir() / id] if id.startswith("starter/") else [Path(id).expanduser(), models_dir() / id]
    for place in places:
        if id and place.is_dir():
            return place.resolve()
    try:
        return Path(snapshot_download(id, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError, ValueError) as error:
        raise UserError(
            f"The model {id or '(no name)'} is not on this computer.",
            "Reinstall the app."
            if id.startswith("starter/")
            else f"Put its folder at {models_dir() / id}, or run: partcraft models download {id}",
        ) from error


def weights_of(folder: Path) -> dict[str, int]:
    """Bytes each safetensors file of a model takes as float32. Raises :class:`UserError` for a damaged file."""
    sizes = {}
    variant = _variant(folder)
    for file in sorted(folder.rglob("*.safetensors")):
        relative = file.relative_to(folder).as_posix()
        if relative.startswith("safety_checker/") or (variant is None) == (".fp16." in file.name):
            continue
        try:
            with safe_open(file, "pt") as opened:
                sizes[relative] = 4 * sum(_count(opened.get_slice(name).get_shape()) for name in opened.keys())  # noqa: SIM118  not a mapping
        except (SafetensorError, OSError) as error:
            raise _unreadable(folder, error) from error
    return sizes


def missing_files(folder: Path) -> list[str]:
    """What a folder lacks to be a base model of the Stable Diffusion 1.x layout; empty if nothing."""
    lacking = [name for name in _NEEDED if not (folder / name).is_file()]
    for component in _COMPONENTS:
        if not (folder / component / "config.json").is_file():
            lacking.append(f"{component}/config.json")
        if not any((folder / component).glob("*.safetensors")):
            lacking.append(f"{component}/{_WEIGHTS[component == 'text_encoder']}.safetensors")
    return lacking


@dataclass(frozen=True)
class Found:
    """A model on this computer: its id, folder, kind ("base model" or "eyes") and what it lacks."""

    id: str
    folder: str
    kind: str
    missing: tuple[str, ...] = ()


def list_models() -> list[Found]:
    """The models in the bundled resources and in the user's models folder."""
    found = []
    for root, prefix in ((resources_dir() / "starter", "starter/"), (models_dir(), "")):
        configs = [*root.rglob("model_index.json"), *root.rglob("config.json")]
        for config in sorted(configs):
            id = prefix + config.parent.relative_to(root).as_posix()
            if config.name == "model_index.json" or not (config.parent.parent / "model_index.json").is_file():
                checked = check_model(id)
                if checked.kind:
                    found.append(checked)
    return found


def check_model(id: str) -> Found:
    """Which kind of model an id is and what it lacks, without loading it. Raises :class:`UserError` if it is
    nowhere. ``kind`` is empty for a folder that is neither a base model nor eyes."""
    folder = resolve(id)
    if (folder / "config.json").is_file():
        kind = _read_json(folder / "config.json").get("model_type")
        weights = () if any(folder.glob("*.safetensors")) else ("model.safetensors",)
        return Found(id, str(folder), "eyes" if kind == "dinov2" else "", weights)
    return Found(id, str(folder), "base model", tuple(missing_files(folder)))


def download(id: str, report: Callable[[str], None] = lambda _line: None) -> Path:
    """Fetch a model from the Hugging Face hub into the user's models folder, going on where an earlier try
    stopped. Safetensors only. Raises :class:`UserError`."""
    report(f"Fetching {id} into {models_dir() / id}")
    try:
        snapshot_download(
            id,
            local_dir=models_dir() / id,
            allow_patterns=["*.json", "*.txt", "*.safetensors"],
            ignore_patterns=["safety_checker/*", "*.non_ema.*", "v1-5-*", "*.fp16.safetensors", "*pruned*"],
        )
    except Exception as error:
        raise UserError(
            f"The model {id} could not be fetched: {type(error).__name__}.",
            "Check the name and the connection; what was fetched is kept and continued next time.",
        ) from error
    return models_dir() / id


def _require_base(folder: Path) -> None:
    if (folder / "model_index.json").is_file():
        kind = _read_json(folder / "model_index.json").get("_class_name")
        if kind != "StableDiffusionPipeline":
            raise UserError(
                f"{folder.name} is a {kind}; only Stable Diffusion 1.x base models can be used.",
                "Choose a diffusers folder whose model_index.json says StableDiffusionPipeline.",
            )
    lacking = missing_files(folder)
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise UserError(f"The base model in {folder} lacks {lacking[0]}{more}.", "Get the model again.")


def _variant(folder: Path) -> str | None:
    """ "fp16" when that is the only form of the UNet in the folder."""
    files = list((folder / "unet").glob("*.safetensors"))
    return "fp16" if files and all(".fp16." in file.name for file in files) else None


def _unreadable(folder: Path, error: Exception) -> UserError:
    reason = str(error).strip().splitlines()
    return UserError(
        f"The model in {folder} cannot be read: {reason[0] if reason else type(error).__name__}", "Get the model again."
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path.parent, error) from error
    return document if isinstance(document, dict) else {}


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _best_precision(device: torch.device) -> torch.dtype:
    if device.type == "cpu":
        return torch.float32
    return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float16


def _memory(device: torch.device) -> tuple[int, int]:
    """Free and total bytes."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)
    memory = psutil.virtual_memory()
    return memory.available, memory.total


def _count(shape: list[int]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


def _gigabytes(size: int) -> str:
    return f"{size / 2**30:.1f} GB"
