"""The creature's ways out of the window: its row of buttons, its layers, its menu and its keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence, QPixmap
from PySide6.QtWidgets import QWidget

from engine.core.recipe import Creation
from partcraft_desktop.app.live_control import can_be_live
from partcraft_desktop.app.session import Session
from partcraft_desktop.creature.layers_panel import LayersPanel
from partcraft_desktop.creature.out_row import OutRow
from partcraft_desktop.widgets.theme import icon


class WaysOut(QObject):
    """Belongs to the creature's pane. ``shown()`` gives the creation that stands in front of the collage, or None.

    ``save_wanted(creation)`` and ``copy_wanted(creation, with_ground)`` have that creation, or None for the collage;
    ``part_save_wanted(name, make)``, ``part_copy_wanted(name, make)`` and ``file_copied(path)`` are of one picture.
    """

    save_wanted = Signal(object)
    copy_wanted = Signal(object, bool)
    part_save_wanted = Signal(str, object)
    part_copy_wanted = Signal(str, object)
    file_copied = Signal(object)

    def __init__(self, session: Session, pane: QWidget, canvas: QWidget, shown: Callable[[], Creation | None]) -> None:
        super().__init__(pane)
        self._session = session
        self._pane, self._canvas = pane, canvas
        self._shown = shown
        self.row = OutRow(self._write)
        self.row.save_wanted.connect(self._save)
        self.row.copy_wanted.connect(self._copy)
        self.row.layers_wanted.connect(self._show_layers)
        self.row.check_wanted.connect(session.check.start)
        self.row.live_wanted.connect(session.live.set_on)
        self.row.grip.pressed.connect(self._take_picture)
        self.row.grip.clicked.connect(lambda: self._write(self._copied))
        self.panel = LayersPanel(session, pane)
        self.panel.closed.connect(self._close_layers)
        self.panel.copy_wanted.connect(self.part_copy_wanted)
        self.panel.save_wanted.connect(self.part_save_wanted)
        self.save_action = self._action("Save as…", "save", "", self._save)
        self.copy_action = self._action("Copy", "copy", "Ctrl+C", self._copy)
        self.copy_whole = self._action("Copy with its ground", "copy", "Ctrl+Shift+C", lambda: self._copy(True))
        self.layers_action = self._action("Layers…", "layers", "", lambda: self.row.layers.setChecked(True))
        self.check_action = self._action("Check", "check", "", session.check.start)
        self.live_action = self._action("Live", "live", "L", self.row.live.click)
        self.live_action.setCheckable(True)
        self.all = [self.save_action, self.copy_action, self.copy_whole, self.live_action, self.layers_action]
        self.all.append(self.check_action)
        self._folded = False
        canvas.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        pane.installEventFilter(self)
        session.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Offer what there is something for."""
        has_collage = self._session.state.creature.collage is not None
        some = has_collage or self._shown() is not None
        for widget in (self.row.save, self.row.copy, self.row.grip):
            widget.setEnabled(some)
        self.row.setVisible(some and not self._folded)
        self.row.layers.setEnabled(has_collage)
        can_check = self._session.state.creature.is_whole and self._session.state.check is None
        self.row.check.setEnabled(can_check)
        self.check_action.setEnabled(can_check)
        self._show_live()
        # A creation has actions of its own, with the same keys.
        of_collage = has_collage and self._shown() is None
        for action in (self.save_action, self.copy_action, self.copy_whole):
            action.setEnabled(of_collage)
            action.setVisible(of_collage)
        self.layers_action.setEnabled(has_collage)
        if not has_collage and self.panel.isVisible():
            self._close_layers()

    def _show_live(self) -> None:
        state = self._session.state
        with QSignalBlocker(self.row.live):
            self.row.live.setChecked(state.live.on)
        self.live_action.setChecked(state.live.on)
        can = state.pack is not None and can_be_live(state.pack, state.recipe)
        for one in (self.row.live, self.live_action):
            one.setEnabled(can and state.creature.collage is not None)

    def set_folded(self, folded: bool) -> None:
        """Leave the row out where there is no room for it: its actions are in a menu."""
        if folded != self._folded:
            self._folded = folded
            self.refresh()

    def _action(self, text: str, icon_name: str, keys: str, run: Callable[[], object]) -> QAction:
        action = QAction(icon(icon_name), text, self._pane)
        if keys:
            action.setShortcut(QKeySequence(keys))
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        action.triggered.connect(lambda: run())
        self._pane.addAction(action)
        self._canvas.addAction(action)
        return action

    def _save(self) -> None:
        self.save_wanted.emit(self._shown())

    def _copy(self, with_ground: bool = False) -> None:
        self.copy_wanted.emit(self._shown(), with_ground)

    def _write(self, then: Callable[[Path | None], None]) -> None:
        """Have what is seen ready as a file."""
        creation, saves = self._shown(), self._session.saves
        make = saves.creature_maker()
        if creation is not None:
            then(Path(creation.path))
        elif make is not None:
            saves.write_dragged(saves.creature_name(), make, then)

    def _take_picture(self) -> None:
        """What is seen under the pointer while the grip is dragged."""
        self.row.grip.picture = self._canvas.grab() if self._canvas.isVisible() else QPixmap()

    def _copied(self, path: Path | None) -> None:
        if path is not None:
            self.file_copied.emit(path)

    def _show_layers(self, shown: bool) -> None:
        if shown:
            self.panel.open()
        else:
            self.panel.hide()

    def _close_layers(self) -> None:
        had_focus = self.panel.isAncestorOf(self._pane.window().focusWidget())
        self.panel.hide()
        self.row.layers.setChecked(False)
        if had_focus:
            self.row.layers.setFocus(Qt.FocusReason.PopupFocusReason)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if self.panel.isVisible():
            if event.type() in (QEvent.Type.Resize, QEvent.Type.Move):
                self.panel.place()
            elif event.type() == QEvent.Type.Hide:  # the other picture stands in front, or the wizard
                self._close_layers()
        return False
