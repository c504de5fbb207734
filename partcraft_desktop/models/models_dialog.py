"""The page of models, over the window: whoever came for one is back where they were when it closes."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QScrollArea, QVBoxLayout, QWidget

from engine.hub.published import published_pack
from partcraft_desktop.app.session import Session
from partcraft_desktop.models.consent import Consent
from partcraft_desktop.models.model_row import ModelRow
from partcraft_desktop.models.model_texts import RowText, row_texts
from partcraft_desktop.models.vocabulary_list import VocabularyList
from partcraft_desktop.widgets.controls import ShortLabel, hairline, push_button
from partcraft_desktop.widgets.dialog import Dialog, quiet_label
from partcraft_desktop.widgets.text import heading
from partcraft_desktop.widgets.theme import UNIT

EXPLAINED = "Nothing is fetched, and no request leaves this computer, unless you press Get, Fetch or Ask."


class ModelsDialog(Dialog):
    """Lists ``state.models``. ``folder_wanted(path)`` asks to show a folder."""

    folder_wanted = Signal(object)

    def __init__(self, session: Session, wanted: str = "", parent: QWidget | None = None) -> None:
        super().__init__("Models", parent)
        self._session = session
        self._shelf: object = None
        self._answered: object = None
        self.rows: dict[str, ModelRow] = {}
        self.setMinimumSize(560, 400)

        self._list = QVBoxLayout()
        self._list.setContentsMargins(0, 0, UNIT, 0)
        self._list.setSpacing(0)
        self._inside = QWidget()
        self._inside.setLayout(self._list)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QScrollArea.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(self._inside)
        self.area.setAccessibleName("Models")

        self.vocabularies = VocabularyList()
        self.vocabularies.get_wanted.connect(session.vocabularies.get)
        self.vocabularies.open_wanted.connect(self._open_vocabulary)
        self.vocabularies.pause_wanted.connect(session.models.pause)

        self.consent = Consent()
        self.consent.agreed.connect(self._agree)
        self.consent.declined.connect(self._decline)
        self.consent.token_given.connect(session.models.use_token)
        self.consent.hide()

        self.other = QLineEdit()
        self.other.setPlaceholderText("Another model of the hub: OWNER/NAME")
        self.other.setAccessibleName("Name of another model of the hub")
        self.other.returnPressed.connect(self._ask_other)
        self.ask = push_button("Ask", self._ask_other)
        self.ask.setAccessibleName("Ask the hub for this model")
        self.add = push_button("Add folder…", self._add_folder, "folder")
        self.add.setToolTip("Look for models where another program keeps them; nothing there is moved or changed")
        self.finish = push_button("Done", self.accept)
        foot = QHBoxLayout()
        foot.setSpacing(UNIT)
        foot.addWidget(self.other, 1)
        foot.addWidget(self.ask)
        foot.addWidget(self.add)
        foot.addSpacing(UNIT)
        foot.addWidget(self.finish)

        self.add_title("Models")
        self.column.addWidget(quiet_label(EXPLAINED))
        self.column.addWidget(self.area, 1)
        self.column.addWidget(hairline())
        self.column.addWidget(self.consent)
        self.column.addLayout(foot)
        session.changed.connect(self._refresh)
        session.models.come_for(wanted)
        self._refresh()

    def _refresh(self) -> None:
        models, vocabularies = self._session.state.models, self._session.state.vocabularies
        if models.shelf is not self._shelf and models.shelf is not None:
            self._shelf = models.shelf
            self._show_rows()
        for row in self.rows.values():
            row.show_state(models.fetch_of(row.text.id), models)
        self.vocabularies.show_state(vocabularies, models)
        self.ask.setEnabled(not models.asking)
        answer = models.offer or vocabularies.offers or models.fault or models.brought or None
        if answer is not self._answered:
            self._answered = answer
            self._show_answer()

    def _show_answer(self) -> None:
        models, vocabularies = self._session.state.models, self._session.state.vocabularies
        self.consent.setVisible(self._answered is not None)
        if models.offer is not None:
            self.consent.show_offer(models.offer)
        elif vocabularies.offers:
            published = published_pack(vocabularies.offered)
            self.consent.show_offers(published.title if published else "", vocabularies.offers)
        elif models.fault is not None:
            self.consent.show_fault(models.fault)
        elif models.brought:
            self.consent.show_folder(models.brought)
        if self.consent.yes.isVisibleTo(self.consent) and self._answered is not None:
            self.consent.yes.setFocus()
            QTimer.singleShot(0, self, self._show_asked)

    def _show_asked(self) -> None:
        """What is asked about stays in sight: the question below takes room from the list."""
        row = self.vocabularies.rows.get(self._session.state.vocabularies.offered)
        if row is not None:
            self.area.ensureWidgetVisible(row, 0, UNIT)

    def _agree(self) -> None:
        if self._session.state.vocabularies.offers:
            self._session.vocabularies.agree()
        else:
            self._session.models.agree()

    def _decline(self) -> None:
        self._session.vocabularies.decline()
        self._session.models.decline()

    def _open_vocabulary(self, name: str) -> None:
        self._session.vocabularies.open(name)
        self.accept()

    def _show_rows(self) -> None:
        models = self._session.state.models
        shelf = models.shelf
        assert shelf is not None
        at = self.area.verticalScrollBar().value()
        focused = next((id for id, row in self.rows.items() if row.isAncestorOf(self.focusWidget() or self)), "")
        while (item := self._list.takeAt(0)) is not None:
            if (widget := item.widget()) is not None and widget is not self.vocabularies:
                widget.hide()
                widget.deleteLater()
        before, self.rows = self.rows, {}
        self._list.addWidget(self.vocabularies)
        for title, texts in row_texts(shelf, self._session.state.timings):
            label = heading(title)
            label.setContentsMargins(0, UNIT, 0, 0)
            self._list.addWidget(label)
            for text in texts:
                self.rows[text.id] = row = self._row(text)
                self._list.addWidget(row)
        if shelf.folders:
            label = heading("Folders of other programs")
            label.setContentsMargins(0, UNIT, 0, 0)
            self._list.addWidget(label)
            for folder in shelf.folders:
                self._list.addWidget(self._folder_row(folder))
        self._list.addStretch(1)
        if not before and models.wanted:
            self._lead_to(models.wanted)
        else:
            self.area.verticalScrollBar().setValue(at)
        if focused in self.rows:
            self._focus(self.rows[focused])

    def _lead_to(self, id: str) -> None:
        """Bring the model that somebody came for into sight, or write its name where the hub is asked."""
        row = self.rows.get(id)
        if row is None and Path(id).is_absolute():
            return
        if row is None:
            self.other.setText(id)
            self.ask.setFocus()
            return
        self._inside.adjustSize()
        self._list.activate()
        self.area.ensureWidgetVisible(row, 0, 4 * UNIT)
        self._focus(row)

    def _focus(self, row: ModelRow) -> None:
        button = row.show_folder if row.text.kind == "here" else row.fetch
        button.setFocus()

    def _row(self, text: RowText) -> ModelRow:
        row, models = ModelRow(text), self._session.models
        row.fetch_wanted.connect(self._fetch)
        row.pause_wanted.connect(models.pause)
        row.discard_wanted.connect(models.discard)
        row.show_wanted.connect(self._show_folder)
        row.unpack_wanted.connect(models.unpack)
        row.use_wanted.connect(self._use)
        return row

    def _use(self, file: str) -> None:
        """Put a LoRA beside the pack, and go where it shows."""
        self._session.add_ons.add([file])
        self.accept()

    def _folder_row(self, folder: str) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, UNIT // 2, 0, UNIT // 2)
        layout.addWidget(ShortLabel(folder), 1)
        remove = push_button("Take off", lambda: self._session.models.remove_folder(folder), look="flat")
        remove.setAccessibleName(f"Take {folder} off the list")
        remove.setToolTip("The folder and what is in it stay as they are")
        layout.addWidget(remove)
        return row

    def _fetch(self, text: RowText) -> None:
        if text.kind == "unfinished":
            self._session.models.go_on(text.id, text.revision)
        else:
            self._ask(text.id)

    def _ask(self, id: str) -> None:
        self._session.vocabularies.decline()
        self._session.models.ask(id)

    def _ask_other(self) -> None:
        if id := self.other.text().strip():
            self._ask(id)

    def _show_folder(self, id: str) -> None:
        shelf = self._session.state.models.shelf
        if shelf is not None and (model := next((one for one in shelf.here if one.id == id), None)):
            self.folder_wanted.emit(str(Path(model.folder).parent) if model.single_file else model.folder)

    def _add_folder(self) -> None:
        dialog = QFileDialog(self, "Folder with models", "")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self._session.models.add_folder)
        dialog.open()
