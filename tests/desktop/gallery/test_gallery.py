"""Gallery: tiles, the running render, receipts, actions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage, QPalette
from pytestqt.qtbot import QtBot

from engine.core.recipe import Arrival, Creation, Recipe
from engine.core.vocabulary import ABSENT
from engine.packs.pack import Pack
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.state import RenderStatus
from partcraft_desktop.gallery.gallery import Gallery
from partcraft_desktop.widgets.receipt_chips import arrival_text, receipt_text
from partcraft_desktop.widgets.thumbnails import Thumbnails
from tests.desktop.conftest import WAIT, Opened


@pytest.fixture
def gallery(qtbot: QtBot, opened: Opened, themed: object) -> Gallery:
    widget = Gallery(opened.session, Thumbnails(opened.readers))
    qtbot.addWidget(widget)
    widget.resize(900, 184)
    widget.show()
    return widget


@pytest.fixture
def three(qtbot: QtBot, gallery: Gallery, session: Session) -> tuple[Creation, ...]:
    """Three creations, newest first."""
    session.random_mix()
    session.set_setting("steps", 2)
    session.set_setting("count", 3)
    session.render()
    qtbot.waitUntil(lambda: session.state.render is None and len(session.state.creations) == 3, timeout=WAIT)
    return session.state.creations


def select(qtbot: QtBot, gallery: Gallery, row: int, more: bool = False) -> None:
    keys = Qt.KeyboardModifier.ControlModifier if more else Qt.KeyboardModifier.NoModifier
    rect = gallery.strip.visualRect(gallery.model.index(row))
    at = QPoint(rect.center().x(), rect.y() + 40)
    qtbot.mouseClick(gallery.strip.viewport(), Qt.MouseButton.LeftButton, keys, at)


def press(gallery: Gallery, name: str) -> None:
    """Press one of the buttons beside the strip."""
    from PySide6.QtWidgets import QToolButton

    button = gallery.findChild(QToolButton, name)
    assert button is not None and button.isEnabled() and button.accessibleName()
    button.click()


def test_an_empty_gallery_says_what_it_is_for(gallery: Gallery) -> None:
    assert gallery.empty.isVisible() and "kept here" in gallery.empty.accessibleName()


def test_the_running_render_has_a_tile_with_its_preview(
    qtbot: QtBot, gallery: Gallery, session: Session, script: Callable[..., None]
) -> None:
    script(render={"delay": 0.02})
    session.set_setting("steps", 300)
    session.render()
    qtbot.waitUntil(lambda: gallery.model.preview is not None, timeout=WAIT)
    assert gallery.model.rowCount() == 1 and gallery.strip.isVisible()
    assert gallery.model.creation(gallery.model.index(0)) is None
    gallery.strip.repaint()
    session.cancel()
    qtbot.waitUntil(lambda: gallery.model.rowCount() == 0, timeout=WAIT)
    assert gallery.empty.isVisible() and gallery.model.preview is None


def test_newest_come_first(gallery: Gallery, three: tuple[Creation, ...]) -> None:
    shown = [gallery.model.creation(gallery.model.index(row)) for row in range(gallery.model.rowCount())]
    assert tuple(shown) == three
    assert three[0].created >= three[2].created


def test_actions_wait_for_a_selection(qtbot: QtBot, gallery: Gallery, three: tuple[Creation, ...]) -> None:
    assert not any(action.isEnabled() for action in gallery.strip.actions())
    select(qtbot, gallery, 1)
    assert gallery.selected() == [three[1]]
    assert all(action.isEnabled() for action in gallery.strip.actions())


def test_use_this_recipe(qtbot: QtBot, gallery: Gallery, session: Session, three: tuple[Creation, ...]) -> None:
    session.random_mix()
    select(qtbot, gallery, 2)
    press(gallery, "recipe")
    assert session.state.recipe == three[2].recipe


def test_view_copy_and_folder_ask_for_the_selected(qtbot: QtBot, gallery: Gallery, three: tuple[Creation, ...]) -> None:
    asked: list[tuple[str, Creation]] = []
    gallery.view_wanted.connect(lambda creation: asked.append(("view", creation)))
    gallery.copy_wanted.connect(lambda creation: asked.append(("copy", creation)))
    gallery.folder_wanted.connect(lambda creation: asked.append(("folder", creation)))
    select(qtbot, gallery, 1)
    for name in ("enlarge", "copy", "folder"):
        press(gallery, name)
    qtbot.keyClick(gallery.strip, Qt.Key.Key_Return)
    assert asked == [("view", three[1]), ("copy", three[1]), ("folder", three[1]), ("view", three[1])]


def test_delete_by_key_keeps_the_rest_and_comes_back(
    qtbot: QtBot, gallery: Gallery, session: Session, opened: Opened, three: tuple[Creation, ...]
) -> None:
    select(qtbot, gallery, 0)
    select(qtbot, gallery, 2, more=True)
    gallery.strip.setFocus()
    qtbot.keyClick(gallery.strip, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: any(message.action for message in opened.messages), timeout=WAIT)
    assert session.state.creations == (three[1],) and gallery.model.rowCount() == 1
    action = opened.messages[-1].action
    assert action is not None and action.label == "Undo"
    action.run()
    qtbot.waitUntil(lambda: gallery.model.creations == three, timeout=WAIT)


def test_dragging_carries_the_files(gallery: Gallery, three: tuple[Creation, ...]) -> None:
    urls = gallery.model.mimeData([gallery.model.index(0), gallery.model.index(1)]).urls()
    assert [url.toLocalFile() for url in urls] == [three[0].path, three[1].path]


def test_a_creation_whose_file_vanished_is_still_painted(
    qtbot: QtBot, gallery: Gallery, session: Session, three: tuple[Creation, ...]
) -> None:
    Path(three[0].path).unlink()
    gallery.strip.repaint()
    select(qtbot, gallery, 0)
    press(gallery, "delete")
    assert session.state.creations == three[1:]


def test_a_selection_survives_the_next_render(
    qtbot: QtBot, gallery: Gallery, session: Session, three: tuple[Creation, ...]
) -> None:
    select(qtbot, gallery, 1)
    session.set_setting("count", 1)
    session.render()
    qtbot.waitUntil(lambda: session.state.render is None and len(session.state.creations) == 4, timeout=WAIT)
    assert gallery.selected() == [three[1]]


def test_receipts_in_words(pack: Pack) -> None:
    words = pack.vocabulary
    assert arrival_text(Arrival(3, 0, 0, 0.9), words) == "head: Cardinal arrived"
    assert arrival_text(Arrival(3, 0, ABSENT, 0.0), words) == "head: Cardinal did not arrive"
    assert "looks like Kiwi" in arrival_text(Arrival(3, 0, 4, 0.5), words)
    assert arrival_text(Arrival(3, 0, 0, 0.9, 0.6), words) == "head: Cardinal arrived, found where it was put"
    assert arrival_text(Arrival(3, 0, 0, 0.9, 0.0), words) == "head: Cardinal arrived, found elsewhere"
    assert arrival_text(Arrival(3, 0, ABSENT, 0.1, 0.0), words) == "head: Cardinal did not arrive"
    assert arrival_text(Arrival(99, 3, 3, 0.9), None) == "part 99: 3 arrived"
    assert receipt_text(Creation("x.png", Recipe("p", ("a bird",))), words) == "Creation without chosen parts"


@pytest.mark.parametrize("parts", [0, 1, 5, 16])
def test_receipts_of_any_length_stay_in_their_room(parts: int, pack: Pack, themed: object) -> None:
    from PySide6.QtCore import QRectF
    from PySide6.QtGui import QPainter, QPalette

    from partcraft_desktop.widgets.receipt_chips import paint_receipt

    image = QImage(200, 40, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white)
    painter = QPainter(image)
    receipt = tuple(Arrival(part, 0, part % 2 - 1, 0.5) for part in range(parts))
    paint_receipt(painter, QRectF(10, 10, 130, 20), receipt, pack.vocabulary, QPalette())
    painter.end()
    painted = [x for x in range(200) if any(image.pixelColor(x, y).lightness() < 250 for y in range(40))]
    assert not painted if parts == 0 else (min(painted) >= 9 and max(painted) <= 141)


def test_names_for_assistive_tools(gallery: Gallery, three: tuple[Creation, ...]) -> None:
    assert gallery.strip.accessibleName() == "Creations"
    said = gallery.model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert "arrived" in said and "head" in said


@pytest.mark.parametrize(("done", "of"), [(20, 0.25), (40, 0.5), (80, 1.0)])
def test_the_bar_of_a_render_of_four_fills_to_its_end(gallery: Gallery, session: Session, done: int, of: float) -> None:
    session.update_state(render=RenderStatus(1, "Rendering", done, 80, started=1.0, count=4))
    cell = gallery.strip.visualRect(gallery.model.index(0))
    image = gallery.strip.viewport().grab(cell).toImage()
    accent = gallery.palette().color(QPalette.ColorRole.Highlight)
    filled = max(sum(image.pixelColor(x, y) == accent for x in range(image.width())) for y in range(image.height()))
    assert abs(filled - of * (cell.width() - 8)) <= 4
