"""The journeys as a person makes them: the real window, mouse and keys only.

The engine is the fake one, but in the last journey: there everything is real, on the starter's models.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget
from pytestqt.qtbot import QtBot

from engine.core.paths import resources_dir, starter_pack
from engine.core.png_metadata import read_creation
from engine.packs.library import PackLibrary
from engine.worker.engine import Engine
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.settings import Settings
from partcraft_desktop.gallery.viewer import Viewer
from partcraft_desktop.window.main_window import MainWindow
from partcraft_desktop.wizard.done_page import DonePage
from tests.desktop.conftest import (
    WAIT,
    Opened,
    open_session,
    opened,
    pack,
    prompt_text,
    script,
    session,
    themed,
    window,
)

__all__ = ["open_session", "opened", "pack", "script", "session", "themed", "window"]

WING, HEAD = 1, 3


def click_part(qtbot: QtBot, window: MainWindow, part: int) -> None:
    canvas = window.view.canvas
    qtbot.waitUntil(lambda: canvas.centre_of(part) is not None, timeout=WAIT)
    at = canvas.centre_of(part)
    assert at is not None
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=at)


def click_tile(qtbot: QtBot, window: MainWindow, title: str) -> None:
    model = window.library.model
    row = next(row for row, tile in enumerate(model.tiles) if tile.title == title)
    window.library.wall.scrollTo(model.index(row))
    at = window.library.wall.visualRect(model.index(row)).center()
    shown: list[str] = []
    window.view.shown.connect(shown.append)
    qtbot.mouseClick(window.library.wall.viewport(), Qt.MouseButton.LeftButton, pos=at)
    qtbot.waitUntil(lambda: bool(shown) and window.view.canvas.centre_of(0) is not None, timeout=WAIT)


def press(window: QWidget, name: str) -> None:
    found = [b for b in window.findChildren(QAbstractButton) if b.accessibleName() == name and b.isVisible()]
    assert len(found) == 1, f"{len(found)} buttons called {name}"
    assert found[0].isEnabled(), name
    found[0].click()


def test_pick_render_use_again(qtbot: QtBot, window: MainWindow, session: Session, opened: Opened) -> None:
    """A head of one, a wing of another, Render: a creation whose file names them, and that can be made again."""
    click_tile(qtbot, window, "Snowy Owl")
    click_part(qtbot, window, HEAD)
    click_tile(qtbot, window, "Kiwi")
    click_part(qtbot, window, WING)
    assert prompt_text(session) == "a photo of a <head:Snowy Owl> <wing:Kiwi> bird"

    press(window.composer, "Render")
    qtbot.waitUntil(lambda: bool(session.state.creations) and session.state.render is None, timeout=WAIT)
    files = list(opened.settings.out.glob("*.png"))
    assert len(files) == 1
    recipe = read_creation(files[0]).recipe
    assert [(choice.part, choice.code) for choice in recipe.choices] == [(HEAD, 1), (WING, 4)]
    assert "head: Snowy Owl arrived" in window.gallery.model.index(0).data()

    qtbot.keyClick(window.composer.slots[WING], Qt.Key.Key_Delete)
    assert session.state.recipe.choice_of(WING) is None
    press(window.composer, "Random mix")
    rect = window.gallery.strip.visualRect(window.gallery.model.index(0))
    strip = window.gallery.strip.viewport()
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(rect.center().x(), rect.y() + 40))
    qtbot.mouseDClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(rect.center().x(), rect.y() + 40))
    qtbot.waitUntil(lambda: QApplication.activeModalWidget() is not None, timeout=WAIT)
    viewer = QApplication.activeModalWidget()
    assert isinstance(viewer, Viewer)
    press(viewer, "Use this recipe")
    assert session.state.recipe == recipe


def test_own_picture_to_creation(
    qtbot: QtBot, window: MainWindow, session: Session, tmp_path: Path, script: Callable[..., None]
) -> None:
    """A picture of one's own, with a note about the eyes; a part of it goes into a creation."""
    from tests import fakes

    script(segment={"note": "These eyes know drawings only."})
    path = tmp_path / "my bird.png"
    fakes.sketch_bird(3, 120)[0].save(path)
    shown: list[str] = []
    window.view.shown.connect(shown.append)
    window.open_paths([str(path)])
    qtbot.waitUntil(lambda: str(path) in shown, timeout=WAIT)
    qtbot.waitUntil(lambda: bool(session.state.own and session.state.own[0].segmentation), timeout=WAIT)
    click_part(qtbot, window, HEAD)
    choice = session.state.recipe.choice_of(HEAD)
    assert choice is not None and choice.source == str(path)
    press(window.composer, "Render")
    qtbot.waitUntil(lambda: bool(session.state.creations), timeout=WAIT)
    assert session.state.creations[0].recipe.choice_of(HEAD) == choice


