"""A line that unfolds what is under it."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEasingCurve, QPropertyAnimation, Qt, Signal
from PySide6.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget

from partcraft_desktop.widgets import theme

UNFOLD_MS: Final = 160


class Disclosure(QWidget):
    """A line that unfolds what is under it."""

    unfolded = Signal(bool)

    def __init__(self, name: str, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._content = content
        self._reduced = False
        self.button = QToolButton()
        self.button.setText(name)
        self.button.setCheckable(True)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.button.setProperty("quiet", True)
        self.button.toggled.connect(self._unfold)
        self.fold = QWidget()
        self.fold.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        inner = QVBoxLayout(self.fold)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(content, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.fold)
        self._animation = QPropertyAnimation(self.fold, b"maximumHeight", self)
        self._animation.setDuration(UNFOLD_MS)
        self._animation.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._animation.finished.connect(self._settle)
        self.fold.setMaximumHeight(0)
        self.fold.hide()
        self._show_arrow(False)

    def set_reduced_motion(self, reduced: bool) -> None:
        """Unfold at once."""
        self._reduced = reduced

    def _unfold(self, open_: bool) -> None:
        self._show_arrow(open_)
        self._animation.stop()
        if open_:
            self.fold.show()
        height = self._content.sizeHint().height()
        self._animation.setStartValue(self.fold.height() if self.fold.isVisible() and not open_ else 0)
        self._animation.setEndValue(height if open_ else 0)
        if self._reduced or not self.isVisible():
            self._settle()
        else:
            self._animation.start()

    def _settle(self) -> None:
        open_ = self.button.isChecked()
        # Without a bound afterwards, so that larger fonts find room.
        self.fold.setMaximumHeight(16_777_215 if open_ else 0)
        self.fold.setVisible(open_)
        self.unfolded.emit(open_)

    def _show_arrow(self, open_: bool) -> None:
        self.button.setIcon(theme.icon("chevron-up" if open_ else "chevron-down"))
        self.button.setAccessibleDescription("unfolded" if open_ else "folded")
