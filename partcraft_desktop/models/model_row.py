"""A model on the page: what it is, what can be done with it, how far its fetch is."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from partcraft_desktop.app.model_state import FetchStatus, ModelsState
from partcraft_desktop.models.model_texts import RowText, fetch_text
from partcraft_desktop.widgets.controls import ShortLabel, push_button
from partcraft_desktop.widgets.progress import ProgressBar
from partcraft_desktop.widgets.text import quiet
from partcraft_desktop.widgets.theme import UNIT


class ModelRow(QWidget):
    """A model. ``fetch_wanted(row)``: ask what it takes, or go on; ``pause_wanted(id)``, ``discard_wanted(id)``,
    ``show_wanted(id)``: see its folder, ``unpack_wanted(id)``: make a checkpoint in one file usable,
    ``use_wanted(file)``: render with a LoRA."""

    fetch_wanted = Signal(object)
    pause_wanted = Signal(str)
    discard_wanted = Signal(str)
    show_wanted = Signal(str)
    unpack_wanted = Signal(str)
    use_wanted = Signal(str)

    def __init__(self, text: RowText) -> None:
        super().__init__()
        self.text = text
        self.setAccessibleName(f"{text.title}. {text.gives} {text.facts}")
        title = QLabel(text.title)
        title.setTextFormat(Qt.TextFormat.PlainText)
        font = title.font()
        font.setWeight(QFont.Weight.DemiBold)
        title.setFont(font)
        self.facts = ShortLabel(text.facts, quiet=True)
        self.warning = quiet(text.warning)
        self.warning.setVisible(bool(text.warning))
        self.bar = ProgressBar()
        self.how_far = ShortLabel(quiet=True)
        gives = QLabel(text.gives, wordWrap=True)
        gives.setTextFormat(Qt.TextFormat.PlainText)
        gives.setVisible(bool(text.gives))
        words = QVBoxLayout()
        words.setSpacing(2)
        for widget in (title, gives, self.facts, self.warning, self.how_far, self.bar):
            words.addWidget(widget)

        self.fetch = push_button("Go on" if text.kind == "unfinished" else "Fetch…", self._fetch)
        self.fetch.setAccessibleName(f"{'Go on with' if text.kind == 'unfinished' else 'Fetch'} {text.title}")
        self.discard = push_button("Throw away", lambda: self.discard_wanted.emit(text.id), look="flat")
        self.discard.setAccessibleName(f"Throw away what was fetched of {text.title}")
        self.pause = push_button("Pause", lambda: self.pause_wanted.emit(text.id))
        self.pause.setAccessibleName(f"Pause {text.title}")
        self.show_folder = push_button("Show", lambda: self.show_wanted.emit(text.id), look="flat")
        self.show_folder.setAccessibleName(f"Show the folder of {text.title}")
        self.unpack = push_button("Make usable", lambda: self.unpack_wanted.emit(text.id))
        self.unpack.setAccessibleName(f"Make {text.title} usable")
        self.unpack.setToolTip("Writes it into the models folder, as this app opens models; the file stays as it is")
        self.use = push_button("Render with it", lambda: self.use_wanted.emit(text.add_on))
        self.use.setAccessibleName(f"Render with {text.title}")
        self.use.setVisible(bool(text.add_on))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, UNIT, 0, UNIT)
        row.setSpacing(UNIT)
        row.addLayout(words, 1)
        for button in (self.discard, self.fetch, self.pause, self.unpack, self.use, self.show_folder):
            button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
            row.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        self.show_state(None, ModelsState())

    def show_state(self, fetch: FetchStatus | None, models: ModelsState) -> None:
        """Show how far its fetch is, if there is one, whether the hub is being asked for it, or it is unpacked."""
        kind, under_way, asking = self.text.kind, fetch is not None, models.asking == self.text.id
        unpacking = models.unpacking == self.text.id
        self.bar.setVisible(under_way or unpacking)
        self.unpack.setVisible(self.text.unpackable)
        self.unpack.setEnabled(not models.unpacking)
        self.unpack.setText("Unpacking" if unpacking else "Make usable")
        if unpacking:
            self.bar.show_share(models.unpacked, "Unpacking")
        self.how_far.setVisible(under_way)
        self.facts.setVisible(not under_way)
        if fetch is not None:
            words = fetch_text(fetch)
            self.how_far.setText(words)
            self.bar.show_share(fetch.done / fetch.total if fetch.total else 0.0, words)
        self.pause.setVisible(under_way)
        self.pause.setEnabled(fetch is not None and not fetch.pausing)
        self.fetch.setVisible(kind != "here" and not under_way)
        self.fetch.setEnabled(not asking)
        self.fetch.setText("Asking" if asking else "Go on" if kind == "unfinished" else "Fetch…")
        self.discard.setVisible(kind == "unfinished" and not under_way)
        self.show_folder.setVisible(kind == "here")

    def _fetch(self) -> None:
        self.fetch_wanted.emit(self.text)
