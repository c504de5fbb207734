"""Recently deleted: seen, brought back, deleted for good after one question."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QMenu
from pytestqt.qtbot import QtBot

from engine.core.paths import runs_dir, trash_dir
from engine.core.recipe import Creation
from engine.packs.library import PackLibrary
from engine.runs.launcher import discard_run
from partcraft_desktop.app.session import Session
from partcraft_desktop.window.deleted_dialog import DeletedDialog, when_text
from partcraft_desktop.window.main_window import MainWindow
from tests import fakes
from tests.desktop.conftest import WAIT, Opened, rendered


@pytest.fixture
def made(qtbot: QtBot, session: Session) -> tuple[Creation, ...]:
    session.set_setting("steps", 1)
    session.set_setting("count", 4)
    rendered(qtbot, session, 4)
    return session.state.creations


def quiet(session: Session) -> bool:
    return session._undo.files.idle


def open_dialog(qtbot: QtBot, window: MainWindow, rows: int) -> DeletedDialog:
    window.deleted.trigger()
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, DeletedDialog)
    qtbot.waitUntil(lambda: dialog.model.rowCount() == rows and quiet(window.session), timeout=WAIT)
    return dialog


def press(dialog: DeletedDialog, name: str) -> None:
    button = next(b for b in dialog.findChildren(QAbstractButton) if b.accessibleName() == name)
    assert button.isVisible() and button.isEnabled(), name
    button.click()


def choose(dialog: DeletedDialog, row: int) -> None:
    dialog.wall.selectionModel().clearSelection()
    dialog.wall.setCurrentIndex(dialog.model.index(row))


def test_what_is_deleted_is_seen_and_brought_back(
    qtbot: QtBot, window: MainWindow, session: Session, made: tuple[Creation, ...]
) -> None:
    session.delete_creations(made[:1])
    session.delete_creations(made[1:3])
    dialog = open_dialog(qtbot, window, 3)
    assert dialog.wall.hasFocus() and not dialog.restore.isEnabled()
    assert "just now" in dialog.model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    oldest = next(row for row in range(3) if dialog.model.items[row].path.endswith(Path(made[0].path).name))
    choose(dialog, oldest)
    press(dialog, "Restore selected")
    qtbot.waitUntil(lambda: session.state.creations == (made[0], made[3]) and quiet(session), timeout=WAIT)
    assert dialog.model.rowCount() == 2 and session.state.undo_label == "delete 2 creations"
    press(dialog, "Restore all")
    qtbot.waitUntil(lambda: session.state.creations == made and quiet(session), timeout=WAIT)
    assert dialog.empty.isVisible() and dialog.empty.text() == "Nothing was deleted lately."
    assert not dialog.restore_all.isEnabled()
    dialog.close()


def test_deleting_for_good_is_asked_once_and_escape_keeps(
    qtbot: QtBot, window: MainWindow, session: Session, made: tuple[Creation, ...]
) -> None:
    session.delete_creations(made[:2])
    dialog = open_dialog(qtbot, window, 2)
    choose(dialog, 0)
    path = Path(dialog.model.items[0].path)
    qtbot.keyClick(dialog.wall, Qt.Key.Key_Delete)
    assert dialog.keep.hasFocus()
    qtbot.keyClick(dialog.keep, Qt.Key.Key_Escape)
    assert dialog.isVisible() and dialog.wall.hasFocus() and path.is_file()
    press(dialog, "Delete selected for good")
    press(dialog, "Delete for good")
    qtbot.waitUntil(lambda: not path.exists() and quiet(session), timeout=WAIT)
    assert dialog.model.rowCount() == 1 and session.state.undo_label == "delete a creation"
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    session.undo()
    qtbot.waitUntil(lambda: len(session.state.creations) == 3, timeout=WAIT)


def test_what_cannot_come_back_is_told_in_the_dialog(
    qtbot: QtBot, window: MainWindow, session: Session, home: Path
) -> None:
    fakes.make_pack(home / "packs" / "others", codes=4, id="others")
    session.list_packs()
    qtbot.waitUntil(lambda: len(session.state.packs) == 2, timeout=WAIT)
    session.remove_pack(next(pack for pack in session.state.packs if pack.id == "others"))
    qtbot.waitUntil(lambda: len(session.state.packs) == 1, timeout=WAIT)
    fakes.make_pack(home / "packs" / "others", codes=4, id="others")
    dialog = open_dialog(qtbot, window, 1)
    press(dialog, "Restore all")
    qtbot.waitUntil(lambda: dialog.told.isVisible() and quiet(session), timeout=WAIT)
    assert "others” is here already" in dialog.told.text() and dialog.model.rowCount() == 1
    dialog.close()


def test_a_discarded_training_is_seen_and_brought_back_or_deleted(
    qtbot: QtBot, window: MainWindow, session: Session, home: Path
) -> None:
    runs: list[Path] = []
    for name in ("first", "second"):
        folder = runs_dir() / name
        folder.mkdir(parents=True)
        (folder / "plan.json").write_text("{}")
        runs.append(discard_run(folder))
    dialog = open_dialog(qtbot, window, 2)
    shown = dialog.model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert shown.startswith("Training: ") and "kept for 29 days" in shown
    row = next(row for row in range(2) if dialog.model.items[row].path == str(runs[0]))
    choose(dialog, row)
    press(dialog, "Restore selected")
    qtbot.waitUntil(lambda: (runs_dir() / "first" / "plan.json").is_file() and quiet(session), timeout=WAIT)
    qtbot.waitUntil(lambda: dialog.model.rowCount() == 1, timeout=WAIT)
    choose(dialog, 0)
    press(dialog, "Delete selected for good")
    press(dialog, "Delete for good")
    qtbot.waitUntil(lambda: not runs[1].exists() and quiet(session), timeout=WAIT)
    dialog.close()


def test_a_trashed_pack_is_removed_and_nothing_a_link_leads_to(home: Path, tmp_path: Path) -> None:
    library = PackLibrary(bundled=home / "no starter")
    fakes.make_pack(home / "packs" / "owls", id="owls")
    precious = fakes.make_pack(tmp_path / "precious", id="precious").path
    trashed = library.delete(home / "packs" / "owls")
    (trash_dir() / "0a0b0c0d-link").symlink_to(precious)
    (trash_dir() / "notes").mkdir()
    assert [pack.pack.id for pack in library.trashed()] == ["owls"]
    for path in (trashed, trash_dir() / "0a0b0c0d-link", trash_dir() / "notes", precious):
        library.delete_for_good(path)
    assert not trashed.exists() and (precious / "pack.json").is_file() and (trash_dir() / "notes").is_dir()


def test_the_gallery_leads_there_also_when_it_is_empty(qtbot: QtBot, window: MainWindow) -> None:
    window.gallery.empty.customContextMenuRequested.emit(QPoint(20, 20))
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu) and [action.text() for action in menu.actions()] == ["Recently deleted…"]
    menu.actions()[0].trigger()
    menu.close()
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, DeletedDialog)
    dialog.close()


def test_when_something_happened_in_words() -> None:
    now = datetime(2026, 3, 10, 14, 0)

    def said(then: datetime) -> str:
        return when_text(then.timestamp(), now.timestamp())

    assert said(now - timedelta(seconds=20)) == "just now"
    assert said(now.replace(hour=9, minute=5)) == "today, 9:05"
    assert said(now - timedelta(hours=20)) == "yesterday, 18:00"
    assert said(datetime(2026, 3, 3, 8, 0)).startswith("3 ")
    assert said(datetime(2025, 12, 24, 8, 0)).endswith(" 2025")


def test_the_undo_button_says_what_it_undoes(
    qtbot: QtBot, window: MainWindow, session: Session, made: tuple[Creation, ...], opened: Opened
) -> None:
    undo, redo = window._history_buttons
    session.choose(3, 2, "2")
    assert undo.toolTip().startswith("Undo: head Blue Jay (") and undo.accessibleName() == "Undo"
    session.delete_creations(made[:2])
    assert undo.toolTip().startswith("Undo: delete 2 creations (")
    session.undo()
    assert redo.toolTip().startswith("Redo: delete 2 creations (")
    assert undo.accessibleDescription() == "Undo: head Blue Jay"
    qtbot.waitUntil(lambda: session.state.creations == made, timeout=WAIT)
