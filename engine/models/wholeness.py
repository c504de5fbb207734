"""Whether a model on disk is whole: all that can be known without drawing with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from engine.core.errors import UserError
from engine.core.on_disk import is_file
from engine.hub.records import known_digest, records_in
from engine.hub.repository import digest_of
from engine.models.base_models import components_of, require_all_safetensors, require_base
from engine.models.components import drawing_scheduler, load_tokenizer, require_fitting_weights
from engine.models.dino_families import open_eyes
from engine.models.hub import LocalModel
from engine.models.weight_files import PICTURE_STEM, TEXT_STEM, require_safetensors, stem_of, weight_files


def require_whole(model: LocalModel) -> None:
    """See that nothing of a model is missing, that each of its files is as long as its header says, that its weights
    have the names and shapes its config describes, and, where the hub has said what is in them, that it is. Eyes are
    opened. Raises :class:`UserError` with the first fault."""
    folder = Path(model.folder)
    if model.missing:
        if model.kind == "base model":
            require_all_safetensors(folder)
        else:
            require_safetensors(folder, PICTURE_STEM if model.kind == "UNet" else TEXT_STEM)
        raise UserError(f"It lacks {', '.join(model.missing)}.", "Get the model again.")
    if model.kind == "base model":
        require_base(folder)
        for component in components_of(folder):
            require_fitting_weights(folder / component, component)
        for component in components_of(folder)[2:]:
            load_tokenizer(folder / component.replace("text_encoder", "tokenizer"))
        drawing_scheduler(folder / "scheduler")
    elif model.kind == "UNet":
        require_fitting_weights(folder, "unet")
    elif model.kind == "eyes":
        open_eyes(folder, torch.device("cpu"))
    for file in sorted({*_files(model), *_recorded_files(folder)}):
        expected = known_digest(folder, file.relative_to(folder).as_posix())
        if expected and digest_of(file, expected) != expected:
            raise UserError(
                f"The model in {folder} is damaged: {file.relative_to(folder).as_posix()} is not what the hub has.",
                "Get the model again.",
            )


def _recorded_files(folder: Path) -> Iterator[Path]:
    """The files in a folder that were fetched, descriptions and vocabularies among them."""
    return (folder / path for path in records_in(folder) if is_file(folder / path))


def _files(model: LocalModel) -> Iterator[Path]:
    folder = Path(model.folder)
    if model.kind == "base model":
        for component in components_of(folder):
            yield from weight_files(folder / component, stem_of(component)).files
    else:
        yield from weight_files(folder, PICTURE_STEM if model.kind == "UNet" else TEXT_STEM).files
