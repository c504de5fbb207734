"""What the page says of a model: its name, what it gives, its figures, whether this computer can run it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from engine.core.byte_sizes import byte_size
from engine.core.durations import duration
from engine.hub.catalogue import CatalogueModel, catalogue_model
from engine.hub.records import Unfinished
from engine.hub.shelf import LORA_FILE, Shelf, ShelfModel, memory_needed
from engine.hub.single_files import UNPACKABLE
from partcraft_desktop.app.model_state import FetchStatus
from partcraft_desktop.app.timings import Timings

_NEVER: Final = Timings()
_USUAL_STEPS: Final = 20
RowKind = Literal["here", "unfinished", "proposed"]

_GIVES: Final = {
    "base model": "A base model: it draws.",
    "eyes": "Eyes: they find parts in pictures.",
    "UNet": "A UNet, which can stand in for a base model’s own.",
    "few-step LoRA": "Lets its base model draw in few steps.",
    "tiny autoencoder": "Shows what is being drawn, nearly for free.",
    "autoencoder": "An autoencoder.",
}
_OWN: Final = {
    "starter/base": ("The starter’s base model", "Draws the practice birds; it came with PartCraft."),
    "starter/eyes": ("The starter’s eyes", "Find parts in drawings like the practice birds; they came with PartCraft."),
}


@dataclass(frozen=True)
class RowText:
    """A row of the page: the model's id, name, what it gives, its figures in a line, and a warning; whether
    it is a checkpoint in one file that can be made into a folder; the file of a LoRA that can be rendered with."""

    id: str
    kind: RowKind
    title: str
    gives: str
    facts: str
    warning: str = ""
    revision: str = ""
    unpackable: bool = False
    add_on: str = ""


def here_text(model: ShelfModel, memory: int, timings: Timings = _NEVER) -> RowText:
    """The row of a model on this computer, which has ``memory`` bytes and took the ``timings``."""
    if model.single_file:
        name = model.id.replace("\\", "/").rpartition("/")[2]
        gives = f"{model.kind[:1].upper()}{model.kind[1:]} in a single file."
        facts = f"{byte_size(model.size)} on disk · {model.id}"
        if model.kind in UNPACKABLE:
            return RowText(model.id, "here", name, f"{gives} The file stays as it is when it is made usable.", facts,
                           unpackable=True)  # fmt: skip
        return RowText(model.id, "here", name, gives, facts, "It cannot be used yet: models are folders here.")
    title, gives = _OWN.get(model.id, ("", ""))
    known = model.known
    title = title or (known.title if known else model.id.rpartition("/")[2] or model.id)
    facts = [f"{byte_size(model.size)} on disk"]
    if model.memory:
        facts.append(f"about {byte_size(memory_needed(model))} of memory")
    if step := timings.step_of(model.id):
        facts.append(f"{duration(_USUAL_STEPS * step)} a picture of {_USUAL_STEPS} steps here, measured")
    facts += [model.license] if model.license else []
    facts.append(model.id if not model.id.startswith("starter/") else "PartCraft")
    return RowText(
        model.id,
        "here",
        title,
        gives or (known.gives if known else _GIVES.get(model.kind, "")),
        " · ".join(facts),
        _too_large(memory_needed(model), memory),
        add_on=str(Path(model.folder) / LORA_FILE) if model.kind == "few-step LoRA" else "",
    )


def unfinished_text(fetch: Unfinished) -> RowText:
    """The row of a model that is fetched by half."""
    known = catalogue_model(fetch.id)
    facts = [f"{byte_size(fetch.here)} of {byte_size(fetch.size)} are here"]
    facts += [known.license] if known else []
    gives = known.gives if known else ""
    return RowText(fetch.id, "unfinished", known.title if known else fetch.id, gives, " · ".join([*facts, fetch.id]),
                   revision=fetch.revision)  # fmt: skip


def proposed_text(model: CatalogueModel, memory: int) -> RowText:
    """The row of a model that can be fetched."""
    facts = [f"{byte_size(model.size)} to fetch", f"about {byte_size(memory_needed(model))} of memory", model.license]
    return RowText(model.id, "proposed", model.title, model.gives, " · ".join([*facts, model.id]),
                   _too_large(memory_needed(model), memory))  # fmt: skip


def row_texts(shelf: Shelf, timings: Timings = _NEVER) -> list[tuple[str, list[RowText]]]:
    """The rows of the page by headings; a heading without rows is left out."""
    begun = {one.id for one in shelf.unfinished}  # another revision of a model that is here, maybe: one row is enough
    groups = [
        ("Fetched in part", [unfinished_text(one) for one in shelf.unfinished]),
        ("On this computer", [here_text(one, shelf.memory, timings) for one in shelf.here if one.id not in begun]),
        ("Can be fetched", [proposed_text(one, shelf.memory) for one in shelf.proposed]),
    ]
    return [(heading, rows) for heading, rows in groups if rows]


def fetch_text(fetch: FetchStatus) -> str:
    """How far a fetch is, in words."""
    if fetch.pausing:
        return "Pausing"
    if not fetch.total:
        return "Asking the hub"
    text = f"{byte_size(fetch.done)} of {byte_size(fetch.total)}"
    if fetch.resting:
        return f"{text}, waiting for the hub"
    if fetch.done >= fetch.total:
        return f"{text}, being checked"
    if fetch.speed:
        text += f", {byte_size(fetch.speed)}/s"
    return f"{text}, {duration(fetch.left)} left" if fetch.left is not None else text


def _too_large(needed: int, memory: int) -> str:
    if needed <= memory:
        return ""
    return f"This computer has {byte_size(memory)} of memory, which is too little for it."
