"""The picture with its parts, large: hover lights a part, a click takes it; zoom, pan, keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QAccessibleEvent,
    QFocusEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPixmap,
    QRegion,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QGestureEvent, QPinchGesture, QWidget

from engine.segmentation import Segmentation
from partcraft_desktop.geometry import Placement, rects_of
from partcraft_desktop.images import Levels
from partcraft_desktop.labels import Label, draw_focus, draw_hint, hint_rect
from partcraft_desktop.outlines import PartShape
from partcraft_desktop.overlay import Layers

MARGIN: Final = 16.0
ZOOM_STEP: Final = 1.25
PAN_STEP: Final = 64.0


class PictureCanvas(QWidget):
    """Shows one picture and its parts; says what a person does with them.

    ``toggled(part)``: taken, or put back; ``lit_changed(part or None)``: the part under the pointer or the keys;
    ``zoomed()``: the picture is seen at another scale; ``drag_wanted(part or None)``: a drag began on a part or
    beside all parts.
    """

    toggled = Signal(int)
    lit_changed = Signal(object)
    zoomed = Signal()
    drag_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.grabGesture(Qt.GestureType.PinchGesture)
        self.setMinimumSize(160, 120)
        self._levels: Levels | None = None
        self._segmentation: Segmentation | None = None
        self._shapes: Mapping[int, PartShape] = {}
        self._labels: Mapping[int, Label] = {}
        self._chosen: frozenset[int] = frozenset()
        self._placement = Placement.fitted(1, 1, self.width(), self.height(), MARGIN)
        self._layers: Layers | None = None
        self._lit: int | None = None
        self._bare = False
        self._hint: tuple[int, str] | None = None
        self._pressed: QPointF | None = None
        self._panning: QPointF | None = None
        self._panned = False
        self._space = False
        self._ring = False
        # Highlights are painted ahead, one each time nothing else is to do, so that the first hover is quick too.
        self._ahead = QTimer(self, interval=0)
        self._ahead.timeout.connect(self._paint_ahead)

    # What is shown

    def show_picture(
        self,
        levels: Levels | None,
        segmentation: Segmentation | None = None,
        shapes: Mapping[int, PartShape] | None = None,
        labels: Mapping[int, Label] | None = None,
    ) -> None:
        """Show a picture with its parts; another segmentation of the same picture keeps zoom and place.

        ``shapes`` and ``labels`` have the same keys; ``segmentation`` has the picture's own resolution.
        """
        same = levels is not None and self._levels is levels
        self._levels, self._segmentation = levels, segmentation
        self._shapes, self._labels = shapes or {}, labels or {}
        if levels is not None and not same:
            self._placement = Placement.fitted(levels.width, levels.height, self.width(), self.height(), MARGIN)
        if self._lit not in self._shapes:
            self._lit = None
            self.lit_changed.emit(None)
        self._chosen &= set(self._shapes)
        self._pressed = None
        self._relayer()
        self.zoomed.emit()

    def set_chosen(self, parts: Iterable[int]) -> None:
        """Mark the parts that were taken from this picture."""
        self._chosen = frozenset(parts) & set(self._shapes)
        if self._layers is not None:
            changed = self._layers.choose(self._chosen)
            if not changed.isEmpty():
                self._ahead.start(60)
                self.update(changed + self._label_area())

    def set_hint(self, text: str) -> None:
        """Point at a part with a sentence until :meth:`set_hint` is called with an empty one."""
        part = max(self._shapes, key=self._size_of, default=None) if text else None
        hint = None if part is None else (part, text)
        if hint != self._hint:
            self._hint = hint
            self._announce()
            self.update()

    def set_bare(self, bare: bool) -> None:
        """Show the picture without its overlay for as long as ``bare``."""
        if bare != self._bare:
            self._bare = bare
            self.update()

    @property
    def lit(self) -> int | None:
        """The part under the pointer or the keys."""
        return self._lit

    @property
    def placement(self) -> Placement:
        """Where the picture lies in the view."""
        return self._placement

    def light(self, part: int | None) -> None:
        """Light a part as if the pointer were on it."""
        if part == self._lit or (part is not None and part not in self._shapes):
            return
        before, self._lit = self._lit, part
        region = QRegion()
        for each in (before, part):
            if each is not None:
                region += self._dirty(each)
        if self._hint:
            region += self._hint_area()
        self.update(region)
        self._announce()
        self.lit_changed.emit(part)

    def part_at(self, point: QPointF) -> int | None:
        """The part seen at a point of the view."""
        if self._segmentation is None or self._levels is None:
            return None
        part = self._segmentation.part_at(*self._placement.pixel_at(point))
        return part if part in self._shapes else None

    def centre_of(self, part: int) -> QPoint | None:
        """Where a part's innermost point is seen, or None if the picture has no such part."""
        shape = self._shapes.get(part)
        return self._placement.to_view(shape.anchor).toPoint() if shape else None

    def cut_out(self, part: int) -> QPixmap:
        """A part as it is seen now, alone on transparent ground; null where it is out of view."""
        if self._layers is None or part not in self._shapes:
            return QPixmap()
        return self._layers.cut_out(part)

    def _size_of(self, part: int) -> float:
        bounds = self._shapes[part].bounds
        return bounds.width() * bounds.height()

    # Zoom and place

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Enlarge about a point of the view, or about its middle."""
        self._place(self._placement.zoomed(factor, at or QPointF(self.width() / 2, self.height() / 2)))

    def fit(self) -> None:
        """Show the whole picture."""
        self._place(self._placement.refitted())

    def _place(self, placement: Placement) -> None:
        if placement == self._placement:
            return
        self._placement = placement
        self._relayer()
        self.zoomed.emit()

    def _relayer(self) -> None:
        self._layers = None
        if self._levels is not None:
            colours = {part: self._labels[part].colour for part in self._shapes}
            ground = self.palette().color(QPalette.ColorRole.Window)
            self._layers = Layers(
                self._placement, self.devicePixelRatioF(), self._levels, self._shapes, colours, ground
            )
            self._layers.choose(self._chosen)
            self._ahead.start(60)
        self.update()

    def _paint_ahead(self) -> None:
        self._ahead.setInterval(0)
        if self._layers is None or not self._layers.paint_next():
            self._ahead.stop()

    # Painting

    def _dirty(self, part: int) -> QRegion:
        """What has to be painted again when a part is lit or no longer."""
        if self._layers is None:
            return QRegion(self.rect())
        return QRegion(self._layers.area(part)) + _whole(self._label_rect(part))

    def _label_area(self) -> QRegion:
        return QRegion() if self._lit is None else QRegion(_whole(self._label_rect(self._lit)))

    def _label_rect(self, part: int) -> QRectF:
        inside = self._label_room()
        seen = self._placement.rect_to_view(self._shapes[part].bounds).intersected(QRectF(self.rect()))
        return self._labels[part].rect(self.font(), seen, inside)

    def _label_room(self) -> QRectF:
        return QRectF(self.rect()).adjusted(6, 6, -6, -6)

    def _hint_area(self) -> QRect:
        if self._hint is None:
            return QRect()
        part, text = self._hint
        at = self._placement.to_view(self._shapes[part].anchor)
        return hint_rect(self.font(), text, at, QRectF(self.rect())).toAlignedRect().adjusted(-24, -24, 24, 24)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        layers = self._layers
        if layers is None:
            painter.fillRect(event.rect(), self.palette().color(QPalette.ColorRole.Window))
            return
        if layers.ratio != self.devicePixelRatioF():
            self._relayer()
            layers = self._layers
            assert layers is not None
        if self._bare:
            painter.drawPixmap(0, 0, layers.picture)
        else:
            self._paint_parts(painter, layers, event.region())
        if self._ring:
            draw_focus(painter, self._placement.rect.intersected(QRectF(self.rect())), self.palette())

    def _paint_parts(self, painter: QPainter, layers: Layers, region: QRegion) -> None:
        if self._lit is not None:
            # Each pixel is copied once, from the layer that holds it.
            pixmap, rect = layers.lit(self._lit)
            for seen in rects_of(region.intersected(rect)):
                _copy(painter, seen, pixmap, rect.topLeft())
            region -= rect
        for seen in rects_of(region):
            _copy(painter, seen, layers.marked, QPoint(0, 0))
        if self._lit is not None:
            label = self._labels[self._lit]
            room = self._label_room().width()
            label.paint(painter, self._label_rect(self._lit), room, self.palette(), self._lit in self._chosen)
        elif self._hint is not None:
            part, text = self._hint
            at = self._placement.to_view(self._shapes[part].anchor)
            draw_hint(painter, text, at, QRectF(self.rect()), self.palette())

    # Pointer

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        here = event.position()
        if self._panning is not None:
            moved = here - self._panning
            self._panning = here
            self._panned = True
            self._place(self._placement.moved(moved.x(), moved.y()))
            return
        if self._pressed is not None:
            far = (here - self._pressed).manhattanLength() >= QApplication.startDragDistance()
            if far and self._placement.is_fitted:
                part = self.part_at(self._pressed)
                self._pressed = None
                self.drag_wanted.emit(part)
            elif far:
                start, self._pressed = self._pressed, None
                self._panning = start
                self.setCursor(Qt.CursorShape.ClosedHandCursor)
                self.mouseMoveEvent(event)
            return
        self._hover(here)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        here = event.position()
        self._show_ring(False)
        if event.button() == Qt.MouseButton.MiddleButton or (
            event.button() == Qt.MouseButton.LeftButton and self._space
        ):
            self._panning, self._panned = here, self._space
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        elif event.button() == Qt.MouseButton.LeftButton:
            self._pressed = here

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._panning is not None:
            self._panning = None
            self._hover(event.position())
        elif event.button() == Qt.MouseButton.LeftButton and self._pressed is not None:
            # Where it was pressed counts: a hand that trembles on the way up still means the same part.
            part = self.part_at(self._pressed)
            self._pressed = None
            if part is not None:
                self.light(part)
                self.toggled.emit(part)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if self._placement.is_fitted:
            return  # The first click said it; a second one by habit takes nothing back.
        part = self.part_at(event.position())
        if part is not None:
            self.toggled.emit(part)  # The first click of the two was not meant for the part.
        self.fit()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.set_bare(False)
        self.light(None)

    def _hover(self, here: QPointF) -> None:
        part = self.part_at(here)
        self.light(part)
        if self._space:
            shape = Qt.CursorShape.OpenHandCursor
        elif part is not None:
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
        elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            across = turned.x() or turned.y()
            self._place(self._placement.moved(across / 2, 0))
        else:
            # Some desktops turn the wheel sideways while Alt is held.
            self.zoom(2 ** ((turned.y() or turned.x()) / 480), event.position())
        self._hover(event.position())
        event.accept()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QNativeGestureEvent):
            if event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
                self.zoom(1 + event.value(), event.position())
                return True
            if event.gestureType() == Qt.NativeGestureType.SmartZoomNativeGesture:
                self.fit()
                return True
        elif isinstance(event, QGestureEvent):
            pinch = event.gesture(Qt.GestureType.PinchGesture)
            if isinstance(pinch, QPinchGesture):
                self.zoom(pinch.scaleFactor(), QPointF(self.mapFromGlobal(pinch.centerPoint().toPoint())))
                return True
        return super().event(event)

    # Keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if control and key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom(ZOOM_STEP)
        elif control and key == Qt.Key.Key_Minus:
            self.zoom(1 / ZOOM_STEP)
        elif control and key == Qt.Key.Key_0:
            self.fit()
        elif arrow := _ARROWS.get(Qt.Key(key)):
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self._place(self._placement.moved(-arrow[0] * PAN_STEP, -arrow[1] * PAN_STEP))
            else:
                self._walk(sum(arrow))
        elif key == Qt.Key.Key_Home:
            self._walk(0, 0)
        elif key == Qt.Key.Key_End:
            self._walk(0, -1)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._take()
        elif key == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self._space, self._panned = True, False
        elif key == Qt.Key.Key_Escape and (self._lit is not None or not self._placement.is_fitted):
            if self._lit is not None:
                self.light(None)
            else:
                self.fit()
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and self._space and not event.isAutoRepeat():
            self._space = False
            if not self._panned:
                self._take()
        else:
            super().keyReleaseEvent(event)

    def _walk(self, step: int, at: int | None = None) -> None:
        parts = list(self._shapes)
        if not parts:
            return
        if at is None:
            at = 0 if step > 0 else -1
            if self._lit is not None:
                at = (parts.index(self._lit) + step) % len(parts)
        self._show_ring(True)
        self.light(parts[at])

    def _take(self) -> None:
        if self._lit is not None:
            self.toggled.emit(self._lit)
            QTimer.singleShot(0, self._announce)

    def _announce(self) -> None:
        """Tell assistive tools which part is lit, only while the keys are here: a pointer needs no voice."""
        if self._lit is None or self._lit not in self._labels:
            self.setAccessibleDescription(self._hint[1] if self._hint else "")
            return
        label = self._labels[self._lit]
        place = f"{list(self._shapes).index(self._lit) + 1} of {len(self._shapes)}"
        chosen = ", chosen" if self._lit in self._chosen else ""
        said = f"{label.name}, {label.code}{chosen}, {place}"
        self.setAccessibleDescription(said)
        if self.hasFocus() and QAccessible.isActive():
            QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.DescriptionChanged))
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, said))

    # The rest

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._show_ring(event.reason() in _BY_KEYS)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._space = False
        self._show_ring(False)

    def _show_ring(self, ring: bool) -> None:
        if ring != self._ring:
            self._ring = ring
            self.update()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.window().installEventFilter(self)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.window().removeEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # Alt reaches the window when whoever has the focus does not want it.
        if isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Alt:
            down = event.type() == QEvent.Type.KeyPress
            self.set_bare(down and (self.underMouse() or self.hasFocus()))
        elif event.type() == QEvent.Type.WindowDeactivate:
            self.set_bare(False)
        return False

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._placement = self._placement.resized(self.width(), self.height())
        self._relayer()
        self.zoomed.emit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._relayer()


_ARROWS: Final = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}
_BY_KEYS: Final = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)


def _whole(rect: QRectF) -> QRect:
    return rect.toAlignedRect().adjusted(-2, -2, 2, 2)


def _copy(painter: QPainter, rect: QRect, layer: QPixmap, origin: QPoint) -> None:
    """Copy a rectangle of the view from a layer whose corner is at ``origin``."""
    ratio = layer.devicePixelRatio()
    at = rect.topLeft() - origin
    source = QRectF(at.x() * ratio, at.y() * ratio, rect.width() * ratio, rect.height() * ratio)
    painter.drawPixmap(QRectF(rect), layer, source)
