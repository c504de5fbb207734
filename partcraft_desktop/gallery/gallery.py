"""Gallery: what was rendered, newest first, with the picture that is being rendered before it."""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtCore import QItemSelection, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QAction, QImage, QKeySequence, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSlider,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from engine.core.recipe import Creation
from engine.core.vocabulary import Vocabulary
from partcraft_desktop.app.creation_filter import CreationFilter
from partcraft_desktop.app.session import Session
from partcraft_desktop.gallery.filter_button import FilterButton
from partcraft_desktop.gallery.search_field import FoundCreations, NothingFound, SearchField
from partcraft_desktop.gallery.strip import TILES, CreationDelegate, CreationListModel, GhostTiles, StripView
from partcraft_desktop.widgets.action_row import ActionRow
from partcraft_desktop.widgets.creation_actions import CreationActions
from partcraft_desktop.widgets.creation_text import vocabulary_of
from partcraft_desktop.widgets.images import to_qimage
from partcraft_desktop.widgets.text import amount
from partcraft_desktop.widgets.theme import UNIT, icon
from partcraft_desktop.widgets.thumbnails import Thumbnails
from partcraft_desktop.widgets.tile_delegate import Index

LOW: Final = 168
"""Logical pixels of height below which there is no room for anything above the tiles."""
HEAD: Final = 4 * UNIT
NONE: Final = CreationFilter()
QWIDGETSIZE_MAX: Final = 16_777_215
"""Qt's word for: as large as may be."""


