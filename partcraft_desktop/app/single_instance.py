"""One copy of the app for one data folder: a second start hands its files to the first and leaves."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Final

from PySide6.QtCore import QDir, QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

from engine.core.json_values import read_document

WAIT_MS: Final = 1000
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
    try:
        status = (Path(QDir.tempPath()) / name).lstat()
    except OSError:
        return False
    return stat.S_ISSOCK(status.st_mode) and status.st_uid == os.getuid()


def _make_private(home: Path) -> None:
    with contextlib.suppress(OSError):  # read-only, or another's: the window says so when something is kept there
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o700)


def hand_to_first_instance(home: Path, paths: list[str]) -> bool:
    """Give files to a running copy that keeps its data in ``home``, and bring it forward. False if none runs."""
    if not _is_own(_name(home)):
        return False
    socket = QLocalSocket()
    socket.connectToServer(_name(home))
    if not socket.waitForConnected(WAIT_MS):
        return False
    socket.write(json.dumps(paths).encode() + b"\n")
    answered = socket.waitForBytesWritten(WAIT_MS) and socket.waitForReadyRead(WAIT_MS)
    socket.disconnectFromServer()
    # A copy that hangs does not answer; then this one opens, rather than leaving a person without a window.
    return answered


class SingleInstance(QObject):
    """Listens for second starts. ``asked`` has the files that one was given."""

    asked = Signal(list)

    def __init__(self, home: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        _make_private(home)
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
