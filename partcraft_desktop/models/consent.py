"""What fetching a model takes, and the question; or why the hub did not give it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from engine.core.byte_sizes import byte_size
from engine.hub.catalogue import catalogue_model
from engine.hub.published import published_pack
from partcraft_desktop.app.model_state import ModelFault
from partcraft_desktop.widgets.controls import push_button
from partcraft_desktop.widgets.text import quiet
from partcraft_desktop.widgets.theme import UNIT

if TYPE_CHECKING:
    from engine.hub.fetch import Offer


class Consent(QWidget):
    """A question with size, licence and folder, or a fault with a next step. ``agreed()``, ``declined()``,
    ``token_given(token)``."""

    agreed = Signal()
    declined = Signal()
    token_given = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.question = QLabel(wordWrap=True)
        self.question.setTextFormat(Qt.TextFormat.PlainText)
        self.terms = quiet()
        self.token = QLineEdit()
        self.token.setPlaceholderText("Token (hf_…), kept until PartCraft ends")
        self.token.setAccessibleName("Token for the hub")
        self.token.setEchoMode(QLineEdit.EchoMode.Password)
        self.token.returnPressed.connect(self._give_token)
        self.use = push_button("Use token", self._give_token)
        self.yes = push_button("Fetch", self.agreed.emit, look="primary")
        self.no = push_button("Not now", self.declined.emit)
        row = QHBoxLayout()
        row.setSpacing(UNIT)
        row.addWidget(self.token, 1)
        row.addWidget(self.use)
        row.addStretch(1)
        row.addWidget(self.no)
        row.addWidget(self.yes)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, UNIT, 0, 0)
        column.setSpacing(UNIT // 2)
        column.addWidget(self.question)
        column.addWidget(self.terms)
        column.addLayout(row)

    def show_offer(self, offer: Offer) -> None:
        """Ask whether to fetch what the hub offered."""
        id = offer.repository.id
        known = catalogue_model(id)
        left = offer.size - offer.here
        here = f", of which {byte_size(offer.here)} are here" if offer.here else ""
        self.question.setText(f"Fetch {known.title if known else id}? It is {byte_size(offer.size)}{here}.")
        self.terms.setText(
            f"Licence: {offer.repository.license or 'none is named'}. It goes to {offer.folder}, where "
            f"{byte_size(offer.free)} are free."
        )
        self.yes.setText(f"Fetch {byte_size(left)}" if left else "Check")
        self._show_buttons(yes=True, token=False)

    def show_offers(self, title: str, offers: Sequence[Offer]) -> None:
        """Ask whether to fetch all that a vocabulary takes: each with its size, licence and folder."""
        size, left = sum(offer.size for offer in offers), sum(offer.size - offer.here for offer in offers)
        self.question.setText(f"Fetch what “{title}” takes, and import it? It is {byte_size(size)} in all.")
        lines = []
        for offer in offers:
            known = catalogue_model(offer.repository.id) or published_pack(offer.repository.id)
            here = f" ({byte_size(offer.here)} of it here)" if offer.here else ""
            license = offer.repository.license or "none is named"
            name = known.title if known else offer.repository.id
            lines.append(f"{name}: {byte_size(offer.size)}{here}, licence: {license}")
        first = offers[0]
        root = first.folder.parents[first.repository.id.count("/")]
        lines.append(f"It goes to {root}, where {byte_size(first.free)} are free.")
        self.terms.setText("\n".join(lines))
        self.yes.setText(f"Fetch {byte_size(left)}" if left else "Check")
        self._show_buttons(yes=True, token=False)

    def show_folder(self, folder: str) -> None:
        """Ask whether to look for models where one was brought from."""
        self.question.setText(f"Use the model in {folder}?")
        self.terms.setText(
            "The folder is added to those in which models are looked for. Nothing in it is moved or changed."
        )
        self.yes.setText("Add folder")
        self._show_buttons(yes=True, token=False)

    def show_fault(self, fault: ModelFault) -> None:
        """Say why the hub did not give a model; where it wants a token, ask for one."""
        self.question.setText(fault.message)
        self.terms.setText(fault.hint)
        self._show_buttons(yes=False, token=fault.token)

    def _show_buttons(self, yes: bool, token: bool) -> None:
        self.yes.setVisible(yes)
        self.no.setText("Not now" if yes else "Close")
        self.token.setVisible(token)
        self.use.setVisible(token)

    def _give_token(self) -> None:
        if self.token.text().strip():
            self.token_given.emit(self.token.text())
            self.token.clear()
