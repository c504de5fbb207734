"""The strip under the creature, in the real window: collage, running render and creations, a flick apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QRect, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from engine.core.recipe import Creation
from engine.packs.pack import Pack
from partcraft_desktop.app.session import Session
from partcraft_desktop.creature.creature_pane import CreaturePane
from partcraft_desktop.creature.on_show import Here
from partcraft_desktop.window.main_window import MainWindow
from tests.desktop.conftest import WAIT, idle, rendered
from tests.desktop.creature.test_creature_pane import pixels_of, settled


@pytest.fixture
def session(window: MainWindow, pack: Pack, qtbot: QtBot) -> Session:
    """The window's session, with a creature of two parts."""
    for part, reference in zip((1, 0), pack.references, strict=False):
        window.session.choose(part, reference.codes[part], reference.id)
    settled(qtbot, window.session)
    return window.session


@pytest.fixture
def pane(window: MainWindow, session: Session) -> CreaturePane:
    return window.creature


def make(qtbot: QtBot, session: Session, count: int) -> tuple[Creation, ...]:
    """Render so many, newest first."""
    session.set_setting("count", count)
    rendered(qtbot, session, count)
    session.set_setting("count", 1)
    return session.state.creations


def seen(qtbot: QtBot, pane: CreaturePane) -> None:
    """Wait until the creation on show is on the screen."""
    qtbot.waitUntil(lambda: pane.canvas.rect_of(1) is None and pane.canvas.isVisible(), timeout=WAIT)


def click_thumb(pane: CreaturePane, row: int) -> None:
    strip = pane.footer.strip
    QTest.mouseClick(
        strip.viewport(), Qt.MouseButton.LeftButton, pos=strip.visualRect(strip.rows.index(row, 0)).center()
    )


def click_tile(window: MainWindow, row: int) -> None:
    gallery = window.gallery
    rect = gallery.strip.visualRect(gallery.model.index(row, 0))
    at = QPoint(rect.center().x(), rect.y() + 30)
    QTest.mouseClick(gallery.strip.viewport(), Qt.MouseButton.LeftButton, pos=at)


def shown_row(pane: CreaturePane) -> int:
    return pane.footer.strip.currentIndex().row()


def test_a_result_is_on_show_and_selected_when_it_arrives(
    window: MainWindow, session: Session, pane: CreaturePane, qtbot: QtBot
) -> None:
    made = make(qtbot, session, 1)
    assert pane.on_show.creation == made[0] and shown_row(pane) == 1
    assert window.gallery.selected() == [made[0]]
    assert f"seed {made[0].recipe.seed}" in pane.footer.caption.text()
    assert pane.canvas.accessibleDescription() == pane.footer.caption.text() == pane.footer.caption.accessibleName()
    again = make(qtbot, session, 2)
    assert pane.on_show.creation == again[0] and window.gallery.selected() == [again[0]]
    assert not pane.on_show.unseen


def test_the_running_render_is_in_the_strip_with_its_preview(
    session: Session, pane: CreaturePane, qtbot: QtBot, script: Callable[..., None]
) -> None:
    script(render={"delay": 0.02})
    session.set_setting("steps", 300)
    session.render()
    assert pane.on_show.item is Here.RENDER and shown_row(pane) == 1
    qtbot.waitUntil(lambda: not pane.footer.strip.rows.preview.isNull(), timeout=WAIT)
    qtbot.waitUntil(lambda: "step" in pane.footer.caption.text() and "of 300" in pane.footer.caption.text())
    seen(qtbot, pane)
    pane.footer.strip.grab()
    session.cancel()
    qtbot.waitUntil(lambda: idle(session), timeout=WAIT)
    assert pane.on_show.item is Here.COLLAGE and shown_row(pane) == 0 and pane.canvas.rect_of(1) is not None


