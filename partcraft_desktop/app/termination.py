"""Ctrl+C in the terminal, or the system's wish to end."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QSocketNotifier

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def close_on_signals(close: Callable[[], object]) -> object:
    """Call ``close`` from Qt's event loop when the process is asked to end. Keep what is returned.

    Not from Python's signal handler, which runs between any two instructions: the window writes its sizes as it closes,
    and would wait for ever for a lock that the interrupted instruction holds (seen with the lock of all thread pools).
    The handlers do nothing, then; their bytes, on a socket, wake Qt up.
    """
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.fileno())
    for number in SIGNALS:
        signal.signal(number, lambda *_: None)
    notifier = QSocketNotifier(woken.fileno(), QSocketNotifier.Type.Read)

    def hear() -> None:
        if set(woken.recv(64)) & set(SIGNALS):
            close()

    notifier.activated.connect(hear)
    return notifier, woken, waker
