"""A creation in a few words: what it is made of, and when it was made."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from engine.core.recipe import Creation
from engine.core.vocabulary import Vocabulary
from engine.packs.pack import Pack
from partcraft_desktop.widgets.receipt_chips import code_name
from partcraft_desktop.widgets.text import amount

_UNITS: Final = ((86400, "day"), (3600, "hour"), (60, "minute"))


def vocabulary_of(creation: Creation, packs: Iterable[Pack]) -> Vocabulary | None:
    """The vocabulary a creation was made with; None if its pack is not here."""
    return next((pack.vocabulary for pack in packs if pack.id == creation.recipe.pack), None)


def creation_title(creation: Creation, vocabulary: Vocabulary | None) -> str:
    """Whose parts it has, each named once: "Dove, Fairywren"."""
    names = [code_name(vocabulary, choice.part, choice.code) for choice in creation.recipe.choices]
    return ", ".join(dict.fromkeys(names)) or "Creation"


def creation_caption(creation: Creation, vocabulary: Vocabulary | None, now: datetime) -> str:
    """What it is, its seed and when it was made: "Dove, Fairywren · seed 123 · 2 minutes ago"."""
    pieces = [creation_title(creation, vocabulary), f"seed {creation.recipe.seed}", time_ago(creation.created, now)]
    return " · ".join(piece for piece in pieces if piece)


def time_ago(created: str, now: datetime) -> str:
    """How long ago an ISO time was, "" where it is none: "just now", "2 minutes ago", "3 days ago", then the date."""
    try:
        then = datetime.fromisoformat(created)
    except ValueError:
        return ""
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    seconds = max(0, round((now - then).total_seconds()))
    if seconds >= 30 * 86400:
        return then.astimezone().date().isoformat()
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{amount(seconds // length, unit)} ago"
    return "just now"
