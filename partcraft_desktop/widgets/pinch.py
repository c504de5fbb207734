"""Two fingers that scale a picture, on a touch pad or on a touch screen."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QNativeGestureEvent
from PySide6.QtWidgets import QGestureEvent, QPinchGesture, QWidget


def pinch_of(event: QEvent, widget: QWidget) -> tuple[float, QPointF] | None:
    """By which factor and about which point of a widget an event scales; factor 0: all shall be seen. None if it is no
    such event. The widget has to grab ``Qt.GestureType.PinchGesture``."""
    if isinstance(event, QNativeGestureEvent):
        if event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            return 1 + event.value(), event.position()
        if event.gestureType() == Qt.NativeGestureType.SmartZoomNativeGesture:
            return 0.0, event.position()
    elif isinstance(event, QGestureEvent):
        pinch = event.gesture(Qt.GestureType.PinchGesture)
        if isinstance(pinch, QPinchGesture):
            return pinch.scaleFactor(), QPointF(widget.mapFromGlobal(pinch.centerPoint().toPoint()))
    return None
