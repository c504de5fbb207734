"""What a tile of the wall, of the gallery and of the wizard is: cover, ring, what stands below."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QAbstractListModel, QRect
from PySide6.QtGui import QColor, QImage, QPainter, QPalette
from PySide6.QtWidgets import QApplication, QListView, QStyle, QStyleOptionViewItem
from pytestqt.qtbot import QtBot

from engine.core.paths import resources_dir
from engine.core.recipe import Creation, Recipe
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.state import RenderStatus
from partcraft_desktop.gallery.strip import CreationDelegate, CreationListModel
from partcraft_desktop.library.picture_wall import PictureTileDelegate, PictureWallModel, Tile
from partcraft_desktop.widgets.theme import UNIT, Theme
from partcraft_desktop.widgets.thumbnails import Thumbnails
from partcraft_desktop.widgets.tile_delegate import Role, TileDelegate
from partcraft_desktop.wizard.picture_grid import PictureDelegate, PictureListModel
from tests.desktop.conftest import WAIT

SIDE, BELOW = 104, 24
RED = "#c81e1e"
State = QStyle.StateFlag
ACTIVE = State.State_Active
Make = Callable[[Thumbnails, QListView, str], tuple[TileDelegate, QAbstractListModel]]


def wall(thumbnails: Thumbnails, view: QListView, path: str) -> tuple[TileDelegate, QAbstractListModel]:
    model = PictureWallModel(view)
    model.show([Tile("bird", "Bird", path, path)])
    return PictureTileDelegate(thumbnails, view), model


def open_on_wall(thumbnails: Thumbnails, view: QListView, path: str) -> tuple[TileDelegate, QAbstractListModel]:
    delegate, model = wall(thumbnails, view, path)
    assert isinstance(delegate, PictureTileDelegate)
    delegate.open_id = "bird"
    return delegate, model


def strip(thumbnails: Thumbnails, view: QListView, path: str) -> tuple[TileDelegate, QAbstractListModel]:
    model = CreationListModel(view)
    model.show((Creation(path, Recipe(pack="birds"), ()),), None)
    return CreationDelegate(thumbnails, model, view), model


def running(thumbnails: Thumbnails, view: QListView, path: str) -> tuple[TileDelegate, QAbstractListModel]:
    model = CreationListModel(view)
    model.show((), RenderStatus(1, "Rendering", 5, 20))
    return CreationDelegate(thumbnails, model, view), model


def grid(thumbnails: Thumbnails, view: QListView, path: str) -> tuple[TileDelegate, QAbstractListModel]:
    model = PictureListModel()
    model.setParent(view)
    model.show([path])
    return PictureDelegate(thumbnails, view), model


@pytest.fixture
def paint(qtbot: QtBot, qapp: QApplication, themed: Theme, tmp_path: Path) -> Iterator[Callable[..., QImage]]:
    """Paints the first tile of a kind once its picture is read; a red picture, or a file that is none."""
    readers = BackgroundReader()
    thumbnails = Thumbnails(readers)
    view = QListView()
    qtbot.addWidget(view)
    red, broken = tmp_path / "red.png", tmp_path / "broken.png"
    Image.new("RGB", (40, 90), RED).save(red)
    broken.write_bytes(b"no picture")

    def make(kind: Make, state: State = ACTIVE, whole: bool = True) -> QImage:
        delegate, model = kind(thumbnails, view, str(red if whole else broken))
        index = model.index(0, 0)
        qtbot.waitUntil(lambda: delegate.picture(index, SIDE - UNIT, 1.0) is not None, timeout=WAIT)
        image = QImage(SIDE, SIDE + BELOW, QImage.Format.Format_RGB32)
        image.fill(qapp.palette().color(Role.Window))
        option = QStyleOptionViewItem()
        option.rect, option.palette, option.state = QRect(image.rect()), qapp.palette(), state  # type: ignore[attr-defined]
        painter = QPainter(image)
        delegate.paint(painter, option, index)
        painter.end()
        return image

    yield make
    readers.close()


def ring_of(image: QImage, palette: QPalette) -> QPalette.ColorRole | None:
    """The colour of the ring beside the left edge of the picture."""
    seen = image.pixelColor(UNIT // 2 - 2, SIDE // 2)
    if seen == image.pixelColor(0, 0):
        return None
    return next(role for role in (Role.Highlight, Role.PlaceholderText, Role.Mid) if palette.color(role) == seen)


@pytest.mark.parametrize("kind", [wall, strip, grid])
def test_a_picture_covers_a_square_with_round_corners(paint: Callable[..., QImage], kind: Make) -> None:
    image = paint(kind)
    ground = image.pixelColor(0, 0)
    middle = SIDE // 2
    for x, y in ((middle, middle), (UNIT // 2 + 1, middle), (SIDE - UNIT // 2 - 2, middle), (middle, UNIT // 2 + 1)):
        assert image.pixelColor(x, y) == QColor(RED)
    assert image.pixelColor(UNIT // 2, UNIT // 2) == ground
    assert image.pixelColor(middle, UNIT // 2 - 2) == ground


FOCUS, HOVER, SELECTED = ACTIVE | State.State_HasFocus, ACTIVE | State.State_MouseOver, ACTIVE | State.State_Selected


@pytest.mark.parametrize(
    ("kind", "plain", "hover", "focus", "selected"),
    [
        (wall, None, Role.Mid, Role.PlaceholderText, None),
        (open_on_wall, Role.Highlight, Role.Highlight, Role.Highlight, Role.Highlight),
        (strip, None, Role.Mid, Role.PlaceholderText, Role.Highlight),
        (running, None, None, None, None),
        (grid, None, None, Role.Highlight, None),
    ],
)
def test_a_ring_tells_the_state(
    paint: Callable[..., QImage],
    qapp: QApplication,
    kind: Make,
    plain: QPalette.ColorRole | None,
    hover: QPalette.ColorRole | None,
    focus: QPalette.ColorRole | None,
    selected: QPalette.ColorRole | None,
) -> None:
    rings = [ring_of(paint(kind, state), qapp.palette()) for state in (ACTIVE, HOVER, FOCUS, SELECTED)]
    assert rings == [plain, hover, focus, selected]


@pytest.mark.parametrize("kind", [wall, strip, grid])
def test_what_cannot_be_read_is_an_icon(paint: Callable[..., QImage], kind: Make) -> None:
    image = paint(kind, whole=False)
    box = range(SIDE // 2 - 12, SIDE // 2 + 12)
    assert len({image.pixelColor(x, y).name() for x in box for y in box}) > 1


@pytest.mark.parametrize("kind", [wall, strip, running, grid])
def test_the_icons_of_tiles_are_there(qtbot: QtBot, kind: Make) -> None:
    view = QListView()
    qtbot.addWidget(view)
    delegate, model = kind(Thumbnails(BackgroundReader(view)), view, "nowhere.png")
    assert (resources_dir() / "icons" / f"{delegate.icon(model.index(0, 0))}.svg").is_file()


@pytest.mark.parametrize(("kind", "written"), [(wall, True), (grid, False), (running, True), (strip, False)])
def test_only_some_have_something_below(paint: Callable[..., QImage], kind: Make, written: bool) -> None:
    image = paint(kind)
    below = {image.pixelColor(x, y).name() for x in range(SIDE) for y in range(SIDE + 2, SIDE + BELOW)}
    assert (len(below) > 1) == written
