"""The wall of a part's variants in the real window: opened from a slot, seen in the creature, taken by a click."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from engine.core.segmentation import Segmentation
from engine.core.vocabulary import ABSENT, Choice
from engine.packs.pack import Pack
from partcraft_desktop.app.state import OpenPicture
from partcraft_desktop.variants.variant_list import row_of, variants_of
from partcraft_desktop.variants.variant_tiles import VariantRole
from partcraft_desktop.window.main_window import MainWindow
from tests import fakes
from tests.desktop.conftest import WAIT

LEFT = Qt.MouseButton.LeftButton


def place_of(window: MainWindow, row: int) -> QPoint:
    """The middle of a tile, scrolled into sight."""
    index = window.wall.model.index(row)
    window.wall.wall.scrollTo(index)
    QApplication.processEvents()
    return window.wall.wall.visualRect(index).center()


def click_tile(window: MainWindow, row: int) -> None:
    QTest.mouseClick(window.wall.wall.viewport(), LEFT, pos=place_of(window, row))


def click_plus(window: MainWindow, part: int) -> None:
    slot = window.composer.slots[part]
    QTest.mouseClick(slot, LEFT, pos=slot.tile.center())


def test_five_parts_of_five_birds_are_five_clicks(window: MainWindow, pack: Pack, qtbot: QtBot) -> None:
    session = window.session
    click_plus(window, 0)
    assert window.wall.isVisible() and not window.view.isVisible() and window.creature.isVisible()
    for number, part in enumerate((0, 1, 2, 4, 3)):  # as the slots stand, from the body on; the head is the first
        assert window.wall.part == part
        click_tile(window, 1 + number)
    choices = session.state.recipe.choices
    assert sorted(choice.part for choice in choices) == [0, 1, 2, 3, 4]
    assert len({choice.source for choice in choices}) == 5
    assert window.wall.part is None and window.view.isVisible()  # no slot is empty any more
    qtbot.waitUntil(lambda: session.state.creature.choices == choices, timeout=WAIT)


def test_what_the_pointer_is_on_is_seen_in_the_creature_and_not_chosen(
    window: MainWindow, pack: Pack, qtbot: QtBot
) -> None:
    session = window.session
    click_plus(window, 0)
    variant = window.wall.model.variants[2]
    QTest.mouseMove(window.wall.wall.viewport(), place_of(window, 1))
    QTest.mouseMove(window.wall.wall.viewport(), place_of(window, 2))
    qtbot.waitUntil(lambda: session.state.tried == variant.choice, timeout=WAIT)
    qtbot.waitUntil(lambda: session.state.creature.choices == (variant.choice,), timeout=WAIT)
    assert not session.state.recipe.choices and not session.state.can_undo
    window.wall.leave()
    qtbot.waitUntil(lambda: session.state.creature.collage is None, timeout=WAIT)
    assert session.state.tried is None


def test_keys_alone(window: MainWindow, qtbot: QtBot) -> None:
    session = window.session
    slot = window.composer.slots[2]
    slot.setFocus()
    QTest.keyClick(slot, Qt.Key.Key_Return)
    wall = window.wall.wall
    assert window.wall.part == 2 and wall.hasFocus()
    QTest.keyClick(wall, Qt.Key.Key_Right)
    variant = wall.currentIndex().data(VariantRole)
    assert session.state.tried == variant.choice
    QTest.keyClick(wall, Qt.Key.Key_Return)
    assert session.state.recipe.choice_of(2) == variant.choice
    assert window.wall.part == 4  # the next empty one
    QTest.keyClick(wall, Qt.Key.Key_Tab, Qt.KeyboardModifier.ControlModifier)
    assert window.wall.part == 3, "after the last comes the first, the head"
    QTest.keyClick(wall, Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
    assert window.wall.part == 0
    QTest.keyClick(wall, Qt.Key.Key_1, Qt.KeyboardModifier.ControlModifier)
    assert window.wall.part == 3
    QTest.keyClick(wall, Qt.Key.Key_Escape)
    assert window.wall.part is None and window.view.canvas.hasFocus()


def test_search_as_you_type(window: MainWindow, pack: Pack) -> None:
    window.wall.open_part(0)
    name = pack.vocabulary.code_name(0, pack.references[4].codes[0])
    for letter in name:
        QTest.keyClicks(window.wall.wall if not window.wall.search.hasFocus() else window.wall.search, letter)
    assert window.wall.search.text() == name
    assert {variant.name for variant in window.wall.model.variants} == {name}
    QTest.keyClick(window.wall.search, Qt.Key.Key_Return)
    choice = window.session.state.recipe.choice_of(0)
    assert choice is not None and pack.vocabulary.code_name(0, choice.code) == name
    window.wall.open_part(0)
    QTest.keyClicks(window.wall.search, "no such bird")
    assert window.wall.empty.isVisible() and "no such bird" in window.wall.empty.text()
    QTest.keyClick(window.wall.search, Qt.Key.Key_Escape)
    assert window.wall.search.text() == "" and window.wall.part == 0


def test_what_is_chosen_is_marked_and_can_be_emptied(window: MainWindow, pack: Pack) -> None:
    one = pack.references[2]
    window.session.choose(1, one.codes[1], one.id)
    slot = window.composer.slots[1]
    QTest.mouseDClick(slot, LEFT, pos=slot.tile.center())
    model = window.wall.model
    variant = model.variants[model.chosen]
    assert variant.choice is not None and variant.choice.source == one.id
    assert "chosen" in model.index(model.chosen).data(Qt.ItemDataRole.AccessibleTextRole)
    click_tile(window, 0)
    assert window.session.state.recipe.choice_of(1) is None
    assert window.wall.part == 1 and model.chosen == 0
    window.session.undo()
    assert model.variants[model.chosen].choice == variant.choice


def test_a_double_click_on_a_part_opens_its_wall(window: MainWindow) -> None:
    place = window.view.canvas.centre_of(3)
    assert place is not None
    QTest.mouseClick(window.view.canvas, LEFT, pos=place)
    QTest.mouseDClick(window.view.canvas, LEFT, pos=place)
    assert window.wall.part == 3 and window.session.state.recipe.choice_of(3) is not None


def test_a_double_click_on_a_part_that_was_taken_keeps_it(window: MainWindow, pack: Pack) -> None:
    one = pack.references[0]
    window.session.choose(3, one.codes[3], one.id)
    place = window.view.canvas.centre_of(3)
    assert place is not None
    QTest.mouseClick(window.view.canvas, LEFT, pos=place)
    QTest.mouseDClick(window.view.canvas, LEFT, pos=place)
    choice = window.session.state.recipe.choice_of(3)
    assert window.wall.part == 3 and choice is not None and choice.source == one.id


def test_a_double_click_on_a_tile_takes_one_part(window: MainWindow) -> None:
    """The wall has moved on to the next part by the second click, which was not meant for it."""
    click_plus(window, 0)
    place = place_of(window, 2)
    QTest.mouseClick(window.wall.wall.viewport(), LEFT, pos=place)
    QTest.mouseDClick(window.wall.wall.viewport(), LEFT, pos=place)
    QTest.mouseRelease(window.wall.wall.viewport(), LEFT, pos=place)
    assert [choice.part for choice in window.session.state.recipe.choices] == [0]
    assert window.wall.part == 1


def test_what_is_looked_at_ends_when_one_types(window: MainWindow) -> None:
    click_plus(window, 0)
    QTest.keyClick(window.wall.wall, Qt.Key.Key_Right)
    assert window.session.state.tried is not None
    QTest.keyClicks(window.wall.wall, "k")
    assert window.session.state.tried is None


def test_another_picture_closes_it(window: MainWindow, pack: Pack, qtbot: QtBot) -> None:
    window.wall.open_part(0)
    window.session.open_reference(pack.references[2].id)
    qtbot.waitUntil(lambda: window.wall.part is None, timeout=WAIT)
    assert window.view.isVisible()


def test_the_wizard_closes_it(window: MainWindow) -> None:
    window.wall.open_part(0)
    window.session.try_choice(window.wall.model.variants[1].choice)
    window.session.learning.show()
    assert window.wall.part is None and window.session.state.tried is None


def test_on_a_small_window_the_wall_is_in_front(window: MainWindow, qtbot: QtBot) -> None:
    window.resize(720, 480)
    qtbot.waitUntil(lambda: not window.centre.side_by_side, timeout=WAIT)
    window.centre.show_creature()
    click_plus(window, 0)
    assert window.wall.isVisible() and not window.creature.isVisible()
    click_tile(window, 1)
    assert window.session.state.recipe.choice_of(0) is not None


# What there is to choose


def test_kinds_come_first_then_their_other_pictures_then_ones_own(pack: Pack) -> None:
    one, two = pack.references[:2]
    again = replace(one, id="again", title="the same once more")
    doubled = replace(pack, references=(one, again, two))
    segmentation = Segmentation(fakes.sketch_bird(5, 64)[1], (5, 5, 5, 5, 5))
    own = OpenPicture("/own.png", "own", "/own.png", segmentation)
    variants = variants_of(doubled, [own], 0)
    ids = [variant.choice.source if variant.choice else None for variant in variants]
    shown_codes = {one.codes[0], two.codes[0]}
    assert ids[:4] == [None, one.id, two.id, "again"] and ids[4] == "/own.png"
    assert [v.choice.code for v in variants[5:] if v.choice] == [
        code for code in range(pack.vocabulary.codes_per_part) if code not in shown_codes
    ]
    assert "2 pictures" in variants[1].words and variants[-1].image == ""
    assert row_of(variants, Choice(0, one.codes[0], 1.0, "again")) == 3
    assert row_of(variants, Choice(0, one.codes[0], 0.5, "gone")) == 1
    assert row_of(variants, None) == 0


def test_further_pictures_of_a_kind_stand_together_by_title(pack: Pack) -> None:
    one, two = pack.references[:2]
    more = [
        replace(source, id=title, title=title) for title, source in (("b", two), ("d", one), ("a", two), ("c", one))
    ]
    variants = variants_of(replace(pack, references=(one, two, *more)), [], 0)
    assert [v.choice.source for v in variants[3:7] if v.choice] == ["c", "d", "a", "b"]


@pytest.mark.parametrize("codes", [(), (ABSENT,), (99,)])
def test_references_that_show_no_such_part_are_left_out(pack: Pack, codes: tuple[int, ...]) -> None:
    odd = replace(pack, references=(replace(pack.references[0], codes=codes),))
    variants = variants_of(odd, [], 0)
    assert all(not variant.image for variant in variants) and len(variants) == 1 + pack.vocabulary.codes_per_part


def test_a_picture_that_is_gone_is_named(window: MainWindow, pack: Pack, qtbot: QtBot) -> None:
    Path(pack.references[0].labels).unlink()
    window.wall.open_part(0)
    QApplication.processEvents()
    window.grab()
    qtbot.waitUntil(lambda: window.wall.model.variants[1].name != "", timeout=WAIT)
    click_tile(window, 1)
    assert window.session.state.recipe.choice_of(0) is not None
