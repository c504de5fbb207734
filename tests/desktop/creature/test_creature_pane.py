"""The creature beside the reference, in the real window: every click is seen there at once, without the engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from engine.collage.assemble import assemble
from engine.collage.layers import flatten
from engine.core.vocabulary import ABSENT, Choice
from engine.packs.pack import Pack
from partcraft_desktop.app.session import Session
from partcraft_desktop.widgets.fly_animation import FlyAnimation
from partcraft_desktop.widgets.theme import UNIT
from partcraft_desktop.window.main_window import MainWindow
from tests import fakes
from tests.desktop.conftest import WAIT, rendered


def pixels_of(widget: QWidget) -> np.ndarray:
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGBA8888)
    return np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4).copy()


def settled(qtbot: QtBot, session: Session) -> None:
    """Wait until the creature is that of the recipe."""
    qtbot.waitUntil(lambda: session.state.creature.choices == session.state.recipe.choices, timeout=WAIT)


def test_a_click_changes_the_creature_without_the_engine(window: MainWindow, qtbot: QtBot) -> None:
    session = window.session
    before = pixels_of(window.creature)
    assert session.state.creature.collage is None and session.state.engine == "off"
    place = window.view.canvas.centre_of(1)
    assert place is not None
    QTest.mouseClick(window.view.canvas, Qt.MouseButton.LeftButton, pos=place)
    settled(qtbot, session)
    qtbot.waitUntil(lambda: not window.findChildren(FlyAnimation), timeout=WAIT)
    assert session.state.engine == "off"
    assert session.state.creature.collage is not None
    assert not np.array_equal(before, pixels_of(window.creature))


def test_nothing_is_said_to_begin_while_a_creature_is_on_its_way(window: MainWindow, pack: Pack, qtbot: QtBot) -> None:
    session, empty = window.session, window.creature.empty
    assert "begins here" in empty.accessibleName()
    session.choose(0, pack.references[0].codes[0], pack.references[0].id)
    assert session.state.creature.collage is None and empty.accessibleName() == ""
    settled(qtbot, session)
    session.undo()
    settled(qtbot, session)
    qtbot.waitUntil(lambda: empty.isVisible() and "begins here" in empty.accessibleName(), timeout=WAIT)


def test_the_creature_is_the_collage_of_the_recipe(session: Session, pack: Pack, qtbot: QtBot) -> None:
    for part, reference in zip(range(5), pack.references, strict=False):
        session.choose(part, reference.codes[part], reference.id)
    settled(qtbot, session)
    collage = session.state.creature.collage
    assert collage is not None
    np.testing.assert_array_equal(flatten(collage), flatten(assemble(session.state.recipe, pack)))


def test_undo_and_redo_show_in_the_creature(session: Session, pack: Pack, qtbot: QtBot) -> None:
    one, two = pack.references[:2]
    session.choose(1, one.codes[1], one.id)
    settled(qtbot, session)
    first = flatten_now(session)
    session.choose(0, two.codes[0], two.id)
    settled(qtbot, session)
    assert not np.array_equal(first, flatten_now(session))
    session.undo()
    settled(qtbot, session)
    np.testing.assert_array_equal(first, flatten_now(session))
    session.undo()
    qtbot.waitUntil(lambda: session.state.creature.collage is None, timeout=WAIT)


def flatten_now(session: Session) -> np.ndarray:
    collage = session.state.creature.collage
    assert collage is not None
    return flatten(collage)


def test_what_is_only_tried_is_seen_and_not_chosen(session: Session, pack: Pack, qtbot: QtBot) -> None:
    one, two = pack.references[:2]
    session.choose(1, one.codes[1], one.id)
    settled(qtbot, session)
    tried = Choice(0, two.codes[0], 1.0, two.id)
    session.update_state(tried=tried)
    qtbot.waitUntil(lambda: tried in session.state.creature.choices, timeout=WAIT)
    assert session.state.recipe.choice_of(0) is None
    session.update_state(tried=None)
    settled(qtbot, session)


def test_a_part_that_no_picture_shows_is_told(window: MainWindow, pack: Pack, qtbot: QtBot) -> None:
    shown = {reference.codes[0] for reference in pack.references} - {ABSENT}
    unseen = next((code for code in range(pack.vocabulary.codes_per_part) if code not in shown), None)
    if unseen is None:
        pytest.skip("this pack shows every head")
    session, one = window.session, pack.references[0]
    session.choose(1, one.codes[1], one.id)
    session.choose(0, unseen)
    settled(qtbot, session)
    assert session.state.creature.collage is not None
    assert pack.vocabulary.parts[0].name in window.creature.note.text() and window.creature.note.isVisible()


def test_parts_of_a_persons_own_picture_are_put_together_too(
    session: Session, pack: Pack, tmp_path: Path, qtbot: QtBot
) -> None:
    picture, _ = fakes.sketch_bird(5, 320)
    path = tmp_path / "my own bird.png"
    picture.save(path)
    session.start_engine()
    session.open_image(path)
    qtbot.waitUntil(lambda: bool(session.state.own and session.state.own[0].segmentation), timeout=WAIT)
    own = session.state.own[0]
    assert own.segmentation is not None
    part = next(part for part in range(5) if own.segmentation.codes[part] != ABSENT)
    session.choose(part, own.segmentation.codes[part], own.id)
    settled(qtbot, session)
    collage = session.state.creature.collage
    assert collage is not None and not session.state.creature.missing
    assert [layer.source for layer in collage.layers] == [own.id]
    assert (collage.height, collage.width) == own.segmentation.labels.shape


def test_rendering_shows_its_preview_and_its_result_large(window: MainWindow, pack: Pack, qtbot: QtBot) -> None:
    session, one = window.session, pack.references[0]
    session.choose(1, one.codes[1], one.id)
    settled(qtbot, session)
    collage_pixels = pixels_of(window.creature.canvas)
    with qtbot.waitSignal(session.preview, timeout=WAIT):
        rendered(qtbot, session)
    qtbot.waitUntil(lambda: not np.array_equal(collage_pixels, pixels_of(window.creature.canvas)), timeout=WAIT)
    session.choose(0, one.codes[0], one.id)
    settled(qtbot, session)
    assert window.creature.canvas.rect_of(0) is not None  # the collage is in front again


def test_both_pictures_stand_at_one_height_and_stay_there(window: MainWindow, pack: Pack, qtbot: QtBot) -> None:
    session, one = window.session, pack.references[0]

    def places() -> list[tuple[int, int, int]]:
        """Top, bottom and width of the reference and of the creature, in the window; then what stands below."""
        canvases = (window.view.canvas, window.creature.canvas)
        rects = [(canvas.mapTo(window, QPoint()).y(), canvas.placement.rect) for canvas in canvases]
        return [(round(y + rect.top()), round(y + rect.bottom()), round(rect.width())) for y, rect in rects]

    session.choose(1, one.codes[1], one.id)
    settled(qtbot, session)
    reference, creature = places()
    assert reference[:2] == creature[:2] and abs(reference[2] - creature[2]) <= 2
    rendered(qtbot, session)
    qtbot.waitUntil(lambda: window.creature.shown_creation is not None, timeout=WAIT)
    QApplication.processEvents()
    assert places() == [reference, creature], "whatever stands below it"
    for below in (window.view.chips, window.creature.footer):
        gap = below.mapTo(window, QPoint()).y() - creature[1]
        assert 0 < gap < 6 * UNIT, "what belongs to a picture stands right below it"


def test_one_behind_the_other_where_there_is_no_room(window: MainWindow, qtbot: QtBot) -> None:
    window.resize(720, 480)
    qtbot.waitUntil(lambda: not window.centre.side_by_side, timeout=WAIT)
    assert window.size().width() == 720 and window.library.isHidden()
    assert window.view.isVisible() and not window.creature.isVisible()
    one = window.session.state.pack.references[0]  # type: ignore[union-attr]
    window.session.choose(1, one.codes[1], one.id)
    settled(qtbot, window.session)
    window.view.canvas.setFocus()
    QTest.keyClick(window.view.canvas, Qt.Key.Key_Tab)
    assert window.creature.isVisible() and window.creature.canvas.hasFocus()
    QTest.keyClick(window.creature.canvas, Qt.Key.Key_Backtab)
    assert window.view.isVisible() and window.view.canvas.hasFocus()
    window.resize(1280, 832)
    qtbot.waitUntil(lambda: window.centre.side_by_side, timeout=WAIT)
    assert window.view.isVisible() and window.creature.isVisible() and not window.library.isHidden()
    QApplication.processEvents()
    left, right = window.centre.splitter.sizes()
    assert abs(left - right) <= 2


def test_nothing_of_the_window_lies_outside_at_its_smallest(window: MainWindow, qtbot: QtBot) -> None:
    window.resize(window.minimumSize())
    qtbot.waitUntil(lambda: not window.centre.side_by_side, timeout=WAIT)
    QApplication.processEvents()
    assert (window.width(), window.height()) == (720, 480)
    for area in (window.centre, window.composer, window.gallery, window.status, window.composer.render_button):
        corner = area.mapTo(window, QPoint(area.width(), area.height()))
        assert corner.x() <= 720 and corner.y() <= 480, area


def test_a_pick_is_seen_on_the_creatures_tab_where_it_stands_behind(
    window: MainWindow, pack: Pack, qtbot: QtBot
) -> None:
    window.resize(720, 480)
    qtbot.waitUntil(lambda: not window.centre.side_by_side, timeout=WAIT)
    tab = window.centre.buttons[1]
    assert tab.isVisible() and tab.icon().isNull()
    one, two = pack.references[:2]
    window.session.choose(0, one.codes[0], one.id)
    qtbot.waitUntil(lambda: not tab.icon().isNull(), timeout=WAIT)
    before = pixels_of(tab)
    window.session.choose(1, two.codes[1], two.id)
    qtbot.waitUntil(lambda: not np.array_equal(before, pixels_of(tab)), timeout=WAIT)
    window.session.undo()
    window.session.undo()
    qtbot.waitUntil(lambda: tab.icon().isNull(), timeout=WAIT)