def test_arrows_flick_and_home_goes_back_to_the_collage(session: Session, pane: CreaturePane, qtbot: QtBot) -> None:
    made = make(qtbot, session, 2)
    seen(qtbot, pane)
    pane.canvas.setFocus()
    newest = pixels_of(pane.canvas)
    QTest.keyClick(pane.canvas, Qt.Key.Key_Right)
    assert pane.on_show.creation == made[1] and shown_row(pane) == 2
    qtbot.waitUntil(lambda: not np.array_equal(newest, pixels_of(pane.canvas)), timeout=WAIT)
    QTest.keyClick(pane.canvas, Qt.Key.Key_Right)
    assert pane.on_show.creation == made[1]
    QTest.keyClick(pane.canvas, Qt.Key.Key_Home)
    assert pane.on_show.item is Here.COLLAGE and pane.footer.caption.text() == "Collage"
    QTest.keyClick(pane.canvas, Qt.Key.Key_Left)
    assert pane.on_show.item is Here.COLLAGE
    pane.footer.strip.setFocus()
    QTest.keyClick(pane.footer.strip, Qt.Key.Key_Right)
    assert pane.on_show.creation == made[0]


def test_a_small_render_fills_the_rectangle_of_the_collage(session: Session, pane: CreaturePane, qtbot: QtBot) -> None:
    pane.canvas.zoom(1.5)
    before = pane.canvas.placement.rect
    make(qtbot, session, 1)
    seen(qtbot, pane)
    place = pane.canvas.placement
    assert place.rect.size().toSize() == before.size().toSize()
    pane.show_collage()
    assert pane.canvas.placement.rect.toRect() == place.rect.toRect()


@pytest.mark.parametrize("size", [(1280, 832), (1366, 728)])
def test_nothing_jumps_between_collage_and_creation(
    window: MainWindow, session: Session, pane: CreaturePane, qtbot: QtBot, size: tuple[int, int]
) -> None:
    window.resize(*size)
    make(qtbot, session, 1)

    def footer_height() -> int:
        QApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest.value)
        return pane.footer.sizeHint().height()

    assert pane.footer.row.isVisible()
    with_creation = footer_height(), pane.canvas.geometry()
    pane.show_collage()
    assert not pane.footer.row.isVisible()
    assert (footer_height(), pane.canvas.geometry()) == with_creation


def test_who_moved_on_is_told_by_a_dot(
    window: MainWindow, session: Session, pane: CreaturePane, qtbot: QtBot, script: Callable[..., None]
) -> None:
    (old,) = make(qtbot, session, 1)
    script(render={"delay": 0.01})
    session.set_setting("steps", 30)
    session.render()
    qtbot.waitUntil(lambda: session.state.render is not None and session.state.render.done > 1, timeout=WAIT)
    click_thumb(pane, 2)
    assert pane.on_show.creation == old
    qtbot.waitUntil(lambda: idle(session) and len(session.state.creations) == 2, timeout=WAIT)
    new = session.state.creations[0]
    assert pane.on_show.creation == old and window.gallery.selected() == [old]
    assert pane.on_show.unseen == {new.path}
    said = (pane.footer.strip.rows.index(1, 0), window.gallery.model.index(0, 0))
    assert all(index.data(Qt.ItemDataRole.AccessibleTextRole).startswith("New") for index in said)
    with_dot = pixels_of(window.gallery.strip)
    click_tile(window, 0)
    assert pane.on_show.creation == new and not pane.on_show.unseen
    assert not any(index.data(Qt.ItemDataRole.AccessibleTextRole).startswith("New") for index in said)
    assert not np.array_equal(with_dot, pixels_of(window.gallery.strip))


def test_a_change_of_the_recipe_during_a_render_keeps_the_collage_in_front(
    session: Session, pane: CreaturePane, pack: Pack, qtbot: QtBot, script: Callable[..., None]
) -> None:
    script(render={"delay": 0.01})
    session.set_setting("steps", 60)
    session.render()
    qtbot.waitUntil(lambda: session.state.render is not None and session.state.render.done > 1, timeout=WAIT)
    one = pack.references[3]
    session.choose(2, one.codes[2], one.id)
    settled(qtbot, session)
    assert pane.on_show.item is Here.COLLAGE
    qtbot.waitUntil(lambda: idle(session) and len(session.state.creations) == 1, timeout=WAIT)
    assert pane.on_show.item is Here.COLLAGE and len(pane.on_show.unseen) == 1


