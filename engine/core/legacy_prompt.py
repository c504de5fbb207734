"""Prompts in the forms of the original program, read only when asked for by name.

Where its answer is sensible we give the same; the table of where ours
differs is in ``tests/engine/core/test_legacy_prompt.py``.
Text is stripped at both ends, as it did.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Literal

from engine.core.prompt import no_such_code, no_such_part
from engine.core.recipe import Prompt
from engine.core.vocabulary import Choice, Vocabulary

Form = Literal["bare", "bracketed", "app"]
"""``bare``: ``0:16 1:16`` as words of their own. ``bracketed``: ``<0:16>``. ``app``: ``<head:17>`` as its web page had
it, with the names of parts and codes counted from 1."""

FORMS: Final[tuple[Form, ...]] = ("bare", "bracketed", "app")

_BARE: Final = re.compile(r"(?:(?<=\s)|(?<=^)|(?<=[(\[]))(\d+):(\d+)(?=[.,;!?)\]]*(?:\s|$))")
_BRACKETED: Final = re.compile(r"<(\d+):(\d+)>")
_APP: Final = re.compile(r"<([^<>:]*[^<>:\s][^<>:]*):(\d+)>")


def parse_legacy(text: str, vocabulary: Vocabulary, form: Form) -> Prompt:
    """Words and choices of a prompt of the original program.

    In the bare form, numbers that cannot be a part and its code stay plain words (``12:30``). In the others a part or
    code that the vocabulary does not have raises :class:`UserError` naming the nearest.
    """
    pattern, read_choice = _READERS[form]
    pieces: list[str | Choice] = []
    words, at = "", 0
    text = text.strip()
    for match in pattern.finditer(text):
        choice = read_choice(match, vocabulary)
        if choice is None:
            continue
        words += text[at : match.start()]
        at = match.end()
        if words:
            pieces.append(words)
        words = ""
        pieces.append(choice)
    if rest := words + text[at:]:
        pieces.append(rest)
    return tuple(pieces)


def _read_bare(match: re.Match[str], vocabulary: Vocabulary) -> Choice | None:
    part, code = int(match[1]), int(match[2])
    fits = part < len(vocabulary.parts) and code < vocabulary.codes_per_part
    return Choice(part, code) if fits else None


def _read_bracketed(match: re.Match[str], vocabulary: Vocabulary) -> Choice:
    part, code = int(match[1]), int(match[2])
    if part >= len(vocabulary.parts):
        raise no_such_part(match[1], vocabulary)
    if code >= vocabulary.codes_per_part:
        raise no_such_code(match[2], vocabulary.parts[part], vocabulary)
    return Choice(part, code)


def _read_app(match: re.Match[str], vocabulary: Vocabulary) -> Choice:
    name = match[1].strip()
    part = None if name.isdigit() else vocabulary.find_part(name)
    if part is None:
        raise no_such_part(name, vocabulary)
    code = int(match[2]) - 1
    if not 0 <= code < vocabulary.codes_per_part:
        raise no_such_code(match[2], part, vocabulary)
    return Choice(part.index, code)


_READERS: Final[dict[Form, tuple[re.Pattern[str], Callable[[re.Match[str], Vocabulary], Choice | None]]]] = {
    "bare": (_BARE, _read_bare),
    "bracketed": (_BRACKETED, _read_bracketed),
    "app": (_APP, _read_app),
}
