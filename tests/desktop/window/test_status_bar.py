"""Status strip: what it says and for how long."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from partcraft_desktop.app.messages import Action, Message
from partcraft_desktop.app.state import RenderStatus
from partcraft_desktop.app.time_left import render_text
from partcraft_desktop.window.status_bar import StatusBar
from tests.desktop.conftest import WAIT, Opened, rendered


@pytest.fixture
def status(qtbot: QtBot, opened: Opened) -> StatusBar:
    widget = StatusBar(opened.session)
    qtbot.addWidget(widget)
    widget.resize(600, 32)
    widget.show()
    return widget


def test_it_is_quiet_when_nothing_is_the_matter(qtbot: QtBot, status: StatusBar) -> None:
    qtbot.waitUntil(lambda: not status.doing.isVisible(), timeout=WAIT)  # the engine wakes up first
    parts = (status.text, status.action, status.dismiss, status.doing, status.cancel)
    assert [part for part in parts if part.isVisible()] == [status.text] and not status.text.text()


def test_what_asks_for_nothing_goes_by_itself_and_an_error_stays(status: StatusBar) -> None:
    status.show_message(Message("Copied."))
    assert status._timer.isActive()
    status.show_message(Message("It broke.", "Mend it.", "error"))
    assert not status._timer.isActive() and status.text.text() == "It broke. Mend it."
    status.clear()
    assert not status.text.text() and not status.dismiss.isVisible()


def test_a_next_step_is_one_press(status: StatusBar) -> None:
    done: list[int] = []
    status.show_message(Message("Deleted.", action=Action("Undo", lambda: done.append(1))))
    assert status.action.text() == "Undo" and status.action.isVisible()
    status.action.click()
    assert done == [1] and not status.action.isVisible()


@pytest.mark.parametrize(
    ("render", "words"),
    [
        (RenderStatus(1), "Starting"),
        (RenderStatus(1, "Rendering", 5, 20, started=90.0), "Rendering, 30 s left"),
        (RenderStatus(1, "Rendering", 0, 20, started=90.0), "Rendering"),
        (RenderStatus(1, "Rendering", 30, 40, 70.0, whole=1, count=2), "Rendering 2 of 2, 10 s left"),
        (RenderStatus(1, "Rendering", 5, 20, cancelling=True), "Stopping…"),
        (RenderStatus(1, "Rendering", 1, 3001, started=0.0), "Rendering, 3 days left"),
    ],
)
def test_what_a_render_does_in_words(render: RenderStatus, words: str) -> None:
    assert render_text(render, 100.0) == words


def undo_of(done: list[str], what: str) -> Message:
    return Message(f"{what} deleted.", action=Action("Undo", lambda: done.append(what)))


def test_the_newest_action_replaces_the_one_before_and_stays_behind_what_passes(status: StatusBar) -> None:
    done: list[str] = []
    status.show_message(undo_of(done, "One"))
    status.show_message(undo_of(done, "Two"))
    assert not status._timer.isActive() and status.text.text() == "Two deleted."
    status.show_message(Message("Copied."))
    assert status.text.text() == "Copied." and not status.action.isVisible()
    status._timer.timeout.emit()  # its time is over
    assert status.text.text() == "Two deleted." and status.action.isVisible()
    status.action.click()
    assert done == ["Two"] and not status.text.text() and not status.action.isVisible()


def test_an_error_goes_when_the_next_thing_succeeds_and_an_action_stays(
    qtbot: QtBot, status: StatusBar, opened: Opened
) -> None:
    status.show_message(undo_of([], "One"))
    status.show_message(Message("It broke.", "Mend it.", "error"))
    rendered(qtbot, opened.session)
    assert status.text.text() == "One deleted." and status.action.isVisible()
    status.show_message(Message("It broke.", "Mend it.", "error"))
    status.show_message(Message("Copied."))
    status._timer.timeout.emit()
    assert status.text.text() == "One deleted."


def test_an_error_does_not_throw_away_what_can_be_undone(status: StatusBar) -> None:
    done: list[str] = []
    status.show_message(undo_of(done, "One"))
    status.show_message(Message("It broke.", "Mend it.", "error"))
    status.show_message(Message("It broke again.", "Mend it.", "error"))
    assert status.text.text().startswith("It broke again")
    status.dismiss.click()
    status.action.click()
    assert done == ["One"]


def test_escape_closes_the_message_where_the_keys_are(qtbot: QtBot, status: StatusBar) -> None:
    done: list[str] = []
    status.show_message(undo_of(done, "One"))
    status.action.setFocus()
    status.show_message(Message("It broke.", "Mend it.", "error"))
    assert status.dismiss.hasFocus()
    qtbot.keyClick(status.dismiss, Qt.Key.Key_Escape)
    assert status.text.text() == "One deleted." and not done


def test_a_message_whose_step_was_undone_goes(status: StatusBar, opened: Opened) -> None:
    done: list[str] = []
    first, second = undo_of(done, "One"), undo_of(done, "Two")
    for message in (first, second):
        status.show_message(message)
    opened.session.withdrawn.emit(first)
    assert status.text.text() == "Two deleted."
    opened.session.withdrawn.emit(second)
    assert not status.text.text()
