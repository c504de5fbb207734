"""The creature under the hand: its parts are selected, dragged, scaled and turned, by pointer or by keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QAccessibleEvent,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPalette,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from engine.collage.arrangement import Adjustment, PartKey
from engine.collage.layers import Collage
from partcraft_desktop.creature.creature_canvas import CreatureCanvas
from partcraft_desktop.creature.part_gesture import Gesture, is_fastened
from partcraft_desktop.creature.part_handles import Handle, PartHandles
from partcraft_desktop.creature.placed_layers import PlacedLayer, layer_at
from partcraft_desktop.creature.placed_words import words_of
from partcraft_desktop.widgets.pinch import pinch_of

Command = Literal["mirror", "forward", "back", "hide", "reset", "remove"]

DRAG_DISTANCE: Final = 3.0
"""Logical pixels after which a press is a drag."""
SCALE_STEP: Final = 1.05
TURN_STEP: Final = 5.0
NUDGES: Final = (1, 10)
"""Pixels of the collage that an arrow key moves a part, and with Shift."""


class ArrangeCanvas(CreatureCanvas):
    """Shows a collage whose parts can be arranged.

    ``selected_changed(key or None)``: another part is selected, or none; ``adjusted(key, adjustment, gesture)``: a part
    is wanted elsewhere; ``asked(command, key)``: something else shall be done to it; ``arrangeable_changed(bool)``:
    whether parts can be arranged, which is not so while a picture is in front of the collage.
    """

    selected_changed = Signal(object)
    adjusted = Signal(object, object, str)
    arrangeable_changed = Signal(bool)
    asked = Signal(str, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.grabGesture(Qt.GestureType.PinchGesture)
        self._placed: tuple[PlacedLayer, ...] = ()
        self._titles: Mapping[PartKey, str] = {}
        self._selected: PartKey | None = None
        self._hovered: PartKey | None = None
        self._press: _Press | None = None
        self._gesture: Gesture | None = None
        self._panning: QPointF | None = None
        self._space = self._panned = False
        self._announce()

    # What is shown

    def show_collage(self, collage: Collage | None) -> None:
        before = self.is_arrangeable
        super().show_collage(collage)
        if before != self.is_arrangeable:
            self.arrangeable_changed.emit(self.is_arrangeable)

    def show_picture(self, picture: QImage) -> None:
        before = self.is_arrangeable
        super().show_picture(picture)
        if before:
            self._gesture = self._press = self._hovered = None
            self.select(None)
            self.arrangeable_changed.emit(False)

    def arrange(self, placed: Sequence[PlacedLayer], titles: Mapping[PartKey, str]) -> None:
        """Show the layers of the collage on show where they are wanted; ``titles`` say from which picture each is."""
        self._placed, self._titles = tuple(placed), dict(titles)
        if self._selected is not None and self._find(self._selected) is None:
            self.select(None)
        if self._hovered is not None and self._find(self._hovered) is None:
            self._hovered = None
        self._announce(aloud=self._gesture is None)
        self.update()

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
        return self._picture is None and self._collage is not None

    def _find(self, key: PartKey | None) -> PlacedLayer | None:
        return next((one for one in self._placed if one.key == key), None)

    def _announce(self, aloud: bool = False) -> None:
        seen = [one.key for one in reversed(self._placed) if not one.wanted.hidden]
        placed = self.selected
        if placed is None:
            plural = "" if len(seen) == 1 else "s"
            text = f"{len(seen)} part{plural}, none selected. Space selects one." if seen else ""
        else:
            text = words_of(placed, self._titles.get(placed.key, ""))
            if placed.key in seen:
                text += f", {seen.index(placed.key) + 1} of {len(seen)} from the front"
        if text == self.accessibleDescription():
            return
        self.setAccessibleDescription(text)
        if aloud and self.hasFocus() and QAccessible.isActive():
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
        handles, selected = self.handles, self.selected
        if handles is not None and selected is not None:
            if self._gesture is not None and self._gesture.kind == "move":
                if is_fastened(selected):
                    handles.paint_joint(painter, self.palette())
            else:
                handles.paint(painter, self.palette())

    def _view(self) -> QTransform:
        """From pixels of the collage to logical pixels of the view."""
        place = self._placement
        return QTransform.fromTranslate(place.x, place.y).scale(place.scale, place.scale)

    # Pointer

    def mousePressEvent(self, event: QMouseEvent) -> None:
        pos = event.position()
        self._show_ring(False)
        left = event.button() == Qt.MouseButton.LeftButton
        if event.button() == Qt.MouseButton.MiddleButton or (left and self._space):
            self._panning, self._panned = pos, self._space
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        elif left and self.is_arrangeable:
            self._take_hold(pos)
        else:
            super().mousePressEvent(event)

    def _take_hold(self, pos: QPointF) -> None:
        handles, selected = self.handles, self.selected
        handle = handles.at(pos) if handles is not None else None
        point = self._placement.to_picture(pos)
        upper = layer_at(self._placed, point)
        if selected is not None and handle is not None:
            self._press = _Press(pos, handle, selected.key, selected.key)
            return
        # What is selected can be dragged where others cover it, and by its frame; a click there selects the other.
        inside = selected is not None and handles is not None and handles.frame.containsPoint(pos, _WINDING)
        if selected is not None and (selected.covers(point) or (upper is None and inside)):
            self._press = _Press(pos, None, selected.key, upper.key if upper is not None else selected.key)
            return
        key = upper.key if upper is not None else None
        self.select(key)
        self._press = _Press(pos, None, key, key)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        pos, press = event.position(), self._press
        if self._panning is not None:
            moved, self._panning, self._panned = pos - self._panning, pos, True
            self._place(self._placement.moved(moved.x(), moved.y()))
        elif self._gesture is not None:
            self._drag(event)
        elif press is None:
            self._hover(pos)
        elif (pos - press.pos).manhattanLength() >= DRAG_DISTANCE:
            placed = self._find(press.drags)
            self._press = None
            if placed is None:
                self._panning = press.pos
                self.setCursor(Qt.CursorShape.ClosedHandCursor)
                self.mouseMoveEvent(event)
            else:
                kind = "move" if press.handle is None else "turn" if press.handle == "turn" else "scale"
                self._gesture = Gesture.begun(kind, placed, self._placement.to_picture(press.pos))
                self._drag(event)

    def _drag(self, event: QMouseEvent) -> None:
        gesture = self._gesture
        if gesture is None:
            return
        keys = event.modifiers()
        shift, alt = bool(keys & Qt.KeyboardModifier.ShiftModifier), bool(keys & Qt.KeyboardModifier.AltModifier)
        point = self._placement.to_picture(event.position())
        adjustment = gesture.adjusted(point, 1 / self._placement.scale, other=shift, free=alt)
        self.adjusted.emit(gesture.placed.key, adjustment, gesture.name)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        press, self._press = self._press, None
        if self._panning is not None:
            self._panning = None
        elif self._gesture is not None:
            self._gesture = None
            self._announce(aloud=True)
            self.update()
        elif press is not None and press.handle is None:
            self.select(press.selects)
        self._hover(event.position())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.is_arrangeable:
            if layer_at(self._placed, self._placement.to_picture(event.position())) is None:
                self.fit()
            self.mousePressEvent(event)
        else:
            super().mouseDoubleClickEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._light(None)

    def _light(self, key: PartKey | None) -> None:
        if key != self._hovered:
            self._hovered = key
            self.update()

    def _hover(self, pos: QPointF) -> None:
        point = self._placement.to_picture(pos)
        upper = layer_at(self._placed, point) if self.is_arrangeable else None
        self._light(upper.key if upper is not None else None)
        handles, selected = self.handles, self.selected
        handle = handles.at(pos) if handles is not None else None
        if self._space:
            shape = Qt.CursorShape.OpenHandCursor
        elif handles is not None and handle is not None:
            shape = handles.cursor(handle)
        elif selected is not None and selected.covers(point):
            shape = Qt.CursorShape.SizeAllCursor
        elif upper is not None:
            shape = Qt.CursorShape.PointingHandCursor
        else:
            shape = Qt.CursorShape.ArrowCursor if self._placement.is_fitted else Qt.CursorShape.OpenHandCursor
        if self.cursor().shape() != shape:
            self.setCursor(shape)

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned = event.angleDelta()
        if event.phase() != Qt.ScrollPhase.NoScrollPhase and not event.modifiers() and not self._placement.is_fitted:
            # Two fingers on a touch pad move the picture; a pinch, or Ctrl with them, scales it.
            shift = event.pixelDelta() if not event.pixelDelta().isNull() else turned / 2
            self._place(self._placement.moved(shift.x(), shift.y()))
            event.accept()
        else:
            super().wheelEvent(event)

    def event(self, event: QEvent) -> bool:
        pinch = pinch_of(event, self)
        if pinch is not None:
            factor, at = pinch
            self._place(self._placement.refitted() if factor == 0 else self._placement.zoomed(factor, at))
            return True
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            lets_go = self.is_arrangeable and (self._selected is not None or self._gesture is not None)
            if event.key() == Qt.Key.Key_Escape and lets_go:
                event.accept()  # before the window takes it: it stops a render
                return True
        return super().event(event)

    # Keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        held = event.modifiers() & ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier)
        if held or not self.is_arrangeable or not self._pressed(Qt.Key(event.key()), event):
            super().keyPressEvent(event)

    def _pressed(self, key: Qt.Key, event: QKeyEvent) -> bool:
        """Do what a key means here; False if nothing."""
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        placed = self.selected
        if key == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self._space, self._panned = True, False
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.walk(-1 if shift else 1)
        elif placed is None:
            if key not in (Qt.Key.Key_Up, Qt.Key.Key_Down):
                return False
            self.walk(1 if key == Qt.Key.Key_Down else -1)
        elif key == Qt.Key.Key_Escape:
            self._let_go()
        elif key in _ARROWS:
            across, down = _ARROWS[key]
            pixels = NUDGES[1 if shift else 0] / placed.side
            x, y = placed.wanted.move
            self._adjust(placed, replace(placed.wanted, move=(x + across * pixels, y + down * pixels)), "nudge")
        elif key in _SCALES:
            scale = placed.wanted.scale * SCALE_STEP ** _SCALES[key]
            self._adjust(placed, replace(placed.wanted, scale=scale), "scale")
        elif key == Qt.Key.Key_R:
            turn = placed.wanted.turn + (TURN_STEP if shift else -TURN_STEP)
            self._adjust(placed, replace(placed.wanted, turn=turn), "turn")
        elif key in _COMMANDS:
            self.asked.emit(_COMMANDS[key], placed.key)
        else:
            return False
        return True

    def _adjust(self, placed: PlacedLayer, adjustment: Adjustment, gesture: str) -> None:
        self.adjusted.emit(placed.key, adjustment, f"{gesture} {placed.key}")

    def _let_go(self) -> None:
        """Give up the drag, or the selection."""
        gesture, self._gesture, self._press = self._gesture, None, None
        if gesture is not None:
            self.adjusted.emit(gesture.placed.key, gesture.placed.wanted, gesture.name)
        else:
            self.select(None)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and self._space and not event.isAutoRepeat():
            self._space = False
            if not self._panned:
                self.walk(-1 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1)
        else:
            super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._space = False

    def _show_ring(self, ring: bool) -> None:
        if ring != self._ring:
            self._ring = ring
            self.update()


class _Press:
    """Where the pointer went down: on which handle, what a drag from there moves and what a click there selects."""

    def __init__(self, pos: QPointF, handle: Handle | None, drags: PartKey | None, selects: PartKey | None) -> None:
        self.pos, self.handle, self.drags, self.selects = pos, handle, drags, selects


_WINDING: Final = Qt.FillRule.WindingFill
_ARROWS: Final = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}
_SCALES: Final = {
    Qt.Key.Key_Plus: 1,
    Qt.Key.Key_Equal: 1,
    Qt.Key.Key_Period: 1,
    Qt.Key.Key_Minus: -1,
    Qt.Key.Key_Underscore: -1,
    Qt.Key.Key_Comma: -1,
}
_COMMANDS: Final[dict[Qt.Key, Command]] = {
    Qt.Key.Key_M: "mirror",
    Qt.Key.Key_PageUp: "forward",
    Qt.Key.Key_PageDown: "back",
    Qt.Key.Key_H: "hide",
    Qt.Key.Key_0: "reset",
    Qt.Key.Key_Delete: "remove",
    Qt.Key.Key_Backspace: "remove",
}
