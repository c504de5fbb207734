"""Nothing that a person does in the window makes the Qt thread ask the file system."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QDialog
from pytestqt.qtbot import QtBot

from engine.packs.library import PackLibrary
from engine.packs.pack import Pack
from partcraft_desktop.app.session import Session
from partcraft_desktop.window.main_window import MainWindow
from partcraft_desktop.window.pack_offer_dialog import PackOfferDialog
from tests import fakes
from tests.desktop.conftest import WAIT, Opened, said
from tests.desktop.qt_thread import file_access

HEAD = 3


def shows(session: Session, picture_id: str) -> bool:
    reference = session.state.reference
    return reference is not None and reference.id == picture_id and not reference.busy


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A person's own picture."""
    path = tmp_path / "my bird.png"
    fakes.sketch_bird(3, 96)[0].save(path)
    return path


@pytest.fixture
def partpack(tmp_path: Path) -> Path:
    """A pack that somebody else made, as a file."""
    other = fakes.make_pack(tmp_path / "made" / "others", codes=4, id="others")
    return PackLibrary().export_pack(other, tmp_path / "others.partpack")


def test_pictures(qtbot: QtBot, window: MainWindow, session: Session, picture: Path) -> None:
    with file_access() as notes:
        session.open_reference("3")
        qtbot.waitUntil(lambda: shows(session, "3"), timeout=WAIT)
        session.open_image(picture)
        qtbot.waitUntil(lambda: shows(session, str(picture)), timeout=WAIT)
        qtbot.waitUntil(lambda: window.view.canvas.centre_of(HEAD) is not None, timeout=WAIT)
        session.close_image(str(picture))
        qtbot.waitUntil(lambda: shows(session, "0"), timeout=WAIT)
    assert not notes, notes


def test_packs(
    qtbot: QtBot, window: MainWindow, session: Session, opened: Opened, pack: Pack, picture: Path, partpack: Path
) -> None:
    with file_access() as notes:
        session.open_image(picture)
        qtbot.waitUntil(lambda: shows(session, str(picture)), timeout=WAIT)
        session.import_pack(partpack)
        qtbot.waitUntil(lambda: bool(session.state.pack and session.state.pack.id == "others"), timeout=WAIT)
        imported = session.state.pack
        qtbot.waitUntil(lambda: shows(session, str(picture)), timeout=WAIT)
        window.library.packs.click()  # the menu, which asks whether the pack can be removed
        popup = QApplication.activePopupWidget()
        assert imported is not None and session.is_own_pack(imported) and popup is not None
        popup.close()
        session.open_pack(pack.id)
        session.open_pack_at(str(imported.path))
        qtbot.waitUntil(lambda: session.state.pack == imported, timeout=WAIT)
        session.remove_pack(imported)
        qtbot.waitUntil(lambda: len(session.state.packs) == 1, timeout=WAIT)
        qtbot.waitUntil(lambda: any(message.action for message in opened.messages), timeout=WAIT)
        action = next(message.action for message in opened.messages if message.action)
        action.run()
        qtbot.waitUntil(lambda: len(session.state.packs) == 2, timeout=WAIT)
    assert not notes, notes


def test_rendering_and_creations(qtbot: QtBot, window: MainWindow, session: Session, opened: Opened) -> None:
    with file_access() as notes:
        session.choose(HEAD, 2, "2")
        session.random_mix()
        session.set_setting("steps", 2)
        session.render()
        qtbot.waitUntil(lambda: session.state.render is None and len(session.state.creations) == 1, timeout=WAIT)
        creations = session.state.creations
        window.openings.show_creation(creations[0])
        window.openings.copy_picture(creations[0])
        qtbot.waitUntil(lambda: window.status.text.text() == "Copied.", timeout=WAIT)
        session.delete_creations(creations)
        qtbot.waitUntil(lambda: opened.messages[-1].action is not None, timeout=WAIT)
        session.undo()
        qtbot.waitUntil(lambda: session.state.creations == creations, timeout=WAIT)
        session.redo()
        window.openings.show_deleted()
        qtbot.waitUntil(lambda: len(session.state.deleted) == 1, timeout=WAIT)
        session.deleted.delete_for_good(session.state.deleted)
        qtbot.waitUntil(lambda: said(opened, "deleted for good"), timeout=WAIT)
        dialog = QApplication.activeModalWidget()
        assert dialog is not None
        dialog.close()
    assert not notes, notes


def test_settings_and_dialogs(qtbot: QtBot, window: MainWindow, opened: Opened, tmp_path: Path) -> None:
    with file_access() as notes:
        for show in (window.openings.show_settings, window.openings.show_about, window.openings.show_shortcuts):
            show()
            dialog = QApplication.activeModalWidget()
            assert isinstance(dialog, QDialog)
            dialog.close()
        opened.settings.set(theme="dark")
        opened.settings.set(out=str(tmp_path / "elsewhere"))
        opened.settings.set(theme="light")
        opened.session.say("A sentence with an icon.", kind="warning")
        window.openings.show_folder(tmp_path / "made for it")
        qtbot.waitUntil((tmp_path / "made for it").is_dir, timeout=WAIT)
        window.close()
    opened.session.keep()
    assert not notes, notes
    assert '"out"' in (opened.settings.home / "settings.json").read_text("utf-8")


def test_dropping(qtbot: QtBot, window: MainWindow, session: Session, picture: Path, partpack: Path) -> None:
    folder = fakes.make_folder(picture.parent / "folder")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in (picture, partpack, folder)])
    at, copy = QPointF(400, 300), Qt.DropAction.CopyAction
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    with file_access() as notes:
        QApplication.sendEvent(window, QDragEnterEvent(at.toPoint(), copy, data, buttons, keys))
        QApplication.sendEvent(window, QDropEvent(at, copy, data, buttons, keys))
        qtbot.waitUntil(lambda: isinstance(QApplication.activeModalWidget(), PackOfferDialog), timeout=WAIT)
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, PackOfferDialog)
        dialog.add.click()
        qtbot.waitUntil(lambda: bool(session.state.pack and session.state.pack.id == "others"), timeout=WAIT)
        qtbot.waitUntil(lambda: bool(session.state.own and session.state.own[0].segmentation), timeout=WAIT)
        qtbot.waitUntil(lambda: session.state.learning.draft.folder == str(folder), timeout=WAIT)
    assert not notes, notes
