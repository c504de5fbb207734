"""Tab goes where the eye goes."""

from __future__ import annotations

import itertools

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from partcraft_desktop.window.main_window import MainWindow
from tests.desktop.conftest import WAIT


def walk(window: MainWindow, key: Qt.Key) -> list[QWidget]:
    """What has the keyboard, press after press, until it comes round."""
    stops: list[QWidget] = []
    while (focus := window.focusWidget()) is not None and focus not in stops:
        stops.append(focus)
        QTest.keyClick(focus, key)
    return stops


def test_tab_follows_the_eye_and_goes_back_the_same_way(qtbot: QtBot, window: MainWindow) -> None:
    window.session.random_mix()  # the slots were made after all that stands below them
    qtbot.waitUntil(lambda: window.creature.canvas.isVisible(), timeout=WAIT)
    first = window.library.findChild(QWidget, "packs")
    assert first is not None
    first.setFocus()
    stops = walk(window, Qt.Key.Key_Tab)
    slots = list(window.composer.slots.values())
    at = [stops.index(slot) for slot in slots]
    assert at == sorted(at) and at[-1] < stops.index(window.composer.prompt.words)
    assert stops.index(window.composer.prompt.words) < stops.index(window.composer.render_button)
    chips = [stop for stop in stops if window.view.isAncestorOf(stop)]
    assert chips[0] is window.view.canvas and len(chips) > 1, "the chips of the picture follow the picture"
    assert stops.index(chips[-1]) < stops.index(next(s for s in stops if window.creature.isAncestorOf(s))) < at[0]
    areas = (window.library, window.view, window.creature, window.composer, window.gallery)
    seen = [area for stop in stops for area in areas if area.isAncestorOf(stop)]
    assert [area for area, _ in itertools.groupby(seen)] == [area for area in areas if area in seen]
    first.setFocus()
    back = walk(window, Qt.Key.Key_Backtab)
    assert [stop for stop in reversed(back) if stop in stops[1:]] == [stop for stop in stops[1:] if stop in back]
