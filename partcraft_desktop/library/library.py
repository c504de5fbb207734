"""Library: the packs, and the pictures of the open one as a searchable wall."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QPoint, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence, QPalette
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QMenu,
    QPushButton,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from engine.runs.run import Run
from partcraft_desktop.app.session import Session
from partcraft_desktop.library.pack_export import export_menu
from partcraft_desktop.library.pack_menu import RUN_STATES, PackButton, finished_text
from partcraft_desktop.library.painting_bar import PaintingBar
from partcraft_desktop.library.picture_wall import (
    CAPTION,
    SMALLEST_CELL,
    PictureTileDelegate,
    PictureWallModel,
    Tile,
    TileRole,
    tiles_by_kind,
)
from partcraft_desktop.widgets.button_menu import open_menu
from partcraft_desktop.widgets.controls import ShortLabel, push_button, tool_button
from partcraft_desktop.widgets.text import amount
from partcraft_desktop.widgets.theme import UNIT, icon
from partcraft_desktop.widgets.thumbnails import Thumbnails
from partcraft_desktop.widgets.tile_delegate import Index
from partcraft_desktop.widgets.tile_wall import TileWall


class Library(QWidget):
    """Which pack, which picture. ``open_wanted`` and ``import_wanted`` ask for a file dialog."""

    open_wanted = Signal()
    import_wanted = Signal()
    evaluate_wanted = Signal()

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._pack_path: Path | None = None
        self.setAccessibleName("Library")
        self.setMinimumWidth(200)

        self.packs = PackButton()
        self.packs.setObjectName("packs")
        self._menu = QMenu(self)
        self.packs.clicked.connect(self._show_menu)

        self.search = QLineEdit(placeholderText="Search", clearButtonEnabled=True)
        self.search.setObjectName("search")
        self.search.setAccessibleName("Search pictures")
        self.search.addAction(
            icon("search", QPalette.ColorRole.PlaceholderText), QLineEdit.ActionPosition.LeadingPosition
        )

        self.model = PictureWallModel(self)
        self.wall = TileWall(SMALLEST_CELL, CAPTION)
        self.wall.setDragEnabled(True)
        self.wall.setDragDropMode(QListView.DragDropMode.DragOnly)
        self.wall.setObjectName("wall")
        self.wall.setAccessibleName("Pictures")
        self.wall.setModel(self.model)
        self._painter = PictureTileDelegate(thumbnails, self.wall)
        self.wall.setItemDelegate(self._painter)

        self.back_button = tool_button("chevron-left", "Back to all kinds", self._leave_kind, "Esc")
        self.back_button.setObjectName("back")
        self.kind_title = ShortLabel()
        self.kind_bar = QWidget()
        kind_row = QHBoxLayout(self.kind_bar)
        kind_row.setContentsMargins(0, 0, 0, 0)
        kind_row.setSpacing(UNIT // 2)
        kind_row.addWidget(self.back_button)
        kind_row.addWidget(self.kind_title, 1)
        self.kind_bar.hide()

        self.empty = QLabel(wordWrap=True, alignment=Qt.AlignmentFlag.AlignCenter)
        self.empty.setProperty("quiet", True)
        self.empty.setTextFormat(Qt.TextFormat.PlainText)
        self.empty.setMargin(2 * UNIT)

        self.open_button: QPushButton = push_button("Open picture…", self.open_wanted.emit, "picture")
        self.open_button.setObjectName("open")
        self.open_button.setToolTip("Take parts from a picture of your own. You can also drop it anywhere.")

        body = QWidget()
        self._stack = QStackedLayout(body)
        self._stack.addWidget(self.wall)
        self._stack.addWidget(self.empty)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(UNIT + UNIT // 2, UNIT, UNIT // 2, 2 * UNIT)
        layout.setSpacing(UNIT)
        layout.addWidget(self.packs)
        inset = QHBoxLayout()
        inset.setContentsMargins(UNIT // 2, 0, UNIT // 2, 0)
        inset.addWidget(self.search)
        layout.addLayout(inset)
        layout.addWidget(self.kind_bar)
        layout.addWidget(body, 1)
        self.painting = PaintingBar(session)
        layout.addWidget(self.painting)
        self.learn_button: QPushButton = push_button("New vocabulary…", session.learning.show, "plus", "flat")
        self.learn_button.setObjectName("learn")
        self.learn_button.setToolTip("Learn the parts of your own pictures. You can also drop a folder anywhere.")
        below = QVBoxLayout()
        below.setContentsMargins(UNIT // 2, 0, UNIT // 2, 0)
        below.setSpacing(UNIT // 2)
        below.addWidget(self.open_button)
        below.addWidget(self.learn_button)
        layout.addLayout(below)

        self.search.textChanged.connect(self._search)
        self.search.returnPressed.connect(self._open_first)
        self.wall.clicked.connect(self._open)
        self.wall.activated.connect(self._open)
        self.wall.typed.connect(self._type)
        remove = QAction(icon("close"), "Take off the wall", self.wall, shortcut=QKeySequence("Del"))
        remove.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        remove.triggered.connect(self._remove_current)
        self.wall.addAction(remove)
        self.wall.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.wall.customContextMenuRequested.connect(self._show_tile_menu)
        thumbnails.ready.connect(self.model.thumbnail_read)
        thumbnails.failed.connect(self.model.thumbnail_read)
        session.changed.connect(self._refresh)
        self._refresh()

    def begin_search(self) -> None:
        """Take the keyboard to the search field."""
        self.show()
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    def _refresh(self) -> None:
        state = self._session.state
        title = state.pack.title if state.pack else "No pack" if state.packs_listed else ""
        self.packs.show_title(title)
        own = [Tile(picture.id, picture.title, picture.image, picture.image, True) for picture in state.own]
        pack_path = state.pack.path if state.pack else None
        if pack_path != self._pack_path:
            self._pack_path = pack_path
            self.model.open_kind(None)  # another pack may have a kind of the same name
        self.model.show([*own, *tiles_by_kind(state.pack.references if state.pack else ())])
        self._show_kind()
        open_id = state.reference.id if state.reference else ""
        if open_id != self._painter.open_id:
            self._painter.open_id = open_id
            self._go_to(open_id)
            self.wall.viewport().update()
        self._show_emptiness()

    def _go_to(self, picture_id: str) -> None:
        """Put the keys on a picture or its kind, if it is on the wall."""
        row = self.model.row_of(picture_id)
        if row >= 0:
            self.wall.setCurrentIndex(self.model.index(row))
            self.wall.scrollTo(self.model.index(row))

    def _show_kind(self) -> None:
        """Say which kind is open, and offer the way back."""
        kind = self.model.opened
        if kind is not None:
            self.kind_title.setText(f"{kind.title} · {amount(len(kind.members), 'picture')}")
        self.wall.setAccessibleName(f"Pictures of {kind.title}" if kind is not None else "Pictures")
        self.kind_bar.setVisible(kind is not None)

    def _enter_kind(self, kind: Tile) -> None:
        self.search.clear()
        self.model.open_kind(kind)
        self._show_kind()
        self._show_emptiness()
        self.wall.setFocus()
        self._go_to(self._painter.open_id if kind.shows(self._painter.open_id) else kind.members[0].id)

    def _leave_kind(self) -> None:
        kind = self.model.opened
        if kind is None:
            return
        self.wall.setFocus()  # the button that may have it goes
        self.model.open_kind(None)
        self._show_kind()
        self._go_to(kind.id)

    def event(self, event: QEvent) -> bool:
        # Esc goes back to all kinds before the window's shortcut stops a render.
        if isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape and self.model.opened is not None:
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
                return True
            if event.type() == QEvent.Type.KeyPress:
                self._leave_kind()
                return True
        return super().event(event)

    def _show_emptiness(self) -> None:
        if self.model.tiles:
            self._stack.setCurrentWidget(self.wall)
            return
        if not self._session.state.packs_listed:
            text = ""  # for a moment at the start
        elif self._session.state.pack is None:
            text = "No pack yet.\nDrop a .partpack here."
        elif self.search.text():
            text = f"Nothing here is called “{self.search.text().strip()}”."
        else:
            text = "This pack has no pictures.\nOpen one of your own."
        self.empty.setText(text)
        self._stack.setCurrentWidget(self.empty)

    def _search(self, text: str) -> None:
        self.model.search(text)
        self._show_kind()
        self._show_emptiness()

    def _type(self, letters: str) -> None:
        self.search.setFocus()
        self.search.insert(letters)

    def _open_first(self) -> None:
        if self.model.tiles:
            self.wall.setFocus()
            self.wall.setCurrentIndex(self.model.index(0))
            self._open(self.model.index(0))

    def _open(self, index: Index) -> None:
        tile: Tile | None = index.data(TileRole)
        if tile is None:  # it went with the first of two signals of one click
            return
        if tile.members:
            self._enter_kind(tile)
        elif tile.own:
            self._session.open_image(tile.image)
        else:
            self._session.open_reference(tile.id)

    def _remove_current(self) -> None:
        tile: Tile | None = self.wall.currentIndex().data(TileRole)
        if tile is not None and tile.own:
            self._session.close_image(tile.image)

    def _show_tile_menu(self, at: QPoint) -> None:
        tile: Tile | None = self.wall.indexAt(at).data(TileRole)
        if tile is None or not tile.own:
            return
        menu = QMenu(self.wall)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(icon("close"), "Take off the wall", lambda: self._session.close_image(tile.image))
        menu.popup(self.wall.viewport().mapToGlobal(at))

    def _run_menu(self, run: Run) -> QMenu:
        """What can be done with a training that is not finished."""
        learning = self._session.learning
        menu = QMenu(f"{run.title}: {RUN_STATES.get(run.state, run.state)}", self._menu)
        menu.addAction("Show", lambda: learning.show_run(run.folder))
        if run.state == "running":
            menu.addAction("Pause", lambda: learning.pause(run.folder))
        else:
            menu.addAction("Go on", lambda: learning.resume(run.folder))
            menu.addAction(icon("delete"), "Discard", lambda: learning.discard(run.folder))
        return menu

    def _show_menu(self) -> None:
        self._session.learning.find_runs()
        self._menu.clear()
        state = self._session.state
        for pack in state.packs:
            action = QAction(pack.title, self._menu, checkable=True, checked=pack == state.pack)
            action.triggered.connect(lambda _=False, pack_id=pack.id: self._session.open_pack(pack_id))
            self._menu.addAction(action)
        self._menu.addSeparator()
        self._menu.addAction(icon("pack"), "Import pack…", self.import_wanted.emit)
        self._menu.addAction(icon("plus"), "New vocabulary…", self._session.learning.show)
        for run in state.learning.runs:
            if run.state != "finished":
                self._menu.addMenu(self._run_menu(run))
        finished = [run for run in state.learning.runs if run.state == "finished"]
        if finished:
            done = self._menu.addMenu("Finished trainings")
            done.setObjectName("finished")
            for run in finished:
                done.addAction(finished_text(run), lambda folder=run.folder: self._session.learning.show_run(folder))
        pack = state.pack
        if pack is not None:
            self._menu.addMenu(export_menu(self._session, pack, self._menu))
        if pack is not None and pack.trained:
            self._menu.addAction(icon("check"), f"Evaluate “{pack.title}”…", self.evaluate_wanted.emit)
        if pack is not None and self._session.is_own_pack(pack):
            self._menu.addAction(icon("delete"), f"Remove “{pack.title}”", lambda: self._session.remove_pack(pack))
        open_menu(self._menu, self.packs, self.packs.mapToGlobal(self.packs.rect().bottomLeft()))
