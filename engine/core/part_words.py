"""Choices as plain words of other programs: ``head-Cardinal`` for <head:Cardinal>.

A1111 takes anything like ``<head:Cardinal>`` for a network it does not have; a word it shows, and knows where the
pack's embeddings were given to it (:mod:`engine.exchange.textual_inversion` names them so). A strength is written as
A1111 and ComfyUI write emphasis: ``(head-Cardinal:0.8)``. What is beyond a vocabulary is ``part_2-code_16``.
"""

from __future__ import annotations

import re
from typing import Final

from engine.core.recipe import Prompt
from engine.core.vocabulary import Choice, Vocabulary

_NUMBERED: Final = "part_{}-code_{}"
_WORD: Final = re.compile(r"\((?P<weighted>[\w-]+):(?P<strength>[0-9.e-]+)\)|(?<![\w-])(?P<plain>[\w-]+)")
_NETWORK: Final = re.compile(r"<(?=[^<>:]+:)")


def part_words(vocabulary: Vocabulary) -> dict[tuple[int, int], str]:
    """A word for each (part, code), no two alike, even where capitals are not told; those of parts that a person can
    pick are found first."""
    words: dict[tuple[int, int], str] = {}
    taken: set[str] = set()
    for part in sorted(vocabulary.parts, key=lambda part: part.background):
        for code in range(vocabulary.codes_per_part):
            word = part_word(part.name, vocabulary.code_name(part.index, code))
            if word.casefold() in taken:  # two names that differ in signs, or in capitals, only
                word = f"{word}-{part.index}-{code}"
            taken.add(word.casefold())
            words[part.index, code] = word
    return words


def part_word(part: str, code: str) -> str:
    """A word for a part's code that is a file's name everywhere and that tokenizers keep whole: ``head-red_crest``."""
    return re.sub(r"[^\w-]+", "_", f"{part}-{code}").strip("_")


def to_part_words(prompt: Prompt, vocabulary: Vocabulary | None = None) -> str:
    """A prompt for other programs. Plain words stay, but for a space where they would be read as a
    network, or run together with a choice."""
    words = part_words(vocabulary) if vocabulary else {}

    def word_of(choice: Choice) -> str:
        word = words.get((choice.part, choice.code)) or _NUMBERED.format(choice.part, choice.code)
        return word if choice.strength == 1 else f"({word}:{choice.strength!r})"

    text = ""
    after_choice = False
    for piece in prompt:
        written_piece = _NETWORK.sub("< ", piece) if isinstance(piece, str) else word_of(piece)
        is_choice = not isinstance(piece, str)
        glued = (after_choice or is_choice) and re.search(r"[\w-]$", text) and re.match(r"[\w-]", written_piece)
        text += f" {written_piece}" if glued else written_piece
        after_choice = is_choice
    return text


def from_part_words(text: str, vocabulary: Vocabulary | None = None) -> Prompt:
    """The prompt that :func:`to_part_words` wrote; a code may be its number, too. Words that are no choice stay
    plain words."""
    choices = {word.casefold(): place for place, word in part_words(vocabulary).items()} if vocabulary else {}
    if vocabulary:
        for part, code in list(choices.values()):
            choices.setdefault(part_word(vocabulary.parts[part].name, str(code)).casefold(), (part, code))
    pieces: list[str | Choice] = []
    at = 0
    for match in _WORD.finditer(text):
        word = match["weighted"] or match["plain"]
        place = choices.get(word.casefold())
        if place is None and (numbers := re.fullmatch(r"part_(\d{1,9})-code_(\d{1,9})", word)):
            place = int(numbers[1]), int(numbers[2])
        strength = _strength(match["strength"])
        if place is None or strength is None:
            continue
        pieces += [text[at : match.start()], Choice(*place, strength)]
        at = match.end()
    return tuple(piece for piece in (*pieces, text[at:]) if piece)


def _strength(text: str | None) -> float | None:
    if text is None:
        return 1.0
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 2 else None
