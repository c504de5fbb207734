"""How high the gallery is below the pictures: less on a small screen, the least in a short window."""

from __future__ import annotations

from typing import Final

from PySide6.QtWidgets import QSplitter

from partcraft_desktop.gallery.gallery import LOW

SHORT: Final = 640
"""Logical pixels of the window's height below which the gallery gives its room to the pictures above it."""
TALL: Final = 800
"""From this height on the gallery begins higher."""
HIGH: Final = 200
"""The gallery's height in a tall window, until a person chooses another."""


class GalleryRoom:
    """Shares the height of ``splitter`` between the pictures above and the gallery below them."""

    def __init__(self, splitter: QSplitter) -> None:
        self._splitter = splitter
        self._short = False
        self._chosen = HIGH
        splitter.splitterMoved.connect(self._choose)

    @staticmethod
    def first_sizes(height: int) -> list[int]:
        """The heights above and of the gallery in a window of this height, before a person chooses."""
        gallery = HIGH if height >= TALL else LOW
        return [max(1, height - gallery), gallery]

    @property
    def sizes(self) -> list[int]:
        """The heights to remember: what a person chose, not what a short window made of it."""
        return [max(1, sum(self._splitter.sizes()) - self._chosen), self._chosen]

    def restore(self, sizes: list[int]) -> None:
        """Begin with the heights of an earlier window."""
        self._chosen = sizes[1]
        self._splitter.setSizes(sizes)

    def fit(self, height: int) -> None:
        """Take another height of the window: a short one leaves the gallery its least, a higher one gives it back."""
        was_short, self._short = self._short, height < SHORT
        room = self._splitter.height()
        if self._short and not was_short:
            self._splitter.setSizes([room, 1])
        elif not self._short and self._splitter.sizes()[1] != self._chosen:
            self._splitter.setSizes([max(1, room - self._chosen), self._chosen])

    def _choose(self) -> None:
        self._chosen = self._splitter.sizes()[1]
