"""The second page of the wizard: the parts that were found, on a wall of pictures and as a list to change."""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QSlider, QVBoxLayout, QWidget

from engine.worker.jobs import SeenPicture
from partcraft_desktop.app.learning.part_sorting import MOST_PARTS
from partcraft_desktop.app.learning.state import LearningState
from partcraft_desktop.widgets.controls import push_button
from partcraft_desktop.widgets.progress import JobProgressLine
from partcraft_desktop.widgets.text import amount, quiet
from partcraft_desktop.widgets.theme import UNIT
from partcraft_desktop.wizard.eyes_choice import EyesChoice
from partcraft_desktop.wizard.page import PageTools, WizardPage
from partcraft_desktop.wizard.part_list import PartList
from partcraft_desktop.wizard.parts_wall import PartsWall
from partcraft_desktop.wizard.picture_brush import PictureBrush

SIDE: Final = 304
LOOKING: Final = 420
QUIET_FOR_MS: Final = 400
"""What is done within this time needs no sign of waiting."""


def edits_text(state: LearningState) -> str:
    """What a person corrected in pictures, in a sentence or two; empty if nothing."""
    sorting = state.draft.sorting
    sentences = []
    corrected = len({stroke.picture for stroke in sorting.strokes})
    if corrected:
        sentences.append(f"{amount(corrected, 'picture')} corrected by hand; the others follow.")
    if sorting.left_out:
        sentences.append(f"{amount(len(sorting.left_out), 'picture')} left out: nothing is learned there.")
    if sorting.partless:
        sentences.append(
            f"{amount(sorting.partless, 'stroke')} of parts that are not there now: no background, that is all."
        )
    return " ".join(sentences)


