"""Gallery: what was rendered, newest first, with the picture that is being rendered before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtGui import QAction, QImage, QKeySequence, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QMenu, QStackedLayout, QVBoxLayout, QWidget

from engine.core.recipe import Creation
from engine.core.vocabulary import Vocabulary
from partcraft_desktop.app.session import Session
from partcraft_desktop.gallery.strip import CreationDelegate, CreationListModel, GhostTiles, StripView
from partcraft_desktop.widgets.controls import tool_button
from partcraft_desktop.widgets.images import to_qimage
from partcraft_desktop.widgets.theme import UNIT, icon
from partcraft_desktop.widgets.thumbnails import Thumbnails
from partcraft_desktop.widgets.tile_delegate import Index


class Gallery(QWidget):
    """The strip of creations. ``view_wanted(creation)`` asks for the viewer, ``folder_wanted(creation)`` for its
    folder, ``copy_wanted(creation)`` for the clipboard, ``save_wanted(creation)`` for a file of another program."""

    view_wanted = Signal(object)
    folder_wanted = Signal(object)
    copy_wanted = Signal(object)
    save_wanted = Signal(object)

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setAccessibleName("Gallery")
        self.setMinimumHeight(112)

        self.model = CreationListModel(self)
        self.model.names = self._names
        self.strip = StripView()
        self.strip.setObjectName("strip")
        self.strip.setAccessibleName("Creations")
        self.strip.setModel(self.model)
        self.strip.setItemDelegate(CreationDelegate(thumbnails, self.model, self.strip))
        self.strip.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)

        self.empty = GhostTiles("What you render is kept here, with its recipe.")

        self._actions: list[QAction] = []
        self._add("recipe", "Use this recipe", "U", self._one(session.use_recipe))
        self._add("enlarge", "View large", "Return", self._one(self.view_wanted.emit))
        self._add("copy", "Copy picture", "Ctrl+C", self._one(self.copy_wanted.emit))
        self._add("save", "Save as…", "", self._one(self.save_wanted.emit))  # Ctrl+S is the window's
        self._add("folder", "Show in folder", "Ctrl+E", self._one(self.folder_wanted.emit))
        self._add("delete", "Delete", "Del", lambda: session.delete_creations(self.selected()))
        buttons = QVBoxLayout()
        buttons.setContentsMargins(0, UNIT // 2, UNIT, UNIT // 2)
        buttons.setSpacing(0)
        self._buttons = QWidget()
        for action in self._actions:
            button = tool_button("more", action.text(), action.trigger, action.shortcut().toString())
            button.setIcon(action.icon())
            button.setObjectName(action.objectName())
            action.enabledChanged.connect(button.setEnabled)
            button.setEnabled(action.isEnabled())
            buttons.addWidget(button)
        buttons.addStretch(1)
        self._buttons.setLayout(buttons)

        body = QWidget()
        self._stack = QStackedLayout(body)
        self._stack.addWidget(self.strip)
        self._stack.addWidget(self.empty)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(UNIT + UNIT // 2, UNIT, 0, 0)
        layout.setSpacing(UNIT)
        layout.addWidget(body, 1)
        layout.addWidget(self._buttons)

        self.strip.activated.connect(lambda index: self._view(index))
        self.strip.customContextMenuRequested.connect(self._show_menu)
        self.strip.selectionModel().selectionChanged.connect(self._selected)
        thumbnails.ready.connect(self.model.repaint)
        thumbnails.failed.connect(self.model.repaint)
        session.changed.connect(self._refresh)
        session.preview.connect(self._preview)
        session.creation_added.connect(self._added)
        self._refresh()

    def selected(self) -> list[Creation]:
        """The selected creations, newest first."""
        rows = sorted(self.strip.selectionModel().selectedIndexes(), key=lambda index: index.row())
        return [creation for index in rows if (creation := self.model.creation(index)) is not None]

    def _add(self, icon_name: str, text: str, keys: str, run: Callable[[], object]) -> None:
        action = QAction(icon(icon_name), text, self.strip)
        action.setObjectName(icon_name)
        if keys:
            action.setShortcut(QKeySequence(keys))
        action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        action.triggered.connect(lambda: run())
        action.setEnabled(False)
        self.strip.addAction(action)
        self._actions.append(action)

    def _one(self, run: Callable[[Creation], object]) -> Callable[[], None]:
        def on_first() -> None:
            for creation in self.selected()[:1]:
                run(creation)

        return on_first

    def _view(self, index: Index) -> None:
        creation = self.model.creation(index)
        if creation is not None:
            self.view_wanted.emit(creation)

    def _names(self, creation: Creation) -> Vocabulary | None:
        packs = self._session.state.packs
        return next((pack.vocabulary for pack in packs if pack.id == creation.recipe.pack), None)

    def _refresh(self) -> None:
        state = self._session.state
        began = state.render is not None and self.model.render is None
        self.model.show(state.creations, state.render)
        if began:
            self.strip.horizontalScrollBar().setValue(0)
        some = self.model.rowCount() > 0
        self._stack.setCurrentWidget(self.strip if some else self.empty)
        self._buttons.setVisible(bool(state.creations))

    def _preview(self, index: int, pixels: Any) -> None:
        image: QImage = to_qimage(pixels)
        side = max(64, self.strip.gridSize().width()) * self.devicePixelRatioF()
        larger = image.scaled(
            QSize(round(side), round(side)),
            Qt.AspectRatioMode.KeepAspectRatioByExpanding,
            Qt.TransformationMode.SmoothTransformation,
        )
        self.model.preview = QPixmap.fromImage(larger)
        if self.model.render is not None:
            self.model.dataChanged.emit(self.model.index(0), self.model.index(0))

    def _added(self, creation: Creation) -> None:
        # The next picture of the same job begins anew.
        self.model.preview = None

    def _selected(self) -> None:
        some = bool(self.selected())
        for action in self._actions:
            action.setEnabled(some)

    def _show_menu(self, at: QPoint) -> None:
        if self.model.creation(self.strip.indexAt(at)) is None:
            return
        menu = QMenu(self.strip)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addActions(self._actions)
        menu.popup(self.strip.viewport().mapToGlobal(at))
