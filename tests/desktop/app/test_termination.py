"""The process is asked to end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from concurrent.futures import thread

import pytest
from pytestqt.qtbot import QtBot

from partcraft_desktop.app.termination import SIGNALS, close_on_signals


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
