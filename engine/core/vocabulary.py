"""The named parts and codes of one kind of thing."""

from __future__ import annotations

import difflib
import unicodedata
from dataclasses import dataclass
from typing import Final

ABSENT: Final = -1
"""The code of a part that is not visible."""


@dataclass(frozen=True, slots=True)
class Part:
    """A named slot of a vocabulary.

    ``index`` is its row in the codebook (0..M-1); ``colour`` is ``#rrggbb``; a
    ``background`` part exists in the codebook but is never offered for picking.
    """

    index: int
    name: str
    colour: str
    background: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A part with a code, how strongly it is meant, and where it came from.

    ``strength`` scales the token's difference from the part's mean token: 1 is the token as
    learned, 0 is "some head", values up to 2 exaggerate. ``source`` is the id of the
    reference the part was picked from, or empty.
    """

    part: int
    code: int
    strength: float = 1.0
    source: str = ""


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().strip()


def _is_number(text: str) -> bool:
    """Whether a text is a number that a part or a code could have."""
    return text.isascii() and text.isdigit() and len(text) < 10


@dataclass(frozen=True)
class Vocabulary:
    """Parts, how many codes each has, and what the codes are called.

    ``code_names[m][k]`` is the name of code k of part m; an empty name means the number is the
    name. Raises ``ValueError`` on construction if indices, counts or names do not fit together.
    """

    noun: str
    parts: tuple[Part, ...]
    codes_per_part: int
    code_names: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        if [part.index for part in self.parts] != list(range(len(self.parts))):
            raise ValueError("part indices must be 0..M-1 in order")
        names = [_folded(part.name) for part in self.parts]
        if len(set(names)) != len(names) or not all(names):
            raise ValueError("part names must be distinct and not empty")
        if self.codes_per_part < 1:
            raise ValueError("a part needs at least one code")
        if self.code_names and len(self.code_names) != len(self.parts):
            raise ValueError("code_names needs one row for each part")
        if any(len(row) not in (0, self.codes_per_part) for row in self.code_names):
            raise ValueError("a row of code_names needs one name for each code")

    @property
    def visible_parts(self) -> tuple[Part, ...]:
        """The parts a person can pick: all but the background."""
        return tuple(part for part in self.parts if not part.background)

    def code_name(self, part: int, code: int) -> str:
        """The name of a code, or its number as text. ``ABSENT`` is "absent"."""
        if code == ABSENT:
            return "absent"
        row = self.code_names[part] if self.code_names else ()
        return (row[code] if row else "") or str(code)

    def find_part(self, text: str) -> Part | None:
        """The part with that name (case and width folded) or index, or None."""
        folded = _folded(text)
        for part in self.parts:
            if _folded(part.name) == folded:
                return part
        if _is_number(folded) and int(folded) < len(self.parts):
            return self.parts[int(folded)]
        return None

    def find_code(self, part: int, text: str) -> int | None:
        """The code of that part with that name or number, or None. A name wins over a number."""
        folded = _folded(text)
        row = self.code_names[part] if self.code_names else ()
        for code, name in enumerate(row):
            if name and _folded(name) == folded:
                return code
        if _is_number(folded) and int(folded) < self.codes_per_part:
            return int(folded)
        return None

    def nearest_parts(self, text: str, count: int = 3) -> list[str]:
        """Names of the parts most like a misspelt one, best first; all if none is alike."""
        names = [part.name for part in self.visible_parts]
        return difflib.get_close_matches(text, names, count, 0.5) or names[:count]

    def nearest_codes(self, part: int, text: str, count: int = 3) -> list[str]:
        """Names of the codes most like a misspelt one, best first, or the range of numbers."""
        names = [name for name in (self.code_names[part] if self.code_names else ()) if name]
        return difflib.get_close_matches(text, names, count, 0.5) or [
            *names[:count],
            f"0 to {self.codes_per_part - 1}",
        ]
