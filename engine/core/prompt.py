"""The prompt language: plain words with choices among them, read strictly and written so that it reads back.

::

    a photo of a <head:Cardinal> <wing:3> bird        names or numbers of parts and codes
    a photo of a <2:16*0.8> bird                      with a strength from 0 to 2
    <head:great crested \\*star\\*>                     names may hold anything; ``\\`` escapes < > : * # and itself
    <head:#3>                                         surely the number, should another code be *named* 3
    \\<head:3>                                         plain words, not a choice

Everything of the form ``<part:code>`` is a choice, and a mistake in it is told. Everything else stays plain words:
``12:30``, ``16:9``, ``<b>``, ``a < b``. The original program's forms are read by :mod:`engine.core.legacy_prompt` only.
"""

from __future__ import annotations

import re
from typing import Final

from engine.core.errors import UserError
from engine.core.recipe import Prompt
from engine.core.vocabulary import Choice, Part, Vocabulary

_LONGEST_QUOTE: Final = 60
_PIECE: Final = re.compile(
    r"""
    \\ (?P<escaped> [\\<] )                                     # in words, only these two need escaping
    | < (?! \s* : ) (?P<part> (?: \\. | [^\\<>:*\n] )+ )
      : (?P<code> (?: \\. | [^\\<>*\n] )* )
      (?: \* (?P<strength> [^<>\n]* ) )? >
    """,
    re.VERBOSE | re.DOTALL,
)


def parse(text: str, vocabulary: Vocabulary, like: Prompt = ()) -> Prompt:
    """Words and choices of a prompt.

    Choices that ``like`` (the prompt before an edit) has too keep their ``source``. Raises :class:`UserError` for an
    unknown part, a code that the part does not have, or a strength outside 0..2, naming what would be right.
    """
    sources = {(piece.part, piece.code): piece.source for piece in like if isinstance(piece, Choice)}
    pieces: list[str | Choice] = []
    words: list[str] = []
    at = 0
    for match in _PIECE.finditer(text):
        words.append(text[at : match.start()])
        at = match.end()
        if match["escaped"]:
            words.append(match["escaped"])
        else:
            if literal := "".join(words):
                pieces.append(literal)
            words = []
            pieces.append(_choice(match, vocabulary, sources))
    words.append(text[at:])
    if literal := "".join(words):
        pieces.append(literal)
    return tuple(pieces)


def to_text(prompt: Prompt, vocabulary: Vocabulary | None = None) -> str:
    """The text of a prompt, with names where the vocabulary has them; ``parse(to_text(p, v), v)`` is ``p``, save for
    the sources of its choices. Choices outside the vocabulary, or without one, are written as numbers."""
    return "".join(
        _escape_words(piece) if isinstance(piece, str) else choice_text(piece, vocabulary) for piece in prompt
    )


def choice_text(choice: Choice, vocabulary: Vocabulary | None = None) -> str:
    """One choice as it is written in a prompt: ``<head:Cardinal>`` or ``<2:16*0.8>``."""
    part, code = str(choice.part), str(choice.code)
    if vocabulary and 0 <= choice.part < len(vocabulary.parts):
        part = _word(vocabulary.parts[choice.part].name)
        if 0 <= choice.code < vocabulary.codes_per_part:
            name = vocabulary.code_name(choice.part, choice.code)
            if not name.strip() or vocabulary.find_code(choice.part, name) != choice.code:  # another has this name
                name = str(choice.code)
                code = name if vocabulary.find_code(choice.part, name) == choice.code else f"#{name}"
            else:
                code = _word(name)
    strength = "" if choice.strength == 1 else f"*{choice.strength!r}"
    return f"<{part}:{code}{strength}>"


def no_such_part(word: str, vocabulary: Vocabulary) -> UserError:
    """The error for an unknown part, naming the nearest ones."""
    nearest = _nearest(vocabulary.nearest_parts(word))
    return UserError(f"There is no part called “{_short(word)}”.", nearest)


def no_such_code(word: str, part: Part, vocabulary: Vocabulary) -> UserError:
    """The error for a code that a part does not have, naming the nearest ones and the range of numbers."""
    nearest = vocabulary.nearest_codes(part.index, word)
    if not word:
        return UserError(f"Which {part.name}?", f"For example {_either(nearest)}.")
    name, _, strength = (piece.strip() for piece in word.rpartition(":"))
    if name and re.fullmatch(r"[0-9.,]+", strength):
        hint = f"A strength follows a star: <{part.name}:{_short(name)}*{strength.replace(',', '.')}>."
    else:
        hint = _nearest(nearest)
    return UserError(f"There is no {part.name} called “{_short(word)}”.", hint)


def _choice(match: re.Match[str], vocabulary: Vocabulary, sources: dict[tuple[int, int], str]) -> Choice:
    part_word, code_word = match["part"].strip(), match["code"].strip()
    number = _number(part_word)
    part = vocabulary.find_part(_plain(part_word)) if number is None else vocabulary.parts[number : number + 1]
    if isinstance(part, tuple):
        part = part[0] if part else None
    if part is None:
        error = no_such_part(_plain(part_word), vocabulary)
        raise UserError(error.message, f"{error.hint} Write \\< for a plain <.")
    number = _number(code_word)
    code = vocabulary.find_code(part.index, _plain(code_word)) if number is None else number
    if code is None or code >= vocabulary.codes_per_part:
        raise no_such_code(_plain(code_word), part, vocabulary)
    source = sources.get((part.index, code), "")
    return Choice(part.index, code, _strength(match["strength"], part.name), source)


def _strength(text: str | None, part: str) -> float:
    if text is None:
        return 1.0
    try:
        value = float(text) if text.isascii() and "_" not in text else -1.0
    except ValueError:
        value = -1.0
    if not 0 <= value <= 2:
        raise UserError(f"“{_short(text)}” is not a strength for {part}.", "Write a number from 0 to 2, such as 0.8.")
    return value


def _number(word: str) -> int | None:
    """The number of ``#3``, else None."""
    match = re.fullmatch(r"#([0-9]{1,9})", word)
    return int(match[1]) if match else None


def _word(name: str) -> str:
    name = re.sub(r"([\\<>:*\n])", r"\\\1", name.strip())
    return f"\\{name}" if name.startswith("#") else name


def _plain(word: str) -> str:
    return re.sub(r"(?s)\\(.)", r"\1", word)


def _escape_words(words: str) -> str:
    words = words.replace("\\", "\\\\")
    reads_as_choice = any(match["part"] for match in _PIECE.finditer(words))
    return words.replace("<", "\\<") if reads_as_choice else words


def _short(word: str) -> str:
    """A word as a sentence can quote it."""
    return word if len(word) <= _LONGEST_QUOTE else f"{word[: _LONGEST_QUOTE - 1]}…"


def _nearest(names: list[str]) -> str:
    return f"The nearest {'is' if len(names) == 1 else 'are'} {_either(names)}."


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
