"""The freedom slider in the composer, on the real session: what renders begin with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QSlider, QStyle, QStyleOptionSlider
from pytestqt.qtbot import QtBot

from engine.core.recipe import Recipe
from engine.core.start import Start, default_freedom, default_start
from engine.core.vocabulary import Choice
from engine.packs.pack import Pack
from partcraft_desktop.app.recipe_edits import empty_recipe
from partcraft_desktop.composer.composer import Composer
from partcraft_desktop.composer.freedom_slider import FreedomValue, added_words, freedom_words
from partcraft_desktop.widgets.theme import Theme
from partcraft_desktop.widgets.thumbnails import Thumbnails
from tests.desktop.conftest import WAIT, Opened, idle, rendered

HEAD, WING = 3, 1
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def composer(qtbot: QtBot, opened: Opened, themed: Theme, pack: Pack) -> Composer:
    """A composer on screen, with a head and a wing whose collage is there."""
    composer = Composer(opened.session, Thumbnails(opened.readers))
    qtbot.addWidget(composer)
    composer.resize(304, 720)
    composer.show()
    qtbot.waitExposed(composer)
    assert not composer.freedom.isVisible(), "there is no collage to start from"
    for part, reference in zip((HEAD, WING), pack.references, strict=False):
        opened.session.choose(part, reference.codes[part], reference.id)
    settled(qtbot, opened)
    return composer


def settled(qtbot: QtBot, opened: Opened) -> None:
    """Wait until the collage is that of the recipe."""

    def is_there() -> bool:
        state = opened.session.state
        return state.creature.choices == state.recipe.choices

    qtbot.waitUntil(is_there, timeout=WAIT)


def handle(slider: QSlider) -> QPoint:
    option = QStyleOptionSlider()
    slider.initStyleOption(option)
    part = QStyle.SubControl.SC_SliderHandle
    return slider.style().subControlRect(QStyle.ComplexControl.CC_Slider, option, part, slider).center()


def test_new_recipes_start_from_the_collage_where_that_was_measured(pack: Pack) -> None:
    assert empty_recipe(pack).start == default_start(pack.base_model.id) == Start(0.4)
    other = replace(pack, base_model=replace(pack.base_model, id="some/other-base"))
    assert empty_recipe(other).start is None and default_freedom("some/other-base") == 0.6


def test_it_is_seen_above_render_once_there_is_a_collage(composer: Composer, opened: Opened, qtbot: QtBot) -> None:
    freedom, slider = composer.freedom, composer.freedom.slider
    assert freedom.isVisible() and freedom.geometry().bottom() < composer.render_button.geometry().top()
    assert slider.value() == slider.default == 40
    assert slider.accessibleName() == "Freedom 40 %: keeps the layout"
    assert slider.accessibleDescription() == freedom.text.text()
    opened.session.remove(HEAD)
    opened.session.remove(WING)
    assert not freedom.isVisible()


def test_a_drag_is_one_step_of_undo_and_snaps_to_the_tick(composer: Composer, opened: Opened, qtbot: QtBot) -> None:
    slider, session = composer.freedom.slider, opened.session
    start = handle(slider)
    QTest.mousePress(slider, LEFT, pos=start)
    for step in range(1, 9):
        QTest.mouseMove(slider, start + QPoint(8 * step, 0))
    QTest.mouseRelease(slider, LEFT, pos=start + QPoint(64, 0))
    assert session.state.recipe.start is not None and session.state.recipe.start.freedom > 0.6
    session.undo()
    assert session.state.recipe.start == Start(0.4) and slider.value() == 40
    QTest.mousePress(slider, LEFT, pos=start)
    QTest.mouseMove(slider, start + QPoint(40, 0))
    QTest.mouseMove(slider, start + QPoint(3, 0))
    QTest.mouseRelease(slider, LEFT, pos=start + QPoint(3, 0))
    assert slider.value() == 40
    session.redo()
    assert session.state.recipe.start == Start(0.4), "back at the tick nothing was done, or it was done anew"


def test_keys_change_it_and_a_double_click_goes_to_the_tick(composer: Composer, opened: Opened) -> None:
    slider, session = composer.freedom.slider, opened.session
    slider.setFocus()
    QTest.keyClick(slider, Qt.Key.Key_Right)
    assert session.state.recipe.start == Start(0.45)
    QTest.keyClick(slider, Qt.Key.Key_Home)
    assert session.state.recipe.start == Start(0.0) and "keeps the collage" in slider.accessibleName()
    QTest.keyClick(slider, Qt.Key.Key_End)
    assert session.state.recipe.start is None and slider.accessibleName() == "Freedom 100 %: paints freely"
    QTest.mouseDClick(slider, LEFT, pos=QPoint(5, slider.height() // 2))
    assert session.state.recipe.start == Start(0.4)


def test_the_wheel_changes_it_only_after_a_press(composer: Composer, opened: Opened) -> None:
    slider = composer.freedom.slider

    def turn() -> None:
        at, none = QPointF(slider.rect().center()), QPoint()
        event = QWheelEvent(
            at, QPointF(slider.mapToGlobal(at)), none, QPoint(0, 120), Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(slider, event)

    composer.slots[HEAD].setFocus()
    turn()
    assert slider.value() == 40
    slider.setFocus()
    turn()
    assert slider.value() != 40


def test_renders_start_where_the_slider_says(composer: Composer, opened: Opened, qtbot: QtBot) -> None:
    rendered(qtbot, opened.session)
    assert opened.session.state.creations[0].recipe.start == Start(0.4)
    opened.session.starts.set_freedom(1.0)
    rendered(qtbot, opened.session)
    assert opened.session.state.creations[0].recipe.start is None
    opened.session.use_recipe(opened.session.state.creations[1])
    assert composer.freedom.slider.value() == 40


def test_without_a_whole_collage_renders_are_free(opened: Opened, qtbot: QtBot, pack: Pack) -> None:
    session = opened.session
    assert session.set_prompt_text("a photo of a bird") is None
    assert session.state.recipe.start == Start(0.4)
    rendered(qtbot, session)
    assert session.state.creations[0].recipe.start is None
    nobody = next(code for code in range(8) if all(reference.codes[HEAD] != code for reference in pack.references))
    session.choose(HEAD, nobody)
    rendered(qtbot, session)  # at once: the collage that cannot be is not there yet
    session.choose(WING, pack.references[0].codes[WING], "0")
    settled(qtbot, opened)
    rendered(qtbot, session)
    assert [creation.recipe.start for creation in session.state.creations] == [None] * 3


def test_many_recipes_are_settled_each(opened: Opened, qtbot: QtBot, pack: Pack) -> None:
    session = opened.session
    session.choose(HEAD, pack.references[0].codes[HEAD], "0")
    recipe = session.state.recipe
    plain = replace(recipe, prompt=("a bird",))
    session.render_all([recipe, plain, replace(recipe, start=Start(0.4, keep=(HEAD, WING)))])
    qtbot.waitUntil(lambda: idle(session) and len(session.state.creations) == 3, timeout=WAIT)
    starts = [creation.recipe.start for creation in reversed(session.state.creations)]
    assert starts == [Start(0.4), None, Start(0.4, keep=(HEAD,))]


def test_a_start_from_a_creation_says_so_and_can_be_left(
    composer: Composer, opened: Opened, qtbot: QtBot, tmp_path: Path
) -> None:
    session, freedom = opened.session, composer.freedom
    rendered(qtbot, session)
    session.starts.render_anew([HEAD], session.state.creations[0])
    qtbot.waitUntil(lambda: idle(session) and len(session.state.creations) == 2, timeout=WAIT)
    anew = session.state.creations[0]
    session.use_recipe(anew)
    assert freedom.whole.isVisible() and "only head" in freedom.text.text()
    QTest.mouseClick(freedom.whole, LEFT)
    assert session.state.recipe.start == Start(0.8) and not freedom.whole.isVisible()
    session.undo()
    assert session.state.recipe.start == anew.recipe.start


def test_what_is_added_is_said() -> None:
    value = FreedomValue(0.4, 0.4, 128, 512)
    assert added_words(value) == "Painted by one hand, at 128 px instead of 512 px."
    assert added_words(replace(value, painted=512)) == "Painted by one hand, at 512 px."
    assert added_words(replace(value, painted=0)) == "Painted by one hand."
    assert added_words(replace(value, kept=("head", "wing"))).endswith("px. Keeps head and wing.")
    assert added_words(replace(value, freedom=0.0, creation=True)).startswith("Adds nothing to the creation")
    said = [freedom_words(replace(value, freedom=step / 100)) for step in range(101)]
    assert said[0] == "Freedom 0 %: keeps the collage" and len({words.partition(": ")[2] for words in said}) == 6


def test_with_little_room_it_says_one_line(composer: Composer) -> None:
    composer.resize(304, 420)
    QApplication.processEvents()
    assert composer.freedom.brief.isVisible() and not composer.freedom.text.isVisible()
    assert composer.freedom.brief.text() == composer.freedom.text.text()


def test_starts_survive_a_restart(open_session: Callable[[], Opened], pack: Pack) -> None:
    first = open_session()
    first.session.choose(HEAD, pack.references[0].codes[HEAD], "0")
    first.session.starts.set_freedom(0.7)
    first.session.starts.keep_part(HEAD, True)
    first.close()
    recipe: Recipe = open_session().session.state.recipe
    assert recipe.start == Start(0.7, keep=(HEAD,)) and recipe.choice_of(HEAD) == Choice(HEAD, 0, 1.0, "0")
