"""The creature under the hand: its parts are selected, dragged, scaled and turned, by pointer or by keys."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from engine.collage.arrangement import Adjustment, PartKey
from partcraft_desktop.creature.part_gesture import Gesture
from partcraft_desktop.creature.part_handles import Handle
from partcraft_desktop.creature.parts_canvas import PartsCanvas
from partcraft_desktop.creature.placed_layers import PlacedLayer
from partcraft_desktop.widgets.pinch import pinch_of

Command = Literal["anew", "keep", "mirror", "forward", "back", "hide", "reset", "remove"]

DRAG_DISTANCE: Final = 3.0
"""Logical pixels after which a press is a drag."""
SCALE_STEP: Final = 1.05
TURN_STEP: Final = 5.0
NUDGES: Final = (1, 10)
"""Pixels of the full collage that an arrow key moves a part, and with Shift."""


class ArrangeCanvas(PartsCanvas):
    """Shows a collage; says how a person arranges its parts.

    ``adjusted(key, adjustment, gesture)``: a part is wanted elsewhere; ``asked(command, key)``: something else shall be
    done to it.
    """

    adjusted = Signal(object, object, str)
    asked = Signal(str, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.grabGesture(Qt.GestureType.PinchGesture)
        self._press: _Press | None = None
        self._panning: QPointF | None = None
        self._space = self._panned = False

    def _end_gesture(self) -> None:
        super()._end_gesture()
        self._press = None

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
        upper = self._part_at(pos)
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
            self._end_gesture()
            self._announce(aloud=True)
        elif press is not None and press.handle is None:
            self.select(press.selects)
        self._hover(event.position())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.is_arrangeable:
            if self._part_at(event.position()) is None:
                self.fit()
            self.mousePressEvent(event)
        else:
            super().mouseDoubleClickEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._light(None)

    def _hover(self, pos: QPointF) -> None:
        point = self._placement.to_picture(pos)
        upper = self._part_at(pos)
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
            if factor == 0:
                self.fit()
            else:
                self.zoom(factor, at)
            return True
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._takes(event):
            event.accept()  # before a shortcut of the window takes it: Esc stops a render, Del deletes a creation
            return True
        return super().event(event)

    # Keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._takes(event):
            self._do(Qt.Key(event.key()), event)
        else:
            super().keyPressEvent(event)

    def _takes(self, event: QKeyEvent) -> bool:
        """Whether a key means something here, now."""
        held = event.modifiers() & ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier)
        if held or not self.is_arrangeable:
            return False
        return event.key() in (_WALKING if self.selected is None else _OF_A_PART)

    def _do(self, key: Qt.Key, event: QKeyEvent) -> None:
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        placed = self.selected
        if key == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self._space, self._panned = True, False
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.walk(-1 if shift else 1)
        elif placed is None:
            self.walk(1 if key == Qt.Key.Key_Down else -1)
        elif key == Qt.Key.Key_Escape:
            self._let_go()
        elif key in _ARROWS:
            across, down = _ARROWS[key]
            pixels = NUDGES[1 if shift else 0] / placed.full_side
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

    def _adjust(self, placed: PlacedLayer, adjustment: Adjustment, gesture: str) -> None:
        self.adjusted.emit(placed.key, adjustment, f"{gesture} {placed.key}")

    def _let_go(self) -> None:
        """Give up the drag, or the selection."""
        gesture = self._gesture
        self._end_gesture()
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
    Qt.Key.Key_N: "anew",
    Qt.Key.Key_K: "keep",
    Qt.Key.Key_M: "mirror",
    Qt.Key.Key_PageUp: "forward",
    Qt.Key.Key_PageDown: "back",
    Qt.Key.Key_H: "hide",
    Qt.Key.Key_0: "reset",
    Qt.Key.Key_Delete: "remove",
    Qt.Key.Key_Backspace: "remove",
}
_WALKING: Final = frozenset(
    {Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Up, Qt.Key.Key_Down}
)  # fmt: skip
_OF_A_PART: Final = _WALKING | _ARROWS.keys() | _SCALES.keys() | _COMMANDS.keys() | {Qt.Key.Key_R, Qt.Key.Key_Escape}
