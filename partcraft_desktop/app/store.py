"""The circle every widget and verb goes through: state is replaced, one signal says so, widgets repaint from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from PySide6.QtCore import QObject, Signal

from engine.core.errors import UserError
from partcraft_desktop.app.state import Action, Message, State
from partcraft_desktop.widgets.images import Readers


class Circle(QObject):
    """Holds the state. ``changed``: it was replaced; ``message``: a :class:`Message` for the status strip."""

    changed = Signal()
    message = Signal(object)

    def __init__(self, readers: Readers, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.state = State()
        self._readers = readers
        self._closed = False

    def _replace(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)
        self.changed.emit()

    def say(
        self,
        text: str,
        hint: str = "",
        kind: Literal["info", "warning", "error"] = "info",
        action: Action | None = None,
    ) -> None:
        """Show one sentence in the status strip."""
        self.message.emit(Message(text, hint, kind, action))

    def _ask(
        self,
        work: Callable[[], Any],
        then: Callable[[Any], None],
        otherwise: str,
        failed: Callable[[Message], None] | None = None,
    ) -> None:
        """Run ``work`` off the Qt thread and ``then(result)`` on it. An error becomes one sentence
        (``otherwise`` with the system's reason, if it has none of its own) after ``failed``."""

        def landed(result: Any) -> None:
            if self._closed:
                return
            if not isinstance(result, Exception):
                then(result)
                return
            said = _sentence(result, otherwise)
            if failed is not None:
                failed(said)
            self.message.emit(said)

        self._readers.ask(work, landed, self)


def reason(error: BaseException) -> str:
    """What the system says, as a sentence."""
    said = (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
    return said[:1].upper() + said[1:].rstrip(".") + "."


def _sentence(error: Exception, otherwise: str) -> Message:
    if isinstance(error, UserError):
        return Message(error.message, error.hint, "error")
    return Message(otherwise, reason(error), "error")
