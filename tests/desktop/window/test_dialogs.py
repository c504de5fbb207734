"""Dialogs: settings that hold at once, the viewer, shortcuts, about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QShortcut
from PySide6.QtWidgets import QAbstractButton, QApplication, QFileDialog, QLabel, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from engine.core.recipe import Arrival, Creation, Recipe
from engine.core.vocabulary import ABSENT, Choice
from engine.packs.pack import Pack
from partcraft_desktop.app.settings import Settings, Values
from partcraft_desktop.gallery.viewer import Viewer
from partcraft_desktop.widgets.thumbnails import Thumbnails
from partcraft_desktop.window.help_dialogs import SHORTCUTS, AboutDialog, ShortcutsDialog
from partcraft_desktop.window.main_window import MainWindow
from partcraft_desktop.window.settings_dialog import SettingsDialog
from tests.desktop.conftest import WAIT, Opened


def words_of(widget: QWidget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel))


def press(widget: QWidget, name: str) -> None:
    button = next(b for b in widget.findChildren(QAbstractButton) if b.accessibleName() == name)
    button.click()


def test_settings_hold_at_once_and_are_kept(qtbot: QtBot, opened: Opened, pack: Pack) -> None:
    dialog = SettingsDialog(opened.settings, [pack], opened.settings.home / "models")
    qtbot.addWidget(dialog)
    dialog.open()
    press(dialog, "Theme: dark")
    dialog.motion.click()
    opened.settings.flush()
    again = Settings(opened.settings.home).values
    assert (again.theme, again.reduced_motion) == ("dark", True)
    assert "starter/base" in words_of(dialog)


def test_another_folder_for_creations(qtbot: QtBot, opened: Opened, tmp_path: Path) -> None:
    dialog = SettingsDialog(opened.settings, [], opened.settings.home / "models")
    qtbot.addWidget(dialog)
    dialog.open()
    press(dialog, "Change")
    chooser = dialog.findChild(QFileDialog)
    assert chooser is not None
    chooser.fileSelected.emit(str(tmp_path))
    assert opened.settings.out == tmp_path and dialog.out.text() == str(tmp_path)
    press(dialog, "Default")
    assert opened.settings.out == opened.settings.home / "creations"


@pytest.fixture
def creations(pack: Pack) -> list[Creation]:
    recipe = Recipe(pack.id, ("a photo of a ", Choice(3, 2, 0.8), " bird"), "blurred", seed=11)
    receipt = (Arrival(3, 2, ABSENT, 0.1),)
    paths = [reference.image for reference in pack.references[:3]]
    return [Creation(path, recipe, receipt, f"2026-01-0{3 - i}T10:00:00Z") for i, path in enumerate(paths)]


def test_the_viewer_tells_the_recipe_and_the_receipt(
    qtbot: QtBot, opened: Opened, pack: Pack, creations: list[Creation]
) -> None:
    viewer = Viewer(creations, creations[1], lambda _: pack.vocabulary, Thumbnails(opened.readers))
    qtbot.addWidget(viewer)
    viewer.open()
    qtbot.waitUntil(viewer.isActiveWindow, timeout=WAIT)
    said = words_of(viewer)
    assert "<" not in said and "Seed 11" in said and "blurred" in said
    chips = viewer.prompt
    assert [run.text for run in chips.runs] == ["a", "photo", "of", "a", "Blue Jay ×0.8", "bird"]
    assert chips.accessibleDescription() == "a photo of a head of Blue Jay ×0.8 bird"
    assert viewer.windowTitle() == "Blue Jay" and chips.focusPolicy() == Qt.FocusPolicy.NoFocus
    chips.actions()[0].trigger()
    assert QApplication.clipboard().text() == "a photo of a <head:Blue Jay*0.8> bird"
    assert any(w.accessibleName() == "head: Blue Jay did not arrive" for w in viewer.findChildren(QWidget))
    used: list[Creation] = []
    viewer.recipe_wanted.connect(used.append)
    qtbot.keyClick(viewer, Qt.Key.Key_Right)
    assert viewer.creation == creations[2] and not viewer.after.isEnabled()
    qtbot.keyClick(viewer, Qt.Key.Key_Left)
    qtbot.keyClick(viewer, Qt.Key.Key_Left)
    qtbot.keyClick(viewer, Qt.Key.Key_Left)
    assert viewer.creation == creations[0] and not viewer.before.isEnabled()
    press(viewer, "Use this recipe")
    assert used == [creations[0]] and not viewer.isVisible()


def test_the_viewer_without_the_pack_still_opens(qtbot: QtBot, opened: Opened, creations: list[Creation]) -> None:
    viewer = Viewer(creations, creations[0], lambda _: None, Thumbnails(opened.readers))
    qtbot.addWidget(viewer)
    viewer.open()
    assert [run.text for run in viewer.prompt.runs if run.choice is not None] == ["3:2"]


def test_the_sheet_of_shortcuts_is_true(qtbot: QtBot, window: MainWindow) -> None:
    dialog = ShortcutsDialog(window)
    qtbot.addWidget(dialog)
    real = {keys.toString() for action in window.actions() for keys in action.shortcuts()}
    real |= {keys.toString() for action in window.gallery.strip.actions() for keys in action.shortcuts()}
    window.session.learning.show()
    assert window.wizard is not None
    real |= {shortcut.key().toString() for shortcut in window.wizard.findChildren(QShortcut)}
    real |= {shortcut.key().toString() for shortcut in window.creature.findChildren(QShortcut)}
    # The picture's own keys are tested with the picture, the queue's and the creature's with these.
    picture = {"F2", "Arrows", "Home", "Enter", "Alt", "Alt+Up", "Ctrl++", "Ctrl+-", "Ctrl+0"}
    creature = {"Space", "+  -", "R", "M", "PgUp  PgDown", "H", "0", "K", "N"}
    brush = {"[  ]"}  # tested with the wizard's brush
    told = {keys for _, keys in SHORTCUTS} - picture - creature - brush
    assert told <= real, told - real
    assert all(what in words_of(dialog) for what, _ in SHORTCUTS)


def test_about_names_method_licences_and_provenance(qtbot: QtBot, pack: Pack) -> None:
    dialog = AboutDialog("1.2.3", [pack])
    qtbot.addWidget(dialog)
    said = words_of(dialog)
    assert "leaves this computer" in said
    assert all(word in said for word in ("1.2.3", "arXiv 2407.04604", "Apache", "Inter", "Drawn for tests"))


def test_about_cuts_nothing_that_packs_say_and_tells_of_their_renders(qtbot: QtBot, pack: Pack) -> None:
    many = [replace(pack, title=f"Pack {number}", provenance="A long story. " * 40) for number in range(6)]
    unlike = replace(pack, title="Dogs", metrics={"match_rate": 0.5, "resemblance": 0.2})
    dialog = AboutDialog("1.2.3", [*many, unlike])
    qtbot.addWidget(dialog)
    dialog.show()
    labels = [label for label in dialog.findChildren(QLabel) if label.wordWrap()]
    assert all(label.height() >= label.heightForWidth(label.width()) for label in labels)
    assert dialog.height() < 800
    (told,) = [label.text() for label in labels if label.text().startswith("Dogs: ")]
    assert "The renders do not resemble your pictures" in told and "ready" not in told and "Match rate" not in told


def test_a_folder_that_cannot_be_made_is_not_shown(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    window.openings.show_folder(tmp_path / "file" / "below")
    qtbot.waitUntil(lambda: "below cannot be opened." in window.status.text.text(), timeout=WAIT)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"theme": "pink", "out": 3, "window": []}', "null", '"' + "[" * 5000])
def test_settings_survive_any_file(home: Path, text: str) -> None:
    home.mkdir(exist_ok=True)
    (home / "settings.json").write_text(text)
    assert Settings(home).values == Values()


def test_settings_of_a_newer_version_are_kept(home: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "settings.json").write_text('{"theme": "dark", "sound": 3}')
    settings = Settings(home)
    settings.set(reduced_motion=True)
    settings.flush()
    assert '"sound": 3' in (home / "settings.json").read_text()


def test_details_and_menu_open_by_button(qtbot: QtBot, window: MainWindow) -> None:
    button = next(b for b in window.findChildren(QToolButton) if b.accessibleName() == "Menu")
    button.click()
    from PySide6.QtWidgets import QApplication, QMenu

    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    assert [action.text() for action in menu.actions() if action.text()] == [
        "Open picture…",
        "Save as…",
        "Contact sheet…",
        "Import pack…",
        "New vocabulary…",
        "Models…",
        "Recently deleted…",
        "Settings…",
        "Shortcuts",
        "About PartCraft",
        "Quit",
    ]
    menu.close()
    qtbot.waitUntil(lambda: QApplication.activePopupWidget() is None, timeout=WAIT)
