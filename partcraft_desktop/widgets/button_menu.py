"""A menu that a button opens."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QAbstractButton, QMenu


def open_menu(menu: QMenu, button: QAbstractButton, at: QPoint) -> None:
    """Open a menu of a button with its corner ``at`` (global); the button is not lit any more once it is closed."""
    menu.aboutToHide.connect(lambda: _settle(button), Qt.ConnectionType.SingleShotConnection)
    menu.popup(at)


def _settle(button: QAbstractButton) -> None:
    # The pointer left the button inside the menu, and Qt does not tell the button.
    if not button.rect().contains(button.mapFromGlobal(QCursor.pos())):
        button.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, False)
        button.update()
