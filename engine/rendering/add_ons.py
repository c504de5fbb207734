"""A recipe's add-ons opened: files found, LoRAs and embeddings read for a base model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.core.add_on import EMBEDDING, LORA, AddOn, working
from engine.core.add_on_places import find_add_on, missing_add_on
from engine.core.errors import UserError
from engine.core.on_disk import status_of
from engine.models.add_on_embedding import read_embedding
from engine.models.add_on_lora import AddOnLora, read_add_on_lora
from engine.models.conditioning import encoders_of
from engine.models.loader import Models
from engine.models.text_encoding import WordVectors


@dataclass(frozen=True)
class _LoraKey:
    path: Path
    changed_ns: int
    widths: tuple[int, ...]


@dataclass(frozen=True)
class OpenAddOns:
    """LoRAs with their weights, and embeddings with theirs in them."""

    loras: tuple[tuple[AddOnLora, float], ...] = ()
    embeddings: tuple[WordVectors, ...] = ()


def find_add_ons(add_ons: Sequence[AddOn]) -> dict[AddOn, Path]:
    """Where the add-ons that make a difference are. Raises :class:`UserError` for the first that is nowhere, or of a
    kind that only a newer version knows."""
    for add_on in add_ons:
        if add_on.kind not in (LORA, EMBEDDING):
            raise UserError(
                f"“{add_on.name}” is a {add_on.kind[:40]}, which this version does not know.",
                "Get a newer version, or take it off to render without it.",
            )
    found: dict[AddOn, Path] = {}
    for add_on in (*working(add_ons, LORA), *working(add_ons, EMBEDDING)):
        path = find_add_on(add_on)
        if path is None:
            raise missing_add_on(add_on)
        found[add_on] = path
    return found


def open_add_ons(models: Models, pipeline: Any, files: Mapping[AddOn, Path]) -> OpenAddOns:
    """Read add-ons for a pipeline. LoRAs are kept in the cache of models. Raises :class:`UserError` for a file that is
    damaged or made for another base model."""
    widths = tuple(encoder.width for encoder in encoders_of(pipeline))
    loras = tuple(
        (_cached(models, path, widths), add_on.weight) for add_on, path in files.items() if add_on.kind == LORA
    )
    embeddings = tuple(
        read_embedding(path, add_on.word, widths).times(abs(add_on.weight))
        for add_on, path in files.items()
        if add_on.kind == EMBEDDING
    )
    return OpenAddOns(loras, embeddings)


def _cached(models: Models, path: Path, widths: tuple[int, ...]) -> AddOnLora:
    status = status_of(path)
    key = _LoraKey(path, status.st_mtime_ns if status else 0, widths)
    return models.cache.get(key, lambda: read_add_on_lora(path, widths), status.st_size if status else 0)
