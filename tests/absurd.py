"""Documents with one absurd value somewhere: well-formed, and not what anybody means."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

VALUES: tuple[Any, ...] = (
    "~nosuchuser/x", "a" * 5000, 10**400, -(10**400), -1, 10**9, True, None, [], {}, 1e308, float("nan"), float("inf"),
    "\0", "\ud83d", "../../x", "/dev/zero", "", [[]], {"a": {}}, 3.5, 0, "7",
)  # fmt: skip
DEEP = "[" * 10_000 + "]" * 10_000
"""Nested so deeply that Python's own reader gives up."""

Place = tuple[str | int, ...]


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Where in a document values are: the document itself, and in each list the first and the last."""
    yield at
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*at, key))
    elif isinstance(value, list) and value:
        for index in sorted({0, len(value) - 1}):
            yield from places(value[index], (*at, index))


def spoilt(document: Any, at: Place, value: Any) -> Any:
    """A copy of a document with another value at a place."""
    if not at:
        return value
    document = copy.deepcopy(document)
    inner = document
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return document


def spoilings(document: Any) -> list[tuple[Place, str]]:
    """Each place of a document with JSON that has an absurd value there."""
    made: list[tuple[Place, str]] = []
    for at in places(document):
        made += [(at, json.dumps(spoilt(document, at, value))) for value in VALUES]
        made.append((at, json.dumps(spoilt(document, at, "DEEP")).replace('"DEEP"', DEEP)))
    return made
