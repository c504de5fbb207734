"""The order in which Tab visits the window: as the eye reads it, whenever a widget was made."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QRect, Qt
from PySide6.QtWidgets import QWidget


def tab_stops(areas: Iterable[QWidget], focus: QWidget | None = None) -> list[QWidget]:
    """What takes the keyboard by Tab in some areas of one window: area after area, in each from the top down, and from
    the left where widgets stand beside each other. ``focus`` is among them if it lies there, whatever it takes."""
    return [stop for area in areas if area.isVisible() for stop in _in_lines(area, focus)]


def next_stop(areas: Iterable[QWidget], focus: QWidget | None, forward: bool) -> QWidget | None:
    """The stop after the widget with the keyboard, or before it; the first or last where the keyboard is nowhere in
    these areas; None where nothing takes it."""
    stops = tab_stops(areas, focus)
    at = next((at for at, stop in enumerate(stops) if stop is focus), -1 if forward else 0)
    return stops[(at + (1 if forward else -1)) % len(stops)] if stops else None


def _in_lines(area: QWidget, focus: QWidget | None) -> list[QWidget]:
    window = area.window()
    places = {
        widget: QRect(widget.mapTo(window, widget.rect().topLeft()), widget.size())
        for widget in (area, *area.findChildren(QWidget))
        if widget.window() is window and (widget is focus or _takes_tab(widget))
    }
    lines: list[list[QWidget]] = []
    for widget in sorted(places, key=lambda each: (places[each].top(), places[each].left())):
        # Beside each other are those whose middles lie within the first of a line.
        first = places[lines[-1][0]] if lines else QRect()
        if lines and first.top() <= places[widget].center().y() <= first.bottom():
            lines[-1].append(widget)
        else:
            lines.append([widget])
    return [widget for line in lines for widget in sorted(line, key=lambda each: places[each].left())]


def _takes_tab(widget: QWidget) -> bool:
    takes = bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)
    return takes and widget.isVisible() and widget.isEnabled() and widget.focusProxy() is None
