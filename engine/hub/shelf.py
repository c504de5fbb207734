"""What there is to choose from: the models on this computer with what they take, those fetched by half, those proposed.
Told from small files and headers alone, without a request and without torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open

from engine.core.atomic_files import plain_file, read_json
from engine.core.model_places import PIPELINES, added_folders, is_unfinished, model_candidates, model_ids
from engine.core.on_disk import files_below, files_like, is_file, size_of
from engine.core.paths import models_dir
from engine.hub.catalogue import CATALOGUE, CatalogueModel, catalogue_model
from engine.hub.records import Unfinished, license_of, unfinished_fetches
from engine.hub.single_files import single_files

LORA_FILE: Final = "pytorch_lora_weights.safetensors"
_EYES: Final = ("dinov2", "dinov2_with_registers", "dinov3_vit", "vit")
_WORK: Final = 1.25
"""How much more memory drawing takes than the weights."""


@dataclass(frozen=True)
class ShelfModel:
    """A model on this computer: its id (or path), kind, folder, bytes on disk, and the bytes of memory that its weights
    take in full precision, its licence (empty: not known). ``known``: what the catalogue says of it.
    ``single_file``: ``folder`` is a file, which cannot be used yet."""

    id: str
    kind: str
    folder: str
    size: int
    memory: int
    license: str = ""
    known: CatalogueModel | None = None
    single_file: bool = False


@dataclass(frozen=True)
class Shelf:
    """Models that are here, fetches that wait to be gone on with, models that can be fetched, folders that were
    added, and the bytes of memory that this computer has."""

    here: tuple[ShelfModel, ...]
    unfinished: tuple[Unfinished, ...]
    proposed: tuple[CatalogueModel, ...]
    folders: tuple[str, ...]
    memory: int


def look_at_shelf() -> Shelf:
    """See which models there are now. Reads the disk."""
    import psutil  # the window starts without it

    begun = unfinished_fetches()  # before the others: one that ends meanwhile is in one of the two lists
    by_folder = {model.folder: model for id in _ids() if (model := _model(id))}  # by its name rather than by its path
    models = [*by_folder.values(), *_single_files(set(by_folder))]
    here, still = {model.id for model in models}, {one.id for one in unfinished_fetches()}
    unfinished = [one for one in begun if one.id not in here or one.id in still]
    taken = here | {one.id for one in unfinished}
    proposed = tuple(model for model in CATALOGUE if model.id not in taken)
    folders = tuple(map(str, added_folders()))
    return Shelf(tuple(models), tuple(unfinished), proposed, folders, psutil.virtual_memory().total)


def memory_needed(model: CatalogueModel | ShelfModel) -> int:
    """About how many bytes of memory a model takes on a processor, where half precision becomes full."""
    if isinstance(model, ShelfModel):
        return round(model.memory * _WORK)
    return round(model.size * _WORK * (2 if model.kind in ("base model", "few-step LoRA") else 1))


def _ids() -> Iterator[str]:
    """Also what has no config, which is found by the catalogue's names only."""
    ids = model_ids()
    yield from ids
    yield from (model.id for model in CATALOGUE if model.id not in ids and model_candidates(model.id))


def _model(id: str) -> ShelfModel | None:
    folder = next(iter(model_candidates(id)), None)
    if folder is None or is_unfinished(folder) or not (kind := _kind(folder)):
        return None
    files = [file for file in files_below(folder) if ".cache" not in file.relative_to(folder).parts]
    memory = sum(map(_memory, _loaded(folder)))
    known = catalogue_model(id)
    license = license_of(folder) or (known.license if known else "")
    return ShelfModel(id, kind, str(folder), sum(map(size_of, files)), memory, license, known)


def _single_files(folders: set[str]) -> Iterator[ShelfModel]:
    """Models in one file, but for those in the folders of models that are listed already."""
    for root in dict.fromkeys([models_dir(), *added_folders()]):
        for file, kind in single_files(root):
            if str(file.parent.resolve()) not in folders:
                yield ShelfModel(str(file), kind, str(file), size_of(file), 0, single_file=True)


def _kind(folder: Path) -> str:
    if is_file(folder / "model_index.json"):
        return "base model" if read_json(folder / "model_index.json").get("_class_name", "") in ("", *PIPELINES) else ""
    described = read_json(folder / "config.json")
    if described.get("model_type") in _EYES:
        return "eyes"
    if is_file(folder / LORA_FILE):
        return "few-step LoRA"
    return {"UNet2DConditionModel": "UNet", "AutoencoderTiny": "tiny autoencoder", "AutoencoderKL": "autoencoder"}.get(
        str(described.get("_class_name")), ""
    )


def _loaded(folder: Path) -> Iterator[Path]:
    """The files of weights that are loaded: the full ones, else the half ones."""
    places = [folder]
    if is_file(folder / "model_index.json"):
        pipeline = str(read_json(folder / "model_index.json").get("_class_name"))
        places = [folder / name for name in PIPELINES.get(pipeline, PIPELINES["StableDiffusionPipeline"])]
    for place in places:
        stems = ("model", "diffusion_pytorch_model", "pytorch_lora_weights")
        named = [file for file in files_like(place, "*.safetensors") if file.name.startswith(stems)]
        named = [file for file in named if ".non_ema" not in file.name]
        full = [file for file in named if ".fp16" not in file.name]
        yield from full or named


def _memory(file: Path) -> int:
    try:
        with safe_open(plain_file(file), "np") as opened:
            return 4 * sum(math.prod(opened.get_slice(name).get_shape()) for name in opened.keys())  # noqa: SIM118
    except (SafetensorError, OSError, ValueError):  # what is wrong with it, `models check` says
        return 0
