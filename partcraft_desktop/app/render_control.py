"""Rendering: one render at a time and its news; the engine started and made ready for it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from engine.core.recipe import Recipe
from engine.packs.pack import Pack
from engine.worker.jobs import Cancelled, Failed, Finished, Job, News, Prepare, Preview, Progress, Render, Rendered
from partcraft_desktop.app.engine_client import EngineClient
from partcraft_desktop.app.messages import reason
from partcraft_desktop.app.state import RenderStatus
from partcraft_desktop.app.store import Store


class RenderControl(QObject):
    """Starts the engine when it is first needed; ``state.render`` and ``state.engine`` are its own."""

    preview = Signal(int, object)
    """index of the creation, uint8 (H, W, 3) array"""
    creation_added = Signal(object)

    def __init__(self, store: Store, client: EngineClient) -> None:
        super().__init__(store)
        self._store = store
        self._client = client

    def start_engine(self) -> None:
        """Start the engine, unless it runs, and load what the pack needs."""
        if self._client.start():
            self.prepare()

    def submit(self, job: Job, listener: Callable[[News], None]) -> int | None:
        """Hand a job to the engine; its id, or None when closed."""
        self.start_engine()
        return self._client.submit(job, listener)

    def prepare(self) -> None:
        """Load what the pack needs, if the engine runs."""
        pack = self._store.state.pack
        if pack is not None and self._client.running:
            self._store.update_state(engine="waking", engine_stage="")
            self.submit(Prepare(str(pack.path)), lambda news: self._preparing(pack, news))

    def _preparing(self, pack: Pack, news: News) -> None:
        if self._store.state.pack != pack:
            return
        match news:
            case Progress():
                self._store.update_state(engine_stage=news.stage)
            case Finished():
                self._store.update_state(engine="ready", engine_stage="")
            case Failed():
                self._store.update_state(engine="failed", engine_stage="")
                self._say_failure(news)
            case _:
                pass

    def render(self, pack: Pack, recipe: Recipe, out: Path) -> None:
        """Render a recipe into a folder, which is made if it is not there; one render at a time."""
        if self._store.state.render is not None:
            return
        self._store.update_state(render=RenderStatus(started=time.monotonic(), count=recipe.count))

        def looked_at(unusable: str) -> None:
            if unusable:
                hint = "Choose another folder in the settings."
                self._store.update_state(render=None)
                self._store.say(f"Creations cannot be kept in {out}: {unusable}", hint, "error")
            else:
                self._submit_render(Render(str(pack.path), recipe, str(out)))

        self._store.ask(lambda: _why_unusable(out), looked_at, f"Creations cannot be kept in {out}.", self._give_up)

    def _submit_render(self, job: Render) -> None:
        render = self._store.state.render
        number = None if render is None or render.cancelling else self.submit(job, self._rendering)
        if render is None or number is None:
            self._store.update_state(render=None)
        else:
            self._store.update_state(render=replace(render, job=number, started=time.monotonic()))

    def _give_up(self, _: object) -> None:
        self._store.update_state(render=None)

    def cancel(self) -> None:
        """Stop the running render; creations that are whole stay."""
        render = self._store.state.render
        if render is not None and not render.cancelling:
            self._store.update_state(render=replace(render, cancelling=True))
            if render.job is not None:
                self._client.cancel(render.job)

    def _rendering(self, news: News) -> None:
        render = self._store.state.render
        if render is None:
            return
        match news:
            case Progress():
                # Each stage has its own pace: the time that is left is told from when the stage began.
                started = render.started if news.stage == render.stage else time.monotonic()
                render = replace(render, stage=news.stage, done=news.done, total=news.total, started=started)
                self._store.update_state(render=render)
            case Preview():
                self.preview.emit(news.index, news.image)
            case Rendered():
                creations = (news.creation, *self._store.state.creations)
                self._store.update_state(render=replace(render, whole=render.whole + 1), creations=creations)
                self.creation_added.emit(news.creation)
            case Failed():
                self._store.update_state(render=None)
                self._say_failure(news)
            case Finished() | Cancelled():
                self._store.update_state(render=None)
            case _:
                pass

    def _say_failure(self, news: Failed) -> None:
        self._store.say(news.message, news.hint, "error", details=news.details)


def _why_unusable(folder: Path) -> str:
    """Why nothing can be written into a folder, empty if it can be; one that is not there is made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return reason(error)
    return "" if os.access(folder, os.W_OK | os.X_OK) else "It is read-only."
