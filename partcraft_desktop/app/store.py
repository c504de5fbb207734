"""The circle every widget and verb goes through: state is replaced, one signal says so, widgets repaint from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from PySide6.QtCore import QObject, Signal

from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.messages import Action, Message, sentence_of
from partcraft_desktop.app.state import State


class Store(QObject):
    """Holds the state. ``changed``: it was replaced; ``message``: a :class:`Message` for the status strip."""

    changed = Signal()
    message = Signal(object)

    def __init__(self, readers: BackgroundReader, parent: QObject | None = None) -> None:
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
            said = sentence_of(result, otherwise)
            if failed is not None:
                failed(said)
            self.message.emit(said)

        self._readers.ask(work, landed, self)
