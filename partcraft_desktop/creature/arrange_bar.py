"""The row below the creature: what can be done to the selected part, or the creature's pose and ground."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QColor, QIcon, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QColorDialog,
    QHBoxLayout,
    QMenu,
    QSizePolicy,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.collage.arrangement import Colour, Ground, PartKey
from partcraft_desktop.widgets.button_menu import open_menu
from partcraft_desktop.widgets.controls import ShortLabel, tool_button
from partcraft_desktop.widgets.part_glyphs import glyph, mixed
from partcraft_desktop.widgets.theme import UNIT, icon
from partcraft_desktop.widgets.thumbnails import Thumbnails

HEIGHT: Final = 36
_THUMBNAIL: Final = 32
INSET: Final = 8
"""Where the sign of the selected part stands, so that it is in line with the icons of the row's buttons."""
BREVITIES: Final = ("{name}: {text}", "{text}", "")
WHITE: Final[Colour] = (255, 255, 255)


@dataclass(frozen=True)
class PartValue:
    """A selected part: its index, name, colour and the number of its symbol, from which picture it is, and what can be
    done to it."""

    part: int
    name: str
    colour: QColor
    sign: int
    title: str
    can_forward: bool
    can_back: bool
    is_changed: bool
    is_kept: bool = False
    can_render: bool = True


@dataclass(frozen=True)
class PoseValue:
    """A picture that can give the pose, and whether it is the one that is open."""

    id: str
    title: str
    image: str
    is_open: bool = False


@dataclass(frozen=True)
class BarValue:
    """What the bar shows. ``pose`` is the id that was chosen ("": of itself), ``pose_title`` that of the picture it
    is."""

    selected: PartValue | None
    hidden: tuple[tuple[PartKey, str], ...]
    pose: str
    pose_title: str
    poses: tuple[PoseValue, ...]
    ground: Ground
    is_arranged: bool


