"""The rows of the creature's strip: the collage, the running render, the creations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QModelIndex, QObject, Qt
from PySide6.QtGui import QPixmap

from engine.core.recipe import Creation
from partcraft_desktop.app.state import RenderStatus
from partcraft_desktop.creature.on_show import Here, Item
from partcraft_desktop.widgets.creation_rows import CreationRows
from partcraft_desktop.widgets.tile_delegate import Index


class CreatureStripModel(CreationRows):
    """Row 0 is the collage, row 1 the running render, if any; then the creations, newest first. ``words(item)`` says
    what an item is."""

    def __init__(self, words: Callable[[Item], str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._words = words
        self.render: RenderStatus | None = None
        self.unseen: frozenset[str] = frozenset()
        self.collage = QPixmap()
        self.preview = QPixmap()

    def show(self, render: RenderStatus | None, creations: tuple[Creation, ...], unseen: frozenset[str]) -> None:
        """Show other rows; those that stay are where they were."""
        self._show_render(render)
        self.show_creations(creations)
        if unseen != self.unseen:
            changed, self.unseen = unseen ^ self.unseen, unseen
            for path in changed:
                self.repaint(path)

    def set_pictures(self, collage: QPixmap | None = None, preview: QPixmap | None = None) -> None:
        """Take a new small picture of the collage or of the running render; null for none."""
        self.collage = self.collage if collage is None else collage
        self.preview = self.preview if preview is None else preview
        self.dataChanged.emit(self.index(0), self.index(self.first - 1))

    def item(self, row: int) -> Item | None:
        """What a row shows."""
        if row == 0:
            return Here.COLLAGE
        if row == 1 and self.render is not None:
            return Here.RENDER
        row -= self.first
        return self.creations[row] if 0 <= row < len(self.creations) else None

    def row_of(self, item: Item) -> int:
        """The row that shows an item, -1 for none."""
        if isinstance(item, Creation):
            return self.index_of(item.path).row()
        return 0 if item is Here.COLLAGE else 1 if self.render is not None else -1

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - the signature Qt calls
        return 0 if parent.isValid() else self.first + len(self.creations)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        item = self.item(index.row())
        if item is not None and role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            new = isinstance(item, Creation) and item.path in self.unseen
            return f"New: {self._words(item)}" if new else self._words(item)
        return None

    @property
    def first(self) -> int:
        return 2 if self.render is not None else 1

    def _show_render(self, render: RenderStatus | None) -> None:
        if render is not None and self.render is None:
            self.beginInsertRows(QModelIndex(), 1, 1)
            self.render = render
            self.endInsertRows()
        elif render is None and self.render is not None:
            self.beginRemoveRows(QModelIndex(), 1, 1)
            self.render, self.preview = None, QPixmap()
            self.endRemoveRows()
        elif render is not self.render:
            self.render = render
            self.dataChanged.emit(self.index(1), self.index(1))
