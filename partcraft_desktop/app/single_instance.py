"""One copy of the app for one data folder: a second start hands its files to the first and leaves."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import time
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout
from PySide6.QtCore import QDir, QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

from engine.core.json_values import read_document
from engine.core.on_disk import status_of
from engine.core.paths import make_home

WAIT_MS: Final = 1000

ANSWER_MS: Final = 10_000
"""How long a copy has to answer: one that starts listens before it can hear, one that hangs never answers."""

START_S: Final = 60.0
"""How long a copy may take from its first moment until it listens."""

LOCK: Final = ".lock"

LONGEST_MESSAGE: Final = 1 << 20
"""Bytes that a second start may send: more is nothing that a person opened."""

_LONGEST_PATH: Final = 70  # a socket's path has 107 bytes at most, and Qt first makes one beside it with a longer name


def _name(home: Path) -> str:
    """The socket: in the app's own folder, which nobody else may enter; by name alone where that path is too long."""
    name = "partcraft-" + hashlib.sha256(os.fsencode(home.absolute())).hexdigest()[:16]
    own = os.fsencode(home.absolute() / ".socket")
    return os.fsdecode(own) if os.name == "posix" and len(own) <= _LONGEST_PATH else name


def _is_own(name: str) -> bool:
    """Whether the socket is this user's: another may have taken the name first, to be handed the files."""
    if os.name != "posix":
        return True
    status = status_of(Path(QDir.tempPath()) / name, follow=False)
    return status is not None and stat.S_ISSOCK(status.st_mode) and status.st_uid == os.getuid()


def _make_home(home: Path) -> None:
    with contextlib.suppress(OSError):  # read-only, or another's: the window says so when something is kept there
        make_home(home)


class InstanceLock:
    """Held by the one copy for a data folder from its first moment, long before it listens, until all is saved. The
    system lets go of it when the program dies."""

    def __init__(self, home: Path) -> None:
        self._home = home
        # A soft lock, filelock's way out where a disk knows no flock, would outlive a program that was killed.
        self._lock = FileLock(home / LOCK, blocking=False, fallback_to_soft=False)

    def take(self) -> bool:
        """Whether no other copy holds it; also where none can be had, as on a disk without locks."""
        _make_home(self._home)
        try:
            self._lock.acquire()
        except Timeout:
            return False
        except (OSError, NotImplementedError):
            return True
        return True

    def release(self) -> None:
        """Let another copy take it."""
        self._lock.release()


def become_first(home: Path, paths: list[str]) -> InstanceLock | None:
    """Become the one copy that keeps its data in ``home``: what holds that place. None if another has taken the files:
    one that runs, or that began a moment ago and is waited for."""
    lock = InstanceLock(home)
    latest = time.monotonic() + START_S
    while not (is_first := lock.take()) and time.monotonic() < latest:
        answered = _ask(home, paths)
        if answered is not None:
            # A copy that hangs does not answer; then this one opens, rather than leaving a person without a window.
            return None if answered else lock
        time.sleep(0.1)
    # A version without the lock may run.
    return None if is_first and hand_to_first_instance(home, paths) else lock


def hand_to_first_instance(home: Path, paths: list[str]) -> bool:
    """Give files to a running copy that keeps its data in ``home``, and bring it forward. False if none runs."""
    return _ask(home, paths) is True


def _ask(home: Path, paths: list[str]) -> bool | None:
    """Give files to a running copy: whether it has taken them. None if there is none, or it just ends."""
    if not _is_own(_name(home)):
        return None
    socket = QLocalSocket()
    socket.connectToServer(_name(home))
    if not socket.waitForConnected(WAIT_MS):
        return None
    socket.write(json.dumps(paths).encode() + b"\n")
    answered = socket.waitForBytesWritten(WAIT_MS) and socket.waitForReadyRead(ANSWER_MS)
    ended = socket.state() is QLocalSocket.LocalSocketState.UnconnectedState
    socket.disconnectFromServer()
    return True if answered else None if ended else False


class SingleInstance(QObject):
    """Listens for second starts. ``asked`` has the files that one was given."""

    asked = Signal(list)

    def __init__(self, home: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        _make_home(home)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        if not self._server.listen(_name(home)):
            # Left behind by a copy that was killed; hand_over has just found that nobody answers there.
            QLocalServer.removeServer(_name(home))
            self._server.listen(_name(home))
        self._server.newConnection.connect(self._meet)

    def close(self) -> None:
        """Listen no more."""
        self._server.close()

    def _meet(self) -> None:
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.setReadBufferSize(LONGEST_MESSAGE)
            socket.readyRead.connect(lambda socket=socket: self._hear(socket))
            socket.disconnected.connect(socket.deleteLater)
            if socket.canReadLine():
                self._hear(socket)

    def _hear(self, socket: QLocalSocket) -> None:
        if not socket.canReadLine():
            if socket.bytesAvailable() >= LONGEST_MESSAGE:
                socket.disconnectFromServer()
            return
        try:
            paths = read_document(bytes(socket.readLine().data()).decode())
        except ValueError:
            return  # Not one of ours.
        socket.write(b"ok\n")
        socket.flush()
        if isinstance(paths, list):
            self.asked.emit([path for path in paths if isinstance(path, str)])
