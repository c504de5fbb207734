"""A menu that a button opens."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QMenu, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from partcraft_desktop.widgets.button_menu import open_menu


def test_a_button_is_not_lit_any_more_once_its_menu_is_closed(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    button = QToolButton(window)
    menu = QMenu(button)
    menu.addAction("One")
    window.resize(200, 200)
    window.show()
    for far, lit in ((QPoint(150, 150), False), (button.rect().center(), True)):
        button.setAttribute(Qt.WidgetAttribute.WA_UnderMouse)  # as it was when the menu was opened
        open_menu(menu, button, button.mapToGlobal(QPoint(0, button.height())))
        qtbot.waitUntil(menu.isVisible)
        QCursor.setPos(button.mapToGlobal(far))
        menu.close()
        qtbot.waitUntil(lambda: not menu.isVisible())
        assert button.underMouse() is lit
