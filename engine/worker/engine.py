"""Engine: one asynchronous thread, one queue, one outlet. It alone talks to the host of the handlers."""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
import threading
from collections.abc import Callable
from typing import Literal

from engine.worker.dispatch import failure_of
from engine.worker.hosts import Host, ProcessHost, ThreadHost
from engine.worker.jobs import Cancelled, Ending, Event, Job, News

_log = logging.getLogger(__name__)


class Engine:
    """Takes jobs from any thread, runs them one after another in a host, and tells their news to ``outlet``.

    ``outlet`` is called with one :class:`Event` at a time on the engine's own thread and should return soon; a window
    puts the event into an :class:`Inbox` and takes them on its own thread. Every submitted job gets exactly one ending
    (Finished, Failed or Cancelled), whatever its handler, its process or the system does, and nothing after it.

    ``host`` is "process" (a child, for the app), "thread" (headless, tests) or a Host of one's own. ``handlers`` names
    the table of handlers as "module:NAME"; it is imported inside the host only.
    """

    def __init__(
        self,
        outlet: Callable[[Event], None],
        host: Literal["process", "thread"] | Host = "process",
        handlers: str = "engine.handlers:HANDLERS",
    ) -> None:
        self._outlet = outlet
        if host == "process":
            self._host: Host = ProcessHost(handlers)
        elif host == "thread":
            self._host = ThreadHost(handlers)
        else:
            self._host = host
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._waiting: dict[int, Job] = {}
        self._running: int | None = None
        self._stop = threading.Event()
        self._closed = False
        # By class, not by asyncio's policy: a toolkit in the program may have set a loop of its own for the process.
        self._loop = asyncio.ProactorEventLoop() if sys.platform == "win32" else asyncio.SelectorEventLoop()
        self._wake = asyncio.Event()
        self._thread = threading.Thread(target=self._main, name="engine", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> int:
        """Put a job at the end of the queue; its id. Raises ``RuntimeError`` after :meth:`close`."""
        with self._lock:
            if self._closed:
                raise RuntimeError("the engine is closed")
            job_id = next(self._ids)
            self._waiting[job_id] = job
            self._loop.call_soon_threadsafe(self._wake.set)
        return job_id

    def cancel(self, job_id: int) -> None:
        """Ask a job to end, queued or running. A job that has ended, or never was, is left alone."""
        with self._lock:
            if self._closed:
                return
            if self._waiting.pop(job_id, None) is not None:
                self._loop.call_soon_threadsafe(self._tell, job_id, Cancelled())
            elif job_id == self._running:
                self._stop.set()
                self._host.nudge()

    def close(self) -> None:
        """Cancel everything, end the host and the thread. Every job still gets its ending. May be called twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                if self._running is not None:
                    self._stop.set()
                    self._host.hurry()
                self._loop.call_soon_threadsafe(self._wake.set)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._work())
        finally:
            self._loop.close()

    async def _work(self) -> None:
        try:
            await self._host.start()
        except OSError:
            _log.exception("the host could not be started ahead; the first job tries again")
        while not self._closed:
            await self._wake.wait()
            self._wake.clear()
            while (next_job := self._take()) is not None:
                job_id, job = next_job
                ending = await self._run(job_id, job, self._stop)
                with self._lock:
                    self._running = None
                self._tell(job_id, ending)
        self._take()  # what was submitted just before closing still gets its ending
        await self._host.close()

    def _take(self) -> tuple[int, Job] | None:
        """The next job, now running; after close, waiting jobs get their endings instead."""
        with self._lock:
            closed, left = self._closed, list(self._waiting)
            if closed:
                self._waiting.clear()
            elif left:
                self._running, self._stop = left[0], threading.Event()
                return left[0], self._waiting.pop(left[0])
        for job_id in left if closed else ():
            self._tell(job_id, Cancelled())
        return None

    async def _run(self, job_id: int, job: Job, stop: threading.Event) -> Ending:
        try:
            return await self._host.run(job, lambda news: self._tell(job_id, news), stop)
        except Exception as error:  # noqa: BLE001 - a fault of the host itself is told as the job's ending
            return failure_of(error)

    def _tell(self, job_id: int, news: News | Ending) -> None:
        try:
            self._outlet(Event(job_id, news))
        except Exception:  # noqa: BLE001 - a fault of the listener must not take the engine down
            _log.exception("the outlet failed on news of job %d", job_id)
