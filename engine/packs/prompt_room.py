"""Prompt room: how many word pieces and parts a base model reads, and how many a prompt has.

Told from the tokenizer's files alone, so that the window can ask: it counts as the engine will.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from engine.core.atomic_files import plain_file, read_text
from engine.core.json_values import read_document
from engine.core.on_disk import status_of
from engine.core.recipe import Prompt
from engine.core.unicode_text import unicode_text
from engine.core.vocabulary import Choice
from engine.packs.base_sizes import model_document, model_file
from engine.packs.known_words import KnownWords, known_words_of
from engine.packs.pack import BaseModel

_USUAL_LENGTH: Final = 77
_ENDS: Final = 2
"""The start and the end, which take room too."""
_QUOTED: Final = 24
_WORDS: Final = r"""<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""
"""Where CLIP parts words before it looks for their pieces (Radford et al., arXiv 2103.00020)."""


@dataclass(frozen=True, eq=False)
class PromptRoom:
    """A base model's tokenizer (of the package tokenizers), how many word pieces and parts it reads, and which words it
    was taught (None: it does not say)."""

    room: int
    tokenizer: Any
    known: KnownWords | None = None

    def taken(self, prompt: Prompt) -> int:
        """How many word pieces and parts a prompt has."""
        return sum(1 if isinstance(piece, Choice) else len(self._pieces(piece).ids) for piece in prompt)

    def cut_at(self, prompt: Prompt) -> str | None:
        """The words from which on a prompt is not read; empty if that begins at a part, None if all is read."""
        left = self.room
        for piece in prompt:
            if isinstance(piece, Choice):
                if left < 1:
                    return ""
                left -= 1
                continue
            encoded = self._pieces(piece)
            if len(encoded.ids) > left:
                return unicode_text(piece)[encoded.offsets[left][0] :].strip()
            left -= len(encoded.ids)
        return None

    def _pieces(self, text: str) -> Any:
        return self.tokenizer.encode(unicode_text(text), add_special_tokens=False)


def prompt_warning(room: PromptRoom | None, prompt: Prompt) -> str:
    """What is to be said of a prompt that the base model does not read to its end; empty if it does, or if that is not
    known. Parts that are cut off are an error in the end, words are not."""
    cut = room.cut_at(prompt) if room else None
    if room is None or cut is None:
        return ""
    words = cut if len(cut) <= _QUOTED else f"{cut[:_QUOTED].rstrip()}…"
    where = f"it stops before “{words}”" if words else "not all of its parts fit"
    return f"This model reads {room.room} word pieces and parts, the prompt has {room.taken(prompt)}: {where}."


def room_of(base: BaseModel) -> PromptRoom | None:
    """The room of the base model a pack belongs to; None if it is not on this computer, or its tokenizer cannot be
    read. Reads files."""
    whole = model_file(base.id, "tokenizer/tokenizer.json")
    words, merges = (model_file(base.id, f"tokenizer/{name}") for name in ("vocab.json", "merges.txt"))
    places = [whole] if whole else [words, merges] if words and merges else []
    try:
        stamped = tuple((place, status.st_mtime_ns) for place in places if place and (status := status_of(place)))
        tokenizer = _opened(stamped) if stamped else None
    except Exception:  # noqa: BLE001 - the library raises nothing finer; what is wrong is told by who loads the model
        return None
    length = model_document(base.id, "text_encoder/config.json").get("max_position_embeddings")
    length = length if type(length) is int and _ENDS < length <= 100_000 else _USUAL_LENGTH
    return None if tokenizer is None else PromptRoom(length - _ENDS, tokenizer, known_words_of(base))


@lru_cache(maxsize=2)
def _opened(stamped: tuple[tuple[Path, int], ...]) -> Any:
    """A tokenizer from its one file or its two; the stamps are there to notice that they were written again."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    first = stamped[0][0]
    if len(stamped) == 1:
        tokenizer = Tokenizer.from_str(read_text(plain_file(first)))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer
    pairs = [tuple(line.split()) for line in read_text(stamped[1][0]).splitlines() if not line.startswith("#version")]
    tokenizer = Tokenizer(
        models.BPE(
            read_document(read_text(first)), [pair for pair in pairs if len(pair) == 2],  # pyright: ignore[reportArgumentType]
            continuing_subword_prefix="", end_of_word_suffix="</w>", unk_token="<|endoftext|>",
        )
    )  # fmt: skip
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )  # pyright: ignore[reportAttributeAccessIssue]
    return tokenizer
