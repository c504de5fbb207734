"""What can be done with the picked parts of a creation: render them anew, or keep them and render the rest."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QPoint
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from engine.core.recipe import Creation
from engine.core.vocabulary import Vocabulary
from partcraft_desktop.app.start_control import StartControl
from partcraft_desktop.widgets.receipt_chips import part_name
from partcraft_desktop.widgets.theme import icon


class PartActions(QObject):
    """Three actions, seen when they can be used: two for what is picked, and a menu of all parts where there is no room
    to pick any (``is_folded``)."""

    def __init__(self, starts: StartControl, menu_parent: QWidget, parent: QObject) -> None:
        super().__init__(parent)
        self._starts = starts
        self._menu_parent = menu_parent
        self._creation: Creation | None = None
        self._vocabulary: Vocabulary | None = None
        self._picked: tuple[int, ...] = ()
        self.is_folded = False
        self.anew = self._action("Render anew", "render", lambda: self._render(starts.render_anew))
        self.rest = self._action("Render the rest", "lock", lambda: self._render(starts.render_rest))
        self.choose = self._action("Render a part anew…", "render", self._open_menu)
        self.all = [self.anew, self.rest, self.choose]

    def show_parts(self, creation: Creation | None, vocabulary: Vocabulary | None, picked: tuple[int, ...]) -> None:
        """Offer what can be done with the picked parts of a creation."""
        self._creation, self._vocabulary, self._picked = creation, vocabulary, picked
        names = [part_name(vocabulary, part) for part in picked]
        some = creation is not None and bool(picked) and not self.is_folded
        if some:
            what = names[0] if len(names) == 1 else f"{len(names)} parts"
            self.anew.setText(f"Render {what} anew")
        self.anew.setVisible(some)
        self.rest.setVisible(some and creation is not None and len(set(picked)) < len(_parts(creation)))
        self.choose.setVisible(self.is_folded and creation is not None and bool(creation.receipt))

    def _action(self, text: str, icon_name: str, run: Callable[[], object]) -> QAction:
        action = QAction(icon(icon_name), text, self)
        action.setObjectName(text.split()[-1])
        action.setVisible(False)
        action.triggered.connect(lambda: run())
        return action

    def _render(self, verb: Callable[[tuple[int, ...], Creation | None], None]) -> None:
        if self._creation is not None and self._picked:
            verb(self._picked, self._creation)

    def _open_menu(self) -> None:
        creation = self._creation
        if creation is None:
            return
        menu = QMenu(self._menu_parent)
        for part in _parts(creation):
            action = menu.addAction(f"Render {part_name(self._vocabulary, part)} anew")
            action.triggered.connect(lambda _=False, part=part: self._starts.render_anew((part,), creation))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self._menu_parent.mapToGlobal(QPoint(0, -menu.sizeHint().height())))


def _parts(creation: Creation) -> list[int]:
    """The parts of a creation's receipt, each once."""
    return list(dict.fromkeys(arrival.part for arrival in creation.receipt))
