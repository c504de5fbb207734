"""A process forked from this one, which has imported the libraries already, and the lines that it says."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch

PATIENCE_S: Final = 900.0
"""Seconds after which a child has hung; the machine may be busy."""


class Child:
    """A target in a process of its own, and the lines that it has said so far."""

    def __init__(self, home: Path, target: Callable[..., int], *words: Any) -> None:
        reading, writing = os.pipe()
        sys.stdout.flush()
        self.log = home.parent / "child.log"
        self.pid = os.fork()
        if self.pid == 0:
            _be_child(home, reading, writing, self.log, target, words)
        os.close(writing)
        self._pipe, self._rest, self.lines = reading, b"", list[str]()
        self.open, self.code = True, None

    def read(self, seconds: float) -> bool:
        """Hear what is said within some time; whether there may be more."""
        if self.open and select.select([self._pipe], [], [], seconds)[0]:
            data = os.read(self._pipe, 1 << 16)
            *whole, self._rest = (self._rest + data).split(b"\n")
            self.lines += [os.fsdecode(line) for line in whole]
            self.open = bool(data)
        return self.open

    def until(self, word: str, seconds: float = PATIENCE_S) -> str | None:
        """The first line that begins with a word; None if the child ends or time is up before."""
        seen, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            for line in self.lines[seen:]:
                if line.startswith(word):
                    return line
            seen = len(self.lines)
            if not self.read(0.05) and seen == len(self.lines):
                return None
        return None

    def live(self, seconds: float) -> None:
        """Let it work."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.read(max(0.0, end - time.monotonic())):
            pass

    def end(self, kill: bool) -> int:
        """Kill it, or wait for it; its exit code (negative: the signal) once all it said is heard."""
        if kill:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        end = time.monotonic() + PATIENCE_S
        while self.read(0.2):
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        os.close(self._pipe)
        return os.waitstatus_to_exitcode(status)

    @property
    def said(self) -> str:
        """What it wrote to its standard error, the last of it."""
        return self.log.read_text("utf-8", "replace")[-3000:] if self.log.is_file() else ""

    def paths(self, word: str) -> set[str]:
        return {line.partition(" ")[2] for line in self.lines if line.startswith(word + " ")}


def _be_child(
    home: Path, reading: int, writing: int, log: Path, target: Callable[..., int], words: tuple[Any, ...]
) -> None:
    code = 70
    try:
        os.close(reading)
        errors = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(errors, 1)
        os.dup2(errors, 2)
        os.environ["PARTCRAFT_HOME"] = str(home)
        torch.set_num_threads(1)
        code = target(home, lambda line: os.write(writing, os.fsencode(line) + b"\n"), *words)
    except BaseException:  # noqa: BLE001 - whatever it is: it is a fault, and told by the exit code
        traceback.print_exc()
    finally:
        os._exit(code)
