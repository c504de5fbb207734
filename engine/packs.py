"""Packs: a vocabulary with its codebook, tokens, LoRA and references in one folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.vocabulary import Vocabulary


@dataclass(frozen=True)
class Backbone:
    """The eyes a codebook was made with.

    ``feature_layer`` is "last_hidden_state" (after the final norm) or a hidden-state index;
    ``image_size`` is the side in pixels the picture is scaled to, ``patch`` the patch's side.
    ``sees`` is "drawings" or "photos".
    """

    id: str
    feature_layer: str = "last_hidden_state"
    image_size: int = 256
    patch: int = 8
    sees: str = "drawings"


@dataclass(frozen=True)
class BaseModel:
    """The diffusers folder a pack's tokens and LoRA belong to; ``widths`` are the text encoders'."""

    id: str
    revision: str = ""
    widths: tuple[int, ...] = ()


@dataclass(frozen=True)
class Reference:
    """A picture parts are taken from. Paths are absolute; ``labels`` is an 8-bit PNG of a Segmentation's
    labels at the picture's size (so that hovering needs no engine); ``codes`` has one code a part."""

    id: str
    title: str
    image: str
    thumbnail: str
    labels: str
    codes: tuple[int, ...]


@dataclass(frozen=True)
class Pack:
    """What ``pack.json`` says. Arrays are loaded when asked for (``codebook()``)."""

    path: Path
    id: str
    title: str
    vocabulary: Vocabulary
    backbone: Backbone
    base_model: BaseModel
    references: tuple[Reference, ...] = ()
    licence: str = ""
    provenance: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