class ArrangeBar(QWidget):
    """``asked(command)`` of the selected part, as :class:`ArrangeCanvas` says them; ``shown_again(key)``,
    ``reset_asked()``, ``pose_chosen(id)``, ``ground_chosen(ground)``; ``left()``: the button that had the keyboard can
    be pressed no more."""

    asked = Signal(str)
    shown_again = Signal(object)
    reset_asked = Signal()
    pose_chosen = Signal(object)
    ground_chosen = Signal(object)
    left = Signal()

    def __init__(self, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails
        self._value: BarValue | None = None
        self.setFixedHeight(HEIGHT)
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        policy.setRetainSizeWhenHidden(True)  # nothing jumps when a picture comes in front
        self.setSizePolicy(policy)
        self.commands = {
            "anew": tool_button("render", "Render this part anew", keys="N"),
            "keep": tool_button("lock", "Keep this part as it is in renders", keys="K"),
            "mirror": tool_button("mirror", "Mirror", keys="M"),
            "forward": tool_button("forward", "Bring forward", keys="PgUp"),
            "back": tool_button("backward", "Send back", keys="PgDown"),
            "hide": tool_button("eye-off", "Hide", keys="H"),
            "reset": tool_button("reset", "Put back where it was placed", keys="0"),
        }
        for command, button in self.commands.items():
            button.clicked.connect(lambda _=False, command=command: self.asked.emit(command))
        self.commands["keep"].setCheckable(True)
        self._sign = _PartSign()
        self._name = ShortLabel()
        self.pose = _WordyButton("bird")
        self.ground = _WordyButton("picture")
        self.hidden = _WordyButton("eye-off")
        self.reset = tool_button("reset", "Put all parts back where they were placed", self.reset_asked.emit)
        self.pose.clicked.connect(lambda: self._open(self.pose, self._pose_menu()))
        self.ground.clicked.connect(lambda: self._open(self.ground, self._ground_menu()))
        self.hidden.clicked.connect(self._show_hidden)
        self._menu: QMenu | None = None
        self._pose_images: dict[QAction, str] = {}
        thumbnails.ready.connect(lambda _path: self._show_thumbnails(self._menu))
        self._lay_out()
        self.show_value(None)

    def _lay_out(self) -> None:
        part, whole = QWidget(), QWidget()
        row = _row(part)
        row.setContentsMargins(INSET, 0, 0, 0)
        row.addWidget(self._sign)
        row.addWidget(self._name, 1)
        for button in self.commands.values():
            row.addWidget(button)
        row = _row(whole)
        for button in (self.pose, self.ground, self.hidden):
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self.reset)
        self._pages = QStackedLayout()
        self._pages.addWidget(whole)
        self._pages.addWidget(part)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._pages)

    def show_value(self, value: BarValue | None) -> None:
        """Show a value; None where there is nothing to arrange."""
        if value is not None and value == self._value:
            return
        self._value = value
        focus = self.focusWidget()
        had_focus = focus is not None and focus.hasFocus()
        self.setVisible(value is not None)
        if value is not None:
            self._show(value)
        if had_focus and focus is not None and not (focus.isVisible() and focus.isEnabled()):
            self.left.emit()

    def _show(self, value: BarValue) -> None:
        selected = value.selected
        self._pages.setCurrentIndex(0 if selected is None else 1)
        if selected is not None:
            self._sign.show_part(selected.sign, selected.colour)
            self._name.setText(f"{selected.name} · {selected.title}" if selected.title else selected.name)
            self.commands["anew"].setEnabled(selected.can_render)
            self.commands["keep"].setEnabled(selected.can_render)
            self.commands["keep"].setChecked(selected.is_kept)
            self.commands["keep"].setIcon(icon("lock" if selected.is_kept else "unlock"))
            self.commands["forward"].setEnabled(selected.can_forward)
            self.commands["back"].setEnabled(selected.can_back)
            self.commands["reset"].setEnabled(selected.is_changed)
        self.pose.show_text("Pose", value.pose_title or "automatic")
        self.ground.show_text("Ground", _ground_name(value.ground))
        names = [name for _, name in value.hidden]
        self.hidden.show_text("Hidden", names[0] if len(names) == 1 else f"{len(names)} parts")
        self.hidden.setVisible(bool(names))
        self.reset.setVisible(value.is_arranged)
        self._fit()

    def _fit(self) -> None:
        """Say as much as there is room for."""
        shown = [button for button in (self.pose, self.ground, self.hidden) if not button.isHidden()]
        room = self.width() - (0 if self.reset.isHidden() else self.reset.sizeHint().width() + UNIT)
        for brevity in range(len(BREVITIES)):
            for button in shown:
                button.set_brevity(brevity)
            if sum(button.sizeHint().width() + UNIT // 2 for button in shown) <= room:
                break

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, HEIGHT)  # it gives way: the pictures share the room as a person wants it

    # Menus

    def _open(self, button: QToolButton, menu: QMenu) -> None:
        """Open a menu above its button: below is the end of the pane."""
        if self._menu is not None:
            self._menu.deleteLater()
        self._menu = menu
        open_menu(menu, button, button.mapToGlobal(QPoint(0, -menu.sizeHint().height())))

    def _pose_menu(self) -> QMenu:
        menu, value = QMenu(self), self._value
        if value is None:
            return menu
        group = QActionGroup(menu)
        self._pose_images.clear()
        _choice(group, "Automatic", not value.pose, lambda: self.pose_chosen.emit(""))
        for pose in value.poses:
            title = f"{pose.title} (open now)" if pose.is_open else pose.title
            action = _choice(group, title, value.pose == pose.id, lambda id=pose.id: self.pose_chosen.emit(id))
            self._pose_images[action] = pose.image
        menu.addActions(group.actions())
        self._show_thumbnails(menu)
        return menu

    def _show_thumbnails(self, menu: QMenu | None) -> None:
        for action in menu.actions() if menu is not None else ():
            image = self._pose_images.get(action, "")
            if image and action.icon().isNull():
                pixmap = self._thumbnails.get(image, _THUMBNAIL, self.devicePixelRatioF())
                if pixmap is not None:
                    action.setIcon(QIcon(pixmap))

    def _ground_menu(self) -> QMenu:
        menu, value = QMenu(self), self._value
        if value is None:
            return menu
        group, ground = QActionGroup(menu), value.ground
        _choice(group, "The pose's", ground == "pose", lambda: self.ground_chosen.emit("pose"))
        _choice(group, "None (transparent)", ground == "none", lambda: self.ground_chosen.emit("none"))
        _choice(group, "White", ground == WHITE, lambda: self.ground_chosen.emit(WHITE))
        colour = _choice(group, "Colour…", _is_colour(ground) and ground != WHITE, lambda: self._ask_colour(False))
        _choice(group, "Gradient…", _is_gradient(ground), lambda: self._ask_colour(True))
        menu.addActions(group.actions())
        menu.insertSeparator(colour)
        return menu

    def _show_hidden(self) -> None:
        hidden = self._value.hidden if self._value is not None else ()
        if len(hidden) == 1:
            self.shown_again.emit(hidden[0][0])
            return
        menu = QMenu(self)
        for key, name in hidden:
            menu.addAction(icon("eye"), f"Show {name}").triggered.connect(
                lambda _=False, k=key: self.shown_again.emit(k)
            )
        self._open(self.hidden, menu)

    def _ask_colour(self, gradient: bool) -> None:
        ground = self._value.ground if self._value is not None else "none"
        first = ground if _is_colour(ground) else ground[0] if _is_gradient(ground) else (150, 180, 210)
        dialog = QColorDialog(QColor(*first), self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle("Colour of the sky" if gradient else "Colour of the ground")
        # The system's own dialog says nothing while one looks.
        dialog.setOption(QColorDialog.ColorDialogOption.DontUseNativeDialog)
        dialog.colorSelected.connect(lambda colour: self.ground_chosen.emit(_ground_of(colour, gradient)))
        dialog.open()


class _PartSign(QWidget):
    """The shape of a part in its colour."""

    def __init__(self) -> None:
        super().__init__()
        self._sign, self._colour = 0, QColor()
        self.setFixedSize(2 * UNIT, 2 * UNIT)

    def show_part(self, sign: int, colour: QColor) -> None:
        self._sign, self._colour = sign, colour
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillPath(glyph(self._sign, QRectF(self.rect()).adjusted(2, 2, -2, -2)), self._colour)
        painter.end()


def _row(widget: QWidget) -> QHBoxLayout:
    row = QHBoxLayout(widget)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(UNIT // 2)
    return row


class _WordyButton(QToolButton):
    """An icon with what it stands for and what is chosen, or less of it where there is no room."""

    def __init__(self, icon_name: str) -> None:
        super().__init__()
        self._name = self._text = ""
        self._brevity = 0
        self.setIcon(icon(icon_name))
        self.setIconSize(QSize(2 * UNIT, 2 * UNIT))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def show_text(self, name: str, text: str) -> None:
        self._name, self._text = name, text
        self.setAccessibleName(f"{name}: {text}")
        self.setToolTip(f"{name}: {text}")
        self._say()

    def set_brevity(self, brevity: int) -> None:
        """One of ``BREVITIES``, by its index."""
        self._brevity = brevity
        self._say()

    def _say(self) -> None:
        said = BREVITIES[self._brevity].format(name=self._name, text=self._text)
        most = (20 if self._brevity == 0 else 8) * UNIT
        self.setText(self.fontMetrics().elidedText(said, Qt.TextElideMode.ElideRight, most))
        style = Qt.ToolButtonStyle.ToolButtonTextBesideIcon if said else Qt.ToolButtonStyle.ToolButtonIconOnly
        self.setToolButtonStyle(style)


def _choice(group: QActionGroup, text: str, is_chosen: bool, run: Callable[[], object]) -> QAction:
    action = QAction(text, group.parent(), checkable=True, checked=is_chosen)
    group.addAction(action)
    action.triggered.connect(lambda _=False: run())
    return action


def _is_colour(ground: Ground) -> bool:
    return not isinstance(ground, str) and isinstance(ground[0], int)


def _is_gradient(ground: Ground) -> bool:
    return not isinstance(ground, str) and not isinstance(ground[0], int)


def _ground_name(ground: Ground) -> str:
    if ground == "pose":
        return "the pose's"
    if ground == "none":
        return "none"
    return "gradient" if _is_gradient(ground) else "white" if ground == WHITE else "colour"


def _ground_of(colour: QColor, gradient: bool) -> Ground:
    """The colour, or from it at the top to nearly white at the bottom."""
    plain = (colour.red(), colour.green(), colour.blue())
    if not gradient:
        return plain
    light = mixed(colour, QColor("#ffffff"), 0.75)
    return plain, (light.red(), light.green(), light.blue())
