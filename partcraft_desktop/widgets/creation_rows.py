"""Creations as rows of a list: rows that stay are where they were, also when thousands come or go."""

from __future__ import annotations

from abc import abstractmethod
from itertools import groupby
from typing import Final

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject

from engine.core.recipe import Creation

MOST_RUNS: Final = 32
"""So many runs of neighbours come or go one by one; where there are more, all rows are shown anew, which is less."""


class CreationRows(QAbstractListModel):
    """Creations, newest first, behind ``first`` rows of other things."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.creations: tuple[Creation, ...] = ()
        self._places: dict[str, int] = {}  # of the creations, by path

    @property
    @abstractmethod
    def first(self) -> int:
        """The row of the newest creation."""

    def show_creations(self, creations: tuple[Creation, ...]) -> None:
        """Show other creations; rows that stay keep their selection, unless very many come or go."""
        old = self.creations
        if creations is old or creations == old:
            return
        known_paths = {creation.path for creation in old}
        new = [row for row, creation in enumerate(creations) if creation.path not in known_paths]
        runs = _runs(new) if tuple(c for c in creations if c.path in known_paths) == old else []
        if 0 < len(runs) <= MOST_RUNS:
            for low, high in runs:
                self.beginInsertRows(QModelIndex(), low + self.first, high + self.first)
                self._take((*self.creations[:low], *creations[low : high + 1], *self.creations[low:]))
                self.endInsertRows()
            return
        kept_paths = {creation.path for creation in creations}
        gone = [row for row, creation in enumerate(old) if creation.path not in kept_paths]
        runs = _runs(gone) if tuple(c for c in old if c.path in kept_paths) == creations else []
        if 0 < len(runs) <= MOST_RUNS:
            for low, high in reversed(runs):
                self.beginRemoveRows(QModelIndex(), low + self.first, high + self.first)
                self._take(self.creations[:low] + self.creations[high + 1 :])
                self.endRemoveRows()
            return
        self.beginResetModel()
        self._take(creations)
        self.endResetModel()

    def index_of(self, path: str) -> QModelIndex:
        """The row of a creation's file; invalid if it has none."""
        place = self._places.get(path)
        return self.index(place + self.first) if place is not None else QModelIndex()

    def repaint(self, path: str, _failure: object = None) -> None:
        """Repaint the tile of a file."""
        at = self.index_of(path)
        if at.isValid():
            self.dataChanged.emit(at, at)

    def _take(self, creations: tuple[Creation, ...]) -> None:
        self.creations = creations
        self._places = {creation.path: place for place, creation in enumerate(creations)}


def _runs(rows: list[int]) -> list[tuple[int, int]]:
    """The first and last of neighbouring rows, ascending."""
    grouped = (list(group) for _, group in groupby(enumerate(rows), lambda pair: pair[1] - pair[0]))
    return [(group[0][1], group[-1][1]) for group in grouped]
