"""What a person can open can be kept: file names of another encoding, half an emoji in a prompt or a recipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QByteArray, QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from pytestqt.qtbot import QtBot

from engine.core.png_metadata import read_creation
from partcraft_desktop.widgets.drag_and_drop import file_url, local_path
from partcraft_desktop.window.main_window import MainWindow
from tests import fakes
from tests.desktop.conftest import WAIT, Opened, rendered

HALF = "half \ud83d an emoji"

pytestmark = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of files are Unicode there")


@pytest.fixture
def latin(tmp_path: Path) -> Path:
    """A picture whose name is Latin-1, in a folder whose name is."""
    folder = tmp_path / os.fsdecode(b"\xe9t\xe9")
    folder.mkdir()
    path = folder / os.fsdecode(b"caf\xe9.png")
    fakes.sketch_bird(3)[0].save(path)
    return path


def test_all_of_it_is_there_after_the_next_start(
    qtbot: QtBot, open_session: Callable[[], Opened], home: Path, latin: Path
) -> None:
    opened = open_session()
    session = opened.session
    session.settings.set(out=str(latin.parent))
    session.open_image(latin)
    qtbot.waitUntil(lambda: bool(session.state.own) and session.state.own[0].segmentation is not None, timeout=WAIT)
    session.choose(0, 3, str(latin))
    session.set_prompt_text(HALF + " <wing:2>")
    session.set_setting("negative", HALF)
    session.close_image(str(latin))
    session.open_image(latin)
    rendered(qtbot, session)
    recipe, path = session.state.recipe, session.state.creations[0].path
    assert Path(path).parent == latin.parent
    assert read_creation(path).recipe.prompt == recipe.prompt
    opened.close()
    assert {message.kind for message in opened.messages} <= {"info"}

    again = open_session().session
    qtbot.waitUntil(lambda: bool(again.state.creations), timeout=WAIT)
    assert [picture.id for picture in again.state.own] == [str(latin)]
    assert (again.state.recipe.prompt, again.state.recipe.negative) == (recipe.prompt, HALF)
    assert again.state.creations[0].path == path
    assert again.settings.out == latin.parent


def test_such_a_file_is_dropped_and_carried(qtbot: QtBot, window: MainWindow, latin: Path) -> None:
    assert local_path(file_url(str(latin))) == str(latin)
    data = QMimeData()  # as file managers name it
    data.setData("text/uri-list", QByteArray(latin.as_uri().encode() + b"\r\n"))
    event = QDropEvent(
        QPointF(9, 9), Qt.DropAction.CopyAction, data, Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    )
    window.dropEvent(event)
    qtbot.waitUntil(lambda: [picture.id for picture in window.session.state.own] == [str(latin)], timeout=WAIT)
    qtbot.waitUntil(lambda: window.session.state.own[0].segmentation is not None, timeout=WAIT)
    qtbot.waitUntil(lambda: window.view.canvas.centre_of(0) is not None, timeout=WAIT)
    assert local_path(QUrl("https://example.org/a.png")) == ""


def test_a_prompt_with_half_an_emoji_is_shown_and_left_alone(qtbot: QtBot, window: MainWindow) -> None:
    session = window.session
    session.set_prompt_text(HALF)
    session.set_setting("negative", HALF)
    before = session.state.recipe
    window.composer.prompt.words.edit_asked.emit(-1)
    for widget in (window.composer.prompt.editor, window.composer.settings.negative):
        widget.setFocus()
        qtbot.keyClick(widget, Qt.Key.Key_End)
        qtbot.keyClick(widget, Qt.Key.Key_Tab)
    assert not window.composer.prompt.editing
    assert session.state.recipe == before
