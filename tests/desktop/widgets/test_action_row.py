"""A row of actions: words, icons, and a menu for what does not fit."""

from __future__ import annotations

from itertools import pairwise

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from partcraft_desktop.widgets.action_row import ActionRow
from partcraft_desktop.widgets.theme import icon
from tests.desktop.conftest import Opened


def action(text: str, done: list[str]) -> QAction:
    made = QAction(icon("copy"), text)
    made.setObjectName(text)
    made.triggered.connect(lambda: done.append(text))
    return made


def row_of(qtbot: QtBot, actions: list[QAction], fold_to_icons: bool = False) -> ActionRow:
    row = ActionRow(fold_to_icons)
    qtbot.addWidget(row)
    row.set_actions(actions)
    row.resize(900, 32)
    row.show()
    return row


def visible(row: ActionRow) -> list[str]:
    return [button.objectName() for button in row.findChildren(QToolButton) if button.isVisible()]


@pytest.mark.parametrize("width", [20, 80, 160, 240, 330, 420, 900])
@pytest.mark.parametrize("fold_to_icons", [False, True])
def test_every_action_can_be_reached_at_any_width(
    qtbot: QtBot, opened: Opened, themed: object, width: int, fold_to_icons: bool
) -> None:
    done: list[str] = []
    actions = [action(text, done) for text in ("Use this recipe", "Copy", "Show in folder", "Delete")]
    row = row_of(qtbot, actions, fold_to_icons)
    row.resize(width, 32)
    in_menu = [a.text() for a in row.actions_in_menu]
    buttons = [name for name in visible(row) if name != "more"]
    assert buttons + in_menu == [a.text() for a in actions]
    assert row.more.isVisible() == bool(in_menu)
    shown = [button for button in row.findChildren(QToolButton) if button.isVisible()]
    edges = sorted((button.geometry().left(), button.geometry().right()) for button in shown)
    assert all(one[1] < other[0] for one, other in pairwise(edges))
    if width >= 80:
        assert edges[-1][1] < width


def test_buttons_follow_their_actions(qtbot: QtBot, opened: Opened, themed: object) -> None:
    done: list[str] = []
    actions = [action("One", done), action("Two", done)]
    row = row_of(qtbot, actions)
    button = row.findChild(QToolButton, "One")
    assert button is not None
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    actions[0].setEnabled(False)
    assert not button.isEnabled()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert done == ["One"]
    actions[1].setVisible(False)
    assert visible(row) == ["One"]
    row.set_actions([])
    assert visible(row) == [] and not row.actions_in_menu


def test_tab_reaches_the_buttons_where_the_row_is(qtbot: QtBot, opened: Opened, themed: object) -> None:
    place = QWidget()
    qtbot.addWidget(place)
    layout = QHBoxLayout(place)
    row = ActionRow()
    for widget in (QPushButton("before"), row, QPushButton("after")):
        layout.addWidget(widget)
    row.set_actions([action(text, []) for text in ("One", "Two")])
    place.resize(900, 60)
    place.show()
    chain = [place.nextInFocusChain()]
    while chain[-1] is not None and chain[-1] is not place:
        chain.append(chain[-1].nextInFocusChain())
    order = [button.objectName() or button.text() for button in chain if isinstance(button, QAbstractButton)]
    assert order == ["before", "One", "Two", "more", "after"]