class Gallery(QWidget):
    """The creations. ``show_wanted(creation)``: a person selected it to see it; ``render_wanted()``: a person wants to
    see the running render; ``view_wanted(creation)`` asks for the viewer, ``folder_wanted(creation)`` for its folder,
    ``copy_wanted(creation)`` for the clipboard, ``save_wanted(creation)`` for a file of another program,
    ``deleted_wanted()`` for what was deleted."""

    show_wanted = Signal(object)
    render_wanted = Signal()
    view_wanted = Signal(object)
    folder_wanted = Signal(object)
    copy_wanted = Signal(object)
    save_wanted = Signal(object)
    deleted_wanted = Signal()

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._follows = False  # the selection is moved by the program, not by a person
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
        self.empty.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.empty.customContextMenuRequested.connect(self._show_menu)
        self.actions_here = CreationActions(session, self.selected, (self.strip,), self)
        self.star = QAction(icon("star"), "Star", self)
        self.star.setShortcut(QKeySequence("S"))
        self.star.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self.star.setEnabled(False)
        self.star.triggered.connect(lambda: session.stars.toggle(self.selected()))
        self.strip.addAction(self.star)
        self.search = SearchField()
        self.filter = FilterButton(session)
        self.nothing_found = NothingFound()
        self._found = FoundCreations(session, self)
        self._build()

        self.actions_here.view_wanted.connect(self.view_wanted)
        self.actions_here.copy_wanted.connect(self.copy_wanted)
        self.actions_here.save_wanted.connect(self.save_wanted)
        self.actions_here.folder_wanted.connect(self.folder_wanted)
        self.strip.activated.connect(lambda index: self._view(index))
        self.strip.clicked.connect(self._clicked)
        self.strip.laid_out.connect(self._laid_out)
        self.strip.customContextMenuRequested.connect(self._show_menu)
        self.strip.selectionModel().selectionChanged.connect(self._selected)
        thumbnails.ready.connect(self.model.repaint)
        thumbnails.failed.connect(self.model.repaint)
        self.search.textChanged.connect(self._look)
        self.search.left.connect(self.strip.setFocus)
        self.nothing_found.cleared.connect(self._show_all)
        self.filter.changed.connect(self._refresh)
        self._found.changed.connect(self._refresh)
        session.changed.connect(self._refresh)
        session.preview.connect(self._preview)
        session.creation_added.connect(self._added)
        self._refresh()

    def _build(self) -> None:
        self.summary = QLabel()
        self.summary.setProperty("quiet", True)
        self.row = ActionRow(fold_to_icons=True)
        self.row.set_actions(self.actions_here.all)
        self.size_slider = QSlider(Qt.Orientation.Horizontal)
        self.size_slider.setObjectName("tile_size")
        self.size_slider.setRange(*TILES)
        self.size_slider.setSingleStep(8)
        self.size_slider.setPageStep(32)
        self.size_slider.setFixedWidth(15 * UNIT)
        self.size_slider.setAccessibleName("Size of the pictures")
        self.size_slider.setToolTip("Size of the pictures (Ctrl and the wheel)")
        self.size_slider.valueChanged.connect(self.strip.set_tile)
        self._head = QWidget()
        head = QHBoxLayout(self._head)
        head.setContentsMargins(UNIT // 2, 0, 2 * UNIT, 0)
        head.setSpacing(2 * UNIT)
        head.addWidget(self.summary)
        head.addWidget(self.row, 1)
        head.addStretch()  # keeps the search at the right while there are no actions
        finding = QHBoxLayout()
        finding.setSpacing(UNIT // 2)
        finding.addWidget(self.filter)
        finding.addWidget(self.search)
        head.addLayout(finding)
        head.addWidget(self.size_slider)
        self._head.setFixedHeight(HEAD)

        body = QWidget()
        self._stack = QStackedLayout(body)
        self._stack.addWidget(self.strip)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.nothing_found)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(UNIT + UNIT // 2, UNIT, 0, 0)
        self._layout.setSpacing(UNIT // 2)
        self._layout.addWidget(self._head)
        self._layout.addWidget(body, 1)
        self._low = False
        QWidget.setTabOrder(self.strip, self.filter.all)  # the creations have the keyboard first
        QWidget.setTabOrder(self.filter.all, self.filter.button)
        QWidget.setTabOrder(self.filter.button, self.search)

    def selected(self) -> list[Creation]:
        """The selected creations, newest first."""
        rows = sorted(self.strip.selectionModel().selectedIndexes(), key=lambda index: index.row())
        return [creation for index in rows if (creation := self.model.creation(index)) is not None]

    def select(self, creation: Creation) -> None:
        """Select a creation, unless several are: a person is about to do something with them."""
        index = self.model.index_of(creation.path)
        selection = self.strip.selectionModel()
        if index.isValid() and len(selection.selectedIndexes()) <= 1 and not selection.isSelected(index):
            self._follows = True
            self.strip.setCurrentIndex(index)
            self._follows = False

    def show_unseen(self, unseen: frozenset[str]) -> None:
        """Mark the creations with these paths as new."""
        self.model.show_unseen(unseen)

    def _view(self, index: Index) -> None:
        creation = self.model.creation(index)
        if creation is not None:
            self.view_wanted.emit(creation)

    def _clicked(self, index: Index) -> None:
        if self.model.creation(index) is None:
            self.render_wanted.emit()
        else:
            self._ask_to_show()

    def _ask_to_show(self) -> None:
        chosen = self.selected()
        if len(chosen) == 1:
            self.show_wanted.emit(chosen[0])

    def _names(self, creation: Creation) -> Vocabulary | None:
        return vocabulary_of(creation, self._session.state.packs)

    def _refresh(self) -> None:
        state = self._session.state
        began = state.render is not None and self.model.render is None
        self._look()
        found = self._found.among(state.creations)
        self.model.show(found, state.render)
        self.model.show_stars(state.stars)
        if began:
            self.strip.horizontalScrollBar().setValue(0)
        some = self.model.rowCount() > 0
        lost = not some and bool(state.creations)
        self._stack.setCurrentWidget(self.strip if some else self.nothing_found if lost else self.empty)
        self.nothing_found.show_words(self._found.words, self.filter.words if self._found.filter.on else "")
        self._head.setVisible(bool(state.creations))
        self._count()

    def begin_search(self) -> bool:
        """Take the keyboard to the search field; false where there is no room or nothing to search."""
        if not self.search.isVisible():
            return False
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()
        return True

    def _look(self) -> None:
        # Where there is no room to see that a search narrows the gallery, none does.
        self._found.look_for("" if self._low else self.search.text())
        self._found.filter = NONE if self._low else self.filter.filter

    def _show_all(self) -> None:
        self.search.clear()
        self.filter.clear()
        self.search.setFocus()

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

    def _selected(self, selected: QItemSelection) -> None:
        self.actions_here.refresh()
        self.star.setEnabled(bool(self.selected()))
        self._count()
        if not self._follows and not selected.isEmpty():
            self._ask_to_show()

    def _count(self) -> None:
        chosen = self.selected()
        few = f"{len(chosen)} selected" if len(chosen) > 1 else ""
        total = amount(len(self._session.state.creations), "creation")
        narrowed = bool(self._found.words) or self._found.filter.on
        self.summary.setText(few or (f"{len(self.model.creations)} of {total}" if narrowed else total))
        self.row.setVisible(bool(chosen) or self._low)

    # Room

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        low = self.height() < LOW
        if low != self._low:
            # Where there is no room above the tiles, the actions are in a menu beside them.
            self._low = low
            direction = QBoxLayout.Direction.RightToLeft if low else QBoxLayout.Direction.TopToBottom
            self._layout.setDirection(direction)
            self.summary.setVisible(not low)
            self.search.setVisible(not low)
            self.filter.setVisible(not low)
            self._refresh()
            self.row.set_menu_only(low)
            self._head.setFixedSize(QSize(HEAD + 2 * UNIT, HEAD) if low else QSize(QWIDGETSIZE_MAX, HEAD))
            self._layout.setAlignment(self._head, Qt.AlignmentFlag.AlignTop if low else Qt.AlignmentFlag(0))
            self._count()

    def _laid_out(self) -> None:
        self.size_slider.setVisible(self.strip.is_grid)
        blocked = self.size_slider.blockSignals(True)
        self.size_slider.setValue(self.strip.grid_side)
        self.size_slider.blockSignals(blocked)

    def _show_menu(self, at: QPoint) -> None:
        menu = QMenu(self.strip)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if self.model.creation(self.strip.indexAt(at)) is not None:
            menu.addActions([*self.actions_here.all, self.star])
            menu.addSeparator()
        menu.addAction("Recently deleted…", self.deleted_wanted.emit)
        menu.popup((self.empty if self.strip.isHidden() else self.strip.viewport()).mapToGlobal(at))
