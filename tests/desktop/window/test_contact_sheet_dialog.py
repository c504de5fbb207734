"""Contact sheets from the window: made at once and anew with each change, cancelled, saved as PNG or PDF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from engine.collage import contact_sheet
from engine.collage.assemble import assemble
from engine.collage.contact_sheet import ContactSheet
from engine.collage.layers import flatten
from engine.collage.sheet_axes import Axis
from engine.core.vocabulary import Choice
from engine.packs.pack import Pack
from partcraft_desktop.window.contact_sheet_dialog import ContactSheetDialog
from partcraft_desktop.window.main_window import MainWindow
from partcraft_desktop.window.save_dialog import SaveDialog
from tests.desktop.conftest import WAIT, type_name

BODY, WING, HEAD = 0, 1, 3


@pytest.fixture
def dialog(window: MainWindow, pack: Pack, qtbot: QtBot) -> ContactSheetDialog:
    """The dialog, with a head, a wing and a body in the recipe, its first sheet whole."""
    for part, reference in zip((HEAD, WING, BODY), pack.references, strict=False):
        window.session.choose(part, reference.codes[part], reference.id)
    window.sheet.trigger()
    opened = window.findChild(ContactSheetDialog)
    assert isinstance(opened, ContactSheetDialog)
    whole(opened, qtbot)
    return opened


def whole(dialog: ContactSheetDialog, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: dialog.save_button.isEnabled(), timeout=WAIT)


def choose(side: QComboBox, name: str) -> None:
    """Choose a part as a person does."""
    side.setFocus()
    while side.currentText() != name:
        before = side.currentIndex()
        QTest.keyClick(side, Qt.Key.Key_Down)
        if side.currentIndex() == before:
            QTest.keyClick(side, Qt.Key.Key_Home)


def test_it_begins_with_parts_of_the_recipe(dialog: ContactSheetDialog) -> None:
    assert {dialog.down.part.currentText(), dialog.across.part.currentText()} <= {"head", "wing", "body"}
    assert dialog.down.kinds_wanted == dialog.across.kinds_wanted == 6
    assert not dialog.preview._picture.isNull() and dialog.line.isHidden()
    for side in (dialog.down, dialog.across):
        assert side.part.accessibleName() and side.kinds.edit.accessibleName()


def test_what_is_saved_is_what_was_asked_for(
    window: MainWindow, dialog: ContactSheetDialog, pack: Pack, tmp_path: Path, qtbot: QtBot
) -> None:
    choose(dialog.down.part, "head")
    choose(dialog.across.part, "wing")
    dialog.down.kinds.edit.setText("2")
    dialog.down.kinds.edit.editingFinished.emit()
    dialog.across.kinds.more.click()  # there are six
    dialog.across.kinds.less.click()
    assert not dialog.save_button.isEnabled() and dialog.across.kinds_wanted == 5
    whole(dialog, qtbot)
    dialog.save_button.click()
    qtbot.waitUntil(lambda: bool(window.findChildren(SaveDialog)), timeout=WAIT)
    files = window.findChildren(SaveDialog)[-1]
    assert Path(files.selectedFiles()[0]).name == "head-wing-sheet.png"
    type_name(files, tmp_path / "sheet.png")
    files.accept()
    qtbot.waitUntil(lambda: (tmp_path / "sheet.png").exists(), timeout=WAIT)
    expected = ContactSheet(pack, Axis(HEAD, (0, 1)), Axis(WING, tuple(range(5))), contact_sheet.side_of(pack))
    recipe = window.session.state.recipe
    for row, column, head, wing in expected.cells:
        made = assemble(recipe.with_choice(head).with_choice(wing), pack)
        expected.put(row, column, contact_sheet.CellPicture(Image.fromarray(flatten(made))))
    with Image.open(tmp_path / "sheet.png") as picture:
        assert np.array_equal(np.asarray(picture), np.asarray(expected.image))
    qtbot.waitUntil(lambda: "Saved as “sheet.png”." in window.status.text.text(), timeout=WAIT)
    assert recipe.choice_of(HEAD) == Choice(HEAD, 0, source="0"), "the recipe stays as it was"


def test_as_a_pdf(window: MainWindow, dialog: ContactSheetDialog, tmp_path: Path, qtbot: QtBot) -> None:
    dialog.save(tmp_path / "sheet.pdf")
    qtbot.waitUntil(lambda: (tmp_path / "sheet.pdf").exists(), timeout=WAIT)
    assert (tmp_path / "sheet.pdf").read_bytes().startswith(b"%PDF")


def test_the_same_part_twice_is_told(dialog: ContactSheetDialog, qtbot: QtBot) -> None:
    choose(dialog.across.part, dialog.down.part.currentText())
    assert dialog.note.isVisible() and "two different parts" in dialog.note.text()
    assert not dialog.save_button.isEnabled()
    choose(dialog.across.part, "tail")
    whole(dialog, qtbot)
    assert dialog.note.isHidden()


def test_each_cell_is_rendered_through_the_queue(window: MainWindow, dialog: ContactSheetDialog, qtbot: QtBot) -> None:
    choose(dialog.down.part, "head")
    choose(dialog.across.part, "wing")
    for side, kinds in ((dialog.down, "2"), (dialog.across, "1")):
        side.kinds.edit.setText(kinds)
        side.kinds.edit.editingFinished.emit()
    assert dialog.render_button.text() == "Render all 2"
    recipe = window.session.state.recipe
    dialog.render_button.click()
    qtbot.waitUntil(lambda: len(window.session.state.creations) == 2, timeout=WAIT)
    made = sorted((creation.recipe for creation in window.session.state.creations), key=lambda one: one.choices[0].code)
    assert [one.choice_of(HEAD) for one in made] == [Choice(HEAD, 0), Choice(HEAD, 1)]
    assert all(one.choice_of(WING) == Choice(WING, 0) and one.seed == recipe.seed for one in made)
    assert all(creation.receipt for creation in window.session.state.creations)
    assert window.session.state.recipe == recipe


def test_cancelled_and_begun_again(dialog: ContactSheetDialog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    gate, put = threading.Event(), ContactSheet.put

    def slow(self: ContactSheet, *arguments: object) -> None:
        gate.wait(5)
        put(self, *arguments)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(ContactSheet, "put", slow)
    dialog.down.kinds.less.click()
    qtbot.waitUntil(lambda: dialog.line.isVisible(), timeout=WAIT)
    assert "of 30" in dialog.line.words.text()
    dialog.line.cancel.click()
    gate.set()
    assert dialog.line.isHidden() and "Cancelled" in dialog.note.text() and not dialog.save_button.isEnabled()
    dialog.down.kinds.more.click()
    whole(dialog, qtbot)
    assert dialog.note.isHidden()


def test_closing_ends_the_work(
    window: MainWindow, dialog: ContactSheetDialog, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells: list[int] = []
    put = ContactSheet.put

    def counted(self: ContactSheet, *arguments: object) -> None:
        cells.append(1)
        put(self, *arguments)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(ContactSheet, "put", counted)
    dialog.down.kinds.less.click()
    qtbot.waitUntil(lambda: bool(cells), timeout=WAIT)
    dialog.reject()
    qtbot.waitUntil(lambda: not window.findChildren(ContactSheetDialog), timeout=WAIT)
    assert window.session.state.engine == "off"


def test_references_that_are_gone_are_told(
    dialog: ContactSheetDialog, pack: Pack, qtbot: QtBot, window: MainWindow
) -> None:
    for file in (pack.path / "references").iterdir():
        file.unlink()
    window.session._collages._bench._maker = None  # what was read before is forgotten, as at another start
    dialog.down.kinds.less.click()
    qtbot.waitUntil(lambda: dialog.note.isVisible() and bool(dialog.note.text()), timeout=WAIT)
    assert not dialog.save_button.isEnabled()
