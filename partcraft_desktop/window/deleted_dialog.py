"""What was deleted lately: seen, brought back, or deleted for good."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from PySide6.QtCore import QAbstractListModel, QItemSelectionModel, QModelIndex, QRect, Qt
from PySide6.QtGui import QFontMetrics, QKeySequence, QPainter, QPalette, QPixmap, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QStackedLayout,
    QStyle,
    QStyleOptionViewItem,
    QWidget,
)

from partcraft_desktop.app.messages import Message
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.state import DeletedItem
from partcraft_desktop.widgets.controls import push_button
from partcraft_desktop.widgets.dialog import Dialog, quiet_label
from partcraft_desktop.widgets.theme import UNIT
from partcraft_desktop.widgets.thumbnails import Thumbnails
from partcraft_desktop.widgets.tile_delegate import CHOSEN, Index, Ring, TileDelegate
from partcraft_desktop.widgets.tile_wall import TileWall

ItemRole: Final = Qt.ItemDataRole.UserRole
SMALLEST: Final = 120
CAPTION: Final = 44
KINDS: Final = {"creation": "Creation", "picture": "Picture", "pack": "Pack", "training": "Training"}
EXPLAINED: Final = (
    "What was deleted is kept for 30 days, then it goes for good. Your own pictures were only taken off the wall: "
    "their files stay where they are."
)


class DeletedModel(QAbstractListModel):
    """The deleted things, the newest first."""

    def __init__(self) -> None:
        super().__init__()
        self.items: tuple[DeletedItem, ...] = ()

    def show(self, items: tuple[DeletedItem, ...]) -> None:
        """Show other things."""
        self.beginResetModel()
        self.items = items
        self.endResetModel()

    def repaint(self, path: str, _failure: object = None) -> None:
        """Repaint the tiles of a picture that can be had now."""
        for row, item in enumerate(self.items):
            if item.image == path:
                self.dataChanged.emit(self.index(row), self.index(row))

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - the signature Qt calls
        return 0 if parent.isValid() else len(self.items)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        item = self.items[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return item.name
            case Qt.ItemDataRole.ToolTipRole | Qt.ItemDataRole.AccessibleTextRole:
                return f"{KINDS[item.kind]}: {item.name}\nDeleted {when_text(item.when)}{_left(item)}"
            case Qt.ItemDataRole.UserRole:
                return item
        return None


class DeletedDelegate(TileDelegate):
    """A picture, its name, and when it was deleted."""

    def path(self, index: Index) -> str:
        return index.data(ItemRole).image

    def picture(self, index: Index, side: int, ratio: float) -> QPixmap | None:
        return super().picture(index, side, ratio) if self.path(index) else QPixmap()

    def icon(self, index: Index) -> str:
        return "pack" if index.data(ItemRole).kind in ("pack", "training") else self.missing_icon

    def ring(self, index: Index, state: QStyle.StateFlag) -> Ring | None:
        return CHOSEN if state & QStyle.StateFlag.State_Selected else super().ring(index, state)

    def paint_below(self, painter: QPainter, square: QRect, index: Index, option: QStyleOptionViewItem) -> None:
        item: DeletedItem = index.data(ItemRole)
        palette: QPalette = option.palette  # type: ignore[attr-defined]
        metrics: QFontMetrics = option.fontMetrics  # type: ignore[attr-defined]
        lines = (
            (item.name, QPalette.ColorRole.WindowText),
            (when_text(item.when), QPalette.ColorRole.PlaceholderText),
        )
        for number, (text, role) in enumerate(lines):
            line = QRect(square.x(), square.bottom() + 5 + number * 18, square.width(), 18)
            painter.setPen(palette.color(role))
            text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, square.width())
            painter.drawText(line, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter, text)


class DeletedDialog(Dialog):
    """Lists ``state.deleted``; whatever is pressed holds at once, but for what nothing brings back, which is asked."""

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__("Recently deleted", parent)
        self._session = session
        self._asked: list[DeletedItem] = []
        self.setMinimumSize(480, 320)
        self.model = DeletedModel()
        self.model.setParent(self)
        self.wall = TileWall(SMALLEST, CAPTION)
        self.wall.setAccessibleName("Deleted things")
        self.wall.setModel(self.model)
        self.wall.setItemDelegate(DeletedDelegate(thumbnails, self.wall))
        self.wall.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.empty = QLabel()
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.empty.setProperty("quiet", True)

        self.restore = push_button("Restore selected", lambda: self._restore(self.selected()), look="primary")
        self.restore_all = push_button("Restore all", lambda: self._restore(self.model.items))
        self.purge = push_button("Delete for good…", lambda: self._ask(self.selected()), look="flat")
        self.purge.setAccessibleName("Delete selected for good")
        self.finish = push_button("Done", self.accept)
        self._question = QLabel()
        self._question.setWordWrap(True)
        self.sure = push_button("Delete for good", self._purge)
        self.keep = push_button("Keep", self._keep, look="primary")

        self.add_title("Recently deleted")
        self.column.addWidget(quiet_label(EXPLAINED))
        body = QWidget()
        self._body = QStackedLayout(body)
        self._body.setContentsMargins(0, 0, 0, 0)
        self._body.addWidget(self.wall)
        self._body.addWidget(self.empty)
        self.column.addWidget(body, 1)
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.told.setTextFormat(Qt.TextFormat.PlainText)
        self.told.hide()
        self.column.addWidget(self.told)
        foot = QWidget()
        self._foot = QStackedLayout(foot)
        self._foot.setContentsMargins(0, 0, 0, 0)
        self._foot.addWidget(_row(self.purge, None, self.restore_all, self.restore, self.finish))
        self._foot.addWidget(_row(self._question, None, self.sure, self.keep))
        foot.setFixedHeight(foot.sizeHint().height())
        self.column.addWidget(foot)

        self.wall.selectionModel().selectionChanged.connect(lambda: self._show_buttons())
        self.wall.activated.connect(lambda _: self._restore(self.selected()))
        delete = QShortcut(QKeySequence(Qt.Key.Key_Delete), self.wall, lambda: self._ask(self.selected()))
        delete.setContext(Qt.ShortcutContext.WidgetShortcut)
        thumbnails.ready.connect(self.model.repaint)
        thumbnails.failed.connect(self.model.repaint)
        session.changed.connect(self._refresh)
        session.message.connect(self._tell)
        self._show_items()
        session.deleted.read()

    def selected(self) -> list[DeletedItem]:
        """The selected things, in their order."""
        rows = sorted(index.row() for index in self.wall.selectionModel().selectedIndexes())
        return [self.model.items[row] for row in rows]

    def _refresh(self) -> None:
        state = self._session.state
        if state.deleted is not self.model.items or state.deleted_listed != bool(self.empty.text()):
            self._show_items()

    def _tell(self, message: Message) -> None:
        """Say what went wrong where it is seen: the strip lies below this dialog."""
        if message.kind != "info":
            self.told.setText(f"{message.text} {message.hint}".strip())
            self.told.show()

    def _show_items(self) -> None:
        selected_paths = {item.path for item in self.selected()}
        at = self.wall.currentIndex().row()
        items = self._session.state.deleted
        was_empty = not self.model.items
        self.empty.setText("Nothing was deleted lately." if self._session.state.deleted_listed else "")
        self.model.show(items)
        for row, item in enumerate(items):
            if item.path in selected_paths:
                self.wall.selectionModel().select(self.model.index(row), QItemSelectionModel.SelectionFlag.Select)
        if items:
            here = self.model.index(min(max(at, 0), len(items) - 1))
            self.wall.selectionModel().setCurrentIndex(here, QItemSelectionModel.SelectionFlag.NoUpdate)
        self._body.setCurrentWidget(self.wall if items else self.empty)
        if items and was_empty and self.focusWidget() in (None, self.finish):
            self.wall.setFocus()
        elif not items and self.focusWidget() in (None, self.wall):
            self.finish.setFocus()
        self._show_buttons()

    def _show_buttons(self) -> None:
        selected = len(self.selected())
        for button in (self.restore, self.purge):
            button.setEnabled(selected > 0)
        self.restore_all.setEnabled(bool(self.model.items))

    def _restore(self, items: Sequence[DeletedItem]) -> None:
        if items:
            self.told.hide()
            self._session.deleted.restore(tuple(items))

    def _ask(self, items: Sequence[DeletedItem]) -> None:
        if items:
            self._asked = list(items)
            name = f"“{items[0].name}”" if len(items) == 1 else f"{len(items)} things"
            self._question.setText(f"Delete {name} for good? Nothing brings that back.")
            self._foot.setCurrentIndex(1)
            self.keep.setFocus()

    def _purge(self) -> None:
        asked, self._asked = self._asked, []
        self._session.deleted.delete_for_good(asked)
        self._keep()

    def _keep(self) -> None:
        self._foot.setCurrentIndex(0)
        self.wall.setFocus()

    def reject(self) -> None:
        # Esc answers the question first.
        if self._foot.currentIndex() == 1:
            self._keep()
        else:
            super().reject()


def when_text(when: float, now: float | None = None) -> str:
    """When something happened, as people say it: "just now", "today, 14:05", "yesterday, 9:30", "3 March"."""
    now = time.time() if now is None else now
    then, today = datetime.fromtimestamp(when), datetime.fromtimestamp(now)
    if 0 <= now - when < 60:
        return "just now"
    days = (today.date() - then.date()).days
    clock = f"{then.hour}:{then.minute:02}"
    if days in (0, 1):
        return f"{'yesterday' if days else 'today'}, {clock}"
    year = "" if then.year == today.year else f" {then.year}"
    return f"{then.day} {then:%B}{year}"


def _left(item: DeletedItem) -> str:
    if item.days_left is None:
        return ""
    days = "less than a day" if item.days_left == 0 else "a day" if item.days_left == 1 else f"{item.days_left} days"
    return f", kept for {days} yet"


def _row(*widgets: QWidget | None) -> QWidget:
    """Widgets beside each other; None is room between them."""
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(UNIT)
    for widget in widgets:
        if widget is None:
            layout.addStretch(1)
        else:
            layout.addWidget(widget)
    return row
