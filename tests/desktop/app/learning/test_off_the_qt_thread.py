"""The wizard's verbs, and its pages that show what they did, read and write no file on the Qt thread."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from partcraft_desktop.app.learning.controller import LearningController
from partcraft_desktop.window.main_window import MainWindow
from tests import fakes
from tests.desktop.conftest import WAIT, Opened
from tests.desktop.qt_thread import file_access

ALLOWED = ("/partcraft_desktop/widgets/theme.py:", "/proc/meminfo")
"""The app's own icons, each read before it is first painted; and how much memory is free, which asks no disk."""


@pytest.fixture
def notes(window: MainWindow) -> Iterator[list[str]]:
    """What the Qt thread asks of the file system from when the window is there."""
    with file_access() as notes:
        yield notes


def test_the_verbs_of_the_wizard(
    qtbot: QtBot, window: MainWindow, opened: Opened, tmp_path: Path, notes: list[str]
) -> None:
    pictures = fakes.make_folder(tmp_path / "birds")
    others = fakes.make_folder(tmp_path / "others")
    learning = window.session.learning
    notes.clear()
    learning.begin({}, window.session.state.packs)
    learning.show()
    learning.open_folder(pictures)
    _walk_to_plan(qtbot, learning)
    learning.parts.rename(0, "Rumpf")
    learning.set_plan(title="Birds", rank=8)
    learning.next()
    qtbot.waitUntil(lambda: learning.now.run is not None, timeout=WAIT)
    run = learning.now.draft.run
    learning.pause()
    qtbot.waitUntil(lambda: ("pause", run) in opened.runs.asked, timeout=WAIT)
    opened.runs.tell(run, state="paused")
    qtbot.waitUntil(lambda: learning.now.alive is None, timeout=WAIT)
    learning.resume()
    qtbot.waitUntil(lambda: learning.now.alive is not None, timeout=WAIT)
    opened.runs.tell(run, state="paused")
    qtbot.waitUntil(lambda: learning.now.alive is None, timeout=WAIT)
    learning.start_over()
    learning.open_folder(others)
    _walk_to_plan(qtbot, learning)
    learning.show_run(run)
    qtbot.waitUntil(lambda: learning.now.draft.sorting.parts[:1] != (), timeout=WAIT)
    learning.find_runs()
    learning.discard(run)
    qtbot.waitUntil(lambda: not learning.now.runs, timeout=WAIT)
    undo = opened.messages[-1].action
    assert undo is not None
    undo.run()
    qtbot.waitUntil(lambda: len(learning.now.runs) == 1, timeout=WAIT)
    learning.start_over()
    learning.open_practice()
    qtbot.waitUntil(lambda: learning.now.surveyed is not None, timeout=WAIT)
    learning.hide()
    assert [note for note in notes if not any(allowed in note for allowed in ALLOWED)] == []


def _walk_to_plan(qtbot: QtBot, learning: LearningController) -> None:
    qtbot.waitUntil(lambda: learning.now.reached("parts"), timeout=WAIT)
    learning.next()
    qtbot.waitUntil(lambda: learning.now.sorted, timeout=WAIT)
    learning.next()
    qtbot.waitUntil(lambda: learning.now.measured is not None, timeout=WAIT)
