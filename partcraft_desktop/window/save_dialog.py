"""The file dialog in which a person says where and as what a picture is saved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from partcraft_desktop.app.layer_files import ALL_KINDS, SaveKind
from partcraft_desktop.app.settings import Settings


class SaveDialog(QFileDialog):
    """Proposes a name in the folder and as the kind that were chosen last. ``chosen(path, kind)``: what was decided,
    which is remembered."""

    chosen = Signal(object, object)

    def __init__(
        self, title: str, name: str, settings: Settings, parent: QWidget | None, kinds: Sequence[SaveKind] = ALL_KINDS
    ) -> None:
        super().__init__(parent, title, settings.values.save_folder or str(Path.home()))
        self._settings = settings
        self._kinds = kinds
        self._remembers_kind = kinds is ALL_KINDS
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        self.setFileMode(QFileDialog.FileMode.AnyFile)
        self.setNameFilters([kind.filter for kind in kinds])
        kind = next((kind for kind in kinds if kind.name == settings.values.save_kind), kinds[0])
        self.selectNameFilter(kind.filter)
        self.setDefaultSuffix(kind.suffix[1:])
        self.selectFile(name + kind.suffix)
        self.filterSelected.connect(lambda _: self.setDefaultSuffix(self.kind.suffix[1:]))
        self.fileSelected.connect(self._decide)

    @property
    def kind(self) -> SaveKind:
        """The kind that is chosen in the list."""
        selected = self.selectedNameFilter()
        return next((kind for kind in self._kinds if kind.filter == selected), self._kinds[0])

    def _decide(self, file: str) -> None:
        path, kind = Path(file), self.kind
        changes = {"save_folder": str(path.parent)} | ({"save_kind": kind.name} if self._remembers_kind else {})
        self._settings.set(**changes)
        self.chosen.emit(path, kind)
