"""Work off the Qt thread leaves nothing of the window on another thread."""

from __future__ import annotations

import threading
import weakref
from functools import partial

from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from partcraft_desktop.app.background import BackgroundReader
from tests.desktop.conftest import WAIT


class Widget:
    """Stands for what a closure holds: it notes the thread that frees it."""

    def __init__(self, freed_by: list[int]) -> None:
        weakref.finalize(self, lambda: freed_by.append(threading.get_ident()))

    def read(self) -> int:
        return 1

    def land(self, result: object, landed: list[object]) -> None:
        landed.append(result)


def test_what_a_closure_holds_is_freed_on_the_qt_thread(qtbot: QtBot) -> None:
    readers = BackgroundReader()
    freed_by: list[int] = []
    landed: list[object] = []
    for _ in range(400):
        widget = Widget(freed_by)
        readers.ask(widget.read, partial(widget.land, landed=landed), readers)
        del widget
    qtbot.waitUntil(lambda: len(landed) == 400, timeout=WAIT)
    readers.close()
    assert len(freed_by) == 400 and set(freed_by) == {threading.get_ident()}


def test_what_was_asked_to_be_changed_is_done_though_the_window_closes(qtbot: QtBot) -> None:
    readers = BackgroundReader(threads=1)
    hold, done = threading.Event(), []
    readers.ask(hold.wait, lambda _: None, readers)
    readers.ask(lambda: done.append("read"), lambda _: None, readers)
    readers.ask(lambda: done.append("undo"), lambda _: None, readers, must_finish=True)
    threading.Timer(0.2, hold.set).start()
    readers.close()
    assert done == ["undo"]


def test_a_window_that_goes_while_something_is_read_is_freed_on_the_qt_thread(qtbot: QtBot) -> None:
    freed_by: list[int] = []
    hold, reading = threading.Event(), threading.Event()

    def open_and_close() -> threading.Thread:
        """As a window that is closed and forgotten while a picture of it is still read."""
        readers, owner, widget = BackgroundReader(threads=1), QObject(), Widget(freed_by)
        readers.destroyed.connect(lambda: freed_by.append(threading.get_ident()))

        def read() -> Widget:
            reading.set()
            hold.wait()
            return widget

        readers.ask(read, partial(widget.land, landed=[]), owner)
        reading.wait()
        readers.close()
        return next(thread for thread in threading.enumerate() if thread.name.startswith("readers"))

    thread = open_and_close()
    hold.set()
    thread.join()
    qtbot.waitUntil(lambda: len(freed_by) == 2, timeout=WAIT)
    assert set(freed_by) == {threading.get_ident()}
