"""Finished trainings are found again in the pack's menu, with their last page."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from engine.runs.run import Run
from partcraft_desktop.library.pack_menu import finished_text
from partcraft_desktop.window.main_window import MainWindow
from partcraft_desktop.wizard.done_page import DonePage
from tests import fakes
from tests.desktop.conftest import WAIT, Opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fakes.make_folder(tmp_path / "birds", ("Cardinal", "Ёжик"), 4)


def learn(qtbot: QtBot, opened: Opened, folder: Path) -> str:
    learning = opened.session.learning
    learning.open_folder(folder)
    qtbot.waitUntil(lambda: learning.now.has_pictures, timeout=WAIT)
    learning.next()
    qtbot.waitUntil(lambda: learning.now.sorted, timeout=WAIT)
    learning.next()
    qtbot.waitUntil(lambda: learning.now.measured is not None, timeout=WAIT)
    learning.next()
    qtbot.waitUntil(lambda: learning.now.run is not None, timeout=WAIT)
    return learning.now.draft.run


def test_a_finished_training_opens_its_last_page(
    qtbot: QtBot, window: MainWindow, opened: Opened, folder: Path
) -> None:
    learning = opened.session.learning
    run = learn(qtbot, opened, folder)
    opened.runs.learned(run, 8)
    opened.runs.finish(run, match_rate=0.83)
    qtbot.waitUntil(lambda: (now := learning.now.run) is not None and now.state == "finished", timeout=WAIT)
    learning.start_over()
    learning.hide()
    assert not learning.now.shown and learning.now.draft.run == ""

    window.library._show_menu()
    finished = window.library.findChild(QMenu, "finished")
    assert finished is not None
    (entry,) = finished.actions()
    assert entry.text() == "Birds: 8 steps, match rate 0.83"
    entry.trigger()
    assert learning.now.shown and learning.now.draft.page == "done" and learning.now.draft.run == run
    page = window.findChild(DonePage)
    assert page is not None
    qtbot.waitUntil(lambda: "0.83" in page.rate.text(), timeout=WAIT)
    assert page.isVisible() and page.title.text() == "“Birds” is ready"


def test_an_ampersand_in_a_title_is_no_shortcut() -> None:
    assert finished_text(Run("there", "Cats & dogs", step=1)) == "Cats && dogs: 1 step"
