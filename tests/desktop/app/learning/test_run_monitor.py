"""Trainings watched: what is read, and that it is read by one poll at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from engine.runs.run import Run
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.learning.run_monitor import RunMonitor
from tests import fakes
from tests.desktop.conftest import WAIT


class SlowRuns(fakes.FakeRuns):
    """Runs whose reading takes until the test lets it go on; counts how many read at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.reading = 0
        self.most_reading = 0
        self.reads = 0
        self._lock = threading.Lock()

    def read(self, folder: str, /) -> Run:
        with self._lock:
            self.reading += 1
            self.reads += 1
            self.most_reading = max(self.most_reading, self.reading)
        assert self.go_on.wait(WAIT / 1000)
        with self._lock:
            self.reading -= 1
        return super().read(folder)

    def runs(self) -> list[Run]:
        return list(self.known.values())


@pytest.fixture
def readers() -> Iterator[BackgroundReader]:
    made = BackgroundReader(threads=3)
    yield made
    made.close()


@pytest.fixture
def runs() -> Iterator[SlowRuns]:
    made = SlowRuns()
    made.known["/run"] = Run("/run", "Birds", state="running", steps=10)
    yield made
    made.go_on.set()


def test_two_polls_never_overlap(qtbot: QtBot, readers: BackgroundReader, runs: SlowRuns) -> None:
    monitor = RunMonitor(runs, readers)
    monitor.find()
    qtbot.waitUntil(lambda: bool(monitor.known), timeout=WAIT)
    monitor.wish("/run", "stop")  # once it is asked for, the run is read, to see what it does about it
    qtbot.waitUntil(lambda: runs.reading == 1, timeout=WAIT)
    # Other things that are asked for land while the poll is under way; each wants to poll, too.
    for _ in range(2):
        with qtbot.waitSignals([monitor.changed] * 2, timeout=WAIT):
            monitor.wish("/run", "stop")
    # What was asked of the readers before this has begun by the time this lands.
    landed: list[object] = []
    readers.ask(lambda: None, landed.append, monitor)
    qtbot.waitUntil(lambda: bool(landed), timeout=WAIT)
    assert runs.most_reading == 1
    runs.go_on.set()
    runs.tell("/run", state="stopped")
    qtbot.waitUntil(lambda: monitor.known[0].state == "stopped", timeout=WAIT)
    monitor.close()


def test_a_poll_that_fails_is_told_and_the_next_one_reads(
    qtbot: QtBot, readers: BackgroundReader, runs: SlowRuns
) -> None:
    runs.go_on.set()
    monitor = RunMonitor(runs, readers)
    monitor.find()
    qtbot.waitUntil(lambda: bool(monitor.known), timeout=WAIT)
    run = runs.known.pop("/run")  # reading it raises what nobody foresaw
    with qtbot.waitSignal(monitor.failed, timeout=WAIT):
        monitor.wish("/run", "pause")
    runs.known["/run"] = run
    runs.tell("/run", state="paused")
    monitor.wish("/run", "pause")
    qtbot.waitUntil(lambda: monitor.known[0].state == "paused", timeout=WAIT)
    monitor.close()
