"""Where models lie on this computer beside the app's own folders: the Hugging Face cache, and folders of other programs
that a person added. Nothing there is ever moved or changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from huggingface_hub import constants

from engine.core.atomic_files import make_folder, read_json, read_text, write_bytes
from engine.core.errors import UserError
from engine.core.json_values import json_bytes
from engine.core.on_disk import entries_of, files_below, files_like, is_file, is_folder, resolved, status_of
from engine.core.paths import bundled_models_dir, data_dir, local_model_folder, models_dir, resources_dir

PIPELINES: Final[Mapping[str, tuple[str, ...]]] = {
    "StableDiffusionPipeline": ("unet", "vae", "text_encoder"),
    "LatentConsistencyModelPipeline": ("unet", "vae", "text_encoder"),
    "StableDiffusionXLPipeline": ("unet", "vae", "text_encoder", "text_encoder_2"),
}
"""The models of each pipeline that can be used. ``engine/models/base_models.py`` opens the same; a test sees to it."""

UNFINISHED: Final = Path(".cache") / "partcraft" / "unfinished.json"
"""In a model's folder for as long as not all of it was fetched."""


def model_candidates(id: str) -> list[Path]:
    """The folders that may be meant by a model's id, in the order in which they are taken: a folder's path or the
    user's models folder, the Hugging Face cache, added folders, what came with the app, and last what was fetched by
    half. Some may lack files."""
    here = local_model_folder(id)
    bundled = resolved(bundled_models_dir() / id)
    own = [] if here is None or here == bundled else [here]
    others = [place for place in [*cached_folders(id), *_in_added_folders(id)] if _has_weights(place)]
    candidates = [*own, *map(resolved, others), *([bundled] if here is not None and is_folder(bundled) else [])]
    return list(dict.fromkeys(sorted(candidates, key=is_unfinished)))


def id_of_folder(folder: Path) -> str:
    """The id by which a model's folder is found wherever this app runs: below the models folder, in the Hugging Face
    cache, among what came with the app, or as OWNER/NAME below an added folder. Empty where it has a path only."""
    place = resolved(folder)
    for root, prefix in ((resources_dir() / "starter", "starter/"), *((root, "") for root in _roots())):
        if place != resolved(root) and place.is_relative_to(resolved(root)):
            id = prefix + place.relative_to(resolved(root)).as_posix()
            if place in model_candidates(id):
                return id
    return next((id for id in cached_ids() if place in map(resolved, cached_folders(id))), "")


def _roots() -> list[Path]:
    return [models_dir(), bundled_models_dir(), *added_folders()]


def is_unfinished(folder: Path) -> bool:
    """Whether a model's folder was begun to be fetched and is not whole yet."""
    return is_file(folder / UNFINISHED)


def model_ids() -> list[str]:
    """Ids of what may be a model in the bundled resources, the models folder, the Hugging Face cache, what came with
    the app and the added folders (there: paths), each once. What is fetched by half is among them."""
    ids = [*_ids_below(resources_dir() / "starter", "starter/"), *_ids_below(models_dir())]
    ids += [*cached_ids(), *_ids_below(bundled_models_dir())]
    ids += [str(root / id) for root in added_folders() for id in _ids_below(root)]
    return list(dict.fromkeys(ids))


def base_model_ids() -> list[str]:
    """Ids of the base models in the models folder, the Hugging Face cache and the added folders (there: paths) that are
    of a kind that can be used, by their small files alone."""
    found = [(place.relative_to(models_dir()).as_posix(), place) for place in pipeline_folders(models_dir())]
    cached = [(id, place) for id in cached_ids() for place in cached_folders(id)[:1]]
    found += [(id, place) for id, place in cached if is_file(place / "model_index.json") and _has_weights(place)]
    found += [(str(place), place) for root in added_folders() for place in pipeline_folders(root)]
    return [id for id, place in found if _is_usable(place)]


def pipeline_folders(root: Path) -> list[Path]:
    """The folders below a folder that describe a pipeline of diffusers; links to folders are followed."""
    indexes = files_below(root, "model_index.json", follow=True)
    return [index.parent for index in indexes if not any(part.startswith(".") for part in _below(index, root))]


