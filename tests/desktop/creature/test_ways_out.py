"""Out of the creature's pane by hand: keys, buttons, the file dialog, the clipboard, the layers, the grip."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from psd_tools import PSDImage
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QGuiApplication, QMouseEvent, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from engine.collage.arrangement import Arrangement, with_arrangement
from engine.collage.assemble import assemble
from engine.collage.layers import Collage, flatten
from engine.packs.pack import Pack
from partcraft_desktop.app.layer_files import layer_alone, without_ground
from partcraft_desktop.widgets import drag_out
from partcraft_desktop.window.main_window import MainWindow
from partcraft_desktop.window.save_dialog import SaveDialog
from tests.desktop.conftest import WAIT, rendered, type_name

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def made(window: MainWindow, pack: Pack, qtbot: QtBot) -> Collage:
    """The collage of five birds, on show."""
    session = window.session
    for part, reference in zip(range(5), pack.references, strict=False):
        session.choose(part, reference.codes[part], reference.id)
    qtbot.waitUntil(lambda: session.state.creature.choices == session.state.recipe.choices, timeout=WAIT)
    qtbot.waitUntil(lambda: window.creature.ways_out.row.isVisible(), timeout=WAIT)
    window.creature.canvas.setFocus()
    return assemble(session.state.recipe, pack)


def save_dialog(window: MainWindow, qtbot: QtBot) -> SaveDialog:
    """The file dialog that is open."""
    qtbot.waitUntil(lambda: bool(window.findChildren(SaveDialog)), timeout=WAIT)
    return window.findChildren(SaveDialog)[-1]


def clipboard() -> QMimeData:
    return QGuiApplication.clipboard().mimeData() or QMimeData()


def pasted(data: QMimeData) -> np.ndarray:
    """What a program gets that asks for a PNG."""
    with Image.open(io.BytesIO(data.data("image/png").data()), formats=["PNG"]) as picture:
        return np.asarray(picture.convert("RGBA"))


def copied(qtbot: QtBot) -> QMimeData:
    qtbot.waitUntil(lambda: clipboard().hasFormat("image/png"), timeout=WAIT)
    return clipboard()


@pytest.fixture
def carried(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What is carried by drags: offscreen, nobody would ever let go of one."""
    files: list[Path] = []

    def carry(widget: object, data: QMimeData, picture: QPixmap) -> None:
        assert not picture.isNull()
        files.extend(Path(url.toLocalFile()) for url in data.urls())

    monkeypatch.setattr(drag_out, "drag", carry)
    return files