def test_delete_and_undo(qtbot: QtBot, window: MainWindow, session: Session) -> None:
    """Nothing is lost by a wrong key."""
    session.set_setting("steps", 1)
    press(window.composer, "Render")
    qtbot.waitUntil(lambda: bool(session.state.creations) and session.state.render is None, timeout=WAIT)
    made = session.state.creations
    rect = window.gallery.strip.visualRect(window.gallery.model.index(0))
    strip = window.gallery.strip.viewport()
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(rect.center().x(), rect.y() + 40))
    qtbot.keyClick(window.gallery.strip, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: window.status.action.isVisible(), timeout=WAIT)
    assert session.state.creations == ()
    press(window.status, "Undo")
    qtbot.waitUntil(lambda: session.state.creations == made, timeout=WAIT)
    assert Path(made[0].path).is_file()


def test_one_undo_for_everything_by_key(qtbot: QtBot, window: MainWindow, session: Session, tmp_path: Path) -> None:
    """A part taken, a creation deleted, a picture taken off the wall: Ctrl+Z three times, then all of it again."""
    from tests import fakes

    def keys(key: Qt.Key, shift: bool = False) -> None:
        modifiers = Qt.KeyboardModifier.ControlModifier
        qtbot.keyClick(window, key, modifiers | Qt.KeyboardModifier.ShiftModifier if shift else modifiers)

    path = tmp_path / "my bird.png"
    fakes.sketch_bird(3, 120)[0].save(path)
    window.open_paths([str(path)])
    qtbot.waitUntil(lambda: bool(session.state.own and session.state.own[0].segmentation), timeout=WAIT)
    session.set_setting("steps", 1)
    press(window.composer, "Render")
    qtbot.waitUntil(lambda: bool(session.state.creations) and session.state.render is None, timeout=WAIT)
    made = session.state.creations
    click_part(qtbot, window, HEAD)
    with_head = session.state.recipe
    rect = window.gallery.strip.visualRect(window.gallery.model.index(0))
    at = QPoint(rect.center().x(), rect.y() + 40)
    qtbot.mouseClick(window.gallery.strip.viewport(), Qt.MouseButton.LeftButton, pos=at)
    qtbot.keyClick(window.gallery.strip, Qt.Key.Key_Delete)
    session.close_image(str(path))
    qtbot.waitUntil(lambda: not Path(made[0].path).exists() and window.status.message is not None, timeout=WAIT)

    keys(Qt.Key.Key_Z)
    qtbot.waitUntil(lambda: [own.id for own in session.state.own] == [str(path)], timeout=WAIT)
    assert session.state.creations == () and session.state.recipe == with_head
    keys(Qt.Key.Key_Z)
    qtbot.waitUntil(lambda: session.state.creations == made, timeout=WAIT)
    assert Path(made[0].path).is_file() and window.status.message is None
    keys(Qt.Key.Key_Z)
    assert session.state.recipe.choice_of(HEAD) is None
    for _ in range(3):
        keys(Qt.Key.Key_Z, shift=True)
    qtbot.waitUntil(lambda: not Path(made[0].path).exists() and window.status.message is not None, timeout=WAIT)
    assert session.state.own == () and session.state.creations == () and session.state.recipe == with_head