def hub_cache_home(id: str) -> Path | None:
    """Where the Hugging Face cache keeps a model; None for what is no id of the hub. It need not be there."""
    parts = id.split("/")
    if not 1 <= len(parts) <= 2 or any(part in ("", ".", "..") or set(part) & set("\\:\0~") for part in parts):
        return None
    return Path(constants.HF_HUB_CACHE) / "--".join(["models", *parts])


def cached_folders(id: str) -> list[Path]:
    """The snapshots of a model in the Hugging Face cache: that of its main branch first, then the newest. They may lack
    files: whoever fetched them had asked for some only."""
    home = hub_cache_home(id)
    if home is None:
        return []
    try:
        main = read_text(home / "refs" / "main").strip()
    except (OSError, ValueError):
        main = ""
    snapshots = [place for place in entries_of(home / "snapshots") if is_folder(place)]
    return sorted(snapshots, key=lambda place: (place.name != main, -_age(place)))


def cached_ids() -> list[str]:
    """Ids of the models of which the Hugging Face cache has anything."""
    names = [place.name for place in entries_of(constants.HF_HUB_CACHE) if is_folder(place / "snapshots")]
    return [name.removeprefix("models--").replace("--", "/") for name in names if name.startswith("models--")]


def added_folders() -> list[Path]:
    """Folders of other programs (ComfyUI, A1111, InvokeAI, ...) that a person added, in that order."""
    listed = _document().get("folders")
    return [Path(one) for one in listed if isinstance(one, str) and one] if isinstance(listed, list) else []


def add_folder(folder: Path) -> None:
    """Look for models in a folder, too, from now on. Raises :class:`UserError`."""
    if not is_folder(folder):
        raise UserError(f"{folder} is no folder that can be read.", "Choose the folder in which models lie.")
    _write(dict.fromkeys([*added_folders(), resolved(folder)]))


def remove_folder(folder: Path) -> None:
    """Look no longer for models in a folder that was added. Nothing in it is touched. Raises :class:`UserError`."""
    left = [one for one in added_folders() if one not in (folder, resolved(folder))]
    if len(left) == len(added_folders()):
        raise UserError(f"{folder} was not added.", "See: partcraft models folders")
    _write(left)


def _places_file() -> Path:
    return data_dir() / "model_folders.json"


def _document() -> dict[str, Any]:
    return read_json(_places_file())


def _write(folders: Any) -> None:
    make_folder(data_dir(), "the list of folders")
    write_bytes(_places_file(), json_bytes({"folders": [str(folder) for folder in folders]}), "the list of folders")


def _in_added_folders(id: str) -> list[Path]:
    if Path(id).is_absolute():  # a folder that was moved, under its name
        name = Path(id).name
        places = [root if root.name == name else root / name for root in [models_dir(), *added_folders()]]
        return [place for place in places if is_folder(place)]
    if hub_cache_home(id) is None:
        return []
    return [place for root in added_folders() if is_folder(place := root / id)]


def _ids_below(root: Path, prefix: str = "") -> Iterator[str]:
    configs = [file for name in ("model_index.json", "config.json") for file in files_below(root, name, follow=True)]
    for config in sorted(configs):
        place = config.parent.relative_to(root)
        hidden = any(name.startswith(".") for name in place.parts)
        if not hidden and (config.name == "model_index.json" or not is_file(config.parent.parent / "model_index.json")):
            yield prefix + place.as_posix()


def _is_usable(folder: Path) -> bool:
    kind = read_json(folder / "model_index.json").get("_class_name", "")
    return kind in ("", *PIPELINES) and not is_unfinished(folder)


def _has_weights(folder: Path) -> bool:
    """Whether anything of a model but its description is there."""
    return any(is_file(file) for place in (folder, folder / "unet") for file in files_like(place, "*.safetensors"))


def _below(path: Path, root: Path) -> tuple[str, ...]:
    return path.relative_to(root).parts


def _age(place: Path) -> float:
    status = status_of(place)
    return status.st_mtime if status else 0.0
