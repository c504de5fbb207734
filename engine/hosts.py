"""The two hosts of the handlers: the engine's own thread, and a child process. One protocol.

Between parent and child travel our own dataclasses as pickles on two private, inherited pipes that no other
program can write to. (The rule "never pickle" is about files, which come from anywhere.)

The child notices the end of its parent by the end of its input, and then ends itself; the parent notices the end
of its child by the end of its output. Whatever the libraries in the child print goes to a log in ``logs_dir()``.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib
import io
import os
import pickle
import queue
import signal
import struct
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Final, Protocol

from engine.errors import JobCancelled, UserError
from engine.inbox import Inbox
from engine.jobs import Cancelled, Failed, Finished, Job, News, Preview, Progress
from engine.jobs import Ending as Ending
from engine.places import logs_dir

HOST_WORD: Final = "--partcraft-host"
"""The hidden word with which a (frozen or not) program re-enters itself as a host."""

Report = Callable[[News], None]
Handler = Callable[[Any, Any, Report], Any]

_HEADER: Final = struct.Struct(">Q")
_LOG_LIMIT: Final = 1_000_000

_Frame = tuple[str, int, Any]  # a kind ("job", "cancel"; "begun", "news", "ending"), the number of the job, a value


class Host(Protocol):
    """Where handlers run: one job at a time."""

    async def run(self, job: Job, report: Report, stop: threading.Event) -> Ending:
        """Run a job to its one ending. ``report`` takes its news, on the engine's thread. ``stop`` is set, by any
        thread and followed by a :meth:`nudge`, when the job shall end."""
        ...

    def nudge(self) -> None:
        """Say that the running job's ``stop`` was set. May be called from any thread."""
        ...

    async def start(self) -> None:
        """Get ready ahead of the first job."""
        ...

    async def close(self) -> None:
        """End, leaving no process behind."""
        ...


class Handlers:
    """The table of handlers named by "module:NAME", and the models they share; imported when first needed."""

    def __init__(self, spec: str) -> None:
        self._spec = spec
        self._table: Mapping[type, Handler] | None = None
        self._models: Any = None

    def load(self) -> None:
        """Import the table and open the models once."""
        if self._table is None:
            module_name, _, name = self._spec.partition(":")
            module = importlib.import_module(module_name)
            open_models = getattr(module, "open_models", None)
            self._models = open_models() if open_models else None
            self._table = getattr(module, name or "HANDLERS")

    def run(self, job: Job, send: Report, cancelled: threading.Event) -> Ending:
        """Run one job; whatever its handler does, there is exactly one ending."""

        def report(news: News) -> None:
            if cancelled.is_set():
                raise JobCancelled
            send(news)

        try:
            self.load()
            assert self._table is not None
            if cancelled.is_set():
                return Cancelled()
            handler = self._table.get(type(job))
            if handler is None:
                return Failed(f"This engine cannot {type(job).__name__.lower()} yet.", "Update PartCraft.")
            return Finished(handler(self._models, job, report))
        except JobCancelled:
            return Cancelled()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the last fence: every failure is told as an ending
            return explain(error)


def explain(error: BaseException) -> Failed:
    """Any exception as a sentence and a next step; the traceback goes to ``details`` unless it is a UserError."""
    if isinstance(error, UserError):
        return Failed(error.message, error.hint)
    details = "".join(traceback.format_exception(error))
    if out_of_memory(error):
        return Failed(
            "There is not enough memory for this.",
            "Make fewer or smaller pictures at once, or close other programs, then try again.",
            details,
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failed("The disk is full.", "Make room on the disk, then try again.", details)
    if isinstance(error, ImportError):
        return Failed(
            f"The engine lacks something it needs: {error.name or error}.",
            "Install PartCraft again.",
            details,
        )
    return Failed("Something went wrong in the engine.", "Try again; if it stays, report it with the details.", details)


def out_of_memory(error: BaseException) -> bool:
    """Whether this is any library's way of saying that memory ran out."""
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text))
    )


def _poisoned(ending: Ending) -> bool:
    """Whether a process should not go on after this: memory is fragmented or the GPU's context is broken."""
    return isinstance(ending, Failed) and (
        ending.message.startswith("There is not enough memory") or "CUDA error" in ending.details
    )


class ThreadHost:
    """Runs handlers on the engine's own thread: for headless use and tests.

    A job is cancelled at its next report; one that never reports cannot be ended.
    """

    def __init__(self, handlers: str) -> None:
        self._handlers = Handlers(handlers)

    async def start(self) -> None:
        """Nothing to do ahead."""

    async def run(self, job: Job, report: Report, stop: threading.Event) -> Ending:
        """See :class:`Host`."""
        return self._handlers.run(job, report, stop)

    def nudge(self) -> None:
        """Nothing to do: ``report`` looks at ``stop`` itself."""

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
        self._frames: Inbox[_Frame] = Inbox()
        self._arrived = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        self._number = 0
        self._stop: threading.Event | None = None

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
                *host_command(self._spec),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=_environment(),
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
            request = _frame(("job", self._number, job))
            ending = await self._attempt(request, report, stop)
            if ending is None:
                ending = await self._attempt(request, report, stop) or _died(self._child and self._child.returncode)
        except OSError as error:
            return Failed("The engine's process could not be started.", "Restart PartCraft.", explain(error).details)
        except BaseException:  # whatever is left of this job must not speak into the next one
            await self._end()
            raise
        finally:
            self._stop = None
            if self._kill_timer:
                self._kill_timer.cancel()
                self._kill_timer = None
        if _poisoned(ending):
            await self._end()
        return ending

    async def _attempt(self, request: bytes, report: Report, stop: threading.Event) -> Ending | None:
        """One try on one child; None if it was dead before it took the job up."""
        await self.start()
        child = self._child
        assert child and child.stdin and child.stdout
        begun = False
        try:
            child.stdin.write(request)
            self._obey_stop()
            await child.stdin.drain()
            while True:
                for kind, number, value in await self._next_frames(child):
                    if number != self._number:
                        continue
                    if kind == "begun":
                        begun = True
                    elif kind == "news":
                        report(value)
                    else:
                        return value
        except (asyncio.IncompleteReadError, BrokenPipeError, ConnectionResetError):
            await self._end()
            if stop.is_set():
                return Cancelled()
            return _died(child.returncode) if begun else None

    async def _next_frames(self, child: asyncio.subprocess.Process) -> list[_Frame]:
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

    def _obey_stop(self) -> None:
        if self._stop is None or not self._stop.is_set() or not self._child or not self._child.stdin:
            return
        self._child.stdin.write(_frame(("cancel", self._number, None)))
        if self._kill_timer is None and self._loop:
            self._kill_timer = self._loop.call_later(self._grace, self._kill)

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


