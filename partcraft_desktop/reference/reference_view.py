"""The reference: the picture large, its parts as chips below, and in words what there is to mind. Bound to the session
here; the canvas and the chips take values and emit signals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFont, QPixmap, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from engine.core.errors import UserError
from engine.core.part_looks import part_sign, shown_parts
from engine.core.recipe import Recipe
from engine.core.segmentation import Segmentation
from engine.core.vocabulary import ABSENT, Choice, Part, Vocabulary
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.state import OpenPicture
from partcraft_desktop.reference.canvas import PictureCanvas
from partcraft_desktop.reference.part_chips import ChipRow, PartChip
from partcraft_desktop.reference.part_label import PartLabel
from partcraft_desktop.widgets import drag_and_drop as dragging
from partcraft_desktop.widgets import theme
from partcraft_desktop.widgets.busy_line import BusyLine
from partcraft_desktop.widgets.controls import push_button
from partcraft_desktop.widgets.images import PictureLevels, read_levels
from partcraft_desktop.widgets.part_outlines import PartShape, shapes_of
from partcraft_desktop.widgets.picture_room import PictureRoom

QUIET_FOR_MS: Final = 250
"""What is done within this time needs no sign of waiting."""

HINT: Final = "Click a part to take it"


class ReferenceView(QWidget):
    """Shows the session's reference and lets parts of it be taken.

    ``part_taken(part, departure)``: a part went into the recipe; ``departure`` is where it was seen, as
    :meth:`cut_out` gives it. ``part_opened(part)``: others of a part's kind are wanted. ``lit_changed(part or None)``;
    ``open_wanted()``: the button of the empty view was pressed; ``shown(path)``: a picture is on screen.
    """

    part_taken = Signal(int, object)
    part_opened = Signal(int)
    lit_changed = Signal(object)
    open_wanted = Signal()
    shown = Signal(object)

    def __init__(self, session: Session, readers: BackgroundReader, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._readers = readers
        self._picture: OpenPicture | None = None
        self._vocabulary: Vocabulary | None = None
        self._chosen: frozenset[int] = frozenset()
        self._path = ""  # the file that is read or shown
        self._levels: PictureLevels | None = None
        self._levels_of = ""
        self._shapes: dict[int, PartShape] = {}
        self._shapes_of: Segmentation | None = None
        self._invited: int | None = None
        self._build()
        self._show_nothing()
        session.changed.connect(self._refresh)
        session.settings.changed.connect(self._refresh)
        self._refresh()

    def _build(self) -> None:
        self.canvas = PictureCanvas(self)
        self.canvas.setAccessibleName("Reference")
        self.canvas.toggled.connect(self._toggle)
        self.canvas.opened.connect(self._open)
        self.canvas.lit_changed.connect(self._light)
        self.canvas.zoomed.connect(self._show_zoom)
        self.canvas.drag_wanted.connect(self._drag)

        self._message = _Message(self)
        self._message.pressed.connect(self.open_wanted)
        self._stack = PictureRoom(self)
        self._stack.addWidget(self.canvas)
        self._stack.addWidget(self._message)

        self.chips = ChipRow(self)
        self.chips.asked.connect(self._toggle)
        self.chips.pointed.connect(self.canvas.light)
        self.chips.drag_wanted.connect(self._drag)

        self._note = QLabel(self, wordWrap=True, alignment=Qt.AlignmentFlag.AlignHCenter)
        self._note.setProperty("quiet", True)
        self._note.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.learn = push_button("Learn the parts of its folder…", self._learn_folder, "pack")
        self.anyway = push_button("Show parts anyway", self._show_anyway, look="flat")
        self._ways = QWidget(self)
        ways = QHBoxLayout(self._ways)
        ways.setContentsMargins(0, 0, 0, 0)
        ways.setSpacing(theme.UNIT)
        ways.addStretch(1)
        ways.addWidget(self.learn)
        ways.addWidget(self.anyway)
        ways.addStretch(1)
        self.busy_line = BusyLine(self)
        self._late = QTimer(self, singleShot=True, interval=QUIET_FOR_MS)
        self._late.timeout.connect(self._show_busy)

        self._zoom = QPushButton(self.canvas)
        self._zoom.setIcon(theme.icon("fit"))
        self._zoom.setToolTip("Show the whole picture (Ctrl+0, double click)")
        self._zoom.clicked.connect(self.canvas.fit)
        self._zoom.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._zoom.hide()

        below = QVBoxLayout()
        below.setContentsMargins(theme.UNIT, 0, theme.UNIT, theme.UNIT * 2)
        below.setSpacing(theme.UNIT)
        below.addWidget(self.chips)
        below.addWidget(self._note)
        below.addWidget(self._ways)
        self._stack.fill(QVBoxLayout(self), self.busy_line, theme.UNIT, below)

    # What others ask of it

    def light(self, part: int | None) -> None:
        """Light a part that is lit elsewhere."""
        self.canvas.light(part)

    def invite(self, part: int) -> None:
        """Lead to a part that is wanted: light it and take the keyboard there, or say that it is not here."""
        self._invited = None
        if self._levels_of != self._path or self._shapes_of is not self._segmentation:
            self._invited = part  # Once the picture is here.
        elif part in self._shapes:
            self.canvas.setFocus(Qt.FocusReason.ShortcutFocusReason)
            self.canvas.light(part)
        else:
            button = self.chips.button_of(part)
            if button is not None:
                button.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def cut_out(self, part: int) -> tuple[QPixmap, QPoint] | None:
        """A part as it is seen now and its middle in global coordinates, to let it fly; None out of view."""
        pixmap, centre = self.canvas.cut_out(part), self.canvas.centre_of(part)
        if pixmap.isNull() or centre is None:
            return None
        return pixmap, self.canvas.mapToGlobal(centre)

    # Showing the session

    def _refresh(self) -> None:
        state = self._session.state
        picture, vocabulary = state.reference, state.pack.vocabulary if state.pack else None
        chosen = _chosen_parts(picture, state.recipe)
        if picture is not self._picture or vocabulary is not self._vocabulary:
            self._picture, self._vocabulary, self._chosen = picture, vocabulary, chosen
            if picture is None:
                self._show_nothing()
            else:
                self._show_picture(picture)
        elif chosen != self._chosen:
            self._chosen = chosen
            self.canvas.set_chosen(chosen)
            self._refresh_chips()
        self.busy_line.set_reduced_motion(self._session.settings.values.reduced_motion)
        self._show_hint()

    def _show_nothing(self) -> None:
        """Say that there is no picture, and how to get one."""
        self._path = self._levels_of = ""
        self._levels = None
        self._shapes, self._shapes_of = {}, None
        self.canvas.show_picture(None)
        self.chips.show_chips(())
        self._show_note("")
        self._ways.hide()
        self._show_waiting(False)
        self._message.say("No picture is open.", "Choose one on the left or drop your own.", "Open a picture…")
        self._stack.setCurrentWidget(self._message)

    def _show_picture(self, picture: OpenPicture) -> None:
        """Show a picture and its parts. Its file is read off the Qt thread; until then the last picture stays, or plain
        ground where there was none."""
        path, segmentation = picture.image, picture.segmentation
        changed = path != self._path
        self._path = path
        self._show_note(picture.note)
        self._ways.setVisible(picture.unseen)
        if picture.unseen:  # said before it is read: those of the picture before it would contradict
            self.chips.show_chips(())
        self._show_waiting(picture.busy or changed)
        self.canvas.setAccessibleName(f"Reference: {picture.title}")
        if changed:
            self._stack.setCurrentWidget(self.canvas)
            self._readers.ask(lambda: read_levels(path), lambda result: self._arrive(path, result), self)
        if segmentation is not None and segmentation is not self._shapes_of:
            parts = self._visible()
            self._readers.ask(
                lambda: shapes_of(segmentation, parts), lambda result: self._shape(segmentation, result), self
            )
        self._show_what_is_here()

    def _show_note(self, note: str) -> None:
        self._note.setText(note)
        self._note.setVisible(bool(note))

    def _show_waiting(self, waits: bool) -> None:
        """Show quietly that something is looked for, once that takes a moment."""
        if not waits:
            self._late.stop()
            self.busy_line.stop()
        elif not self._late.isActive() and not self.busy_line.running:
            self._late.start()

    def _show_busy(self) -> None:
        busy = self._picture is not None and self._picture.busy
        self.busy_line.start("Finding the parts" if busy else "Opening the picture")

    def _show_hint(self) -> None:
        """Point at a part and say what to do: for the first start."""
        state = self._session.state
        self.canvas.set_hint(HINT if state.hint and not state.recipe.choices and self._shapes else "")

    # How it comes together

    @property
    def _segmentation(self) -> Segmentation | None:
        return self._picture.segmentation if self._picture else None

    def _visible(self) -> tuple[int, ...]:
        return tuple(part.index for part in self._vocabulary.visible_parts) if self._vocabulary else ()

    def _arrive(self, path: str, result: PictureLevels | Exception) -> None:
        if path != self._path:
            return
        if isinstance(result, Exception):
            self._levels, self._levels_of, self._path = None, "", ""  # asked for again, it is read again
            self._show_waiting(False)
            if isinstance(result, UserError):
                self._message.say(result.message, result.hint, "Open another picture…")
            else:
                self._message.say(
                    f"“{Path(path).name}” cannot be opened.", "Open another picture.", "Open another picture…"
                )
            self._stack.setCurrentWidget(self._message)
            self.chips.show_chips(())
            return
        self._levels, self._levels_of = result, path
        self._show_what_is_here()
        self.shown.emit(path)

    def _shape(self, segmentation: Segmentation, result: dict[int, PartShape] | Exception) -> None:
        if segmentation is self._segmentation and not isinstance(result, Exception):
            self._shapes, self._shapes_of = result, segmentation
            self._show_what_is_here()

    def _show_what_is_here(self) -> None:
        """Show what has arrived: the picture first, its parts as soon as they are known."""
        if self._levels is None or self._levels_of != self._path:
            return
        ready = self._segmentation is not None and self._shapes_of is self._segmentation
        if self._picture is None or not self._picture.busy:
            self._show_waiting(False)
        labels = {part: self._label(part) for part in self._shapes} if ready else {}
        if ready and self._segmentation is not None:
            # Parts found in a smaller copy of the picture: its pixels are then what places are counted in.
            height, width = self._segmentation.labels.shape
            if (self._levels.width, self._levels.height) != (width, height):
                self._levels = replace(self._levels, width=width, height=height)
        self.canvas.show_picture(
            self._levels, self._segmentation if ready else None, self._shapes if ready else {}, labels
        )
        self.canvas.set_chosen(self._chosen)
        self._stack.show_shape(self._levels.width, self._levels.height)
        self._stack.setCurrentWidget(self.canvas)
        self._refresh_chips()
        self._show_hint()
        if self._invited is not None and ready:
            self.invite(self._invited)

    def _label(self, index: int) -> PartLabel:
        assert self._vocabulary is not None and self._segmentation is not None
        part = self._vocabulary.parts[index]
        code = self._vocabulary.code_name(index, self._code(index))
        return PartLabel(index, part.name, code, QColor(part.colour), part_sign(self._vocabulary, index))

    def _code(self, part: int) -> int:
        """The code a part has in this picture, ABSENT where it cannot be seen or the vocabulary does not know it."""
        codes = self._segmentation.codes if self._segmentation else ()
        most = self._vocabulary.codes_per_part if self._vocabulary else 0
        return codes[part] if part < len(codes) and codes[part] < most else ABSENT

    def _refresh_chips(self) -> None:
        if self._levels is None or self._levels_of != self._path or not (self._segmentation and self._vocabulary):
            self.chips.show_chips(())
            return
        if self._picture is not None and self._picture.unseen:
            self.chips.show_chips(())
            return
        self.chips.show_chips(self._chip(part) for part in shown_parts(self._vocabulary))
        if not self._shapes and self._shapes_of is self._segmentation and not self._note.text():
            self._show_note("No parts were found in this picture.")

    def _chip(self, part: Part) -> PartChip:
        assert self._vocabulary is not None
        code = self._code(part.index)
        colour, sign = QColor(part.colour), part_sign(self._vocabulary, part.index)
        if code == ABSENT or (self._shapes_of is self._segmentation and part.index not in self._shapes):
            reason = f"No {part.name} can be seen in this picture."
            return PartChip(part.index, part.name, "", colour, sign, reason=reason)
        name = self._vocabulary.code_name(part.index, code)
        return PartChip(part.index, part.name, name, colour, sign, taken=part.index in self._chosen)

    # What a person does

    def _learn_folder(self) -> None:
        if self._picture is not None:
            self._session.learning.open_folder(Path(self._picture.image).parent)

    def _show_anyway(self) -> None:
        if self._picture is not None:
            self._session.show_parts_anyway(self._picture.id)

    def _toggle(self, part: int) -> None:
        # While the next picture is read, the last one is still seen; its parts are no longer for the taking.
        code = self._code(part)
        if self._picture is None or self._levels_of != self._path or code == ABSENT:
            return
        departure = self.cut_out(part)  # as it is seen before it is marked as taken
        self._session.toggle(part, code, self._picture.id)
        if self._session.state.recipe.choice_of(part) is not None:
            self.part_taken.emit(part, departure)

    def _open(self, part: int) -> None:
        if self._session.state.recipe.choice_of(part) is None:
            self._toggle(part)  # The first click of the two put it back, which was not meant.
        self.part_opened.emit(part)

    def _light(self, part: int | None) -> None:
        self.chips.light(part)
        self.lit_changed.emit(part)

    def _drag(self, part: int | None) -> None:
        if part is None:
            pixmap = QPixmap() if self._levels is None else QPixmap.fromImage(self._levels.images[-1]).scaledToWidth(96)
            dragging.drag(self, dragging.file_data(self._path), pixmap)
        elif self._picture is not None and self._levels_of == self._path and self._code(part) != ABSENT:
            choice = Choice(part, self._code(part), source=self._picture.id)
            dragging.drag(self, dragging.choice_data(choice), self.canvas.cut_out(part))

    def _show_zoom(self) -> None:
        placement = self.canvas.placement
        self._zoom.setVisible(not placement.is_fitted)
        if not placement.is_fitted:
            self._zoom.setText(f"{round(100 * placement.scale / placement.fit_scale)} %")
            self._zoom.adjustSize()
            self._zoom.move(self.canvas.width() - self._zoom.width() - theme.UNIT * 2, theme.UNIT * 2)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_zoom()


def _chosen_parts(picture: OpenPicture | None, recipe: Recipe) -> frozenset[int]:
    """The parts of a recipe whose code is the one they have in a picture."""
    codes = picture.segmentation.codes if picture is not None and picture.segmentation is not None else ()
    return frozenset(c.part for c in recipe.choices if c.part < len(codes) and codes[c.part] == c.code)


class _Message(QWidget):
    """A sentence in the middle of the view, a next step, and a button for it."""

    pressed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._text = QLabel(self, wordWrap=True, alignment=Qt.AlignmentFlag.AlignCenter)
        font = self._text.font()
        font.setPixelSize(theme.TITLE)
        font.setWeight(QFont.Weight.DemiBold)
        self._text.setFont(font)
        self._hint = QLabel(self, wordWrap=True, alignment=Qt.AlignmentFlag.AlignCenter)
        self._hint.setProperty("quiet", True)
        self._button = QPushButton(self)
        self._button.clicked.connect(self.pressed)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.UNIT * 4, theme.UNIT * 4, theme.UNIT * 4, theme.UNIT * 4)
        column.setSpacing(theme.UNIT)
        column.addStretch(1)
        column.addWidget(self._text)
        column.addWidget(self._hint)
        column.addSpacing(theme.UNIT)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self._button)
        row.addStretch(1)
        column.addLayout(row)
        column.addStretch(1)

    def say(self, text: str, hint: str, button: str) -> None:
        """Show these words."""
        self._text.setText(text)
        self._hint.setText(hint)
        self._button.setText(button)
