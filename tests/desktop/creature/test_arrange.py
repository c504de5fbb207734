"""Arranging by hand in the real window: by pointer, by keys, by the row of buttons; every step in the one undo."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QAccessible, QKeyEvent, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.collage.arrangement import Adjustment, Arrangement, arrangement_of
from engine.collage.layers import Layer
from engine.core.recipe import Recipe
from engine.core.vocabulary import Choice
from engine.packs.pack import Pack
from partcraft_desktop.app.history import DRAG, History
from partcraft_desktop.creature.arrange_canvas import ArrangeCanvas
from partcraft_desktop.widgets.fly_animation import FlyAnimation
from partcraft_desktop.window.main_window import MainWindow
from tests.desktop.conftest import WAIT, Opened, rendered

BODY, WING, TAIL, HEAD, LEGS = range(5)
NONE = Qt.KeyboardModifier.NoModifier


class Hand:
    """A pointer and keys at the creature of a window."""

    def __init__(self, window: MainWindow, qtbot: QtBot) -> None:
        self.window, self.session, self.qtbot = window, window.session, qtbot
        self.canvas: ArrangeCanvas = window.creature.canvas
        self.bar = window.creature.bar

    def settle(self) -> None:
        """Wait until the collage is that of the recipe."""

        def is_there() -> bool:
            creature, recipe = self.session.state.creature, self.session.state.recipe
            return creature.choices == recipe.choices and creature.arrangement == arrangement_of(recipe)

        self.qtbot.waitUntil(is_there, timeout=WAIT)
        QApplication.processEvents()

    def layer(self, part: int) -> Layer:
        return next(layer for layer in self.layers() if layer.part == part)

    def layers(self) -> tuple[Layer, ...]:
        collage = self.session.state.creature.collage
        assert collage is not None
        return collage.layers

    def order(self) -> list[int]:
        """The parts from back to front."""
        return [layer.part for layer in self.layers()]

    def corners(self, but: int) -> list[tuple[int, int, int]]:
        """Where all other parts lie."""
        return [(layer.part, layer.left, layer.top) for layer in self.layers() if layer.part != but]

    def adjustment(self, part: int) -> Adjustment:
        return arrangement_of(self.session.state.recipe).adjustment_of(part)

    def place(self, part: int) -> QPointF:
        """Where nothing but a part is seen, in the view."""
        layers = [one for one in self.canvas._placed if not one.wanted.hidden]
        mine = next(one for one in layers if one.key[0] == part)
        others = [one for one in layers if one.key[0] != part]
        rows, columns = np.nonzero(mine.layer.image[..., 3] > 250)
        for index in np.argsort((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2).tolist():
            at = mine.change.map(mine.rect.topLeft() + QPointF(int(columns[index]) + 0.5, int(rows[index]) + 0.5))
            if not any(other.covers(at) for other in others):
                return self.canvas.placement.to_view(at)
        raise AssertionError("the part is covered")

    def move_to(self, pos: QPointF, keys: Qt.KeyboardModifier = NONE, pressed: bool = True) -> None:
        buttons = Qt.MouseButton.LeftButton if pressed else Qt.MouseButton.NoButton
        place = QPointF(self.canvas.mapToGlobal(pos))
        event = QMouseEvent(QEvent.Type.MouseMove, pos, place, Qt.MouseButton.NoButton, buttons, keys)
        QApplication.sendEvent(self.canvas, event)

    def button(self, kind: QEvent.Type, pos: QPointF, keys: Qt.KeyboardModifier = NONE) -> None:
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        held = left if kind == QEvent.Type.MouseButtonPress else none
        QApplication.sendEvent(
            self.canvas, QMouseEvent(kind, pos, QPointF(self.canvas.mapToGlobal(pos)), left, held, keys)
        )

    def click(self, pos: QPointF) -> None:
        self.button(QEvent.Type.MouseButtonPress, pos)
        self.button(QEvent.Type.MouseButtonRelease, pos)

    def drag(self, start: QPointF, by: QPointF, keys: Qt.KeyboardModifier = NONE, steps: int = 8) -> None:
        self.button(QEvent.Type.MouseButtonPress, start, keys)
        for step in range(1, steps + 1):
            self.move_to(start + by * step / steps, keys)
        self.button(QEvent.Type.MouseButtonRelease, start + by, keys)

    def select(self, part: int) -> None:
        self.click(self.place(part))
        assert self.selected == part

    @property
    def selected(self) -> int | None:
        placed = self.canvas.selected
        return None if placed is None else placed.key[0]

    def key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE) -> None:
        QTest.keyClick(self.canvas, key, modifiers)

    def undo_steps(self) -> int:
        """How often Ctrl+Z does something; all of it is done again."""
        count = 0
        while self.session.state.can_undo:
            self.session.undo()
            count += 1
        for _ in range(count):
            self.session.redo()
        return count


@pytest.fixture
def hand(window: MainWindow, pack: Pack, qtbot: QtBot) -> Hand:
    """A creature of five birds, and a hand at it."""
    for part, reference in zip(range(5), pack.references, strict=False):
        window.session.choose(part, reference.codes[part], reference.id)
    hand = Hand(window, qtbot)
    hand.settle()
    qtbot.waitUntil(lambda: not window.findChildren(FlyAnimation), timeout=WAIT)
    hand.canvas.setFocus()
    return hand


def test_a_click_selects_and_one_beside_lets_go(hand: Hand) -> None:
    assert hand.selected is None and hand.bar.pose.isVisible()
    hand.select(TAIL)
    assert hand.bar.commands["mirror"].isVisible() and not hand.bar.pose.isVisible()
    hand.select(HEAD)
    hand.click(hand.canvas.placement.rect.topLeft() + QPointF(6, 6))
    assert hand.selected is None
    hand.select(TAIL)
    hand.key(Qt.Key.Key_Escape)
    assert hand.selected is None
    assert hand.undo_steps() == 5, "looking changes nothing"


def test_a_drag_moves_the_part_by_as_much_and_is_one_step(hand: Hand) -> None:
    before, scale = hand.layer(TAIL), hand.canvas.placement.scale
    others = hand.corners(TAIL)
    hand.drag(hand.place(TAIL), QPointF(30 * scale, -20 * scale))
    hand.settle()
    after = hand.layer(TAIL)
    assert (after.left - before.left, after.top - before.top) == (30, -20)
    assert hand.corners(TAIL) == others
    assert hand.undo_steps() == 6
    hand.session.undo()
    hand.settle()
    assert (hand.layer(TAIL).left, hand.layer(TAIL).top) == (before.left, before.top)
    hand.session.redo()
    hand.settle()
    assert hand.layer(TAIL).left == after.left


def test_the_part_moves_with_the_hand_and_not_with_the_engine(hand: Hand) -> None:
    start, creature = hand.place(TAIL), hand.session.state.creature
    hand.move_to(start, pressed=False)
    hand.button(QEvent.Type.MouseButtonPress, start)
    seen = [hand.canvas.grab().toImage()]
    for step in (1, 2, 3):
        hand.move_to(start + QPointF(0, 20 * step))
        seen.append(hand.canvas.grab().toImage())
    assert hand.session.state.creature is creature, "no collage has come meanwhile"
    assert all(one != other for one, other in itertools.pairwise(seen))
    hand.button(QEvent.Type.MouseButtonRelease, start + QPointF(0, 60))


def test_the_part_under_the_pointer_is_outlined(hand: Hand) -> None:
    hand.move_to(hand.canvas.placement.rect.topLeft() + QPointF(5, 5), pressed=False)
    plain = hand.canvas.grab().toImage()
    hand.move_to(hand.place(TAIL), pressed=False)
    lit = hand.canvas.grab().toImage()
    assert lit != plain and hand.canvas.cursor().shape() == Qt.CursorShape.PointingHandCursor
    hand.move_to(hand.place(HEAD), pressed=False)
    assert hand.canvas.grab().toImage() not in (lit, plain)
    QApplication.sendEvent(hand.canvas, QEvent(QEvent.Type.Leave))
    assert hand.canvas.grab().toImage() == plain


def test_the_keyboard_is_never_lost_in_the_row_below(hand: Hand) -> None:
    hand.select(TAIL)
    hide = hand.bar.commands["hide"]
    hide.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(hide, Qt.Key.Key_Space)
    assert hand.selected is None and hand.canvas.hasFocus()
    hand.bar.hidden.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(hand.bar.hidden, Qt.Key.Key_Space)
    assert hand.selected == TAIL and hand.canvas.hasFocus()


def test_what_is_seen_while_dragging_is_what_comes(hand: Hand) -> None:
    """The canvas moves, scales and turns the layer by itself; the collage that follows lies in the same place."""
    arrange = hand.session.arrangement
    made = next(one for one in hand.canvas._placed if one.key[0] == HEAD)
    arrange.adjust_part(HEAD, move=(0.1, 0.05), scale=1.4, turn=35.0)
    arrange.mirror_part(HEAD)
    seen = next(one for one in hand.canvas._placed if one.key[0] == HEAD)
    assert not seen.is_there and seen.layer is made.layer, "the engine has not answered yet"
    hand.settle()
    there = next(one for one in hand.canvas._placed if one.key[0] == HEAD)
    assert there.is_there and there.layer is not made.layer
    for corner in range(4):
        apart = seen.frame.at(corner) - there.frame.at(corner)
        assert abs(apart.x()) <= 1.5 and abs(apart.y()) <= 1.5, corner
    assert (seen.middle - there.middle).manhattanLength() < 1e-3
    rows, columns = np.nonzero(there.layer.image[..., 3] > 250)
    for index in range(0, len(rows), 97):
        point = there.rect.topLeft() + QPointF(int(columns[index]) + 0.5, int(rows[index]) + 0.5)
        assert seen.covers(point)


def test_corners_scale_and_the_handle_above_turns(hand: Hand) -> None:
    hand.select(HEAD)
    placed = hand.canvas.selected
    assert placed is not None and hand.canvas.handles is not None
    middle = hand.canvas.placement.to_view(placed.middle)
    corner = hand.canvas.handles.points["lower right"]
    hand.drag(corner, (corner - middle) * 0.5)
    hand.settle()
    assert hand.adjustment(HEAD).scale == pytest.approx(1.5, abs=0.01)
    assert hand.adjustment(HEAD).move == (0.0, 0.0), "about its own middle"
    turn = hand.canvas.handles.points["turn"]
    arm = turn - hand.canvas.placement.to_view(hand.canvas.selected.middle)  # type: ignore[union-attr]
    hand.drag(turn, QPointF(-arm.y(), arm.x()) * 0.6 - arm * 0.1)
    hand.settle()
    told = hand.canvas.accessibleDescription()
    assert -40 < hand.adjustment(HEAD).turn < -28 and "clockwise" in told and "150 % of its size" in told
    assert hand.undo_steps() == 7, "two drags are two steps"


def test_what_is_nearly_right_snaps_unless_alt_is_held(hand: Hand) -> None:
    hand.select(TAIL)
    middle = hand.place(TAIL)
    hand.drag(middle, QPointF(5, -4))
    assert hand.adjustment(TAIL) == Adjustment(TAIL) and hand.undo_steps() == 5, "back at its joint: no step"
    hand.drag(middle, QPointF(5, -4), Qt.KeyboardModifier.AltModifier)
    moved = hand.adjustment(TAIL).move
    assert moved[0] > 0 > moved[1]
    hand.settle()
    hand.drag(hand.place(TAIL), QPointF(-40, 3), Qt.KeyboardModifier.ShiftModifier)
    assert hand.adjustment(TAIL).move[0] < 0 and hand.adjustment(TAIL).move[1] == moved[1], "straight"
    hand.session.arrangement.reset_part(TAIL)
    hand.settle()
    assert hand.canvas.handles is not None
    corner = hand.canvas.handles.points["upper left"]
    hand.drag(corner, QPointF(-4, -4))
    assert hand.adjustment(TAIL).scale == 1.0
    turn = hand.canvas.handles.points["turn"]
    hand.drag(turn, QPointF(2, 0))
    assert hand.adjustment(TAIL).turn == 0.0
    hand.drag(turn, QPointF(25, 0), Qt.KeyboardModifier.ShiftModifier)
    assert hand.adjustment(TAIL).turn % 15 == 0 and hand.adjustment(TAIL).turn < 0


def test_with_shift_a_corner_scales_about_the_joint(hand: Hand) -> None:
    hand.select(HEAD)
    joint = hand.canvas.selected.own_joint()  # type: ignore[union-attr]
    assert joint is not None and hand.canvas.handles is not None
    corner = hand.canvas.handles.points["upper right"]
    away = corner - hand.canvas.placement.to_view(joint)
    hand.drag(corner, away * 0.4, Qt.KeyboardModifier.ShiftModifier)
    now = hand.canvas.selected.own_joint()  # type: ignore[union-attr]
    assert now is not None and (now - joint).manhattanLength() < 0.1
    assert hand.adjustment(HEAD).scale == pytest.approx(1.4, abs=0.01)


def test_a_turned_part_snaps_where_its_joint_meets(hand: Hand) -> None:
    hand.session.arrangement.adjust_part(HEAD, move=(0.2, -0.2), turn=60.0)
    hand.settle()
    placed = next(one for one in hand.canvas._placed if one.key[0] == HEAD)
    own, place, scale = placed.own_joint(), placed.joint_place, hand.canvas.placement.scale
    assert own is not None and place is not None
    hand.drag(hand.place(HEAD), (place - own) * scale + QPointF(3, 2))
    placed = next(one for one in hand.canvas._placed if one.key[0] == HEAD)
    own = placed.own_joint()
    assert own is not None and (own - place).manhattanLength() < 0.01


def test_keys_do_all_of_it(hand: Hand) -> None:
    shift = Qt.KeyboardModifier.ShiftModifier
    side = hand.session.state.creature.collage.width  # type: ignore[union-attr]
    hand.key(Qt.Key.Key_Space)
    first = hand.selected
    assert first == hand.order()[-1], "the one in front"
    hand.key(Qt.Key.Key_Return)
    assert hand.selected == hand.order()[-2]
    hand.key(Qt.Key.Key_Return, shift)
    assert hand.selected == first
    part = first
    assert part is not None
    for _ in range(3):
        hand.key(Qt.Key.Key_Right)
    hand.key(Qt.Key.Key_Up, shift)
    assert hand.adjustment(part).move == pytest.approx((3 / side, -10 / side), abs=1e-6)
    told = hand.canvas.accessibleDescription()
    assert "3 px right, 10 px up" in told and told.startswith("head, ") and "1 of 5" in told
    assert hand.undo_steps() == 6, "presses close in time are one step"
    assert hand.selected is None, "undo has gone back to where there was no such part"
    hand.key(Qt.Key.Key_Space)
    hand.key(Qt.Key.Key_Plus)
    hand.key(Qt.Key.Key_R)
    assert hand.adjustment(part).scale == pytest.approx(1.05) and hand.adjustment(part).turn == -5.0
    hand.key(Qt.Key.Key_R, shift)
    hand.key(Qt.Key.Key_Minus)
    assert hand.adjustment(part).scale == 1.0 and hand.adjustment(part).turn == 0.0
    hand.key(Qt.Key.Key_M)
    assert hand.adjustment(part).mirror and "mirrored" in hand.canvas.accessibleDescription()
    hand.key(Qt.Key.Key_0)
    assert hand.adjustment(part) == Adjustment(part) and hand.selected == part
    hand.key(Qt.Key.Key_Delete)
    assert hand.session.state.recipe.choice_of(part) is None and hand.selected is None
    hand.settle()
    assert "4 parts" in hand.canvas.accessibleDescription()


def test_forward_and_back_pass_one_layer_each(hand: Hand) -> None:
    arrange, by_nature = hand.session.arrangement, hand.order()
    back, second, third = by_nature[:3]
    arrange.reorder_part(back, step=1)
    arrange.reorder_part(second, step=1)
    hand.settle()
    assert hand.order() == by_nature, "each has passed the other"
    arrange.reorder_part(back, step=1)
    arrange.reorder_part(back, step=1)
    hand.settle()
    assert hand.order()[:3] == [second, third, back]
    arrange.hide_part(by_nature[3])
    arrange.reorder_part(back, step=1)
    hand.settle()
    assert hand.order()[2:] == [by_nature[3], by_nature[4], back], "what is hidden is no step of its own"
    arrange.reset_part(back)
    hand.settle()
    assert hand.order() == by_nature
    steps = hand.undo_steps()
    arrange.reorder_part(by_nature[-1], step=1)
    assert hand.undo_steps() == steps, "in front of all there is nothing"


def test_the_keys_that_order_tell_where_it_is(hand: Hand) -> None:
    hand.select(TAIL)
    at = 5 - hand.order().index(TAIL)
    assert f"{at} of 5 from the front" in hand.canvas.accessibleDescription()
    hand.key(Qt.Key.Key_PageUp)
    assert f"{at - 1} of 5 from the front" in hand.canvas.accessibleDescription()
    hand.key(Qt.Key.Key_PageDown)
    assert f"{at} of 5 from the front" in hand.canvas.accessibleDescription()
    for _ in range(5):
        hand.bar.commands["back"].click()
    hand.settle()
    assert hand.order()[0] == TAIL and not hand.bar.commands["back"].isEnabled()


def test_what_is_hidden_can_be_got_back(hand: Hand) -> None:
    before = hand.canvas.grab().toImage()
    hand.select(TAIL)
    hand.key(Qt.Key.Key_H)
    assert hand.selected is None and hand.canvas.grab().toImage() != before, "at once"
    hand.settle()
    assert not hand.layer(TAIL).visible and "4 parts" in hand.canvas.accessibleDescription()
    assert hand.bar.hidden.isVisible() and hand.bar.hidden.accessibleName() == "Hidden: tail"
    hand.bar.hidden.click()
    assert hand.selected == TAIL and not hand.adjustment(TAIL).hidden
    hand.settle()
    assert hand.layer(TAIL).visible
    hand.select(HEAD)
    hand.bar.commands["hide"].click()
    hand.session.arrangement.hide_part(TAIL)
    assert hand.bar.hidden.accessibleName() == "Hidden: 2 parts"
    hand.bar.reset.click()
    assert arrangement_of(hand.session.state.recipe) == Arrangement() and not hand.bar.reset.isVisible()


def test_a_change_outlives_the_bird_and_not_the_part(hand: Hand, pack: Pack) -> None:
    session, other = hand.session, pack.references[5]
    session.arrangement.adjust_part(HEAD, turn=20.0)
    session.choose(HEAD, other.codes[HEAD], other.id)
    assert hand.adjustment(HEAD).turn == 20.0
    hand.settle()
    assert hand.layer(HEAD).source == other.id and hand.layer(HEAD).turn == pytest.approx(20.0)
    session.remove(HEAD)
    session.choose(HEAD, other.codes[HEAD], other.id)
    assert hand.adjustment(HEAD) == Adjustment(HEAD)
    session.undo()
    session.undo()
    assert hand.adjustment(HEAD).turn == 20.0, "undo brings both back"


def test_it_is_there_after_a_restart(hand: Hand, open_session: Callable[[], Opened]) -> None:
    hand.session.arrangement.adjust_part(WING, move=(0.05, 0.0), scale=1.2, turn=-30.0)
    hand.session.arrangement.set_ground(((10, 20, 30), (200, 210, 220)))
    hand.session.arrangement.set_pose("1")
    hand.session.arrangement.reorder_part(hand.order()[0])
    hand.session.keep()
    again = open_session().session
    assert arrangement_of(again.state.recipe) == arrangement_of(hand.session.state.recipe)
    hand.qtbot.waitUntil(lambda: again.state.creature.collage is not None, timeout=WAIT)
    assert again.state.creature.collage.pose == "1"  # type: ignore[union-attr]


def test_pose_and_ground_are_chosen_in_the_row_below(hand: Hand, pack: Pack) -> None:
    def trigger(text: str) -> None:
        menu = hand.bar._menu
        assert menu is not None
        next(action for action in menu.actions() if action.text().startswith(text)).trigger()
        menu.close()

    hand.bar.ground.click()
    trigger("White")
    hand.settle()
    collage = hand.session.state.creature.collage
    assert collage is not None and collage.ground is not None and bool((collage.ground == 255).all())
    assert hand.bar.ground.accessibleName() == "Ground: white"
    hand.bar.ground.click()
    trigger("None")
    hand.settle()
    collage = hand.session.state.creature.collage
    assert collage is not None and collage.ground is None
    hand.bar.pose.click()
    trigger(pack.references[3].title)
    hand.settle()
    assert hand.session.state.creature.collage.pose == pack.references[3].id  # type: ignore[union-attr]
    assert hand.bar.pose.accessibleName() == f"Pose: {pack.references[3].title}"
    hand.bar.pose.click()
    trigger("Automatic")
    assert arrangement_of(hand.session.state.recipe).pose == ""
    assert hand.undo_steps() == 9


def test_nothing_is_arranged_while_a_render_is_in_front(hand: Hand) -> None:
    hand.select(TAIL)
    rendered(hand.qtbot, hand.session)
    hand.qtbot.waitUntil(lambda: not hand.canvas.is_arrangeable, timeout=WAIT)
    assert hand.selected is None and not hand.bar.isVisible()
    middle = hand.canvas.placement.rect.center()
    steps = hand.undo_steps()
    hand.drag(middle, QPointF(40, 0))
    hand.key(Qt.Key.Key_Space)
    assert hand.selected is None and hand.undo_steps() == steps
    hand.window.creature.show_collage()
    assert hand.bar.isVisible()
    hand.select(TAIL)


def test_keys_that_mean_nothing_here_go_on(hand: Hand) -> None:
    """Left and right are the pane's while no part is selected, and Tab never stays."""
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_M, Qt.Key.Key_Delete):
        event = QKeyEvent(QEvent.Type.KeyPress, key, NONE)
        event.setAccepted(True)
        hand.canvas.keyPressEvent(event)
        assert not event.isAccepted(), key
    hand.select(TAIL)
    hand.key(Qt.Key.Key_Tab)
    focus = hand.window.focusWidget()
    assert focus is not None and focus is not hand.canvas
    QTest.keyClick(focus, Qt.Key.Key_Backtab)
    assert hand.window.focusWidget() is hand.canvas
    hand.key(Qt.Key.Key_Backtab)
    assert hand.window.focusWidget() is not hand.canvas
    assert [
        button for button in hand.bar.commands.values() if not button.accessibleName() or not button.toolTip()
    ] == []


