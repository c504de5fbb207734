"""The wall of all heads, of all wings, …: large crops to choose from, seen in the creature before they are taken."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QModelIndex, QPoint, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QIcon, QKeyEvent, QKeySequence, QPainter, QPalette, QPen, QPixmap, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QScrollArea, QToolButton, QVBoxLayout, QWidget

from engine.core.part_looks import part_sign, shown_parts
from engine.core.vocabulary import Part
from engine.packs.pack import Pack
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.state import OpenPicture
from partcraft_desktop.variants.variant_list import Variant, row_of, variants_of
from partcraft_desktop.variants.variant_tiles import CELL, LINE, VariantDelegate, VariantModel, VariantRole
from partcraft_desktop.widgets.controls import tool_button
from partcraft_desktop.widgets.part_glyphs import glyph
from partcraft_desktop.widgets.theme import UNIT, icon
from partcraft_desktop.widgets.thumbnails import Thumbnails
from partcraft_desktop.widgets.tile_wall import TileWall

GLYPH = 10


class PartWall(QWidget):
    """Every variant of one part after another, until no slot is empty.

    ``taken(part, departure)``: a part went into the recipe; ``departure`` is its picture and where it was seen, its
    middle in global coordinates. ``opened()`` and ``closed()``: it is wanted on screen, or no longer.
    """

    taken = Signal(int, object)
    opened = Signal()
    closed = Signal()

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._thumbnails = thumbnails
        self.part: int | None = None
        self._shown: tuple[Pack, tuple[OpenPicture, ...], int] | None = None
        self._from = ""  # the picture that was on show when it opened
        self.tabs: dict[int, QToolButton] = {}
        self._build()
        self.hide()
        session.changed.connect(self._refresh)
        thumbnails.ready.connect(self.model.crop_read)
        thumbnails.failed.connect(self.model.crop_read)

    def _build(self) -> None:
        self._tab_row = QHBoxLayout()
        self._tab_row.setContentsMargins(0, 0, 0, 0)
        self._tab_row.setSpacing(0)
        tabs = QWidget()
        tabs.setLayout(self._tab_row)
        self._scroll = QScrollArea(widgetResizable=True)
        self._scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(tabs)
        for see_through in (self._scroll, self._scroll.viewport(), tabs):
            see_through.setAutoFillBackground(False)
        self._scroll.setFixedHeight(4 * UNIT + 4)
        self.close_button = tool_button("close", "Close", self.leave, "Esc")
        head = QHBoxLayout()
        head.setSpacing(0)
        head.addWidget(self._scroll, 1)
        head.addWidget(self.close_button)

        self.search = QLineEdit(placeholderText="Search", clearButtonEnabled=True)
        self.search.setAccessibleName("Search variants")
        self.search.addAction(
            icon("search", QPalette.ColorRole.PlaceholderText), QLineEdit.ActionPosition.LeadingPosition
        )
        self.search.textChanged.connect(self._search)
        self.search.returnPressed.connect(self._take_first)
        self.model = VariantModel(self)
        self.wall = TileWall(CELL, LINE + UNIT)
        self.wall.setModel(self.model)
        self._delegate = VariantDelegate(self._thumbnails, self.model, self.wall)
        self.wall.setItemDelegate(self._delegate)
        self.wall.setCursor(Qt.CursorShape.PointingHandCursor)
        self.wall.clicked.connect(self._take)
        self.wall.activated.connect(self._take)
        self.wall.pointed.connect(self._try)
        self.wall.typed.connect(self._type)
        self.empty = QLabel(wordWrap=True, alignment=Qt.AlignmentFlag.AlignCenter)
        self.empty.setProperty("quiet", True)
        self.empty.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(UNIT, 0, UNIT, UNIT)
        column.setSpacing(UNIT)
        column.addLayout(head)
        column.addWidget(self.search)
        column.addWidget(self.wall, 1)
        column.addWidget(self.empty, 1)
        for number in range(1, 10):
            self._key(f"Ctrl+{number}", lambda number=number: self._show_nth(number - 1))
        self._key("Ctrl+Tab", lambda: self._step(1))
        self._key("Ctrl+Shift+Tab", lambda: self._step(-1))

    def _key(self, keys: str, run: Callable[[], None]) -> None:
        shortcut = QShortcut(QKeySequence(keys), self, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(run)

    # What others ask of it

    def open_part(self, part: int) -> None:
        """Show the variants of a part."""
        state = self._session.state
        if state.pack is None or part not in {one.index for one in state.pack.vocabulary.visible_parts}:
            return
        was_open = self.part is not None
        self.part = part
        if not was_open:
            self._from = state.reference.id if state.reference else ""
            self.opened.emit()
        self._session.try_choice(None)
        self.search.clear()
        self._refresh()
        self.wall.setFocus(Qt.FocusReason.OtherFocusReason)
        row = max(self.model.chosen, 0)
        self.wall.setCurrentIndex(self.model.index(row))
        # Once it has the size that it is shown at.
        QTimer.singleShot(0, self, lambda: self.wall.scrollTo(self.model.index(row)))

    def leave(self) -> None:
        """Close it."""
        if self.part is not None:
            self.part, self._shown = None, None
            self._session.try_choice(None)
            self.closed.emit()

    # Showing the session

    def _refresh(self) -> None:
        state = self._session.state
        if self.part is None:
            return
        moved_on = (state.reference.id if state.reference else "") != self._from
        if state.pack is None or moved_on or state.learning.shown or self.part >= len(state.pack.vocabulary.parts):
            self.leave()  # another picture or pack was opened: that is what is wanted now
            return
        part = state.pack.vocabulary.parts[self.part]
        shown = state.pack, state.own, self.part
        if shown != self._shown:
            if self._shown is None or self._shown[0] != state.pack:
                self._make_tabs(shown_parts(state.pack.vocabulary))
            self._shown = shown
            self._delegate.part, self._delegate.colour = self.part, QColor(part.colour)
            self.model.show(variants_of(state.pack, state.own, self.part))
            self.model.search(self.search.text())
            self.wall.set_caption(self.model.lines * LINE + UNIT)
            self.wall.setAccessibleName(f"Every {part.name}")
            self.search.setPlaceholderText(f"Search {part.name}")
        self.model.mark(row_of(self.model.variants, state.recipe.choice_of(self.part)))
        parts = state.pack.vocabulary.parts
        for index, tab in self.tabs.items():
            tab.setChecked(index == self.part)
            filled = state.recipe.choice_of(index) is not None
            if tab.property("filled") != filled:
                tab.setProperty("filled", filled)
                sign = part_sign(state.pack.vocabulary, index)
                tab.setIcon(_glyph_icon(parts[index].colour, sign, filled, self.devicePixelRatioF()))
            tab.setAccessibleDescription("chosen" if filled else "empty")
        self._scroll.ensureWidgetVisible(self.tabs[self.part], 4 * UNIT, 0)

    def _make_tabs(self, parts: tuple[Part, ...]) -> None:
        for tab in self.tabs.values():
            self._tab_row.removeWidget(tab)
            tab.hide()
            tab.deleteLater()
        while self._tab_row.count():
            self._tab_row.takeAt(0)
        self.tabs = {}
        for number, part in enumerate(parts, 1):
            tab = QToolButton()
            tab.setText(f" {part.name}")
            tab.setAccessibleName(part.name)
            tab.setIconSize(QSize(GLYPH, GLYPH))
            tab.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            tab.setCheckable(True)
            tab.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            tab.setMaximumWidth(160)
            tab.setToolTip(f"Every {part.name} (Ctrl+{number})" if number < 10 else f"Every {part.name}")
            tab.clicked.connect(lambda _=False, index=part.index: self.open_part(index))
            self._tab_row.addWidget(tab)
            self.tabs[part.index] = tab
        self._tab_row.addStretch(1)

    def _search(self, text: str) -> None:
        self._session.try_choice(None)  # it may be filtered away, and nothing is pointed at any more
        self.model.search(text)
        none_found = not self.model.variants
        self.wall.setVisible(not none_found)
        self.empty.setVisible(none_found)
        self.empty.setText(f"Nothing here is called “{text.strip()}”.")
        if self.part is not None:
            self.model.mark(row_of(self.model.variants, self._session.state.recipe.choice_of(self.part)))

    # What a person does

    def _type(self, letters: str) -> None:
        self.search.setFocus(Qt.FocusReason.OtherFocusReason)
        self.search.setText(self.search.text() + letters)

    def _try(self, index: QModelIndex) -> None:
        variant: Variant | None = index.data(VariantRole) if index.isValid() else None
        self._session.try_choice(variant.choice if variant is not None and self.part is not None else None)

    def _take_first(self) -> None:
        first = next((row for row, one in enumerate(self.model.variants) if one.choice is not None), None)
        if first is not None:
            self._take(self.model.index(first))

    def _take(self, index: QModelIndex) -> None:
        variant: Variant | None = index.data(VariantRole)
        part = self.part
        if variant is None or part is None:
            return
        if variant.choice is None:
            self._session.remove(part)
            self._try(QModelIndex())
            return
        departure = self._departure(index, variant)
        self._session.choose(part, variant.choice.code, variant.choice.source)
        self.taken.emit(part, departure)
        empty = self._next_empty(part)
        if empty is None:
            self.leave()
        else:
            self.open_part(empty)

    def _next_empty(self, part: int) -> int | None:
        """The empty slot that follows a part, or the first one."""
        recipe, order = self._session.state.recipe, list(self.tabs)
        at = order.index(part)
        return next((index for index in [*order[at:], *order[:at]] if recipe.choice_of(index) is None), None)

    def _departure(self, index: QModelIndex, variant: Variant) -> tuple[QPixmap, QPoint] | None:
        rect = self.wall.visualRect(index)
        square = rect.adjusted(0, 0, 0, rect.width() - rect.height())
        pixmap = self._delegate.picture(index, square.width() - UNIT, self.devicePixelRatioF())
        if pixmap is None or pixmap.isNull() or not self.wall.viewport().rect().intersects(square):
            return None
        return pixmap, self.wall.viewport().mapToGlobal(square.center())

    def _show_nth(self, number: int) -> None:
        order = list(self.tabs)
        if number < len(order):
            self.open_part(order[number])

    def _step(self, step: int) -> None:
        order = list(self.tabs)
        if self.part in order:
            self.open_part(order[(order.index(self.part) + step) % len(order)])

    def event(self, event: QEvent) -> bool:
        # Esc closes the wall, also while something is rendered, which Esc would stop elsewhere.
        overrides = event.type() == QEvent.Type.ShortcutOverride
        if overrides and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            if self.search.text():
                self.search.clear()
                self.wall.setFocus(Qt.FocusReason.OtherFocusReason)
            else:
                self.leave()
        elif event.key() == Qt.Key.Key_Down and self.search.hasFocus():
            self.wall.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            super().keyPressEvent(event)


def _glyph_icon(colour: str, sign: int, filled: bool, ratio: float) -> QIcon:
    """A part's symbol, an outline only while nothing of it is chosen."""
    pixmap = QPixmap(round(GLYPH * ratio), round(GLYPH * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    shape = glyph(sign, QRectF(1, 1, GLYPH - 2, GLYPH - 2))
    if filled:
        painter.fillPath(shape, QColor(colour))
    painter.strokePath(shape, QPen(QColor(colour), 1.5))
    painter.end()
    return QIcon(pixmap)
