"""The creature's layers from the topmost down, each to be copied, saved, or dragged into another program."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QIcon, QKeyEvent, QPainter, QPixmap
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from engine.collage.arrangement import PartKey
from engine.collage.layers import Collage
from engine.core.errors import UserError
from partcraft_desktop.app.layer_files import ground_alone, layer_alone, without_ground
from partcraft_desktop.app.save_control import Make
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.store import LatestRequest
from partcraft_desktop.widgets.controls import tool_button
from partcraft_desktop.widgets.drag_out import DragOutButton
from partcraft_desktop.widgets.images import to_qimage
from partcraft_desktop.widgets.theme import UNIT

WIDTH: Final = 248
THUMBNAIL: Final = 36
REFRESH_MS: Final = 120
"""A creature that changes all the time is shown again so often at most."""


Wanted = tuple[str, bool, Make, str, Callable[[], None] | None]
"""A row: its name, whether it is hidden, what makes it, its file's name, what hides it or shows it again."""


class LayerRow(QWidget):
    """One layer: what it is called, how it looks, a button that saves it. ``copy_wanted(name, make)`` and
    ``save_wanted(name, make)``; what ``make`` makes has the layer alone."""

    copy_wanted = Signal(str, object)
    save_wanted = Signal(str, object)

    def __init__(
        self, session: Session, name: str, hidden: bool, make: Make, file_name: str, toggle: Callable[[], None] | None
    ) -> None:
        """``toggle`` hides a layer or shows it again; None for what is always seen."""
        super().__init__()
        self.name, self.make = name, make
        named = name.replace("The whole", "the whole", 1)  # within a sentence

        def write(then: Callable[[Path | None], None]) -> None:
            session.saves.write_dragged(file_name, make, then)

        self.handle = DragOutButton(write)
        self.handle.setText(f"{name} (hidden)" if hidden else name)
        self.handle.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.handle.setIconSize(QSize(THUMBNAIL + UNIT, THUMBNAIL))
        self.handle.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.handle.setAccessibleName(f"Copy {named}")
        self.handle.setToolTip(f"Drag {named} into another program or a folder; a click copies it")
        self.handle.clicked.connect(lambda: self.copy_wanted.emit(name, make))
        self.save = tool_button("save", f"Save {named}…", lambda: self.save_wanted.emit(file_name, make))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.handle, 1)
        if toggle is not None:
            words = f"Show {name} again" if hidden else f"Hide {name}"
            row.addWidget(tool_button("eye-off" if hidden else "eye", words, toggle))
        row.addWidget(self.save)
        self.show_picture(QPixmap())

    def show_picture(self, picture: QPixmap) -> None:
        """Show how the layer looks, in a square with air behind it, so that all names stand in one line."""
        ratio = self.devicePixelRatioF()
        side = round(THUMBNAIL * ratio)
        square = QPixmap(side + round(UNIT * ratio), side)
        square.fill(Qt.GlobalColor.transparent)
        if not picture.isNull():
            keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            small = picture.scaled(side, side, keep, smooth)
            painter = QPainter(square)
            painter.drawPixmap((side - small.width()) // 2, (side - small.height()) // 2, small)
            painter.end()
        square.setDevicePixelRatio(ratio)
        self.handle.picture = picture
        self.handle.setIcon(QIcon(square))


class LayersPanel(QFrame):
    """A sheet beside the creature, over it where there is no room, and not a window of its own: what is dragged from it
    is not let go of when it closes.

    ``copy_wanted(name, make)``, ``save_wanted(name, make)``; ``closed()`` when a person closes it."""

    copy_wanted = Signal(str, object)
    save_wanted = Signal(str, object)
    closed = Signal()

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self._session = session
        self._around = parent
        self._request = LatestRequest()
        self._shown = -1  # the number of the creature whose layers are shown
        self.rows: list[LayerRow] = []
        self.setObjectName("layers")
        self.setAutoFillBackground(True)
        self.setAccessibleName("Layers")
        self._list = QWidget()
        self._column = QVBoxLayout(self._list)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addStretch(1)
        self._scroll = QScrollArea(widgetResizable=True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(self._list)
        title = QLabel("Layers")
        self._head = QWidget()
        head = QHBoxLayout(self._head)
        head.setContentsMargins(0, 0, 0, 0)
        head.addWidget(title, 1)
        head.addWidget(tool_button("close", "Close the layers", self.closed.emit, "Esc"))
        column = QVBoxLayout(self)
        column.setContentsMargins(UNIT, UNIT // 2, UNIT, UNIT)
        column.setSpacing(UNIT // 2)
        column.addWidget(self._head)
        column.addWidget(self._scroll, 1)
        self._soon = QTimer(self, singleShot=True, interval=REFRESH_MS)
        self._soon.timeout.connect(self._rebuild)
        session.changed.connect(self._refresh)
        self.hide()

    def open(self) -> None:
        """Show the layers as they are now; the keyboard goes to the topmost."""
        if self.parentWidget() is not self._around.window():
            self.setParent(self._around.window())
        self._rebuild()
        self.show()
        self.place()
        self.raise_()
        if self.rows:
            self.rows[0].handle.setFocus(Qt.FocusReason.PopupFocusReason)

    def place(self) -> None:
        """Stand left of what it belongs to, where what an eye hides is seen to go; above its lower edge where there is
        no room at its left. As high as its rows are, where there is room."""
        self.ensurePolished()
        around = QRect(self._around.mapTo(self._around.window(), QPoint(0, 0)), self._around.size())
        beside = around.x() - 2 * UNIT >= WIDTH
        room = around.adjusted(UNIT, UNIT, -UNIT, -UNIT if beside else -5 * UNIT)
        width = WIDTH if beside else min(WIDTH, room.width())
        rows = sum(row.sizeHint().height() for row in self.rows)
        height = min(self._head.sizeHint().height() + rows + 3 * UNIT, room.height())
        x = around.x() - UNIT - width if beside else room.center().x() - width // 2
        self.setGeometry(x, room.bottom() - height, width, height)

    def _refresh(self) -> None:
        if self.isVisible() and self._session.state.creature.number != self._shown:
            self._soon.start()

    def _rebuild(self) -> None:
        creature = self._session.state.creature
        collage, self._shown = creature.collage, creature.number
        if collage is None:
            self.closed.emit()
            return
        self._show_rows(self._wanted(collage))
        # Seen small, a draft is good enough; what is carried out is made in full.
        makes = tuple(partial(pick, collage) for pick in self._picks(collage))
        still_wanted = self._request.begin()

        def landed(pictures: list[Any]) -> None:
            if still_wanted():
                for row, picture in zip(self.rows, pictures, strict=True):
                    row.show_picture(QPixmap.fromImage(to_qimage(picture)))

        self._session.saves.pictures(makes, 2 * 96, landed)

    def _wanted(self, collage: Collage) -> list[Wanted]:
        """The rows: the whole creature, its layers downwards, the ground."""
        noun = self._session.state.pack.vocabulary.noun if self._session.state.pack else "creature"
        in_full = self._session.collage_maker() if collage.shrink > 1 else None
        make = in_full or (lambda: collage)
        whole, *layers = (lambda pick=pick: pick(make()) for pick in self._picks(collage))
        rows: list[Wanted] = [(f"The whole {noun}", False, whole, self._session.saves.creature_name(), None)]
        for layer, alone in zip(reversed(collage.layers), layers, strict=False):
            toggle = partial(self._session.arrangement.hide_part, layer.part, layer.nth, hidden=layer.visible)
            rows.append((layer.name, not layer.visible, alone, layer.name, toggle))
        if collage.ground is not None:
            rows.append(("ground", False, layers[-1], "ground", None))
        return rows

    def _picks(self, collage: Collage) -> list[Callable[[Collage], Collage]]:
        """For each row, what it shows of the collage, draft or not."""
        keys = [(layer.part, layer.nth) for layer in reversed(collage.layers)]
        layers = [partial(_one_layer, key=key) for key in keys]
        return [without_ground, *layers, *([ground_alone] if collage.ground is not None else [])]

    def _show_rows(self, wanted: list[Wanted]) -> None:
        focused = next((index for index, row in enumerate(self.rows) if row.isAncestorOf(self.focusWidget())), None)
        for row in self.rows:
            row.hide()
            row.deleteLater()
        self.rows = [LayerRow(self._session, *one) for one in wanted]
        for index, row in enumerate(self.rows):
            row.handle.installEventFilter(self)
            row.copy_wanted.connect(self.copy_wanted)
            row.save_wanted.connect(self.save_wanted)
            self._column.insertWidget(index, row)
            row.show()
            row.handle.ensurePolished()  # its size is that of the theme
            row.save.ensurePolished()
        if focused is not None and self.rows:
            self.rows[min(focused, len(self.rows) - 1)].handle.setFocus()
        self.place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # A button would take the arrows for its neighbours beside it.
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
            handles = [row.handle for row in self.rows]
            at = next((index for index, handle in enumerate(handles) if handle is watched), None)
            if step is not None and at is not None:
                target = handles[(at + step) % len(handles)]
                target.setFocus(Qt.FocusReason.TabFocusReason)
                self._scroll.ensureWidgetVisible(target)
                return True
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        else:
            super().keyPressEvent(event)


def _one_layer(collage: Collage, key: PartKey) -> Collage:
    layer = next((layer for layer in collage.layers if (layer.part, layer.nth) == key), None)
    if layer is None:
        raise UserError("This layer cannot be made any more.", "Choose the part again.")
    return layer_alone(layer)