def test_a_collage_that_is_late_does_not_push_its_own_render_away(
    session: Session, pane: CreaturePane, pack: Pack, qtbot: QtBot, script: Callable[..., None]
) -> None:
    script(render={"delay": 0.02})
    session.set_setting("steps", 30)
    one = pack.references[3]
    session.choose(2, one.codes[2], one.id)
    session.render()
    assert session.state.creature.choices != session.state.recipe.choices  # it is still being put together
    qtbot.waitUntil(lambda: idle(session) and len(session.state.creations) == 1, timeout=WAIT)
    settled(qtbot, session)
    assert pane.on_show.creation == session.state.creations[0] and not pane.on_show.unseen


def test_a_click_in_the_gallery_shows_it_large_and_in_front(
    window: MainWindow, session: Session, pane: CreaturePane, qtbot: QtBot
) -> None:
    made = make(qtbot, session, 3)
    window.resize(720, 480)
    qtbot.waitUntil(lambda: not window.centre.side_by_side, timeout=WAIT)
    window.centre.show_reference()
    window.view.canvas.setFocus()
    assert not pane.isVisible()
    click_tile(window, 1)
    assert pane.isVisible() and pane.on_show.creation == made[1]
    seen(qtbot, pane)
    pane.show_collage()
    click_tile(window, 1)  # it is selected already
    assert pane.on_show.creation == made[1]


def test_two_arrows_stand_for_the_strip_where_there_is_no_room(
    window: MainWindow, session: Session, pane: CreaturePane, qtbot: QtBot
) -> None:
    made = make(qtbot, session, 2)
    window.resize(720, 480)
    window.centre.show_creature()
    qtbot.waitUntil(lambda: pane.footer.older.isVisible(), timeout=WAIT)
    assert not pane.footer.strip.isVisible()
    QTest.mouseClick(pane.footer.older, Qt.MouseButton.LeftButton)
    assert pane.on_show.creation == made[1] and not pane.footer.older.isEnabled()
    QTest.mouseClick(pane.footer.newer, Qt.MouseButton.LeftButton)
    assert pane.on_show.creation == made[0]


def test_in_a_small_window_the_creature_keeps_its_room(
    window: MainWindow, session: Session, pane: CreaturePane, qtbot: QtBot
) -> None:
    make(qtbot, session, 1)
    window.resize(720, 480)
    qtbot.waitUntil(lambda: not window.centre.side_by_side, timeout=WAIT)
    window.centre.show_creature()
    pane.show_collage()
    qtbot.waitUntil(lambda: pane.canvas.height() >= 128, timeout=WAIT)
    menu = pane.footer.collage_menu
    assert pane.bar.isVisible() and menu.isVisible() and not pane.ways_out.row.isVisible()
    for button in (pane.bar.pose, pane.bar.ground):
        row = button.parentWidget()
        assert row is not None and row.rect().contains(button.geometry())
    assert pane.rect().contains(QRect(menu.mapTo(pane, QPoint(0, 0)), menu.size()))


def test_arrows_flick_right_after_render_was_pressed(
    window: MainWindow, session: Session, pane: CreaturePane, qtbot: QtBot
) -> None:
    made = make(qtbot, session, 2)
    button = window.composer.render_button
    button.setFocus()
    assert pane.on_show.creation == made[0]
    QTest.keyClick(button, Qt.Key.Key_Right)
    assert pane.on_show.creation == made[1] and button.hasFocus()
    QTest.keyClick(button, Qt.Key.Key_Left)
    QTest.keyClick(button, Qt.Key.Key_Left)
    assert pane.on_show.item is Here.COLLAGE and button.hasFocus()


