"""The composer: a slot for each part, the prompt, what is behind "More", and Render. Bound to the session here;
everything it is made of takes values and emits signals."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Final

from PySide6.QtCore import QPoint, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QFont, QPixmap, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from engine.core.part_looks import part_sign, shown_parts
from engine.core.recipe import BY_SEED, Recipe
from engine.core.segmentation import Segmentation
from engine.core.start import default_freedom
from engine.core.vocabulary import Choice, Vocabulary
from engine.packs.base_sizes import BaseSizes
from engine.packs.pack import Pack
from engine.packs.prompt_room import PromptRoom
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.start_control import has_collage, kept_parts
from partcraft_desktop.composer.add_on_rows import AddOnRows
from partcraft_desktop.composer.freedom_slider import FreedomSlider, FreedomValue
from partcraft_desktop.composer.keep_trying_row import KeepTryingRow
from partcraft_desktop.composer.part_slot import CROP, HEIGHT, PartSlot, SlotValue
from partcraft_desktop.composer.prompt_field import PromptField
from partcraft_desktop.composer.prompt_notes import PromptNotes
from partcraft_desktop.composer.queue_list import QueueList
from partcraft_desktop.composer.recipe_settings import RecipeSettings, SizeNote
from partcraft_desktop.composer.render_button import RenderButton
from partcraft_desktop.widgets import drag_and_drop as dragging
from partcraft_desktop.widgets import theme
from partcraft_desktop.widgets.controls import ShortLabel, push_button, tool_button
from partcraft_desktop.widgets.disclosure import Disclosure
from partcraft_desktop.widgets.fly_animation import FlyAnimation
from partcraft_desktop.widgets.thumbnails import Thumbnails

OWN_PICTURES: Final = 16
"""So many of a person's own pictures are remembered with their parts, for the crops of choices made from them."""
LITTLE_ROOM: Final = 520
"""A composer less high than this, in logical pixels, keeps the queue short."""
BESIDE_SLOTS: Final = 344
"""What a composer needs besides its slots, in logical pixels: title, a prompt of a few lines, all above Render. With
less, the slots are low, so that the prompt is seen."""


