"""The main window: puts the widgets together, wires them to the session, and keeps its own sizes."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

from PySide6.QtCore import QByteArray, QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QImage,
    QKeyEvent,
    QKeySequence,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.session import Session
from partcraft_desktop.composer.composer import Composer
from partcraft_desktop.creature.creature_pane import CreaturePane
from partcraft_desktop.gallery.gallery import Gallery
from partcraft_desktop.library.library import Library
from partcraft_desktop.reference.reference_view import ReferenceView
from partcraft_desktop.variants.part_wall import PartWall
from partcraft_desktop.widgets.button_menu import open_menu
from partcraft_desktop.widgets.controls import ShortLabel, describe_button, hairline, tool_button
from partcraft_desktop.widgets.drag_and_drop import local_path
from partcraft_desktop.widgets.theme import UNIT, draw_app_icon, icon, icon_of, style_sheet_last
from partcraft_desktop.widgets.thumbnails import Thumbnails
from partcraft_desktop.window.centre import Centre
from partcraft_desktop.window.dialog_launcher import DialogLauncher
from partcraft_desktop.window.drop_hint import DropHint
from partcraft_desktop.window.gallery_room import GalleryRoom
from partcraft_desktop.window.outlets import Outlets
from partcraft_desktop.window.status_bar import StatusBar
from partcraft_desktop.window.tab_order import next_stop, tab_stops
from partcraft_desktop.wizard.wizard import TrainingWizard

FIRST_SIZE: Final = QSize(1280, 832)
NARROW: Final = 920
"""Logical pixels of width below which the library gives its room to the pictures, unless it is asked for."""
TITLE_BAR: Final = 40
"""What a system puts above a window at most, in logical pixels."""


class MainWindow(QWidget):
    """Library, reference and composer above the gallery, or the wizard in their place; the status strip below.
    ``painted`` is emitted once, after the first paint."""

    painted = Signal()
    closed = Signal()

    def __init__(self, session: Session, readers: BackgroundReader, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._readers = readers
        self._was_painted = False
        self._narrow = self._gave_way = False  # the library gave way, for want of room
        self._thumbnails = Thumbnails(readers, parent=self)
        self.openings = DialogLauncher(self, session, self._thumbnails, readers)
        self.outlets = Outlets(self, self.openings)
        self.setWindowTitle("PartCraft")
        self.setAcceptDrops(True)
        self.setMinimumSize(720, 480)
        with style_sheet_last():
            self._build()
        self._wire()
        self._restore_sizes()
        self._refresh()
        self.setFocus()

    # Assembly

    def _build(self) -> None:
        session, readers = self.session, self._readers
        self.library = Library(session, self._thumbnails)
        self.view = ReferenceView(session, readers)
        self.creature = CreaturePane(session, readers, self._thumbnails)
        self.wall = PartWall(session, self._thumbnails)
        self.centre = Centre(self.view, self.wall, self.creature)
        self.composer = Composer(session, self._thumbnails)
        self.gallery = Gallery(session, self._thumbnails)
        self.status = StatusBar(session)
        self._make_actions()

        self.across = QSplitter(Qt.Orientation.Horizontal, childrenCollapsible=False)
        for widget in (self.library, self.centre, self.composer):
            self.across.addWidget(widget)
        self.across.setStretchFactor(1, 1)
        self.down = QSplitter(Qt.Orientation.Vertical, childrenCollapsible=False)
        self.down.addWidget(self.across)
        self.down.addWidget(self.gallery)
        self.down.setStretchFactor(0, 1)
        self._gallery_room = GalleryRoom(self.down)
        for splitter in (self.across, self.down):
            splitter.setHandleWidth(UNIT // 2)

        self.mixing = QWidget()
        inside = QVBoxLayout(self.mixing)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(0)
        inside.addLayout(self._bar())
        inside.addWidget(self.down, 1)
        # Built when it is first wanted: most starts are for mixing.
        self.wizard: TrainingWizard | None = None
        self.areas = QStackedWidget()
        self.areas.addWidget(self.mixing)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.areas, 1)
        layout.addWidget(hairline())
        layout.addWidget(self.status)
        self._title = ShortLabel(quiet=True, parent=self)
        self._title.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._drop_hint = DropHint(self)

    def _make_actions(self) -> None:
        session = self.session
        self.undo = self._action("Undo", "undo", "Ctrl+Z", self._undo)
        self.redo = self._action("Redo", "redo", "Ctrl+Shift+Z", self._redo)
        self.redo.setShortcuts([QKeySequence("Ctrl+Shift+Z"), QKeySequence("Ctrl+Y")])
        self.open = self._action("Open picture…", "picture", "Ctrl+O", self.openings.ask_picture)
        self.save_as = self._action("Save as…", "save", "Ctrl+S", self._save_as)
        self.sheet = self._action("Contact sheet…", "sheet", "", self.outlets.make_sheet)
        self.import_pack = self._action("Import pack…", "pack", "", self.openings.ask_pack)
        self.learn = self._action("New vocabulary…", "pack", "Ctrl+N", session.learning.show)
        self.mix = self._action("Random mix", "dice", "Ctrl+R", session.random_mix)
        self.render_action = self._action("Render", "render", "Ctrl+Return", session.render)
        self.render_action.setShortcuts([QKeySequence("Ctrl+Return"), QKeySequence("Ctrl+Enter")])
        self.stop = self._action("Stop rendering", "stop", "Esc", session.cancel)
        self.stop.setEnabled(False)
        for once in (self.render_action, self.stop):
            once.setAutoRepeat(False)  # a key held too long must not fill the queue, or empty it
        self.fold = self._action("Library", "sidebar", "Ctrl+B", self.fold_library)
        self.search = self._action("Search pictures", "search", "Ctrl+F", self._find)
        self.next_area = self._action("Next area", "fit", "F6", self._next_area)
        self.models = self._action("Models…", "layers", "", self.openings.show_models)
        self.deleted = self._action("Recently deleted…", "delete", "", self.openings.show_deleted)
        self.settings_action = self._action("Settings…", "settings", "Ctrl+,", self.openings.show_settings)
        self.shortcuts = self._action("Shortcuts", "keyboard", "F1", self.openings.show_shortcuts)
        self.about = self._action("About PartCraft", "info", "", self.openings.show_about)
        self.quit = self._action("Quit", "close", "Ctrl+Q", self.close)

    def _action(self, text: str, icon_name: str, keys: str, run: Any) -> QAction:
        action = QAction(icon(icon_name), text, self)
        if keys:
            action.setShortcut(QKeySequence(keys))
        action.triggered.connect(lambda: run())
        self.addAction(action)
        return action

    def _bar(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(UNIT, UNIT, UNIT, UNIT // 2)
        row.setSpacing(UNIT // 2)
        self._more = tool_button("more", "Menu")
        self._menu = QMenu(self._more)
        about = [self.models, self.deleted, self.settings_action, self.shortcuts, self.about]
        for group in ([self.open, self.save_as, self.sheet], [self.import_pack, self.learn], about):
            self._menu.addActions(group)
            self._menu.addSeparator()
        self._menu.addAction(self.quit)
        self._more.clicked.connect(self._show_menu)
        row.addWidget(fold := self._button(self.fold, "Show or hide the library"))
        row.addStretch(1)
        self._history_buttons = [self._button(action, action.text()) for action in (self.undo, self.redo)]
        for button in self._history_buttons:
            row.addWidget(button)
        row.addSpacing(UNIT)
        row.addWidget(settings := self._button(self.settings_action, "Settings"))
        row.addWidget(self._more)
        self._bar_buttons = [fold, *self._history_buttons, settings, self._more]
        return row

    def _button(self, action: QAction, name: str) -> QWidget:
        button = tool_button("more", name, action.trigger, action.shortcut().toString())
        button.setIcon(action.icon())
        button.setObjectName(name.lower())
        button.setEnabled(action.isEnabled())
        action.enabledChanged.connect(button.setEnabled)
        return button

    def _wire(self) -> None:
        session = self.session
        self.across.splitterMoved.connect(self._place_title)
        self.centre.splitter.splitterMoved.connect(self._place_title)
        session.changed.connect(self._refresh)
        self.library.open_wanted.connect(self.openings.ask_picture)
        self.library.import_wanted.connect(self.openings.ask_pack)
        self.library.evaluate_wanted.connect(self.openings.show_evaluation)
        session.learning.mix.opened.connect(self._begin_mixing)
        self.view.open_wanted.connect(self.openings.ask_picture)
        self.view.part_taken.connect(self._fly_in)
        self.view.shown.connect(self._focus_first)
        self.view.lit_changed.connect(self.composer.light)
        self.composer.lit_changed.connect(self.view.light)
        self.composer.part_wanted.connect(self.view.invite)
        self.composer.variants_wanted.connect(self.wall.open_part)
        self.view.part_opened.connect(self.wall.open_part)
        self.wall.taken.connect(self._fly_in)
        for place in (self.gallery, self.creature.footer.actions_here):
            place.view_wanted.connect(self.openings.show_creation)
            place.copy_wanted.connect(self.openings.copy_picture)
            place.folder_wanted.connect(self.openings.show_folder_of)
            place.save_wanted.connect(self.outlets.save)
        self.gallery.show_wanted.connect(self.creature.show_creation)
        self.gallery.render_wanted.connect(self.creature.show_render)
        self.creature.on_show.changed.connect(self._follow_on_show)
        self.creature.front_wanted.connect(self.centre.show_creature)
        self.outlets.serve(self.creature.ways_out)
        self.creature.canvas.addAction(self.sheet)
        self.gallery.deleted_wanted.connect(self.openings.show_deleted)
        self.status.details_wanted.connect(self.openings.show_details)
        session.model_wanted.connect(self.openings.show_models)

    def _refresh(self) -> None:
        state = self.session.state
        learning = state.learning
        self._show_area(learning.shown)
        mixes = not learning.shown
        sorts = learning.draft.page == "parts"
        self.undo.setEnabled(state.can_undo if mixes else sorts and learning.can_undo)
        self.redo.setEnabled(state.can_redo if mixes else sorts and learning.can_redo)
        for button, name, label in zip(
            self._history_buttons, ("Undo", "Redo"), (state.undo_label, state.redo_label), strict=True
        ):
            describe_button(
                button, f"{name}: {label}" if label else name, "Ctrl+Z" if name == "Undo" else "Ctrl+Shift+Z"
            )
        self.stop.setEnabled(mixes and state.render is not None)
        self.render_action.setEnabled(mixes and state.pack is not None)
        self.mix.setEnabled(mixes and state.pack is not None)
        self.save_as.setEnabled(mixes)
        self.sheet.setEnabled(mixes and state.pack is not None)
        for action in (self.fold, self.search):
            action.setEnabled(mixes)
        self._title.setText(state.reference.title if state.reference else "")

    def _show_area(self, learns: bool) -> None:
        """Show the wizard, or what it stands in front of."""
        if learns and self.wizard is None:
            self.wizard = TrainingWizard(self.session, self._readers, self._thumbnails, self.areas)
            self.wizard.folder_wanted.connect(self.openings.ask_folder)
            self.wizard.details_wanted.connect(self.openings.show_details)
            self.wizard.enlarge_wanted.connect(self.openings.show_picture)
            self.areas.addWidget(self.wizard)
        area = self.wizard if learns and self.wizard is not None else self.mixing
        if self.areas.currentWidget() is area:
            return
        self.areas.setCurrentWidget(area)
        self._title.setVisible(area is self.mixing)
        if area is self.wizard and self.wizard is not None:
            self.wizard.focus_page()
        else:
            self.view.canvas.setFocus()

    def _save_as(self) -> None:
        """Save what the keyboard is at: the creation that is selected in the gallery, or the creature."""
        selected = self.gallery.selected() if self.gallery.strip.hasFocus() else []
        self.outlets.save(selected[0] if selected else self.creature.shown_creation)

    def _undo(self) -> None:
        (self.session.learning.parts if self.session.state.learning.shown else self.session).undo()

    def _redo(self) -> None:
        (self.session.learning.parts if self.session.state.learning.shown else self.session).redo()

    def _begin_mixing(self) -> None:
        """A pack was learned and is open: the keyboard goes to its references."""
        self.library.setVisible(True)
        self.library.wall.setFocus(Qt.FocusReason.OtherFocusReason)

    def _focus_first(self) -> None:
        """Give the keyboard to the first picture on screen, unless a person has already moved it."""
        if self.focusWidget() in (None, self):
            self.view.canvas.setFocus()

    def _follow_on_show(self) -> None:
        """What is large in the creature's pane is selected in the gallery."""
        self.gallery.show_unseen(self.creature.on_show.unseen)
        if self.creature.on_show.creation is not None:
            self.gallery.select(self.creature.on_show.creation)

    def _fly_in(self, part: int, departure: tuple[QPixmap, QPoint] | None) -> None:
        """Let a chosen part fly to its place in the creature, or into its slot where the creature is not seen."""
        (self.creature if self.creature.isVisible() else self.composer).fly_in(part, departure)

    # What the window itself does

    def fold_library(self) -> None:
        """Show the library, or hide it to give its room to the picture."""
        self._gave_way = False
        self.library.setVisible(self.library.isHidden())
        QTimer.singleShot(0, self, self._place_title)

    def _make_room(self) -> None:
        """Fold the library away where the window is narrow, and bring it back where it is wide again."""
        narrow = self.width() < NARROW
        if narrow != self._narrow:
            self._narrow = narrow
            if narrow and not self.library.isHidden():
                self._gave_way = True
                self.library.hide()
            elif not narrow and self._gave_way:
                self._gave_way = False
                self.library.show()

    def _find(self) -> None:
        if not (self.gallery.isAncestorOf(self.focusWidget()) and self.gallery.begin_search()):
            self.library.begin_search()

    def _next_area(self) -> None:
        mixing = [self.library, self.view, self.creature, self.composer, self.gallery]
        areas = [*(mixing if self.wizard is None or not self.wizard.isVisible() else [self.wizard]), self.status]
        visible_areas = [area for area in areas if area.isVisible()]
        focus = self.focusWidget()
        focused_index = next(
            (i for i, area in enumerate(visible_areas) if focus is area or (focus and area.isAncestorOf(focus))), -1
        )
        for step in range(1, len(visible_areas) + 1):
            area = visible_areas[(focused_index + step) % len(visible_areas)]
            if stops := tab_stops([area]):
                stops[0].setFocus(Qt.FocusReason.TabFocusReason)
                return

    def focusNextPrevChild(self, forward: bool) -> bool:
        if self.areas.currentWidget() is not self.mixing:
            return super().focusNextPrevChild(forward)
        middle = (*self.centre.buttons, self.view, self.wall, self.creature)
        areas = (*self._bar_buttons, self.library, *middle, self.composer, self.gallery, self.status)
        stop = next_stop(areas, self.focusWidget(), forward)
        if stop is not None:
            stop.setFocus(Qt.FocusReason.TabFocusReason if forward else Qt.FocusReason.BacktabFocusReason)
        return stop is not None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # After Render the keyboard is still at its button, and what one wants to flick through is the creature.
        if self.session.state.learning.shown or not self.creature.take_key(event):
            super().keyPressEvent(event)

    def _show_menu(self) -> None:
        corner = self._more.mapToGlobal(self._more.rect().bottomRight())
        open_menu(self._menu, self._more, corner - QPoint(self._menu.sizeHint().width(), 0))

    # Dropping

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()
            # Who drags a picture of this window may be on the way out of it: no need to cover everything then.
            if event.source() is None:
                self._drop_hint.show_over(self)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._drop_hint.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self._drop_hint.hide()
        paths = [path for url in event.mimeData().urls() if (path := local_path(url))]
        event.acceptProposedAction()
        self.open_paths(paths)

    def open_paths(self, paths: list[str]) -> None:
        """Open files that were dropped, named when starting, or handed over by a second copy of the app."""
        self.session.open_paths(paths)

    def come_forward(self, _paths: object = None) -> None:
        """Show the window in front of others, as far as the system allows."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    # Sizes

    def _restore_sizes(self) -> None:
        saved = self.session.settings.values
        first_size = FIRST_SIZE.boundedTo(self.screen().availableSize() - QSize(0, TITLE_BAR))
        self.resize(first_size)
        try:
            self.restoreGeometry(QByteArray(base64.b64decode(str(saved.window.get("geometry", "")), validate=True)))
        except (binascii.Error, ValueError):
            self.resize(first_size)
        self.across.setSizes(saved.sizes("across", [208, 792, 280]))
        self._gallery_room.restore(saved.sizes("down", GalleryRoom.first_sizes(self.height())))
        self.centre.restore_sizes(saved.sizes("centre", [396, 396]))
        tile = saved.window.get("tile")
        self.gallery.strip.set_tile(tile if isinstance(tile, int) else 0)
        self.library.setVisible(saved.window.get("library") is not False)

    def _keep_sizes(self) -> None:
        folded = self.library.isHidden() and not self._gave_way  # by a person
        sizes = {
            "geometry": base64.b64encode(self.saveGeometry().data()).decode("ascii"),
            "across": None if self.library.isHidden() else self.across.sizes(),
            "down": self._gallery_room.sizes,
            "tile": self.gallery.strip.tile,
            "centre": self.centre.splitter.sizes() if self.centre.side_by_side else None,
            "library": not folded,
        }
        before = self.session.settings.values.window
        self.session.settings.set(
            window={**before, **{key: value for key, value in sizes.items() if value is not None}}
        )

    def closeEvent(self, event: QCloseEvent) -> None:
        self._keep_sizes()
        event.accept()
        self.closed.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._drop_hint.setGeometry(self.rect())
        self._make_room()
        self._gallery_room.fit(self.height())
        QTimer.singleShot(0, self, self._place_title)

    def _place_title(self) -> None:
        """Keep the picture's title right above the picture."""
        middle = self.view.mapTo(self, self.view.rect().center()).x()
        half = min(middle, self.width() - middle) - 20 * UNIT
        self._title.setGeometry(middle - half, UNIT, 2 * half, 4 * UNIT)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._was_painted:
            self._was_painted = True
            QTimer.singleShot(0, self, self._after_first_paint)

    def _after_first_paint(self) -> None:
        self._readers.ask(draw_app_icon, self._show_icon, self)
        self.painted.emit()

    def _show_icon(self, images: list[QImage] | Exception) -> None:
        if not isinstance(images, Exception):  # without it, the window has the system's
            self.setWindowIcon(icon_of(images))
