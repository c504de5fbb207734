"""The gallery in little and much room: where its actions stand, how its tiles grow, and what is selected."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QToolButton
from pytestqt.qtbot import QtBot

from engine.core.recipe import Creation, Recipe
from partcraft_desktop.app.session import Session
from partcraft_desktop.gallery.gallery import Gallery
from partcraft_desktop.widgets.thumbnails import Thumbnails
from tests.desktop.conftest import Opened


@pytest.fixture
def gallery(qtbot: QtBot, opened: Opened, themed: object) -> Gallery:
    """A gallery of forty creations whose files nobody has."""
    widget = Gallery(opened.session, Thumbnails(opened.readers))
    qtbot.addWidget(widget)
    widget.resize(900, 200)
    widget.show()
    recipe = Recipe("fake-birds", ("a bird",))
    creations = tuple(Creation(f"/nowhere/{number}.png", replace(recipe, seed=number)) for number in range(40))
    opened.session.update_state(creations=creations)
    return widget


def tile(gallery: Gallery, row: int) -> QPoint:
    rect = gallery.strip.visualRect(gallery.model.index(row, 0))
    return QPoint(rect.center().x(), rect.y() + 20)


def click(gallery: Gallery, row: int, keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.mouseClick(gallery.strip.viewport(), Qt.MouseButton.LeftButton, keys, tile(gallery, row))


def turn_wheel(gallery: Gallery, by: int, keys: Qt.KeyboardModifier) -> None:
    viewport = gallery.strip.viewport()
    at = QPointF(viewport.rect().center())
    place = QPointF(viewport.mapToGlobal(at))
    buttons, phase = Qt.MouseButton.NoButton, Qt.ScrollPhase.NoScrollPhase
    QApplication.sendEvent(viewport, QWheelEvent(at, place, QPoint(), QPoint(0, by), buttons, keys, phase, False))


def buttons(gallery: Gallery) -> list[QToolButton]:
    return [button for button in gallery.row.findChildren(QToolButton) if button.isVisible()]


def test_actions_with_words_appear_for_the_selection(gallery: Gallery) -> None:
    assert not gallery.row.isVisible() and gallery.summary.text() == "40 creations"
    tiles = gallery.strip.gridSize()
    click(gallery, 1)
    assert [button.text() for button in buttons(gallery)] == [
        "Use this recipe",
        "Copy",
        "Save as…",
        "Show in folder",
        "Delete",
        "View large",
    ]
    assert gallery.row.has_words and gallery.strip.gridSize() == tiles  # nothing jumps
    click(gallery, 2, Qt.KeyboardModifier.ControlModifier)
    assert gallery.summary.text() == "2 selected"


def test_actions_fold_to_icons_with_tips(gallery: Gallery) -> None:
    gallery.resize(560, 200)
    click(gallery, 1)
    shown = buttons(gallery)
    assert len(shown) == 6 and not gallery.row.has_words
    assert shown[0].toolTip() == "Use this recipe (U)" and shown[0].accessibleName() == "Use this recipe"


def test_actions_are_in_a_menu_where_nothing_fits_above(gallery: Gallery, session: Session, qtbot: QtBot) -> None:
    gallery.resize(500, 112)
    click(gallery, 3)
    (more,) = buttons(gallery)
    assert more.accessibleName() == "More"
    corner = more.mapTo(gallery, QPoint(more.width(), more.height()))
    assert corner.x() <= 500 and corner.y() <= 112 and gallery.strip.isVisible()
    QTest.mouseClick(more, Qt.MouseButton.LeftButton)
    (menu,) = (menu for menu in more.findChildren(QMenu) if menu.isVisible())
    delete = next(action for action in menu.actions() if action.text() == "Delete")
    delete.trigger()
    menu.close()
    assert len(session.state.creations) == 39
    gallery.resize(900, 240)
    click(gallery, 0)
    assert gallery.row.has_words


def test_tiles_grow_and_become_a_grid(gallery: Gallery) -> None:
    sides = []
    for height in (112, 160, 200, 260, 340):
        gallery.resize(900, height)
        assert not gallery.strip.is_grid
        sides.append(gallery.strip.gridSize().width())
    assert sides[0] >= 64 and sides[2:] == sorted(sides[2:]) and sides[-1] > 1.8 * sides[2]
    assert not gallery.size_slider.isVisible()
    gallery.resize(900, 420)
    strip = gallery.strip
    assert strip.is_grid and strip.isWrapping() and gallery.size_slider.isVisible()
    first, last = strip.visualRect(gallery.model.index(0)), strip.visualRect(gallery.model.index(39))
    assert last.top() > first.top() and strip.verticalScrollBar().maximum() > 0
    assert strip.horizontalScrollBar().maximum() == 0
    gallery.resize(900, 900)
    assert 256 <= strip.gridSize().width() <= 256 * 1.5
    gallery.resize(900, 200)
    assert not strip.is_grid and strip.verticalScrollBar().maximum() == 0


def test_the_grid_has_the_size_of_the_slider_and_of_the_wheel(gallery: Gallery) -> None:
    gallery.resize(900, 500)
    strip, slider = gallery.strip, gallery.size_slider
    slider.setFocus()
    before = strip.gridSize().width()
    QTest.keyClick(slider, Qt.Key.Key_Home)
    assert strip.tile == 64 and strip.gridSize().width() < before
    turn_wheel(gallery, 120, Qt.KeyboardModifier.ControlModifier)
    assert strip.tile == 72 == slider.value()
    QTest.keyClick(slider, Qt.Key.Key_End)
    turn_wheel(gallery, 120, Qt.KeyboardModifier.ControlModifier)
    assert strip.tile == 256
    turn_wheel(gallery, -120, Qt.KeyboardModifier.NoModifier)
    assert strip.tile == 256 and strip.verticalScrollBar().value() > 0


def test_keys_walk_the_grid(gallery: Gallery) -> None:
    gallery.resize(900, 500)
    click(gallery, 0)
    asked: list[Creation] = []
    gallery.show_wanted.connect(asked.append)
    QTest.keyClick(gallery.strip, Qt.Key.Key_Right)
    QTest.keyClick(gallery.strip, Qt.Key.Key_Down)
    first, last = (
        gallery.strip.visualRect(gallery.model.index(row)) for row in (1, gallery.strip.currentIndex().row())
    )
    assert last.left() == first.left() and last.top() > first.top()
    assert asked == [gallery.model.creations[1], gallery.selected()[0]]


def test_what_the_program_selects_is_not_asked_for_again(gallery: Gallery) -> None:
    asked: list[Creation] = []
    gallery.show_wanted.connect(asked.append)
    gallery.select(gallery.model.creations[5])
    assert gallery.selected() == [gallery.model.creations[5]] and not asked
    click(gallery, 0)
    assert asked[0] == gallery.model.creations[0]


def test_several_selected_stay_selected_when_a_result_arrives(gallery: Gallery) -> None:
    asked: list[Creation] = []
    click(gallery, 0)
    gallery.show_wanted.connect(asked.append)
    click(gallery, 1, Qt.KeyboardModifier.ControlModifier)
    assert not asked
    gallery.select(gallery.model.creations[3])
    assert gallery.selected() == list(gallery.model.creations[:2])


def test_the_tile_of_the_running_render_asks_to_see_it(gallery: Gallery, session: Session) -> None:
    from partcraft_desktop.app.state import RenderStatus

    session.update_state(render=RenderStatus(done=3, total=20))
    asked: list[bool] = []
    gallery.render_wanted.connect(lambda: asked.append(True))
    click(gallery, 0)
    assert asked == [True] and gallery.selected() == []
    session.update_state(render=None)


def test_the_selected_stays_in_sight_when_the_grid_changes(gallery: Gallery) -> None:
    gallery.resize(900, 500)
    gallery.select(gallery.model.creations[33])
    viewport = gallery.strip.viewport().rect()
    for height in (200, 500, 420):
        gallery.resize(900, height)
        assert viewport.intersects(gallery.strip.visualRect(gallery.model.index(33))), height


def test_the_tile_size_is_kept(qtbot: QtBot, opened: Opened, themed: object) -> None:
    from partcraft_desktop.window.main_window import MainWindow

    window = MainWindow(opened.session, opened.readers)
    qtbot.addWidget(window)
    window.show()
    window.gallery.strip.set_tile(96)
    window.close()
    again = MainWindow(opened.session, opened.readers)
    qtbot.addWidget(again)
    assert again.gallery.strip.tile == 96


def test_what_is_brought_back_leaves_the_selection_where_it_was(gallery: Gallery) -> None:
    creations = gallery.model.creations
    click(gallery, 3)
    chosen = gallery.selected()
    without = creations[:1] + creations[2:7] + creations[8:]
    gallery._session.update_state(creations=without)
    assert gallery.model.creations == without and gallery.selected() == chosen
    gallery._session.update_state(creations=creations)
    assert gallery.model.creations == creations and gallery.selected() == chosen
    assert gallery.model.index_of(creations[7].path).row() == 7
