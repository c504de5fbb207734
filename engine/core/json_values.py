"""Values from JSON that somebody else wrote."""

from __future__ import annotations

import json
import math
from typing import Any, Final

DEEPEST: Final = 100
"""How many lists and objects may lie in each other: what can just be read could not be written from every place."""


def read_document(text: str) -> Any:
    """The values of a JSON text. Raises ``ValueError`` for what is not JSON, or nested deeper than :data:`DEEPEST`."""
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    level: list[Any] = [document]
    for _ in range(DEEPEST + 1):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return document
    raise ValueError("nested too deeply")


def json_bytes(document: Any, indent: int | None = None) -> bytes:
    """A document as JSON in UTF-8, indented ones with a line break at the end. Text that is no Unicode (file names of
    another encoding, half an emoji) is escaped, and :func:`read_document` reads back what it was."""
    text = json.dumps(document, ensure_ascii=False, indent=indent) + ("" if indent is None else "\n")
    return text.encode("utf-8", "backslashreplace")


def _inside(value: Any) -> list[Any]:
    """The lists and objects directly in a value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [one for one in inner if isinstance(one, dict | list)]


def number_from(value: Any) -> int | float | None:
    """A number that a person wrote: also as text, "12" or "7,5". None for anything else, as in
    :func:`finite_number`."""
    if isinstance(value, str):
        text = value.strip().replace(",", ".")
        try:
            value = int(text) if text.removeprefix("-").isdecimal() else float(text)
        except ValueError:  # no number, or one of thousands of digits
            return None
    return value if finite_number(value) is not None else None


def finite_number(value: Any) -> float | None:
    """A number that a float can hold; None for anything else: true and false, NaN, infinity, integers of 400 digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
