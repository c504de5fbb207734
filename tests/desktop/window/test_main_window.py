"""The whole window: wiring, keys, dropping, sizes, themes; the front door."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QDragEnterEvent, QDropEvent, QGuiApplication, QMouseEvent, QPalette
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QDialog,
    QLabel,
    QLineEdit,
    QPushButton,
    QToolButton,
    QTreeWidget,
    QWidget,
)
from pytestqt.qtbot import QtBot

from partcraft_desktop.__main__ import main
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.single_instance import SingleInstance, hand_to_first_instance
from partcraft_desktop.widgets.fly_animation import FlyAnimation
from partcraft_desktop.widgets.theme import DARK, LIGHT, Colours, Theme
from partcraft_desktop.window.gallery_room import GalleryRoom
from partcraft_desktop.window.help_dialogs import DetailsDialog
from partcraft_desktop.window.main_window import MainWindow
from tests import fakes
from tests.conftest import REPOSITORY
from tests.desktop.conftest import WAIT, Opened

BODY, WING, TAIL, HEAD, LEGS = 0, 1, 2, 3, 4
Role = QPalette.ColorRole


def point(window: MainWindow, part: int) -> QPoint:
    """Where a part is seen: its innermost point on the canvas."""
    at = window.view.canvas.centre_of(part)
    assert at is not None
    return at


def hover(window: MainWindow, at: QPoint) -> None:
    canvas = window.view.canvas
    where = QPointF(at)
    none = Qt.MouseButton.NoButton
    event = QMouseEvent(
        QEvent.Type.MouseMove, where, canvas.mapToGlobal(where), none, none, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(canvas, event)


def named(window: QWidget, name: str) -> QAbstractButton:
    """The visible button with that accessible name."""
    found = [b for b in window.findChildren(QAbstractButton) if b.accessibleName() == name and b.isVisible()]
    assert len(found) == 1, f"{len(found)} buttons called {name}"
    return found[0]


def dialog_of(qtbot: QtBot) -> QDialog:
    qtbot.waitUntil(lambda: QApplication.activeModalWidget() is not None, timeout=WAIT)
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, QDialog)
    return dialog


def test_hover_lights_and_a_click_takes_and_puts_back(qtbot: QtBot, window: MainWindow, session: Session) -> None:
    hover(window, point(window, HEAD))
    assert window.view.canvas.lit == HEAD
    qtbot.mouseClick(window.view.canvas, Qt.MouseButton.LeftButton, pos=point(window, HEAD))
    choice = session.state.recipe.choice_of(HEAD)
    assert choice is not None and (choice.code, choice.source) == (0, "0")
    assert not session.state.hint
    qtbot.mouseClick(window.view.canvas, Qt.MouseButton.LeftButton, pos=point(window, HEAD))
    assert session.state.recipe.choice_of(HEAD) is None


def test_a_taken_part_flies_to_its_place_and_hover_lights_both_ways(qtbot: QtBot, window: MainWindow) -> None:
    hover(window, point(window, HEAD))
    dark = window.composer.slots[WING].grab().toImage()
    hover(window, point(window, WING))
    assert window.composer.slots[WING].grab().toImage() != dark
    window.composer.lit_changed.emit(HEAD)
    assert window.view.canvas.lit == HEAD
    session = window.session
    session.choose(WING, 0, "0")  # what the first collage has to import and measure is there then
    qtbot.waitUntil(lambda: session.state.creature.choices == session.state.recipe.choices, timeout=WAIT)
    qtbot.mouseClick(window.view.canvas, Qt.MouseButton.LeftButton, pos=point(window, HEAD))
    qtbot.waitUntil(lambda: len(window.findChildren(FlyAnimation)) == 1, timeout=WAIT)
    qtbot.waitUntil(lambda: not window.findChildren(FlyAnimation), timeout=WAIT)
    qtbot.mouseClick(window.view.canvas, Qt.MouseButton.LeftButton, pos=point(window, HEAD))
    assert not window.findChildren(FlyAnimation)  # put back, nothing flies


def test_keys_walk_the_parts_and_take(qtbot: QtBot, window: MainWindow, session: Session) -> None:
    window.view.canvas.setFocus()
    qtbot.keyClick(window.view.canvas, Qt.Key.Key_Right)
    lit = window.view.canvas.lit
    assert lit is not None
    qtbot.keyClick(window.view.canvas, Qt.Key.Key_Return)
    assert session.state.recipe.choice_of(lit) is not None


def test_the_same_parts_of_another_picture_are_not_marked(window: MainWindow, session: Session, qtbot: QtBot) -> None:
    session.choose(HEAD, 0, "0")
    shown: list[str] = []
    window.view.shown.connect(shown.append)
    session.open_reference("3")
    qtbot.waitUntil(lambda: bool(shown) and window.view.canvas.centre_of(HEAD) is not None, timeout=WAIT)
    qtbot.mouseClick(window.view.canvas, Qt.MouseButton.LeftButton, pos=point(window, HEAD))
    choice = session.state.recipe.choice_of(HEAD)
    assert choice is not None and choice.code == 3


def test_undo_and_redo_by_key_and_button(qtbot: QtBot, window: MainWindow, session: Session) -> None:
    assert not named(window, "Undo").isEnabled()
    qtbot.keyClick(window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    mixed = session.state.recipe
    assert mixed.choices
    qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert session.state.recipe.choices == ()
    named(window, "Redo").click()
    assert session.state.recipe == mixed


def test_render_by_key_and_stop_by_escape(
    qtbot: QtBot, window: MainWindow, session: Session, script: Callable[..., None]
) -> None:
    script(render={"delay": 0.02})
    session.set_setting("steps", 400)
    qtbot.keyClick(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: session.state.render is not None and session.state.render.done > 1, timeout=WAIT)
    doing = window.status.findChild(QLabel, "doing")
    cancel = window.status.findChild(QPushButton, "cancel")
    assert doing is not None and cancel is not None and cancel.isVisible()
    qtbot.waitUntil(lambda: "left" in doing.text(), timeout=WAIT)
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: session.state.render is None, timeout=WAIT)
    assert not cancel.isVisible() and not doing.isVisible()


def test_the_key_of_render_adds_to_the_queue_and_escape_stops_the_running_one_only(
    qtbot: QtBot, window: MainWindow, session: Session, script: Callable[..., None]
) -> None:
    script(render={"delay": 0.02})
    session.set_setting("steps", 400)
    for _ in range(3):
        qtbot.keyClick(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    first, second = session.state.render, session.state.queue[0]
    assert first is not None and len(session.state.queue) == 2
    assert not window.render_action.autoRepeat() and not window.stop.autoRepeat()
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: session.state.render is not None and session.state.render.item == second, timeout=WAIT)
    assert len(session.state.queue) == 1
    session.cancel_all()
    qtbot.waitUntil(lambda: session.state.render is None, timeout=WAIT)


def test_an_error_stays_until_dismissed_and_is_never_a_dialog(
    qtbot: QtBot, window: MainWindow, session: Session, script: Callable[..., None]
) -> None:
    script(render={"raise": "unheard of"})
    session.render()
    qtbot.waitUntil(lambda: window.status.text.text() != "", timeout=WAIT)
    assert QApplication.activeModalWidget() is None
    assert named(window.status, "Details…").isVisible()
    named(window.status, "Details…").click()
    dialog = dialog_of(qtbot)
    assert isinstance(dialog, DetailsDialog) and "unheard of" in dialog.text.toPlainText()
    dialog.close()
    named(window.status, "Dismiss").click()
    assert window.status.text.text() == ""


def drop(window: MainWindow, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    at = QPointF(400, 300)
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    entering = QDragEnterEvent(at.toPoint(), Qt.DropAction.CopyAction, data, buttons, keys)
    QApplication.sendEvent(window, entering)
    assert entering.isAccepted()
    QApplication.sendEvent(window, QDropEvent(at, Qt.DropAction.CopyAction, data, buttons, keys))


def test_a_picture_can_be_dropped_anywhere(qtbot: QtBot, window: MainWindow, session: Session, tmp_path: Path) -> None:
    path = tmp_path / "mine.png"
    fakes.sketch_bird(2, 100)[0].save(path)
    drop(window, path)
    qtbot.waitUntil(lambda: bool(session.state.own and session.state.own[0].segmentation), timeout=WAIT)
    assert session.state.reference is not None and session.state.reference.id == str(path)


def test_a_dropped_folder_opens_the_wizard(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    drop(window, fakes.make_folder(tmp_path / "birds"))
    qtbot.waitUntil(lambda: window.wizard is not None, timeout=WAIT)
    assert window.wizard is not None and window.wizard.isVisible() and not window.library.isVisible()
    qtbot.waitUntil(lambda: window.session.state.learning.surveyed is not None, timeout=WAIT)


def test_text_is_not_taken_for_a_file(window: MainWindow) -> None:
    data = QMimeData()
    data.setText("hello")
    entering = QDragEnterEvent(
        QPoint(9, 9), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    entering.ignore()
    QApplication.sendEvent(window, entering)
    assert not entering.isAccepted()


def test_a_creation_goes_to_the_clipboard_as_picture_and_file(
    qtbot: QtBot, window: MainWindow, session: Session
) -> None:
    session.set_setting("steps", 1)
    session.render()
    qtbot.waitUntil(lambda: bool(session.state.creations), timeout=WAIT)
    creation = session.state.creations[0]
    window.openings.copy_picture(creation)
    qtbot.waitUntil(lambda: window.status.text.text() == "Copied.", timeout=WAIT)
    data = QGuiApplication.clipboard().mimeData()
    assert data.hasImage() and data.urls()[0].toLocalFile() == creation.path


def test_every_control_has_a_name_and_buttons_are_reached_by_keys(window: MainWindow) -> None:
    for button in window.findChildren(QAbstractButton):
        # Qt's own little buttons inside a line edit are part of it.
        if button.isVisible() and not isinstance(button.parent(), QLineEdit):
            assert button.accessibleName() or button.text(), button
    for button in window.findChildren(QToolButton):
        if button.isVisible() and button.isEnabled() and not isinstance(button.parent(), QLineEdit):
            assert button.focusPolicy() & Qt.FocusPolicy.TabFocus, button.accessibleName()


def test_f6_goes_through_the_areas(qtbot: QtBot, window: MainWindow) -> None:
    areas = (window.library, window.view, window.composer, window.gallery, window.status)
    seen = set()
    for _ in range(6):
        qtbot.keyClick(window, Qt.Key.Key_F6)
        focus = window.focusWidget()
        seen |= {area for area in areas if area.isAncestorOf(focus)}
    assert seen >= {window.library, window.view, window.composer}


def test_ctrl_f_searches_even_with_the_library_folded(qtbot: QtBot, window: MainWindow) -> None:
    qtbot.keyClick(window, Qt.Key.Key_B, Qt.KeyboardModifier.ControlModifier)
    assert not window.library.isVisible()
    qtbot.keyClick(window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert window.library.isVisible() and window.focusWidget() is window.library.search


def test_the_first_window_fits_the_screen(qtbot: QtBot, opened: Opened, themed: Theme) -> None:
    fresh = MainWindow(opened.session, opened.readers)
    qtbot.addWidget(fresh)
    room = fresh.screen().availableSize()
    assert room.height() < 832 and fresh.height() < room.height(), "with its title bar"


def test_sizes_are_kept(qtbot: QtBot, window: MainWindow, opened: Opened) -> None:
    # Offscreen the screen is 800 x 800, and a window comes back no larger than the screen.
    window.resize(790, 640)
    window.fold_library()  # which had given way
    window.across.setSizes([220, 280, 290])
    sizes = window.across.sizes()
    window.close()
    again = MainWindow(opened.session, opened.readers)
    qtbot.addWidget(again)
    again.show()
    again.fold_library()
    qtbot.waitUntil(lambda: again.across.sizes() == sizes, timeout=WAIT)
    assert again.height() == 640


def test_a_library_behind_the_wizard_is_not_a_folded_one(qtbot: QtBot, window: MainWindow, opened: Opened) -> None:
    window.session.learning.show()
    assert not window.library.isVisible()
    window.close()
    assert opened.settings.values.window["library"] is True
    again = MainWindow(opened.session, opened.readers)
    qtbot.addWidget(again)
    again.session.learning.hide()
    again.resize(1280, 832)
    again.show()
    assert again.library.isVisible()


def test_a_folded_library_stays_folded(qtbot: QtBot, window: MainWindow, opened: Opened) -> None:
    window.fold_library()
    window.session.learning.show()
    window.close()
    again = MainWindow(opened.session, opened.readers)
    qtbot.addWidget(again)
    again.session.learning.hide()
    again.show()
    assert not again.library.isVisible()
    again.fold_library()
    assert again.library.isVisible()


def test_a_short_window_gives_the_gallerys_room_to_the_pictures(
    qtbot: QtBot, window: MainWindow, opened: Opened
) -> None:
    window.resize(1280, 832)
    first = GalleryRoom.first_sizes(400)[1]
    qtbot.waitUntil(lambda: window.gallery.height() == first)
    handle = window.down.handle(1)
    QTest.mousePress(handle, Qt.MouseButton.LeftButton, pos=handle.rect().center())
    at = QPointF(handle.rect().center() - QPoint(0, 20))
    none, left = Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton
    keys = Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(
        handle, QMouseEvent(QEvent.Type.MouseMove, at, QPointF(handle.mapToGlobal(at)), none, left, keys)
    )
    QTest.mouseRelease(handle, Qt.MouseButton.LeftButton, pos=handle.rect().center())
    qtbot.waitUntil(lambda: window.gallery.height() > first)
    chosen = window.gallery.height()
    window.composer.setMinimumHeight(300)  # as with a long queue: the gallery gives way before it is told
    window.resize(900, 560)
    qtbot.waitUntil(lambda: window.gallery.height() == window.gallery.minimumHeight())
    window.close()
    assert opened.settings.values.window["down"][1] == chosen, "what a person chose"
    window.show()
    window.composer.setMinimumHeight(0)
    window.resize(1280, 832)
    qtbot.waitUntil(lambda: window.gallery.height() == chosen)


def test_the_gallery_begins_lower_on_a_small_screen() -> None:
    assert GalleryRoom.first_sizes(730)[1] < GalleryRoom.first_sizes(832)[1] == 200


@pytest.mark.parametrize(
    "broken",
    [
        {"geometry": 3, "across": "no", "down": [0], "library": "x"},
        {"geometry": "!"},
        {"across": [10**400] * 3, "down": [2**31] * 2, "centre": [True] * 2, "tile": 10**400},
    ],
)
def test_broken_sizes_fall_back(qtbot: QtBot, opened: Opened, broken: dict[str, object]) -> None:
    opened.settings.set(window=broken)
    window = MainWindow(opened.session, opened.readers)
    qtbot.addWidget(window)
    window.show()
    assert window.width() >= 720 and window.composer.isVisible()


def test_the_theme_changes_at_once(qtbot: QtBot, window: MainWindow, opened: Opened, themed: Theme) -> None:
    opened.settings.set(theme="dark")
    assert window.palette().color(Role.Window) == QColor(DARK.ground)
    dark = window.grab().toImage().pixelColor(4, 60)
    opened.settings.set(theme="light")
    light = window.grab().toImage().pixelColor(4, 60)
    assert dark == QColor(DARK.ground) and light == QColor(LIGHT.ground)


@pytest.mark.parametrize(("theme", "colours"), [("light", LIGHT), ("dark", DARK)])
def test_the_header_of_a_list_of_files_is_readable(
    qtbot: QtBot, opened: Opened, themed: Theme, theme: str, colours: Colours
) -> None:
    opened.settings.set(theme=theme)
    files = QTreeWidget()
    qtbot.addWidget(files)
    files.setHeaderLabels(["Name", "Size"])
    files.show()
    ground = files.header().grab().toImage().pixelColor(2, 2)
    assert ground == QColor(colours.ground)


def contrast(first: str, second: str) -> float:
    from partcraft_desktop.widgets.part_glyphs import luminance

    a, b = sorted((luminance(QColor(first)), luminance(QColor(second))))
    return (b + 0.05) / (a + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_text_is_readable(colours: Colours) -> None:
    for ground in (colours.ground, colours.surface, colours.raised):
        assert contrast(colours.text, ground) >= 7
        assert contrast(colours.quiet, ground) >= 4.5
    assert contrast(colours.on_accent, colours.accent) >= 4.5
    assert contrast(colours.accent, colours.ground) >= 4.5


def test_a_second_copy_hands_its_files_to_the_first(qtbot: QtBot, home: Path) -> None:
    assert not hand_to_first_instance(home, [])
    first = SingleInstance(home)
    asked: list[list[str]] = []
    first.asked.connect(asked.append)
    code = (
        "import sys\nfrom pathlib import Path\nfrom PySide6.QtCore import QCoreApplication\n"
        "from partcraft_desktop.app.single_instance import hand_to_first_instance\napp = QCoreApplication([])\n"
        f"sys.exit(0 if hand_to_first_instance(Path({str(home)!r}), ['/a b/ё.png']) else 3)"
    )
    second = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY)
    qtbot.waitUntil(lambda: second.poll() is not None, timeout=WAIT)
    assert second.returncode == 0 and asked == [["/a b/ё.png"]]
    first.close()


def test_without_a_screen_one_sentence_and_exit_2(home: Path) -> None:
    hidden = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
    done = subprocess.run(
        [sys.executable, "-m", "partcraft_desktop"], env=hidden, cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "needs a screen" in done.stderr and not done.stdout


def test_words_go_to_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such-command"]) == 2


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
def test_icons_are_sharp_at_any_scale_and_follow_the_theme(opened: Opened, themed: Theme, ratio: float) -> None:
    from PySide6.QtCore import QSize

    from partcraft_desktop.widgets.theme import icon

    undo = icon("undo")
    for theme, colours in (("dark", DARK), ("light", LIGHT)):
        opened.settings.set(theme=theme)
        pixmap = undo.pixmap(QSize(20, 20), ratio)
        assert pixmap.size() == QSize(20, 20) * ratio and pixmap.devicePixelRatio() == ratio
        image = pixmap.toImage()
        solid = {
            image.pixelColor(x, y).name()
            for x in range(image.width())
            for y in range(image.height())
            if image.pixelColor(x, y).alpha() == 255
        }
        assert solid == {colours.text}


def test_every_icon_that_is_named_is_there() -> None:
    import re

    from engine.core.paths import resources_dir

    drawn = {path.stem for path in (resources_dir() / "icons").glob("*.svg")}
    source = "".join(path.read_text("utf-8") for path in (REPOSITORY / "partcraft_desktop").rglob("*.py"))
    named = set(re.findall(r"""(?:icon|tool_button|paint_icon)\((?:painter, )?"([a-z-]+)\"""", source))
    assert named and named <= drawn, named - drawn
    in_sheet = set(re.findall(r"icons/([a-z-]+)\.svg", (resources_dir() / "style.qss").read_text("utf-8")))
    assert in_sheet and in_sheet <= drawn, in_sheet - drawn
