"""The centre of the window: the reference one picks from and the creature, side by side or one behind the other. The
wall of a part's variants takes the place of the reference while it is open."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QIcon, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QSplitter,
    QStackedLayout,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from partcraft_desktop.creature.creature_pane import CreaturePane
from partcraft_desktop.reference.reference_view import ReferenceView
from partcraft_desktop.variants.part_wall import PartWall
from partcraft_desktop.widgets.theme import UNIT

SIDE_BY_SIDE: Final = 560
"""Logical pixels of width from which both are seen at once."""
SIGN: Final = 28
"""The side of the small creature on its tab."""


class Centre(QWidget):
    """Reference and creature. ``arranged()``: they stand otherwise than before."""

    arranged = Signal()

    def __init__(
        self, view: ReferenceView, wall: PartWall, creature: CreaturePane, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.view, self.wall, self.creature = view, wall, creature
        self._picks = QStackedWidget()  # where one picks from
        self._picks.addWidget(view)
        self._picks.addWidget(wall)
        wall.opened.connect(self._show_wall)
        wall.closed.connect(self._hide_wall)
        self.setMinimumWidth(200)
        self.splitter = QSplitter(Qt.Orientation.Horizontal, childrenCollapsible=False)
        self.splitter.setHandleWidth(UNIT // 2)
        self.splitter.splitterMoved.connect(self._keep_sizes)
        self._one = QWidget()
        self._stack = QStackedLayout(self._one)
        self._tabs = QWidget()
        row = QHBoxLayout(self._tabs)
        row.setContentsMargins(UNIT * 2, 0, UNIT * 2, UNIT // 2)
        row.setSpacing(UNIT // 2)
        self._group = QButtonGroup(self)
        self.buttons = [self._tab("Reference", 0), self._tab("Creature", 1)]
        row.addStretch(1)
        for button in self.buttons:
            row.addWidget(button)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._tabs)
        column.addWidget(self.splitter, 1)
        column.addWidget(self._one, 1)
        self._splits: bool | None = None
        self._sizes = [1 << 10, 1 << 10]  # halves, until a person moves what parts them
        self._arrange(True)
        # Where one stands behind the other, a pick is seen in the creature all the same.
        creature.footer.strip.collage_drawn.connect(lambda picture: self.buttons[1].setIcon(QIcon(picture)))
        view.canvas.installEventFilter(self)
        creature.canvas.installEventFilter(self)

    @property
    def side_by_side(self) -> bool:
        """Whether both are seen at once."""
        return bool(self._splits)

    def restore_sizes(self, sizes: list[int]) -> None:
        """Part reference and creature as these widths say."""
        self._sizes = sizes
        self.splitter.setSizes(sizes)

    def _keep_sizes(self) -> None:
        self._sizes = self.splitter.sizes()

    def show_reference(self) -> None:
        """Bring the reference in front where only one of them is seen."""
        self._show(0)

    def show_creature(self) -> None:
        """Bring the creature in front where only one of them is seen, and the keyboard with it."""
        had_keys = self._picks.isAncestorOf(self.focusWidget() or self)
        self._show(1)
        if had_keys and not self._splits:
            self.creature.canvas.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_wall(self) -> None:
        self._picks.setCurrentWidget(self.wall)
        self.show_reference()

    def _hide_wall(self) -> None:
        had_focus = self.wall.isAncestorOf(self.focusWidget() or self)
        self._picks.setCurrentWidget(self.view)
        if had_focus:
            self.view.canvas.setFocus(Qt.FocusReason.OtherFocusReason)

    def _tab(self, text: str, index: int) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setIconSize(QSize(SIGN, SIGN))
        button.setFixedHeight(SIGN + 10)  # nothing below moves when the small creature comes
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setProperty("tab", True)
        button.setToolTip(f"{text} (Tab)")
        button.clicked.connect(lambda: self._show(index))
        self._group.addButton(button)
        return button

    def _show(self, index: int) -> None:
        self.buttons[index].setChecked(True)
        if not self._splits:
            self._stack.setCurrentIndex(index)

    def _arrange(self, splits: bool) -> None:
        if splits == self._splits:
            return
        focus = self.focusWidget()
        self._splits = splits
        for widget in (self._picks, self.creature):
            if splits:
                self.splitter.addWidget(widget)
                widget.show()
            else:
                self._stack.addWidget(widget)
        if splits:
            self.splitter.setSizes(self._sizes)
        self.splitter.setVisible(splits)
        self._one.setVisible(not splits)
        self._tabs.setVisible(not splits)
        self._show(1 if focus is not None and self.creature.isAncestorOf(focus) else 0)
        if focus is not None and focus.isVisibleTo(self):
            focus.setFocus(Qt.FocusReason.OtherFocusReason)
        self.arranged.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange(self.width() >= SIDE_BY_SIDE)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # Tab in one picture leads to the other where only one is seen; from the creature it goes on as everywhere.
        if not self._splits and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            forth = event.key() == Qt.Key.Key_Tab and watched is self.view.canvas
            back = event.key() == Qt.Key.Key_Backtab and watched is self.creature.canvas
            if forth or back:
                self._show(1 if forth else 0)
                target = self.creature.canvas if forth else self.view.canvas
                target.setFocus(Qt.FocusReason.TabFocusReason)
                return True
        return False
