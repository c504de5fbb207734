"""The child process: reads jobs from its parent, runs them, and speaks their news. Started by ProcessHost.

Between parent and child travel our own dataclasses as pickles on two private, inherited pipes that no other
program can write to. (The rule "never pickle" is about files, which come from anywhere.) The child notices the end
of its parent by the end of its input, and then ends itself.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import pickle
import queue
import signal
import struct
import sys
import threading
from typing import IO, Any, Final

from engine.worker.dispatch import Handlers, failure_of
from engine.worker.inbox import Inbox
from engine.worker.jobs import Evaluating, Job, News, Preview, Progress

HEADER: Final = struct.Struct(">Q")
"""The length in bytes of the pickle that follows."""

Frame = tuple[str, int, Any]
"""A kind ("job", "cancel" to the child; "taken", "begun", "news", "ending" from it), the job's number, a value."""

_Request = tuple[int, Job, threading.Event]


def serve(spec: str) -> int:
    """Be a host: read jobs from the standard input and write news to the standard output, until the input ends."""
    if hasattr(signal, "SIGINT"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the parent, which then cancels
    requests, replies = _take_pipes()
    faulthandler.enable()  # a crash in native code leaves its traceback in the log
    jobs: queue.SimpleQueue[_Request] = queue.SimpleQueue()
    outgoing: Inbox[bytes] = Inbox()
    threading.Thread(target=_listen, args=(requests, jobs), daemon=True).start()
    threading.Thread(target=_speak, args=(replies, outgoing), daemon=True).start()
    handlers = Handlers(spec, spare_core=True)  # the parent is the window
    with contextlib.suppress(Exception):  # told as the ending of the first job, which loads again
        handlers.load()
    while True:
        number, job, stop = jobs.get()
        outgoing.put(to_bytes(("taken", number, None)))

        def send(news: News, number: int = number) -> None:
            outgoing.put(to_bytes(("news", number, news)), newest_key(news))

        def begin(number: int = number) -> None:
            outgoing.put(to_bytes(("begun", number, None)))

        ending = handlers.run(job, send, stop, begin)
        try:
            frame = to_bytes(("ending", number, ending))
        except Exception as error:  # noqa: BLE001 - a result that cannot travel is a failure to be told
            frame = to_bytes(("ending", number, failure_of(error)))
        outgoing.put(frame)


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
        header = requests.read(HEADER.size)
        if len(header) < HEADER.size:
            os._exit(0)  # the parent closed or died: nobody is left to work for
        kind, number, value = pickle.loads(requests.read(*HEADER.unpack(header)))  # noqa: S301 - from our own parent
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


def newest_key(news: News) -> object:
    """What later news of the same key makes worthless while it waits: None keeps them all."""
    if isinstance(news, Preview):
        return ("preview", news.index)
    if isinstance(news, Evaluating):
        return "evaluating"
    return "progress" if isinstance(news, Progress) else None


def to_bytes(message: object) -> bytes:
    """A message as it travels: its length, then its pickle."""
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return HEADER.pack(len(data)) + data