def test_a_deleted_creation_gives_way_to_the_next_and_comes_back(
    session: Session, pane: CreaturePane, qtbot: QtBot
) -> None:
    made = make(qtbot, session, 3)
    click_thumb(pane, 2)
    assert pane.on_show.creation == made[1]
    pane.footer.strip.setFocus()
    QTest.keyClick(pane.footer.strip, Qt.Key.Key_Delete)
    assert session.state.creations == (made[0], made[2]) and pane.on_show.creation == made[2]
    QTest.keyClick(pane.footer.strip, Qt.Key.Key_Delete)
    QTest.keyClick(pane.footer.strip, Qt.Key.Key_Delete)
    assert session.state.creations == () and pane.on_show.item is Here.COLLAGE and pane.canvas.rect_of(1) is not None


def test_the_actions_stand_by_the_creation_with_words_and_keys(
    window: MainWindow, session: Session, pane: CreaturePane, qtbot: QtBot
) -> None:
    (made,) = make(qtbot, session, 1)
    asked: list[tuple[str, Creation]] = []
    actions = pane.footer.actions_here
    for name in ("view", "copy", "folder"):
        signal = getattr(actions, f"{name}_wanted")
        signal.disconnect()
        signal.connect(lambda creation, name=name: asked.append((name, creation)))
    assert pane.footer.row.has_words
    pane.canvas.setFocus()
    for key, keys in ((Qt.Key.Key_Return, ""), (Qt.Key.Key_C, "c"), (Qt.Key.Key_E, "c")):
        modifier = Qt.KeyboardModifier.ControlModifier if keys else Qt.KeyboardModifier.NoModifier
        QTest.keyClick(pane.canvas, key, modifier)
    assert asked == [("view", made), ("copy", made), ("folder", made)]
    session.random_mix()
    settled(qtbot, session)
    assert pane.on_show.item is Here.COLLAGE
    assert not any(action.isEnabled() for action in actions.all)
    QTest.keyClick(pane.canvas, Qt.Key.Key_Delete)
    assert session.state.creations == (made,)
    click_thumb(pane, 1)
    pane.canvas.setFocus()
    QTest.keyClick(pane.canvas, Qt.Key.Key_U)
    assert session.state.recipe == made.recipe
    assert "arrived" in pane.footer.receipt.accessibleName() or pane.on_show.item is Here.COLLAGE


def test_the_menu_of_a_thumb_has_the_actions(session: Session, pane: CreaturePane, qtbot: QtBot) -> None:
    made = make(qtbot, session, 2)
    strip = pane.footer.strip
    for row, count in ((0, 0), (2, 1)):
        place = strip.visualRect(strip.rows.index(row, 0)).center()
        QTest.mousePress(strip.viewport(), Qt.MouseButton.RightButton, pos=place)
        QTest.mouseRelease(strip.viewport(), Qt.MouseButton.RightButton, pos=place)
        asks = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, strip.viewport().mapToGlobal(place))
        QApplication.sendEvent(strip.viewport(), asks)
        menus = [menu for menu in strip.findChildren(QMenu) if menu.isVisible()]
        assert len(menus) == count, row
    assert pane.on_show.creation == made[1]
    next(action for action in menus[0].actions() if action.text() == "Delete").trigger()
    menus[0].close()
    assert session.state.creations == (made[0],)


def test_the_receipt_is_told_and_painted(session: Session, pane: CreaturePane, qtbot: QtBot) -> None:
    make(qtbot, session, 1)
    receipt = pane.footer.receipt
    assert receipt.isVisible() and "arrived" in receipt.accessibleName() and receipt.toolTip().count("\n") == 2
    assert "where guessing gives" in receipt.toolTip()
    with_receipt = pixels_of(receipt)
    pane.show_collage()
    assert receipt.accessibleName() == "" and not np.array_equal(with_receipt, pixels_of(receipt))


