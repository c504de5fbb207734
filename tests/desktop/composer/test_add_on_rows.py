"""Other people's LoRAs and embeddings in the composer, on the real session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from engine.core.add_on import AddOn
from engine.core.paths import models_dir
from engine.core.png_metadata import read_creation
from engine.core.recipe import Creation
from engine.packs.pack import Pack
from partcraft_desktop.app.session import Session
from partcraft_desktop.composer.add_on_rows import AddOnRow
from partcraft_desktop.window.main_window import MainWindow
from tests.desktop.conftest import WAIT, Opened, rendered, said, type_name
from tests.engine.cli.test_add_on_arguments import embedding, lora

LEFT = Qt.MouseButton.LeftButton


def add_ons(session: Session) -> tuple[AddOn, ...]:
    return session.state.recipe.add_ons


@pytest.fixture
def style(tmp_path: Path) -> Path:
    """The file of a LoRA that fits the drawn pack."""
    return lora(tmp_path / "elsewhere/style.safetensors")


@pytest.fixture
def row(qtbot: QtBot, window: MainWindow, session: Session, style: Path) -> AddOnRow:
    """The row of a LoRA that was dropped onto the window."""
    assert not window.composer.add_ons.isVisible()
    session.choose(3, 0, "0")
    window.open_paths([str(style)])
    qtbot.waitUntil(lambda: bool(add_ons(session)), timeout=WAIT)
    (row,) = window.composer.add_ons.rows
    qtbot.waitUntil(row.isVisible, timeout=WAIT)
    return row


def test_a_dropped_file_is_weighed_undone_and_remembered(
    qtbot: QtBot, session: Session, opened: Opened, row: AddOnRow, open_session: Callable[[], Opened]
) -> None:
    assert (row.add_on.kind, row.add_on.word, row.add_on.weight) == ("lora", "style", 1.0)
    assert session.state.undo_label == "add style"
    row.slider.setFocus()
    QTest.keyClick(row.slider, Qt.Key.Key_Left)
    QTest.keyClick(row.slider, Qt.Key.Key_Left)
    assert add_ons(session)[0].weight == 0.9 and row.number.edit.text() == "0.90"
    session.undo()
    assert add_ons(session)[0].weight == 1.0 and row.slider.value() == 100, "keys in a row are one step"
    row.number.edit.setFocus()
    row.number.edit.setText("-3")
    QTest.keyClick(row.number.edit, Qt.Key.Key_Return)
    assert add_ons(session)[0].weight == -2.0, "moved to the nearest end"
    session.undo()
    session.undo()
    assert not add_ons(session) and not row.isVisible()
    session.redo()
    session.add_ons.set_weight(add_ons(session)[0], 0.35)
    opened.close()
    again = open_session()
    assert [(one.name, one.weight) for one in add_ons(again.session)] == [("style.safetensors", 0.35)]


def test_it_is_rendered_with_and_kept_in_the_picture(
    qtbot: QtBot, session: Session, window: MainWindow, row: AddOnRow
) -> None:
    rendered(qtbot, session)
    (kept,) = read_creation(session.state.creations[0].path).recipe.add_ons
    assert (kept.name, kept.path) == ("style.safetensors", "")
    QTest.mouseClick(row.remove, LEFT)
    assert not add_ons(session) and not window.composer.add_ons.isVisible()
    session.use_recipe(session.state.creations[0])
    assert [one.name for one in add_ons(session)] == ["style.safetensors"]
    qtbot.waitUntil(lambda: not session.state.add_on_faults, timeout=WAIT)


def test_one_that_is_gone_is_found_or_rendered_without(
    qtbot: QtBot, session: Session, opened: Opened, window: MainWindow, style: Path, row: AddOnRow
) -> None:
    rendered(qtbot, session)
    moved = style.with_name("moved.safetensors")
    style.rename(moved)
    session.remove(3)
    session.add_ons.remove(add_ons(session)[0])
    session.use_recipe(session.state.creations[0])
    (row,) = window.composer.add_ons.rows
    qtbot.waitUntil(lambda: row.fault.isVisible(), timeout=WAIT)
    assert row.fault.text() == "The LoRA “style.safetensors” of this recipe is not on this computer."
    assert not window.composer.render_button.isEnabled()
    assert window.composer.why.text() == "style: find it, or take it off, to render."
    assert row.find_button.isVisible() and row.without.isVisible() and not row.slider.isEnabled()

    QTest.mouseClick(row.find_button, LEFT)
    dialog = window.findChild(QFileDialog)
    assert dialog is not None
    type_name(dialog, moved)
    dialog.accept()
    qtbot.waitUntil(lambda: not session.state.add_on_faults, timeout=WAIT)
    assert not said(opened, "another file"), "it is the same file under another name"
    assert window.composer.render_button.isEnabled() and not row.fault.isVisible()
    session.undo()
    qtbot.waitUntil(lambda: not session.state.add_on_faults, timeout=WAIT)
    assert add_ons(session)[0].name == "style.safetensors", "where it was seen is remembered"

    moved.unlink()
    session.add_ons.set_weight(add_ons(session)[0], 0.5)
    session.add_ons.remove(add_ons(session)[0])
    session.undo()
    qtbot.waitUntil(lambda: bool(session.state.add_on_faults), timeout=WAIT)
    session.add_ons.find(add_ons(session)[0], embedding(models_dir() / "word.safetensors"))
    qtbot.waitUntil(
        lambda: said(opened, "“word.safetensors” is another file than this recipe was made with"), timeout=WAIT
    )
    assert [(one.kind, one.weight) for one in add_ons(session)] == [("embedding", 0.5)]
    session.undo()
    (row,) = window.composer.add_ons.rows
    qtbot.waitUntil(lambda: row.without.isVisible(), timeout=WAIT)
    QTest.mouseClick(row.without, LEFT)
    assert not add_ons(session)
    assert window.composer.render_button.isEnabled()


def test_what_cannot_be_used_changes_nothing_and_is_said(
    qtbot: QtBot, session: Session, opened: Opened, tmp_path: Path, pack: Pack
) -> None:
    wide = lora(tmp_path / "wide.safetensors", 2048)
    session.open_paths([wide])
    qtbot.waitUntil(
        lambda: said(opened, "“wide.safetensors” is a LoRA for SDXL; this pack’s base model is"), timeout=WAIT
    )
    (tmp_path / "x.safetensors").write_bytes(b"no")
    session.add_ons.add([tmp_path / "x.safetensors"])
    qtbot.waitUntil(lambda: said(opened, "“x.safetensors” is no whole safetensors file."), timeout=WAIT)
    assert not add_ons(session) and not session.state.can_undo

    # One that came with a recipe of another base model is named, and does not pass for good.
    wide_lora = AddOn("lora", "wide.safetensors", 1.0, "", str(wide))
    recipe = replace(session.state.recipe, add_ons=(wide_lora,))
    session.use_recipe(Creation(str(tmp_path / "a.png"), recipe))
    qtbot.waitUntil(lambda: bool(session.state.add_on_faults), timeout=WAIT)
    assert "is a LoRA for SDXL" in session.state.add_on_faults[0].why


def test_adding_by_the_button_and_the_words_of_embeddings(
    qtbot: QtBot, session: Session, opened: Opened, window: MainWindow, tmp_path: Path
) -> None:
    window.composer.more.button.setChecked(True)
    button = window.composer.settings.add_on
    assert button.focusPolicy() & Qt.FocusPolicy.TabFocus and button.accessibleName()
    QTest.mouseClick(button, LEFT)
    dialog = window.findChild(QFileDialog)
    assert dialog is not None
    type_name(dialog, embedding(tmp_path / "soft light.safetensors"))
    dialog.accept()
    qtbot.waitUntil(lambda: bool(add_ons(session)), timeout=WAIT)
    assert said(opened, "Write “soft light” where it is meant")
    (row,) = window.composer.add_ons.rows
    session.add_ons.set_weight(row.add_on, -1)
    assert row.slider.accessibleName() == "Weight of soft light: -1, kept out"
    for part in (row.slider, row.number.edit, row.remove, row.find_button, row.without, window.composer.add_ons.add):
        assert part.accessibleName() and part.focusPolicy() & Qt.FocusPolicy.TabFocus
