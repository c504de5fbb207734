"""A pack leaves the library: for other programs, or as a .partpack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFileDialog, QMenu
from pytestqt.qtbot import QtBot

from engine.packs.library import PackLibrary
from engine.packs.pack import Pack
from partcraft_desktop.app.session import Session
from partcraft_desktop.window.main_window import MainWindow
from tests.desktop.conftest import WAIT, Opened, said, type_name


def ways(window: MainWindow) -> list[QAction]:
    """The actions of the export menu, as it opens."""
    window.library.packs.click()
    menu = window.library.findChild(QMenu, "export")
    assert menu is not None and menu.title() == "Export “Fake birds”"
    window.library._menu.close()
    return menu.actions()


def dialog_of(window: MainWindow) -> QFileDialog:
    (dialog,) = [one for one in window.findChildren(QFileDialog) if one.isVisible()]
    return dialog


def test_for_other_programs_with_progress_and_the_folder_at_the_end(
    qtbot: QtBot, window: MainWindow, session: Session, opened: Opened, tmp_path: Path, script: Callable[..., None]
) -> None:
    (tmp_path / "Fake-birds for other programs").mkdir()
    script(exportpack={"delay": 0.05})
    names: list[str] = []
    session.changed.connect(lambda: names.extend(session.state.saving))
    ways(window)[0].trigger()
    dialog = dialog_of(window)
    type_name(dialog, tmp_path)
    dialog.accept()
    qtbot.waitUntil(lambda: said(opened, "“Fake birds” is written for other programs: 2 files."), timeout=WAIT)
    assert not session.state.saving
    told = opened.messages[-1]
    assert told.action is not None and told.action.label == "Show folder"
    shown: list[Path] = []
    session.saves.folder_wanted.disconnect()
    session.saves.folder_wanted.connect(shown.append)
    told.action.run()
    (folder,) = shown
    assert folder.parent == tmp_path and folder.name != "Fake-birds for other programs", "nothing is overwritten"
    assert (folder / "README.md").read_text("utf-8") == "Fake birds"
    assert f"{folder.name}, 1 of 2" in names, "how far it is"


def test_a_failure_is_said(
    qtbot: QtBot, window: MainWindow, session: Session, opened: Opened, tmp_path: Path, script: Callable[..., None]
) -> None:
    script(exportpack={"fail": ["The tokens cannot be read.", "Get the pack again."]})
    assert session.state.pack is not None
    session.saves.export_pack(session.state.pack, tmp_path)
    qtbot.waitUntil(lambda: said(opened, "The tokens cannot be read. Get the pack again."), timeout=WAIT)
    assert not session.state.saving


def test_as_a_partpack_that_can_be_imported(
    qtbot: QtBot, window: MainWindow, session: Session, opened: Opened, tmp_path: Path, pack: Pack
) -> None:
    ways(window)[1].trigger()
    dialog = dialog_of(window)
    type_name(dialog, tmp_path / "birds")
    dialog.accept()
    qtbot.waitUntil(lambda: said(opened, "Saved as “birds.partpack”."), timeout=WAIT)
    again = PackLibrary(own=tmp_path / "packs", bundled=tmp_path / "none").import_pack(tmp_path / "birds.partpack")
    assert again.vocabulary == pack.vocabulary


def test_what_was_not_trained_has_nothing_for_other_programs(window: MainWindow, session: Session) -> None:
    assert session.state.pack is not None
    session.update_state(pack=replace(session.state.pack, trained=False))
    plain, whole = ways(window)
    assert not plain.isEnabled() and whole.isEnabled() and "not trained" in plain.toolTip()
