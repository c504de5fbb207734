"""The wizard: from a folder of pictures to a pack, in five pages. It assembles only; the verbs are in learning.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.learning.draft import PAGES, Page
from partcraft_desktop.app.learning.state import LearningState, PageError
from partcraft_desktop.app.messages import Message
from partcraft_desktop.app.session import Session
from partcraft_desktop.widgets.controls import ShortLabel, hairline, push_button, tool_button
from partcraft_desktop.widgets.theme import UNIT
from partcraft_desktop.widgets.thumbnails import Thumbnails
from partcraft_desktop.wizard.done_page import DonePage
from partcraft_desktop.wizard.page import WizardPage
from partcraft_desktop.wizard.parts_page import PartsPage
from partcraft_desktop.wizard.pictures_page import PicturesPage
from partcraft_desktop.wizard.plan_page import PlanPage
from partcraft_desktop.wizard.step_bar import StepBar
from partcraft_desktop.wizard.training_page import TrainingPage

CLOCK_MS: Final = 1000

NEXT: Final[dict[Page, str]] = {
    "pictures": "Find parts", "parts": "Plan", "plan": "Start learning", "learning": "Done", "done": "",
}  # fmt: skip


class TrainingWizard(QWidget):
    """``folder_wanted()``: choose a folder; ``enlarge_wanted(path)``: show a picture large;
    ``details_wanted(Message)``: show what a report would need."""

    folder_wanted = Signal()
    enlarge_wanted = Signal(str)
    details_wanted = Signal(object)

    def __init__(
        self, session: Session, readers: BackgroundReader, thumbnails: Thumbnails, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._now: LearningState | None = None
        self.setAccessibleName("New vocabulary")
        learning = session.learning
        self.steps = StepBar()
        self.steps.wanted.connect(learning.go)
        self.pictures = PicturesPage(learning, thumbnails)
        self.parts = PartsPage(learning, readers)
        self.plan = PlanPage(learning)
        self.learning = TrainingPage(learning, readers, thumbnails)
        self.done = DonePage(learning, readers, thumbnails)
        self.pages: dict[Page, WizardPage] = {
            "pictures": self.pictures,
            "parts": self.parts,
            "plan": self.plan,
            "learning": self.learning,
            "done": self.done,
        }
        self.stack = QStackedWidget()
        for page in self.pages.values():
            page.details_wanted.connect(self._show_details)
            self.stack.addWidget(page)
        self.pictures.folder_wanted.connect(self.folder_wanted)
        for page in (self.pictures, self.learning, self.done):
            page.enlarge_wanted.connect(self.enlarge_wanted)

        self.leave = push_button("Back to mixing", learning.hide, "chevron-left", "flat")
        self.leave.setToolTip("Everything stays as it is here, and learning goes on (Esc)")
        self.undo = tool_button("undo", "Undo", learning.undo, "Ctrl+Z")
        self.redo = tool_button("redo", "Redo", learning.redo, "Ctrl+Shift+Z")
        self.again = push_button("Start over", learning.start_over, look="flat")
        self.back = push_button("Back", learning.back, "chevron-left")
        self.why = ShortLabel(quiet=True)
        self.why.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.next = push_button("", learning.next, look="primary")
        for keys, run in (("Ctrl+Return", self._go_on), ("Alt+Right", self._go_on), ("Alt+Left", learning.back)):
            self._key(keys, run)
        self._key("Esc", learning.hide)
        self._lay_out()
        # Time that is left runs down also while nothing is said.
        self._clock = QTimer(self, interval=CLOCK_MS)
        self._clock.timeout.connect(self._show_page)
        session.changed.connect(self.show_state)
        self.show_state()

    def _key(self, keys: str, run: Callable[[], object]) -> None:
        shortcut = QShortcut(QKeySequence(keys), self, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(lambda: run())

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(UNIT, UNIT, UNIT, UNIT)
        head.setSpacing(UNIT // 2)
        left, right = QWidget(), QWidget()
        for side, widgets in ((left, (self.leave,)), (right, (self.undo, self.redo))):
            row = QHBoxLayout(side)
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(UNIT // 2)
            if side is right:
                row.addStretch(1)
            for widget in widgets:
                row.addWidget(widget)
            if side is left:
                row.addStretch(1)
            # Both sides as wide as each other, so that the steps stand in the middle.
            side.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            side.setMinimumWidth(150)
        head.addWidget(left, 1)
        head.addWidget(self.steps)
        head.addWidget(right, 1)
        foot = QHBoxLayout()
        foot.setContentsMargins(3 * UNIT, UNIT, 3 * UNIT, UNIT + 4)
        foot.setSpacing(UNIT)
        foot.addWidget(self.back)
        foot.addWidget(self.again)
        foot.addWidget(self.why, 1)
        foot.addWidget(self.next)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.stack, 1)
        column.addWidget(hairline())
        column.addLayout(foot)

    def show_state(self) -> None:
        """Repaint what changed."""
        now = self._session.state.learning
        if now is self._now or not (now.shown or self.isVisible()):
            return
        before, self._now = self._now, now
        page = now.draft.page
        self.steps.show_state(now)
        moved = before is None or before.draft.page != page
        self.stack.setCurrentWidget(self.pages[page])
        self._show_page()
        on_parts = page == "parts" and not now.draft.extends
        for button, can in ((self.undo, now.can_undo), (self.redo, now.can_redo)):
            button.setVisible(on_parts)
            button.setEnabled(can)
        self.back.setVisible(PAGES.index(page) > 0)
        self.again.setVisible(not now.draft.empty)
        self.next.setVisible(bool(NEXT[page]))
        self.next.setText(NEXT[page])
        self.next.setAccessibleName(NEXT[page])
        self.next.setEnabled(self._can_go_on(now))
        self.why.setText(_why_not(now))
        if now.doing or now.alive:
            self._clock.start()
        else:
            self._clock.stop()
        if moved and self.isVisible():
            self.focus_page()

    def _show_page(self) -> None:
        now = self._session.state.learning
        self.pages[now.draft.page].show_state(now)

    def _can_go_on(self, now: LearningState) -> bool:
        page = now.draft.page
        if page == "plan":
            return now.reached("plan") and "start" not in now.doing
        at = PAGES.index(page)
        return at + 1 < len(PAGES) and now.reached(PAGES[at + 1])

    def _go_on(self) -> None:
        button = self.done.mix if self.done.isVisible() else self.next
        if button.isVisible() and button.isEnabled():
            button.click()

    def focus_page(self) -> None:
        """Let the keyboard begin at the page: its first thing is one Tab away, and nothing is pressed by accident."""
        page = self._session.state.learning.draft.page
        (self.done.mix if page == "done" else self.pages[page]).setFocus()

    def _show_details(self, trouble: PageError) -> None:
        self.details_wanted.emit(Message(trouble.message, trouble.hint, "error", None, trouble.details))


def _why_not(now: LearningState) -> str:
    """Why the next page cannot be gone to yet, where that is not plain to see."""
    page = now.draft.page
    if page == "pictures" and now.surveyed is not None and not now.surveyed.pictures:
        return "No picture here can be used."
    if page == "parts" and now.found is not None and all(part.dropped for part in now.draft.sorting.parts):
        return "Keep one part at least."
    return ""
