"""The page that evaluates a pack: started from the pack's menu, live, stopped and gone on with, its report opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu, QWidget
from pytestqt.qtbot import QtBot

from partcraft_desktop.window.evaluation_dialog import EvaluationDialog
from partcraft_desktop.window.main_window import MainWindow
from tests.desktop.conftest import WAIT
from tests.desktop.qt_thread import file_access


def press_menu(window: MainWindow, words: str) -> bool:
    """Open the pack's menu and press an entry; whether it is there."""
    window.library.packs.click()
    menu = window.library.findChild(QMenu)
    assert isinstance(menu, QMenu)
    action = next((action for action in menu.actions() if action.text().startswith(words)), None)
    menu.close()
    if action is not None:
        action.trigger()
    return action is not None


@pytest.fixture
def dialog(window: MainWindow) -> EvaluationDialog:
    assert press_menu(window, "Evaluate")
    opened = window.findChild(EvaluationDialog)
    assert isinstance(opened, EvaluationDialog)
    opened.count.set_value(6)
    return opened


class Opener(QObject):
    """Stands in for the system's browser."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[QUrl] = []

    @Slot(QUrl)
    def open(self, url: QUrl) -> None:
        self.opened.append(url)


@pytest.fixture
def browser() -> Iterator[Opener]:
    opener = Opener()
    # It takes a text, whatever its stubs say.
    QDesktopServices.setUrlHandler("file", opener, "open")  # pyright: ignore[reportArgumentType]
    yield opener
    QDesktopServices.unsetUrlHandler("file")


def test_figures_and_pictures_grow_and_the_report_opens(
    dialog: EvaluationDialog, qtbot: QtBot, script: Callable[..., None], browser: Opener, home: Path
) -> None:
    script(evaluate={"delay": 0.05})
    assert not dialog.open_report.isEnabled() and dialog.line.isHidden()
    seen: set[str] = set()
    shown: set[int] = set()
    dialog._work.grown.connect(lambda _: seen.add(dialog.figures.cells[1][0].text()))
    dialog._work.grown.connect(lambda _: shown.add(len(dialog.sheet.pictures)))
    with file_access() as asked:
        QTest.keyClick(dialog.start, Qt.Key.Key_Return)
        assert dialog.line.isVisible() and dialog.line.cancel.hasFocus() and not dialog.start.isEnabled()
        qtbot.waitUntil(lambda: dialog.open_report.isEnabled(), timeout=WAIT)
    assert not asked, "the Qt thread reads no files"
    assert {"All, 6 pictures"} < seen and {6} < shown
    assert [row[0].text() for row in dialog.figures.cells[1:]] == [
        "All, 6 pictures", *(f"From {mix}, 6 pictures" for mix in (1, 2, 3, 4))
    ]  # fmt: skip
    assert dialog.figures.cells[1][1].text() == "0.900 [0.85, 0.95]"
    assert "Judged by the fake judge" in dialog.figures.words.text()
    assert dialog.line.isHidden() and dialog.open_report.hasFocus() and dialog.note.isHidden()
    QTest.keyClick(dialog.open_report, Qt.Key.Key_Space)
    (url,) = browser.opened
    report = Path(url.toLocalFile())
    assert report.read_text() == "<p>Figures</p>" and report.is_relative_to(home / "evaluations")


def test_it_stops_and_goes_on_in_the_same_folder(
    dialog: EvaluationDialog, qtbot: QtBot, script: Callable[..., None], home: Path
) -> None:
    script(evaluate={"delay": 0.05})
    dialog.count.set_value(200)
    dialog.start.click()
    qtbot.waitUntil(lambda: len(dialog.sheet.pictures) > 1, timeout=WAIT)
    dialog.line.cancel.click()
    qtbot.waitUntil(lambda: dialog.start.isEnabled(), timeout=WAIT)
    assert dialog.note.text() == "Stopped. What was rendered is kept; Start goes on from there."
    assert dialog.note.isVisible() and not dialog.open_report.isEnabled() and dialog.start.hasFocus()
    script()
    dialog.start.click()
    qtbot.waitUntil(lambda: dialog.open_report.isEnabled(), timeout=WAIT)
    assert len(list((home / "evaluations").iterdir())) == 1 and dialog.note.isHidden()


def test_a_failure_is_told_where_it_happened(
    dialog: EvaluationDialog, qtbot: QtBot, script: Callable[..., None]
) -> None:
    script(evaluate={"fail": ["The codes of the pack are classes.", "Choose another pack."]})
    dialog.start.click()
    qtbot.waitUntil(lambda: dialog.note.isVisible(), timeout=WAIT)
    assert dialog.note.text() == "The codes of the pack are classes. Choose another pack."
    assert not dialog.open_report.isEnabled() and dialog.start.isEnabled()


def test_closing_it_ends_the_evaluation(
    dialog: EvaluationDialog, window: MainWindow, qtbot: QtBot, script: Callable[..., None]
) -> None:
    script(evaluate={"delay": 0.05})
    dialog.count.set_value(2000)
    dialog.start.click()
    qtbot.waitUntil(lambda: len(dialog.sheet.pictures) > 1, timeout=WAIT)
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not window.session._client.busy, timeout=WAIT)


def test_an_untrained_pack_is_not_offered_one(window: MainWindow, qtbot: QtBot) -> None:
    pack = window.session.state.pack
    assert pack is not None
    (pack.path / "tokens.safetensors").unlink()
    window.session.list_packs()
    qtbot.waitUntil(lambda: bool((shown := window.session.state.pack) and not shown.trained), timeout=WAIT)
    assert not press_menu(window, "Evaluate")


def test_every_control_has_a_name_and_is_reached_by_keyboard(dialog: EvaluationDialog) -> None:
    for control in (dialog.sources, dialog.start, dialog.open_report, dialog.line.cancel, dialog.count.edit):
        assert isinstance(control, QWidget) and control.accessibleName()
        assert control.focusPolicy() & Qt.FocusPolicy.TabFocus
