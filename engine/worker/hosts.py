"""The two hosts of the handlers: the engine's own thread, and a child process. One protocol.

The parent notices the end of its child by the end of its output. Whatever the libraries in the child print goes to a
log in ``logs_dir()``. What the child does is in :mod:`engine.worker.child_process`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import signal
import threading
from pathlib import Path
from typing import IO, Final, Protocol

from engine.core.on_disk import size_of
from engine.core.paths import logs_dir
from engine.core.reentry import neutral_folder, own_command, own_environment
from engine.worker.child_process import HEADER, Frame, newest_key, to_bytes
from engine.worker.dispatch import Handlers, failure_of
from engine.worker.inbox import Inbox
from engine.worker.jobs import Cancelled, Ending, Failed, Job, Report

HOST_WORD: Final = "--partcraft-host"
"""The hidden word with which a (frozen or not) program re-enters itself as a host."""

_LOG_LIMIT: Final = 1_000_000
_LOG_TAIL: Final = 4_000
_LOADING_GRACE: Final = 60.0  # seconds: a process that is still importing is worth waiting for
_CLOSING_GRACE: Final = 1.0  # seconds: nobody is left to wait for anything


class Host(Protocol):
    """Where handlers run: one job at a time."""

    async def run(self, job: Job, report: Report, stop: threading.Event) -> Ending:
        """Run a job to its one ending. ``report`` takes its news, on the engine's thread. ``stop`` is set, by any
        thread and followed by a :meth:`nudge`, when the job shall end."""
        ...

    def nudge(self) -> None:
        """Say that the running job's ``stop`` was set. May be called from any thread."""
        ...

    def hurry(self) -> None:
        """As :meth:`nudge`, and no other job follows: what does not end by itself at once is ended."""
        ...

    async def start(self) -> None:
        """Get ready ahead of the first job."""
        ...

    async def close(self) -> None:
        """End, leaving no process behind."""
        ...


class ThreadHost:
    """Runs handlers on the engine's own thread: for headless use and tests.

    A job is cancelled at its next report; one that never reports cannot be ended. ``spare_core`` leaves a core to a
    window that is open beside this process.
    """

    def __init__(self, handlers: str, spare_core: bool = False) -> None:
        self._handlers = Handlers(handlers, spare_core)

    async def start(self) -> None:
        """Nothing to do ahead."""

    async def run(self, job: Job, report: Report, stop: threading.Event) -> Ending:
        """See :class:`Host`."""
        return self._handlers.run(job, report, stop)

    def nudge(self) -> None:
        """Nothing to do: ``report`` looks at ``stop`` itself."""

    def hurry(self) -> None:
        """Nothing to do: nothing else can end a handler of one's own thread."""

    async def close(self) -> None:
        """Nothing to leave behind."""


