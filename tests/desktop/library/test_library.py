"""Library: the wall, searching, packs, own pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from engine.packs.pack import Pack
from partcraft_desktop.app.session import Session
from partcraft_desktop.library.library import Library
from partcraft_desktop.widgets.thumbnails import Thumbnails
from tests import fakes
from tests.desktop.conftest import WAIT, Opened


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


def test_the_wall_shows_the_pack_and_marks_the_open_picture(library: Library, pack: Pack) -> None:
    assert titles(library) == [reference.title for reference in pack.references]
    assert library.packs.title == library.packs.text() == "Fake birds"
    assert library.wall.currentIndex().row() == 0


def test_thumbnails_arrive_later_and_all_fit(qtbot: QtBot, library: Library, pack: Pack) -> None:
    rects = [library.wall.visualRect(library.model.index(row)) for row in range(len(pack.references))]
    assert len({rect.x() for rect in rects}) == 2
    assert all(rect.right() <= library.wall.viewport().width() for rect in rects)
    assert not any(a.intersects(b) for i, a in enumerate(rects) for b in rects[:i])


def test_a_click_opens_a_picture(qtbot: QtBot, library: Library, session: Session) -> None:
    qtbot.mouseClick(library.wall.viewport(), Qt.MouseButton.LeftButton, pos=middle(library, 3))
    assert session.state.reference is not None and session.state.reference.id == "3"


def test_keys_walk_and_open(qtbot: QtBot, library: Library, session: Session) -> None:
    library.wall.setFocus()
    qtbot.keyClick(library.wall, Qt.Key.Key_Right)
    qtbot.keyClick(library.wall, Qt.Key.Key_Down)
    qtbot.keyClick(library.wall, Qt.Key.Key_Return)
    assert session.state.reference is not None and session.state.reference.id == "3"


def test_typing_searches_and_enter_opens_the_first(qtbot: QtBot, library: Library, session: Session) -> None:
    qtbot.keyClicks(library.wall, "ki")
    assert library.search.text() == "ki" and titles(library) == ["Kiwi"]
    qtbot.keyClick(library.search, Qt.Key.Key_Return)
    assert session.state.reference is not None and session.state.reference.title == "Kiwi"
    library.search.setText("ёЖ")
    assert titles(library) == ["Ёжик"]


def test_a_search_without_hits_says_so(library: Library) -> None:
    library.search.setText("ostrich")
    assert library.empty.isVisible() and "ostrich" in library.empty.text()
    library.search.clear()
    assert library.wall.isVisible()


def test_own_pictures_come_first(qtbot: QtBot, library: Library, session: Session, tmp_path: Path) -> None:
    path = tmp_path / "my bird.png"
    fakes.sketch_bird(3, 96)[0].save(path)
    session.open_path(path)
    qtbot.waitUntil(lambda: titles(library)[0] == "my bird", timeout=WAIT)
    session.open_reference("2")
    qtbot.mouseClick(library.wall.viewport(), Qt.MouseButton.LeftButton, pos=middle(library, 0))
    qtbot.waitUntil(
        lambda: session.state.reference is not None and session.state.reference.id == str(path), timeout=WAIT
    )


def test_dragging_carries_the_file(library: Library, pack: Pack) -> None:
    urls = library.model.mimeData([library.model.index(1)]).urls()
    assert [url.toLocalFile() for url in urls] == [pack.references[1].image]


def test_a_damaged_thumbnail_leaves_a_tile_that_can_be_opened(
    qtbot: QtBot, library: Library, pack: Pack, session: Session
) -> None:
    Path(pack.references[5].thumbnail).write_bytes(b"not a picture")
    library.repaint()
    library.wall.scrollToBottom()
    qtbot.mouseClick(library.wall.viewport(), Qt.MouseButton.LeftButton, pos=middle(library, 5))
    assert session.state.reference is not None and session.state.reference.id == "5"


def test_everything_has_a_name_for_assistive_tools(library: Library) -> None:
    for widget in (library, library.packs, library.search, library.wall, library.open_button):
        assert widget.accessibleName()
    assert library.model.index(0).data(Qt.ItemDataRole.AccessibleTextRole) == "Cardinal"


def test_an_own_picture_is_taken_off_the_wall_and_comes_back(
    qtbot: QtBot, library: Library, session: Session, opened: Opened, tmp_path: Path
) -> None:
    path = tmp_path / "my bird.png"
    fakes.sketch_bird(3, 96)[0].save(path)
    session.open_path(path)
    qtbot.waitUntil(lambda: bool(session.state.own and session.state.own[0].segmentation), timeout=WAIT)
    library.wall.setCurrentIndex(library.model.index(0))
    library.wall.setFocus()
    qtbot.keyClick(library.wall, Qt.Key.Key_Delete)
    assert "my bird" not in titles(library) and session.state.own == ()
    assert session.state.reference is not None and session.state.reference.id == "0"
    action = opened.messages[-1].action
    assert action is not None and path.is_file()
    action.run()
    qtbot.waitUntil(lambda: titles(library)[0] == "my bird", timeout=WAIT)


def test_references_are_not_taken_off_the_wall(qtbot: QtBot, library: Library, pack: Pack) -> None:
    library.wall.setFocus()
    qtbot.keyClick(library.wall, Qt.Key.Key_Delete)
    assert len(titles(library)) == len(pack.references)


def test_a_picture_of_the_pack_that_is_dropped_opens_as_its_reference(
    qtbot: QtBot, session: Session, pack: Pack
) -> None:
    session.open_path(pack.references[4].image)
    qtbot.waitUntil(lambda: session.state.reference is not None and session.state.reference.id == "4", timeout=WAIT)
    assert session.state.own == ()


def test_a_long_title_does_not_widen_the_library(library: Library) -> None:
    library.packs.show_title("Birds of the northern and southern hemispheres and of all islands between")
    assert library.minimumSizeHint().width() <= 240
    assert library.packs.text().endswith("…") and "islands" in library.packs.toolTip()
