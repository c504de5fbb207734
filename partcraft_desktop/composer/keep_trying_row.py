"""Keep trying: whether further seeds are rendered until all parts arrive, and how many; above Render."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from partcraft_desktop.widgets.controls import CheckBox
from partcraft_desktop.widgets.theme import UNIT

BUDGETS: Final = (2, 4, 8, 16)
"""How many tries are offered."""
FIRST_BUDGET: Final = 4


class KeepTryingRow(QWidget):
    """A switch and a budget: ``tries_changed(int)``, 1 where it is off."""

    tries_changed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._budget = FIRST_BUDGET
        self.switch = CheckBox("Keep trying")
        self.switch.setAccessibleName("Keep trying until all parts arrive")
        self.switch.setToolTip("Render further seeds until all parts arrive, and keep the best")
        self.switch.clicked.connect(lambda on: self.tries_changed.emit(self._budget if on else 1))
        self.budget = QComboBox()
        self.budget.setAccessibleName("How many tries at most")
        self.budget.setToolTip("So many pictures are tried at most; the best is kept")
        self.budget.activated.connect(lambda _: self.tries_changed.emit(self.budget.currentData()))
        self.budget.installEventFilter(self)
        policy = self.budget.sizePolicy()
        policy.setRetainSizeWhenHidden(True)  # Render stays where it is when the switch is pressed
        self.budget.setSizePolicy(policy)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(UNIT)
        row.addWidget(self.switch)
        row.addStretch(1)
        row.addWidget(self.budget)
        self._offer(FIRST_BUDGET)

    def show_tries(self, tries: int, possible: bool) -> None:
        """Show how many tries a recipe has; nothing where no part is chosen that could be missing (``possible``)."""
        self.setVisible(possible)
        self.switch.setChecked(tries > 1)
        self.budget.setVisible(tries > 1)
        if tries > 1:
            self._budget = tries
        self._offer(self._budget)

    def _offer(self, budget: int) -> None:
        """Offer the usual budgets, and the recipe's own whatever it is."""
        wanted = sorted({*BUDGETS, budget})
        if wanted != [self.budget.itemData(index) for index in range(self.budget.count())]:
            self.budget.clear()
            for number in wanted:
                self.budget.addItem(f"up to {number}", number)
        self.budget.setCurrentIndex(self.budget.findData(budget))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # The wheel changes only what was pressed before.
        if event.type() == QEvent.Type.Wheel and not self.budget.hasFocus():
            event.ignore()
            return True
        return False
