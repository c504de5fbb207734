"""How long one waits for the hub, how often one asks again, and how one stops waiting at once."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass
from typing import Final

import httpx2


class Stopped(Exception):
    """A fetch was asked to stop. What it has is kept."""


@dataclass(frozen=True)
class Patience:
    """How often to ask again after failures in a row (``tries``) in which nothing came, how long to wait before that
    (``first`` seconds, then twice as long each time, ``longest`` at most), how long a wait may be that the hub asks
    for (``most_asked``), and how long a line may be silent (``silence``)."""

    tries: int = 5
    first: float = 1.0
    longest: float = 30.0
    most_asked: float = 300.0
    silence: float = 20.0


PATIENT: Final = Patience()
"""Somebody who has time."""


class Waiting:
    """One wait for the hub, of a certain patience, which another thread can end."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self.resting = False
        """Whether it waits just now before asking again."""
        self._stop = threading.Event()
        self._failures = 0
        self._answer: httpx2.Response | None = None

    def again(self, asked: float | None = None) -> bool:
        """Wait before asking again, as long as was ``asked`` for; whether it is worth it. Raises :class:`Stopped`."""
        patience = self.patience
        self._failures += 1
        if self._failures > patience.tries or (asked is not None and asked > patience.most_asked):
            return False
        usual = min(patience.longest, patience.first * 2 ** (self._failures - 1))
        self.resting = True
        try:
            if self._stop.wait(usual if asked is None else asked):
                raise Stopped
        finally:
            self.resting = False
        return True

    def gained(self) -> None:
        """Something came: failures are counted anew."""
        self._failures = 0

    def check(self) -> None:
        """Raise :class:`Stopped` if it was asked for."""
        if self._stop.is_set():
            raise Stopped

    def listen(self, answer: httpx2.Response) -> None:
        """Say which answer is being read, so that :meth:`stop` can end that, too."""
        self._answer = answer

    def stop(self) -> None:
        """End waiting and reading, from another thread: a read that waits for a silent server is woken up."""
        self._stop.set()
        stream = self._answer.extensions.get("network_stream") if self._answer is not None else None
        line = stream.get_extra_info("socket") if stream is not None else None
        if isinstance(line, socket.socket):
            with contextlib.suppress(OSError):  # it has ended by itself
                line.shutdown(socket.SHUT_RDWR)
