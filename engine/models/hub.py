"""Models on disk: found by id, listed, checked, fetched from the Hugging Face hub when asked."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError, safe_open

from engine.core.errors import UserError
from engine.core.paths import bundled_models_dir, local_model_folder, models_dir, resources_dir
from engine.models.base_models import (
    base_model_in,
    components_of,
    is_sdxl,
    is_text_to_image,
    missing_files,
    require_base,
    require_json,
    text_widths,
    unet_folder,
    unreadable,
    variant_of,
)
from engine.models.dino_families import FAMILIES
from engine.models.dinov2_wheel import EYES, is_whole
from engine.packs.pack import LORA, BaseModel, Pack

_SINGLE_FILES: Final = ("v1-*", "v2-*", "512-*", "768-*", "sd_*", "sdxl*", "*pruned*")
"""Whole base models in one file, as they lie beside their own folders on the hub."""


def model_folder(id: str) -> Path:
    """The folder of a model id.

    In this order: "starter/..." in the bundled resources, a folder's path, the user's models folder, the local
    Hugging Face cache, the models that came with the app. Raises :class:`UserError` that says where to put it when it
    is nowhere.
    """
    if (folder := find_model_folder(id)) is not None:
        return folder
    if id and _is_file(id):
        raise UserError(
            f"{Path(id).name} is a single file; a model is a folder here.",
            "Convert it to a diffusers folder, or choose the folder of a model.",
        )
    if id.startswith("starter/"):
        hint = "Reinstall the app."
    elif id == EYES:
        hint = "Run: partcraft eyes get"
    else:
        hint = f"Put its folder at {models_dir() / id}, or run: partcraft models download {id}"
    raise UserError(f"The model {id or '(no name)'} is not on this computer.", hint)


def find_model_folder(id: str) -> Path | None:
    """As :func:`model_folder`, but None when it is nowhere. Where a model came with the app, a copy of one's own goes
    before it only if that is whole."""
    folder = local_model_folder(id)
    came_with_app = (bundled_models_dir() / id).resolve() if id == EYES else None
    if folder is not None and folder != came_with_app and (came_with_app is None or is_whole(folder)):
        return folder
    cached = None
    try:
        cached = Path(snapshot_download(id, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError, ValueError):
        if came_with_app is None:
            return None
    if cached is not None and (came_with_app is None or is_whole(cached)):
        return cached
    return came_with_app if came_with_app is not None and is_whole(came_with_app) else folder or cached


def _is_file(id: str) -> bool:
    try:
        return Path(id).expanduser().is_file()
    except (OSError, RuntimeError):
        return False


def base_model_entry(base: str, unet: str = "") -> BaseModel:
    """What a pack says of the base model it belongs to. Raises :class:`UserError` if it is nowhere."""
    return base_model_in(model_folder(base), base, _other_unet_folder(unet), unet)


@dataclass(frozen=True)
class PackModels:
    """What a pack renders with, found on this computer and checked once: the base model's folder, the folder of another
    UNet in place of its own, the pack's LoRA (None: none of these), and whether the layout is SDXL's."""

    folder: Path
    unet: Path | None
    lora: Path | None
    sdxl: bool


def find_models(base: str, unet: str = "", lora: Path | None = None) -> PackModels:
    """Find a base model by id, and another UNet for it, and see that they are whole and fit. Raises
    :class:`UserError`."""
    folder, other = model_folder(base), _other_unet_folder(unet)
    require_base(folder, other)
    return PackModels(folder, other, lora, is_sdxl(folder))


def models_of_pack(pack: Pack) -> PackModels:
    """Find what a pack renders with. Raises :class:`UserError`, also if its base model is not as it was."""
    base, lora = pack.base_model, pack.path / LORA
    models = find_models(base.id, base.unet, lora if lora.is_file() else None)
    widths = text_widths(models.folder)
    if base.widths and base.widths != widths:
        expected, actual = (" and ".join(map(str, numbers)) for numbers in (base.widths, widths))
        raise UserError(
            f"The base model {base.id} does not fit the pack {pack.title}: "
            f"its words are {actual} wide, the pack's {expected}.",
            "Use the base model the pack was trained for.",
        )
    return models


def weight_bytes(folder: Path) -> dict[str, int]:
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
                    count = sum(math.prod(opened.get_slice(name).get_shape()) for name in opened.keys())  # noqa: SIM118  not a mapping
            except (SafetensorError, OSError) as error:
                raise unreadable(folder, error) from error
            sizes[file.relative_to(folder).as_posix()] = 4 * count
    return sizes


@dataclass(frozen=True)
class LocalModel:
    """A model on this computer: its id, folder, kind ("base model", "eyes" or "UNet") and what it lacks."""

    id: str
    folder: str
    kind: str
    missing: tuple[str, ...] = ()


def list_models() -> list[LocalModel]:
    """The models in the bundled resources and in the user's models folder, each id once: as it is found."""
    models: list[LocalModel] = []
    for root, prefix in ((resources_dir() / "starter", "starter/"), (models_dir(), ""), (bundled_models_dir(), "")):
        configs = [*root.rglob("model_index.json"), *root.rglob("config.json")]
        for config in sorted(configs):
            place = config.parent.relative_to(root)
            id = prefix + place.as_posix()
            if any(name.startswith(".") for name in place.parts) or any(model.id == id for model in models):
                continue  # half written, or seen in another place
            if config.name == "model_index.json" or not (config.parent.parent / "model_index.json").is_file():
                checked = check_model(id)
                if checked.kind:
                    models.append(checked)
    return models


def check_model(id: str) -> LocalModel:
    """Which kind of model an id is and what it lacks, without loading it. Raises :class:`UserError` if it is
    nowhere. ``kind`` is empty for a folder that is none of these."""
    folder = model_folder(id)
    if (folder / "config.json").is_file():
        described = require_json(folder / "config.json")
        unet = described.get("_class_name") == "UNet2DConditionModel"
        kind = "UNet" if unet else "eyes" if described.get("model_type") in FAMILIES else ""
        weights = "diffusion_pytorch_model.safetensors" if unet else "model.safetensors"
        return LocalModel(id, str(folder), kind, () if any(folder.glob("*.safetensors")) else (weights,))
    if not is_text_to_image(folder):
        return LocalModel(id, str(folder), "")
    return LocalModel(id, str(folder), "base model", tuple(missing_files(folder)))


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


def model_bytes(models: PackModels) -> int:
    """What a pack's models take as float32. A LoRA takes nothing: it is merged."""
    sizes = weight_bytes(models.folder)
    if models.unet is None:
        return sum(sizes.values())
    own = sum(size for name, size in sizes.items() if not name.startswith("unet/"))
    return own + sum(weight_bytes(models.unet).values())


def _other_unet_folder(id: str) -> Path | None:
    return unet_folder(model_folder(id)) if id else None
