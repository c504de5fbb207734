"""A folder becomes a pack without training, in the real window with the fake engine."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.core.paths import packs_dir
from engine.packs.archive import write_archive
from engine.packs.pack import Pack
from partcraft_desktop.app.learning.controller import LearningController
from partcraft_desktop.app.session import Session
from partcraft_desktop.models.models_dialog import ModelsDialog
from partcraft_desktop.window.main_window import MainWindow
from partcraft_desktop.wizard.plan_page import PlanPage
from tests import fakes
from tests.desktop.conftest import WAIT, Opened, said

DINOV2 = "facebook/dinov2-small"


@pytest.fixture
def learning(session: Session) -> LearningController:
    return session.learning


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fakes.make_folder(tmp_path / "pictures" / "garden birds")


def to_parts(qtbot: QtBot, learning: LearningController, folder: Path) -> None:
    learning.open_folder(folder)
    qtbot.waitUntil(lambda: learning.now.reached("parts"), timeout=WAIT)
    learning.next()
    qtbot.waitUntil(lambda: learning.now.sorted, timeout=WAIT)


def test_parts_become_a_pack_that_can_be_mixed_and_trained_later(
    qtbot: QtBot, window: MainWindow, session: Session, learning: LearningController, folder: Path
) -> None:
    to_parts(qtbot, learning, folder)
    wizard = window.wizard
    assert wizard is not None and wizard.mix.isVisible() and not wizard.next.property("primary")
    assert learning.parts.rename(3, "Kopf") is None
    qtbot.waitUntil(lambda: learning.now.sorted, timeout=WAIT)
    wizard.mix.click()
    qtbot.waitUntil(lambda: not wizard.isVisible(), timeout=WAIT)
    qtbot.waitUntil(lambda: session.state.pack is not None and not session.state.pack.trained, timeout=WAIT)
    pack = session.state.pack
    assert pack is not None and pack.path.parent == packs_dir() and pack.vocabulary.parts[3].name == "Kopf"
    first, second = pack.references[:2]
    session.choose(3, first.codes[3], first.id)
    session.choose(1, second.codes[1], second.id)
    qtbot.waitUntil(lambda: session.state.creature.collage is not None, timeout=WAIT)
    composer = window.composer
    assert not composer.render_button.isEnabled() and "not trained" in composer.why.text()
    assert composer.train.isVisible()
    # Asked for once more without a change, the same pack opens.
    learning.show()
    wizard.mix.click()
    qtbot.waitUntil(lambda: not wizard.isVisible(), timeout=WAIT)
    assert len(list(packs_dir().iterdir())) == 2  # the fixture's own, and this one
    learning.start_over()
    composer.train.click()
    qtbot.waitUntil(lambda: wizard.isVisible() and learning.now.draft.page == "plan", timeout=WAIT)
    qtbot.waitUntil(lambda: learning.now.measured is not None, timeout=WAIT)
    assert [part.name for part in learning.now.draft.sorting.parts][3] == "Kopf"


def test_photographs_are_not_trained_on_the_starters_base(
    qtbot: QtBot, window: MainWindow, learning: LearningController, folder: Path, script: Callable[..., None]
) -> None:
    script(findparts={"eyes_here": ["starter/eyes", DINOV2]})
    to_parts(qtbot, learning, folder)
    learning.next()
    wizard = window.wizard
    assert wizard is not None
    page = wizard.page(PlanPage)
    assert page.unfit.isVisible() and "drawn birds" in page.unfit.message.text()
    assert not page.cards.isVisible() and not wizard.next.isEnabled() and wizard.mix.isVisible()
    page.unfit.out.click()
    models = QApplication.activeModalWidget()
    assert isinstance(models, ModelsDialog)
    qtbot.waitUntil(lambda: bool(models.rows), timeout=WAIT)
    assert models.focusWidget() is models.rows["stable-diffusion-v1-5/stable-diffusion-v1-5"].fetch
    models.finish.click()
    assert page.isVisible() and page.unfit.isVisible(), "back where it began"
    learning.learn()
    assert learning.now.run is None and learning.now.measured is None and not learning.now.jobs
    assert page.unfit.out.isVisible() and "Get a base model" in page.unfit.out.text()
    learning.parts.set_eyes("starter/eyes")
    qtbot.waitUntil(lambda: learning.now.sorted and not learning.now.jobs, timeout=WAIT)
    assert page.unfit.isVisible() and not wizard.next.isEnabled(), "other eyes make no drawings of them"


def test_drawn_birds_are_trained_on_the_starters_base_whoever_looks(
    qtbot: QtBot, window: MainWindow, learning: LearningController, folder: Path, script: Callable[..., None]
) -> None:
    script(findparts={"eyes_here": [DINOV2, "starter/eyes"]})
    to_parts(qtbot, learning, folder)
    learning.parts.set_eyes(DINOV2)
    qtbot.waitUntil(lambda: learning.now.sorted and not learning.now.jobs, timeout=WAIT)
    learning.next()
    wizard = window.wizard
    assert wizard is not None and learning.now.parts_found is not None and learning.now.parts_found.eyes == DINOV2
    page = wizard.page(PlanPage)
    assert not page.unfit.isVisible() and page.cards.isVisible()
    assert wizard.next.isEnabled() and not wizard.mix.isVisible()


def test_where_another_base_is_here_photographs_are_offered_it(
    qtbot: QtBot,
    window: MainWindow,
    learning: LearningController,
    folder: Path,
    script: Callable[..., None],
    home: Path,
) -> None:
    (fakes.make_base_config(home / "models" / "paints-all") / "model_index.json").write_text("{}")
    script(findparts={"familiar": False})
    to_parts(qtbot, learning, folder)
    learning.set_plan(base_model="starter/base")
    learning.next()
    qtbot.waitUntil(lambda: len(learning.now.base_models) > 1, timeout=WAIT)
    wizard = window.wizard
    assert wizard is not None
    page = wizard.page(PlanPage)
    assert page.unfit.isVisible() and "choose another base model above" in page.unfit.hint.text()
    assert not page.unfit.out.isVisible()
    learning.set_plan(base_model=next(base for base in learning.now.base_models if base != "starter/base"))
    assert not page.unfit.isVisible() and page.cards.isVisible()


def test_photographs_that_the_starters_eyes_stand_in_for_are_not_trained_either(
    qtbot: QtBot, window: MainWindow, learning: LearningController, folder: Path, script: Callable[..., None]
) -> None:
    script(findparts={"eyes_wanted": DINOV2})
    to_parts(qtbot, learning, folder)
    assert learning.now.parts_found is not None and learning.now.parts_found.eyes == "starter/eyes"
    assert not learning.now.base_fits


def test_a_pack_that_cannot_be_made_is_told_on_the_page(
    qtbot: QtBot, window: MainWindow, learning: LearningController, folder: Path, script: Callable[..., None]
) -> None:
    to_parts(qtbot, learning, folder)
    script(discover={"fail": ["The disk is full.", "Make room."]})
    learning.mix.found()
    qtbot.waitUntil(lambda: "parts" in learning.now.errors, timeout=WAIT)
    assert learning.now.errors["parts"].hint == "Make room." and "mix" not in learning.now.jobs
    script()
    learning.mix.found()
    qtbot.waitUntil(lambda: not learning.now.shown, timeout=WAIT)


def test_who_leaves_while_the_pack_is_made_is_not_taken_away(
    qtbot: QtBot,
    session: Session,
    learning: LearningController,
    folder: Path,
    opened: Opened,
    script: Callable[..., None],
) -> None:
    to_parts(qtbot, learning, folder)
    before = session.state.pack
    script(discover={"delay": 0.05})
    learning.mix.found()
    learning.hide()
    qtbot.waitUntil(lambda: said(opened, "is ready to mix"), timeout=WAIT)
    assert session.state.pack == before
    action = next(message.action for message in opened.messages if "ready to mix" in message.text)
    assert action is not None
    action.run()
    qtbot.waitUntil(lambda: session.state.pack is not None and not session.state.pack.trained, timeout=WAIT)


def test_the_draft_lies_with_the_pack_and_does_not_travel(
    qtbot: QtBot, session: Session, learning: LearningController, folder: Path, tmp_path: Path
) -> None:
    to_parts(qtbot, learning, folder)
    learning.mix.found()
    qtbot.waitUntil(lambda: session.state.pack is not None and not session.state.pack.trained, timeout=WAIT)
    pack = session.state.pack
    assert pack is not None and (pack.path / "draft.json").is_file()
    with zipfile.ZipFile(write_archive(Pack.open(pack.path), tmp_path / "out.partpack")) as archive:
        assert "draft.json" not in archive.namelist() and "pack.json" in archive.namelist()
