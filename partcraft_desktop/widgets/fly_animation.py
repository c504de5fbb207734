"""A chosen part flies from where it was seen to where it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QEasingCurve, QPoint, QPointF, QRect, QRectF, QSizeF, Qt, QVariantAnimation
from PySide6.QtGui import QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QWidget

FLY_MS: Final = 150


class FlyAnimation(QWidget):
    """A picture on its way over a window, in the way of nothing; it deletes itself when it has landed."""

    def __init__(
        self, window: QWidget, picture: QPixmap, start: QPoint, end: QRect, landed: Callable[[], None]
    ) -> None:
        """``start`` is the picture's middle, ``end`` where it fits in, both in global coordinates."""
        super().__init__(window)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self._picture = picture
        self._landed = landed
        self._start = QPointF(window.mapFromGlobal(start))
        self._end = QRectF(QRect(window.mapFromGlobal(end.topLeft()), end.size()))
        self._size = picture.deviceIndependentSize()
        self._now = QRectF()
        # An area as large as the way it flies: moving a widget would repaint more.
        reach = QRectF(self._start, QSizeF(0, 0)).united(self._end)
        half = max(self._size.width(), self._size.height()) / 2 + 2
        self.setGeometry(reach.adjusted(-half, -half, half, half).toAlignedRect())
        self._animation = QVariantAnimation(self, startValue=0.0, endValue=1.0, duration=FLY_MS)
        self._animation.setEasingCurve(QEasingCurve.Type.InOutCubic)
        self._animation.valueChanged.connect(self._move)
        self._animation.finished.connect(self._land)
        self._move(0.0)
        self.show()
        self.raise_()
        self._animation.start()

    def _move(self, share: float) -> None:
        fit = min(self._end.width() / self._size.width(), self._end.height() / self._size.height())
        scale = 1 + (fit - 1) * share
        middle = self._start + (self._end.center() - self._start) * share
        before = self._now
        self._now = QRectF(0, 0, self._size.width() * scale, self._size.height() * scale)
        self._now.moveCenter(middle - QPointF(self.pos()))
        self.update(before.united(self._now).toAlignedRect().adjusted(-1, -1, 1, 1))

    def _land(self) -> None:
        self._landed()
        self.hide()
        self.deleteLater()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(self._now, self._picture, QRectF(self._picture.rect()))
