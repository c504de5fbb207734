"""The wizard: from a folder of pictures to a pack, page by page. It assembles only: the verbs are in
:mod:`partcraft_desktop.app.learning.controller`, and what the pages are is said in its ``pages`` beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.learning.pages import PageKey, can_go_on, page_before, page_keys, page_of
from partcraft_desktop.app.learning.state import LearningState, PageError
from partcraft_desktop.app.messages import Message
from partcraft_desktop.app.session import Session
from partcraft_desktop.widgets.controls import ShortLabel, hairline, push_button, tool_button
from partcraft_desktop.widgets.theme import UNIT
from partcraft_desktop.widgets.thumbnails import Thumbnails
from partcraft_desktop.wizard.done_page import DonePage
from partcraft_desktop.wizard.page import PageTools, WizardPage
from partcraft_desktop.wizard.parts_page import PartsPage
from partcraft_desktop.wizard.pictures_page import PicturesPage
from partcraft_desktop.wizard.plan_page import PlanPage
from partcraft_desktop.wizard.step_bar import StepBar
from partcraft_desktop.wizard.training_page import TrainingPage

CLOCK_MS: Final = 1000
WHAT_TRAINING_ADDS: Final = (
    "Teach a base model these parts, so that it paints creatures anew and in other poses. Mixing needs no training."
)

WIDGETS: Final[dict[PageKey, Callable[[PageTools], WizardPage]]] = {
    "pictures": PicturesPage,
    "parts": PartsPage,
    "plan": PlanPage,
    "learning": TrainingPage,
    "done": DonePage,
}
"""The widget of each page of ``app.learning.pages``."""

PageT = TypeVar("PageT", bound=WizardPage)


class TrainingWizard(QWidget):
    """``folder_wanted()``: choose a folder; ``enlarge_wanted(path)``: show a picture large;
    ``details_wanted(Message)``: show what a report would need."""

    folder_wanted = Signal()
    enlarge_wanted = Signal(object)
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
        tools = PageTools(learning, readers, thumbnails)
        self.pages: dict[PageKey, WizardPage] = {key: WIDGETS[key](tools) for key in page_keys()}
        self.stack = QStackedWidget(self)
        for page in self.pages.values():
            page.details_wanted.connect(self._show_details)
            page.folder_wanted.connect(self.folder_wanted)
            page.enlarge_wanted.connect(self.enlarge_wanted)
            page.model_wanted.connect(session.model_wanted)
            self.stack.addWidget(page)

        self.leave = push_button("Back to mixing", learning.hide, "chevron-left", "flat")
        self.leave.setToolTip("Everything stays as it is here, and learning goes on (Esc)")
        self.undo = tool_button("undo", "Undo", learning.parts.undo, "Ctrl+Z")
        self.redo = tool_button("redo", "Redo", learning.parts.redo, "Ctrl+Shift+Z")
        self.again = push_button("Start over", learning.start_over, look="flat")
        self.back = push_button("Back", learning.back, "chevron-left")
        self.why = ShortLabel(quiet=True)
        self.why.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.mix = push_button("Mix now", learning.mix.found, "render", "primary")
        self.mix.setToolTip("Make these parts a pack: every picture can be clicked, and nothing is trained")
        self.next = push_button("", learning.next, look="primary")
        for keys, run in (("Ctrl+Return", self._go_on), ("Alt+Right", self.next.click), ("Alt+Left", learning.back)):
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
        left, right = QWidget(self), QWidget(self)
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
            # Both sides as wide as each other where there is room, so that the steps stand in the middle.
            side.setMinimumWidth(sum(widget.sizeHint().width() for widget in widgets) + UNIT)
            side.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
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
        foot.addWidget(self.mix)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.stack, 1)
        column.addWidget(hairline())
        column.addLayout(foot)

    def page(self, kind: type[PageT]) -> PageT:
        """The page of a class. Raises ``LookupError`` if there is none."""
        for page in self.pages.values():
            if isinstance(page, kind):
                return page
        raise LookupError(kind.__name__)

    def show_state(self) -> None:
        """Repaint what changed."""
        state = self._session.state.learning
        if state is self._now or not (state.shown or self.isVisible()):
            return
        before, self._now = self._now, state
        page = state.draft.page
        self.steps.show_state(state)
        moved = before is None or before.draft.page != page
        self.stack.setCurrentWidget(self.pages[page])
        self._show_page()
        on_parts = page == "parts" and (not state.draft.extends or state.can_undo or state.can_redo)
        for button, can in ((self.undo, state.can_undo), (self.redo, state.can_redo)):
            button.setVisible(on_parts)
            button.setEnabled(can)
        self.back.setVisible(page_before(page) is not None)
        self.again.setVisible(not state.draft.empty)
        spec = page_of(page)
        self.next.setVisible(bool(spec.next_text))
        self.next.setText(spec.next_text)
        self.next.setAccessibleName(spec.next_text)
        self.next.setEnabled(can_go_on(state, page))
        mixes = not state.draft.extends and (page == "parts" or (page == "plan" and not state.base_fits))
        self.mix.setVisible(mixes)
        self.mix.setEnabled(state.sorted and "mix" not in state.jobs)
        self.next.setToolTip(WHAT_TRAINING_ADDS if page == "parts" else "")
        if self.next.property("primary") == mixes:
            # One thing to press on each page.
            self.next.setProperty("primary", not mixes)
            self.next.style().unpolish(self.next)
            self.next.style().polish(self.next)
        self.why.setText(spec.why_incomplete(state))
        if state.jobs or state.alive:
            self._clock.start()
        else:
            self._clock.stop()
        if moved and self.isVisible():
            self.focus_page()

    @property
    def _open_page(self) -> WizardPage:
        return self.pages[self._session.state.learning.draft.page]

    def _show_page(self) -> None:
        self._open_page.show_state(self._session.state.learning)

    def _go_on(self) -> None:
        button = self._open_page.primary or (self.mix if self.mix.isVisible() else self.next)
        if button.isVisible() and button.isEnabled():
            button.click()

    def focus_page(self) -> None:
        """Let the keyboard begin at the page: its first thing is one Tab away, and nothing is pressed by accident."""
        page = self._open_page
        (page.primary or page).setFocus()

    def _show_details(self, error: PageError) -> None:
        self.details_wanted.emit(Message(error.message, error.hint, "error", None, error.details))
