"""Known words: what a base model was taught, where it says so in a file of its own.

Stable Diffusion knows nearly all words and says nothing; the starter was taught about a hundred, and whatever else
is written changes its pictures at random. Words are told apart, never blocked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from engine.core.add_on_words import word_pattern
from engine.core.recipe import Prompt, Recipe
from engine.packs.base_sizes import model_document
from engine.packs.pack import BaseModel

KNOWN_WORDS: Final = "known_words.json"
"""In a base model's folder: ``name`` ("The starter"), ``paints`` ("birds") and ``words``, in small letters."""

_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_CHOICE: Final = re.compile(r"<[^<>]*:[^<>]*>")
_JOINING: Final = frozenset({
    "a", "an", "the", "this", "that", "these", "those", "its", "it", "is", "are", "be", "of", "on", "in", "at", "to",
    "by", "for", "from", "with", "without", "and", "or", "not", "no", "but", "as",
})  # fmt: skip
"""Words that say nothing alone, so that nobody misses them."""
_MOST_NAMED: Final = 4


@dataclass(frozen=True)
class KnownWords:
    """The words that a base model called ``name`` was taught; it paints ``paints`` only."""

    name: str
    paints: str
    words: frozenset[str]

    def unknown(self, text: str, others: Iterable[str] = ()) -> tuple[str, ...]:
        """The words of a text that it was not taught, each once, in order; several of a known thing are known.
        ``others`` are known all the same: those of embeddings."""
        pattern = word_pattern(others)
        text = pattern.sub(" ", text) if pattern else text
        words = (word.lower() for word in _WORD.findall(text))
        return tuple(dict.fromkeys(word for word in words if word not in _JOINING and not self._knows(word)))

    def _knows(self, word: str) -> bool:
        stem = re.sub(r"['’]s$", "", word)
        return not self.words.isdisjoint((stem, stem.removesuffix("s"), stem.removesuffix("es"), f"{stem}s"))


def known_words_of(base: BaseModel) -> KnownWords | None:
    """What a base model was taught; None if it does not say. Reads files."""
    document = model_document(base.id, KNOWN_WORDS)
    name, paints, words = (document.get(key) for key in ("name", "paints", "words"))
    if not (isinstance(name, str) and isinstance(paints, str) and isinstance(words, list) and words):
        return None
    return KnownWords(name, paints, frozenset(word.lower() for word in words if isinstance(word, str)))


def known_words_document(name: str, paints: str, words: Collection[str]) -> dict[str, Any]:
    """The JSON document of a base model's :data:`KNOWN_WORDS`."""
    return {"name": name, "paints": paints, "words": sorted(words)}


def unknown_words_notes(known: KnownWords | None, recipe: Recipe) -> tuple[str, ...]:
    """Sentences about the words of a recipe's prompt and negative prompt that its base model does not know; none where
    it knows all, or where that is not known."""
    if known is None:
        return ()
    others = [add_on.word for add_on in recipe.add_ons]
    said = known.unknown(_words_of(recipe.prompt), others)
    avoided = known.unknown(_CHOICE.sub(" ", recipe.negative), others)
    notes = []
    if said:
        notes.append(f"{known.name} paints {known.paints} only: it does not know {_listed(said)}.")
    if avoided:
        notes.append(f"{known.name} does not know {_listed(avoided)} in the negative prompt.")
    return tuple(notes)


def _words_of(prompt: Prompt) -> str:
    return " ".join(piece for piece in prompt if isinstance(piece, str))


def _listed(words: tuple[str, ...]) -> str:
    quoted = [f"“{word}”" for word in words[:_MOST_NAMED]]
    more = len(words) - len(quoted)
    return ", ".join(quoted) + (f" and {more} more" if more else "")
