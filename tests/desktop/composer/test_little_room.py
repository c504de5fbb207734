"""The composer in windows of common sizes: the prompt is seen below the slots."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from partcraft_desktop.composer.part_slot import HEIGHT, LOW
from partcraft_desktop.window.main_window import MainWindow
from tests.desktop.conftest import WAIT

TWO_LINES = 64
"""Logical pixels of a prompt of two lines of chips, with its frame."""


@pytest.mark.parametrize("size", [(1280, 832), (1280, 800), (1366, 768)])
def test_two_lines_of_the_prompt_are_seen_below_the_slots(
    qtbot: QtBot, window: MainWindow, size: tuple[int, int]
) -> None:
    session, composer = window.session, window.composer
    window.resize(*size)
    pack = session.state.pack
    assert pack is not None
    for part, reference in zip(pack.vocabulary.visible_parts[:4], pack.references, strict=False):
        session.choose(part.index, reference.codes[part.index], reference.id)
    session.set_setting("tries", 4)
    qtbot.waitUntil(lambda: composer.freedom.isVisible() and composer.keep_trying.isVisible(), timeout=WAIT)
    view = composer.findChild(QWidget, "qt_scrollarea_viewport")
    assert view is not None and view.isAncestorOf(composer.prompt)
    qtbot.waitUntil(lambda: composer.prompt.height() >= TWO_LINES, timeout=WAIT)
    top = composer.prompt.mapTo(view, QPoint(0, 0)).y()
    assert top + TWO_LINES <= view.height()
    assert {slot.height() for slot in composer.slots.values()} == {LOW}


def test_slots_are_high_where_there_is_room(window: MainWindow) -> None:
    window.resize(1280, 960)
    slots = window.composer.slots.values()
    assert {slot.sizeHint().height() for slot in slots} == {HEIGHT}
    window.resize(1280, 700)
    assert {slot.sizeHint().height() for slot in slots} == {LOW}
    assert all(slot.rect().contains(slot.tile) for slot in slots)
