"""Models: found by id, checked, loaded when asked for, and kept within a memory budget."""

from __future__ import annotations

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
from diffusers import (
    DPMSolverMultistepScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.utils import logging as diffusers_logging
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError, safe_open
from transformers import Dinov2Config, Dinov2Model
from transformers.utils import logging as transformers_logging

from engine.core.errors import UserError
from engine.core.paths import models_dir, resources_dir
from engine.models.base_models import (
    can_be_used,
    components_of,
    describe,
    few_steps,
    is_sdxl,
    missing_files,
    read_json,
    require_base,
    unet_folder,
    unreadable,
    variant_of,
)
from engine.models.conditioning import check_words_alike, encoders_of
from engine.models.lora import load_lora, merge_lora
from engine.packs.pack import LORA, BaseModel, Pack
from engine.runs.run import RUN_WORD
from engine.worker.dispatch import out_of_memory
from engine.worker.hosts import HOST_WORD

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)

PRECISIONS: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_SINGLE_FILES: Final = ("v1-*", "v2-*", "512-*", "768-*", "sd_*", "sdxl*", "*pruned*")
"""Whole base models in one file, as they lie beside their own folders on the hub."""
_HEADROOM: Final = 1.3
"""Memory asked for before loading: weights times this, for what rendering needs beside them."""

