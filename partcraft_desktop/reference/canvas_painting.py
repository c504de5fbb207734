"""The picture with its parts as it is seen: placement, layers, label, hint; what was hit. No mouse, no keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QAccessibleEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPixmap,
    QRegion,
    QResizeEvent,
)
from PySide6.QtWidgets import QWidget

from engine.core.segmentation import Segmentation
from partcraft_desktop.reference.overlay_layers import OverlayLayers
from partcraft_desktop.reference.part_label import PartLabel, draw_focus, draw_hint, hint_area
from partcraft_desktop.widgets.images import PictureLevels
from partcraft_desktop.widgets.part_outlines import PartShape
from partcraft_desktop.widgets.picture_room import MARGIN
from partcraft_desktop.widgets.placement import Placement, rects_of


class CanvasPainting(QWidget):
    """Shows one picture and its parts.

    ``lit_changed(part or None)``: another part is lit; ``zoomed()``: the picture is seen at another scale or place.
    """

    lit_changed = Signal(object)
    zoomed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(160, 120)
        self._levels: PictureLevels | None = None
        self._segmentation: Segmentation | None = None
        self._shapes: Mapping[int, PartShape] = {}
        self._labels: Mapping[int, PartLabel] = {}
        self._chosen: frozenset[int] = frozenset()
        self._placement = Placement.fitted(1, 1, self.width(), self.height(), MARGIN)
        self._layers: OverlayLayers | None = None
        self._lit: int | None = None
        self._bare = False
        self._ring = False
        self._hint: tuple[int, str] | None = None
        # Lit parts are painted ahead, one each time nothing else is to do, so that the first hover is quick too.
        self._ahead = QTimer(self, interval=0)
        self._ahead.timeout.connect(self._paint_ahead)

    # What is shown

    def show_picture(
        self,
        levels: PictureLevels | None,
        segmentation: Segmentation | None = None,
        shapes: Mapping[int, PartShape] | None = None,
        labels: Mapping[int, PartLabel] | None = None,
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
        for changed_part in (before, part):
            if changed_part is not None:
                region += self._dirty(changed_part)
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
            self._layers = OverlayLayers(
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
        visible_rect = self._placement.rect_to_view(self._shapes[part].bounds).intersected(QRectF(self.rect()))
        return self._labels[part].rect(self.font(), visible_rect, inside)

    def _label_room(self) -> QRectF:
        return QRectF(self.rect()).adjusted(6, 6, -6, -6)

    def _hint_area(self) -> QRect:
        if self._hint is None:
            return QRect()
        part, text = self._hint
        at = self._placement.to_view(self._shapes[part].anchor)
        return hint_area(self.font(), text, at, QRectF(self.rect())).toAlignedRect()

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

    def _paint_parts(self, painter: QPainter, layers: OverlayLayers, region: QRegion) -> None:
        if self._lit is not None:
            # Each pixel is copied once, from the layer that holds it.
            pixmap, rect = layers.lit(self._lit)
            for dirty_rect in rects_of(region.intersected(rect)):
                _copy(painter, dirty_rect, pixmap, rect.topLeft())
            region -= rect
        for dirty_rect in rects_of(region):
            _copy(painter, dirty_rect, layers.marked, QPoint(0, 0))
        if self._lit is not None:
            label = self._labels[self._lit]
            room = self._label_room().width()
            label.paint(painter, self._label_rect(self._lit), room, self.palette(), self._lit in self._chosen)
        elif self._hint is not None:
            part, text = self._hint
            at = self._placement.to_view(self._shapes[part].anchor)
            draw_hint(painter, text, at, QRectF(self.rect()), self.palette())

    def _announce(self) -> None:
        """Tell assistive tools which part is lit, only while the keys are here: a pointer needs no voice."""
        if self._lit is None or self._lit not in self._labels:
            self.setAccessibleDescription(self._hint[1] if self._hint else "")
            return
        label = self._labels[self._lit]
        position = f"{list(self._shapes).index(self._lit) + 1} of {len(self._shapes)}"
        chosen = ", chosen" if self._lit in self._chosen else ""
        description = f"{label.name}, {label.code}{chosen}, {position}"
        self.setAccessibleDescription(description)
        if self.hasFocus() and QAccessible.isActive():
            QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.DescriptionChanged))
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, description))

    # The rest

    def _show_ring(self, ring: bool) -> None:
        if ring != self._ring:
            self._ring = ring
            self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._placement = self._placement.resized(self.width(), self.height())
        self._relayer()
        self.zoomed.emit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._relayer()


def _whole(rect: QRectF) -> QRect:
    return rect.toAlignedRect().adjusted(-2, -2, 2, 2)


def _copy(painter: QPainter, rect: QRect, layer: QPixmap, origin: QPoint) -> None:
    """Copy a rectangle of the view from a layer whose corner is at ``origin``."""
    ratio = layer.devicePixelRatio()
    at = rect.topLeft() - origin
    source = QRectF(at.x() * ratio, at.y() * ratio, rect.width() * ratio, rect.height() * ratio)
    painter.drawPixmap(QRectF(rect), layer, source)
