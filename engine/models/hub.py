"""Models on disk: found by id, listed, checked. What is not here is fetched by :mod:`engine.hub`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from engine.core.errors import UserError
from engine.core.model_places import hub_cache_home, is_unfinished, model_candidates, model_ids
from engine.core.on_disk import is_file
from engine.core.paths import models_dir
from engine.models.base_models import (
    Others,
    base_model_in,
    component_folder,
    components_of,
    is_sdxl,
    is_text_to_image,
    missing_files,
    require_base,
    text_widths,
)
from engine.models.dino_families import FAMILIES
from engine.models.dinov2_wheel import EYES, is_whole
from engine.models.model_config import require_json
from engine.models.weight_files import PICTURE_STEM, TEXT_STEM, file_shapes, missing_weights, stem_of, weight_files
from engine.packs.pack import LORA, BaseModel, Pack


def model_folder(id: str) -> Path:
    """The folder of a model id.

    In this order: "starter/..." in the bundled resources, a folder's path, the user's models folder, the local
    Hugging Face cache, folders that were added, the models that came with the app. Raises :class:`UserError` that says
    where to put it when it is nowhere, or here by half.
    """
    if (folder := find_model_folder(id)) is not None:
        if is_unfinished(folder):
            hint = f"Run: partcraft models fetch {id} (it goes on)"
            raise UserError(f"{id} was not fetched to its end.", hint, model=id)
        return folder
    if id and _is_file(id):
        raise UserError(
            f"{Path(id).name} is a single file; a model is a folder here.",
            "Convert it to a diffusers folder, or choose the folder of a model.",
        )
    if id and hub_cache_home(id) is None:  # nothing that could be fetched
        hint = "Name the folder of a model, or a model of the hub as OWNER/NAME."
        if Path(id).is_absolute():  # it was there when a pack was made for it
            hint = "Put it back there, or add the folder in which it is now: partcraft models folders --add FOLDER"
        raise UserError(f"There is no folder {id}.", hint, model=id if Path(id).is_absolute() else "")
    if id.startswith("starter/"):
        hint = "Reinstall the app."
    elif id == EYES:
        hint = "Run: partcraft eyes get"
    else:
        hint = f"Put its folder at {models_dir() / id}, or run: partcraft models fetch {id}"
    missing = "" if id.startswith("starter/") else id
    raise UserError(f"The model {id or '(no name)'} is not on this computer.", hint, model=missing)


def find_model_folder(id: str) -> Path | None:
    """As :func:`model_folder`, but None when it is nowhere. Of several the first that lacks nothing, else the first."""
    candidates = model_candidates(id)
    if len(candidates) < 2:
        return next(iter(candidates), None)
    return next((place for place in candidates if _is_whole(place, id)), candidates[0])


def _is_whole(folder: Path, id: str) -> bool:
    if is_unfinished(folder):
        return False
    if id == EYES:
        return is_whole(folder)
    try:
        model = _describe(id, folder)
    except UserError:
        return False
    return bool(model.kind) and not model.missing


def _is_file(id: str) -> bool:
    try:
        return is_file(Path(id).expanduser())
    except (OSError, RuntimeError):
        return False


def base_model_entry(base: str, unet: str = "", vae: str = "") -> BaseModel:
    """What a pack says of the base model it belongs to. Raises :class:`UserError` if it is nowhere."""
    return base_model_in(model_folder(base), base, _others(unet, vae).get("unet"), unet, vae)


@dataclass(frozen=True)
class PackModels:
    """What a pack renders with, found on this computer and checked once: the base model's folder, the folders of the
    UNet and autoencoder in place of its own, the pack's LoRA (None: none of these), and whether the layout is SDXL's.
    """

    folder: Path
    unet: Path | None
    lora: Path | None
    sdxl: bool
    vae: Path | None = None

    def place(self, component: str) -> Path:
        """The folder of a component."""
        return {"unet": self.unet, "vae": self.vae}.get(component) or self.folder / component


def find_models(base: str, unet: str = "", lora: Path | None = None, vae: str = "") -> PackModels:
    """Find a base model by id, and another UNet or autoencoder for it, and see that they are whole and fit. Raises
    :class:`UserError`."""
    folder, others = model_folder(base), _others(unet, vae)
    require_base(folder, others)
    return PackModels(folder, others.get("unet"), lora, is_sdxl(folder), others.get("vae"))


def models_of_pack(pack: Pack) -> PackModels:
    """Find what a pack renders with. Raises :class:`UserError`, also if its base model is not as it was."""
    base, lora = pack.base_model, pack.path / LORA
    models = find_models(base.id, base.unet, lora if is_file(lora) else None, base.vae)
    widths = text_widths(models.folder)
    if base.widths and base.widths != widths:
        expected, actual = (" and ".join(map(str, numbers)) for numbers in (base.widths, widths))
        raise UserError(
            f"The base model {base.id} does not fit the pack {pack.title}: "
            f"its words are {actual} wide, the pack's {expected}.",
            "Use the base model the pack was trained for.",
        )
    return models


def weight_bytes(folder: Path, stem: str = TEXT_STEM) -> dict[str, int]:
    """Bytes each safetensors file of a model takes as float32: the files that are loaded, for folders on the hub hold
    more. ``stem`` is how those of a single model are called. Raises :class:`UserError` for a damaged file."""
    places = {folder: stem if weight_files(folder, stem).files else PICTURE_STEM}
    if is_file(folder / "model_index.json"):
        places = {folder / name: stem_of(name) for name in components_of(folder)}
    return {
        file.relative_to(folder).as_posix(): _file_bytes(file)
        for place, stem in places.items()
        for file in weight_files(place, stem).files
    }


@dataclass(frozen=True)
class LocalModel:
    """A model on this computer: its id, folder, kind ("base model", "eyes" or "UNet"; "model" where that cannot be
    read), what it lacks, and a sentence on what else is wrong with its description."""

    id: str
    folder: str
    kind: str
    missing: tuple[str, ...] = ()
    fault: str = ""


def list_models() -> list[LocalModel]:
    """The models in the bundled resources, the user's models folder, the Hugging Face cache and the folders that were
    added (by their paths), each id once: as it is found."""
    return [model for id in model_ids() if (model := _listed(id))]


def _listed(id: str) -> LocalModel | None:
    """A model for the list; None for what is none, or was not fetched to its end."""
    folder = find_model_folder(id)
    if folder is None or is_unfinished(folder):
        return None
    try:
        checked = _describe(id, folder)
    except UserError as error:
        kind = "base model" if is_file(folder / "model_index.json") else "model"
        return LocalModel(id, str(folder), kind, (), error.message)
    return checked if checked.kind else None


def check_model(id: str) -> LocalModel:
    """Which kind of model an id is and what it lacks, without loading it. Raises :class:`UserError` if it is
    nowhere. ``kind`` is empty for a folder that is none of these."""
    return _describe(id, model_folder(id))


def _describe(id: str, folder: Path) -> LocalModel:
    if is_file(folder / "config.json"):
        described = require_json(folder / "config.json")
        unet = described.get("_class_name") == "UNet2DConditionModel"
        kind = "UNet" if unet else "eyes" if described.get("model_type") in FAMILIES else ""
        return LocalModel(id, str(folder), kind, tuple(missing_weights(folder, PICTURE_STEM if unet else TEXT_STEM)))
    if not is_text_to_image(folder):
        return LocalModel(id, str(folder), "")
    return LocalModel(id, str(folder), "base model", tuple(missing_files(folder)))


def component_bytes(models: PackModels) -> dict[str, int]:
    """What each of a pack's models takes as float32, by its folder's name. A LoRA takes nothing: it is merged."""
    return {
        name: sum(_file_bytes(file) for file in weight_files(models.place(name), stem_of(name)).files)
        for name in components_of(models.folder)
    }


def _file_bytes(file: Path) -> int:
    return 4 * sum(map(math.prod, file_shapes(file).values()))


def _others(unet: str, vae: str) -> Others:
    wanted = {"unet": unet, "vae": vae}
    return {name: component_folder(model_folder(id), name) for name, id in wanted.items() if id}
