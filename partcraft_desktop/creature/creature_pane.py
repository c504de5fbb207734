"""The creature beside the reference: the collage as it grows with every click, the render as it comes, the result."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPoint, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QKeyEvent, QKeySequence, QPixmap, QResizeEvent, QShortcut
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from engine.core.recipe import Creation
from engine.worker.collage_jobs import Sketched
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.messages import sentence_of
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.state import Creature, QueuedRender
from partcraft_desktop.creature.arrange_bar import ArrangeBar
from partcraft_desktop.creature.arrange_canvas import ArrangeCanvas
from partcraft_desktop.creature.arranging import Arranging
from partcraft_desktop.creature.compare_view import CompareView, Side
from partcraft_desktop.creature.creation_pictures import CreationPictures
from partcraft_desktop.creature.creature_footer import INSET, CreatureFooter
from partcraft_desktop.creature.empty_creature import EmptyCreature
from partcraft_desktop.creature.on_show import Here, Item, OnShow, same
from partcraft_desktop.creature.ways_out import WaysOut
from partcraft_desktop.widgets import theme
from partcraft_desktop.widgets.busy_line import BusyLine
from partcraft_desktop.widgets.fly_animation import FlyAnimation
from partcraft_desktop.widgets.images import PictureLevels, to_qimage
from partcraft_desktop.widgets.picture_room import PictureRoom
from partcraft_desktop.widgets.thumbnails import Thumbnails

QUIET_FOR_MS = 250
"""What is done within this time needs no sign of waiting."""

FLIGHT_WAITS_MS = 400
"""A part that was taken waits so long for its place; then it is there without having flown."""


class CreaturePane(QWidget):
    """Shows the session's creature. ``changed()``: something else is seen than before; ``front_wanted()``: it should be
    in sight."""

    changed = Signal()
    front_wanted = Signal()

    def __init__(
        self, session: Session, readers: BackgroundReader, thumbnails: Thumbnails, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._creature: Creature | None = None
        self._preview: PictureLevels | None = None  # of the picture that is rendered now
        self._rendered: QueuedRender | None = None
        self._painted: Sketched | None = None
        self._item: Item = Here.COLLAGE  # shown last
        self._left: Item | None = None  # what the one on show is compared with
        self._taken: tuple[int, QPixmap, QPoint] | None = None
        self._waits_for = ""
        self.on_show = OnShow(session, self)
        self._pictures = CreationPictures(readers, self)
        self._build(thumbnails)
        session.preview.connect(self._take_preview)
        session.creation_added.connect(self._forget_preview)
        session.changed.connect(self._refresh)
        self.on_show.changed.connect(self._show_what_is_here)
        self.on_show.front_wanted.connect(self.front_wanted)
        self._pictures.ready.connect(self._arrive)
        self._arranging = Arranging(session, self.canvas, self.bar)
        self._refresh()

    def _build(self, thumbnails: Thumbnails) -> None:
        self.canvas = ArrangeCanvas(self)
        self.bar = ArrangeBar(thumbnails, self)
        self.empty = EmptyCreature(self)
        self._stack = PictureRoom(self)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.canvas)
        self.compare = CompareView(self)
        self._stack.addWidget(self.compare)
        self.note = QLabel(wordWrap=True)
        self.note.setProperty("quiet", True)
        self.footer = CreatureFooter(self._session, self.on_show, self.canvas, thumbnails)
        self.footer.compare.toggled.connect(self.set_comparing)
        self.compare.closed.connect(lambda: self.set_comparing(False))
        for owner in (self.canvas, self.compare, self.footer):
            keys = QShortcut(QKeySequence("C"), owner, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
            keys.activated.connect(self.footer.compare.click)
        self.busy_line = BusyLine(self)
        self._busy_late = QTimer(self, singleShot=True, interval=QUIET_FOR_MS)
        self._busy_late.timeout.connect(lambda: self.busy_line.start(self._waits_for))
        self._flight_late = QTimer(self, singleShot=True, interval=FLIGHT_WAITS_MS)
        self._flight_late.timeout.connect(self._give_up_flight)
        below = QVBoxLayout()
        below.setContentsMargins(theme.UNIT * 2 - INSET, 0, theme.UNIT * 2, theme.UNIT)
        self.note.setContentsMargins(INSET, 0, 0, 0)
        below.addWidget(self.note)
        below.addWidget(self.footer)
        self.footer.collage_rows.addWidget(self.bar, 3)
        self.ways_out = WaysOut(self._session, self, self.canvas, lambda: self.on_show.creation)
        self.footer.collage_rows.addWidget(self.ways_out.row, 2)
        self.footer.collage_menu.set_actions(self.ways_out.all)
        self.changed.connect(self.ways_out.refresh)
        self.on_show.changed.connect(self.ways_out.refresh)
        self._stack.fill(QVBoxLayout(self), self.busy_line, below)

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
        self.on_show.show(Here.COLLAGE)

    def show_creation(self, creation: Creation) -> None:
        """Show a creation in front of the collage, once its file is read."""
        self.on_show.show(creation)

    @property
    def shown_creation(self) -> Creation | None:
        """The creation in front of the collage, if one is."""
        return self.on_show.creation

    def show_render(self) -> None:
        """Show the running render, if there is one."""
        if self._session.state.render is not None:
            self.on_show.show(Here.RENDER)

    def set_comparing(self, compares: bool) -> None:
        """Show what is on show beside what was on show before, or alone again."""
        on_show = self.on_show
        if compares and on_show.item is Here.COLLAGE and on_show.creations:
            newest = on_show.creations[0]
            on_show.show(on_show.before if isinstance(on_show.before, Creation) else newest)
        compares = compares and on_show.item is not Here.COLLAGE
        self._left = (on_show.before if not same(on_show.before, on_show.item) else Here.COLLAGE) if compares else None
        pages = (self.canvas, self.compare)
        had_keys = any(page.hasFocus() for page in pages)
        self._show_what_is_here()
        if had_keys:
            pages[self._left is not None].setFocus(Qt.FocusReason.OtherFocusReason)

    # Showing the session

    def _refresh(self) -> None:
        state = self._session.state
        rendered = state.render.item if state.render is not None else None
        if rendered is not self._rendered:
            self._rendered = rendered
            self._forget_preview()
        if state.creature is not self._creature:
            self._creature = state.creature
            self._show_what_is_here()
            self._begin_flight()
        self._show_painted(state.live.painting)
        self._show_waiting()
        noun = state.pack.vocabulary.noun if state.pack else ""
        self.empty.show_noun(noun, coming=state.creature.choices != state.recipe.choices)
        self.canvas.setAccessibleName(f"Your {noun}" if noun else "Creature")

    def _show_painted(self, painted: Sketched | None) -> None:
        """Show the collage as it is painted live, or its layers."""
        if painted is self._painted:
            return
        self._painted = painted
        if painted is None:
            self.canvas.show_painted(None)
        else:
            image, (left, top, right, bottom) = to_qimage(painted.image), painted.box
            levels = PictureLevels(image.width(), image.height(), (image,))
            self.canvas.show_painted(levels, QRectF(left, top, right - left, bottom - top))

    def _show_waiting(self) -> None:
        """Show quietly that the creature is not yet that of the recipe, once that takes a moment."""
        state = self._session.state
        self.busy_line.set_reduced_motion(self._session.settings.values.reduced_motion)
        self._waits_for = "Painting" if state.live.busy else "Putting it together"
        is_whole = state.creature.choices == state.recipe.choices and not state.live.busy
        if state.tried is not None or state.pack is None or is_whole:
            self._busy_late.stop()
            self.busy_line.stop()
        elif not self._busy_late.isActive() and not self.busy_line.running:
            self._busy_late.start()

    def _show_what_is_here(self) -> None:
        creature = self._creature or Creature()
        item = self.on_show.item
        if item is not self._item:
            self._item = item
            self._pictures.forget_failures()
        if self._left is not None and (same(self._left, item) or not self._is_here(self._left)):
            self._left = None
        if self.footer.compare.isChecked() != (self._left is not None):
            self.footer.compare.setChecked(self._left is not None)
        self.footer.strip.show_collage(creature.collage)
        self.canvas.setAccessibleDescription(self.footer.words(item))
        if self._left is not None:
            self.compare.show_sides(self._side(self._left), self._side(item))
            self._stack.setCurrentWidget(self.compare)
        elif self._stack.currentWidget() is self.compare:
            self._stack.setCurrentWidget(self.canvas)
        lines: list[str] = []
        picture = self._preview if item is Here.RENDER else None
        read = self._pictures.get(item.path) if isinstance(item, Creation) else None
        if isinstance(item, Creation) and read is None:
            return  # what was there stays until it is read
        if isinstance(read, PictureLevels):
            picture = read
        elif isinstance(read, Exception):
            sentence = sentence_of(read, "The creation cannot be read.")
            lines = [f"{sentence.text} {sentence.hint}".strip()]
            self.canvas.show_collage(None)
        elif picture is None:
            lines = [*creature.missing, f"{creature.note} {creature.hint}".strip()]
            self.canvas.show_collage(creature.collage)
        if picture is not None:
            self.canvas.show_picture(picture)
        shape = picture or creature.collage
        if shape is not None:
            self._stack.show_shape(shape.width, shape.height)
        if self._left is None:
            is_empty = shape is None
            self._stack.setCurrentWidget(self.empty if is_empty else self.canvas)
        self.note.setText("\n".join(line for line in lines if line))
        self.note.setVisible(bool(self.note.text()))
        self.changed.emit()

    def _is_here(self, item: Item) -> bool:
        """Whether an item can still be shown."""
        return not isinstance(item, Creation) or any(same(item, known) for known in self._session.state.creations)

    def _side(self, item: Item) -> Side:
        """One side of a comparison."""
        name = self.footer.short_words(item)
        picture = self._preview if item is Here.RENDER else None
        if isinstance(item, Creation):
            read = self._pictures.get(item.path)
            return Side(name, read if isinstance(read, PictureLevels) else None)
        return Side(name, picture, (self._creature or Creature()).collage)

    def _take_preview(self, index: int, pixels: Any) -> None:
        image = to_qimage(pixels)
        self._preview = PictureLevels(image.width(), image.height(), (image,))
        self.footer.strip.show_preview(image)
        if self.on_show.item is Here.RENDER:
            self._show_what_is_here()

    def _forget_preview(self) -> None:
        self._preview = None  # the next picture begins anew
        self.footer.strip.show_preview(QImage())

    def _arrive(self, path: str) -> None:
        shown = (self.on_show.item, self._left)
        if any(isinstance(item, Creation) and item.path == path for item in shown):
            self._show_what_is_here()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.footer.set_pane_height(self.height())
        self.ways_out.set_folded(self.footer.is_low)

    def take_key(self, event: QKeyEvent) -> bool:
        """Flick with Left and Right, back to the collage with Home; whether the key is one of these."""
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if plain and event.key() in steps:
            self.on_show.step(steps[Qt.Key(event.key())])
        elif plain and event.key() == Qt.Key.Key_Home:
            self.show_collage()
        else:
            return False
        return True

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self.take_key(event):
            super().keyPressEvent(event)

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
