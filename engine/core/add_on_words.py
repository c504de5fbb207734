"""The words of embeddings in prompts: a file's name without its suffix says its vectors, wherever it stands.

Capitals are not told, and ComfyUI's way of writing (``embedding:word``) is understood. An embedding whose word stands
nowhere is said at the end of the prompt, or of the negative one where its weight is below 0: it is never left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import chain

from engine.core.add_on import EMBEDDING, AddOn, working
from engine.core.recipe import Prompt, Recipe


def word_pattern(words: Iterable[str]) -> re.Pattern[str] | None:
    """What finds words of embeddings in a text, the longest first; group 1 is the word. None without words."""
    found = sorted({word for word in words if word}, key=len, reverse=True)
    if not found:
        return None
    return re.compile(rf"(?<![\w-])(?:embedding:)?({'|'.join(map(re.escape, found))})(?![\w-])", re.IGNORECASE)


def with_all_words(recipe: Recipe) -> Recipe:
    """A recipe that says each of its embeddings; those that make no difference (weight 0) are not said."""
    embeddings = working(recipe.add_ons, EMBEDDING)
    pattern = word_pattern(add_on.word for add_on in embeddings)
    if pattern is None:
        return recipe
    texts = [piece for piece in recipe.prompt if isinstance(piece, str)]
    said = {match[1].casefold() for text in (*texts, recipe.negative) for match in pattern.finditer(text)}
    for add_on in embeddings:
        if add_on.word.casefold() in said:
            continue
        if add_on.weight < 0:
            recipe = replace(recipe, negative=_joined(recipe.negative, add_on.word))
        else:
            recipe = replace(recipe, prompt=_with_word(recipe.prompt, add_on.word))
    return recipe


def rewritten(text: str, add_ons: Iterable[AddOn], write: Callable[[AddOn], str]) -> str:
    """A text with each embedding's word written another way; those that make no difference stay plain words."""
    by_word = {add_on.word.casefold(): add_on for add_on in working(add_ons, EMBEDDING)}
    pattern = word_pattern(chain(by_word))
    return pattern.sub(lambda match: write(by_word[match[1].casefold()]), text) if pattern else text


def _with_word(prompt: Prompt, word: str) -> Prompt:
    if prompt and isinstance(prompt[-1], str):
        return (*prompt[:-1], _joined(prompt[-1], word))
    return (*prompt, f", {word}" if prompt else word)


def _joined(text: str, word: str) -> str:
    text = text.rstrip()
    return f"{text}{' ' if text.endswith(',') else ', '}{word}" if text else word
