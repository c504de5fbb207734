"""The order in which Tab visits the window: as the eye reads it, whenever a widget was made."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QRect, Qt
from PySide6.QtWidgets import QScrollArea, QWidget


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
    stops = [
        widget
        for widget in (area, *area.findChildren(QWidget))
        if widget.window() is window and (widget is focus or _takes_tab(widget))
    ]
    # What can be scrolled stands where its scroll area does, however far it is scrolled.
    units = dict.fromkeys(_scroll_area_of(stop, area) or stop for stop in stops)
    places = {unit: QRect(unit.mapTo(window, unit.rect().topLeft()), unit.size()) for unit in units}
    lines: list[list[QWidget]] = []
    for widget in sorted(places, key=lambda each: (places[each].top(), places[each].left())):
        # Beside each other are those whose middles lie within the first of a line.
        first = places[lines[-1][0]] if lines else QRect()
        if lines and first.top() <= places[widget].center().y() <= first.bottom():
            lines[-1].append(widget)
        else:
            lines.append([widget])
    ordered = [widget for line in lines for widget in sorted(line, key=lambda each: places[each].left())]
    return [stop for unit in ordered for stop in _stops_of(unit, focus)]


def _stops_of(unit: QWidget, focus: QWidget | None) -> list[QWidget]:
    """The unit itself, or what is in a scroll area, which takes no Tab of its own here."""
    content = unit.widget() if isinstance(unit, QScrollArea) and unit is not focus and not _takes_tab(unit) else None
    return [unit] if content is None else _in_lines(content, focus)


def _scroll_area_of(widget: QWidget, area: QWidget) -> QScrollArea | None:
    """The outermost scroll area in ``area`` that a widget is scrolled by; None for one that stays where it is, and for
    what is in an area that takes Tab itself."""
    found, above = None, widget.parentWidget()
    while above is not None and widget is not area and above is not area:
        if isinstance(above, QScrollArea) and not _takes_tab(above):
            found = above
        above = above.parentWidget()
    return found


def _takes_tab(widget: QWidget) -> bool:
    takes = bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)
    return takes and widget.isVisible() and widget.isEnabled() and widget.focusProxy() is None
