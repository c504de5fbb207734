"""What most people leave as it is: negative prompt, steps, guidance, seed, count and size, behind "More"."""

from __future__ import annotations

import random
from typing import Final

from PySide6.QtCore import QEasingCurve, QEvent, QObject, QPropertyAnimation, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.core.recipe import Recipe
from partcraft_desktop.widgets import theme
from partcraft_desktop.widgets.controls import tool_button
from partcraft_desktop.widgets.number_field import NumberField

UNFOLD_MS: Final = 160
SIZES: Final = (128, 256, 384, 512, 640, 768, 1024)
MOST_SEED: Final = 2**31 - 1


class RecipeSettings(QWidget):
    """``changed(name, value)`` for a field of Recipe; ``seed_locked(bool)``."""

    changed = Signal(str, object)
    seed_locked = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.negative = QLineEdit(placeholderText="What to keep out")
        self.negative.textEdited.connect(lambda text: self.changed.emit("negative", text))
        self.steps = self._number("steps", "Steps", "More steps: finer, slower", 1, 150)
        self.guidance = self._number("guidance", "Guidance", "How closely the words are followed", 0, 30, 0.5, 1)
        self.count = self._number("count", "Count", "How many creations at once", 1, 64)
        self.size_box = QComboBox()
        self.size_box.setAccessibleName("Size")
        self.size_box.setToolTip("Side of the picture in pixels")
        self.size_box.addItem("Model’s own", 0)
        for side in SIZES:
            self.size_box.addItem(f"{side} px", side)
        self.size_box.activated.connect(lambda _: self.changed.emit("size", self.size_box.currentData()))
        self.size_box.installEventFilter(self)
        same = "The same seed and recipe give the same picture"
        self.seed = self._number("seed", "Seed", same, 0, MOST_SEED, buttons=False)
        self.lock = tool_button("unlock", "Keep the seed")
        self.lock.setCheckable(True)
        self.lock.clicked.connect(lambda: self.seed_locked.emit(self.lock.isChecked()))
        self.new_seed = tool_button("dice", "New seed", self._roll)
        self._lay_out()

    def _lay_out(self) -> None:
        seed = QHBoxLayout()
        seed.setSpacing(2)
        seed.addWidget(self.seed, 1)
        seed.addWidget(self.new_seed)
        seed.addWidget(self.lock)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, theme.UNIT, 0, 0)
        grid.setHorizontalSpacing(theme.UNIT * 2)
        grid.setVerticalSpacing(theme.UNIT)
        grid.setColumnStretch(1, 1)
        rows: tuple[tuple[str, QWidget, QWidget | QHBoxLayout], ...] = (
            ("Without", self.negative, self.negative),
            ("Count", self.count, self.count),
            ("Seed", self.seed, seed),
            ("Steps", self.steps, self.steps),
            ("Guidance", self.guidance, self.guidance),
            ("Size", self.size_box, self.size_box),
        )
        self.negative.setAccessibleName("Negative prompt")
        for row, (name, buddy, field) in enumerate(rows):
            label = QLabel(name)
            label.setProperty("quiet", True)
            label.setBuddy(buddy)
            grid.addWidget(label, row, 0)
            if isinstance(field, QWidget):
                grid.addWidget(field, row, 1)
            else:
                grid.addLayout(field, row, 1)

    def show_recipe(self, recipe: Recipe, seed_locked: bool) -> None:
        """Show a recipe's values without saying that they changed."""
        for widget, value in (
            (self.steps, recipe.steps),
            (self.guidance, recipe.guidance),
            (self.count, recipe.count),
            (self.seed, min(recipe.seed, MOST_SEED)),
        ):
            widget.set_value(value)
        if self.negative.text() != recipe.negative:
            self.negative.setText(recipe.negative)
        if self.size_box.findData(recipe.size) < 0:
            self.size_box.addItem(f"{recipe.size} px", recipe.size)
        self.size_box.setCurrentIndex(self.size_box.findData(recipe.size))
        self.lock.setChecked(seed_locked)
        self.lock.setIcon(theme.icon("lock" if seed_locked else "unlock"))
        name = "The seed is kept. Press for a new one each time." if seed_locked else "Keep the seed"
        self.lock.setAccessibleName(name)
        self.lock.setToolTip(name)

    def _number(
        self,
        field: str,
        name: str,
        tip: str,
        low: float,
        high: float,
        step: float = 1,
        decimals: int = 0,
        buttons: bool = True,
    ) -> NumberField:
        number = NumberField(name, tip, low, high, step, decimals, buttons)
        number.value_changed.connect(lambda value: self.changed.emit(field, value))
        return number

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # The wheel scrolls the composer; it changes only what was pressed before.
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False

    def _roll(self) -> None:
        self.changed.emit("seed", random.randrange(MOST_SEED))


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
        self._fold = QWidget()
        self._fold.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        inner = QVBoxLayout(self._fold)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(content, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self._fold)
        self._animation = QPropertyAnimation(self._fold, b"maximumHeight", self)
        self._animation.setDuration(UNFOLD_MS)
        self._animation.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._animation.finished.connect(self._settle)
        self._fold.setMaximumHeight(0)
        self._fold.hide()
        self._show_arrow(False)

    def set_reduced_motion(self, reduced: bool) -> None:
        """Unfold at once."""
        self._reduced = reduced

    def _unfold(self, open_: bool) -> None:
        self._show_arrow(open_)
        self._animation.stop()
        if open_:
            self._fold.show()
        height = self._content.sizeHint().height()
        self._animation.setStartValue(self._fold.height() if self._fold.isVisible() and not open_ else 0)
        self._animation.setEndValue(height if open_ else 0)
        if self._reduced or not self.isVisible():
            self._settle()
        else:
            self._animation.start()

    def _settle(self) -> None:
        open_ = self.button.isChecked()
        # Without a bound afterwards, so that larger fonts find room.
        self._fold.setMaximumHeight(16_777_215 if open_ else 0)
        self._fold.setVisible(open_)
        self.unfolded.emit(open_)

    def _show_arrow(self, open_: bool) -> None:
        self.button.setIcon(theme.icon("chevron-up" if open_ else "chevron-down"))
        self.button.setAccessibleDescription("unfolded" if open_ else "folded")
