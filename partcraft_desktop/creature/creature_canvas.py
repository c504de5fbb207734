"""The creature as it is seen: a collage's layers or a picture, fitted into its room, zoomed and moved."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from PySide6.QtCore import QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QPainter, QPaintEvent, QPalette, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from engine.collage.layers import Collage, Layer
from partcraft_desktop.creature.layer_images import LayerImages
from partcraft_desktop.widgets.controls import CORNER, paint_ring, rounded
from partcraft_desktop.widgets.images import PictureLevels
from partcraft_desktop.widgets.picture_room import MARGIN
from partcraft_desktop.widgets.placement import Placement, same_shape

ZOOM_STEP: Final = 1.25
BY_KEYS: Final = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)


class CreatureCanvas(QWidget):
    """Shows a collage, or a picture of it. ``zoomed()``: it is seen at another scale or place."""

    zoomed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(160, 120)
        self._images = LayerImages()
        self._collage: Collage | None = None
        self._picture: PictureLevels | None = None
        self._painted: PictureLevels | None = None
        self._painted_box = QRectF(0, 0, 1, 1)
        self._away: frozenset[int] = frozenset()
        self._ring = False
        self._placement = Placement.fitted(1, 1, self.width(), self.height(), MARGIN)

    # What is shown

    @property
    def collage(self) -> Collage | None:
        """The collage on show, or behind the picture that is."""
        return self._collage

    def show_collage(self, collage: Collage | None) -> None:
        """Show a collage; one of the same size keeps zoom and place."""
        self._collage, self._picture = collage, None
        if collage is not None:
            self._images.keep(collage, self._also_painted())
            self._fit_to(collage.width, collage.height)
        self.update()

    def show_picture(self, picture: PictureLevels) -> None:
        """Show a picture in front of the collage, in the same rectangle if it has the same shape."""
        self._picture = picture
        size = picture.width, picture.height
        behind = (self._collage.width, self._collage.height) if self._collage is not None else size
        self._fit_to(*(behind if same_shape(behind, size) else size))
        self.update()

    def show_painted(self, painted: PictureLevels | None, box: QRectF | None = None) -> None:
        """Show the collage as it was painted over its layers, which can be taken hold of all the same; ``box``: where
        on the collage, in shares of its sides (all of it). None: the layers alone."""
        self._painted, self._painted_box = painted, box or QRectF(0, 0, 1, 1)
        self.update()

    def _also_painted(self) -> tuple[Layer, ...]:
        """Layers of an earlier collage that are still painted."""
        return ()

    def set_away(self, parts: Iterable[int]) -> None:
        """Leave these parts out: they are on their way here."""
        away = frozenset(parts)
        if away != self._away:
            self._away = away
            self.update()

    def rect_of(self, part: int) -> QRect | None:
        """Where a part of the collage is seen, in global coordinates; None if it is not."""
        layer = next((layer for layer in self._layers() if layer.part == part), None)
        if layer is None or self._picture is not None:
            return None
        height, width = layer.image.shape[:2]
        seen = self._placement.rect_to_view(QRectF(layer.left, layer.top, width, height)).toAlignedRect()
        return QRect(self.mapToGlobal(seen.topLeft()), seen.size())

    def _layers(self) -> tuple[Layer, ...]:
        return self._collage.layers if self._collage is not None else ()

    # Zoom and place

    @property
    def placement(self) -> Placement:
        """Where the creature lies in the view."""
        return self._placement

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Enlarge about a point of the view, or about its middle."""
        self._place(self._placement.zoomed(factor, at or QPointF(self.width() / 2, self.height() / 2)))

    def fit(self) -> None:
        """Show all of it."""
        self._place(self._placement.refitted())

    def _fit_to(self, width: int, height: int) -> None:
        if (self._placement.width, self._placement.height) != (width, height):
            self._place(self._placement.of_picture(width, height))

    def _place(self, placement: Placement) -> None:
        if placement != self._placement:
            self._placement = placement
            self.update()
            self.zoomed.emit()

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.SmoothPixmapTransform | QPainter.RenderHint.Antialiasing)
        target = self._placement.rect
        painter.setClipPath(rounded(target, CORNER))
        if self._picture is not None:
            self._picture.draw(painter, target, target.width() / self._picture.width * self.devicePixelRatioF())
        elif self._collage is not None:
            self._paint_collage(painter, self._collage, target)
            if self._painted is not None and not self._away:
                self._paint_painted(painter, self._painted, target)
        painter.setClipping(False)
        self._paint_over(painter)
        if self._ring:
            seen = target.intersected(QRectF(self.rect())).toAlignedRect()
            paint_ring(painter, seen, self.palette().color(QPalette.ColorRole.Highlight))
        painter.end()

    def _paint_collage(self, painter: QPainter, collage: Collage, target: QRectF) -> None:
        self._images.draw_ground(painter, collage, target, self.palette())
        for layer in collage.layers:
            if layer.visible and layer.part not in self._away:
                self._images.draw_layer(painter, layer, self._placement.scale, target.topLeft())

    def _paint_painted(self, painter: QPainter, painted: PictureLevels, target: QRectF) -> None:
        box = self._painted_box
        place = QRectF(
            target.left() + box.left() * target.width(),
            target.top() + box.top() * target.height(),
            box.width() * target.width(),
            box.height() * target.height(),
        )
        painted.draw(painter, place, place.width() / painted.width * self.devicePixelRatioF())

    def _paint_over(self, painter: QPainter) -> None:
        """Paint what lies over the creature and may reach beyond it."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._placement = self._placement.resized(self.width(), self.height())
        self.zoomed.emit()

    # Wheel and keys

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned = event.angleDelta()
        self.zoom(2 ** ((turned.y() or turned.x()) / 480), event.position())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if control and event.key() in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom(ZOOM_STEP)
        elif control and event.key() == Qt.Key.Key_Minus:
            self.zoom(1 / ZOOM_STEP)
        elif control and event.key() == Qt.Key.Key_0:
            self.fit()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._ring = event.reason() in BY_KEYS
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._ring = False
        self.update()