def test_recently_deleted_brings_back_what_the_last_start_deleted(
    qtbot: QtBot, window: MainWindow, session: Session, opened: Opened
) -> None:
    """Deleted, the app closed and opened again: the menu leads to it, one press brings it back."""
    from tests.desktop.conftest import Opened as Start

    session.set_setting("steps", 1)
    press(window.composer, "Render")
    qtbot.waitUntil(lambda: bool(session.state.creations) and session.state.render is None, timeout=WAIT)
    made = session.state.creations
    session.delete_creations(made)
    window.close()
    opened.close()

    again = Start(opened.settings.home)
    again.session.begin()
    second = MainWindow(again.session, again.readers)
    qtbot.addWidget(second)
    second.show()
    qtbot.waitUntil(lambda: again.session.state.reference is not None, timeout=WAIT)
    assert again.session.state.creations == ()
    second.deleted.trigger()
    dialog = QApplication.activeModalWidget()
    assert dialog is not None
    qtbot.waitUntil(lambda: len(again.session.state.deleted) == 1, timeout=WAIT)
    press(dialog, "Restore all")
    qtbot.waitUntil(lambda: again.session.state.creations == made, timeout=WAIT)
    assert Path(made[0].path).is_file()
    press(dialog, "Done")
    again.close()


LEARNING_MS = 1_200_000
"""Generous: four training steps, their samples and the proof of the pack on a busy machine."""


@pytest.mark.slow
@pytest.mark.skipif(not starter_pack().is_dir(), reason="needs the starter models")
def test_a_folder_becomes_a_pack_that_renders(qtbot: QtBot, home: Path, tmp_path: Path) -> None:
    """Two kinds of the practice birds, from the folder to a creation, with the real engine and a real training."""
    folder = tmp_path / "two birds"
    for kind in ("Cockatoo", "Swallow"):
        (folder / kind).mkdir(parents=True)
        for number in range(6):
            shutil.copy(resources_dir() / "starter" / "practice" / kind / f"{number:02}.png", folder / kind)
    readers = BackgroundReader()
    session = Session(PackLibrary(), Settings(home), readers, lambda outlet: Engine(outlet, host="thread"))
    session.begin()
    window = MainWindow(session, readers)
    qtbot.addWidget(window)
    window.resize(1280, 832)
    window.show()
    learning = session.learning
    window.open_paths([str(folder)])
    qtbot.waitUntil(lambda: window.wizard is not None, timeout=LEARNING_MS)
    wizard = window.wizard
    assert wizard is not None

    def no_trouble() -> bool:
        assert not learning.now.errors, learning.now.errors
        return True

    qtbot.waitUntil(lambda: no_trouble() and learning.now.reached("parts"), timeout=LEARNING_MS)
    press(wizard, "Find parts")
    qtbot.waitUntil(lambda: no_trouble() and learning.now.sorted, timeout=LEARNING_MS)
    assert learning.parts.rename(0, "first part") is None
    press(wizard, "Train…")
    qtbot.waitUntil(lambda: no_trouble() and learning.now.measured is not None, timeout=LEARNING_MS)
    learning.set_plan(title="Two birds", noun="bird", steps=4)
    press(wizard, "Start learning")
    qtbot.waitUntil(lambda: no_trouble() and learning.now.run is not None, timeout=LEARNING_MS)
    qtbot.waitUntil(lambda: learning.now.alive is None, timeout=LEARNING_MS)
    run = learning.now.run
    assert run is not None and run.state == "finished", run
    assert len(run.losses) == 4 and {sample.part for sample in run.samples} >= {-1, 0}
    qtbot.waitUntil(lambda: "Match rate" in wizard.page(DonePage).rate.text(), timeout=LEARNING_MS)
    press(wizard, "Mix now")
    qtbot.waitUntil(lambda: session.state.pack is not None and session.state.pack.title == "Two birds", timeout=WAIT)
    pack = session.state.pack
    assert pack is not None and pack.vocabulary.parts[0].name == "first part"
    assert {"match_rate", "match_asked", "match_chance"} <= pack.metrics.keys() and pack.vocabulary.codes_per_part == 2

    session.random_mix()
    session.set_setting("steps", 2)
    press(window.composer, "Render")
    qtbot.waitUntil(lambda: bool(session.state.creations) and session.state.render is None, timeout=LEARNING_MS)
    assert session.state.creations[0].recipe.pack == pack.id
    window.close()
    session.shutdown()