def test_a_creation_whose_file_vanished_is_told(session: Session, pane: CreaturePane, qtbot: QtBot) -> None:
    made = make(qtbot, session, 1)
    other = replace(made[0], path=str(Path(made[0].path).with_name("gone.png")))
    session.update_state(creations=(other, *made))
    pane.show_creation(other)
    qtbot.waitUntil(lambda: pane.note.isVisible() and bool(pane.note.text()), timeout=WAIT)
    assert pane.on_show.creation == other
    pane.show_creation(made[0])
    qtbot.waitUntil(lambda: not pane.note.isVisible(), timeout=WAIT)


def test_only_the_creations_of_the_pack_are_a_flick_apart(session: Session, pane: CreaturePane, qtbot: QtBot) -> None:
    made = make(qtbot, session, 1)
    foreign = replace(made[0], path=str(Path(made[0].path)), recipe=replace(made[0].recipe, pack="other"))
    foreign = replace(foreign, path=foreign.path.replace(".png", "x.png"))
    Path(foreign.path).write_bytes(Path(made[0].path).read_bytes())
    session.update_state(creations=(foreign, *made))
    assert pane.on_show.creations == made
    pane.show_creation(foreign)
    seen(qtbot, pane)
    assert not pane.footer.strip.currentIndex().isValid() and pane.on_show.creation == foreign
    pane.canvas.setFocus()
    QTest.keyClick(pane.canvas, Qt.Key.Key_Right)
    assert pane.on_show.item is Here.COLLAGE or pane.on_show.creation == made[0]


def test_the_thumb_of_the_collage_is_drawn_from_its_layers(
    session: Session, pane: CreaturePane, pack: Pack, qtbot: QtBot
) -> None:
    rows = pane.footer.strip.rows
    qtbot.waitUntil(lambda: not rows.collage.isNull(), timeout=WAIT)
    before = rows.collage.toImage()
    one = pack.references[4]
    session.choose(2, one.codes[2], one.id)
    qtbot.waitUntil(lambda: rows.collage.toImage() != before, timeout=WAIT)


def test_nothing_stands_under_an_empty_creature(window: MainWindow, qtbot: QtBot) -> None:
    assert not window.creature.footer.isVisible()


def test_a_creation_is_shown_without_any_collage(window: MainWindow, qtbot: QtBot) -> None:
    session, pane = window.session, window.creature
    session.set_setting("steps", 1)
    rendered(qtbot, session)
    qtbot.waitUntil(lambda: pane.canvas.isVisible(), timeout=WAIT)
    pane.show_collage()
    assert pane.empty.isVisible() and pane.footer.strip.isVisible()


def test_the_next_of_the_queue_is_shown_to_whom_looks_at_its_collage(
    session: Session, pane: CreaturePane, pack: Pack, qtbot: QtBot, script: Callable[..., None]
) -> None:
    script(render={"delay": 0.01})
    session.set_setting("steps", 30)
    session.render()
    qtbot.waitUntil(lambda: session.state.render is not None and session.state.render.done > 1, timeout=WAIT)
    one = pack.references[3]
    session.choose(2, one.codes[2], one.id)
    settled(qtbot, session)
    session.render()  # waits for the first
    assert pane.on_show.item is Here.COLLAGE and len(session.state.queue) == 1
    qtbot.waitUntil(lambda: idle(session) and len(session.state.creations) == 2, timeout=WAIT)
    newest, first = session.state.creations
    assert pane.on_show.creation == newest and pane.on_show.unseen == {first.path}


def test_the_queue_does_not_take_away_what_a_person_looks_at(
    session: Session, pane: CreaturePane, qtbot: QtBot, script: Callable[..., None]
) -> None:
    (old,) = make(qtbot, session, 1)
    script(render={"delay": 0.01})
    session.set_setting("steps", 20)
    session.render()
    session.render()
    pane.show_creation(old)
    qtbot.waitUntil(lambda: idle(session) and len(session.state.creations) == 3, timeout=WAIT)
    assert pane.on_show.creation == old and len(pane.on_show.unseen) == 2
