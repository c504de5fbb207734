"""The published vocabularies on the page of models: what each gives and needs, and one button that gets it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from engine.core.byte_sizes import byte_size
from engine.hub.catalogue import catalogue_model
from engine.hub.published import PUBLISHED, PublishedPack
from partcraft_desktop.app.model_state import ModelsState
from partcraft_desktop.app.vocabulary_state import VocabulariesState, VocabularyStatus
from partcraft_desktop.models.model_texts import fetch_text
from partcraft_desktop.widgets.controls import ShortLabel, push_button
from partcraft_desktop.widgets.progress import ProgressBar
from partcraft_desktop.widgets.text import heading, quiet
from partcraft_desktop.widgets.theme import UNIT


class VocabularyList(QWidget):
    """A heading and a row for each. ``get_wanted(name)``, ``open_wanted(name)``, ``pause_wanted(id of a model)``."""

    get_wanted = Signal(str)
    open_wanted = Signal(str)
    pause_wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, UNIT)
        column.setSpacing(0)
        column.addWidget(heading("Part vocabularies"))
        column.addWidget(quiet("What PartCraft’s authors trained on photographs: parts to mix, ready to use."))
        self.rows: dict[str, VocabularyRow] = {}
        for published in PUBLISHED:
            self.rows[published.name] = row = VocabularyRow(published)
            row.get_wanted.connect(self.get_wanted)
            row.open_wanted.connect(self.open_wanted)
            row.pause_wanted.connect(self.pause_wanted)
            column.addWidget(row)

    def show_state(self, state: VocabulariesState, models: ModelsState) -> None:
        """Show what each lacks, and how far the one is that is being fetched."""
        for row in self.rows.values():
            row.show_state(state, models)


class VocabularyRow(QWidget):
    """One vocabulary."""

    get_wanted = Signal(str)
    open_wanted = Signal(str)
    pause_wanted = Signal(str)

    def __init__(self, published: PublishedPack) -> None:
        super().__init__()
        self.published = published
        self._name = published.name
        self._fetching = ""
        title = QLabel(published.title)
        title.setTextFormat(Qt.TextFormat.PlainText)
        font = title.font()
        font.setWeight(QFont.Weight.DemiBold)
        title.setFont(font)
        gives = QLabel(published.gives, wordWrap=True)
        gives.setTextFormat(Qt.TextFormat.PlainText)
        license = published.license or "no licence stated"
        facts = f"{byte_size(published.size)} · {license} · {published.id}"
        self.facts = ShortLabel(facts, quiet=True)
        self.needs = quiet()
        self.how_far = ShortLabel(quiet=True)
        self.bar = ProgressBar()
        self.setAccessibleName(f"{published.title}. {published.gives} {facts}")
        words = QVBoxLayout()
        words.setSpacing(2)
        for widget in (title, gives, self.facts, self.needs, self.how_far, self.bar):
            words.addWidget(widget)
        self.pause = push_button("Pause", lambda: self.pause_wanted.emit(self._fetching))
        self.pause.setAccessibleName(f"Pause fetching {published.title}")
        self.get = push_button("Get…", lambda: self.get_wanted.emit(self._name), look="primary")
        self.open = push_button("Open", lambda: self.open_wanted.emit(self._name))
        self.open.setAccessibleName(f"Open the pack {published.title}")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, UNIT, 0, UNIT)
        row.setSpacing(UNIT)
        row.addLayout(words, 1)
        for button in (self.pause, self.get, self.open):
            button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
            row.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        self.show_state(VocabulariesState(), ModelsState())

    def show_state(self, state: VocabulariesState, models: ModelsState) -> None:
        """Show what it lacks, or how far its fetch is."""
        status = state.of(self._name)
        fetching, importing = state.fetching == self._name, state.importing == self._name
        self._fetching = state.waiting[0] if fetching and state.waiting else ""
        fetch = models.fetch_of(self._fetching) if self._fetching else None
        self.bar.setVisible(fetch is not None or importing)
        self.how_far.setVisible(fetching or importing)
        if importing:
            self.how_far.setText("Reading the checkpoint")
            self.bar.show_share(1.0, "Reading the checkpoint")
        elif fetch is not None:
            text = f"{_title(self._fetching)}: {fetch_text(fetch)}"
            if len(state.waiting) > 1:
                text += f"; then {', '.join(map(_title, state.waiting[1:]))}"
            self.how_far.setText(text)
            self.bar.show_share(fetch.done / fetch.total if fetch.total else 0.0, text)
        self.needs.setText(needs_text(status) if status is not None else "")
        self.needs.setVisible(status is not None and not (fetching or importing))
        busy = bool(state.fetching or state.importing)
        asking = state.asking == self._name
        have_all = status is not None and not status.missing
        self.get.setText("Asking" if asking else "Import" if have_all else "Get…")
        self.get.setAccessibleName(f"{'Import' if have_all else 'Get'} {self.published.title}")
        self.get.setEnabled(status is not None and not busy and not asking)
        imported = status is not None and bool(status.pack)
        self.get.setVisible(not (fetching or importing) and not (imported and have_all))
        self.open.setVisible(imported and not (fetching or importing))
        self.pause.setVisible(fetch is not None)
        self.pause.setEnabled(fetch is not None and not fetch.pausing)


def needs_text(status: VocabularyStatus) -> str:
    """What it needs, and how much of that is here."""
    published = status.published
    others = [id for id in published.needs if id != published.id]
    told = []
    for id in others:
        known = catalogue_model(id)
        what = "which paints" if id == published.base_models[0] else "the eyes that find its parts"
        size = f"{byte_size(known.size)}, {known.license}" if known else ""
        told.append(f"{_title(id)} ({what}; {size if id in status.missing else 'on this computer'})")
    state = "In your packs." if status.pack else ""
    if published.id not in status.missing and not status.pack:
        state = "Its files are on this computer."
    return f"{state} Needs {' and '.join(told)}.".strip()


def _title(id: str) -> str:
    known = catalogue_model(id)
    return known.title if known else next((one.title for one in PUBLISHED if one.id == id), id)