def test_escape_lets_go_of_the_part_and_not_of_the_render(hand: Hand, script: Callable[..., None]) -> None:
    script(render={"delay": 0.05})
    hand.session.render()
    hand.qtbot.waitUntil(lambda: hand.session.state.render is not None and hand.window.stop.isEnabled(), timeout=WAIT)
    if hand.canvas.is_arrangeable:  # the first preview may have come
        hand.select(TAIL)
        hand.key(Qt.Key.Key_Escape)
        assert hand.selected is None and not hand.session.state.render.cancelling  # type: ignore[union-attr]
    hand.qtbot.waitUntil(lambda: hand.session.state.render is None, timeout=WAIT)


def test_escape_in_a_drag_puts_the_part_back(hand: Hand) -> None:
    start = hand.place(TAIL)
    hand.button(QEvent.Type.MouseButtonPress, start)
    hand.move_to(start + QPointF(60, 0))
    assert hand.adjustment(TAIL).move[0] > 0
    hand.key(Qt.Key.Key_Escape)
    hand.move_to(start + QPointF(90, 0))
    hand.button(QEvent.Type.MouseButtonRelease, start + QPointF(90, 0))
    assert hand.adjustment(TAIL) == Adjustment(TAIL) and hand.undo_steps() == 5


def test_space_and_the_middle_button_move_the_view(hand: Hand) -> None:
    hand.canvas.zoom(4.0)
    before = hand.canvas.placement
    middle = before.rect.center()
    QTest.keyPress(hand.canvas, Qt.Key.Key_Space)
    hand.drag(QPointF(hand.canvas.rect().center()), QPointF(-25, 10))
    QTest.keyRelease(hand.canvas, Qt.Key.Key_Space)
    after = hand.canvas.placement
    assert (after.rect.center() - middle).toTuple() == (-25, 10) and hand.selected is None
    assert arrangement_of(hand.session.state.recipe) == Arrangement()