class Composer(QWidget):
    """Shows the recipe and changes it.

    ``part_wanted(part)``: a slot was pressed, so its part should be shown in the picture it came from;
    ``variants_wanted(part)``: all of a part's kind should be shown; ``lit_changed(part or
    None)``: the pointer is on a slot.
    """

    part_wanted = Signal(int)
    variants_wanted = Signal(int)
    lit_changed = Signal(object)

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._thumbnails = thumbnails
        self._vocabulary: Vocabulary | None = None
        self._shown: tuple[Pack | None, Recipe, bool, BaseSizes, PromptRoom | None] | None = None
        self._own: OrderedDict[str, Segmentation] = OrderedDict()
        self.slots: dict[int, PartSlot] = {}
        self.setAcceptDrops(True)
        self.setMinimumWidth(264)
        self._build()
        session.changed.connect(self._refresh)
        thumbnails.ready.connect(self._refresh_crops)
        thumbnails.failed.connect(self._refresh_crops)
        self._refresh()

    def _build(self) -> None:
        session = self._session
        self._title = ShortLabel()
        font = QFont(self._title.font())
        font.setPixelSize(theme.TITLE)
        font.setWeight(QFont.Weight.DemiBold)
        self._title.setFont(font)
        self.mix = tool_button("dice", "Random mix", session.random_mix, "Ctrl+R")
        head = QHBoxLayout()
        head.setContentsMargins(theme.UNIT, 0, theme.UNIT, 0)
        head.addWidget(self._title, 1)
        head.addWidget(self.mix)

        self._slots_column = QVBoxLayout()
        self._slots_column.setSpacing(0)
        self.prompt = PromptField()
        self.prompt.edited.connect(session.set_prompt_text)
        self.notes = PromptNotes()
        self.notes.rest_asked.connect(lambda: session.set_setting("rest", BY_SEED))
        self.settings = RecipeSettings()
        self.settings.changed.connect(session.set_setting)
        self.settings.seed_locked.connect(session.lock_seed)
        self.add_ons = self._make_add_ons()
        self.settings.add_on.clicked.connect(self.add_ons.ask)
        self.more = Disclosure("More", self.settings)

        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(theme.UNIT, 0, theme.UNIT, theme.UNIT)
        column.setSpacing(0)
        column.addLayout(self._slots_column)
        column.addSpacing(theme.UNIT)
        framed = QVBoxLayout()
        framed.setContentsMargins(theme.UNIT, 0, theme.UNIT, 0)
        framed.setSpacing(theme.UNIT)
        framed.addWidget(self.prompt)
        framed.addWidget(self.notes)
        framed.addWidget(self.add_ons)
        framed.addWidget(self.more)
        column.addLayout(framed)
        column.addStretch(1)
        self._scroll = QScrollArea(widgetResizable=True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setWidget(inner)
        for see_through in (self._scroll, self._scroll.viewport(), inner):
            see_through.setAutoFillBackground(False)
        self.more.unfolded.connect(self._show_unfolded)

        self.why = QLabel(wordWrap=True, alignment=Qt.AlignmentFlag.AlignHCenter)
        self.why.setProperty("quiet", True)
        self.why.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.train = push_button("Train these parts…", self._train)
        self.train.setToolTip("Plan a training that teaches a base model these parts")
        self.render_button = RenderButton()
        self.render_button.clicked.connect(lambda: session.render())
        self.queue = self._make_queue()
        self.size_note = SizeNote()
        self.size_note.size_asked.connect(lambda size: session.set_setting("size", size))
        self.freedom = FreedomSlider()
        self.freedom.changed.connect(session.starts.set_freedom)
        self.freedom.collage_asked.connect(session.starts.use_collage)
        self.keep_trying = KeepTryingRow()
        self.keep_trying.tries_changed.connect(lambda tries: session.set_setting("tries", tries))
        foot = QVBoxLayout()
        foot.setContentsMargins(theme.UNIT * 2, theme.UNIT, theme.UNIT * 2, theme.UNIT * 2)
        foot.setSpacing(theme.UNIT)
        foot.addWidget(self.queue)
        foot.addWidget(self.size_note)
        foot.addWidget(self.freedom)
        foot.addWidget(self.why)
        foot.addWidget(self.train, 0, Qt.AlignmentFlag.AlignHCenter)
        foot.addWidget(self.keep_trying)
        foot.addWidget(self.render_button)

        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, theme.UNIT, 0, 0)
        layout.setSpacing(theme.UNIT)
        head.setContentsMargins(theme.UNIT * 2, 0, theme.UNIT * 2, 0)
        layout.addLayout(head)
        layout.addWidget(self._scroll, 1)
        layout.addLayout(foot)

    def _make_add_ons(self) -> AddOnRows:
        verbs, rows = self._session.add_ons, AddOnRows()
        rows.added.connect(verbs.add)
        rows.weighed.connect(verbs.set_weight)
        rows.removed.connect(verbs.remove)
        rows.found.connect(verbs.find)
        return rows

    def _make_queue(self) -> QueueList:
        session, queue = self._session, QueueList()
        queue.cancel_asked.connect(session.cancel)
        queue.cancel_all_asked.connect(session.cancel_all)
        queue.go_on_asked.connect(session.go_on)
        queue.clear_asked.connect(session.clear_held)
        queue.remove_asked.connect(session.cancel_queued)
        queue.retry_asked.connect(session.retry)
        queue.moved.connect(session.move_queued)
        return queue

    def sizeHint(self) -> QSize:
        return QSize(304, 640)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        for sparing in (self.queue, self.freedom):
            sparing.set_little_room(self.height() < LITTLE_ROOM)
        self._fit_slots()

    def _fit_slots(self) -> None:
        for slot in self.slots.values():
            slot.set_low(self.height() < BESIDE_SLOTS + len(self.slots) * HEIGHT)

    # What others ask of it

    def fly_in(self, part: int, departure: tuple[QPixmap, QPoint] | None) -> None:
        """Let a part that was just chosen fly into its slot from where it is seen (picture, its middle in global
        coordinates). At once where motion is reduced or nothing was chosen."""
        slot = self.slots.get(part)
        if slot is None or departure is None or slot.value.choice is None or self._reduced or not self.isVisible():
            return
        self._scroll.ensureWidgetVisible(slot, 0, theme.UNIT)
        end = QRect(slot.mapToGlobal(slot.tile.topLeft()), slot.tile.size())
        slot.hide_crop(True)
        FlyAnimation(self.window(), departure[0], departure[1], end, lambda: slot.hide_crop(False))

    def light(self, part: int | None) -> None:
        """Light the slot of a part that is lit elsewhere."""
        for slot_part, slot in self.slots.items():
            slot.set_lit(slot_part == part)

    # Showing the session

    @property
    def _reduced(self) -> bool:
        return self._session.settings.values.reduced_motion

    def _refresh(self) -> None:
        state = self._session.state
        vocabulary = state.pack.vocabulary if state.pack else None
        if vocabulary is not self._vocabulary:
            self._vocabulary = vocabulary
            self._make_slots(vocabulary)
        noun = vocabulary.noun if vocabulary else ""
        self._title.setText(f"Your {noun}" if noun else "Composer")
        self.mix.setEnabled(vocabulary is not None)
        self._remember_own()
        self.more.set_reduced_motion(self._reduced)
        self.queue.set_reduced_motion(self._reduced)
        self.queue.show_state(state)
        shown = (state.pack, state.recipe, state.seed_locked, state.sizes, state.prompt_room)
        if shown != self._shown:
            self._shown = shown
            self._refresh_slots()
            self.prompt.show_prompt(state.recipe.prompt, vocabulary)
            self.prompt.show_room(state.prompt_room)
            known = state.prompt_room.known if state.prompt_room else None
            self.notes.show_recipe(state.pack, state.recipe, known, state.seed_locked)
            self.settings.show_recipe(state.recipe, state.seed_locked, state.sizes)
            self.size_note.show_size(state.recipe.size, state.sizes)
        if self.add_ons.show_add_ons(state.recipe.add_ons, state.add_on_faults):
            QTimer.singleShot(0, self, self._show_add_ons)
        self.freedom.show_value(self._freedom())
        blocked = self._blocked()
        self.why.setText(blocked)
        self.why.setVisible(bool(blocked))
        self.train.setVisible(state.pack is not None and not state.pack.trained)
        self.keep_trying.show_tries(state.recipe.tries, not blocked and bool(state.recipe.choices))
        self.render_button.show_state(state.render is not None, blocked, state.recipe.count)

    def _freedom(self) -> FreedomValue | None:
        """What is shown of the recipe's start; None where there is nothing to start from."""
        state = self._session.state
        recipe, pack, collage = state.recipe, state.pack, state.creature.collage
        start = recipe.start
        from_creation = start is not None and bool(start.creation)
        if pack is None or not pack.trained or not (from_creation or has_collage(state, recipe)):
            return None
        names = [part.name for part in pack.vocabulary.parts]
        only = start.only if start is not None else ()
        return FreedomValue(
            1.0 if start is None else start.freedom,
            default_freedom(pack.base_model.id),
            recipe.size or state.sizes.own,
            0 if from_creation or collage is None else max(collage.width, collage.height),
            tuple(names[part] for part in sorted(kept_parts(recipe))),
            tuple(names[part] for part in only if part < len(names)),
            from_creation,
        )

    def _train(self) -> None:
        if self._session.state.pack is not None:
            self._session.learning.mix.train(str(self._session.state.pack.path))

    def _blocked(self) -> str:
        state = self._session.state
        if state.pack is None:
            return "Open a pack to render."
        if not state.pack.trained:
            return "These parts were found, not trained: creatures can be put together and saved, not painted anew."
        if not any(isinstance(piece, Choice) or piece.strip() for piece in state.recipe.prompt):
            return "Pick a part or write a prompt to render."
        faulty = [fault for fault in state.add_on_faults if fault.add_on.weight]
        return f"{faulty[0].add_on.word}: find it, or take it off, to render." if faulty else ""

    def _make_slots(self, vocabulary: Vocabulary | None) -> None:
        for slot in self.slots.values():
            self._slots_column.removeWidget(slot)
            slot.hide()
            slot.deleteLater()
        self.slots = {}
        for part in shown_parts(vocabulary):
            slot = PartSlot(SlotValue(part.index, part.name, QColor(part.colour), part_sign(vocabulary, part.index)))
            slot.wanted.connect(self._want)
            slot.variants_asked.connect(self.variants_wanted)
            slot.remove_asked.connect(self._remove)
            slot.strength_changed.connect(self._session.set_strength)
            slot.dropped.connect(self._take)
            slot.lit.connect(self.lit_changed)
            self._slots_column.addWidget(slot)
            self.slots[part.index] = slot
        self._fit_slots()

    def _refresh_slots(self) -> None:
        state = self._session.state
        if state.pack is None:
            return
        vocabulary = state.pack.vocabulary
        for part, slot in self.slots.items():
            choice = state.recipe.choice_of(part)
            sign = part_sign(vocabulary, part)
            value = SlotValue(part, vocabulary.parts[part].name, QColor(vocabulary.parts[part].colour), sign)
            if choice is not None:
                is_known = 0 <= choice.code < vocabulary.codes_per_part
                code = vocabulary.code_name(part, choice.code) if is_known else str(choice.code)
                source = self._source_title(state.pack, choice)
                source = "" if source.casefold() == code.casefold() else source
                value = replace(value, choice=choice, code=code, source=source)
            if value != slot.value:
                slot.show_value(value)
        self._refresh_crops()

    def _refresh_crops(self) -> None:
        pack = self._session.state.pack
        for slot in self.slots.values():
            if slot.value.choice is not None and pack is not None:
                slot.show_crop(self._crop(pack, slot.value.choice))

    def _source_title(self, pack: Pack, choice: Choice) -> str:
        reference = next((r for r in pack.references if r.id == choice.source), None)
        if reference is not None:
            return reference.title
        return choice.source.replace("\\", "/").rpartition("/")[2] if choice.source in self._own else ""

    def _crop(self, pack: Pack, choice: Choice) -> QPixmap | None:
        """The picture of a choice: from where it was taken, else from any reference with the same code; null where
        there is none, None while it is read."""
        ratio = self.devicePixelRatioF()
        if choice.source in self._own:
            return self._thumbnails.crop(choice.source, self._own[choice.source], choice.part, CROP, ratio)
        fitting = [r for r in pack.references if r.codes[choice.part : choice.part + 1] == (choice.code,)]
        fitting.sort(key=lambda reference: reference.id != choice.source)
        if not fitting:
            return QPixmap()
        return self._thumbnails.crop(fitting[0].image, fitting[0].labels, choice.part, CROP, ratio)

    def _remember_own(self) -> None:
        picture, pack = self._session.state.reference, self._session.state.pack
        if picture is None or picture.segmentation is None or pack is None:
            return
        if not any(reference.id == picture.id for reference in pack.references):
            self._own[picture.image] = picture.segmentation
            while len(self._own) > OWN_PICTURES:
                self._own.popitem(last=False)

    def _show_unfolded(self, unfolded: bool) -> None:
        if unfolded:
            self._scroll.ensureWidgetVisible(self.settings, 0, 0)

    def _show_add_ons(self) -> None:
        rows = [row for row in self.add_ons.rows if not row.fault.isHidden()] or self.add_ons.rows[-1:]
        for row in rows[:1]:
            self._scroll.ensureWidgetVisible(row, 0, theme.UNIT)

    # What a person does

    def _want(self, part: int) -> None:
        state = self._session.state
        choice = state.recipe.choice_of(part)
        if choice is not None and choice.source and state.reference and choice.source != state.reference.id:
            self._session.open_reference(choice.source)
        self.part_wanted.emit(part)

    def _remove(self, part: int) -> None:
        slot = self.slots[part]
        had_focus = slot.isAncestorOf(self.focusWidget() or self)
        self._session.remove(part)
        if had_focus:
            slot.setFocus(Qt.FocusReason.OtherFocusReason)

    def _take(self, choice: Choice) -> None:
        self._session.choose(choice.part, choice.code, choice.source)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        choice = dragging.choice_in(event.mimeData())
        if choice is not None and choice.part in self.slots:
            event.acceptProposedAction()
            self.light(choice.part)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.light(None)

    def dropEvent(self, event: QDropEvent) -> None:
        self.light(None)
        choice = dragging.choice_in(event.mimeData())
        if choice is not None and choice.part in self.slots:
            event.acceptProposedAction()
            self._take(choice)
