"""The first page of the wizard: which pictures, how many, what is wrong with some, and what they are for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPalette, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListView,
    QListWidget,
    QSizePolicy,
    QStackedWidget,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from engine.worker.jobs import Problem
from partcraft_desktop.app.learning.controller import Learning
from partcraft_desktop.app.learning.state import LearningState
from partcraft_desktop.widgets.controls import ShortLabel, paint_cover, paint_ring, push_button, read_side, rounded
from partcraft_desktop.widgets.images import Thumbnails
from partcraft_desktop.widgets.theme import UNIT, paint_icon
from partcraft_desktop.wizard.page import DoingLine, WizardPage, amount, heading, quiet

Index = QModelIndex | QPersistentModelIndex
CELL: Final = 112
SIDE: Final = 280
"""Width of the column beside the pictures."""

LEFT_OUT: Final = {
    "unreadable": "cannot be read",
    "tiny": "too small to learn from",
    "duplicate": "there twice",
}


class Pictures(QAbstractListModel):
    """Paths of pictures; thumbnails are read when they are seen."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: tuple[str, ...] = ()

    def show(self, paths: Sequence[str]) -> None:
        """Show other pictures."""
        if tuple(paths) != self.paths:
            self.beginResetModel()
            self.paths = tuple(paths)
            self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - the signature Qt calls
        return 0 if parent.isValid() else len(self.paths)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        path = Path(self.paths[index.row()])
        match role:
            case Qt.ItemDataRole.AccessibleTextRole | Qt.ItemDataRole.ToolTipRole:
                return f"{path.parent.name} / {path.name}"
            case Qt.ItemDataRole.UserRole:
                return str(path)
        return None


class _Painter(QStyledItemDelegate):
    def __init__(self, thumbnails: Thumbnails, view: QListView) -> None:
        super().__init__(view)
        self._thumbnails = thumbnails
        self._view = view

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        rect: QRect = option.rect  # type: ignore[attr-defined]
        palette: QPalette = option.palette  # type: ignore[attr-defined]
        square = rect.adjusted(4, 4, -4, -4)
        ratio = painter.device().devicePixelRatioF()
        pixmap = self._thumbnails.get(index.data(Qt.ItemDataRole.UserRole), read_side(square.width()), ratio)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillPath(rounded(square.toRectF(), UNIT), palette.color(QPalette.ColorRole.AlternateBase))
        if pixmap is not None and not pixmap.isNull():
            paint_cover(painter, pixmap, square)
        elif pixmap is not None:
            middle = QRect(0, 0, 24, 24)
            middle.moveCenter(square.center())
            paint_icon(painter, "warning", middle.toRectF(), palette.color(QPalette.ColorRole.PlaceholderText))
        if option.state & QStyle.StateFlag.State_HasFocus:  # type: ignore[attr-defined]
            paint_ring(painter, square, palette.color(QPalette.ColorRole.Highlight), 2, UNIT)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return self._view.gridSize()


