"""The composer on the real session: slots, prompt, what is behind "More", Render and Cancel."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from engine.core.recipe import Creation, Recipe
from engine.core.vocabulary import Choice, Part, Vocabulary
from engine.packs.base_sizes import BaseSizes
from engine.packs.pack import BaseModel, Pack
from partcraft_desktop.composer.composer import Composer
from partcraft_desktop.composer.part_slot import PartSlot
from partcraft_desktop.composer.prompt_completer import completion_for
from partcraft_desktop.composer.prompt_field import PromptField
from partcraft_desktop.widgets import drag_and_drop as dragging
from partcraft_desktop.widgets.fly_animation import FlyAnimation
from partcraft_desktop.widgets.number_field import NumberField
from partcraft_desktop.widgets.theme import Theme
from partcraft_desktop.widgets.thumbnails import Thumbnails
from tests import fakes
from tests.desktop.conftest import Opened, said

LEFT = Qt.MouseButton.LeftButton
PLAIN = Qt.KeyboardModifier.NoModifier
WAIT = 10_000
HEAD, WING = 3, 1


@pytest.fixture
def composer(qtbot: QtBot, opened: Opened, themed: Theme) -> Composer:
    """A composer on screen, nothing chosen."""
    composer = Composer(opened.session, Thumbnails(opened.readers))
    qtbot.addWidget(composer)
    composer.resize(304, 720)
    composer.show()
    qtbot.waitExposed(composer)
    return composer


def drop(widget: QWidget, data: QMimeData) -> bool:
    """Drag data over a widget and let it go; whether it was taken."""
    at = QPointF(20, 20)
    action, moves = Qt.DropAction.CopyAction, Qt.DropAction.CopyAction
    enter = QDragEnterEvent(at.toPoint(), action, data, LEFT, PLAIN)
    QApplication.sendEvent(widget, enter)
    if not enter.isAccepted():
        return False
    event = QDropEvent(at, moves, data, LEFT, PLAIN)
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


# Slots


def test_there_is_a_slot_for_each_part_but_the_background(composer: Composer) -> None:
    assert list(composer.slots) == [3, 0, 1, 2, 4], "the head is first, whatever its index"
    assert [slot.value.sign for slot in composer.slots.values()] == [0, 1, 2, 3, 4]
    assert composer.slots[WING].accessibleName() == "wing: empty"
    assert composer.slots[WING].accessibleDescription() == "Press Enter to pick a wing."


def test_a_choice_fills_its_slot_with_a_crop_and_its_name(composer: Composer, opened: Opened, qtbot: QtBot) -> None:
    opened.session.choose(HEAD, 1, "1")
    slot = composer.slots[HEAD]
    assert slot.accessibleName() == "head: Snowy Owl"
    qtbot.waitUntil(lambda: slot.crop is not None and not slot.crop.isNull(), timeout=WAIT)
    before = slot.grab().toImage()
    opened.session.remove(HEAD)
    assert slot.accessibleName() == "head: empty"
    assert slot.grab().toImage() != before


def test_a_choice_without_a_source_shows_a_reference_with_the_same_code(
    composer: Composer, opened: Opened, qtbot: QtBot
) -> None:
    opened.session.choose(HEAD, 2)
    qtbot.waitUntil(lambda: not (composer.slots[HEAD].crop or QPixmap()).isNull(), timeout=WAIT)
    opened.session.choose(HEAD, 7)  # no reference has it
    crop = composer.slots[HEAD].crop
    assert crop is not None and crop.isNull()


def test_a_choice_from_another_kind_of_bird_names_where_it_came_from(composer: Composer, opened: Opened) -> None:
    opened.session.choose(HEAD, 2, "1")
    assert composer.slots[HEAD].accessibleName() == "head: Blue Jay, from Snowy Owl"


def test_remove_by_button_and_by_key_and_undo(composer: Composer, opened: Opened, qtbot: QtBot) -> None:
    session = opened.session
    session.choose(HEAD, 1, "1")
    slot = composer.slots[HEAD]
    slot.setFocus()
    qtbot.waitUntil(slot.remove_button.isVisible, timeout=WAIT)
    qtbot.mouseClick(slot.remove_button, LEFT)
    assert session.state.recipe.choice_of(HEAD) is None
    session.undo()
    assert session.state.recipe.choice_of(HEAD) == Choice(HEAD, 1, 1.0, "1")
    QTest.keyClick(slot, Qt.Key.Key_Delete)
    assert session.state.recipe.choice_of(HEAD) is None


def test_the_buttons_of_a_slot_come_with_the_keyboard_and_go(composer: Composer, opened: Opened, qtbot: QtBot) -> None:
    opened.session.choose(HEAD, 1, "1")
    slot = composer.slots[HEAD]
    assert not slot.remove_button.isVisible() and not slot.strength_button.isVisible()
    slot.setFocus()
    qtbot.waitUntil(slot.remove_button.isVisible, timeout=WAIT)
    composer.slots[WING].setFocus()
    qtbot.waitUntil(lambda: not slot.remove_button.isVisible(), timeout=WAIT)


def test_strength_on_demand(composer: Composer, opened: Opened, qtbot: QtBot) -> None:
    session = opened.session
    session.choose(HEAD, 1, "1")
    slot = composer.slots[HEAD]
    slot.setFocus()
    qtbot.waitUntil(slot.strength_button.isVisible, timeout=WAIT)
    low = slot.sizeHint().height()
    qtbot.mouseClick(slot.strength_button, LEFT)
    assert slot.slider.isVisible() and slot.sizeHint().height() > low
    QTest.keyClick(slot.slider, Qt.Key.Key_PageDown)
    choice = session.state.recipe.choice_of(HEAD)
    assert choice is not None and choice.strength == pytest.approx(0.9)
    assert slot.strength_button.text() == "90 %"
    slot.slider.setValue(98)
    choice = session.state.recipe.choice_of(HEAD)
    assert choice is not None and choice.strength == 1.0  # near enough to be meant
    slot.slider.setValue(140)
    session.undo()
    assert slot.slider.value() == 100


def test_an_empty_slot_asks_for_every_variant_of_its_part(composer: Composer, qtbot: QtBot) -> None:
    with qtbot.waitSignal(composer.variants_wanted) as told:
        QTest.keyClick(composer.slots[WING], Qt.Key.Key_Return)
    assert told.args == [WING]
    with qtbot.waitSignal(composer.variants_wanted):
        qtbot.mouseClick(composer.slots[WING], LEFT, pos=QPoint(100, 20))


def test_a_filled_slot_opens_where_it_came_from(composer: Composer, opened: Opened, qtbot: QtBot) -> None:
    opened.session.choose(HEAD, 1, "1")
    with qtbot.waitSignal(composer.part_wanted):
        qtbot.mouseClick(composer.slots[HEAD], LEFT, pos=QPoint(100, 20))
    reference = opened.session.state.reference
    assert reference is not None and reference.id == "1"


def test_a_part_can_be_dropped_on_its_slot_and_anywhere(composer: Composer, opened: Opened) -> None:
    recipe = lambda: opened.session.state.recipe  # noqa: E731
    assert drop(composer.slots[HEAD], dragging.choice_data(Choice(HEAD, 2, source="2")))
    assert recipe().choice_of(HEAD) == Choice(HEAD, 2, 1.0, "2")
    assert drop(composer.slots[HEAD], dragging.choice_data(Choice(WING, 1, source="1")))  # finds its own slot
    assert recipe().choice_of(WING) == Choice(WING, 1, 1.0, "1")
    assert drop(composer, dragging.choice_data(Choice(0, 3, source="3")))
    assert recipe().choice_of(0) == Choice(0, 3, 1.0, "3")
    assert not drop(composer, dragging.file_data("/tmp/a.png"))
    assert not drop(composer, dragging.choice_data(Choice(40, 1)))


def test_a_chosen_part_flies_into_its_slot_and_not_where_motion_is_reduced(
    composer: Composer, opened: Opened, qtbot: QtBot
) -> None:
    opened.session.choose(HEAD, 1, "1")
    picture = QPixmap(90, 60)
    picture.fill(Qt.GlobalColor.red)
    start = composer.mapToGlobal(QPoint(10, 500))
    composer.fly_in(HEAD, (picture, start))
    assert len(composer.findChildren(FlyAnimation)) == 1
    slot = composer.slots[HEAD]
    assert slot.crop_hidden
    qtbot.waitUntil(lambda: not slot.crop_hidden and not composer.findChildren(FlyAnimation), timeout=WAIT)
    opened.settings.set(reduced_motion=True)
    composer.fly_in(HEAD, (picture, start))
    assert not composer.findChildren(FlyAnimation) and not slot.crop_hidden


def test_the_dice_fill_every_slot_and_can_be_undone(composer: Composer, opened: Opened, qtbot: QtBot) -> None:
    before = opened.session.state.recipe
    qtbot.mouseClick(composer.mix, LEFT)
    assert all(slot.value.choice is not None for slot in composer.slots.values())
    opened.session.undo()
    assert opened.session.state.recipe == before
    assert all(slot.value.choice is None for slot in composer.slots.values())


# The prompt


def type_prompt(composer: Composer, text: str) -> None:
    field = composer.prompt
    QTest.keyClick(field.words, Qt.Key.Key_Return)
    field.editor.selectAll()
    QTest.keyClicks(field.editor, text) if text.isascii() else field.editor.insertPlainText(text)


def test_the_prompt_is_edited_as_text_and_read_back_as_chips(composer: Composer, opened: Opened, qtbot: QtBot) -> None:
    field = composer.prompt
    opened.session.choose(HEAD, 1, "1")
    qtbot.mouseClick(field.words, LEFT)
    assert field.editing and field.editor.toPlainText() == "a photo of a <head:Snowy Owl> bird"
    type_prompt(composer, "a drawing of a <head:Ёжик*0.5> <wing:Kiwi> bird")
    qtbot.waitUntil(lambda: opened.session.state.recipe.choice_of(WING) is not None, timeout=WAIT)
    assert composer.slots[HEAD].value.code == "Ёжик"  # seen while it is typed
    QTest.keyClick(field.editor, Qt.Key.Key_Return)
    assert not field.editing
    assert opened.session.state.recipe.prompt == (
        "a drawing of a ",
        Choice(HEAD, 3, 0.5),
        " ",
        Choice(WING, 4),
        " bird",
    )
    assert "head of Ёжик" in field.words.accessibleDescription()


def test_a_wrong_prompt_is_told_below_and_nothing_is_lost(composer: Composer, opened: Opened, qtbot: QtBot) -> None:
    field = composer.prompt
    before = opened.session.state.recipe
    type_prompt(composer, "a <head:Cardnal> bird")
    qtbot.waitUntil(field.problem.isVisible, timeout=WAIT)
    assert "Cardinal" in field.problem.text() and field.editor.accessibleDescription() == field.problem.text()
    composer.slots[HEAD].setFocus()  # going elsewhere neither takes nor drops it
    opened.session.choose(WING, 2, "2")
    assert field.editing and field.editor.toPlainText() == "a <head:Cardnal> bird"
    opened.session.undo()
    assert opened.session.state.recipe == before
    field.editor.setFocus()
    QTest.keyClick(field.editor, Qt.Key.Key_Return)
    assert field.editing
    field.editor.selectAll()
    QTest.keyClicks(field.editor, "a <head:Cardinal> bird")
    QTest.keyClick(field.editor, Qt.Key.Key_Return)
    assert not field.editing and not field.problem.isVisible()
    assert opened.session.state.recipe.choice_of(HEAD) == Choice(HEAD, 0)


def test_escape_gives_up_a_wrong_text(composer: Composer, opened: Opened, qtbot: QtBot) -> None:
    before = opened.session.state.recipe
    type_prompt(composer, "<head:nobody>")
    qtbot.waitUntil(composer.prompt.problem.isVisible, timeout=WAIT)
    QTest.keyClick(composer.prompt.editor, Qt.Key.Key_Escape)
    assert not composer.prompt.editing and not composer.prompt.problem.isVisible()
    assert opened.session.state.recipe == before


def test_names_are_offered_while_a_choice_is_typed(composer: Composer, opened: Opened, qtbot: QtBot) -> None:
    editor = composer.prompt.editor
    type_prompt(composer, "a <w")
    assert editor.names.shown and editor.names.currentCompletion() == "wing"
    QTest.keyClick(editor.names.list_view, Qt.Key.Key_Return)
    assert editor.toPlainText() == "a <wing:"
    QTest.keyClicks(editor, "jay")
    assert editor.names.shown
    QTest.keyClick(editor.names.list_view, Qt.Key.Key_Tab)
    assert editor.toPlainText() == "a <wing:Blue Jay>"
    assert not editor.names.shown
    QTest.keyClick(editor, Qt.Key.Key_Return)
    assert opened.session.state.recipe.prompt == ("a ", Choice(WING, 2))


@pytest.mark.parametrize(
    ("text", "first"),
    [("a <", "<head:"), ("<head:", "<head:Cardinal>"), ("12:30", None), ("<nobody:", None), ("<head:Kiwi> ", None)],
)
def test_what_is_offered(text: str, first: str | None) -> None:
    offered = completion_for(text, fakes.make_vocabulary(codes=12))
    assert (offered.texts[0] if offered else None) == first
    if offered and text == "<head:":
        assert offered.texts[11] == "<head:11>" and offered.names[11] == "11"


def test_a_click_on_a_chip_puts_the_cursor_there(qtbot: QtBot, themed: Theme) -> None:
    field = PromptField()
    qtbot.addWidget(field)
    field.resize(280, 100)
    field.show()
    field.show_prompt(("a photo of a ", Choice(HEAD, 1), " bird"), fakes.make_vocabulary())
    run = next(run for run in field.words.runs if run.choice is not None)
    qtbot.mouseClick(field.words, LEFT, pos=run.rect.center().toPoint())
    assert field.editor.textCursor().position() == len("a photo of a ")


def test_a_prompt_of_any_length_and_script_keeps_within_its_field(qtbot: QtBot, themed: Theme) -> None:
    long = "x" * 300
    words = Vocabulary(
        "thing", (Part(0, "part", "#336699"), Part(1, "ظهر", "#996633")), 2, (("二" * 80, ""), ("رأس", ""))
    )
    field = PromptField()
    qtbot.addWidget(field)
    field.resize(240, 100)
    field.show()
    field.show_prompt((f"{long} ", Choice(0, 0), Choice(1, 0), Choice(1, 1), " 鳥", Choice(7, 9)), words)
    assert all(field.words.rect().contains(run.rect.toAlignedRect()) for run in field.words.runs)
    field.show_prompt((), words)
    assert field.words.height() > 20


# More


def test_more_unfolds_and_sets(composer: Composer, opened: Opened, qtbot: QtBot) -> None:
    settings = composer.settings
    assert not settings.isVisible()
    opened.settings.set(reduced_motion=True)
    opened.session.changed.emit()
    composer.more.button.click()
    assert settings.isVisible() and composer.more.button.accessibleDescription() == "unfolded"
    qtbot.waitUntil(lambda: settings.count.more.height() > 20, timeout=WAIT)
    recipe: Callable[[], Recipe] = lambda: opened.session.state.recipe  # noqa: E731
    QTest.keyClicks(settings.negative, "blurry")
    assert recipe().negative == "blurry"
    settings.steps.edit.setFocus()
    QTest.keyClick(settings.steps.edit, Qt.Key.Key_Up)
    assert recipe().steps == 21
    settings.guidance.edit.selectAll()
    QTest.keyClicks(settings.guidance.edit, "4,5")
    QTest.keyClick(settings.guidance.edit, Qt.Key.Key_Return)
    assert recipe().guidance == 4.5
    qtbot.mouseClick(settings.count.more, LEFT)
    assert recipe().count == 2 and composer.render_button.text() == "Render 2"
    settings.seed.edit.selectAll()
    QTest.keyClicks(settings.seed.edit, "17")
    QTest.keyClick(settings.seed.edit, Qt.Key.Key_Return)
    assert recipe().seed == 17 and opened.session.state.seed_locked and settings.lock.isChecked()
    qtbot.mouseClick(settings.lock, LEFT)
    assert not opened.session.state.seed_locked
    composer.more.button.click()
    assert not settings.isVisible()


def test_more_unfolds_with_motion_too(composer: Composer, qtbot: QtBot) -> None:
    composer.more.button.click()
    qtbot.waitUntil(lambda: composer.settings.isVisible() and composer.more.fold.maximumHeight() > 10_000, timeout=WAIT)


def offered(composer: Composer) -> list[tuple[str, int]]:
    """What the box of sizes has."""
    box = composer.settings.size_box
    return [(box.itemText(row), box.itemData(row)) for row in range(box.count())]


@pytest.fixture
def base(home: Path, pack: Pack, opened: Opened, qtbot: QtBot) -> Callable[..., None]:
    """Gives the pack on show a base model of other sizes."""

    def give(**config: Any) -> None:
        folder = fakes.make_base_config(home / "models" / f"base-{len(list(home.rglob('base-*')))}", **config)
        replace(pack, base_model=BaseModel(folder.name)).save()
        opened.session.list_packs()

        def is_shown() -> bool:
            state = opened.session.state
            return state.pack is not None and state.pack.base_model.id == folder.name and state.sizes.own > 0

        qtbot.waitUntil(is_shown, timeout=WAIT)

    return give


def test_only_sizes_that_the_base_can_paint_are_offered(
    composer: Composer, opened: Opened, base: Callable[..., None]
) -> None:
    base()
    own, *others = offered(composer)
    assert own == ("Model’s own, 512 px", 0) and others == [(f"{side} px", side) for side in (576, 640, 704, 768)]
    box = composer.settings.size_box
    box.setCurrentIndex(box.findData(640))
    box.activated.emit(box.currentIndex())
    assert opened.session.state.recipe.size == 640 and not composer.size_note.isVisible()
    opened.session.set_setting("size", 9999)
    assert opened.session.state.recipe.size == 768
    base(sample_size=16, width=128)
    assert offered(composer) == [("Model’s own, 128 px", 0), ("768 px", 768)]


def test_a_recipe_of_an_earlier_base_model_is_taken_and_it_is_told(composer: Composer, opened: Opened) -> None:
    session, pack = opened.session, opened.session.state.pack
    assert pack is not None
    changed = replace(pack, base_model=replace(pack.base_model, revision="two"))
    session.update_state(pack=changed, packs=(changed,))
    session.use_recipe(Creation("", replace(session.state.recipe, seed=5), revision="two"))
    assert session.state.recipe.seed == 5 and not said(opened, "base model has changed")
    session.use_recipe(Creation("", replace(session.state.recipe, seed=6), revision="one"))
    assert session.state.recipe.seed == 6 and said(opened, "base model has changed")


def test_a_size_that_the_base_cannot_paint_is_shown_as_it_is_with_a_way_out(
    composer: Composer, opened: Opened, base: Callable[..., None], qtbot: QtBot
) -> None:
    base(sample_size=16, width=128)
    recipe = replace(opened.session.state.recipe, size=512)
    opened.session.use_recipe(Creation("", recipe))
    note = composer.size_note
    assert opened.session.state.recipe.size == 512 and composer.settings.size_box.currentText() == "512 px"
    assert note.isVisible() and note.text.text() == "This model paints 128 px; this recipe asks for 512 px."
    assert note.use.text() == note.use.accessibleName() == "Use 128 px" and composer.render_button.isEnabled()
    qtbot.mouseClick(note.use, LEFT)
    assert opened.session.state.recipe.size == 0 and not note.isVisible()
    opened.session.undo()
    assert opened.session.state.recipe.size == 512 and note.isVisible()


def test_an_unknown_base_offers_its_own_size_and_the_recipes(composer: Composer, opened: Opened) -> None:
    opened.session.update_state(sizes=BaseSizes())
    assert offered(composer) == [("Model’s own", 0)]
    opened.session.use_recipe(Creation("", replace(opened.session.state.recipe, size=333)))
    assert offered(composer) == [("Model’s own", 0), ("333 px", 333)] and not composer.size_note.isVisible()
    assert composer.settings.size_box.currentText() == "333 px"


@pytest.mark.parametrize(
    ("typed", "value"),
    [("7", 7), ("900", 150), ("-3", 1), ("abc", 20), ("", 20), ("nan", 20), ("12.6", 13), ("inf", 150)],
)
def test_a_number_is_read_or_keeps_its_last_value(qtbot: QtBot, typed: str, value: float) -> None:
    field = NumberField("Steps", "", 1, 150)
    qtbot.addWidget(field)
    field.set_value(20)
    field.edit.selectAll()
    QTest.keyClicks(field.edit, typed) if typed else QTest.keyClick(field.edit, Qt.Key.Key_Backspace)
    QTest.keyClick(field.edit, Qt.Key.Key_Return)
    assert field.value == value and field.edit.text() == str(int(value))


# Render


def test_render_becomes_add_to_queue_and_back(
    composer: Composer, opened: Opened, qtbot: QtBot, script: Callable[..., None]
) -> None:
    script(render={"delay": 0.03})
    button, running = composer.render_button, composer.queue.running
    assert not composer.queue.isVisible()
    qtbot.mouseClick(button, LEFT)
    assert button.text() == button.accessibleName() == "Add to queue" and button.isEnabled()
    qtbot.waitUntil(lambda: "left" in running.doing.text(), timeout=WAIT)
    qtbot.mouseClick(running.cancel, LEFT)
    assert running.doing.text() == "Stopping…" and not running.cancel.isEnabled()
    qtbot.waitUntil(lambda: button.text() == "Render" and button.isEnabled(), timeout=WAIT)
    assert opened.session.state.render is None and not composer.queue.isVisible()


def test_nothing_to_render_says_why(composer: Composer, opened: Opened) -> None:
    opened.session.set_prompt_text("")
    button = composer.render_button
    assert not button.isEnabled()
    assert button.accessibleDescription() == button.toolTip() == "Pick a part or write a prompt to render."
    assert composer.why.isVisible() and composer.why.text() == button.toolTip()
    opened.session.choose(HEAD, 1, "1")
    assert button.isEnabled() and not composer.why.isVisible()


# Everything by keyboard


def test_every_control_has_a_name_and_tab_reaches_it(composer: Composer, opened: Opened) -> None:
    opened.settings.set(reduced_motion=True)
    opened.session.changed.emit()
    composer.more.button.click()
    named = [w for w in composer.findChildren(QWidget) if w.focusPolicy() & Qt.FocusPolicy.TabFocus and w.isVisible()]
    assert [w for w in named if not (w.accessibleName() or (w.property("text") or ""))] == []
    reached: set[QWidget] = set()
    composer.mix.setFocus()
    for _ in range(60):
        focus = QApplication.focusWidget()
        if focus is None or focus in reached:
            break
        reached.add(focus)
        QTest.keyClick(focus, Qt.Key.Key_Tab)
    wanted = {composer.mix, *composer.slots.values(), composer.prompt.words, composer.render_button}
    assert wanted <= reached and composer.settings.negative in reached and composer.settings.lock in reached


def test_a_slot_refuses_broken_data(qtbot: QtBot, composer: Composer) -> None:
    data = QMimeData()
    data.setData(dragging.CHOICE, json.dumps({"part": "x"}).encode())
    slot: PartSlot = composer.slots[HEAD]
    assert not drop(slot, data)
