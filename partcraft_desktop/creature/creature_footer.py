"""Below the creature: what is on show in words, its receipt, what can be done with it, and the strip."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QMenu, QSizePolicy, QStackedLayout, QVBoxLayout, QWidget

from engine.core.recipe import Creation, Receipt
from engine.core.vocabulary import Vocabulary
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.state import RenderStatus, State
from partcraft_desktop.creature.creature_strip import CreatureStrip
from partcraft_desktop.creature.on_show import Here, Item, OnShow, same
from partcraft_desktop.creature.part_actions import PartActions
from partcraft_desktop.widgets.action_row import ActionRow
from partcraft_desktop.widgets.controls import ShortLabel, tool_button
from partcraft_desktop.widgets.creation_actions import CreationActions
from partcraft_desktop.widgets.creation_text import creation_caption, creation_title, vocabulary_of
from partcraft_desktop.widgets.receipt_buttons import RIM, ReceiptButtons
from partcraft_desktop.widgets.receipt_chips import ReceiptRow
from partcraft_desktop.widgets.theme import UNIT
from partcraft_desktop.widgets.thumbnails import Thumbnails

HIGH: Final = 520
"""Logical pixels of the pane's height below which the receipt stands beside the actions, without names."""
LOW: Final = 400
"""Below this the actions are in a menu beside the caption, and what the collage has stands in one row."""
LOWEST: Final = 264
"""Below this two arrows stand for the strip."""
INSET: Final = 10
"""So far inside its frame the icon of a button stands: words and pictures stand as far in, so that the left edges of
all rows are one line."""
MINUTE_MS: Final = 60_000


