"""Rendering: one render at a time and its news; the engine started and made ready for it. What comes next is for
:mod:`partcraft_desktop.app.render_queue`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QObject, Signal

from engine.core.recipe import Creation, Recipe
from engine.packs.pack import Pack
from engine.worker.jobs import Cancelled, Failed, Finished, Job, News, Prepare, Preview, Progress, Render, Rendered
from partcraft_desktop.app.engine_client import EngineClient
from partcraft_desktop.app.messages import Message, reason
from partcraft_desktop.app.state import LoadStatus, RenderStatus
from partcraft_desktop.app.store import Store


@dataclass(frozen=True)
class RenderEnd:
    """How a render ended, and what is to be said of it ("unusable": creations cannot be kept where they should be)."""

    outcome: Literal["done", "cancelled", "failed", "unusable"]
    message: Message | None = None


class RenderControl(QObject):
    """Starts the engine when it is first needed; ``state.render`` and ``state.engine`` are its own."""

    preview = Signal(int, object)
    """index of the creation, uint8 (H, W, 3) array"""
    creation_added = Signal(object)
    measured = Signal()
    """A load was measured that is worth keeping."""

    def __init__(self, store: Store, client: EngineClient, marks: Callable[[], bool] = lambda: True) -> None:
        """``marks()``: whether creations are marked as a model's."""
        super().__init__(store)
        self._marks = marks
        self._store = store
        self._client = client
        self._engine_started: float | None = None
        """When the engine's process was asked for, until it says its first word."""
        self._load_began: dict[str, float] = {}
        self._loaded: set[str] = set()
        """The packs whose models were loaded since the app began, by id."""
        self._began: float | None = None
        self._was_loaded: bool | None = None
        """When the running render said its first word, and whether its models were loaded then."""

    def start_engine(self) -> None:
        """Start the engine, unless it runs, and load what the pack needs."""
        if self._client.start():
            self._engine_started = time.monotonic()
            self.prepare()

    def submit(self, job: Job, listener: Callable[[News], None]) -> int | None:
        """Hand a job to the engine; its id, or None when closed."""
        self.start_engine()
        return self._client.submit(job, listener)

    def prepare(self) -> None:
        """Load what the pack needs, if the engine runs."""
        pack = self._store.state.pack
        if pack is not None and self._client.running:
            load = LoadStatus(time.monotonic(), 0.0 if self._client.busy else self._expected_load(pack))
            self._store.update_state(engine="waking", engine_stage="", load=load)
            self.submit(Prepare(str(pack.path)), lambda news: self._preparing(pack, news))

    def _expected_load(self, pack: Pack) -> float:
        """Seconds until a pack is loaded; 0 if that was never measured, or much of it is there already."""
        timings, seconds = self._store.state.timings, self._store.state.timings.load_of(pack)
        if pack.id in self._loaded or not seconds:
            return 0.0
        if self._engine_started is None:
            return seconds
        return timings.engine + seconds if timings.engine else 0.0

    def _preparing(self, pack: Pack, news: News) -> None:
        now = time.monotonic()
        match news:
            case Progress() if pack.id not in self._load_began:
                self._load_began[pack.id] = now
                if self._engine_started is not None:
                    timings = replace(self._store.state.timings, engine=now - self._engine_started)
                    self._engine_started = None
                    self._store.update_state(timings=timings)
                if self._store.state.pack == pack:
                    self._store.update_state(load=LoadStatus(now, self._expected_load(pack)))
            case Finished():
                # A second load finds much of the first in memory: it says nothing of the next start.
                if pack.id not in self._loaded and pack.id in self._load_began:
                    seconds = now - self._load_began[pack.id]
                    self._store.update_state(timings=self._store.state.timings.with_load(pack, seconds))
                    self.measured.emit()
                self._loaded.add(pack.id)
            case _:
                pass
        if self._store.state.pack != pack:
            return
        match news:
            case Progress():
                self._store.update_state(engine_stage=news.stage)
            case Finished():
                self._store.update_state(engine="ready", engine_stage="", load=None)
            case Failed():
                self._store.update_state(engine="failed", engine_stage="", load=None)
                self._store.message.emit(self._store.message_of(news))
            case _:
                pass

    def render(self, pack: Pack, recipe: Recipe, out: Path, ended: Callable[[RenderEnd], None]) -> None:
        """Render a recipe into a folder, which is made if it is not there. ``state.render`` is there already, and is
        the caller's to take away once ``ended`` is called."""
        self._began = self._was_loaded = None

        def looked_at(unusable: str) -> None:
            if unusable:
                hint = "Choose another folder in the settings."
                ended(RenderEnd("unusable", Message(f"Creations cannot be kept in {out}: {unusable}", hint, "error")))
            else:
                self._submit_render(Render(str(pack.path), recipe, str(out), self._marks()), pack, ended)

        otherwise = f"Creations cannot be kept in {out}."
        self._store.ask(lambda: _why_unusable(out), looked_at, otherwise, lambda _: ended(RenderEnd("unusable")))

    def _submit_render(self, job: Render, pack: Pack, ended: Callable[[RenderEnd], None]) -> None:
        render = self._store.state.render
        cancelled = render is None or render.cancelling
        number = None if cancelled else self.submit(job, lambda news: self._rendering(pack, job.recipe, news, ended))
        if render is None or number is None:
            ended(RenderEnd("cancelled"))
        else:
            self._store.update_state(render=replace(render, job=number, started=time.monotonic()))

    def cancel(self) -> None:
        """Stop the running render; creations that are whole stay."""
        render = self._store.state.render
        if render is not None and not render.cancelling:
            self._store.update_state(render=replace(render, cancelling=True))
            if render.job is not None:
                self._client.cancel(render.job)

    def _rendering(self, pack: Pack, recipe: Recipe, news: News, ended: Callable[[RenderEnd], None]) -> None:
        render = self._store.state.render
        if render is None:
            return
        match news:
            case Progress():
                self._store.update_state(render=self._progressed(render, pack, news))
            case Preview():
                self.preview.emit(news.index, news.image)
            case Rendered():
                self._add(render, news.creation)
            case Failed():
                ended(RenderEnd("failed", self._store.message_of(news)))
            case Finished() if render.cancelling:
                # It kept the best of its tries so far, which was not told before.
                known = {creation.path for creation in self._store.state.creations}
                for creation in news.result:
                    if creation.path not in known:
                        self._add(render, creation)
                ended(RenderEnd("cancelled"))
            case Finished():
                if self._began is not None and self._was_loaded:
                    seconds = time.monotonic() - self._began
                    self._store.update_state(timings=self._store.state.timings.with_pace(recipe, pack, seconds))
                self._loaded.add(pack.id)
                ended(RenderEnd("done"))
            case Cancelled():
                ended(RenderEnd("cancelled"))
            case _:
                pass

    def _add(self, render: RenderStatus, creation: Creation) -> None:
        creations = (creation, *self._store.state.creations)
        self._store.update_state(render=replace(render, whole=render.whole + 1), creations=creations)
        self.creation_added.emit(creation)

    def _progressed(self, render: RenderStatus, pack: Pack, news: Progress) -> RenderStatus:
        now = time.monotonic()
        if self._began is None:
            self._began, self._was_loaded = now, pack.id in self._loaded
        # Each stage has its own pace: the time that is left is told from when the stage began.
        same = news.stage == render.stage
        started, first = (render.started, render.first) if same else (now, news.done)
        load = render.load
        if news.total:
            load = None
            self._loaded.add(pack.id)
        elif load is None and not self._was_loaded:
            load = LoadStatus(now, self._store.state.timings.load_of(pack))
        told = {"stage": news.stage, "done": news.done, "total": news.total, "updated": now}
        return replace(render, **told, started=started, first=first, load=load)


def _why_unusable(folder: Path) -> str:
    """Why nothing can be written into a folder, empty if it can be; one that is not there is made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return reason(error)
    except ValueError:  # a NUL, or half a surrogate pair
        return "It has a character that no folder’s name can have."
    return "" if os.access(folder, os.W_OK | os.X_OK) else "It is read-only."
