"""Prompt notes: quiet sentences below the prompt about what the picture will show that the prompt does not say as it
seems to."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from engine.core.recipe import Recipe
from engine.packs.known_words import KnownWords
from engine.packs.pack import Pack
from engine.packs.prompt_notes import leaves_smears, prompt_notes
from partcraft_desktop.widgets.controls import push_button


class PromptNotes(QWidget):
    """Sentences, and a button where one can be mended: ``rest_asked()``, the parts that are not said should come from
    one picture of the pack. Not seen where there is nothing to say."""

    rest_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = QLabel(wordWrap=True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.text.setProperty("quiet", True)
        self.text.setAccessibleName("About the prompt")
        self.take = push_button("", self.rest_asked.emit, look="flat")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.text)
        column.addWidget(self.take, 0, Qt.AlignmentFlag.AlignLeft)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.hide()

    def show_recipe(self, pack: Pack | None, recipe: Recipe, known: KnownWords | None, seed_known: bool) -> None:
        """Say what is to be said of a recipe whose base model was taught some words (None: nobody knows which). It will
        be rendered with its own seed, or (``seed_known`` False) with one that is not known yet."""
        notes = prompt_notes(pack, recipe, known, seed_known) if pack is not None and pack.trained else ()
        self.text.setText("\n".join(notes))
        self.text.setVisible(bool(notes))
        offered = pack is not None and bool(notes) and leaves_smears(pack, recipe)
        self.take.setText(f"Take them from one {pack.vocabulary.noun}" if pack else "")
        self.take.setAccessibleName(self.take.text())
        self.take.setVisible(offered)
        self.setVisible(bool(notes))
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        # A label that wraps knows its height only from its width, which layouts in scroll areas forget to ask.
        self.text.setFixedHeight(max(1, self.text.heightForWidth(max(80, self.width()))))
        self.updateGeometry()