class ProcessHost:
    """Runs handlers in a child process, which is started ahead, watched, and started again when it dies.

    ``grace`` is how many seconds a cancelled job may take to end by itself before its process is ended.
    """

    def __init__(self, handlers: str, grace: float = 5.0) -> None:
        self._spec = handlers
        self._grace = grace
        self._child: asyncio.subprocess.Process | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._kill_timer: asyncio.TimerHandle | None = None
        self._frames: Inbox[Frame] = Inbox()
        self._arrived = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        self._number = 0
        self._stop: threading.Event | None = None
        self._begun = False
        self._closing = False

    @property
    def pid(self) -> int | None:
        """The child's process id while it lives."""
        return self._child.pid if self._child and self._child.returncode is None else None

    async def start(self) -> None:
        """Start the child if it is not there. Raises ``OSError`` if the system refuses."""
        if self.pid is not None:
            return
        self._loop = asyncio.get_running_loop()
        with _open_log() as log:
            self._child = await asyncio.create_subprocess_exec(
                *own_command(HOST_WORD, self._spec),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=own_environment(),
                cwd=neutral_folder(),
            )
        assert self._child.stdout
        self._frames = Inbox(self._arrived.set)
        self._listening = asyncio.create_task(_pour(self._child.stdout, self._frames))
        self._listening.add_done_callback(lambda _: self._arrived.set())

    async def run(self, job: Job, report: Report, stop: threading.Event) -> Ending:
        """See :class:`Host`. A child that died since the last job is replaced first."""
        self._number += 1
        self._stop = stop
        try:
            request = to_bytes(("job", self._number, job))
            ending = await self._attempt(request, report, stop)
            if ending is None:
                ending = await self._attempt(request, report, stop) or _died(self._child and self._child.returncode)
        except OSError as error:
            return Failed("The engine's process could not be started.", "Restart PartCraft.", failure_of(error).details)
        except BaseException:  # whatever is left of this job must not speak into the next one
            await self._end()
            raise
        finally:
            self._stop = None
            if self._kill_timer:
                self._kill_timer.cancel()
                self._kill_timer = None
        if isinstance(ending, Failed) and ending.kind:
            await self._end()
        return ending

    async def _attempt(self, request: bytes, report: Report, stop: threading.Event) -> Ending | None:
        """One try on one child; None if it was dead before it took the job up."""
        await self.start()
        child = self._child
        assert child and child.stdin and child.stdout
        taken = False
        self._begun = False
        try:
            child.stdin.write(request)
            self._obey_stop()
            await child.stdin.drain()
            while True:
                for kind, number, value in await self._next_frames(child):
                    if number != self._number:
                        continue
                    if kind == "taken":
                        taken = True
                    elif kind == "begun":
                        self._begun = True
                        if not self._closing:
                            self._set_kill_timer()
                    elif kind == "news":
                        report(value)
                    else:
                        return value
        except (asyncio.IncompleteReadError, BrokenPipeError, ConnectionResetError):
            await self._end()
            if stop.is_set():
                return Cancelled()
            return _died(child.returncode) if taken else None

    async def _next_frames(self, child: asyncio.subprocess.Process) -> list[Frame]:
        """What has arrived, at least one frame. Raises ``IncompleteReadError`` within a second of the child's death."""
        while True:
            dead = child.returncode is not None
            self._arrived.clear()
            if frames := self._frames.take():
                return frames
            assert self._listening
            if self._listening.done():
                self._listening.result()
                raise asyncio.IncompleteReadError(b"", None)
            try:
                await asyncio.wait_for(self._arrived.wait(), 0.4)
            except TimeoutError:
                if dead:  # a grandchild of some library holds the pipe open
                    raise asyncio.IncompleteReadError(b"", None) from None

    def nudge(self) -> None:
        """See :class:`Host`. A job that has not ended within the grace period loses its process."""
        if self._loop:
            with contextlib.suppress(RuntimeError):  # the loop closed meanwhile: there is no job any more
                self._loop.call_soon_threadsafe(self._obey_stop)

    def hurry(self) -> None:
        """See :class:`Host`. A job that has not ended within a second loses its process, even while it imports."""
        self._closing = True
        self.nudge()

    def _obey_stop(self) -> None:
        if self._stop is None or not self._stop.is_set() or not self._child or not self._child.stdin:
            return
        self._child.stdin.write(to_bytes(("cancel", self._number, None)))
        self._set_kill_timer()

    def _set_kill_timer(self) -> None:
        """From now, or from when the handler begins, a job that was asked to stop has the grace period."""
        if self._stop is None or not self._stop.is_set() or not self._loop:
            return
        if self._kill_timer:
            self._kill_timer.cancel()
        grace = self._grace if self._begun else _LOADING_GRACE
        if self._closing:
            grace = min(grace, _CLOSING_GRACE)
        self._kill_timer = self._loop.call_later(grace, self._kill)

    def _kill(self) -> None:
        if self._child and self._child.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it ended between the two lines
                self._child.kill()

    async def _end(self) -> None:
        """Make sure the child is gone and reaped."""
        if self._child:
            if self._child.stdin:
                self._child.stdin.close()
            self._kill()
            with contextlib.suppress(TimeoutError):  # a grandchild may hold the pipes open: the child is dead anyway
                await asyncio.wait_for(self._child.wait(), 2.0)
            if self._listening:
                self._listening.cancel()

    async def close(self) -> None:
        """Let the child end itself (its input closes), and kill it if it does not within a second."""
        if self._child and self._child.stdin and self._child.returncode is None:
            self._child.stdin.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._child.wait(), 1.0)
        await self._end()


def _open_log() -> IO[bytes]:
    """The log of the child's prints, rotated once when long; nowhere if it cannot be written."""
    try:
        logs_dir().mkdir(parents=True, exist_ok=True)
        path = logs_dir() / "engine.log"
        if size_of(path) > _LOG_LIMIT:
            path.replace(path.with_suffix(".1.log"))
        return path.open("ab")
    except OSError:
        return Path(os.devnull).open("ab")


def _died(code: int | None) -> Failed:
    details = f"exit code {code}; {logs_dir() / 'engine.log'} ends with:\n{_log_tail()}"
    if code == -getattr(signal, "SIGKILL", 9):
        return Failed(
            "The engine was stopped from outside, perhaps because memory ran out.",
            "Try again with fewer or smaller pictures, or close other programs.",
            details,
        )
    return Failed("The engine stopped unexpectedly.", "It starts again by itself: try again.", details)


def _log_tail() -> str:
    try:
        return (logs_dir() / "engine.log").read_bytes()[-_LOG_TAIL:].decode("utf-8", "replace")
    except OSError:
        return "(no log)"


async def _pour(stream: asyncio.StreamReader, frames: Inbox[Frame]) -> None:
    """Read frames until the child is gone. What waits for a slow listener is replaced by what is newer."""
    with contextlib.suppress(asyncio.IncompleteReadError):
        while True:
            (length,) = HEADER.unpack(await stream.readexactly(HEADER.size))
            data = await stream.readexactly(length)
            frame: Frame = pickle.loads(data)  # noqa: S301 - from our own child, on its private pipe
            frames.put(frame, newest_key(frame[2]) if frame[0] == "news" else None)
