"""What the command line shares: running a job to its end with progress on stderr, and telling an answer or an error."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TextIO

from engine.core.errors import UserError
from engine.core.json_values import json_bytes
from engine.core.recipe import Creation
from engine.worker.engine import Engine
from engine.worker.hosts import ThreadHost
from engine.worker.jobs import Cancelled, Event, Failed, Finished, Job, Losses, News, Progress, Rendered

DONE, FAILED, INTERRUPTED = 0, 1, 130


@dataclass
class Answer:
    """What a command says: ``document`` for ``--json``, ``text`` for people, and the exit code."""

    document: dict[str, Any]
    text: str
    code: int = DONE


class Interrupted(Exception):
    """The person pressed Ctrl-C; ``creations`` were finished before and are on disk."""

    def __init__(self, creations: tuple[Creation, ...] = ()) -> None:
        super().__init__()
        self.creations = creations


class JobFailed(UserError):
    """A job's failure, with the traceback it came with."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.message, failed.hint, failed.kind)
        self.details = failed.details


@dataclass
class ProgressPrinter:
    """Progress on stderr: one line that changes on a terminal, a line a stage (and a few between) elsewhere."""

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    _stage: str = ""
    _tenth: int = -1
    _open: bool = False

    def __call__(self, news: Progress | Losses) -> None:
        """Show one step."""
        if isinstance(news, Losses):
            if self.stream.isatty() or news.step % 100 == 0:
                self._line(f"step {news.step}: diffusion {news.diffusion:.4f}, attention {news.attention:.4f}")
            return
        if self.stream.isatty():
            self._line(f"{news.stage} {news.done}/{news.total}" if news.total else news.stage)
            return
        tenth = 10 * news.done // news.total if news.total else 0
        if (news.stage, tenth) != (self._stage, self._tenth):
            self._stage, self._tenth = news.stage, tenth
            self._line(f"{news.stage} {news.done}/{news.total}" if news.total else news.stage)

    def _line(self, text: str) -> None:
        if self.stream.isatty():
            self.stream.write(f"\r\x1b[K{text}")
            self._open = True
        else:
            self.stream.write(f"{text}\n")
        self.stream.flush()

    def close(self) -> None:
        """Leave the changing line behind."""
        if self._open:
            self.stream.write("\n")
            self._open = False


class JobRunner:
    """Runs jobs on an engine of this process, one at a time, for a command that waits for them. ``spare_core`` leaves
    a core to a window that is open beside."""

    def __init__(self, handlers: str, spare_core: bool = False) -> None:
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._engine = Engine(self._events.put, ThreadHost(handlers, spare_core))
        self._ticker = ProgressPrinter()

    def __enter__(self) -> JobRunner:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def run(self, job: Job, hear: Callable[[News], None] | None = None) -> Any:
        """A job's result; ``hear`` is told its news. Raises :class:`JobFailed`, or :class:`Interrupted` after Ctrl-C; a
        second Ctrl-C, for a job that does not listen, ends the program at once."""
        number = self._engine.submit(job)
        creations: list[Creation] = []
        try:
            with _ctrl_c(lambda: self._engine.cancel(number)):
                while True:
                    try:
                        news = self._events.get(timeout=0.5).news
                    except queue.Empty:  # on Windows only a wait that ends lets Ctrl-C in
                        continue
                    if hear:
                        hear(news)
                    if isinstance(news, Progress | Losses):
                        self._ticker(news)
                    elif isinstance(news, Rendered):
                        creations.append(news.creation)
                    elif isinstance(news, Finished):
                        return news.result
                    elif isinstance(news, Failed):
                        raise JobFailed(news)
                    elif isinstance(news, Cancelled):
                        raise Interrupted(tuple(creations))
        finally:
            self._ticker.close()


@contextlib.contextmanager
def _ctrl_c(cancel: Callable[[], None]) -> Iterator[None]:
    """Make Ctrl-C cancel, instead of raising KeyboardInterrupt wherever the program happens to be; twice ends it."""
    pressed = False

    def press(*_: object) -> None:
        nonlocal pressed
        if pressed:
            os._exit(INTERRUPTED)
        pressed = True
        os.write(2, b"\nStopping; press Ctrl-C again to stop at once.\n")
        cancel()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, press)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _json(document: dict[str, Any]) -> str:
    return json_bytes(document, indent=1).decode().rstrip()


def print_answer(answer: Answer, as_json: bool) -> int:
    """Print an answer on stdout; its exit code."""
    if as_json:
        print(_json(answer.document))
    elif answer.text:
        print(answer.text)
    return answer.code


def print_error(error: UserError, as_json: bool, debug: bool = False) -> int:
    """Print a sentence and a hint on stderr, and with ``--json`` the same on stdout; the exit code."""
    print(f"partcraft: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"  {error.hint}", file=sys.stderr)
    details = getattr(error, "details", "")
    if details:
        print(details if debug else "  (with --debug, the traceback is shown)", file=sys.stderr)
    if as_json:
        print(_json({"error": {"message": error.message, "hint": error.hint}}))
    return FAILED
