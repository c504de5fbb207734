"""The creature beside the reference: the collage as it grows with every click, the render as it comes, the result."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPoint, QTimer, Signal
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QLabel, QStackedWidget, QVBoxLayout, QWidget

from engine.core.recipe import Creation
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.state import Creature
from partcraft_desktop.creature.arrange_bar import ArrangeBar
from partcraft_desktop.creature.arrange_canvas import ArrangeCanvas
from partcraft_desktop.creature.arranging import Arranging
from partcraft_desktop.creature.empty_creature import EmptyCreature
from partcraft_desktop.creature.ways_out import WaysOut
from partcraft_desktop.widgets import theme
from partcraft_desktop.widgets.busy_line import BusyLine
from partcraft_desktop.widgets.fly_animation import FlyAnimation
from partcraft_desktop.widgets.images import PictureLevels, read_levels, to_qimage
from partcraft_desktop.widgets.thumbnails import Thumbnails

QUIET_FOR_MS = 250
"""What is done within this time needs no sign of waiting."""

FLIGHT_WAITS_MS = 400
"""A part that was taken waits so long for its place; then it is there without having flown."""


class CreaturePane(QWidget):
    """Shows the session's creature. ``changed()``: something else is seen than before."""

    changed = Signal()

    def __init__(
        self, session: Session, readers: BackgroundReader, thumbnails: Thumbnails, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._readers = readers
        self._creature: Creature | None = None
        self._shown: Creation | None = None  # the creation in front of the collage
        self._rendering = False
        self._taken: tuple[int, QPixmap, QPoint] | None = None
        self._build(thumbnails)
        session.changed.connect(self._refresh)
        session.preview.connect(self._preview)
        session.creation_added.connect(self.show_creation)
        self._arranging = Arranging(session, self.canvas, self.bar)
        self._refresh()

    def _build(self, thumbnails: Thumbnails) -> None:
        self.canvas = ArrangeCanvas(self)
        self.bar = ArrangeBar(thumbnails, self)
        self.empty = EmptyCreature(self)
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.canvas)
        self.note = QLabel(wordWrap=True)
        self.note.setProperty("quiet", True)
        self.busy_line = BusyLine(self)
        self._busy_late = QTimer(self, singleShot=True, interval=QUIET_FOR_MS)
        self._busy_late.timeout.connect(lambda: self.busy_line.start("Putting it together"))
        self._flight_late = QTimer(self, singleShot=True, interval=FLIGHT_WAITS_MS)
        self._flight_late.timeout.connect(self._give_up_flight)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._stack, 1)
        column.addWidget(self.busy_line)
        below = QVBoxLayout()
        below.setContentsMargins(theme.UNIT * 2, 0, theme.UNIT * 2, theme.UNIT)
        below.addWidget(self.bar)
        below.addWidget(self.note)
        self.ways_out = WaysOut(self._session, self, self.canvas, lambda: self._shown)
        self.changed.connect(self.ways_out.refresh)
        below.addWidget(self.ways_out.row)
        column.addLayout(below)

    # What others ask of it

    def fly_in(self, part: int, departure: tuple[QPixmap, QPoint] | None) -> None:
        """Let a part that was just chosen fly to its place, from where it is seen (picture, its middle in global
        coordinates), as soon as the place is known. At once where motion is reduced."""
        if departure is not None and not self._session.settings.values.reduced_motion and self.isVisible():
            self._give_up_flight()
            self._taken = (part, *departure)
            self._flight_late.start()

    def show_collage(self) -> None:
        """Show the collage."""
        self._shown = None
        self._show_what_is_here()

    def show_creation(self, creation: Creation) -> None:
        """Show a creation in front of the collage, once its file is read."""
        self._shown = creation
        path = creation.path
        self._readers.ask(lambda: read_levels(path), lambda result: self._arrive(creation, result), self)

    @property
    def shown_creation(self) -> Creation | None:
        """The creation that is shown in front of the collage."""
        return self._shown

    # Showing the session

    def _refresh(self) -> None:
        state = self._session.state
        began = state.render is not None and not self._rendering
        self._rendering = state.render is not None
        if began and self._shown is not None:
            self.show_collage()
        if state.creature is not self._creature:
            before, self._creature = self._creature, state.creature
            if before is None or (before.collage, before.note) != (state.creature.collage, state.creature.note):
                self.show_collage()
            self._begin_flight()
        self._show_waiting()
        noun = state.pack.vocabulary.noun if state.pack else ""
        self.empty.show_noun(noun)
        self.canvas.setAccessibleName(f"Your {noun}" if noun else "Creature")

    def _show_waiting(self) -> None:
        """Show quietly that the creature is not yet that of the recipe, once that takes a moment."""
        state = self._session.state
        self.busy_line.set_reduced_motion(self._session.settings.values.reduced_motion)
        if state.tried is not None or state.pack is None or state.creature.choices == state.recipe.choices:
            self._busy_late.stop()
            self.busy_line.stop()
        elif not self._busy_late.isActive() and not self.busy_line.running:
            self._busy_late.start()

    def _show_what_is_here(self) -> None:
        creature = self._creature or Creature()
        self.canvas.show_collage(creature.collage)
        self._stack.setCurrentWidget(self.canvas if creature.collage is not None else self.empty)
        lines = [*creature.missing, f"{creature.note} {creature.hint}".strip()]
        self.note.setText("\n".join(line for line in lines if line))
        self.note.setVisible(bool(self.note.text()))
        self.changed.emit()

    def _preview(self, index: int, pixels: Any) -> None:
        self._show_picture(to_qimage(pixels))

    def _arrive(self, creation: Creation, result: PictureLevels | Exception) -> None:
        if creation is self._shown and not isinstance(result, Exception):
            self._show_picture(result.images[0])

    def _show_picture(self, picture: QImage) -> None:
        self.canvas.show_picture(picture)
        self._stack.setCurrentWidget(self.canvas)
        self.changed.emit()

    # Flight

    def _begin_flight(self) -> None:
        if self._taken is None or self._creature is None:
            return
        part, picture, start = self._taken
        place = self.canvas.rect_of(part)
        if place is None or not any(choice.part == part for choice in self._creature.choices):
            return
        self._taken = None
        self._flight_late.stop()
        self.canvas.set_away({part})
        FlyAnimation(self.window(), picture, start, place, lambda: self.canvas.set_away(()))

    def _give_up_flight(self) -> None:
        self._flight_late.stop()
        self._taken = None
        self.canvas.set_away(())
