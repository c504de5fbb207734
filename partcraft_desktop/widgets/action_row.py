"""A row of actions as buttons with words; where room is short, with icons alone, and what still does not fit is in a
menu."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from PySide6.QtCore import QEvent, QPoint, QSize, Qt
from PySide6.QtGui import QAction, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QMenu, QSizePolicy, QToolButton, QWidget

from partcraft_desktop.widgets.button_menu import open_menu
from partcraft_desktop.widgets.controls import tool_button
from partcraft_desktop.widgets.theme import UNIT

GAP: Final = UNIT // 2
WORDS: Final = Qt.ToolButtonStyle.ToolButtonTextBesideIcon
ICONS: Final = Qt.ToolButtonStyle.ToolButtonIconOnly


class ActionRow(QWidget):
    """Buttons for actions, which have icons; a button's ``objectName`` is its action's.

    ``fold_to_icons``: where the words do not all fit, there are icons with tips; otherwise as many as fit keep their
    words. What does not fit is in the menu at the end.
    """

    def __init__(self, fold_to_icons: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fold_to_icons = fold_to_icons
        self._buttons: list[tuple[QAction, QToolButton]] = []
        self._menu_only = False
        self.more = tool_button("more", "More", self._show_menu)
        self.more.setObjectName("more")
        self.more.setParent(self)
        self.more.hide()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def actions_in_menu(self) -> list[QAction]:
        """The actions that have no button of their own for now."""
        return [action for action, button in self._buttons if action.isVisible() and button.isHidden()]

    @property
    def has_words(self) -> bool:
        """Whether the buttons say what they do."""
        return any(not b.isHidden() and b.toolButtonStyle() == WORDS for _, b in self._buttons)

    def set_actions(self, actions: Sequence[QAction]) -> None:
        """Show other actions, the most wanted one first."""
        if [action for action, _ in self._buttons] == list(actions):
            return
        for action, button in self._buttons:
            action.changed.disconnect(self._follow)
            button.hide()
            button.deleteLater()
        self._buttons = [(action, self._button(action)) for action in actions]
        # Tab reaches them where the row is, not after everything that was there before them.
        chain = [self.more, *(button for _, button in self._buttons), self.more]
        for one, other in pairwise(chain if self._buttons else []):
            QWidget.setTabOrder(one, other)
        self._arrange()

    def set_menu_only(self, menu_only: bool) -> None:
        """Show nothing but the menu."""
        if menu_only != self._menu_only:
            self._menu_only = menu_only
            self.updateGeometry()
            self._arrange()

    def _button(self, action: QAction) -> QToolButton:
        button = tool_button("more", action.text(), action.trigger)
        button.setParent(self)
        button.setIcon(action.icon())
        button.setIconSize(QSize(18, 18))
        button.setText(action.text())
        button.setObjectName(action.objectName())
        button.setCheckable(action.isCheckable())
        _copy_state(action, button)
        action.changed.connect(self._follow)
        button.show()
        return button

    def _follow(self) -> None:
        for action, button in self._buttons:
            _copy_state(action, button)
        self._arrange()

    # Where they stand

    def sizeHint(self) -> QSize:
        buttons = [button for action, button in self._buttons if action.isVisible()]
        width = self.more.sizeHint().width() if self._menu_only else _width(buttons, WORDS)
        return QSize(width, self.minimumSizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return self.more.sizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._arrange()

    def _arrange(self) -> None:
        buttons = [button for action, button in self._buttons if action.isVisible()]
        has_words = _width(buttons, WORDS) <= self.width() or not self._fold_to_icons
        style = WORDS if has_words else ICONS
        fitting = len(buttons)
        if self._menu_only:
            fitting = 0
        elif _width(buttons, style) > self.width():
            room = self.width() - GAP - self.more.sizeHint().width()
            while fitting and _width(buttons[:fitting], style) > room:
                fitting -= 1
        for action, button in self._buttons:
            if not action.isVisible():
                button.hide()
        x = 0
        for number, button in enumerate(buttons):
            button.setToolButtonStyle(style)
            button.setVisible(number < fitting)
            if number < fitting:
                width = button_width(button)
                button.setGeometry(x, 0, width, self.height())
                x += width + GAP
        self.more.setGeometry(x, 0, self.more.sizeHint().width(), self.height())
        self.more.setVisible(fitting < len(buttons))

    def _show_menu(self) -> None:
        menu = QMenu(self.more)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addActions(self.actions_in_menu)
        open_menu(menu, self.more, self.more.mapToGlobal(QPoint(0, self.more.height())))


def _copy_state(action: QAction, button: QToolButton) -> None:
    keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
    button.setText(action.text())
    button.setAccessibleName(action.text())
    button.setToolTip(f"{action.text()} ({keys})" if keys else action.text())
    button.setEnabled(action.isEnabled())
    button.setChecked(action.isChecked())


def _width(buttons: Sequence[QToolButton], style: Qt.ToolButtonStyle) -> int:
    """How wide buttons are side by side, in logical pixels."""
    total = 0
    for button in buttons:
        button.setToolButtonStyle(style)
        total += button_width(button) + GAP
    return max(0, total - GAP)


def button_width(button: QToolButton) -> int:
    """A button as wide as its icon and its words ask for: the style's own hint has room for more."""
    if button.toolButtonStyle() != WORDS:
        return button.sizeHint().width()
    return button.iconSize().width() + button.fontMetrics().horizontalAdvance(button.text()) + 20