def test_two_of_one_part_are_arranged_one_by_one(hand: Hand, pack: Pack) -> None:
    session, one = hand.session, pack.references[5]
    pieces = (*session.state.recipe.prompt, " ", Choice(HEAD, one.codes[HEAD], 1.0, one.id))
    session._recipes.change(replace(session.state.recipe, prompt=pieces))
    hand.settle()
    heads = [layer for layer in hand.layers() if layer.part == HEAD]
    assert [layer.nth for layer in heads] == [0, 1]
    session.arrangement.adjust_part(HEAD, 1, turn=45.0)
    hand.settle()
    assert [layer.turn for layer in hand.layers() if layer.part == HEAD] == pytest.approx([0.0, 45.0])
    session.arrangement.reset_part(HEAD, 0)
    assert arrangement_of(session.state.recipe).adjustment_of(HEAD, 1).turn == 45.0


def test_a_drag_is_one_step_however_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr("partcraft_desktop.app.history.time.monotonic", lambda: next(clock))
    history = History(Recipe("p"))
    for seed in (1, 2, 3):
        history.go_on(Recipe("p", seed=seed), f"{DRAG}7")
    history.go_on(Recipe("p", seed=4), f"{DRAG}8")
    history.undo()
    assert history.now.seed == 3
    history.undo()
    assert history.now.seed == 0 and not history.can_undo


