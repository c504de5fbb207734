"""A checkpoint of the original PartCraft that was dropped: which one it is, what came with it, and the question."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QLineEdit, QWidget

from engine.hub.dropped import Dropped
from engine.hub.published import PUBLISHED
from partcraft_desktop.widgets.controls import push_button
from partcraft_desktop.widgets.dialog import Dialog, quiet_label

OTHER = "Another one: its parts and codes are numbered"


class CheckpointDialog(Dialog):
    """Asks whether to import a checkpoint. ``agreed(folder, published, title)``: the short name of a published one, or
    empty and a title."""

    agreed = Signal(str, str, str)

    def __init__(self, dropped: Dropped, parent: QWidget | None = None) -> None:
        super().__init__("Import a checkpoint", parent)
        assert dropped.original is not None
        self._folder = dropped.original.folder
        self.add_title("Import this checkpoint?")
        self.column.addWidget(quiet_label(f"{self._folder} holds a checkpoint of the original PartCraft."))
        self.which = QComboBox()
        self.which.setAccessibleName("Which checkpoint it is")
        for published in PUBLISHED:
            self.which.addItem(f"{published.title}, as the authors published them", published.name)
        self.which.addItem(OTHER, "")
        guess = dropped.published.name if dropped.published else ""
        self.which.setCurrentIndex(self.which.findData(guess))
        self.title = QLineEdit(self._folder.parent.name if self._folder.name.startswith("checkpoint-") else "")
        self.title.setPlaceholderText("What the pack is called")
        self.title.setAccessibleName("Title of the pack")
        if not self.title.text():
            self.title.setText(self._folder.name)
        self.column.addWidget(self.which)
        self.column.addWidget(self.title)
        came = (
            "Its file of centroids is there: the pack finds parts in pictures."
            if dropped.original.centroids is not None
            else "No file of centroids (pretrained_kmeans.pth) is near it: the pack learns what its parts look like "
            "from pictures it paints."
        )
        self.column.addWidget(quiet_label(f"{came} The files stay as they are, and no program in them is run."))
        self.take = push_button("Import", self._agree, look="primary")
        self.no = push_button("Not now", self.reject)
        self.add_buttons(self.no, self.take)
        self.which.currentIndexChanged.connect(lambda _: self._refresh())
        self._refresh()
        self.take.setDefault(True)
        self.setMinimumWidth(460)

    def _refresh(self) -> None:
        self.title.setVisible(not self.which.currentData())

    def _agree(self) -> None:
        self.agreed.emit(str(self._folder), self.which.currentData(), self.title.text().strip())
        self.accept()
