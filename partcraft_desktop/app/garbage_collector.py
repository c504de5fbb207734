"""Python's cyclic garbage is collected on the Qt thread alone."""

from __future__ import annotations

import gc
from typing import Final

from PySide6.QtCore import QObject, QTimer

EVERY_MS: Final = 500


class GarbageCollector(QObject):
    """Takes the collecting of cyclic garbage over from Python, which does it on whichever thread makes an object at the
    right moment.

    On a reader's thread that can free a widget, or end one of its connections. PySide then holds Qt's lock of
    connections while it waits for the interpreter, and the Qt thread holds the interpreter while it waits for that
    lock: both wait for ever (seen with PySide 6.11 in the tests, once in some hundred windows).
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        self._timer = QTimer(self, interval=EVERY_MS)
        self._timer.timeout.connect(collect_if_due)
        self._timer.start()

    def close(self) -> None:
        """Collect no more. Python does not either from here on: threads that still read would free what is left of the
        window."""
        self._timer.stop()


def collect_if_due() -> None:
    """Collect the oldest generation whose threshold is passed, as Python would have done."""
    due = [generation for generation, (count, most) in enumerate(zip(gc.get_count(), gc.get_threshold(), strict=True))
           if count > most > 0]  # fmt: skip
    if due:
        gc.collect(due[-1])