Pipeline = StableDiffusionPipeline | StableDiffusionXLPipeline

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

    def pipeline(self, base: str, lora: Path | None = None, unet: str = "") -> Pipeline:
        """The stock pipeline of a base model, with a pack's LoRA merged into its UNet (or the one of ``unet``).

        It draws with DPM-Solver++, or with its own kind of schedule where it was distilled for that. Merged, a LoRA
        costs nothing while rendering; another pack's pipeline is loaded afresh, so that what one pack renders never
        depends on which was open before. Raises :class:`UserError`.
        """
        folder, other = resolve(base), _other_unet(unet)
        key = ("pipeline", folder, lora, lora.stat().st_mtime_ns if lora and lora.is_file() else 0, other)
        size = _bytes_of(folder, other) * self.precision.itemsize // 4
        return self.keep(key, lambda: self._load_pipeline(folder, other, lora, self.precision), size)

    def pipeline_of(self, pack: Pack) -> Pipeline:
        """The pipeline a pack renders with. Raises :class:`UserError` if the base model does not fit the pack."""
        base, lora = pack.base_model, pack.path / LORA
        require_base(resolve(base.id), _other_unet(base.unet))
        widths = base_model_of(base.id).widths
        if base.widths and base.widths != widths:
            wanted, found = (" and ".join(map(str, each)) for each in (base.widths, widths))
            raise UserError(
                f"The base model {base.id} does not fit the pack {pack.title}: "
                f"its words are {found} wide, the pack's {wanted}.",
                "Use the base model the pack was trained for.",
            )
        return self.pipeline(base.id, lora if lora.is_file() else None, base.unet)

    def own_pipeline(self, base: str, unet: str = "", precision: str = "auto") -> Pipeline:
        """A base model to change (training), shared with nobody; the others are let go of for its sake.

        ``precision`` is "float32", "bfloat16", "float16" or "auto": half only where it keeps the range of small
        gradients. Raises :class:`UserError`.
        """
        self.forget()
        folder, other = resolve(base), _other_unet(unet)
        kind = torch.float32 if self.precision is torch.float16 else self.precision
        kind = PRECISIONS.get(precision, kind)
        self._make_room(_bytes_of(folder, other) * kind.itemsize // 4)
        return self._load_pipeline(folder, other, None, kind)

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

    def _load_pipeline(self, folder: Path, unet: Path | None, lora: Path | None, precision: torch.dtype) -> Pipeline:
        require_base(folder, unet)
        difference = load_lora(lora) if lora else {}  # read first: it is small, and may be damaged
        pieces: dict[str, Any] = {} if is_sdxl(folder) else {"safety_checker": None, "requires_safety_checker": False}
        kind: Any = StableDiffusionXLPipeline if is_sdxl(folder) else StableDiffusionPipeline
        here: dict[str, Any] = {"dtype": precision, "use_safetensors": True, "local_files_only": True}
        try:
            with warnings.catch_warnings():
                # It asks users to mend the scheduler's file; our scheduler is set right below.
                warnings.simplefilter("ignore", FutureWarning)
                if unet:
                    pieces["unet"] = UNet2DConditionModel.from_pretrained(
                        unet, torch_dtype=precision, variant=variant_of(unet), use_safetensors=True
                    )
                pipeline = kind.from_pretrained(
                    folder,
                    variant=variant_of(folder / ("text_encoder" if unet else "unet")),
                    feature_extractor=None,
                    image_encoder=None,
                    **pieces,
                    **here,
                )
        except Exception as error:  # libraries refuse damaged files in many ways
            if out_of_memory(error):
                raise
            raise unreadable(folder, error) from error
        if not few_steps(read_json(folder / "scheduler" / "scheduler_config.json")):
            pipeline.scheduler = DPMSolverMultistepScheduler.from_config(
                pipeline.scheduler.config, algorithm_type="dpmsolver++", solver_order=2, final_sigmas_type="zero"
            )
        pipeline.set_progress_bar_config(disable=True)
        check_words_alike(encoders_of(pipeline))
        merge_lora(pipeline.unet, difference)
        pipeline.to(self.device)
        for component in components_of(folder):
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
            raise unreadable(folder, error) from error
        mean, std = IMAGENET_MEAN, IMAGENET_STD
        preparation = folder / "preprocessor_config.json"
        if preparation.is_file():
            document = read_json(preparation)
            mean, std = tuple(document.get("image_mean", mean)), tuple(document.get("image_std", std))
        model.requires_grad_(False).eval().to(self.device)
        return Eyes(model, int(model.config.patch_size), mean, std)


def open_models() -> Models:
    """The models of a host. In the window's child processes one core is left to the window, which keeps it smooth;
    processes of one launch share the cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = cores - 1 if {HOST_WORD, RUN_WORD} & set(sys.argv) else cores
    torch.set_num_threads(max(1, cores // max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))))
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
    if id and places[0].is_file():
        raise UserError(
            f"{places[0].name} is a single file; a model is a folder here.",
            "Convert it to a diffusers folder, or choose the folder of a model.",
        )
    try:
        return Path(snapshot_download(id, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError, ValueError) as error:
        raise UserError(
            f"The model {id or '(no name)'} is not on this computer.",
            "Reinstall the app."
            if id.startswith("starter/")
            else f"Put its folder at {models_dir() / id}, or run: partcraft models download {id}",
        ) from error


def base_model_of(base: str, unet: str = "") -> BaseModel:
    """What a pack says of the base model it belongs to. Raises :class:`UserError` if it is nowhere."""
    return describe(resolve(base), base, _other_unet(unet), unet)


def weights_of(folder: Path) -> dict[str, int]:
    """Bytes each safetensors file of a model takes as float32: for a base model, the files that are loaded, for folders
    on the hub hold more. Raises :class:`UserError` for a damaged file."""
    base = (folder / "model_index.json").is_file()
    sizes = {}
    for place in [folder / name for name in components_of(folder)] if base else [folder]:
        half = variant_of(place) is not None
        for file in sorted(place.glob("*.safetensors")):
            if half != (".fp16." in file.name):
                continue
            try:
                with safe_open(file, "pt") as opened:
                    count = sum(_count(opened.get_slice(name).get_shape()) for name in opened.keys())  # noqa: SIM118  not a mapping
            except (SafetensorError, OSError) as error:
                raise unreadable(folder, error) from error
            sizes[file.relative_to(folder).as_posix()] = 4 * count
    return sizes


@dataclass(frozen=True)
class Found:
    """A model on this computer: its id, folder, kind ("base model", "eyes" or "UNet") and what it lacks."""

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
    nowhere. ``kind`` is empty for a folder that is none of these."""
    folder = resolve(id)
    if (folder / "config.json").is_file():
        described = read_json(folder / "config.json")
        unet = described.get("_class_name") == "UNet2DConditionModel"
        kind = "UNet" if unet else "eyes" if described.get("model_type") == "dinov2" else ""
        weights = "diffusion_pytorch_model.safetensors" if unet else "model.safetensors"
        return Found(id, str(folder), kind, () if any(folder.glob("*.safetensors")) else (weights,))
    if not can_be_used(folder):
        return Found(id, str(folder), "")
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
            ignore_patterns=["safety_checker/*", "*.non_ema.*", "*.fp16.safetensors", *_SINGLE_FILES],
        )
    except Exception as error:
        raise UserError(
            f"The model {id} could not be fetched: {type(error).__name__}.",
            "Check the name and the connection; what was fetched is kept and continued next time.",
        ) from error
    return models_dir() / id


def _other_unet(id: str) -> Path | None:
    return unet_folder(resolve(id)) if id else None


def _bytes_of(folder: Path, unet: Path | None) -> int:
    """What a base model takes as float32, with another UNet in place of its own."""
    sizes = weights_of(folder)
    if unet is None:
        return sum(sizes.values())
    return sum(size for name, size in sizes.items() if not name.startswith("unet/")) + sum(weights_of(unet).values())


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
