"""How the window looks: two palettes on Fusion, a short style sheet, Inter in two sizes, one family of icons.

Widgets take colours from their ``QPalette`` only, so a change of theme repaints everything at once:

- ``Window`` ground, ``Base`` surface, ``AlternateBase`` raised or hovered surface, ``Mid`` hairline
- ``WindowText`` text, ``PlaceholderText`` quiet text
- ``Highlight`` the one accent, ``HighlightedText`` text on it
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Final

from PySide6.QtCore import QByteArray, QObject, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QGuiApplication,
    QIcon,
    QIconEngine,
    QImage,
    QPainter,
    QPalette,
    QPixmap,
)
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication, QStyleFactory

from engine.core.on_disk import files_like
from engine.core.paths import resources_dir
from partcraft_desktop.app.settings import Settings

UNIT: Final = 8
"""The grid in logical pixels: every gap is a multiple of it."""

TEXT: Final = 13
TITLE: Final = 17
"""The two text sizes in logical pixels."""

Role = QPalette.ColorRole


@dataclass(frozen=True)
class Colours:
    """One theme. ``quiet`` and ``accent`` have a contrast of at least 4.5 on ``ground`` and ``surface``."""

    ground: str
    surface: str
    raised: str
    line: str
    text: str
    quiet: str
    disabled: str
    accent: str
    on_accent: str


LIGHT: Final = Colours(
    ground="#f5f5f3",
    surface="#ffffff",
    raised="#ebebe8",
    line="#dcdcd8",
    text="#1b1d1f",
    quiet="#62676d",
    disabled="#a6a9ad",
    accent="#0b7a70",
    on_accent="#ffffff",
)
DARK: Final = Colours(
    ground="#17191b",
    surface="#1f2225",
    raised="#2b2f33",
    line="#34393d",
    text="#eceded",
    quiet="#9ba1a7",
    disabled="#5f656b",
    accent="#45c3b4",
    on_accent="#08201d",
)


def palette_of(colours: Colours) -> QPalette:
    """The Qt palette of a theme, with its disabled group."""
    palette = QPalette()
    for role, colour in (
        (Role.Window, colours.ground),
        (Role.WindowText, colours.text),
        (Role.Base, colours.surface),
        (Role.AlternateBase, colours.raised),
        (Role.Text, colours.text),
        (Role.PlaceholderText, colours.quiet),
        (Role.Button, colours.surface),
        (Role.ButtonText, colours.text),
        (Role.BrightText, colours.on_accent),
        (Role.Highlight, colours.accent),
        (Role.HighlightedText, colours.on_accent),
        (Role.Accent, colours.accent),
        (Role.Link, colours.accent),
        (Role.LinkVisited, colours.accent),
        (Role.ToolTipBase, colours.raised),
        (Role.ToolTipText, colours.text),
        (Role.Light, colours.surface),
        (Role.Midlight, colours.raised),
        (Role.Mid, colours.line),
        (Role.Dark, colours.line),
        (Role.Shadow, colours.line),
    ):
        palette.setColor(role, QColor(colour))
    for role in (Role.WindowText, Role.Text, Role.ButtonText, Role.HighlightedText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(colours.disabled))
    palette.setColor(QPalette.ColorGroup.Disabled, Role.Highlight, QColor(colours.raised))
    palette.setColor(QPalette.ColorGroup.Disabled, Role.Accent, QColor(colours.raised))
    return palette


class Theme(QObject):
    """Keeps the application's look in step with the settings and with the system."""

    def __init__(self, app: QApplication, settings: Settings) -> None:
        super().__init__(app)
        self._app = app
        self._settings = settings
        self._shown: bool | None = None
        app.setStyle(QStyleFactory.create("Fusion"))
        _load_fonts()
        font = QFont("Inter")
        font.setPixelSize(TEXT)
        # Full hinting squeezes Inter's letters at small sizes.
        font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
        app.setFont(font)
        self.apply()
        settings.changed.connect(self.apply)
        app.styleHints().colorSchemeChanged.connect(self.apply)

    @property
    def dark(self) -> bool:
        """Whether the dark theme is wanted now."""
        theme_name = self._settings.values.theme
        if theme_name == "system":
            return self._app.styleHints().colorScheme() == Qt.ColorScheme.Dark
        return theme_name == "dark"

    def apply(self) -> None:
        """Show the theme that is wanted now, at once and everywhere."""
        if self._shown == self.dark:
            return
        self._shown = self.dark
        colours = DARK if self.dark else LIGHT
        self._app.setPalette(palette_of(colours))
        # Set again, because palette(...) in a style sheet is resolved when the sheet is.
        self._app.setStyleSheet("")
        self._app.setStyleSheet(_style_sheet(colours))


