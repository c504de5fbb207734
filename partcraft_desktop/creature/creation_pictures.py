"""The creations seen last, read once: going back and forth between them takes no time."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from PySide6.QtCore import QObject, Signal

from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.widgets.images import PictureLevels, read_levels

KEPT: Final = 6


class CreationPictures(QObject):
    """Pictures by path; ``ready(path)``: one was read, or cannot be."""

    ready = Signal(object)

    def __init__(self, readers: BackgroundReader, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._readers = readers
        self._kept: OrderedDict[str, PictureLevels | Exception] = OrderedDict()
        self._reading: set[str] = set()

    def get(self, path: str) -> PictureLevels | Exception | None:
        """A picture, why it cannot be read, or None while it is."""
        if path in self._kept:
            self._kept.move_to_end(path)
            return self._kept[path]
        if path not in self._reading:
            self._reading.add(path)
            self._readers.ask(lambda: read_levels(path), lambda result: self._land(path, result), self)
        return None

    def forget_failures(self) -> None:
        """Try again what could not be read, when it is next asked for."""
        for path in [path for path, kept in self._kept.items() if isinstance(kept, Exception)]:
            del self._kept[path]

    def _land(self, path: str, result: PictureLevels | Exception) -> None:
        self._reading.discard(path)
        self._kept[path] = result
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        self.ready.emit(path)
