"""The fourth page of the wizard: a training at work, or at rest."""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from engine.core.durations import duration
from engine.core.errors import UserError
from engine.core.part_looks import part_sign, shown_parts
from engine.packs.pack import Pack
from engine.runs.run import Run
from partcraft_desktop.app.learning.state import LearningState, PageError
from partcraft_desktop.widgets.controls import ShortLabel, push_button
from partcraft_desktop.widgets.progress import ProgressBar
from partcraft_desktop.widgets.text import quiet
from partcraft_desktop.widgets.theme import UNIT
from partcraft_desktop.wizard.loss_plot import LossPlot
from partcraft_desktop.wizard.page import PageTools, WizardPage
from partcraft_desktop.wizard.sample_grid import WHOLE, SampleGrid, SampleRow

STATES: Final = {
    "ready": "Not started yet",
    "paused": "Paused",
    "stopped": "Stopped",
    "failed": "Stopped by a problem",
    "lost": "Interrupted",
    "finished": "Learned",
}
AWAITED: Final = "The first sample pictures come after some steps."


class TrainingPage(WizardPage):
    """What it is doing and how long yet, its losses at the left, its sample pictures at the right."""

    def __init__(self, tools: PageTools) -> None:
        learning = tools.learning
        super().__init__("Learning", learning.resume)
        self._learning = learning
        self._readers = tools.readers
        self._rows_of = ""
        self._rows: tuple[SampleRow, ...] = (SampleRow(WHOLE, "Whole"),)
        self._run: Run | None = None
        self.title = ShortLabel()
        self.title.setProperty("title", True)
        self.doing = ShortLabel(quiet=True)
        self.bar = ProgressBar()
        self.pause = push_button("Pause", learning.pause)
        self.pause.setToolTip("Rest; it can go on later from where it was, also after the computer was off")
        self.stop = push_button("Stop and keep", learning.stop)
        self.stop.setToolTip("End here and make the pack from what was learned so far")
        self.resume = push_button("Go on", learning.resume, look="primary")
        self.discard = push_button("Discard", self._discard, look="flat")
        self.discard.setToolTip("Move this training to the trash")
        self.plot = LossPlot()
        self.grid = SampleGrid(tools.thumbnails)
        self.grid.enlarged.connect(self.enlarge_wanted)
        self.no_samples = quiet(AWAITED)
        self.no_samples.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.away = quiet("You can close this page, or the window: learning goes on, and is found here again.")
        self._lay_out()

    def _lay_out(self) -> None:
        text_column = QVBoxLayout()
        text_column.setSpacing(2)
        text_column.addWidget(self.title)
        text_column.addWidget(self.doing)
        top = QHBoxLayout()
        top.setSpacing(UNIT)
        top.addLayout(text_column, 1)
        for button in (self.discard, self.pause, self.stop, self.resume):
            top.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        samples = QWidget()
        below = QVBoxLayout(samples)
        below.setContentsMargins(0, 0, 0, 0)
        below.addWidget(self.grid, 1)
        below.addWidget(self.no_samples, 1)
        self.split = QSplitter(Qt.Orientation.Horizontal, childrenCollapsible=False)
        self.split.addWidget(self.plot)
        self.split.addWidget(samples)
        self.split.setHandleWidth(3 * UNIT)
        self.split.setSizes([420, 640])
        self.column.addLayout(top)
        self.column.addWidget(self.bar)
        self.column.addWidget(self.split, 1)
        self.column.addWidget(self.away)

    def show_state(self, state: LearningState) -> None:
        """Repaint what changed."""
        run = state.run
        self._run = run
        self.error_box.show_error(self._error_of(state, run), can_retry=False)
        if run is None:
            self.title.setText("No training is here")
            self.doing.setText("It was discarded, or its folder was moved.")
            for widget in (self.pause, self.stop, self.resume, self.discard, self.away):
                widget.hide()
            return
        alive = run.state == "running"
        wish = state.wishes.get(run.folder)
        self.title.setText(f"Learning “{run.title}”")
        self.doing.setText(run_text(run, wish))
        self.bar.show_share(run_share(run), self.doing.text())
        self.pause.setVisible(alive)
        self.stop.setVisible(alive or (run.state in ("paused", "failed", "lost") and run.step > 0))
        for button in (self.pause, self.stop, self.resume, self.discard):
            button.setEnabled(wish is None)
        self.resume.setVisible(run.state in ("ready", "paused", "stopped", "failed", "lost"))
        self.discard.setVisible(not alive)
        self.away.setVisible(alive)
        self.plot.show_losses(run.losses, run.steps)
        self._find_rows(run)
        self.grid.show_samples(self._rows, run.samples)
        self.grid.setVisible(bool(run.samples))
        self.no_samples.setVisible(not run.samples)
        self.no_samples.setText(AWAITED if alive else "No sample pictures were painted.")

    def _error_of(self, state: LearningState, run: Run | None) -> PageError | None:
        if "learning" in state.errors:
            return state.errors["learning"]
        if run is not None and run.state in ("failed", "lost"):
            return PageError(run.message or "The training ended without a word.", run.hint or "Go on with it.")
        return None

    def _find_rows(self, run: Run) -> None:
        """The names and colours of the run's parts, from the pack that it learns."""
        pack = run.plan.pack if run.plan else ""
        if pack == self._rows_of:
            return
        self._rows_of = pack

        def landed(result: Any) -> None:
            # A pack that was moved: the samples keep their numbers.
            if isinstance(result, Pack) and self._rows_of == pack:
                vocabulary = result.vocabulary
                self._rows = (
                    SampleRow(WHOLE, "Whole"),
                    *(
                        SampleRow(part.index, part.name, part.colour, part_sign(vocabulary, part.index))
                        for part in shown_parts(vocabulary)
                    ),
                )
                if self._run is not None:
                    self.grid.show_samples(self._rows, self._run.samples)

        def opened() -> Pack | None:
            try:
                return Pack.open(pack)
            except UserError:
                return None

        self._rows = (SampleRow(WHOLE, "Whole"), *(SampleRow(part, f"part {part + 1}") for part in range(16)))
        self._readers.ask(opened, landed, self)

    def _discard(self) -> None:
        if self._run is not None:
            self._learning.discard(self._run.folder)


def run_share(run: Run) -> float:
    """How far a training is, 0 to 1."""
    return 1.0 if run.state == "finished" else run.step / run.steps if run.steps else 0.0


def run_text(run: Run, wish: str | None = None) -> str:
    """What a training does and how long yet, in a few words."""
    if wish == "resume":
        return "Going on…"
    if run.state != "running":
        text = STATES.get(run.state, run.state)
        if run.state in ("paused", "stopped", "failed", "lost") and run.steps:
            text += f" at step {run.step:,} of {run.steps:,}"
        if run.state == "stopped" and run.pack:
            text += "; what was learned is a pack"
        if run.advice:
            text += f". {run.advice}".removesuffix(".")
        elif run.match_rate is not None:
            text += f". Match rate {run.match_rate.words}"
        return text
    if wish:
        return "Pausing after this step…" if wish == "pause" else "Stopping; the pack is written…"
    text = run.stage or "Starting"
    if run.total:
        text += f", {run.done:,} of {run.total:,}"
    if run.seconds_left is not None and run.seconds_left >= 1:
        text += f", {duration(run.seconds_left)} left"
    return text
