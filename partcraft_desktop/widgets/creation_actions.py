"""What can be done with a creation, wherever one is shown: the same words, icons and keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget

from engine.core.recipe import Creation
from partcraft_desktop.app.session import Session
from partcraft_desktop.widgets.theme import icon


class CreationActions(QObject):
    """Actions for the creations that ``chosen()`` names; their keys work in ``places``. All but deleting act on the
    first. ``view_wanted(creation)`` asks for the viewer, ``folder_wanted(creation)`` for its folder,
    ``copy_wanted(creation)`` for the clipboard, ``save_wanted(creation)`` for a file of another program."""

    view_wanted = Signal(object)
    folder_wanted = Signal(object)
    copy_wanted = Signal(object)
    save_wanted = Signal(object)

    def __init__(
        self, session: Session, chosen: Callable[[], Sequence[Creation]], places: Sequence[QWidget], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._chosen = chosen
        self._places = places
        self.all: list[QAction] = []
        self._add("recipe", "Use this recipe", "U", self._one(session.use_recipe))
        self._add("copy", "Copy", "Ctrl+C", self._one(self.copy_wanted.emit))
        self._add("save", "Save as…", "", self._one(self.save_wanted.emit))  # Ctrl+S is the window's
        self._add("folder", "Show in folder", "Ctrl+E", self._one(self.folder_wanted.emit))
        self._add("delete", "Delete", "Del", lambda: session.delete_creations(chosen()))
        self._add("enlarge", "View large", "Return", self._one(self.view_wanted.emit))

    def refresh(self) -> None:
        """Something else is chosen, or nothing: actions without a creation cannot be used."""
        some = bool(self._chosen())
        for action in self.all:
            action.setEnabled(some)

    def _add(self, icon_name: str, text: str, keys: str, run: Callable[[], object]) -> None:
        action = QAction(icon(icon_name), text, self)
        action.setObjectName(icon_name)
        if keys:
            action.setShortcut(QKeySequence(keys))
        action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        action.triggered.connect(lambda: run())
        action.setEnabled(False)
        for place in self._places:
            place.addAction(action)
        self.all.append(action)

    def _one(self, run: Callable[[Creation], object]) -> Callable[[], None]:
        def on_first() -> None:
            for creation in list(self._chosen())[:1]:
                run(creation)

        return on_first
