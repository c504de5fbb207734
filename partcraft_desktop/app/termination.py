"""The end of the program: Ctrl+C in the terminal, the system's wish to end, and threads that never do."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QSocketNotifier

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

GRACE_S: Final = 3.0
"""How long threads that only read may go on when all is saved."""


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


def leave_hanging_threads(code: int, grace: float = GRACE_S) -> None:
    """End the process with ``code`` if other threads than this one still work after ``grace`` seconds.

    Python waits at its end for every thread, and one that reads from a drive that hangs would keep a program without
    a window for as long. To be called when all is saved.
    """
    until = time.monotonic() + grace
    others = [thread for thread in threading.enumerate() if thread is not threading.current_thread()]
    waited_for = [thread for thread in others if not thread.daemon]
    for thread in waited_for:
        thread.join(max(0.0, until - time.monotonic()))
    if any(thread.is_alive() for thread in waited_for):
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # none where there is no console
                stream.flush()
        os._exit(code)