@contextmanager
def style_sheet_last() -> Iterator[None]:
    """Build a window without the style sheet and have it put on when all is in its place.

    Under a style sheet Qt styles a widget and everything in it anew each time one of the layouts around it gets a
    parent: for a window put together from the inside out, once a level.
    """
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    sheet = app.styleSheet()
    app.setStyleSheet("")
    try:
        yield
    finally:
        app.setStyleSheet(sheet)


def draw_app_icon() -> list[QImage]:
    """The app's own icon in the sizes of windows and task bars. Reads a file: not on the Qt thread."""
    drawing = QSvgRenderer(QByteArray((resources_dir() / "app.svg").read_bytes()))
    images: list[QImage] = []
    for side in (16, 24, 32, 48, 64, 128, 256):
        image = QImage(side, side, QImage.Format.Format_ARGB32_Premultiplied)
        image.fill(Qt.GlobalColor.transparent)
        painter = QPainter(image)
        drawing.render(painter)
        painter.end()
        images.append(image)
    return images


def icon_of(images: Iterable[QImage]) -> QIcon:
    """An icon from one picture for each size."""
    result = QIcon()
    for image in images:
        result.addPixmap(QPixmap.fromImage(image))
    return result


def icon(name: str, role: QPalette.ColorRole = Role.WindowText) -> QIcon:
    """An icon of ``resources/icons`` in the palette's colour of a role, also after the theme changes."""
    return QIcon(_LineIcon(name, role))


@cache
def _drawings() -> dict[str, str]:
    """All icons by name, read together when the first one is wanted: that is before the window is on screen."""
    return {path.stem: path.read_text("utf-8") for path in files_like(resources_dir() / "icons", "*.svg")}


@cache
def _renderer(name: str, colour: str) -> QSvgRenderer:
    return QSvgRenderer(QByteArray(_drawings()[name].replace("currentColor", colour).encode()))


def paint_icon(painter: QPainter, name: str, rect: QRectF, colour: QColor) -> None:
    """Paint an icon into a rectangle in any colour."""
    _renderer(name, colour.name()).render(painter, rect)


class _LineIcon(QIconEngine):
    """Paints the drawing in a colour of the palette of the moment, so that no icon outlives its theme."""

    def __init__(self, name: str, role: QPalette.ColorRole) -> None:
        super().__init__()
        self._name = name
        self._role = role

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        group = QPalette.ColorGroup.Disabled if mode == QIcon.Mode.Disabled else QPalette.ColorGroup.Active
        side = min(rect.width(), rect.height())
        square = QRectF(0, 0, side, side)
        square.moveCenter(QRectF(rect).center())
        paint_icon(painter, self._name, square, QGuiApplication.palette().color(group, self._role))

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return self.scaledPixmap(size, mode, state, 1.0)

    def scaledPixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float) -> QPixmap:
        # ``size`` is in logical pixels; the pixmap has ``scale`` times as many.
        pixmap = QPixmap(size * scale)
        if pixmap.isNull():
            return pixmap
        pixmap.setDevicePixelRatio(scale)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        self.paint(painter, QRect(QPoint(0, 0), size), mode, state)
        painter.end()
        return pixmap

    def clone(self) -> QIconEngine:
        return _LineIcon(self._name, self._role)


def _style_sheet(colours: Colours) -> str:
    # palette(...) in a style sheet is never that of the disabled group.
    return _style_sheet_file().replace("color: disabled;", f"color: {colours.disabled};")


@cache
def _style_sheet_file() -> str:
    icons = (resources_dir() / "icons").as_posix()
    return (resources_dir() / "style.qss").read_text("utf-8").replace("icons/", f"{icons}/")


@cache
def _load_fonts() -> None:
    for path in files_like(resources_dir() / "fonts", "*.ttf"):
        QFontDatabase.addApplicationFont(str(path))
