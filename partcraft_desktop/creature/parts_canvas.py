"""The creature's parts as they are seen: where each is wanted, which is selected, which is under the pointer, in what
words. No mouse, no keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QAccessibleEvent,
    QHideEvent,
    QPainter,
    QPalette,
    QPen,
    QShowEvent,
    QTransform,
)
from PySide6.QtWidgets import QWidget

from engine.collage.arrangement import PartKey
from engine.collage.layers import Collage, Layer
from partcraft_desktop.creature.creature_canvas import CreatureCanvas
from partcraft_desktop.creature.part_gesture import Gesture, is_snapped
from partcraft_desktop.creature.part_handles import PartHandles
from partcraft_desktop.creature.placed_layers import PlacedLayer, layer_at
from partcraft_desktop.creature.placed_words import words_of
from partcraft_desktop.widgets.images import PictureLevels
from partcraft_desktop.widgets.theme import paint_icon

LOCK: Final = 22.0
"""Logical pixels across a mark of a kept part."""


class PartsCanvas(CreatureCanvas):
    """Shows a collage and its parts.

    ``selected_changed(key or None)``: another part is selected, or none; ``arrangeable_changed(bool)``: whether parts
    can be arranged, which is not so while it is hidden, or a picture is in front of the collage.
    """

    selected_changed = Signal(object)
    arrangeable_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._given: tuple[PlacedLayer, ...] = ()
        self._placed: tuple[PlacedLayer, ...] = ()
        self._titles: Mapping[PartKey, str] = {}
        self._told = ""
        self._selected: PartKey | None = None
        self._hovered: PartKey | None = None
        self._gesture: Gesture | None = None
        self._kept: frozenset[int] = frozenset()

    # What is shown

    def show_collage(self, collage: Collage | None) -> None:
        before = self.is_arrangeable
        super().show_collage(collage)
        self._announce()
        if before != self.is_arrangeable:
            self.arrangeable_changed.emit(self.is_arrangeable)

    def show_picture(self, picture: PictureLevels) -> None:
        before = self.is_arrangeable
        super().show_picture(picture)
        if before:
            self._hovered = None
            self._end_gesture()
            self.select(None)
            self.arrangeable_changed.emit(False)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.arrangeable_changed.emit(self.is_arrangeable)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.arrangeable_changed.emit(self.is_arrangeable)

    def arrange(self, placed: Sequence[PlacedLayer], titles: Mapping[PartKey, str]) -> None:
        """Show the layers of the collage on show where they are wanted; ``titles`` say from which picture each is."""
        self._given, self._titles = tuple(placed), dict(titles)
        self._placed = tuple(self._still_held(one) for one in placed)
        selected = self.selected
        if self._selected is not None and (selected is None or selected.wanted.hidden):
            self.select(None)
        hovered = self._find(self._hovered)
        if hovered is None or hovered.wanted.hidden:
            self._hovered = None
        self._announce(aloud=self._gesture is None)
        self.update()

    def mark_kept(self, parts: frozenset[int]) -> None:
        """Mark the parts that renders keep as they are."""
        if parts != self._kept:
            self._kept = parts
            self._announce()
            self.update()

    def _still_held(self, placed: PlacedLayer) -> PlacedLayer:
        """What is being scaled or turned stays the layer it was until it is let go: each new one would first have to
        be brought to the size of the screen, and the hand would feel it."""
        gesture = self._gesture
        if gesture is None or gesture.placed.key != placed.key:
            return placed
        if gesture.placed.side != placed.side:  # the full collage has come after a draft
            self._gesture = gesture = gesture.on(placed)
        if gesture.kind == "move":
            return placed
        return replace(gesture.placed, wanted=placed.wanted)

    def _end_gesture(self) -> None:
        self._gesture = None
        self._placed = self._given
        self.update()

    def _also_painted(self) -> tuple[Layer, ...]:
        return () if self._gesture is None else (self._gesture.placed.layer,)

    @property
    def selected(self) -> PlacedLayer | None:
        """The selected part."""
        return self._find(self._selected)

    @property
    def handles(self) -> PartHandles | None:
        """Where the selected part can be taken hold of."""
        placed = self.selected
        if placed is None or not self.is_arrangeable:
            return None
        return PartHandles.of(placed, self._placement, QRectF(self.rect()))

    def select(self, key: PartKey | None) -> None:
        """Select a part, or none."""
        placed = self._find(key)
        key = placed.key if placed is not None and not placed.wanted.hidden else None
        if key != self._selected:
            self._selected = key
            self._announce(aloud=True)
            self.update()
            self.selected_changed.emit(key)

    def walk(self, step: int) -> None:
        """Select the next part behind (``step`` 1) or in front (-1)."""
        keys = [one.key for one in reversed(self._placed) if not one.wanted.hidden]
        if not keys or not self.is_arrangeable:
            return
        at = (keys.index(self._selected) + step) % len(keys) if self._selected in keys else (0 if step > 0 else -1)
        self.select(keys[at])

    def say(self, text: str) -> None:
        """Tell assistive tools, while the keys are here."""
        if self.hasFocus() and QAccessible.isActive():
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, text))

    @property
    def is_arrangeable(self) -> bool:
        """Whether parts can be arranged now."""
        return self._picture is None and self._collage is not None and not self.isHidden()

    def _part_at(self, pos: QPointF) -> PlacedLayer | None:
        """The part seen at a point of the view; what lies beyond the picture is not seen."""
        if not self.is_arrangeable or not self._placement.rect.contains(pos):
            return None
        return layer_at(self._placed, self._placement.to_picture(pos))

    def _find(self, key: PartKey | None) -> PlacedLayer | None:
        return next((one for one in self._placed if one.key == key), None)

    def _announce(self, aloud: bool = False) -> None:
        """Say in words what is selected; a picture in front of the collage has words of its own."""
        if not self.is_arrangeable:
            return
        seen = [one.key for one in reversed(self._placed) if not one.wanted.hidden]
        placed = self.selected
        if placed is None:
            plural = "" if len(seen) == 1 else "s"
            text = f"{len(seen)} part{plural}, none selected. Space selects one." if seen else ""
        else:
            text = words_of(placed, self._titles.get(placed.key, ""), placed.key[0] in self._kept)
            if placed.key in seen:
                text += f", {seen.index(placed.key) + 1} of {len(seen)} from the front"
        is_new, self._told = text != self._told, text
        self.setAccessibleDescription(text)
        if is_new and aloud and self.hasFocus() and QAccessible.isActive():
            QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.DescriptionChanged))
            self.say(text)

    # Painting

    def _paint_collage(self, painter: QPainter, collage: Collage, target: QRectF) -> None:
        self._images.draw_ground(painter, collage, target, self.palette())
        to_collage, _ = self._view().inverted()
        for placed in self._placed:
            if placed.wanted.hidden or placed.layer.part in self._away:
                continue
            painter.save()
            if not placed.is_there:
                painter.setTransform(to_collage * placed.change * self._view(), combine=True)
            self._images.draw_layer(painter, placed.layer, self._placement.scale, target.topLeft())
            painter.restore()

    def _paint_over(self, painter: QPainter) -> None:
        if not self.is_arrangeable:
            return
        hovered = self._find(self._hovered)
        if hovered is not None and self._gesture is None and hovered.key != self._selected:
            painter.save()
            if not hovered.is_there:
                to_collage, _ = self._view().inverted()
                painter.setTransform(to_collage * hovered.change * self._view(), combine=True)
            colour = self.palette().color(QPalette.ColorRole.Highlight)
            corner = self._placement.rect.topLeft()
            self._images.draw_outline(painter, hovered.layer, self._placement.scale, corner, colour)
            painter.restore()
        self._paint_locks(painter)
        handles, selected = self.handles, self.selected
        if handles is not None and selected is not None:
            if self._gesture is not None and self._gesture.kind == "move":
                if is_snapped(selected):
                    handles.paint_joint(painter, self.palette())
            else:
                handles.paint(painter, self.palette())

    def _paint_locks(self, painter: QPainter) -> None:
        """A small lock in the middle of each part that is kept."""
        for placed in self._placed:
            if placed.key[0] not in self._kept or placed.wanted.hidden or self._gesture is not None:
                continue
            centre = self._placement.to_view(placed.change.map(placed.rect.center()))
            badge = QRectF(centre.x() - LOCK / 2, centre.y() - LOCK / 2, LOCK, LOCK)
            painter.save()
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Mid), 1))
            painter.setBrush(self.palette().color(QPalette.ColorRole.Base))
            painter.drawEllipse(badge)
            paint_icon(painter, "lock", badge.adjusted(4, 4, -4, -4), self.palette().color(QPalette.ColorRole.Text))
            painter.restore()

    def _view(self) -> QTransform:
        """From pixels of the collage to logical pixels of the view."""
        place = self._placement
        return QTransform.fromTranslate(place.x, place.y).scale(place.scale, place.scale)

    # The rest

    def _light(self, key: PartKey | None) -> None:
        if key != self._hovered:
            self._hovered = key
            self.update()

    def _show_ring(self, ring: bool) -> None:
        if ring != self._ring:
            self._ring = ring
            self.update()
