"""Arranging by hand in the real window: by pointer, by keys, by the row of buttons; every step in the one undo."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.collage.arrangement import Adjustment, arrangement_of
from engine.collage.layers import Layer
from engine.packs.pack import Pack
from partcraft_desktop.creature.arrange_canvas import ArrangeCanvas
from partcraft_desktop.widgets.fly_animation import FlyAnimation
from partcraft_desktop.window.main_window import MainWindow
from tests.desktop.conftest import WAIT

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
