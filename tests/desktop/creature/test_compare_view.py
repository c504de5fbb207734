"""Two of a creature's pictures and the divider between them, with real mouse and keys."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from engine.core.recipe import Creation
from engine.packs.pack import Pack
from partcraft_desktop.creature.compare_view import CompareView
from partcraft_desktop.creature.creature_pane import CreaturePane
from partcraft_desktop.creature.on_show import Here
from partcraft_desktop.window.main_window import MainWindow
from tests.desktop.conftest import WAIT, idle, rendered
from tests.desktop.creature.test_creature_pane import pixels_of, settled


@pytest.fixture
def pane(window: MainWindow, pack: Pack, qtbot: QtBot) -> CreaturePane:
    """The pane with a collage, and two creations; the newest is on show."""
    session = window.session
    session.choose(1, pack.references[0].codes[1], pack.references[0].id)
    settled(qtbot, session)
    session.set_setting("count", 2)
    rendered(qtbot, session, 2)
    session.set_setting("count", 1)
    return window.creature


@pytest.fixture
def view(pane: CreaturePane, qtbot: QtBot) -> CompareView:
    """The collage compared with the newest creation."""
    pane.show_collage()
    pane.canvas.setFocus()
    QTest.keyClick(pane.canvas, Qt.Key.Key_C)
    qtbot.waitUntil(lambda: pane.compare.isVisible() and pane.compare.sides[1].picture is not None, timeout=WAIT)
    return pane.compare


def newest(pane: CreaturePane) -> Creation:
    return pane.on_show.creations[0]


def drag(view: CompareView, start: float, end: float) -> None:
    """Drag from one share of the picture's width to another, low in the picture."""
    rect = view.picture_rect
    places = [QPoint(round(rect.left() + share * rect.width()), round(rect.bottom()) - 20) for share in (start, end)]
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=places[0])
    QTest.mouseMove(view, places[1])
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=places[1])


def test_the_collage_is_left_and_the_newest_right(pane: CreaturePane, view: CompareView) -> None:
    left, right = view.sides
    assert left.name == "Collage" and left.collage is not None and left.picture is None
    assert right.picture is not None and right.picture.width == 64 != left.collage.width
    assert pane.on_show.creation == newest(pane)
    assert "Collage" in view.accessibleName() and "50%" in view.accessibleDescription()
    assert view.hasFocus() and pane.footer.compare.isChecked()


def test_both_are_drawn_into_the_same_rectangle(view: CompareView) -> None:
    rect = view.picture_rect.toRect()
    view.set_share(0.0)
    right = pixels_of(view)
    view.set_share(1.0)
    left = pixels_of(view)
    view.set_share(0.5)
    both = pixels_of(view)
    middle, low, high = rect.center().x(), rect.bottom() - 40, rect.bottom() - 8
    at_left = np.s_[low:high, rect.left() + 8 : middle - 20]
    at_right = np.s_[low:high, middle + 20 : rect.right() - 8]
    assert not np.array_equal(left[at_left], right[at_left])
    np.testing.assert_allclose(both[at_left], left[at_left], atol=2)
    np.testing.assert_allclose(both[at_right], right[at_right], atol=2)


def test_the_divider_follows_the_mouse_anywhere_in_the_picture(view: CompareView) -> None:
    drag(view, 0.9, 0.25)
    assert view.share == pytest.approx(0.25, abs=0.01)
    drag(view, 0.2, -0.5)
    assert view.share == 0.0
    rect = view.picture_rect
    QTest.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(round(rect.left()) + 30, round(rect.bottom()) - 20))
    assert view.share == 0.5


def test_keys_move_the_divider(view: CompareView) -> None:
    QTest.keyClick(view, Qt.Key.Key_Left)
    assert view.share == pytest.approx(0.49)
    QTest.keyClick(view, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert view.share == pytest.approx(0.59)
    QTest.keyClick(view, Qt.Key.Key_End)
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert view.share == 1.0 and "100%" in view.accessibleDescription()


def test_esc_and_the_button_leave(pane: CreaturePane, view: CompareView) -> None:
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert not view.isVisible() and pane.canvas.isVisible() and pane.canvas.hasFocus()
    assert not pane.footer.compare.isChecked()
    QTest.mouseClick(pane.footer.compare, Qt.MouseButton.LeftButton)
    assert view.isVisible()
    QTest.mouseClick(pane.footer.compare, Qt.MouseButton.LeftButton)
    assert not view.isVisible()


def test_left_is_what_was_on_show_before(pane: CreaturePane, qtbot: QtBot) -> None:
    one, two = pane.on_show.creations
    pane.show_creation(two)
    pane.show_creation(one)
    pane.footer.compare.click()
    qtbot.waitUntil(lambda: all(side.picture is not None for side in pane.compare.sides), timeout=WAIT)
    pane.show_creation(two)  # on show is now what is left: nothing to compare
    assert not pane.compare.isVisible() and not pane.footer.compare.isChecked()


def test_esc_ends_comparing_before_it_stops_a_render(
    pane: CreaturePane, window: MainWindow, qtbot: QtBot, script: Callable[..., None]
) -> None:
    session = window.session
    script(render={"delay": 0.02})
    session.set_setting("steps", 300)
    session.render()
    qtbot.waitUntil(lambda: session.state.render is not None and session.state.render.done > 1, timeout=WAIT)
    assert pane.on_show.item is Here.RENDER
    pane.canvas.setFocus()
    QTest.keyClick(pane.canvas, Qt.Key.Key_C)
    assert pane.compare.isVisible() and pane.compare.sides[1].name == "Rendering"
    pane.compare.setFocus()
    QTest.keyClick(pane.compare, Qt.Key.Key_Escape)
    assert not pane.compare.isVisible() and session.state.render is not None and not session.state.render.cancelling
    QTest.keyClick(pane.canvas, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: idle(session), timeout=WAIT)


def test_a_change_of_the_recipe_ends_comparing_with_the_collage(
    pane: CreaturePane, view: CompareView, window: MainWindow, pack: Pack, qtbot: QtBot
) -> None:
    window.session.choose(0, pack.references[1].codes[0], pack.references[1].id)
    settled(qtbot, window.session)
    assert not view.isVisible() and pane.canvas.rect_of(0) is not None


def test_what_is_compared_may_be_deleted(pane: CreaturePane, qtbot: QtBot, window: MainWindow) -> None:
    one, two = pane.on_show.creations
    pane.show_creation(two)
    pane.show_creation(one)
    pane.footer.compare.click()
    assert pane.compare.isVisible()
    window.session.delete_creations([two])
    assert not pane.compare.isVisible() and pane.on_show.creation == one


def test_nothing_to_compare_with(window: MainWindow, pack: Pack, qtbot: QtBot) -> None:
    session = window.session
    session.choose(1, pack.references[0].codes[1], pack.references[0].id)
    settled(qtbot, session)
    assert not window.creature.footer.compare.isVisible()
    window.creature.canvas.setFocus()
    QTest.keyClick(window.creature.canvas, Qt.Key.Key_C)
    assert not window.creature.compare.isVisible()
