"""The socket of second starts: private, not another's, bounded."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtNetwork import QLocalSocket

from partcraft_desktop.app import single_instance
from partcraft_desktop.app.single_instance import LONGEST_MESSAGE, SingleInstance, hand_to_first_instance

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sockets as files")


@pytest.fixture
def short() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pc-") as folder:
        yield Path(folder)


def test_home_and_socket_are_private(short: Path, qtbot: object) -> None:
    short.chmod(0o755)
    first = SingleInstance(short)
    assert stat.S_IMODE(short.stat().st_mode) == 0o700
    assert stat.S_ISSOCK((short / ".socket").stat().st_mode)
    first.close()


def test_anothers_socket_is_handed_nothing(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(str(short / ".socket"))
        taken.listen()
        taken.settimeout(0.2)
        monkeypatch.setattr(single_instance.os, "getuid", lambda: os.geteuid() + 1)
        assert not hand_to_first_instance(short, ["private.png"])
        with pytest.raises(TimeoutError):
            taken.accept()


@pytest.mark.parametrize("message", [b"x" * (2 * LONGEST_MESSAGE), b"[" * 100_000 + b"\n"])
def test_absurd_messages_open_nothing_and_the_next_is_heard(short: Path, qtbot, message: bytes) -> None:  # type: ignore[no-untyped-def]
    first = SingleInstance(short)
    asked: list[list[str]] = []
    first.asked.connect(asked.append)
    with socket.socket(socket.AF_UNIX) as rude, socket.socket(socket.AF_UNIX) as polite:
        for one in (rude, polite):
            one.connect(str(short / ".socket"))
            one.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            rude.send(message)
        polite.send(b'["a.png"]\n')
        qtbot.waitUntil(lambda: asked == [["a.png"]])
    qtbot.waitUntil(lambda: not first.findChildren(QLocalSocket))
    first.close()
