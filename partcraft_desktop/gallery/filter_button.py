"""The button that chooses which creations the gallery shows, and the one that shows all again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QMenu, QToolButton, QWidget

from engine.packs.pack import Pack
from partcraft_desktop.app.creation_filter import CreationFilter, parts_of
from partcraft_desktop.app.session import Session
from partcraft_desktop.widgets.controls import push_button, tool_button
from partcraft_desktop.widgets.theme import UNIT

WORDS = 32
"""Letters of what is shown that stand on the button which ends it."""


class FilterButton(QWidget):
    """``changed()``: ``filter`` is another one. While it leaves something out, a second button says what is shown, and
    shows all again when it is pressed."""

    changed = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.filter = CreationFilter()
        self.words = ""
        """What it shows, in a few words."""
        self.button: QToolButton = tool_button("filter", "Filter creations", self._show_menu)
        self.all = push_button("", self.clear, "close")
        self.all.hide()
        self.menu: QMenu | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(UNIT // 2)
        row.addWidget(self.all)
        row.addWidget(self.button)

    def clear(self) -> None:
        """Leave nothing out."""
        self.choose(CreationFilter())

    def choose(self, wanted: CreationFilter) -> None:
        """Show what another filter lets through."""
        if wanted == self.filter:
            return
        self.filter = wanted
        self.words = words = wanted.words(self._packs())
        self.all.setText(words if len(words) <= WORDS else words[: WORDS - 1] + "…")
        self.all.setAccessibleName(f"Show all creations again, not only: {words}")
        self.all.setToolTip(f"{words}. Press to show all creations again")
        self.all.setVisible(wanted.on)
        self.changed.emit()

    def _packs(self) -> Mapping[str, Pack]:
        return {pack.id: pack for pack in reversed(self._session.state.packs)}

    def _show_menu(self) -> None:
        """A menu of what there is: packs and parts of the creations that are here."""
        packs, now = self._packs(), self.filter
        creations = self._session.state.creations
        self.menu = menu = QMenu(self)
        menu.aboutToHide.connect(menu.deleteLater)
        self._add(menu, "Starred", now.starred, replace(now, starred=not now.starred))
        menu.addSeparator()
        for receipt, text in (
            ("arrived", "All parts arrived"), ("missing", "A part is missing"), ("unsure", "A part is unsure"),
        ):  # fmt: skip
            on = now.receipt == receipt
            self._add(menu, text, on, replace(now, receipt="" if on else receipt))
        for title, there, chosen, change in (
            ("Pack", {one.recipe.pack for one in creations if one.recipe.pack}, now.pack, _with_pack),
            ("Part", {part for one in creations for part in parts_of(one, packs)}, now.part, _with_part),
        ):
            below = menu.addMenu(title)
            below.setEnabled(bool(there))
            names = {id: packs[id].title if title == "Pack" and id in packs else id for id in there}
            for id, name in sorted(names.items(), key=lambda item: item[1].casefold()):
                self._add(below, name, id == chosen, change(now, "" if id == chosen else id))
        menu.addSeparator()
        self._add(menu, "Show all", False, CreationFilter()).setEnabled(now.on)
        menu.popup(self.button.mapToGlobal(self.button.rect().bottomLeft()))

    def _add(self, menu: QMenu, text: str, on: bool, then: CreationFilter) -> QAction:
        action = menu.addAction(text.replace("&", "&&"))
        action.setCheckable(True)
        action.setChecked(on)
        action.triggered.connect(lambda: self.choose(then))
        return action


def _with_pack(filter: CreationFilter, pack: str) -> CreationFilter:
    return replace(filter, pack=pack)


def _with_part(filter: CreationFilter, part: str) -> CreationFilter:
    return replace(filter, part=part)
