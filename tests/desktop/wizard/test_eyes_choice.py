"""The Parts page says which eyes look, lets one choose others, and fetches those that are wanted and not here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from partcraft_desktop.app.learning import planning
from partcraft_desktop.app.learning.controller import LearningController
from partcraft_desktop.app.learning.draft import Draft
from partcraft_desktop.window.main_window import MainWindow
from partcraft_desktop.wizard.eyes_choice import EyesChoice
from partcraft_desktop.wizard.parts_page import PartsPage
from tests import fakes
from tests.desktop.conftest import WAIT

DINO = "facebook/dinov2-small"


@pytest.fixture
def learning(window: MainWindow) -> LearningController:
    return window.session.learning


def choice_on(qtbot: QtBot, window: MainWindow, folder: Path) -> EyesChoice:
    """The choice on the Parts page, once parts were found."""
    learning = window.session.learning
    learning.show()
    assert window.wizard is not None
    learning.open_folder(folder)
    qtbot.waitUntil(window.wizard.next.isEnabled, timeout=WAIT)
    window.wizard.next.click()
    qtbot.waitUntil(lambda: learning.now.sorted, timeout=WAIT)
    return window.wizard.page(PartsPage).eyes


def pick(choice: EyesChoice, eyes: str) -> None:
    index = choice.choice.findData(eyes)
    assert index >= 0
    choice.choice.setCurrentIndex(index)
    choice.choice.activated.emit(index)


def test_other_eyes_can_be_chosen_and_are_kept(
    qtbot: QtBot, window: MainWindow, learning: LearningController, tmp_path: Path, script: Callable[..., None]
) -> None:
    script(findparts={"eyes_here": ["starter/eyes", "mine/eyes", DINO]})
    choice = choice_on(qtbot, window, fakes.make_folder(tmp_path / "birds"))
    texts = [choice.choice.itemText(index) for index in range(choice.choice.count())]
    assert texts[0] == "Those that fit: DINOv2" and texts[2] == "mine/eyes" and "photographs" in texts[3]
    assert choice.reason.text() == f"{DINO} fits." and not choice.get.isVisible() and choice.choice.accessibleName()
    assert planning.discover_job(learning.now, "out").eyes == DINO, "the pack gets the eyes that found its parts"
    pick(choice, "starter/eyes")
    assert choice.isVisible(), "also while they look"
    qtbot.waitUntil(lambda: learning.now.sorted, timeout=WAIT)
    assert learning.now.parts_found is not None and learning.now.parts_found.eyes == "starter/eyes"
    assert choice.choice.currentData() == "starter/eyes" and choice.choice.itemText(0) == "Those that fit"
    assert planning.discover_job(learning.now, "out").eyes == "starter/eyes"
    assert Draft.from_document(learning.now.draft.to_document()).eyes == "starter/eyes"
    pick(choice, "")
    qtbot.waitUntil(lambda: learning.now.sorted, timeout=WAIT)
    assert planning.discover_job(learning.now, "out").eyes == DINO


def test_eyes_that_do_not_open_leave_the_choice(
    qtbot: QtBot, window: MainWindow, learning: LearningController, tmp_path: Path, script: Callable[..., None]
) -> None:
    script(findparts={"eyes_here": ["starter/eyes", "mine/eyes"]})
    choice = choice_on(qtbot, window, fakes.make_folder(tmp_path / "birds"))
    script(findparts={"fail": ["The model in mine/eyes cannot be used as eyes.", "Get it again."]})
    pick(choice, "starter/eyes")
    qtbot.waitUntil(lambda: "parts" in learning.now.errors, timeout=WAIT)
    assert choice.isVisible() and choice.choice.isEnabled()
    script(findparts={"eyes_here": ["starter/eyes", "mine/eyes"]})
    pick(choice, "")
    qtbot.waitUntil(lambda: learning.now.sorted, timeout=WAIT)
    assert "parts" not in learning.now.errors


def test_missing_eyes_are_fetched_and_used(
    qtbot: QtBot, window: MainWindow, learning: LearningController, tmp_path: Path, script: Callable[..., None]
) -> None:
    wanted = {"findparts": {"eyes_wanted": DINO}}
    script(**wanted, geteyes={"fail": ["The eyes could not be fetched.", "Check the connection."]})
    choice = choice_on(qtbot, window, fakes.make_folder(tmp_path / "birds"))
    qtbot.waitUntil(choice.get.isVisible, timeout=WAIT)
    choice.get.setFocus()
    qtbot.keyClick(choice.get, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: "parts" in learning.now.errors, timeout=WAIT)
    assert learning.now.errors["parts"].message == "The eyes could not be fetched."
    assert learning.now.sorted and choice.get.isEnabled(), "what was found stays, and it is offered again"
    script(**wanted)
    choice.get.click()
    qtbot.waitUntil(
        lambda: learning.now.sorted and learning.now.parts_found is not None and learning.now.parts_found.eyes == DINO,
        timeout=WAIT,
    )
    assert not choice.get.isVisible() and choice.reason.text() == f"{DINO} fits."


def test_more_for_a_pack_has_no_choice(
    qtbot: QtBot, window: MainWindow, learning: LearningController, tmp_path: Path, script: Callable[..., None]
) -> None:
    script(findparts={"eyes_here": ["starter/eyes", DINO]})
    choice = choice_on(qtbot, window, fakes.make_folder(tmp_path / "birds"))
    qtbot.waitUntil(lambda: bool(learning.now.extendable), timeout=WAIT)
    learning.back()
    learning.extend(str(learning.now.extendable[0].path))
    learning.next()
    qtbot.waitUntil(lambda: learning.now.sorted, timeout=WAIT)
    assert not choice.isVisible() and planning.discover_job(learning.now, "out").eyes == ""


def test_a_damaged_draft_has_no_eyes() -> None:
    assert Draft.from_document({"eyes": ["x"]}).eyes == ""