class PartsPage(WizardPage):
    """The wall at the left, the list at the right."""

    def __init__(self, tools: PageTools) -> None:
        learning = tools.learning
        super().__init__("Parts", lambda: learning.dismiss("parts"))
        self._editor = learning.parts
        self._now = LearningState()
        self.wall = PartsWall(tools.readers)
        self.brush = PictureBrush(tools.readers)
        self.edits = quiet()
        self.list = PartList()
        self.eyes = EyesChoice(learning.parts)
        self.eyes.doing.cancelled.connect(lambda: learning.cancel("eyes"))
        self.doing = JobProgressLine()
        self.doing.cancelled.connect(lambda: learning.cancel("mix" if "mix" in self._now.jobs else "parts"))
        self.count = QLabel()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(1, MOST_PARTS)
        self.slider.setValue(5)
        self.slider.setPageStep(1)
        self.slider.setAccessibleName("Number of parts to look for")
        self.slider.setTickPosition(QSlider.TickPosition.NoTicks)
        self.slider.valueChanged.connect(self._slide)
        self.suggestion: QPushButton = push_button("Use the suggestion", self._take_suggestion, look="flat")
        self.reason = quiet()
        self.note = quiet()
        self.flip = push_button("Flip background", learning.parts.flip_background)
        self.flip.setToolTip("Take what is now the background for the thing, and the thing for the background")
        self.merge = push_button("Merge", self._merge)
        self.merge.setToolTip("Make the selected parts one; you can also drag one onto another")
        self.drop = push_button("Drop", self._drop)
        self.drop.setToolTip("Let the selected parts belong to the background; captions never say them")
        self.alike = push_button("Merge what looks alike", self._merge_alike, look="flat")
        self.hint = quiet()
        self._late = QTimer(self, singleShot=True, interval=QUIET_FOR_MS)
        self._late.timeout.connect(self._show_progress)
        self._lay_out()
        self._wire()

    def _lay_out(self) -> None:
        for button in (self.suggestion, self.alike):
            button.setStyleSheet("text-align: left; padding: 4px 8px; color: palette(highlight);")
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.beside = QWidget()
        self.beside.setFixedWidth(SIDE)
        side = QVBoxLayout(self.beside)
        side.setContentsMargins(0, 0, 0, 0)
        side.setSpacing(UNIT // 2)
        side.addWidget(self.count)
        side.addWidget(self.slider)
        side.addWidget(self.reason)
        side.addWidget(self.suggestion)
        side.addSpacing(UNIT)
        side.addWidget(self.list, 1)
        side.addWidget(self.hint)
        side.addWidget(self.alike)
        buttons = QHBoxLayout()
        buttons.setSpacing(UNIT)
        buttons.addWidget(self.merge)
        buttons.addWidget(self.drop)
        buttons.addStretch(1)
        buttons.addWidget(self.flip)
        side.addLayout(buttons)
        body = QHBoxLayout()
        body.setSpacing(3 * UNIT)
        self.left = QVBoxLayout()
        self.left.setSpacing(UNIT)
        self.left.addWidget(self.wall, 1)
        self.left.addWidget(self.brush, 1)
        self.doing.setMaximumWidth(LOOKING)
        self.left.addWidget(self.doing)
        self.left.addWidget(self.edits)
        self.left.addWidget(self.note)
        body.addLayout(self.left, 1)
        body.addWidget(self.beside)
        self.column.addWidget(self.eyes)
        self.column.addLayout(body, 1)

    def _wire(self) -> None:
        editor = self._editor
        self.wall.pointed.connect(self._light)
        self.list.pointed.connect(self._light)
        self.wall.pressed.connect(lambda part: self.list.setCurrentIndex(self.list.parts.index(part)))
        self.wall.opened.connect(self._open_picture)
        self.wall.left_out.connect(editor.leave_out)
        self.brush.painted.connect(self._paint)
        self.brush.undone.connect(editor.undo)
        self.brush.done.connect(self._put_brush_down)
        self.list.chosen.connect(self._choose_for_brush)
        self.list.parts.named.connect(self._name)
        self.list.parts.merged.connect(editor.merge)
        self.list.recoloured.connect(editor.recolour)
        self.list.split_wanted.connect(editor.split)
        self.list.drop_wanted.connect(lambda part: editor.drop(part, not self._parts[part].dropped))
        self.list.chosen.connect(self._choose)

    @property
    def _parts(self) -> tuple[Any, ...]:
        return self._now.draft.sorting.parts

    def show_state(self, state: LearningState) -> None:
        """Repaint what changed."""
        before, self._now = self._now, state
        self.error_box.show_error(state.errors.get("parts"))
        self.eyes.show_state(state)
        if "parts" not in state.jobs or "mix" in state.jobs:
            self._late.stop()
            self._show_progress()
        elif self.doing.isVisible() or not state.wall:
            self._show_progress()
        elif not self._late.isActive():
            self._late.start()
        # What was found holds arrays, which are not compared: another find is another object.
        same = before.parts_found is state.parts_found and before.wall is state.wall
        if same and (before.draft, before.extendable) == (state.draft, state.extendable):
            return
        sorting, parts_found = state.draft.sorting, state.parts_found
        # Before anything was found there is nothing to change: only how far the looking is, in the middle.
        self.beside.setVisible(parts_found is not None)
        self._show_brush(state)
        self.wall.setVisible(parts_found is not None and not self.brush.picture)
        self.doing.setMaximumWidth(LOOKING if parts_found is None else 16_777_215)
        fixed = bool(state.draft.extends)
        # The order of the shares is that of what was found; between two finds there are none.
        fits = parts_found is not None and tuple(part.members for part in sorting.parts) == parts_found.members
        # While others are looked for, these are about to go: a name that is typed now would be lost.
        self.list.parts.show(
            sorting.parts, parts_found.shares if parts_found and fits else (), fixed or not sorting.settled
        )
        self.wall.show_wall(state.wall, sorting.parts)
        self.edits.setText(edits_text(state))
        self.edits.setVisible(bool(self.edits.text()) and not self.brush.picture)
        dropped = sum(part.dropped for part in sorting.parts)
        count = amount(len(sorting.parts) - dropped, "part") if sorting.parts else "Parts"
        self.count.setText(count + (f", {dropped} dropped" if dropped else ""))
        clusters = sorting.clusters or (parts_found.suggested if parts_found else 0)
        if clusters and not self.slider.isSliderDown():
            self.slider.blockSignals(True)
            self.slider.setValue(clusters)
            self.slider.blockSignals(False)
        pack = state.extended
        for widget in (self.slider, self.flip, self.merge, self.drop):
            widget.setVisible(not fixed)
            widget.setEnabled(parts_found is not None)
        self.reason.setText(
            f"The parts are those of “{pack.title}”." if pack else parts_found.reason if parts_found else ""
        )
        self.reason.setVisible(bool(self.reason.text()))
        suggests = parts_found is not None and not fixed and parts_found.suggested not in (0, clusters)
        self.suggestion.setVisible(suggests)
        if suggests and parts_found is not None:
            self.suggestion.setText(f"Use the suggested {parts_found.suggested}")
            self.suggestion.setAccessibleName(self.suggestion.text())
        self._show_alike(state)
        waiting = ", ".join(f"“{name}”" for name in sorting.waiting)
        self.hint.setText(f"Kept for later: {waiting}." if waiting else "")
        self.hint.setVisible(bool(waiting))
        self.note.setText(parts_found.note if parts_found else "")
        self.note.setVisible(bool(parts_found and parts_found.note))
        self._choose()

    def _show_alike(self, state: LearningState) -> None:
        parts_found, parts = state.parts_found, state.draft.sorting.parts
        pair = next(iter(parts_found.alike), None) if parts_found and state.draft.sorting.settled else None
        # What was found may be finer than the list while a merge is on its way.
        fits = (
            pair is not None
            and parts_found is not None
            and tuple(part.members for part in parts) == parts_found.members
        )
        self.alike.setVisible(bool(fits) and not state.draft.extends)
        if fits and pair is not None:
            self.alike.setText(f"“{parts[pair[0]].name}” and “{parts[pair[1]].name}” look alike: merge them")
            self.alike.setAccessibleName(self.alike.text())
            self.alike.setToolTip(self.alike.text())

    def _show_progress(self) -> None:
        self.doing.show_progress(self._now.jobs.get("mix") or self._now.jobs.get("parts"))

    # Correcting one picture

    def _seen(self, picture: str) -> SeenPicture | None:
        return next((seen for seen in self._now.wall if seen.picture == picture), None)

    def _open_picture(self, picture: str) -> None:
        seen = self._seen(picture)
        if seen is not None and self._now.draft.sorting.settled:
            self._editor.hold(True)
            rows = self.list.selected()
            self.brush.undo.setEnabled(self._now.can_undo)
            self.brush.open(seen, self._parts, rows[0] if rows else None)
            self.wall.hide()
            self.edits.hide()

    def _show_brush(self, state: LearningState) -> None:
        """Show the open picture as it is now; put the brush down where other parts are looked for."""
        if not self.brush.picture:
            return
        seen = self._seen(self.brush.picture)
        if seen is None or seen.left_out or not state.draft.sorting.settled or state.draft.page != "parts":
            self._put_brush_down()
        else:
            self.brush.undo.setEnabled(state.can_undo)
            self.brush.show_parts(seen, state.draft.sorting.parts)

    def _paint(self, part: int | None, points: Any, radius: Any) -> None:
        self._editor.paint(self.brush.picture, part, points, radius)

    def _choose_for_brush(self) -> None:
        rows = self.list.selected()
        if self.brush.picture and rows:
            self.brush.choose(rows[0])

    def _put_brush_down(self) -> None:
        with_keys = self.brush.isAncestorOf(QApplication.focusWidget() or self)
        self.brush.close_picture()
        self.wall.setVisible(self._now.parts_found is not None)
        self.edits.setVisible(bool(self.edits.text()))
        if with_keys:
            self.wall.canvas.setFocus()
        # Not at once: this may be while another state is being shown, and looking again makes a new one.
        QTimer.singleShot(0, self, lambda: self._editor.hold(bool(self.brush.picture)))

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if self.brush.picture:
            self._put_brush_down()

    def _light(self, part: int | None) -> None:
        self.wall.light(part)
        self.list.light(part)

    def _slide(self, value: int) -> None:
        self._editor.set_clusters(value)

    def _take_suggestion(self) -> None:
        if self._now.parts_found is not None:
            self._editor.set_clusters(self._now.parts_found.suggested)

    def _choose(self) -> None:
        selected = self.list.selected()
        self.merge.setEnabled(len(selected) > 1)
        self.drop.setEnabled(bool(selected))
        back = bool(selected) and all(self._parts[row].dropped for row in selected if row < len(self._parts))
        self.drop.setText("Take back" if back else "Drop")
        self.drop.setAccessibleName(self.drop.text())

    def _merge(self) -> None:
        rows = self.list.selected()
        # From the last, so that the rows before keep their numbers.
        for row in reversed(rows[1:]):
            self._editor.merge(rows[0], row)

    def _merge_alike(self) -> None:
        if self._now.parts_found is not None and self._now.parts_found.alike:
            self._editor.merge(*self._now.parts_found.alike[0])

    def _drop(self) -> None:
        dropped = self.drop.text() == "Drop"
        for row in self.list.selected():
            self._editor.drop(row, dropped)

    def _name(self, part: int, name: str) -> None:
        error = self._editor.rename(part, name)
        if error:
            self.hint.setText(error)
        self.hint.setVisible(bool(error) or bool(self._now.draft.sorting.waiting))