class PictureGrid(QListView):
    """Pictures in a grid that scrolls. ``enlarged(path)``: a picture was pressed, or Enter on it."""

    enlarged = Signal(str)

    def __init__(self, thumbnails: Thumbnails) -> None:
        super().__init__()
        self.pictures = Pictures()
        self.setModel(self.pictures)
        self.setItemDelegate(_Painter(thumbnails, self))
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setLayoutMode(QListView.LayoutMode.Batched)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSelectionMode(QListView.SelectionMode.NoSelection)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Pictures")
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor)
        self.clicked.connect(self._enlarge)
        thumbnails.ready.connect(self._arrived)
        thumbnails.failed.connect(self._arrived)

    def _arrived(self, _path: str, _failure: object = None) -> None:
        self.viewport().update()

    def _enlarge(self, index: QModelIndex) -> None:
        self.enlarged.emit(index.data(Qt.ItemDataRole.UserRole))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self.currentIndex().isValid():
            self._enlarge(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        # Qt lays a long list out as if its scroll bar were there.
        bar = self.verticalScrollBar()
        width = self.viewport().width() - 1 - (0 if bar.isVisible() else bar.sizeHint().width())
        cell = max(48, width // max(1, width // CELL))
        self.setGridSize(QSize(cell, cell))
        super().resizeEvent(event)


class PictureStrip(PictureGrid):
    """A few pictures in one row, as high as the room for eight of them allows."""

    EIGHT: Final = 8

    def __init__(self, thumbnails: Thumbnails) -> None:
        super().__init__(thumbnails)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def resizeEvent(self, event: QResizeEvent) -> None:
        cell = max(48, (self.viewport().width() - 1) // self.EIGHT)
        self.setGridSize(QSize(cell, cell))
        self.setFixedHeight(cell)
        QListView.resizeEvent(self, event)


class _DropArea(QWidget):
    """An invitation, before there are pictures."""

    def __init__(self, learning: Learning, choose: Any) -> None:
        super().__init__()
        self.setAccessibleName("Drop a folder of pictures here")
        title = heading("Drop a folder of pictures here")
        title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        said = quiet(
            "Fifty pictures of one kind of thing are enough, thousands are fine. "
            "If they are sorted into subfolders by kind, each kind gets a name of its own."
        )
        said.setAlignment(Qt.AlignmentFlag.AlignCenter)
        said.setFixedSize(464, 3 * said.fontMetrics().lineSpacing() + 4)
        self.choose = push_button("Choose folder…", choose, "folder", "primary")
        self.practice = push_button("Try it with the practice birds", learning.open_practice, look="flat")
        column = QVBoxLayout(self)
        column.setSpacing(UNIT)
        column.addStretch(2)
        column.addSpacing(7 * UNIT)
        column.addWidget(title)
        self._title = title
        column.addWidget(said, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(2 * UNIT)
        column.addWidget(self.choose, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.practice, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Mid), 2, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 2 * UNIT, 2 * UNIT)
        top = self._title.y() - 7 * UNIT
        place = QRectF(self.width() / 2 - 24, top, 48, 48)
        paint_icon(painter, "folder", place, self.palette().color(QPalette.ColorRole.PlaceholderText))


class PicturesPage(WizardPage):
    """``folder_wanted()``: choose a folder in a dialog; ``enlarge_wanted(path)``: show a picture large."""

    folder_wanted = Signal()
    enlarge_wanted = Signal(str)

    def __init__(self, learning: Learning, thumbnails: Thumbnails) -> None:
        super().__init__("Pictures", lambda: learning.dismiss("pictures"))
        self._learning = learning
        self._shown: tuple[Any, ...] = ()
        self.drop_area = _DropArea(learning, self.folder_wanted.emit)
        self.doing = DoingLine()
        self.doing.cancelled.connect(lambda: learning.cancel("survey"))
        self.title = ShortLabel()
        self.title.setProperty("title", True)
        self.counts = quiet()
        self.change = push_button("Other folder…", self.folder_wanted.emit, "folder")
        self.use = QComboBox()
        self.use.setAccessibleName("What the pictures are for")
        self.use.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.use.activated.connect(lambda _: learning.extend(self.use.currentData()))
        self.kinds = QListWidget()
        self.kinds.setAccessibleName("Kinds")
        self.problems = QListWidget()
        self.problems.setAccessibleName("Pictures that are left out")
        self.problems_title = QLabel()
        self.kinds_title = QLabel()
        for widget in (self.kinds, self.problems):
            widget.setFrameShape(QFrame.Shape.NoFrame)
            widget.setSelectionMode(QListWidget.SelectionMode.NoSelection)
            widget.setWordWrap(True)
            widget.setSpacing(2)
            widget.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.grid = PictureGrid(thumbnails)
        self.grid.enlarged.connect(self.enlarge_wanted)
        self.column.addWidget(self._stack(), 1)

    def _stack(self) -> QStackedWidget:
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.title)
        words.addWidget(self.counts)
        words.addWidget(self.doing)
        top = QHBoxLayout()
        top.setSpacing(UNIT)
        top.addLayout(words, 1)
        top.addWidget(self.change, 0, Qt.AlignmentFlag.AlignTop)
        side = QVBoxLayout()
        side.setSpacing(UNIT)
        side.addWidget(QLabel("Make of them"))
        side.addWidget(self.use)
        side.addSpacing(UNIT)
        side.addWidget(self.kinds_title)
        side.addWidget(self.kinds, 2)
        side.addWidget(self.problems_title)
        side.addWidget(self.problems, 3)
        side.addStretch(1)
        beside = QWidget()
        beside.setFixedWidth(SIDE)
        side.setContentsMargins(0, 0, 0, 0)
        beside.setLayout(side)
        body = QHBoxLayout()
        body.setSpacing(3 * UNIT)
        body.addWidget(self.grid, 1)
        body.addWidget(beside)
        filled = QWidget()
        column = QVBoxLayout(filled)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(UNIT)
        column.addLayout(top)
        column.addLayout(body, 1)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.drop_area)
        self.stack.addWidget(filled)
        self.stack.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        return self.stack

    def show_state(self, now: LearningState) -> None:
        """Repaint what changed."""
        self.trouble.show_trouble(now.troubles.get("pictures"))
        doing = now.doing.get("survey")
        self.doing.show_doing(doing)
        self.counts.setVisible(doing is None)
        self.stack.setCurrentIndex(1 if now.draft.folder else 0)
        surveyed = now.surveyed
        shown = (now.draft.folder, surveyed, now.draft.extends, now.extendable, doing is None)
        if shown == self._shown:
            return
        self._shown = shown
        self.title.setText(Path(now.draft.folder).name)
        self.title.setToolTip(now.draft.folder)
        self.grid.pictures.show(surveyed.pictures if surveyed else ())
        self.counts.setText(_counts(now))
        self._show_kinds(surveyed.kinds if surveyed else ())
        self._show_problems(surveyed.problems if surveyed else ())
        self.use.clear()
        self.use.addItem("A new vocabulary", "")
        for pack in now.extendable:
            self.use.addItem(f"More for “{pack.title}”", str(pack.path))
        self.use.setCurrentIndex(max(0, self.use.findData(now.draft.extends)))
        self.use.setToolTip("More for a pack: the parts stay, its tokens stay, and these pictures bring new ones.")

    def _show_kinds(self, kinds: Sequence[tuple[str, int]]) -> None:
        self.kinds.clear()
        self.kinds.setVisible(bool(kinds))
        self.kinds_title.setVisible(bool(kinds))
        self.kinds_title.setText(amount(len(kinds), "kind"))
        for name, count in kinds:
            # A name in any direction of writing, and its number never alone on a line.
            self.kinds.addItem(f"\u2068{name}\u2069\u00a0\u00a0·\u00a0\u00a0{count:,}")

    def _show_problems(self, problems: Sequence[Problem]) -> None:
        self.problems.clear()
        self.problems.setVisible(bool(problems))
        self.problems_title.setVisible(bool(problems))
        self.problems_title.setText(f"{amount(len(problems), 'picture')} left out")
        for problem in problems:
            self.problems.addItem(problem.message)
            self.problems.item(self.problems.count() - 1).setToolTip(f"{problem.message}\n{problem.picture}")


def _counts(now: LearningState) -> str:
    surveyed = now.surveyed
    if surveyed is None:
        return ""
    words = amount(len(surveyed.pictures), "picture")
    if surveyed.kinds:
        words += f" of {amount(len(surveyed.kinds), 'kind')}"
    left_out = [
        f"{sum(problem.what == what for problem in surveyed.problems):,} {said}"
        for what, said in LEFT_OUT.items()
        if any(problem.what == what for problem in surveyed.problems)
    ]
    return words + (f"; left out: {', '.join(left_out)}" if left_out else "")
