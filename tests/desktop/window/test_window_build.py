"""How the window is put together: each widget is styled as a whole, once."""

from __future__ import annotations

import statistics
from collections import Counter

import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from partcraft_desktop.widgets.theme import Theme, style_sheet_last
from partcraft_desktop.window.main_window import MainWindow
from tests.desktop.conftest import Opened


class Stylings(QObject):
    """Counts how often each widget is given another style."""

    def __init__(self) -> None:
        super().__init__()
        self.count: Counter[int] = Counter()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.StyleChange:
            self.count[id(watched)] += 1
        return False


def test_a_new_window_is_styled_once_not_once_a_level(
    qtbot: QtBot, qapp: QApplication, opened: Opened, themed: Theme
) -> None:
    sheet = qapp.styleSheet()
    stylings = Stylings()
    qapp.installEventFilter(stylings)
    window = MainWindow(opened.session, opened.readers)
    qapp.removeEventFilter(stylings)
    qtbot.addWidget(window)
    assert qapp.styleSheet() == sheet != ""
    widgets = window.findChildren(QWidget)
    assert len(widgets) > 200
    assert statistics.mean(stylings.count[id(widget)] for widget in widgets) <= 1.5
    window.show()
    assert window.library.search.sizeHint().height() == 32, "the style sheet's padding and least height"


def test_the_style_sheet_comes_back_after_a_fault(qapp: QApplication, themed: Theme) -> None:
    sheet = qapp.styleSheet()
    with pytest.raises(LookupError), style_sheet_last():
        assert qapp.styleSheet() == ""
        raise LookupError
    assert qapp.styleSheet() == sheet != ""