def test_control_s_saves_what_is_seen_and_remembers_where(
    window: MainWindow, made: Collage, tmp_path: Path, qtbot: QtBot
) -> None:
    QTest.keyClick(window.creature.canvas, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    dialog = save_dialog(window, qtbot)
    assert Path(dialog.selectedFiles()[0]).name == "cardinal-body-snowy-owl-wing-blue-jay-tail-ёжик-head-kiwi-legs.png"
    dialog.setDirectory(str(tmp_path))
    psd = next(text for text in dialog.nameFilters() if "psd" in text)
    dialog.selectNameFilter(psd)
    dialog.filterSelected.emit(psd)
    type_name(dialog, tmp_path / "bird.psd")
    dialog.accept()
    qtbot.waitUntil(lambda: (tmp_path / "bird.psd").exists(), timeout=WAIT)
    assert len(list(PSDImage.open(tmp_path / "bird.psd"))) == 6
    qtbot.waitUntil(lambda: "Saved as “bird.psd”." in window.status.text.text(), timeout=WAIT)
    assert window.status.action.text() == "Show in folder" and window.status.action.isVisible()
    values = window.session.settings.values
    assert (values.save_folder, values.save_kind) == (str(tmp_path), "psd")
    window.creature.ways_out.row.save.click()
    qtbot.waitUntil(lambda: any(one is not dialog for one in window.findChildren(SaveDialog)), timeout=WAIT)
    again = [one for one in window.findChildren(SaveDialog) if one is not dialog][-1]
    assert again.kind.name == "psd" and again.directory().absolutePath() == str(tmp_path)
    assert again.selectedFiles()[0].endswith("-legs.psd")
    again.reject()


def test_a_name_that_is_taken_is_not_proposed(window: MainWindow, made: Collage, tmp_path: Path, qtbot: QtBot) -> None:
    window.session.settings.set(save_folder=str(tmp_path), save_kind="ora")
    name = window.session.saves.creature_name()
    (tmp_path / f"{name}.psd").write_bytes(b"kept")  # in whichever kind it is saved in the end
    (tmp_path / f"{name}-2.ora").symlink_to(tmp_path / "nowhere")
    window.outlets.save_creature()
    dialog = save_dialog(window, qtbot)
    assert Path(dialog.selectedFiles()[0]).name == f"{name}-3.ora"
    dialog.reject()


def test_a_name_without_a_suffix_gets_that_of_its_kind(
    window: MainWindow, made: Collage, tmp_path: Path, qtbot: QtBot
) -> None:
    window.outlets.save_creature()
    dialog = save_dialog(window, qtbot)
    ora = next(text for text in dialog.nameFilters() if "ora" in text)
    dialog.selectNameFilter(ora)
    dialog.filterSelected.emit(ora)
    type_name(dialog, tmp_path / "bird")
    assert dialog.acceptMode() == QFileDialog.AcceptMode.AcceptSave
    dialog.accept()
    qtbot.waitUntil(lambda: (tmp_path / "bird.ora").exists(), timeout=WAIT)


def test_control_s_in_the_gallery_saves_the_creation(
    window: MainWindow, made: Collage, tmp_path: Path, qtbot: QtBot
) -> None:
    rendered(qtbot, window.session)
    window.gallery.strip.setCurrentIndex(window.gallery.model.index(0))
    window.gallery.strip.setFocus()
    QTest.keyClick(window.gallery.strip, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    dialog = save_dialog(window, qtbot)
    assert "creation" in dialog.windowTitle()
    type_name(dialog, tmp_path / "x.png")
    dialog.accept()
    creation = window.session.state.creations[0]
    qtbot.waitUntil(lambda: (tmp_path / "x.png").exists(), timeout=WAIT)
    assert (tmp_path / "x.png").read_bytes() == Path(creation.path).read_bytes()


def test_copied_without_and_with_its_ground(window: MainWindow, made: Collage, qtbot: QtBot) -> None:
    control, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(window.creature.canvas, Qt.Key.Key_C, control)
    data = copied(qtbot)
    assert np.array_equal(pasted(data), flatten(without_ground(made))) and pasted(data)[0, 0, 3] == 0
    assert data.hasImage() and data.imageData().pixelColor(0, 0).alpha() == 255, "for programs that know no PNG"
    QGuiApplication.clipboard().clear()
    QTest.keyClick(window.creature.canvas, Qt.Key.Key_C, control | shift)
    assert np.array_equal(pasted(copied(qtbot)), flatten(made))


def test_a_creature_on_nothing_is_copied_as_it_is(window: MainWindow, made: Collage, pack: Pack, qtbot: QtBot) -> None:
    session = window.session
    session.update_state(recipe=with_arrangement(session.state.recipe, Arrangement(ground="none")))
    window.creature.ways_out.row.copy.click()
    data = copied(qtbot)
    assert np.array_equal(pasted(data), flatten(assemble(session.state.recipe, pack)))
    assert data.imageData().hasAlphaChannel()


def test_without_a_creature_nothing_is_offered(window: MainWindow, qtbot: QtBot) -> None:
    ways_out = window.creature.ways_out
    assert ways_out.row.isHidden() and not ways_out.copy_action.isEnabled()
    QTest.keyClick(window.view.canvas, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    assert "There is no creature to save yet." in window.status.text.text()
    assert not window.findChildren(SaveDialog)


def seen_in(window: MainWindow, widget: QWidget) -> QRect:
    return QRect(widget.mapTo(window, QPoint(0, 0)), widget.size())


def test_the_layers_from_the_topmost_down(window: MainWindow, made: Collage, qtbot: QtBot) -> None:
    panel = window.creature.ways_out.panel
    window.creature.ways_out.row.layers.click()
    qtbot.waitUntil(lambda: panel.isVisible() and panel.rows[-1].handle.picture.width() > 0, timeout=WAIT)
    names = [row.name for row in panel.rows]
    assert names == ["The whole bird", *(layer.name for layer in reversed(made.layers)), "ground"]
    assert panel.rows[0].handle.hasFocus()
    assert not panel.geometry().intersects(seen_in(window, window.creature)), "it hides what its eyes hide and show"
    assert seen_in(window, window.centre).contains(panel.geometry())
    QTest.keyClick(panel.rows[0].handle, Qt.Key.Key_Down)
    assert panel.rows[1].handle.hasFocus()
    QTest.keyClick(panel.rows[1].handle, Qt.Key.Key_Space)  # a click copies
    top = made.layers[-1]
    assert np.array_equal(pasted(copied(qtbot)), flatten(layer_alone(top)))
    QTest.keyClick(panel.rows[1].handle, Qt.Key.Key_Escape)
    assert panel.isHidden() and window.creature.ways_out.row.layers.hasFocus()
    assert not window.creature.ways_out.row.layers.isChecked()


def test_all_layers_are_seen_where_there_is_room(window: MainWindow, made: Collage, qtbot: QtBot) -> None:
    panel = window.creature.ways_out.panel
    window.resize(1280, 1000)
    QApplication.processEvents()
    window.creature.ways_out.row.layers.click()
    assert panel.rows[0].handle.height() >= 36
    last = panel.rows[-1]
    qtbot.waitUntil(lambda: not panel._scroll.verticalScrollBar().isVisible(), timeout=WAIT)
    assert panel.rect().contains(last.mapTo(panel, last.rect().bottomLeft()))
    window.resize(720, 480)
    qtbot.waitUntil(lambda: panel.isHidden() and not window.centre.side_by_side, timeout=WAIT)
    window.centre.show_creature()
    window.creature.ways_out.row.layers.click()
    qtbot.waitUntil(lambda: seen_in(window, window.creature).contains(panel.geometry()), timeout=WAIT)
    window.centre.show_reference()
    assert panel.isHidden() and not window.creature.ways_out.row.layers.isChecked()


def test_the_layers_follow_the_creature(window: MainWindow, made: Collage, qtbot: QtBot) -> None:
    panel = window.creature.ways_out.panel
    window.creature.ways_out.row.layers.click()
    count = len(panel.rows)
    window.session.remove(4)
    qtbot.waitUntil(lambda: len(panel.rows) == count - 1, timeout=WAIT)
    for part in range(4):
        window.session.remove(part)
    qtbot.waitUntil(lambda: panel.isHidden(), timeout=WAIT)
    assert not window.creature.ways_out.row.layers.isChecked()


def test_a_layer_is_hidden_and_shown_by_its_eye(window: MainWindow, made: Collage, qtbot: QtBot) -> None:
    panel = window.creature.ways_out.panel
    window.creature.ways_out.row.layers.click()

    def press(words: str) -> None:
        next(b for b in panel.findChildren(QToolButton) if b.isVisible() and b.accessibleName() == words).click()

    top = made.layers[-1].name
    press(f"Hide {top}")
    qtbot.waitUntil(lambda: panel.rows[1].handle.text() == f"{top} (hidden)", timeout=WAIT)
    collage = window.session.state.creature.collage
    assert collage is not None and not collage.layers[-1].visible
    press(f"Show {top} again")
    qtbot.waitUntil(lambda: panel.rows[1].handle.text() == top, timeout=WAIT)
    window.session.undo()
    qtbot.waitUntil(lambda: panel.rows[1].handle.text() == f"{top} (hidden)", timeout=WAIT)


def test_one_layer_saved_as_a_png(window: MainWindow, made: Collage, tmp_path: Path, qtbot: QtBot) -> None:
    window.creature.ways_out.row.layers.click()
    window.creature.ways_out.panel.rows[1].save.click()
    dialog = save_dialog(window, qtbot)
    assert Path(dialog.selectedFiles()[0]).name == f"{made.layers[-1].name}.png"
    type_name(dialog, tmp_path / "x.png")
    dialog.accept()
    qtbot.waitUntil(lambda: (tmp_path / "x.png").exists(), timeout=WAIT)
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.size == made.layers[-1].image.shape[1::-1]
    assert window.session.settings.values.save_kind == "", "a layer's PNG is not what the next creature is saved as"


def drag_by(widget: drag_out.DragOutButton) -> None:
    """Press, move, and let go outside."""
    start = widget.rect().center()
    QTest.mousePress(widget, LEFT, pos=start)
    QTest.mouseMove(widget, start + QPoint(60, 60))
    at = QPointF(start + QPoint(60, 60))
    move = QMouseEvent(QEvent.Type.MouseMove, at, widget.mapToGlobal(at), LEFT, LEFT, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(widget, move)


def test_the_picture_is_dragged_out_by_its_grip(
    window: MainWindow, made: Collage, carried: list[Path], qtbot: QtBot
) -> None:
    drag_by(window.creature.ways_out.row.grip)
    qtbot.waitUntil(lambda: bool(carried), timeout=WAIT)
    assert carried[0].name.startswith("cardinal-body") and len(carried) == 1
    with Image.open(carried[0]) as picture:
        assert np.array_equal(np.asarray(picture), flatten(made))


def test_a_layer_is_dragged_out_as_a_file_named_after_its_part(
    window: MainWindow, made: Collage, carried: list[Path], qtbot: QtBot
) -> None:
    panel = window.creature.ways_out.panel
    window.creature.ways_out.row.layers.click()
    qtbot.waitUntil(lambda: panel.rows[-1].handle.picture.width() > 0, timeout=WAIT)
    drag_by(panel.rows[1].handle)
    qtbot.waitUntil(lambda: bool(carried), timeout=WAIT)
    assert carried[0].name == f"{made.layers[-1].name}.png"
    with Image.open(carried[0]) as picture:
        assert picture.size == made.layers[-1].image.shape[1::-1] and picture.mode == "RGBA"


def test_a_click_on_the_grip_copies_the_file(
    window: MainWindow, made: Collage, carried: list[Path], qtbot: QtBot
) -> None:
    QTest.mouseClick(window.creature.ways_out.row.grip, LEFT)
    qtbot.waitUntil(lambda: clipboard().hasUrls(), timeout=WAIT)
    assert Path(clipboard().urls()[0].toLocalFile()).is_file() and not carried


def test_what_is_rendered_is_dragged_and_saved_as_itself(
    window: MainWindow, made: Collage, carried: list[Path], qtbot: QtBot
) -> None:
    rendered(qtbot, window.session)
    creation = window.session.state.creations[0]
    qtbot.waitUntil(lambda: window.creature.shown_creation is not None, timeout=WAIT)
    drag_by(window.creature.ways_out.row.grip)
    assert carried == [Path(creation.path)]
    window.creature.ways_out.row.save.click()
    dialog = save_dialog(window, qtbot)
    assert "creation" in dialog.windowTitle()
    dialog.reject()


@pytest.mark.parametrize("width", [1280, 760])
def test_all_ways_out_are_named_and_reached_by_keys(
    window: MainWindow, made: Collage, width: int, qtbot: QtBot
) -> None:
    window.resize(width, 760)
    window.centre.show_creature()
    row = window.creature.ways_out.row
    qtbot.waitUntil(lambda: row.isVisible(), timeout=WAIT)
    for button in (row.save, row.copy, row.layers, row.check, row.grip):
        assert button.accessibleName() and button.toolTip() and button.focusPolicy() & Qt.FocusPolicy.TabFocus
        assert row.rect().contains(button.geometry())
