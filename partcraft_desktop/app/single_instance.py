"""One copy of the app for one data folder: a second start hands its files to the first and leaves."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

WAIT_MS: Final = 1000


def _name(home: Path) -> str:
    return "partcraft-" + hashlib.sha256(str(home.absolute()).encode()).hexdigest()[:16]


def hand_to_first_instance(home: Path, paths: list[str]) -> bool:
    """Give files to a running copy that keeps its data in ``home``, and bring it forward. False if none runs."""
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
            socket.readyRead.connect(lambda socket=socket: self._hear(socket))
            socket.disconnected.connect(socket.deleteLater)
            if socket.canReadLine():
                self._hear(socket)

    def _hear(self, socket: QLocalSocket) -> None:
        if not socket.canReadLine():
            return
        try:
            paths = json.loads(bytes(socket.readLine().data()))
        except ValueError:
            return  # Not one of ours.
        socket.write(b"ok\n")
        socket.flush()
        if isinstance(paths, list):
            self.asked.emit([path for path in paths if isinstance(path, str)])
