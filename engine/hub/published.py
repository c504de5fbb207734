"""The checkpoints that the authors of PartCraft published: what each is, what it needs, and what of that is here.

They hold weights and no words. Which part is which, which is the background and what the classes are called is known
from the authors' code (github.com/kamwoh/partcraft: the gradio demos' table of parts, ``bgm`` of the k-means notebook,
``class_names.txt``); of the 256 rows of a part's codes the first are its classes, the others were never trained.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.core.atomic_files import read_text
from engine.core.errors import UserError
from engine.core.model_places import added_folders, cached_folders, is_unfinished, model_candidates
from engine.core.on_disk import resolved
from engine.core.paths import models_dir, resources_dir
from engine.packs.original_files import original_files
from engine.packs.pack import Pack

_SD15: Final = ("stable-diffusion-v1-5/stable-diffusion-v1-5", "runwayml/stable-diffusion-v1-5")


@dataclass(frozen=True)
class PublishedPack:
    """A published checkpoint: a short name for the command line, its id on the hub and the folder in it, what people
    call it, what it gives in a sentence, the noun of what it paints, its parts by their places (an empty name: the
    authors have none for it), the place of the background, the file of its classes' names, and the bytes to fetch
    (computed from its shapes; the hub is asked before anything is fetched).

    ``base_models``: any of these, which are the same, the first of them to fetch. ``eyes``: those it was made with.
    ``license``: empty, as none was known when this was written; what the hub says is shown before it is fetched."""

    name: str
    id: str
    folder: str
    title: str
    gives: str
    noun: str
    parts: tuple[str, ...]
    background: int
    classes: str
    size: int
    base_models: tuple[str, ...] = _SD15
    eyes: str = "facebook/dinov2-base"
    license: str = ""

    @property
    def needs(self) -> tuple[str, ...]:
        """The models it takes, by their ids: itself, the base model, the eyes; those that are proposed."""
        return self.id, self.base_models[0], self.eyes


PUBLISHED: Final = (
    PublishedPack(
        "birds",
        "kamwoh/dreamcreature-sd1.5-cub200",
        "checkpoint-74900",
        "200 birds",
        "The bird species of CUB-200-2011: body, tail, head, wing and leg of each, as photographs.",
        "bird",
        ("body", "tail", "head", "", "wing", "", "leg", "background"),
        7,
        "cub200_class_names.txt",
        12_000_000,
    ),
    PublishedPack(
        "dogs",
        "kamwoh/dreamcreature-sd1.5-dog",
        "checkpoint-150000",
        "120 dogs",
        "The breeds of Stanford Dogs: eye, neck, ear, body, leg, nose and forehead of each, as photographs.",
        "dog",
        ("eye", "background", "neck", "ear", "body", "leg", "nose", "forehead"),
        1,
        "dogs_class_names.txt",
        12_000_000,
    ),
)


def published_pack(word: str) -> PublishedPack | None:
    """The published checkpoint of a short name, a title or an id of the hub; None for other words."""
    folded = word.casefold().strip()
    return next((one for one in PUBLISHED if folded in (one.name, one.title.casefold(), one.id.casefold())), None)


def published_at(place: Path) -> PublishedPack | None:
    """Which published checkpoint a folder is, by the names of its repository and its own; None if neither tells."""
    text = resolved(place).as_posix()
    for one in PUBLISHED:
        repository = one.id.rpartition("/")[2]
        if re.search(rf"(?:^|/|--){re.escape(repository)}s?(?:/|$)", text) or text.endswith(f"/{one.folder}"):
            return one
    return None


def class_names(published: PublishedPack) -> tuple[str, ...]:
    """What the classes are called, in order. Raises :class:`UserError` if the app lacks its own file."""
    try:
        lines = read_text(resources_dir() / "published" / published.classes).splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"The names of “{published.title}” are missing.", "Reinstall the app.") from error
    return tuple(line.strip() for line in lines if line.strip())


def checkpoint_folder(published: PublishedPack) -> Path | None:
    """Where its two files are on this computer, whole: in the models folder, the Hugging Face cache or an added folder;
    None if nowhere. Reads the disk."""
    for root in _places(published.id):
        if not is_unfinished(root) and original_files(root / published.folder):
            return root / published.folder
    return None


def base_model_here(published: PublishedPack) -> str:
    """The id of a base model it fits that is on this computer; empty if none is. Reads the disk."""
    return next((id for id in published.base_models if is_here(id)), "")


def is_here(id: str) -> bool:
    """Whether something of a model is on this computer that was not fetched by half. Reads the disk."""
    return any(not is_unfinished(place) for place in model_candidates(id))


def missing_models(published: PublishedPack) -> tuple[str, ...]:
    """The ids of what it needs that is not on this computer, in the order in which to fetch. Reads the disk."""
    here = (checkpoint_folder(published) is not None, bool(base_model_here(published)), is_here(published.eyes))
    return tuple(id for id, there in zip(published.needs, here, strict=True) if not there)


def source_of(pack: Pack) -> str:
    """The id on the hub of the checkpoint that a pack was read from; empty where it is of another kind."""
    source = pack.extra.get("source")
    id = source.get("id") if isinstance(source, dict) else None
    return id if isinstance(id, str) else ""


def _places(id: str) -> Iterator[Path]:
    yield models_dir() / id
    yield from cached_folders(id)
    yield from (root / id for root in added_folders())
