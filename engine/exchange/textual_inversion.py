"""A pack's tokens as textual inversions: a word of other programs for each (part, code)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from engine.core.atomic_files import write_whole
from engine.core.part_words import part_words
from engine.packs.pack import Pack


@dataclass(frozen=True)
class Word:
    """A word that stands for one code of one part: ``head-red_crest``."""

    text: str
    part: int
    code: int

    @property
    def file_name(self) -> str:
        """The file of its embedding: A1111 and ComfyUI take the word from there."""
        return f"{self.text}.safetensors"


def words_of(pack: Pack) -> tuple[Word, ...]:
    """A word for each code of each part of a pack, those of the background left out, as a PNG's line
    says it (:mod:`engine.core.part_words`)."""
    visible = {part.index for part in pack.vocabulary.visible_parts}
    return tuple(
        Word(text, part, code) for (part, code), text in part_words(pack.vocabulary).items() if part in visible
    )


def write_embedding(vectors: Sequence[Tensor], path: Path, header: Mapping[str, str]) -> None:
    """Write one word's vectors (W,), one for each text encoder: as ``emb_params`` (1, W) for one, for SDXL's two as
    ``clip_l`` (1, W) and ``clip_g`` (1, V). Raises :class:`UserError`."""
    names = ("emb_params",) if len(vectors) == 1 else ("clip_l", "clip_g")
    state = {name: vector[None].clone() for name, vector in zip(names, vectors, strict=True)}
    write_whole(path, lambda beside: save_file(state, beside, {"format": "pt", **header}), "the embedding")
