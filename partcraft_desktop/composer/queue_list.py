"""The queue above the Render button: what is rendered, what waits, how long yet; nothing where nothing waits."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from partcraft_desktop.app.state import QueuedRender, RenderStatus, State
from partcraft_desktop.app.time_left import current_load, doing_text, load_share, queue_text
from partcraft_desktop.composer.queue_row import ROW, QueueRow
from partcraft_desktop.widgets.busy_line import BusyLine
from partcraft_desktop.widgets.controls import ShortLabel, push_button, tool_button
from partcraft_desktop.widgets.progress import ProgressBar
from partcraft_desktop.widgets.theme import UNIT

ROWS_SHOWN: Final = 2.5
ROWS_IN_LITTLE_ROOM: Final = 1.5
"""So many waiting renders are seen at once: the half says that there are more."""
MOST_ROWS: Final = 48
"""The first of a long queue have rows; the others are counted, so that a thousand renders do not stop the window."""


class QueueList(QWidget):
    """``cancel_asked()`` for the running render, ``cancel_all_asked()``; ``go_on_asked()`` and ``clear_asked()`` for
    what is held; ``remove_asked(id)``, ``retry_asked(id)`` and ``moved(id, index)`` for one that waits."""

    cancel_asked = Signal()
    cancel_all_asked = Signal()
    go_on_asked = Signal()
    clear_asked = Signal()
    remove_asked = Signal(int)
    retry_asked = Signal(int)
    moved = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Queue")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._state = State()
        self._told: object = None
        self._rows_shown = ROWS_SHOWN
        self._queue: tuple[QueuedRender, ...] = ()
        self._shown: tuple[QueuedRender, ...] = ()
        self.rows: dict[int, QueueRow] = {}
        self.total = ShortLabel(quiet=True)
        self.cancel_all = push_button("Cancel all", self.cancel_all_asked.emit, look="flat")
        self._heading = _line(self.total, self.cancel_all)
        self.held = ShortLabel(quiet=True)
        self.go_on = push_button("Go on", self.go_on_asked.emit)
        self.clear = push_button("Clear", self.clear_asked.emit, look="flat")
        self._banner = _line(self.held, self.clear, self.go_on)
        self.running = RunningRow()
        self.running.cancel.clicked.connect(lambda: self.cancel_asked.emit())

        self._inner = QWidget()
        self._column = QVBoxLayout(self._inner)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self.more = QLabel(self._inner)
        self.more.setProperty("quiet", True)
        self.more.setFixedHeight(ROW)
        self.more.hide()
        self._column.addWidget(self.more)
        self.area = QScrollArea(widgetResizable=True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(self._inner)
        for see_through in (self.area, self.area.viewport(), self._inner):
            see_through.setAutoFillBackground(False)

        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT // 2)
        for widget in (self._heading, self.running, self._banner, self.area):
            layout.addWidget(widget)
        self._clock = QTimer(self, interval=500)
        self._clock.timeout.connect(self._tell_time)
        self.show_state(State())

    def set_reduced_motion(self, reduced: bool) -> None:
        """Let nothing wander."""
        self.running.busy.set_reduced_motion(reduced)

    def set_little_room(self, little: bool) -> None:
        """Leave more room to what is around the queue."""
        rows = ROWS_IN_LITTLE_ROOM if little else ROWS_SHOWN
        if rows != self._rows_shown:
            self._rows_shown = rows
            self.show_state(self._state)

    def show_state(self, state: State) -> None:
        """Show the running render and what waits."""
        self._state = state
        render, queue = state.render, state.queue
        if queue is not self._queue:
            self._show_rows(queue)
        held = sum(item.held for item in queue)
        several = sum(not item.held for item in queue) + (render is not None) > 1
        self._heading.setVisible(several)
        self._banner.setVisible(held > 0)
        self.held.setText("1 render waits" if held == 1 else f"{held} renders wait")
        self.held.setAccessibleName(self.held.text())
        self.running.setVisible(render is not None)
        self.area.setVisible(bool(queue))
        self.area.setFixedHeight(round(min(len(queue), self._rows_shown) * ROW))
        self.setVisible(render is not None or bool(queue))
        if (render is not None) != self._clock.isActive():
            self._clock.start() if render is not None else self._clock.stop()
        # Every step changes the state: words that changed as often could not be read.
        told = (queue, current_load(state), render and (render.item, render.stage, render.whole, render.cancelling))
        if told != self._told:
            self._told = told
            self._tell_time()
        elif render is not None:
            self.running.show_share(state, render, time.monotonic())

    def _tell_time(self) -> None:
        now = time.monotonic()
        self.total.setText(queue_text(self._state, now))
        self.total.setAccessibleName(self.total.text())
        if self._state.render is not None:
            self.running.show_render(self._state, self._state.render, now)
        else:
            self.running.busy.stop()

    def _show_rows(self, queue: tuple[QueuedRender, ...]) -> None:
        focused = next((id for id, row in self.rows.items() if row.isAncestorOf(self.focusWidget() or self)), None)
        place = next((index for index, item in enumerate(self._shown) if item.id == focused), 0)
        if len(queue) > len(self._queue) and any(item.waits for item in queue):
            text = f"Added to the queue, {len(queue)} wait"
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, text))
        self._queue, count = queue, len(queue)
        queue = self._shown = queue[:MOST_ROWS]
        self.more.setText(f"and {count - len(queue)} more")
        self.more.setVisible(count > len(queue))
        ids = {item.id for item in queue}
        gone = [self.rows.pop(id) for id in list(self.rows) if id not in ids]
        for index, item in enumerate(queue):
            if item.id not in self.rows:
                self.rows[item.id] = self._make_row(item)
            row = self.rows[item.id]
            row.show_item(item, index, count)
            if self._column.indexOf(row) != index:
                self._column.removeWidget(row)
                self._column.insertWidget(index, row)
        self._order_tabs([self.rows[item.id] for item in queue])
        if focused is not None and focused not in self.rows and queue:
            self.rows[queue[min(place, len(queue) - 1)].id].setFocus()
        for row in gone:
            self._column.removeWidget(row)
            row.hide()
            row.deleteLater()
        self._column.activate()  # before the next frame: no gap where a row was

    def _order_tabs(self, rows: Sequence[QueueRow]) -> None:
        stops = [self.go_on, *(stop for row in rows for stop in (row, row.retry, row.remove))]
        for before, after in itertools.pairwise(stops):
            QWidget.setTabOrder(before, after)

    def _make_row(self, item: QueuedRender) -> QueueRow:
        row = QueueRow(item)
        row.remove_asked.connect(self.remove_asked)
        row.retry_asked.connect(self.retry_asked)
        row.moved.connect(self._move)
        row.walked.connect(self._walk)
        row.focused.connect(lambda: self.area.ensureWidgetVisible(row, 0, 0))
        return row

    def _move(self, id: int, index: int) -> None:
        self.moved.emit(id, min(max(index, 0), len(self._shown) - 1))
        self._column.activate()
        self.area.ensureWidgetVisible(self.rows[id], 0, 0)

    def _walk(self, id: int, step: int) -> None:
        index = next(index for index, item in enumerate(self._shown) if item.id == id) + step
        if 0 <= index < len(self._shown):
            self.rows[self._shown[index].id].setFocus()


class RunningRow(QWidget):
    """The render that runs: what it is, how far, how long yet."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = ShortLabel()
        self.doing = ShortLabel(quiet=True)
        self.cancel = tool_button("close", "Cancel", None, "Esc")
        self.bar = ProgressBar()
        self.busy = BusyLine()
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.title)
        words.addWidget(self.doing)
        top = QHBoxLayout()
        top.setSpacing(UNIT // 2)
        top.addLayout(words, 1)
        top.addWidget(self.cancel)
        self._bars = QStackedLayout()
        self._bars.addWidget(self.bar)
        self._bars.addWidget(self.busy)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, UNIT // 2)
        column.setSpacing(UNIT // 2)
        column.addLayout(top)
        column.addLayout(self._bars)

    def show_render(self, state: State, render: RenderStatus, now: float) -> None:
        """Show how far a render is; ``now`` is ``time.monotonic()``."""
        title, text = render.item.title if render.item is not None else "", doing_text(state, now)
        self.title.setText(title)
        self.title.setAccessibleName(f"Rendering: {title}")
        self.doing.setText(text)
        self.doing.setAccessibleName(text)
        self.cancel.setEnabled(not render.cancelling)
        self.cancel.setAccessibleName(f"Cancel {title}")
        self.show_share(state, render, now)

    def show_share(self, state: State, render: RenderStatus, now: float) -> None:
        """Show how far a render is by its bar alone."""
        load, text = current_load(state), self.doing.text()
        share = render.done / render.total if render.total and load is None else None
        share = load_share(load, now) if load is not None else share
        if share is None:
            self._bars.setCurrentWidget(self.busy)
            if not self.busy.running:
                self.busy.start(text)
        else:
            self.busy.stop()
            self._bars.setCurrentWidget(self.bar)
            self.bar.show_share(share, text)


def _line(label: ShortLabel, *buttons: QWidget) -> QWidget:
    line = QWidget()
    row = QHBoxLayout(line)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(UNIT // 2)
    row.addWidget(label, 1)
    for button in buttons:
        button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        row.addWidget(button)
    return line
