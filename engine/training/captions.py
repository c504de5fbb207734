"""Captions: a sentence for a picture, from the codes of its parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.core.vocabulary import ABSENT, Choice, Vocabulary
from engine.models.text_encoding import TokenizedPrompt, tokenize_prompt

OWN_TEMPLATE = "a photo of a {} {noun}"
"""How the app itself asks; half of the captions say it so."""

TEMPLATES = (
    "a picture of a {} {noun}",
    "a drawing of a {} {noun}",
    "an image of the {} {noun}",
    "a close view of a {} {noun}",
    "a good photo of the {} {noun}",
    "the {} {noun}",
    "a {} {noun}",
    "{}",
)


class Captions:
    """Draws a sentence for a picture from its own codes.

    Order shuffled; half in the app's own words, half in a random template; each part left out with probability
    ``dropout`` (never all); the empty sentence with probability ``empty``. A part that is not visible is not said.
    With ``paper`` the words are the paper's: half "a photo of a {}", half the parts alone.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        tokenizer: Any,
        length: int = 77,
        *,
        dropout: float = 0.1,
        empty: float = 0.1,
        paper: bool = False,
    ) -> None:
        self.parts = [part.index for part in vocabulary.parts if paper or not part.background]
        self.tokenizer = _RememberingTokenizer(tokenizer)
        self.length = length
        self.dropout = dropout
        self.empty = empty
        own, others = ("a photo of a {}", ("{}",)) if paper else (OWN_TEMPLATE, TEMPLATES)
        self.own = words_around(own, vocabulary.noun)
        self.others = [words_around(template, vocabulary.noun) for template in others]

    def draw(self, codes: Sequence[int], generator: np.random.Generator) -> TokenizedPrompt:
        """A sentence for one picture with these codes (M)."""
        visible = [part for part in self.parts if codes[part] != ABSENT]
        if not visible or generator.random() < self.empty:
            return tokenize_prompt(("",), self.tokenizer, self.length)
        chosen = [part for part in visible if generator.random() >= self.dropout]
        chosen = chosen or [visible[generator.integers(len(visible))]]
        chosen = [chosen[index] for index in generator.permutation(len(chosen))]
        before, after = self.own if generator.random() < 0.5 else self.others[generator.integers(len(self.others))]
        choices = [Choice(part, int(codes[part])) for part in chosen]
        return tokenize_prompt((before, *choices, after), self.tokenizer, self.length)


def words_around(template: str, noun: str) -> tuple[str, str]:
    """What a template says before and after the parts. The noun is a person's word and may hold braces itself."""
    before, after = template.split("{}")
    return before.replace("{noun}", noun), after.replace("{noun}", noun)


class _RememberingTokenizer:
    """A tokenizer that remembers words it has met: captions repeat a few templates thousands of times."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, Any] = {}
        self.bos_token_id = tokenizer.bos_token_id
        self.eos_token_id = tokenizer.eos_token_id
        self.pad_token_id = tokenizer.pad_token_id

    def __call__(self, text: str, **options: Any) -> Any:
        if text not in self._known:
            self._known[text] = self._tokenizer(text, **options)
        return self._known[text]
