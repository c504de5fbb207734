"""Models looked at, asked for and fetched, on threads of the window's own: the engine may render meanwhile."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal

from engine.core.errors import UserError
from engine.core.model_places import add_folder, remove_folder
from engine.core.on_disk import is_folder
from engine.hub.catalogue import catalogue_model
from engine.hub.repository import TokenWanted
from engine.hub.shelf import Shelf, look_at_shelf
from engine.worker.jobs import Failed, Finished, Job, News, Progress, UnpackCheckpoint
from partcraft_desktop.app.messages import Action, reason
from partcraft_desktop.app.model_state import FetchStatus, ModelFault, ModelsState
from partcraft_desktop.app.store import LatestRequest, Store

if TYPE_CHECKING:
    from engine.hub.fetch import Fetching, Offer


class ModelShelf(QObject):
    """Owns ``state.models``. ``arrived(id)``: a model was fetched whole. ``ended(id, whole)``: a fetch is over, whole
    or not. ``looked``: the models that are here were listed anew."""

    arrived = Signal(str)
    ended = Signal(str, bool)
    looked = Signal()

    def __init__(self, store: Store, submit: Callable[[Job, Callable[[News], None]], int | None]) -> None:
        super().__init__(store)
        self._store = store
        self._submit = submit
        self._requests = LatestRequest()
        self._looks = LatestRequest()
        self._fetches: dict[str, _Fetch] = {}

    @property
    def now(self) -> ModelsState:
        """What the page shows."""
        return self._store.state.models

    def come_for(self, id: str) -> None:
        """Begin to look, for a certain model (its id, or a folder's path) or for none; nothing is asked of the hub."""
        self._change(wanted=id, fault=None, offer=None, asking="", brought="")
        self.read()
        if Path(id).is_absolute():
            name = f"“{Path(id).name}” cannot be looked at."
            self._store.ask(lambda: is_folder(id), lambda is_there: self._see_folder(id, is_there), name)

    def _see_folder(self, folder: str, is_there: bool) -> None:
        if self.now.wanted != folder:
            return
        if is_there:
            self._change(brought=folder)
        else:
            hint = "Put it back there, or add the folder in which it is now."
            self._change(fault=ModelFault(folder, f"The model {folder} is not on this computer any more.", hint))

    def read(self) -> None:
        """See which models there are now."""

        newest = self._looks.begin()

        def landed(shelf: Shelf) -> None:
            if newest():  # readers are several: one that looked before a discard may land after
                self._change(shelf=shelf)
                self.looked.emit()

        self._store.ask(look_at_shelf, landed, "The models cannot be listed.")

    def ask(self, id: str, revision: str = "") -> None:
        """Ask the hub what fetching a model takes; ``offer`` is what it says."""
        still_wanted = self._requests.begin()
        self._change(asking=id, offer=None, fault=None)

        def work() -> Offer | ModelFault:
            from engine.hub.fetch import offer  # brings the hub's library

            try:
                return offer(id, revision)
            except UserError as error:
                return fault_of(id, error)

        def landed(answer: Offer | ModelFault) -> None:
            if still_wanted():
                fault = answer if isinstance(answer, ModelFault) else None
                self._change(asking="", fault=fault, offer=None if isinstance(answer, ModelFault) else answer)

        self._store.ask(work, landed, f"The hub cannot be asked for {id}.")

    def decline(self) -> None:
        """Fetch nothing of what was offered."""
        self._requests.begin()
        self._change(asking="", offer=None, fault=None, brought="")

    def agree(self) -> None:
        """Fetch what was offered; look for models in the folder that was brought."""
        offer = self.now.offer
        if self.now.brought:
            self.add_folder(self.now.brought)
            self._change(brought="")
        if offer is not None:
            self._change(offer=None, fault=None)
            self._begin(offer.repository.id, offer)

    def fetch(self, offer: Offer) -> None:
        """Fetch what was agreed to elsewhere."""
        self._change(fault=None)
        self._begin(offer.repository.id, offer)

    def clear_answers(self) -> None:
        """Something else is asked for: no offer or fault of this page's own stands beside it."""
        self.decline()

    def show_fault(self, fault: ModelFault) -> None:
        """Say why the hub did not give a model, as if it had been asked for here."""
        self._change(fault=fault)

    def go_on(self, id: str, revision: str) -> None:
        """Go on with a fetch that was agreed to before."""
        self._change(fault=None)
        self._begin(id, revision)

    def pause(self, id: str) -> None:
        """Stop a fetch at once; what came is kept."""
        if (fetch := self._fetches.get(id)) is not None:
            fetch.stop()
            self._change_fetch(id, pausing=True)

    def discard(self, id: str) -> None:
        """Throw away what an unfinished fetch has brought."""

        def work() -> None:
            from engine.hub.fetch import discard

            discard(id)

        if id not in self._fetches:
            self._store.ask(work, lambda _: self.read(), f"What was fetched of {id} cannot be removed.")

    def unpack(self, file: str) -> None:
        """Make a checkpoint in one file into a model's folder, one at a time."""
        if self.now.unpacking:
            return
        name = file.replace("\\", "/").rpartition("/")[2]

        def listen(news: News) -> None:
            if isinstance(news, Progress):
                self._change(unpacked=news.done / news.total if news.total else self.now.unpacked)
                return
            self._change(unpacking="", unpacked=0.0)
            if isinstance(news, Failed):
                self._store.say(news.message, news.hint, "error")
            elif isinstance(news, Finished):
                self._store.say(f"{name} can be used as a base model now.")
                self.arrived.emit(news.result)
            self.read()

        if self._submit(UnpackCheckpoint(file), listen) is not None:
            self._change(unpacking=file, unpacked=0.0)

    def use_token(self, token: str) -> None:
        """Show the hub a token, until the app ends, and ask again for what it would not give without."""
        os.environ["HF_TOKEN"] = token.strip()
        if self.now.fault is not None:
            self.ask(self.now.fault.id)

    def add_folder(self, folder: str) -> None:
        """Look for models in a folder of another program, too."""
        self._store.ask(lambda: add_folder(Path(folder)), lambda _: self.read(), f"{folder} cannot be added.")

    def remove_folder(self, folder: str) -> None:
        """Look no longer for models in a folder. Nothing in it is touched."""
        self._store.ask(lambda: remove_folder(Path(folder)), lambda _: self.read(), f"{folder} cannot be removed.")

    def close(self) -> None:
        """Stop all fetches; what came is kept for the next start."""
        for fetch in self._fetches.values():
            fetch.stop()
        for fetch in self._fetches.values():
            fetch.worker.join(3)

    def _begin(self, id: str, what: Offer | str) -> None:
        if id in self._fetches:
            return
        fetch = _Fetch(id, what, self)
        fetch.far.connect(self._show, Qt.ConnectionType.QueuedConnection)
        fetch.ended.connect(self._end, Qt.ConnectionType.QueuedConnection)
        self._fetches[id] = fetch
        self._change(fetches=(*self.now.fetches, FetchStatus(id)))
        fetch.worker.start()

    def _show(self, id: str, far: Fetching) -> None:
        before = self.now.fetch_of(id)
        told = {"done": far.done, "total": far.total, "speed": far.speed, "left": far.left, "resting": far.resting}
        self._change_fetch(id, **told)
        if before is not None and not before.total:
            self.read()  # it is listed now as one that was begun

    def _end(self, id: str, error: Exception | None) -> None:
        fetch = self._fetches.pop(id, None)
        if fetch is None or self._store.closed:
            return
        fetch.worker.join()
        self._change(fetches=tuple(one for one in self.now.fetches if one.id != id))
        known = catalogue_model(id)
        name = known.title if known else id
        if error is None and not fetch.stopped:
            self._store.say(f"{name} is on this computer now.")
            self.arrived.emit(id)
        elif error is not None:
            fault = fault_of(id, error)
            self._change(fault=fault)
            again = Action("Models…", lambda: self._store.model_wanted.emit(id))
            self._store.say(fault.message, fault.hint, "error", again)
        self.read()
        self.ended.emit(id, error is None and not fetch.stopped)

    def _change(self, **changes: Any) -> None:
        if not self._store.closed:
            self._store.update_state(models=replace(self.now, **changes))

    def _change_fetch(self, id: str, **changes: Any) -> None:
        fetches = tuple(replace(one, **changes) if one.id == id else one for one in self.now.fetches)
        self._change(fetches=fetches)


class _Fetch(QObject):
    """A fetch on a thread of its own. ``far(id, Fetching)`` and, once, ``ended(id, error or None)``."""

    far = Signal(str, object)
    ended = Signal(str, object)

    def __init__(self, id: str, what: Offer | str, parent: QObject) -> None:
        super().__init__(parent)
        self._id, self._what = id, what
        self._stop = threading.Event()
        self.worker = threading.Thread(target=self._run, name=f"fetch {id}", daemon=True)

    @property
    def stopped(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """End it soon; what came is kept."""
        self._stop.set()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._fetch()
        except _StoppedError:
            pass
        except Exception as fault:  # noqa: BLE001 - whatever it is, it is told
            error = fault
        try:
            self.ended.emit(self._id, error)
        except RuntimeError:  # the window is gone
            return

    def _fetch(self) -> None:
        from engine.hub.fetch import fetch, offer  # brings the hub's library

        asked = offer(self._id, self._what) if isinstance(self._what, str) else self._what
        fetch(asked, self._report)

    def _report(self, far: Fetching) -> None:
        if self._stop.is_set():
            raise _StoppedError
        self.far.emit(self._id, far)


class _StoppedError(Exception):
    """Somebody pressed Pause, or closed the window."""


def fault_of(id: str, error: Exception) -> ModelFault:
    """Why a model was not given, for the page."""
    if isinstance(error, UserError):
        return ModelFault(id, error.message, error.hint, isinstance(error, TokenWanted))
    return ModelFault(id, f"{id} could not be fetched.", reason(error))
