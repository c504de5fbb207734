"""Library of a learned pack: one tile a kind, opened in place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from engine.packs.pack import Pack
from partcraft_desktop.app.session import Session
from partcraft_desktop.library.library import Library
from partcraft_desktop.library.picture_wall import PictureTileDelegate
from partcraft_desktop.widgets.part_glyphs import luminance
from partcraft_desktop.widgets.thumbnails import Thumbnails
from tests import fakes
from tests.desktop.conftest import WAIT, Opened

KINDS = 20
EACH = 20


@pytest.fixture
def pack(home: Path) -> Pack:
    """400 references of 20 kinds, and one of a kind of its own; all show one of six drawings."""
    made = fakes.make_pack(home / "packs" / "fake-birds")
    drawn = made.references
    many = [
        replace(drawn[kind % len(drawn)], id=f"{kind * EACH + n:05d}-photo-{kind}-{n}", title=f"Kind {kind:02d}")
        for kind in range(KINDS)
        for n in range(EACH)
    ]
    alone = replace(drawn[0], id="00400-lonely", title="Dodo")
    learned = replace(made, references=(*many, alone))
    learned.save()
    return learned


@pytest.fixture
def library(qtbot: QtBot, opened: Opened, themed: object) -> Iterator[Library]:
    widget = Library(opened.session, Thumbnails(opened.readers))
    qtbot.addWidget(widget)
    widget.resize(240, 640)
    widget.show()
    yield widget


def titles(library: Library) -> list[str]:
    return [tile.title for tile in library.model.tiles]


def middle(library: Library, row: int) -> QPoint:
    return library.wall.visualRect(library.model.index(row)).center()


def test_a_pack_of_many_pictures_has_one_tile_a_kind(library: Library) -> None:
    assert titles(library) == [*(f"Kind {kind:02d}" for kind in range(KINDS)), "Dodo"]
    assert library.model.index(3).data(Qt.ItemDataRole.AccessibleTextRole) == "Kind 03, 20 pictures"
    assert library.model.index(KINDS).data(Qt.ItemDataRole.AccessibleTextRole) == "Dodo"
    assert not library.kind_bar.isVisible()


def test_a_click_opens_a_kind_in_place_and_the_button_goes_back(
    qtbot: QtBot, library: Library, session: Session
) -> None:
    before = session.state.reference
    qtbot.mouseClick(library.wall.viewport(), Qt.MouseButton.LeftButton, pos=middle(library, 2))
    assert titles(library)[:2] == ["photo 2 0", "photo 2 1"] and len(titles(library)) == EACH
    assert session.state.reference == before
    assert library.kind_bar.isVisible() and library.kind_title.text() == "Kind 02 · 20 pictures"
    qtbot.mouseClick(library.wall.viewport(), Qt.MouseButton.LeftButton, pos=middle(library, 1))
    assert session.state.reference is not None and session.state.reference.id == "00041-photo-2-1"
    assert len(titles(library)) == EACH
    qtbot.mouseClick(library.back_button, Qt.MouseButton.LeftButton)
    assert len(titles(library)) == KINDS + 1 and library.wall.currentIndex().row() == 2
    assert not library.kind_bar.isVisible() and library.wall.hasFocus()


def test_a_kind_of_one_picture_opens_it(qtbot: QtBot, library: Library, session: Session) -> None:
    library.wall.scrollToBottom()
    qtbot.mouseClick(library.wall.viewport(), Qt.MouseButton.LeftButton, pos=middle(library, KINDS))
    assert session.state.reference is not None and session.state.reference.title == "Dodo"
    assert library.model.opened is None


def test_keys_open_a_kind_and_leave_it(qtbot: QtBot, library: Library, session: Session) -> None:
    library.wall.setFocus()
    qtbot.keyClick(library.wall, Qt.Key.Key_Right)
    qtbot.keyClick(library.wall, Qt.Key.Key_Return)
    assert library.model.opened is not None and library.model.opened.title == "Kind 01"
    assert library.wall.currentIndex().row() == 0
    qtbot.keyClick(library.wall, Qt.Key.Key_Right)
    qtbot.keyClick(library.wall, Qt.Key.Key_Return)
    assert session.state.reference is not None and session.state.reference.id == "00021-photo-1-1"
    qtbot.keyClick(library.wall, Qt.Key.Key_Escape)
    assert library.model.opened is None and library.wall.currentIndex().row() == 1


def test_searching_finds_kinds_and_pictures(qtbot: QtBot, library: Library, session: Session) -> None:
    library.search.setText("kind 07")
    assert titles(library) == ["Kind 07"]
    library.search.setText("photo 7 1")
    assert titles(library) == ["photo 7 1", *(f"photo 7 {n}" for n in range(10, 20))]
    qtbot.keyClick(library.search, Qt.Key.Key_Return)
    assert session.state.reference is not None and session.state.reference.id == "00141-photo-7-1"
    library.search.setText("kind 07")
    qtbot.keyClick(library.search, Qt.Key.Key_Return)
    assert library.search.text() == "" and len(titles(library)) == EACH
    assert library.wall.currentIndex().row() == 1, "the keys stand on the open picture"
    library.search.setText("dodo")
    assert titles(library) == ["Dodo"] and not library.kind_bar.isVisible()


def test_the_ring_is_around_the_kind_of_the_open_picture(library: Library, session: Session) -> None:
    session.open_reference("00185-photo-9-5")
    assert library.wall.currentIndex().data() == "Kind 09"
    painter = library.wall.itemDelegate()
    assert isinstance(painter, PictureTileDelegate) and painter.open_id == "00185-photo-9-5"
    assert library.model.row_of(painter.open_id) == 9


def test_a_kind_is_no_file_to_drag(qtbot: QtBot, library: Library) -> None:
    draggable = Qt.ItemFlag.ItemIsDragEnabled
    assert not library.model.flags(library.model.index(0)) & draggable
    assert library.model.flags(library.model.index(KINDS)) & draggable
    qtbot.mouseClick(library.wall.viewport(), Qt.MouseButton.LeftButton, pos=middle(library, 0))
    assert library.model.flags(library.model.index(0)) & draggable


def test_another_pack_is_seen_from_its_kinds(
    qtbot: QtBot, library: Library, session: Session, home: Path, pack: Pack
) -> None:
    qtbot.mouseClick(library.wall.viewport(), Qt.MouseButton.LeftButton, pos=middle(library, 0))
    assert library.model.opened is not None
    fakes.make_pack(home / "packs" / "others", id="others")
    session.list_packs()
    qtbot.waitUntil(lambda: len(session.state.packs) == 2, timeout=WAIT)
    session.open_pack("others")
    qtbot.waitUntil(lambda: session.state.pack is not None and session.state.pack.id == "others", timeout=WAIT)
    assert library.model.opened is None and len(titles(library)) == 6 and not library.kind_bar.isVisible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_count_of_a_kind_is_readable(library: Library, opened: Opened, theme: str) -> None:
    opened.settings.set(theme=theme)
    tile = library.wall.visualRect(library.model.index(1))
    image = library.wall.viewport().grab(tile).toImage()
    ratio = image.devicePixelRatio()
    corner = [
        luminance(image.pixelColor(round(x * ratio), round(y * ratio)))
        for x in range(tile.width() - 34, tile.width() - 8)
        for y in range(tile.width() - 24, tile.width() - 8)
    ]
    assert max(corner) - min(corner) > 0.4
