"""Library: the packs, and the pictures of the open one as a searchable wall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    QUrl,
    Signal,
)
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence, QPainter, QPalette, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QMenu,
    QPushButton,
    QSizePolicy,
    QStackedLayout,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from engine.runs.run import Run
from partcraft_desktop.app.session import Session
from partcraft_desktop.widgets.controls import paint_cover, paint_ring, push_button, read_side, rounded
from partcraft_desktop.widgets.images import Thumbnails
from partcraft_desktop.widgets.theme import UNIT, icon, paint_icon

Index = QModelIndex | QPersistentModelIndex
TileRole: Final = Qt.ItemDataRole.UserRole
CAPTION: Final = 24
SMALLEST_CELL: Final = 96

RUN_STATES: Final = {
    "ready": "not started", "running": "learning", "paused": "paused", "stopped": "stopped", "failed": "needs help",
    "lost": "interrupted",
}  # fmt: skip


@dataclass(frozen=True)
class Tile:
    """One picture on the wall: a reference of the pack, or a person's own."""

    id: str
    title: str
    image: str
    thumbnail: str
    own: bool = False


class Wall(QAbstractListModel):
    """The tiles whose title contains what was searched for."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: tuple[Tile, ...] = ()
        self._wanted = ""
        self.tiles: tuple[Tile, ...] = ()

    def show(self, tiles: Sequence[Tile]) -> None:
        """Show other tiles."""
        if tuple(tiles) != self._all:
            self._all = tuple(tiles)
            self._filter()

    def search(self, text: str) -> None:
        """Show only titles that contain the text, whatever its case."""
        self._wanted = text.casefold().strip()
        self._filter()

    def _filter(self) -> None:
        self.beginResetModel()
        self.tiles = tuple(tile for tile in self._all if self._wanted in tile.title.casefold())
        self.endResetModel()

    def row_of(self, tile_id: str) -> int:
        """The row of a tile, -1 if it is not shown."""
        return next((row for row, tile in enumerate(self.tiles) if tile.id == tile_id), -1)

    def thumbnail_read(self, path: str, _failure: object = None) -> None:
        """Repaint the tiles of a thumbnail that can be had now."""
        for row, tile in enumerate(self.tiles):
            if tile.thumbnail == path:
                self.dataChanged.emit(self.index(row), self.index(row))

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - the signature Qt calls
        return 0 if parent.isValid() else len(self.tiles)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        tile = self.tiles[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.ToolTipRole | Qt.ItemDataRole.AccessibleTextRole:
                return tile.title
            case Qt.ItemDataRole.UserRole:
                return tile
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        return super().flags(index) | Qt.ItemFlag.ItemIsDragEnabled

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(self.tiles[index.row()].image) for index in indexes])
        return data


class _TilePainter(QStyledItemDelegate):
    """A square picture and its title; a ring around the open one, a thinner one around the focused one."""

    def __init__(self, thumbnails: Thumbnails, view: QListView) -> None:
        super().__init__(view)
        self._thumbnails = thumbnails
        self._view = view
        self.open_id = ""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        tile: Tile = index.data(TileRole)
        rect: QRect = option.rect  # type: ignore[attr-defined]
        palette: QPalette = option.palette  # type: ignore[attr-defined]
        state = option.state  # type: ignore[attr-defined]
        side = rect.width() - UNIT
        square = QRect(rect.x() + UNIT // 2, rect.y() + UNIT // 2, side, side)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pixmap = self._thumbnails.get(tile.thumbnail, read_side(side), painter.device().devicePixelRatioF())
        painter.fillPath(rounded(square.toRectF(), UNIT), palette.color(QPalette.ColorRole.AlternateBase))
        if pixmap is not None and not pixmap.isNull():
            paint_cover(painter, pixmap, square)
        elif pixmap is not None:
            middle = QRect(0, 0, 24, 24)
            middle.moveCenter(square.center())
            paint_icon(painter, "picture", middle.toRectF(), palette.color(QPalette.ColorRole.PlaceholderText))
        is_open = tile.id == self.open_id
        if is_open:
            paint_ring(painter, square, palette.color(QPalette.ColorRole.Highlight))
        elif state & QStyle.StateFlag.State_HasFocus and state & QStyle.StateFlag.State_Active:
            paint_ring(painter, square, palette.color(QPalette.ColorRole.PlaceholderText), 1.5)
        elif state & QStyle.StateFlag.State_MouseOver:
            paint_ring(painter, square, palette.color(QPalette.ColorRole.Mid), 1.5)
        role = QPalette.ColorRole.WindowText if is_open else QPalette.ColorRole.PlaceholderText
        painter.setPen(palette.color(role))
        caption = QRect(square.x(), square.bottom() + 5, side, CAPTION - 6)
        title = option.fontMetrics.elidedText(tile.title, Qt.TextElideMode.ElideRight, side)  # type: ignore[attr-defined]
        painter.drawText(caption, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter, title)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return self._view.gridSize()


class _WallView(QListView):
    """The wall; letters typed into it go to the search field."""

    typed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setDragEnabled(True)
        self.setDragDropMode(QListView.DragDropMode.DragOnly)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def resizeEvent(self, event: QResizeEvent) -> None:
        width = self.viewport().width() - 1
        cell = width // max(1, width // SMALLEST_CELL)
        self.setGridSize(QSize(cell, cell + CAPTION))
        super().resizeEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = not event.modifiers() & ~Qt.KeyboardModifier.ShiftModifier
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self.currentIndex().isValid():
            self.activated.emit(self.currentIndex())
        elif plain and event.text().isprintable() and event.text().strip():
            self.typed.emit(event.text())
        else:
            super().keyPressEvent(event)


class _PackButton(QPushButton):
    """The title of the open pack, shortened where it is long, and an arrow: press it for the other packs."""

    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self.setProperty("flat", True)
        self.setStyleSheet(
            "text-align: left; font-size: 17px; font-weight: 600; padding: 4px 3px 4px 8px; min-height: 26px;"
        )
        # An icon stands before the text; read from right to left, that is behind it.
        self.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        self.setIcon(icon("chevron-down"))
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def show_title(self, title: str) -> None:
        """Show another title."""
        if title != self.title:
            self.title = title
            self.setAccessibleName(f"Pack: {title}")
            self.setToolTip(f"{title}\nSwitch to another pack, or import one")
            self._shorten()

    def _shorten(self) -> None:
        self.ensurePolished()
        room = self.width() - 6 * UNIT
        self.setText(self.fontMetrics().elidedText(self.title, Qt.TextElideMode.ElideRight, room))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._shorten()


class Library(QWidget):
    """Which pack, which picture. ``open_wanted`` and ``import_wanted`` ask for a file dialog."""

    open_wanted = Signal()
    import_wanted = Signal()

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setAccessibleName("Library")
        self.setMinimumWidth(200)

        self.packs = _PackButton()
        self.packs.setObjectName("packs")
        self._menu = QMenu(self)
        self.packs.clicked.connect(self._show_menu)

        self.search = QLineEdit(placeholderText="Search", clearButtonEnabled=True)
        self.search.setObjectName("search")
        self.search.setAccessibleName("Search pictures")
        self.search.addAction(
            icon("search", QPalette.ColorRole.PlaceholderText), QLineEdit.ActionPosition.LeadingPosition
        )

        self.model = Wall(self)
        self.wall = _WallView()
        self.wall.setObjectName("wall")
        self.wall.setAccessibleName("Pictures")
        self.wall.setModel(self.model)
        self._painter = _TilePainter(thumbnails, self.wall)
        self.wall.setItemDelegate(self._painter)

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
        layout.addWidget(body, 1)
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

    def _refresh(self) -> None:
        state = self._session.state
        title = state.pack.title if state.pack else "No pack"
        self.packs.show_title(title)
        own = [Tile(picture.id, picture.title, picture.image, picture.image, True) for picture in state.own]
        references = state.pack.references if state.pack else ()
        self.model.show([*own, *(Tile(r.id, r.title, r.image, r.thumbnail) for r in references)])
        open_id = state.reference.id if state.reference else ""
        if open_id != self._painter.open_id:
            self._painter.open_id = open_id
            row = self.model.row_of(open_id)
            if row >= 0:
                self.wall.setCurrentIndex(self.model.index(row))
                self.wall.scrollTo(self.model.index(row))
            self.wall.viewport().update()
        self._show_emptiness()

    def _show_emptiness(self) -> None:
        if self.model.tiles:
            self._stack.setCurrentWidget(self.wall)
            return
        if self._session.state.pack is None:
            text = "No pack yet.\nDrop a .partpack here."
        elif self.search.text():
            text = f"Nothing here is called “{self.search.text().strip()}”."
        else:
            text = "This pack has no pictures.\nOpen one of your own."
        self.empty.setText(text)
        self._stack.setCurrentWidget(self.empty)

    def _search(self, text: str) -> None:
        self.model.search(text)
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
        tile: Tile = index.data(TileRole)
        if tile.own:
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
        pack = state.pack
        if pack is not None and self._session.is_own_pack(pack):
            self._menu.addAction(icon("delete"), f"Remove “{pack.title}”", lambda: self._session.remove_pack(pack))
        self._menu.popup(self.packs.mapToGlobal(self.packs.rect().bottomLeft()))
