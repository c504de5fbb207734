"""The process is asked to end."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import thread
from pathlib import Path

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from partcraft_desktop.app import settings
from partcraft_desktop.app.termination import SIGNALS, close_on_signals
from tests.conftest import REPOSITORY


@pytest.fixture
def asked_to_close() -> Iterator[list[str]]:
    """One entry for each time that the window was asked to close."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    asked: list[str] = []

    def close() -> None:
        with thread._global_shutdown_lock:  # pyright: ignore[reportAttributeAccessIssue]
            asked.append("close")

    kept = close_on_signals(close)
    yield asked
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)
    del kept


@pytest.mark.skipif(sys.platform == "win32", reason="raises SIGTERM in its own process")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_closes_the_window_when_qt_is_back(
    qtbot: QtBot, asked_to_close: list[str], number: signal.Signals
) -> None:
    with thread._global_shutdown_lock:  # pyright: ignore[reportAttributeAccessIssue] - as inside any pool's submit()
        signal.raise_signal(number)
        assert asked_to_close == [], "nothing is closed in the middle of an instruction"
    qtbot.waitUntil(lambda: asked_to_close == ["close"])


@pytest.mark.parametrize(("seconds", "code"), [(0.01, 0), (600, 5)])
def test_a_thread_that_hangs_keeps_no_program_open(seconds: float, code: int) -> None:
    program = f"""
import threading, time
from partcraft_desktop.app.termination import leave_hanging_threads
threading.Thread(target=time.sleep, args=({seconds},)).start()
print("all is saved")
leave_hanging_threads(5, 1)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=REPOSITORY)
    assert (done.returncode, done.stdout, done.stderr) == (code, "all is saved\n", "")


def test_a_drive_that_hangs_is_not_waited_for_to_write_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    goes_on, parent = threading.Event(), QObject()
    monkeypatch.setattr(settings, "LONGEST_S", 0.05)
    monkeypatch.setattr(settings, "write_bytes", lambda *_: goes_on.wait(60))
    writer = settings.FileWriter(tmp_path / "settings.json", "the settings", parent)
    writer.write({})
    writer.flush()
    writer.close()
    assert not goes_on.is_set()
    goes_on.set()
