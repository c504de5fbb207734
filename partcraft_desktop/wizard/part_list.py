"""The parts that were found, as a list: rename, recolour, merge, drop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractListModel,
    QEvent,
    QMimeData,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QIcon, QKeyEvent, QMouseEvent, QPainter, QPalette, QPixmap
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QListView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from engine.core.palette import PALETTE
from engine.core.part_looks import part_signs
from partcraft_desktop.app.learning.part_sorting import DraftPart
from partcraft_desktop.widgets.controls import rounded
from partcraft_desktop.widgets.part_glyphs import glyph
from partcraft_desktop.widgets.theme import icon, paint_icon

Index = QModelIndex | QPersistentModelIndex
ROW: Final = 36
MERGING: Final = "application/x-partcraft-parts"


class PartListModel(QAbstractListModel):
    """The draft's parts with the share of the pictures that each covers.

    ``named(part, name)``: a person typed a name; ``merged(part, part)``: one was dragged onto another.
    """

    named = Signal(int, str)
    merged = Signal(int, int)

    def __init__(self) -> None:
        super().__init__()
        self.parts: tuple[DraftPart, ...] = ()
        self.shares: tuple[float, ...] = ()
        self.fixed = False

    def show(self, parts: Sequence[DraftPart], shares: Sequence[float], fixed: bool) -> None:
        """Show other parts; the selection stays where the rows stay. ``fixed``: they cannot be changed."""
        same = len(parts) == len(self.parts)
        if not same:
            self.beginResetModel()
        changed = (tuple(parts), tuple(shares), fixed) != (self.parts, self.shares, self.fixed)
        self.parts, self.shares, self.fixed = tuple(parts), tuple(shares), fixed
        if not same:
            self.endResetModel()
        elif changed and parts:
            self.dataChanged.emit(self.index(0), self.index(len(parts) - 1))

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - the signature Qt calls
        return 0 if parent.isValid() else len(self.parts)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        part = self.parts[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.EditRole:
                return part.name
            case Qt.ItemDataRole.AccessibleTextRole:
                return f"{part.name}, {self.share(index.row())}" + (", dropped" if part.dropped else "")
            case Qt.ItemDataRole.ToolTipRole:
                several = f", made of {len(part.members)} that were found" if len(part.members) > 1 else ""
                return f"{part.name}: {self.share(index.row())} of the pictures{several}"
            case Qt.ItemDataRole.UserRole:
                return part
        return None

    def share(self, row: int) -> str:
        """How much of the pictures a part covers, in words; empty while it is not known."""
        return f"{self.shares[row]:.0%}" if row < len(self.shares) else ""

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role == Qt.ItemDataRole.EditRole:
            self.named.emit(index.row(), str(value))
        return role == Qt.ItemDataRole.EditRole

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if not self.fixed:
            flags |= Qt.ItemFlag.ItemIsEditable | Qt.ItemFlag.ItemIsDragEnabled | Qt.ItemFlag.ItemIsDropEnabled
        return flags

    def mimeTypes(self) -> list[str]:
        return [MERGING]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        data = QMimeData()
        data.setData(MERGING, ",".join(str(index.row()) for index in indexes).encode())
        return data

    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.CopyAction

    def dropMimeData(self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index) -> bool:
        if not data.hasFormat(MERGING) or not parent.isValid():
            return False
        for text in bytes(data.data(MERGING).data()).decode().split(","):
            if text.isdecimal() and int(text) != parent.row() and int(text) < len(self.parts):
                self.merged.emit(int(text), parent.row())
                return True
        return False


class PartRowDelegate(QStyledItemDelegate):
    """The part's shape in its colour, its name, its share, and an eye to drop it with."""

    def __init__(self, view: PartList) -> None:
        super().__init__(view)
        self._view = view

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(120, ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        rect: QRect = option.rect  # type: ignore[attr-defined]
        palette: QPalette = option.palette  # type: ignore[attr-defined]
        state = option.state  # type: ignore[attr-defined]
        part: DraftPart = index.data(Qt.ItemDataRole.UserRole)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        row = QRectF(rect).adjusted(1, 2, -1, -2)
        selected = bool(state & QStyle.StateFlag.State_Selected)
        if selected or index.row() == self._view.lit:
            painter.fillPath(rounded(row, 6), palette.color(QPalette.ColorRole.AlternateBase))
        if selected or (state & QStyle.StateFlag.State_HasFocus and self._view.hasFocus()):
            painter.setPen(palette.color(QPalette.ColorRole.Highlight if selected else QPalette.ColorRole.Mid))
            painter.drawRoundedRect(row.adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        shape = QRectF(rect.x() + 12, rect.center().y() - 6, 12, 12)
        colour = QColor(part.colour)
        sign = part_signs(tuple(one.name for one in self._view.parts.parts))[index.row()]
        if part.dropped:
            painter.setPen(colour)
            painter.drawPath(glyph(sign, shape))
        else:
            painter.fillPath(glyph(sign, shape), colour)
        quiet = palette.color(QPalette.ColorRole.PlaceholderText)
        share = self._view.parts.share(index.row())
        font = painter.font()
        font.setStrikeOut(part.dropped)
        painter.setFont(font)
        painter.setPen(quiet if part.dropped else palette.color(QPalette.ColorRole.Text))
        place = self.name_rect(rect)
        name = painter.fontMetrics().elidedText(part.name, Qt.TextElideMode.ElideRight, place.width())
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
        font.setStrikeOut(False)
        painter.setFont(font)
        painter.setPen(quiet)
        at = QRect(rect.right() - 84, rect.y(), 44, rect.height())
        painter.drawText(at, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, share)
        if not self._view.parts.fixed:
            name = "eye-off" if part.dropped else "eye"
            paint_icon(painter, name, self.eye_rect(rect).toRectF().adjusted(5, 5, -5, -5), quiet)
        painter.restore()

    def name_rect(self, rect: QRect) -> QRect:
        return rect.adjusted(36, 0, -88, 0)

    def eye_rect(self, rect: QRect) -> QRect:
        return QRect(rect.right() - 34, rect.center().y() - 13, 28, 28)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        editor = QLineEdit(parent)
        editor.setAccessibleName(f"Name of {index.data()}")
        editor.setMaxLength(60)
        return editor

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        # What is being typed is not taken away by what is found meanwhile.
        if not (isinstance(editor, QLineEdit) and editor.isModified()):
            super().setEditorData(editor, index)

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:
        rect: QRect = option.rect  # type: ignore[attr-defined]
        editor.setGeometry(rect.adjusted(28, 2, -44, -2))

    def editorEvent(self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: Index) -> bool:
        rect: QRect = option.rect  # type: ignore[attr-defined]
        if isinstance(event, QMouseEvent) and event.button() == Qt.MouseButton.LeftButton:
            at = event.position().toPoint()
            on_eye = self.eye_rect(rect).contains(at)
            on_colour = at.x() < rect.x() + 34
            if (on_eye or on_colour) and not self._view.parts.fixed:
                if event.type() == QEvent.Type.MouseButtonRelease:
                    if on_eye:
                        self._view.drop_wanted.emit(index.row())
                    else:
                        self._view.show_colours(index.row())
                return True
        return super().editorEvent(event, model, option, index)


class PartList(QListView):
    """The list. ``pointed(part or None)``; ``drop_wanted(part)``: drop it, or take it back; ``recoloured(part,
    colour)``; ``merge_wanted()``: merge what is selected; ``split_wanted(part)``."""

    pointed = Signal(object)
    drop_wanted = Signal(int)
    recoloured = Signal(int, str)
    merge_wanted = Signal()
    split_wanted = Signal(int)
    chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.parts = PartListModel()
        self.lit: int | None = None
        self.setModel(self.parts)
        self.setItemDelegate(PartRowDelegate(self))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setAccessibleName("Parts")
        self.setMouseTracking(True)
        self.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
        triggers = QListView.EditTrigger
        self.setEditTriggers(triggers.DoubleClicked | triggers.EditKeyPressed | triggers.AnyKeyPressed)
        self.setDragDropMode(QListView.DragDropMode.DragDrop)
        self.setDefaultDropAction(Qt.DropAction.CopyAction)
        self.setDragDropOverwriteMode(True)
        self.setDropIndicatorShown(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._show_menu)
        self.selectionModel().selectionChanged.connect(lambda *_: self.chosen.emit())
        self.selectionModel().currentChanged.connect(
            lambda index, _: self.pointed.emit(index.row() if index.isValid() else None)
        )

    def selected(self) -> list[int]:
        """The rows that are selected, in order."""
        return sorted(index.row() for index in self.selectionModel().selectedRows())

    def light(self, part: int | None) -> None:
        """Light the row of a part that is lit elsewhere."""
        if part != self.lit:
            self.lit = part
            self.viewport().update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        self.pointed.emit(index.row() if index.isValid() else None)
        super().mouseMoveEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self.pointed.emit(None)
        super().leaveEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        row = self.currentIndex().row()
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and row >= 0 and not self.parts.fixed:
            self.drop_wanted.emit(row)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and row >= 0 and not self.parts.fixed:
            self.edit(self.currentIndex())
        elif event.key() == Qt.Key.Key_Menu and row >= 0:
            self._show_menu(self.visualRect(self.currentIndex()).center())
        else:
            super().keyPressEvent(event)

    def show_colours(self, row: int) -> None:
        """Offer the colours of parts for a row."""
        menu = self._menu()
        self._add_colours(menu, row)
        menu.popup(self.viewport().mapToGlobal(self.visualRect(self.parts.index(row)).bottomLeft()))

    def _menu(self) -> QMenu:
        """A menu for a row; it closes when the row may have become another part."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for changed in (self.parts.modelAboutToBeReset, self.parts.dataChanged):
            changed.connect(menu.close)
        return menu

    def _add_colours(self, menu: QMenu, row: int) -> None:
        for number, colour in enumerate(PALETTE):
            pixmap = QPixmap(16, 16)
            pixmap.fill(QColor(colour))
            action = menu.addAction(QIcon(pixmap), f"Colour {number + 1}")
            action.triggered.connect(lambda _=False, colour=colour: self.recoloured.emit(row, colour))

    def _show_menu(self, at: QPoint) -> None:
        index = self.indexAt(at)
        if not index.isValid() or self.parts.fixed:
            return
        row = index.row()
        part = self.parts.parts[row]
        menu = self._menu()
        menu.addAction("Rename", lambda: self.edit(self.parts.index(row)))
        self._add_colours(menu.addMenu("Colour"), row)
        merge = menu.addMenu("Merge with")
        for other, candidate in enumerate(self.parts.parts):
            if other != row:
                merge.addAction(candidate.name, lambda other=other: self.parts.merged.emit(row, other))
        if len(part.members) > 1:
            menu.addAction("Take apart", lambda: self.split_wanted.emit(row))
        menu.addSeparator()
        name = "Take back from the background" if part.dropped else "Drop to the background"
        menu.addAction(icon("eye" if part.dropped else "eye-off"), name, lambda: self.drop_wanted.emit(row))
        menu.popup(self.viewport().mapToGlobal(at))
