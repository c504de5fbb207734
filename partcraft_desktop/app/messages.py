"""What is said in the status bar: a sentence, a next step, maybe a button."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from engine.core.errors import UserError


def reason(error: BaseException) -> str:
    """What the system says, as a sentence."""
    text = (error.strerror if isinstance(error, OSError) else str(error)) or "the system does not say why"
    return text[:1].upper() + text[1:].rstrip(".") + "."


def sentence_of(error: Exception, otherwise: str) -> Message:
    if isinstance(error, UserError):
        return Message(error.message, error.hint, "error")
    return Message(otherwise, reason(error), "error")


@dataclass(frozen=True)
class Action:
    """A next step a person can take with one press: what the button says and what it does."""

    label: str
    run: Callable[[], object]


@dataclass(frozen=True)
class Message:
    """One sentence for the status strip, a next step, and maybe a button for it."""

    text: str
    hint: str = ""
    kind: Literal["info", "warning", "error"] = "info"
    action: Action | None = None
    details: str = ""