class CreatureFooter(QWidget):
    """Shows what :class:`OnShow` keeps. The keys of its actions work in ``canvas`` too; what others
    add to ``collage_rows`` stands in the place of the receipt and the actions while the collage is on show;
    ``collage_menu`` beside the caption has its actions where it ``is_low``."""

    def __init__(
        self, session: Session, on_show: OnShow, canvas: QWidget, thumbnails: Thumbnails, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._on_show = on_show
        self._shown: Item | None = None
        self._fold = 0
        self._checked: Receipt = ()
        self.caption = ShortLabel(quiet=True)
        self.caption.setObjectName("caption")
        self.newer = tool_button("chevron-left", "Show the one before", lambda: on_show.step(-1), "Left")
        self.older = tool_button("chevron-right", "Show the next one", lambda: on_show.step(1), "Right")
        self.compare = tool_button("compare", "Compare", keys="C")
        self.compare.setText("Compare")
        self.compare.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.compare.setCheckable(True)
        self.compare.setObjectName("compare")
        self.strip = CreatureStrip(on_show, self.words, thumbnails)
        self.actions_here = CreationActions(session, self._chosen, (canvas, self.strip), self)
        self.row = ActionRow()
        self.part_actions = PartActions(session.starts, self.row, self)
        self.row.set_actions([*self.part_actions.all, *self.actions_here.all])
        self.receipt = ReceiptButtons()
        self.receipt.picked_changed.connect(self._show_parts)
        self.collage_receipt = ReceiptRow()
        self.collage_receipt.hide()
        self.collage_menu = ActionRow()
        self.collage_menu.set_menu_only(True)
        self.collage_menu.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._above = QHBoxLayout()
        self._above.setSpacing(UNIT // 2)
        self._above.setContentsMargins(INSET, 0, 0, 0)
        for button in (self.newer, self.older):
            self._above.addWidget(button)
        self._above.addWidget(self.caption, 1)
        self._above.addWidget(self.collage_receipt)
        self._above.addWidget(self.compare)
        self._above.addWidget(self.collage_menu)
        # Both in one place, as high as the higher one: what is compared by flicking keeps its size.
        self._middle = QWidget()
        self._pages = QStackedLayout(self._middle)
        self._creation_page, self._collage_page = QWidget(), QWidget()
        self._rows = QVBoxLayout(self._creation_page)
        self.collage_rows = QVBoxLayout(self._collage_page)
        self._below = QHBoxLayout()
        self._below.setSpacing(UNIT)
        self._below.addWidget(self.row, 1)
        for page, rows in ((self._collage_page, self.collage_rows), (self._creation_page, self._rows)):
            rows.setContentsMargins(0, 0, 0, 0)
            rows.setSpacing(UNIT // 2)
            self._pages.addWidget(page)
        self._receipt_row = QHBoxLayout()
        self._receipt_row.setContentsMargins(INSET - RIM, 0, 0, 0)
        self._receipt_row.addWidget(self.receipt)
        self._rows.addLayout(self._receipt_row)
        self._rows.addLayout(self._below)
        self._middle.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        _keep_place(self.row, True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(UNIT // 2)
        column.addLayout(self._above)
        column.addWidget(self._middle)
        strip = QHBoxLayout()
        strip.setContentsMargins(INSET, 0, 0, 0)
        strip.addWidget(self.strip)
        column.addLayout(strip)
        self.strip.chosen.connect(on_show.show)
        self.strip.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.strip.customContextMenuRequested.connect(self._show_menu)
        self._clock = QTimer(self, interval=MINUTE_MS)
        self._clock.timeout.connect(self.refresh)
        on_show.changed.connect(self.refresh)
        session.changed.connect(self.refresh)
        self.refresh()

    def words(self, item: Item) -> str:
        """What an item is, in words."""
        if isinstance(item, Here):
            render = self._session.state.render
            if item is Here.COLLAGE or render is None:
                state = self._session.state
                painted = ", painted live" if state.live.painting is not None else ""
                return f"Collage{painted}{check_words(state)}"
            return render_words(render)
        return creation_caption(item, self._vocabulary(item), datetime.now(UTC))

    def short_words(self, item: Item) -> str:
        """What an item is, as briefly as can be."""
        if isinstance(item, Here):
            return "Collage" if item is Here.COLLAGE else "Rendering"
        return creation_title(item, self._vocabulary(item))

    @property
    def is_low(self) -> bool:
        """Whether actions are in menus beside the caption."""
        return self._fold >= 2

    def set_pane_height(self, height: int) -> None:
        """Fold to the height of the pane, in logical pixels."""
        fold = sum(height < least for least in (HIGH, LOW, LOWEST))
        if fold == self._fold:
            return
        was_low, low = self._fold >= 2, fold >= 2
        self._fold = fold
        if low != was_low:
            self.row.set_menu_only(low)
            _keep_place(self.row, not low)
            # What the collage has is in one row there; what does not fit in words is told by icons.
            across = QBoxLayout.Direction.LeftToRight if low else QBoxLayout.Direction.TopToBottom
            self.collage_rows.setDirection(across)
            (self._above if low else self._below).insertWidget(-1 if low else 0, self.row, 0 if low else 1)
        if fold == 0:
            self._receipt_row.addWidget(self.receipt)
        elif fold == 1:
            self._below.addWidget(self.receipt)
        style = Qt.ToolButtonStyle.ToolButtonIconOnly if low else Qt.ToolButtonStyle.ToolButtonTextBesideIcon
        self.compare.setToolButtonStyle(style)
        self.strip.set_small(fold > 0)
        self._show_parts()
        self._show_rows()

    def refresh(self) -> None:
        """Show the state of the moment."""
        item = self._on_show.item
        creation = self._on_show.creation
        words = self.words(item)
        if words != self.caption.text():
            self.caption.setText(words)
            self.caption.setAccessibleName(words)
        self._show_check()
        self.strip.show_rows(self._session.state.render)
        if item is not self._shown:
            self._shown = item
            self.receipt.show_receipt(creation, self._vocabulary(creation) if creation is not None else None)
            self._show_parts()
            self.actions_here.refresh()
            if self.isVisible():
                QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self.caption, words))
        if creation is not None and not self._clock.isActive():
            self._clock.start()
        elif creation is None:
            self._clock.stop()
        self._show_rows()

    def _show_check(self) -> None:
        """Show what the engine said of the collage."""
        state = self._session.state
        receipt = state.check.receipt if state.check is not None and self._on_show.item is Here.COLLAGE else ()
        if receipt is self._checked:
            return
        self._checked = receipt
        self.collage_receipt.show_receipt(receipt, state.pack.vocabulary if state.pack is not None else None)
        self.collage_receipt.setVisible(bool(receipt))
        if receipt and self.isVisible():
            words = f"{self.caption.text()}. {self.collage_receipt.accessibleName()}"
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self.caption, words))

    def _show_parts(self) -> None:
        creation = self._on_show.creation
        self.part_actions.is_folded = self.is_low
        words = self._vocabulary(creation) if creation is not None else None
        self.part_actions.show_parts(creation, words, self.receipt.picked)

    def _show_rows(self) -> None:
        state, on_show = self._session.state, self._on_show
        several = len(on_show.items) > 1
        self.setVisible(several or state.creature.collage is not None or on_show.creation is not None)
        self.strip.setVisible(several and self._fold < 3)
        for button in (self.newer, self.older):
            button.setVisible(several and self._fold == 3)
        self.newer.setEnabled(not same(on_show.item, on_show.items[0]))
        self.older.setEnabled(not same(on_show.item, on_show.items[-1]))
        self.compare.setVisible(several)
        self.compare.setEnabled(bool(on_show.creations) or on_show.item is not Here.COLLAGE)
        of_collage = on_show.item is Here.COLLAGE
        self._pages.setCurrentWidget(self._collage_page if of_collage else self._creation_page)
        if self._fold < 2:
            self._middle.setVisible(several or self.collage_rows.count() > 0)
        else:
            self._middle.setVisible(of_collage and self.collage_rows.count() > 0)
        self.row.setVisible(on_show.creation is not None)
        self.collage_menu.setVisible(of_collage and self.is_low)

    def _show_menu(self, at: QPoint) -> None:
        if isinstance(self.strip.rows.item(self.strip.indexAt(at).row()), Creation):
            menu = QMenu(self.strip)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.addActions(self.actions_here.all)
            menu.popup(self.strip.viewport().mapToGlobal(at))

    def _chosen(self) -> list[Creation]:
        return [self._on_show.creation] if self._on_show.creation is not None else []

    def _vocabulary(self, creation: Creation) -> Vocabulary | None:
        return vocabulary_of(creation, self._session.state.packs)


def render_words(render: RenderStatus) -> str:
    """What a render does: "Rendering, step 8 of 20"."""
    if render.cancelling:
        return "Stopping"
    words = render.stage or "Starting"
    if render.count > 1:
        words += f" {min(render.whole + 1, render.count)} of {render.count}"
    return f"{words}, step {render.done} of {render.total}" if render.total else words


def check_words(state: State) -> str:
    """What is told of the check, behind "Collage"; empty without one."""
    check = state.check
    if check is None:
        return ""
    if check.done:
        arrived, unsure = (sum(getattr(one, state) for one in check.receipt) for state in ("arrived", "unsure"))
        return f": {arrived} of {len(check.receipt)}" + (f", {unsure} unsure" if unsure else "")
    if check.looks:
        return ": looking…"
    if state.engine != "ready":
        return ": the engine is loading…"
    return ": after the render…" if state.render is not None else ": looking…"


def _keep_place(widget: QWidget, keeps: bool) -> None:
    """Let a widget keep its place while it is hidden."""
    policy = widget.sizePolicy()
    policy.setRetainSizeWhenHidden(keeps)
    widget.setSizePolicy(policy)
