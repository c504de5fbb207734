"""What most people leave as it is: negative prompt, steps, guidance, seed, count and size, behind "More"."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QLabel, QLineEdit, QWidget

from engine.core.recipe import LIMITS, Recipe
from engine.packs.base_sizes import BaseSizes, size_warning
from partcraft_desktop.app.recipe_edits import random_seed
from partcraft_desktop.widgets import theme
from partcraft_desktop.widgets.controls import push_button, tool_button
from partcraft_desktop.widgets.number_field import NumberField


class RecipeSettings(QWidget):
    """``changed(name, value)`` for a field of Recipe; ``seed_locked(bool)``."""

    changed = Signal(str, object)
    seed_locked = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.negative = QLineEdit(placeholderText="What to keep out")
        self.negative.textEdited.connect(lambda text: self.changed.emit("negative", text))
        self.steps = self._number("steps", "Steps", "More steps: finer, slower", *LIMITS["steps"])
        self.guidance = self._number(
            "guidance", "Guidance", "How closely the words are followed", *LIMITS["guidance"], 0.5, 1
        )
        self.count = self._number("count", "Count", "How many creations at once", *LIMITS["count"])
        self.size_box = QComboBox()
        self.size_box.setAccessibleName("Size")
        self.size_box.setToolTip("Side of the picture in pixels")
        self._offered: tuple[BaseSizes, int] | None = None
        self.size_box.activated.connect(lambda _: self.changed.emit("size", self.size_box.currentData()))
        self.size_box.installEventFilter(self)
        same = "The same seed and recipe give the same picture"
        self.seed = self._number("seed", "Seed", same, *LIMITS["seed"], buttons=False)
        self.lock = tool_button("unlock", "Keep the seed")
        self.lock.setCheckable(True)
        self.lock.clicked.connect(lambda: self.seed_locked.emit(self.lock.isChecked()))
        self.add_on = push_button("Add a LoRA or embedding…", icon_name="plus", look="flat")
        self.add_on.setToolTip("Somebody else’s .safetensors, beside the pack. You can also drop it anywhere.")
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
        grid.addWidget(self.add_on, len(rows), 0, 1, 2, Qt.AlignmentFlag.AlignLeft)

    def show_recipe(self, recipe: Recipe, seed_locked: bool, sizes: BaseSizes) -> None:
        """Show a recipe's values without saying that they changed; ``sizes`` are those that are offered."""
        for widget, value in (
            (self.steps, recipe.steps),
            (self.guidance, recipe.guidance),
            (self.count, recipe.count),
            (self.seed, recipe.seed),
        ):
            widget.set_value(value)
        if self.negative.text() != recipe.negative:
            self.negative.setText(recipe.negative)
        self._offer(sizes, recipe.size)
        self.size_box.setCurrentIndex(self.size_box.findData(recipe.size))
        self.lock.setChecked(seed_locked)
        self.lock.setIcon(theme.icon("lock" if seed_locked else "unlock"))
        name = "The seed is kept. Press for a new one each time." if seed_locked else "Keep the seed"
        self.lock.setAccessibleName(name)
        self.lock.setToolTip(name)

    def _offer(self, sizes: BaseSizes, size: int) -> None:
        """Offer what the base model can paint, and the recipe's own size whatever it is."""
        if self._offered == (sizes, size):
            return
        self._offered = (sizes, size)
        self.size_box.clear()
        self.size_box.addItem(f"Model’s own, {sizes.own} px" if sizes.own else "Model’s own", 0)
        for side in sorted({side for side in sizes.sides if side != sizes.own} | {size} - {0}):
            self.size_box.addItem(f"{side} px", side)

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
        self.changed.emit("seed", random_seed())


class SizeNote(QWidget):
    """A quiet sentence about a size that the base model cannot paint, and the way to the nearest that it can:
    ``size_asked(size)``. Not seen where all is well."""

    size_asked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = QLabel(wordWrap=True)
        self.text.setProperty("quiet", True)
        self.use = push_button("", lambda: self.size_asked.emit(self._size), look="flat")
        self._size = 0
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.UNIT)
        row.addWidget(self.text, 1)
        row.addWidget(self.use)
        self.hide()

    def show_size(self, size: int, sizes: BaseSizes) -> None:
        """Say what is wrong with a recipe's size, or nothing."""
        warning = size_warning(sizes, size)
        self._size = sizes.nearest(size)
        self.text.setText(warning)
        self.use.setText(f"Use {self._size or sizes.own} px")
        self.use.setAccessibleName(self.use.text())
        self.setVisible(bool(warning))
