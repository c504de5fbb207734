"""The circle every widget and verb goes through: state is replaced, one signal says so, widgets repaint from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from PySide6.QtCore import QObject, Signal

from engine.worker.jobs import Failed
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.messages import Action, Message, sentence_of
from partcraft_desktop.app.state import State


class Store(QObject):
    """Holds the state. ``changed``: it was replaced; ``message``: a :class:`Message` for the status strip;
    ``withdrawn``: one whose action has become needless; ``model_wanted(id)``: somebody wants a model that is missing,
    or brought one (its folder's path); ``pack_offered(OfferedPack)`` and ``checkpoint_offered(Dropped)``: ask whether
    to take one in.
    """

    changed = Signal()
    message = Signal(object)
    withdrawn = Signal(object)
    model_wanted = Signal(str)
    pack_offered = Signal(object)
    checkpoint_offered = Signal(object)

    def __init__(self, readers: BackgroundReader, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.state = State()
        self._readers = readers
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the window is closed: long work off the Qt thread may stop."""
        return self._closed

    def update_state(self, **changes: Any) -> None:
        """Replace some fields of the state and say so."""
        self.state = replace(self.state, **changes)
        self.changed.emit()

    def say(
        self,
        text: str,
        hint: str = "",
        kind: Literal["info", "warning", "error"] = "info",
        action: Action | None = None,
        details: str = "",
    ) -> None:
        """Show one sentence in the status strip."""
        self.message.emit(Message(text, hint, kind, action, details))

    def message_of(self, news: Failed) -> Message:
        """A job's failure for the status strip; where a model is missing, with a button that leads to it."""
        return Message(news.message, news.hint, "error", self.way_to(news.model), news.details)

    def way_to(self, model: str) -> Action | None:
        """The button that leads to a model that is missing; None if none is."""
        label = "Find the model…" if Path(model).is_absolute() else "Get the model…"
        return Action(label, lambda: self.model_wanted.emit(model)) if model else None

    def ask(
        self,
        work: Callable[[], Any],
        then: Callable[[Any], None],
        otherwise: str,
        failed: Callable[[Message], None] | None = None,
        must_finish: bool = False,
    ) -> None:
        """Run ``work`` off the Qt thread and ``then(result)`` on it. An error becomes one sentence
        (``otherwise`` with the system's reason, if it has none of its own) after ``failed``. ``must_finish``: see
        :meth:`BackgroundReader.ask`."""

        def landed(result: Any) -> None:
            if self._closed:
                return
            if not isinstance(result, Exception):
                then(result)
                return
            sentence = sentence_of(result, otherwise)
            if failed is not None:
                failed(sentence)
            self.message.emit(sentence)

        self._readers.ask(work, landed, self, must_finish)


class LatestRequest:
    """Tells whether a request is still the newest of its kind, so that one that lands late does not overwrite what
    was asked for after it."""

    def __init__(self) -> None:
        self._token = object()

    def begin(self) -> Callable[[], bool]:
        """Begin a request. Returns a function: whether none was begun since."""
        self._token = object()
        return self.current()

    def current(self) -> Callable[[], bool]:
        """As :meth:`begin`, for what the app does by itself: it gives way to requests and is none."""
        token = self._token
        return lambda: token is self._token
