"""The queue above the Render button: rows, keys, dragging, what is said to people who do not see it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from engine.core.recipe import Recipe
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.state import LoadStatus, QueuedRender, RenderStatus, State
from partcraft_desktop.composer.composer import Composer
from partcraft_desktop.composer.queue_list import MOST_ROWS, QueueList
from partcraft_desktop.composer.queue_row import ROW, QueueRow
from partcraft_desktop.widgets.theme import Theme
from partcraft_desktop.widgets.thumbnails import Thumbnails
from tests.desktop.conftest import WAIT, Opened

LEFT = Qt.MouseButton.LeftButton
ALT = Qt.KeyboardModifier.AltModifier
HEAD = 3


def items(*numbers: int, **changes: bool | str) -> tuple[QueuedRender, ...]:
    """Renders that wait, by number."""
    return tuple(QueuedRender(n, Recipe("p"), "p", f"head {n}", **changes) for n in numbers)  # pyright: ignore[reportArgumentType]


def rendering(**changes: object) -> RenderStatus:
    """A running render."""
    return RenderStatus(1, "Rendering", 5, 10, item=items(9)[0], **changes)  # pyright: ignore[reportArgumentType]


@pytest.fixture
def queue(qtbot: QtBot, themed: Theme) -> Iterator[QueueList]:
    """The list alone, in a place on screen."""
    place = QWidget()
    qtbot.addWidget(place)
    queue = QueueList()
    QVBoxLayout(place).addWidget(queue)
    place.resize(280, 240)
    place.show()
    yield queue
    place.close()


@pytest.fixture
def composer(qtbot: QtBot, opened: Opened, themed: Theme, script: Callable[..., None]) -> Composer:
    """A composer with a render that goes on and on, and three that wait."""
    composer = Composer(opened.session, Thumbnails(opened.readers))
    qtbot.addWidget(composer)
    composer.resize(304, 720)
    composer.show()
    qtbot.waitExposed(composer)
    script(render={"delay": 0.02})
    opened.session.set_setting("steps", 500)
    for head in range(4):
        opened.session.choose(HEAD, head, str(head))
        opened.session.render()
    return composer


def rows(composer: Composer) -> list[QueueRow]:
    """The waiting rows from above."""
    return sorted(composer.queue.rows.values(), key=lambda row: row.y())


def heads(session: Session) -> list[int]:
    return [item.recipe.choices[0].code for item in session.state.queue]


def test_nothing_is_shown_where_nothing_waits(queue: QueueList) -> None:
    assert not queue.isVisible()
    queue.show_state(State(render=rendering()))
    assert queue.isVisible() and queue.running.isVisible()
    assert not queue.cancel_all.isVisible() and not queue.go_on.isVisible() and not queue.area.isVisible()
    queue.show_state(State())
    assert not queue.isVisible()


def test_one_is_cancelled_by_its_own_button_two_by_one_for_all(queue: QueueList) -> None:
    queue.show_state(State(render=rendering(), queue=items(1)))
    assert queue.cancel_all.isVisible() and queue.total.text() == "2 pictures"
    queue.show_state(State(queue=items(1)))
    assert not queue.cancel_all.isVisible()


def test_it_never_takes_more_than_three_rows(queue: QueueList) -> None:
    queue.show_state(State(render=rendering(), queue=items(*range(40))))
    assert queue.area.height() <= 3 * ROW
    row = queue.rows[30]
    row.setFocus()
    QApplication.processEvents()
    seen = row.mapTo(queue.area.viewport(), QPoint(0, 0)).y()
    assert 0 <= seen <= queue.area.height() - ROW
    queue.set_little_room(True)
    assert queue.area.height() <= 2 * ROW


def test_of_a_very_long_queue_the_first_are_shown_and_the_others_counted(qtbot: QtBot, queue: QueueList) -> None:
    queue.show_state(State(queue=items(*range(1000))))
    assert list(queue.rows) == list(range(MOST_ROWS)) and queue.more.text() == "and 952 more"
    assert queue.rows[0].accessibleName() == "Waiting, 1 of 1000: head 0"
    queue.show_state(State(queue=items(*range(1, 1000))))
    assert sorted(queue.rows) == list(range(1, MOST_ROWS + 1)) and queue.more.text() == "and 951 more"
    last = queue.rows[MOST_ROWS]
    qtbot.waitUntil(lambda: last.y() + ROW == queue.more.y(), timeout=WAIT)
    queue.show_state(State(queue=items(1, 2)))
    assert not queue.more.isVisible() and sorted(queue.rows) == [1, 2]


def test_what_is_held_asks_to_go_on_or_to_be_cleared(qtbot: QtBot, queue: QueueList) -> None:
    queue.show_state(State(queue=items(1, 2, held=True)))
    assert queue.held.text() == "2 renders wait" and not queue.cancel_all.isVisible()
    with qtbot.waitSignal(queue.go_on_asked):
        qtbot.mouseClick(queue.go_on, LEFT)
    with qtbot.waitSignal(queue.clear_asked):
        qtbot.mouseClick(queue.clear, LEFT)


def test_a_failed_one_says_why_and_is_tried_again(qtbot: QtBot, queue: QueueList) -> None:
    queue.show_state(State(queue=items(1, failed="It is broken.")))
    row = queue.rows[1]
    assert row.retry.isVisible() and row.accessibleName() == "Failed, 1 of 1: head 1"
    assert "It is broken." in row.accessibleDescription() and "It is broken." in row.toolTip()
    with qtbot.waitSignal(queue.retry_asked) as asked:
        QTest.keyClick(row, Qt.Key.Key_Return)
    assert asked.args == [1]
    queue.show_state(State(queue=items(1)))
    assert not row.retry.isVisible()


def test_a_load_wanders_until_it_was_measured_once(queue: QueueList) -> None:
    status, now = RenderStatus(1, item=items(9)[0]), time.monotonic()
    queue.show_state(State(render=status, load=LoadStatus(now)))
    assert queue.running.busy.running and queue.running.doing.text() == "Loading the model…"
    queue.show_state(State(render=status, load=LoadStatus(now, 6.0)))
    assert not queue.running.busy.running and queue.running.bar.isVisible()
    queue.show_state(State())
    assert not queue.running.busy.running


def test_keys_move_walk_and_take_off(qtbot: QtBot, composer: Composer, opened: Opened) -> None:
    session = opened.session
    first, second, third = rows(composer)
    assert first.accessibleName() == "Waiting, 1 of 3: head Snowy Owl"
    first.setFocus()
    QTest.keyClick(first, Qt.Key.Key_Down, ALT)
    assert heads(session) == [2, 1, 3] and first.hasFocus() and rows(composer) == [second, first, third]
    QTest.keyClick(first, Qt.Key.Key_Up, ALT)
    QTest.keyClick(first, Qt.Key.Key_Up, ALT)
    assert heads(session) == [1, 2, 3]
    QTest.keyClick(first, Qt.Key.Key_Up)
    assert first.hasFocus()
    QTest.keyClick(first, Qt.Key.Key_Down)
    assert second.hasFocus()
    QTest.keyClick(second, Qt.Key.Key_Delete)
    assert heads(session) == [1, 3] and third.hasFocus()
    qtbot.mouseClick(third.remove, LEFT)
    assert heads(session) == [1]


def test_a_row_is_dragged_to_another_place(qtbot: QtBot, composer: Composer, opened: Opened) -> None:
    first, second, _ = rows(composer)
    middle = QPoint(60, ROW // 2)
    QTest.mousePress(first, LEFT, Qt.KeyboardModifier.NoModifier, middle)
    QTest.mouseMove(first, middle + QPoint(0, 2))
    assert heads(opened.session) == [1, 2, 3]  # too short to be meant
    QTest.mouseMove(first, middle + QPoint(0, ROW))
    assert heads(opened.session) == [2, 1, 3] and first.y() > second.y()
    QTest.mouseMove(first, middle + QPoint(0, 20 * ROW))
    assert heads(opened.session) == [2, 3, 1]
    QTest.mouseRelease(first, LEFT, Qt.KeyboardModifier.NoModifier, middle)
    QTest.mouseMove(first, middle - QPoint(0, 2 * ROW))
    assert heads(opened.session) == [2, 3, 1]


def test_cancel_all_by_its_button(qtbot: QtBot, composer: Composer, opened: Opened) -> None:
    qtbot.mouseClick(composer.queue.cancel_all, LEFT)
    qtbot.waitUntil(lambda: opened.session.state.render is None, timeout=WAIT)
    assert opened.session.state.queue == () and not composer.queue.isVisible()


def test_tab_reaches_every_control_from_above_and_all_have_names(composer: Composer) -> None:
    queue = composer.queue
    controls = [w for w in queue.findChildren(QWidget) if w.focusPolicy() & Qt.FocusPolicy.TabFocus and w.isVisible()]
    assert [w for w in controls if not (w.accessibleName() or w.property("text"))] == []
    reached: list[QWidget] = []
    queue.cancel_all.setFocus()
    while (focus := QApplication.focusWidget()) not in (None, composer.render_button, *reached):
        assert focus is not None
        reached.append(focus)
        QTest.keyClick(focus, Qt.Key.Key_Tab)
    below = [w for row in rows(composer) for w in (row, row.remove)]
    assert reached == [
        queue.cancel_all,
        queue.running.cancel,
        *below,
        composer.freedom.slider,
        composer.keep_trying.switch,
    ]
    assert QApplication.focusWidget() is composer.render_button
