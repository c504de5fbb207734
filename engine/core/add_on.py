"""Add-ons: LoRAs and embeddings of others beside a pack, as a recipe keeps them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any, Final

from engine.core.json_values import finite_number, number_from

LORA: Final = "lora"
EMBEDDING: Final = "embedding"
LEAST_WEIGHT: Final = -2.0
MOST_WEIGHT: Final = 2.0
FEW_STEPS: Final = 6
"""Steps to draw with a LoRA that lets its base model draw in few, without guidance (arXiv 2311.05556: 4 to 8)."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class AddOn:
    """One add-on of a recipe.

    ``kind`` is "lora" or "embedding". ``name`` is the file's name, ``sha256`` (64 hex digits; empty: any file of that
    name) says which file it was, and ``path`` where it last was: a hint, it may have moved. ``weight`` -2..2 is how
    strongly a LoRA changes the model. An embedding's vectors are multiplied by it; below 0 an embedding is kept out: it
    belongs to the negative prompt.
    """

    kind: str
    name: str
    weight: float = 1.0
    sha256: str = ""
    path: str = ""

    @property
    def word(self) -> str:
        """What other programs call it, and what says an embedding in a prompt: the file's name without its suffix."""
        return PurePath(self.name).stem

    @property
    def noun(self) -> str:
        """What it is, for a sentence."""
        return "LoRA" if self.kind == LORA else "embedding"

    def is_same_file(self, other: AddOn) -> bool:
        """Whether another is the same file, however strong."""
        return (self.kind, self.name, self.sha256) == (other.kind, other.name, other.sha256)

    def to_document(self) -> dict[str, Any]:
        """A JSON object, read back by :meth:`from_document`."""
        return {name: value for name, value in asdict(self).items() if value != ""}

    @classmethod
    def from_document(cls, document: Any) -> AddOn | None:
        """Read what :meth:`to_document` wrote; wrong values fall back to the defaults. None for what names no file."""
        if not isinstance(document, Mapping):
            return None
        kind, name, path = (_text(document.get(key)) for key in ("kind", "name", "path"))
        sha256 = _text(document.get("sha256")).lower()
        if not kind or not (name := PurePath(name.replace("\\", "/")).name):
            return None
        weight = number_from(document.get("weight"))
        if weight is None:
            weight = 1.0
        return cls(kind, name, bounded(float(weight)), sha256 if _SHA256.fullmatch(sha256) else "", path)


def bounded(weight: float) -> float:
    """A weight moved into its range; 1 for what is no number."""
    number = finite_number(weight)
    return 1.0 if number is None else min(max(number, LEAST_WEIGHT), MOST_WEIGHT)


def add_ons_from(listed: Any) -> tuple[AddOn, ...]:
    """The add-ons of a recipe's JSON."""
    rows = listed if isinstance(listed, list) else ()
    return tuple(add_on for row in rows if (add_on := AddOn.from_document(row)))


def with_add_on(add_ons: Sequence[AddOn], new: AddOn) -> tuple[AddOn, ...]:
    """The add-ons with one more, in the place of an earlier one of that kind and name: prompts could not tell them
    apart."""

    def is_it(other: AddOn) -> bool:
        return (other.kind, other.word.casefold()) == (new.kind, new.word.casefold())

    if any(map(is_it, add_ons)):
        return tuple(new if is_it(other) else other for other in add_ons)
    return (*add_ons, new)


def is_few_step(path: PurePath) -> bool:
    """Whether a LoRA's file lets its base model draw in few steps: by its name or its folder's, for the files of
    latent consistency models say nothing else of themselves."""
    return any("lcm" in name.casefold() for name in (path.stem, path.parent.name))


def working(add_ons: Iterable[AddOn], kind: str) -> tuple[AddOn, ...]:
    """Those of a kind that make a difference: a weight of 0 is without."""
    return tuple(add_on for add_on in add_ons if add_on.kind == kind and add_on.weight)


def _text(value: Any) -> str:
    return value if isinstance(value, str) and "\0" not in value else ""