def test_what_changes_is_said_once_while_somebody_listens(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(hand.canvas, "say", said.append)
    QAccessible.setActive(True)
    try:
        hand.key(Qt.Key.Key_Space)
        hand.key(Qt.Key.Key_Right)
        hand.key(Qt.Key.Key_H)
        hand.settle()
    finally:
        QAccessible.setActive(False)
    assert [text.split(", ")[0] for text in said] == ["head", "head", "4 parts", "head hidden"]
    assert "1 px right" in said[1]


def test_what_lies_beyond_the_picture_is_not_under_the_pointer(hand: Hand) -> None:
    hand.session.arrangement.adjust_part(TAIL, move=(-0.25, 0.0))
    hand.settle()
    placed = next(one for one in hand.canvas._placed if one.key[0] == TAIL)
    rows, columns = np.nonzero(placed.layer.image[..., 3] > 250)
    points = [
        hand.canvas.placement.to_view(placed.rect.topLeft() + QPointF(int(x), int(y)))
        for x, y in zip(columns, rows, strict=True)
    ]
    outside = next(point for point in points if not hand.canvas.placement.rect.contains(point))
    hand.click(outside)
    assert hand.selected is None
    hand.session.arrangement.reset_arrangement()
    assert arrangement_of(hand.session.state.recipe) == Arrangement()