def host_command(spec: str) -> list[str]:
    """The command that re-enters this program as a host; a frozen program is its own interpreter."""
    if getattr(sys, "frozen", False):
        return [sys.executable, HOST_WORD, spec]
    return [sys.executable, "-m", "engine", HOST_WORD, spec]


def _environment() -> dict[str, str]:
    environment = dict(os.environ)
    if not getattr(sys, "frozen", False):  # a checkout that is not installed is found again from any folder
        root = str(Path(__file__).resolve().parent.parent)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH")]))
    environment["PYTHONUNBUFFERED"] = "1"
    return environment


def _open_log() -> IO[bytes]:
    """The log of the child's prints, rotated once when long; nowhere if it cannot be written."""
    try:
        logs_dir().mkdir(parents=True, exist_ok=True)
        path = logs_dir() / "engine.log"
        if path.exists() and path.stat().st_size > _LOG_LIMIT:
            path.replace(path.with_suffix(".1.log"))
        return path.open("ab")
    except OSError:
        return Path(os.devnull).open("ab")


def _died(code: int | None) -> Failed:
    if code == -getattr(signal, "SIGKILL", 9):
        return Failed(
            "The engine was stopped from outside, perhaps because memory ran out.",
            "Try again with fewer or smaller pictures, or close other programs.",
            f"exit code {code}; see {logs_dir() / 'engine.log'}",
        )
    return Failed(
        "The engine stopped unexpectedly.",
        "It starts again by itself: try again.",
        f"exit code {code}; see {logs_dir() / 'engine.log'}",
    )


def _frame(message: object) -> bytes:
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _HEADER.pack(len(data)) + data


async def _pour(stream: asyncio.StreamReader, frames: Inbox[_Frame]) -> None:
    """Read frames until the child is gone. What waits for a slow listener is replaced by what is newer."""
    with contextlib.suppress(asyncio.IncompleteReadError):
        while True:
            (length,) = _HEADER.unpack(await stream.readexactly(_HEADER.size))
            data = await stream.readexactly(length)
            frame: _Frame = pickle.loads(data)  # noqa: S301 - from our own child, on its private pipe
            frames.put(frame, newest_key(frame[2]) if frame[0] == "news" else None)


# In the child.

_Request = tuple[int, Job, threading.Event]


def serve(spec: str) -> int:
    """Be a host: read jobs from the standard input and write news to the standard output, until the input ends."""
    if hasattr(signal, "SIGINT"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the parent, which then cancels
    requests, replies = _take_pipes()
    jobs: queue.SimpleQueue[_Request] = queue.SimpleQueue()
    outgoing: Inbox[bytes] = Inbox()
    threading.Thread(target=_listen, args=(requests, jobs), daemon=True).start()
    threading.Thread(target=_speak, args=(replies, outgoing), daemon=True).start()
    handlers = Handlers(spec)
    with contextlib.suppress(Exception):  # told as the ending of the first job, which loads again
        handlers.load()
    while True:
        number, job, stop = jobs.get()
        outgoing.put(_frame(("begun", number, None)))

        def send(news: News, number: int = number) -> None:
            outgoing.put(_frame(("news", number, news)), newest_key(news))

        ending = handlers.run(job, send, stop)
        try:
            frame = _frame(("ending", number, ending))
        except Exception as error:  # noqa: BLE001 - a result that cannot travel is a failure to be told
            frame = _frame(("ending", number, explain(error)))
        outgoing.put(frame)


def newest_key(news: News) -> object:
    """What later news of the same key makes worthless while it waits: None keeps them all."""
    if isinstance(news, Preview):
        return ("preview", news.index)
    return "progress" if isinstance(news, Progress) else None


def _take_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """The pipes to the parent under new numbers; prints of any library go to the log, reads find nothing."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdin = io.TextIOWrapper(io.BytesIO())
    return requests, replies


def _listen(requests: IO[bytes], jobs: queue.SimpleQueue[_Request]) -> None:
    current, stop = 0, threading.Event()
    while True:
        header = requests.read(_HEADER.size)
        if len(header) < _HEADER.size:
            os._exit(0)  # the parent closed or died: nobody is left to work for
        kind, number, value = pickle.loads(requests.read(*_HEADER.unpack(header)))  # noqa: S301 - from our own parent
        if kind == "job":
            current, stop = number, threading.Event()
            jobs.put((number, value, stop))
        elif number == current:
            stop.set()


def _speak(replies: IO[bytes], outgoing: Inbox[bytes]) -> None:
    while True:
        for frame in outgoing.wait():
            view = memoryview(frame)
            while view:
                try:
                    view = view[replies.write(view) :]
                except OSError:
                    os._exit(0)  # nobody listens any more
