"""The last page of the wizard: the pack that was learned, how well it does, and the way to mixing."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from engine.core.errors import UserError
from engine.core.match_rate import MatchRate
from engine.core.resemblance import LINE, Resemblance
from engine.packs.pack import Pack
from partcraft_desktop.app.learning.state import LearningState, PageError
from partcraft_desktop.widgets.controls import ShortLabel, push_button
from partcraft_desktop.widgets.text import amount, quiet
from partcraft_desktop.widgets.theme import UNIT
from partcraft_desktop.wizard.page import PageTools, WizardPage
from partcraft_desktop.wizard.picture_grid import PictureGrid, PictureStrip


class DonePage(WizardPage):
    """What the pack painted when it was tried, its match rate as a sentence, its references, and "Mix now"."""

    def __init__(self, tools: PageTools) -> None:
        learning = tools.learning
        super().__init__("Done", lambda: None)
        self._readers = tools.readers
        self._thumbnails = tools.thumbnails
        self._shown: tuple[object, ...] = ()
        self.title = ShortLabel()
        self.title.setProperty("title", True)
        self.contents = quiet()
        self.rate = quiet()
        self.rate.setToolTip("The share of requested parts that the pack's own eyes find in the mixes below")
        self.primary = self.mix = push_button("Mix now", learning.mix.learned, "render", "primary")
        self.another = push_button("Another vocabulary", learning.start_over)
        self.tried_title = quiet("Mixes it painted when it was tried")
        self.tried = PictureStrip(tools.thumbnails)
        self.tried.setAccessibleName("Mixes that the pack painted")
        self.tried.enlarged.connect(self.enlarge_wanted)
        self.grid_title = quiet("Pictures to take parts from")
        self.grid = PictureGrid(tools.thumbnails)
        self.grid.setAccessibleName("References of the pack")
        self.grid.enlarged.connect(self.enlarge_wanted)
        text_column = QVBoxLayout()
        text_column.setSpacing(4)
        text_column.addWidget(self.title)
        text_column.addWidget(self.contents)
        text_column.addWidget(self.rate)
        top = QHBoxLayout()
        top.setSpacing(UNIT)
        top.addLayout(text_column, 1)
        top.addWidget(self.another, 0, Qt.AlignmentFlag.AlignTop)
        top.addWidget(self.mix, 0, Qt.AlignmentFlag.AlignTop)
        self.column.addLayout(top)
        self.column.addWidget(self.tried_title)
        self.column.addWidget(self.tried)
        self.column.addWidget(self.grid_title)
        self.column.addWidget(self.grid, 1)

    def show_state(self, state: LearningState) -> None:
        """Repaint what changed."""
        run = state.run
        folder = run.pack if run is not None else ""
        self.mix.setEnabled(bool(folder))
        tried = run.tried if run is not None else ()
        self.tried.pictures.show(tried)
        for widget in (self.tried_title, self.tried, self.grid_title):
            widget.setVisible(bool(tried))
        # A run that went on has written its pack and its pictures anew, in the same places.
        shown = (folder, run.state, run.step) if run is not None else ()
        if shown == self._shown:
            return
        self._shown = shown
        for path in tried:
            self._thumbnails.forget(path)
        self.title.setText(_title(run.title, run.resemblance) if run else "")
        self.contents.setText("")
        self.rate.setText("")
        self.grid.pictures.show(())
        if not folder:
            return

        def opened() -> Pack | UserError:
            try:
                return Pack.open(folder)
            except UserError as error:
                return error

        def landed(pack: Any) -> None:
            if self._shown != shown:
                return
            if isinstance(pack, Pack):
                self._show_pack(pack)
            elif isinstance(pack, UserError):
                self.error_box.show_error(PageError(pack.message, pack.hint), can_retry=False)
                self.mix.setEnabled(False)

        self._readers.ask(opened, landed, self)

    def _show_pack(self, pack: Pack) -> None:
        self.error_box.show_error(None)
        resemblance = Resemblance.from_metrics(pack.metrics, pack.base_model.id)
        self.title.setText(_title(pack.title, resemblance))
        vocabulary = pack.vocabulary
        self.contents.setText(
            f"{amount(len(vocabulary.visible_parts), 'part')} with {amount(vocabulary.codes_per_part, 'code')} each, "
            f"and {amount(len(pack.references), 'picture')} to take them from."
        )
        self.rate.setText(report_text(MatchRate.from_metrics(pack.metrics), resemblance))
        self.rate.setVisible(bool(self.rate.text()))
        beside_the_point = resemblance is None or resemblance.resembles
        if self.rate.property("quiet") != beside_the_point:
            self.rate.setProperty("quiet", beside_the_point)
            self.rate.style().unpolish(self.rate)
            self.rate.style().polish(self.rate)
        self.grid.pictures.show([reference.thumbnail for reference in pack.references])


def _title(title: str, resemblance: Resemblance | None) -> str:
    unlike = resemblance is not None and not resemblance.resembles
    return f"“{title}” does not resemble its pictures" if unlike else f"“{title}” is ready"


def report_text(rate: MatchRate | None, resemblance: Resemblance | None) -> str:
    """How well a pack does, in sentences: its match rate and its resemblance, as far as they were measured. Of renders
    that do not resemble the pictures a match rate means nothing; then what to do next."""
    if resemblance is None:
        return match_rate_text(rate)
    if resemblance.advice:
        return f"{resemblance.advice} (Resemblance {resemblance.share:.2f} where likeness begins at {LINE:.2f}.)"
    return f"{match_rate_text(rate)} Resemblance {resemblance.words}.".strip()


def match_rate_text(rate: MatchRate | None) -> str:
    """The match rate of a pack as a sentence, with what may help where it is low; empty if it was not measured."""
    if rate is None:
        return ""
    low = rate.tier in ("hardly better", "better") or (rate.chance is None and rate.rate < 0.5)
    return f"Match rate {rate.words}." + (" Learning longer, or from more pictures, may help." if low else "")
