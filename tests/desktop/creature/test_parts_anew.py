"""Parts kept and rendered anew, of the collage and of creations, and the collage checked, in the real window."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QWidget
from pytestqt.qtbot import QtBot

from engine.core.start import Start
from engine.packs.pack import Pack
from partcraft_desktop.creature.creature_footer import CreatureFooter
from partcraft_desktop.creature.on_show import Here
from partcraft_desktop.widgets.action_row import ActionRow
from partcraft_desktop.window.main_window import MainWindow
from tests.desktop.conftest import WAIT, Opened, idle, rendered, said
from tests.desktop.creature.test_arrange import HEAD, LEGS, TAIL, WING, Hand, hand

__all__ = ["hand"]
Script = Callable[..., None]


def footer_of(hand: Hand) -> CreatureFooter:
    return hand.window.creature.footer


def another(hand: Hand, count: int = 1) -> None:
    """Wait until so many creations are there and nothing is rendered."""
    session = hand.session
    hand.qtbot.waitUntil(lambda: idle(session) and len(session.state.creations) == count, timeout=WAIT)


def press(row: ActionRow, name: str) -> None:
    """Press a button of a row of actions."""
    button = next(b for a, b in row._buttons if a.isVisible() and a.text() == name)
    assert button.isVisible()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


# The collage's parts


def test_a_part_of_the_collage_is_rendered_anew(hand: Hand) -> None:
    hand.select(TAIL)
    QTest.mouseClick(hand.bar.commands["anew"], Qt.MouseButton.LeftButton)
    another(hand)
    recipe = hand.session.state.creations[0].recipe
    assert recipe.start == Start(0.8, only=(TAIL,)) and recipe.choices == hand.session.state.recipe.choices
    assert recipe.seed != hand.session.state.recipe.seed
    assert hand.session.state.recipe.start == Start(0.4)
    assert hand.window.creature.on_show.creation == hand.session.state.creations[0], "it appears as any render"
    assert hand.undo_steps() == 5, "the recipe is as it was"


def test_during_a_render_it_waits_in_the_queue_by_its_name(hand: Hand, script: Script) -> None:
    script(render={"delay": 0.05})
    hand.session.render()
    hand.session.starts.render_anew([TAIL])
    (item,) = hand.session.state.queue
    assert item.title.startswith("tail anew: ")
    hand.session.cancel_all()
    hand.qtbot.waitUntil(lambda: idle(hand.session), timeout=WAIT)


def test_a_part_is_kept_in_the_recipe_marked_and_let_go(hand: Hand) -> None:
    hand.select(TAIL)
    keep = hand.bar.commands["keep"]
    assert not keep.isChecked()
    QTest.mouseClick(keep, Qt.MouseButton.LeftButton)
    assert keep.isChecked() and hand.session.state.recipe.start == Start(0.4, keep=(TAIL,))
    assert "kept in renders" in hand.canvas.accessibleDescription()
    assert "Keeps tail." in hand.window.composer.freedom.text.text()
    hand.key(Qt.Key.Key_Escape)
    hand.session.render()
    another(hand)
    assert hand.session.state.creations[0].recipe.start == Start(0.4, keep=(TAIL,))
    hand.window.creature.show_collage()
    locked = hand.canvas.grab().toImage()
    hand.session.undo()
    plain = hand.canvas.grab().toImage()
    assert hand.session.state.recipe.start == Start(0.4) and plain != locked, "a lock marks it"
    hand.session.redo()
    assert hand.canvas.grab().toImage() == locked


def test_keys_keep_a_part_and_render_it_anew(hand: Hand) -> None:
    hand.select(HEAD)
    hand.key(Qt.Key.Key_K)
    assert hand.session.state.recipe.start == Start(0.4, keep=(HEAD,))
    hand.key(Qt.Key.Key_K)
    assert hand.session.state.recipe.start == Start(0.4)
    hand.key(Qt.Key.Key_N)
    another(hand)
    assert hand.session.state.creations[0].recipe.start == Start(0.8, only=(HEAD,))


def test_a_part_that_is_kept_and_taken_out_is_not_asked_for(hand: Hand) -> None:
    hand.session.starts.keep_part(TAIL, True)
    hand.session.remove(TAIL)
    hand.settle()
    hand.session.render()
    another(hand)
    assert hand.session.state.creations[0].recipe.start == Start(0.4)


def test_parts_are_kept_where_all_else_is_free(hand: Hand) -> None:
    hand.session.starts.set_freedom(1)
    hand.session.starts.keep_part(WING, True)
    assert hand.session.state.recipe.start == Start(1.0, keep=(WING,))
    hand.session.starts.keep_part(WING, False)
    assert hand.session.state.recipe.start is None


# A creation's parts


@pytest.fixture
def shown(hand: Hand) -> Hand:
    """A creation on show in a roomy window."""
    hand.window.resize(1700, 1000)
    rendered(hand.qtbot, hand.session)
    footer = footer_of(hand)
    hand.qtbot.waitUntil(lambda: len(footer.receipt.chips) == 5 and footer.receipt.isVisible(), timeout=WAIT)
    return hand


def test_a_part_of_a_creation_is_picked_and_rendered_anew(shown: Hand) -> None:
    footer, creation = footer_of(shown), shown.session.state.creations[0]
    chip = next(chip for chip in footer.receipt.chips if chip.arrival.part == HEAD)
    assert "head" in chip.accessibleName()
    QTest.mouseClick(chip, Qt.MouseButton.LeftButton)
    assert footer.receipt.picked == (HEAD,)
    press(footer.row, "Render head anew")
    another(shown, 2)
    start = shown.session.state.creations[0].recipe.start
    assert start == Start(0.8, creation.path, only=(HEAD,))
    assert shown.window.creature.on_show.creation == shown.session.state.creations[0]
    assert footer.receipt.picked == () and not footer.part_actions.anew.isVisible()


def test_parts_are_picked_by_keys_and_kept_while_the_rest_is_rendered(shown: Hand) -> None:
    footer, creation = footer_of(shown), shown.session.state.creations[0]
    for part in (HEAD, LEGS):
        chip = next(chip for chip in footer.receipt.chips if chip.arrival.part == part)
        assert chip.focusPolicy() & Qt.FocusPolicy.TabFocus
        chip.setFocus(Qt.FocusReason.TabFocusReason)
        QTest.keyClick(chip, Qt.Key.Key_Space)
    assert footer.part_actions.anew.text() == "Render 2 parts anew"
    press(footer.row, "Render the rest")
    another(shown, 2)
    start = shown.session.state.creations[0].recipe.start
    assert start is not None and start.creation == creation.path and set(start.keep) == {HEAD, LEGS}
    kept = [chip.arrival.part for chip in footer.receipt.chips if "kept" in chip.accessibleName()]
    assert set(kept) == {HEAD, LEGS}, "they are marked"


def test_with_little_room_a_menu_names_the_parts(shown: Hand) -> None:
    shown.window.resize(720, 480)
    shown.window.centre.show_creature()
    footer = footer_of(shown)
    shown.qtbot.waitUntil(lambda: footer.is_low and footer.part_actions.choose.isVisible(), timeout=WAIT)
    assert footer.part_actions.choose in footer.row.actions_in_menu
    footer.part_actions.choose.trigger()
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu) and len(menu.actions()) == 5
    next(action for action in menu.actions() if "wing" in action.text()).trigger()
    menu.close()
    another(shown, 2)
    start = shown.session.state.creations[0].recipe.start
    assert start is not None and start.only == (WING,)


# The check


def test_the_collage_is_checked_and_the_receipt_stays_with_it(hand: Hand) -> None:
    row, footer = hand.window.creature.ways_out.row, footer_of(hand)
    assert not footer.collage_receipt.isVisible()
    QTest.mouseClick(row.check, Qt.MouseButton.LeftButton)
    assert footer.caption.text() in ("Collage: the engine is loading…", "Collage: looking…")
    hand.qtbot.waitUntil(lambda: footer.collage_receipt.isVisible(), timeout=WAIT)
    assert footer.caption.text() == "Collage: 3 of 5" and not row.check.isEnabled()
    words = footer.collage_receipt.toolTip()
    assert "arrived, found where it was put" in words and "did not arrive" in words
    hand.session.set_strength(HEAD, 1.5)  # not seen in a collage
    hand.session.try_choice(None)
    assert footer.collage_receipt.isVisible()
    hand.session.arrangement.mirror_part(TAIL)
    assert not footer.collage_receipt.isVisible() and hand.session.state.check is None
    hand.settle()
    assert footer.caption.text() == "Collage" and row.check.isEnabled()
    hand.session.undo()
    assert footer.collage_receipt.isVisible(), "the same collage again"
    rendered(hand.qtbot, hand.session)
    assert hand.window.creature.on_show.item is not Here.COLLAGE and not footer.collage_receipt.isVisible()


def test_a_check_of_a_collage_that_changed_meanwhile_says_nothing(hand: Hand, script: Script) -> None:
    script(examine={"delay": 0.2})
    hand.session.check.start()
    hand.session.arrangement.mirror_part(TAIL)
    assert hand.session.state.check is None
    script()
    hand.settle()
    hand.session.check.start()
    hand.qtbot.waitUntil(lambda: (check := hand.session.state.check) is not None and check.done, timeout=WAIT)
    assert hand.session.state.recipe.choices == hand.session.state.creature.choices


def test_a_check_that_fails_is_one_sentence(hand: Hand, opened: Opened, script: Script) -> None:
    script(examine={"fail": ["The eyes are broken.", "Mend them."]})
    hand.session.check.start()
    hand.qtbot.waitUntil(lambda: said(opened, "The eyes are broken. Mend them."), timeout=WAIT)
    assert hand.session.state.check is None and footer_of(hand).caption.text() == "Collage"
    assert hand.window.creature.ways_out.row.check.isEnabled(), "it can be tried again"


def test_a_check_during_a_render_waits_for_it(hand: Hand, script: Script) -> None:
    script(render={"delay": 0.02})
    hand.session.render()
    hand.qtbot.waitUntil(lambda: hand.session.state.engine == "ready", timeout=WAIT)
    hand.window.creature.show_collage()
    hand.session.check.start()
    assert footer_of(hand).caption.text() == "Collage: after the render…"
    hand.qtbot.waitUntil(lambda: footer_of(hand).collage_receipt.isVisible(), timeout=WAIT)


# The rows


@pytest.mark.parametrize("size", [(1280, 832), (1366, 768), (720, 480)])
def test_rows_begin_at_one_line_and_nothing_jumps(hand: Hand, size: tuple[int, int], qtbot: QtBot) -> None:
    window, pane = hand.window, hand.window.creature
    window.resize(*size)
    window.centre.show_creature()
    qtbot.waitUntil(lambda: pane.canvas.isVisible() and pane.bar.isVisible(), timeout=WAIT)
    QApplication.processEvents()

    def left(widget: QWidget) -> int:
        return widget.mapTo(pane, QPoint(0, 0)).x()

    rows = [pane.bar.pose, *([pane.ways_out.row.save] if not pane.footer.is_low else [])]
    assert {left(row) for row in rows} == {left(pane.bar)} and left(pane.bar) + 10 == left(pane.footer.caption)
    before = pane.canvas.geometry(), pane.bar.geometry(), pane.ways_out.row.geometry()
    hand.canvas.select((TAIL, 0))
    QApplication.processEvents()
    assert before == (pane.canvas.geometry(), pane.bar.geometry(), pane.ways_out.row.geometry())
    buttons = [button for button in hand.bar.commands.values() if button.isVisible()]
    assert all(hand.bar.rect().contains(button.geometry()) for button in buttons) and len(buttons) == 7
    assert all(button.accessibleName() and button.toolTip() for button in buttons)


def test_with_little_room_the_ways_out_are_in_a_menu(hand: Hand, window: MainWindow, pack: Pack) -> None:
    window.resize(720, 480)
    window.centre.show_creature()
    pane = window.creature
    hand.qtbot.waitUntil(lambda: pane.footer.collage_menu.more.isVisible(), timeout=WAIT)
    assert not pane.ways_out.row.isVisible()
    names = [action.text() for action in pane.footer.collage_menu.actions_in_menu]
    assert names == ["Save as…", "Copy", "Copy with its ground", "Live", "Layers…", "Check"]
    assert pane.footer.collage_menu.more.focusPolicy() & Qt.FocusPolicy.TabFocus
    pane.ways_out.check_action.trigger()
    hand.qtbot.waitUntil(lambda: pane.footer.collage_receipt.isVisible(), timeout=WAIT)
