"""Below the prompt stands what the picture will show that the prompt does not say as it seems to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from engine.core.recipe import BY_SEED
from engine.core.vocabulary import Choice
from engine.packs.known_words import KnownWords
from partcraft_desktop.composer.composer import Composer
from partcraft_desktop.composer.prompt_notes import PromptNotes
from partcraft_desktop.widgets.theme import Theme
from partcraft_desktop.widgets.thumbnails import Thumbnails
from tests.desktop.conftest import Opened
from tests.fakes import make_pack


@pytest.fixture
def notes(qtbot: QtBot, themed: Theme) -> PromptNotes:
    notes = PromptNotes()
    qtbot.addWidget(notes)
    notes.resize(264, 100)
    return notes


def test_the_rest_is_told_and_an_older_recipe_can_have_one(notes: PromptNotes, qtbot: QtBot, tmp_path: Path) -> None:
    pack = make_pack(tmp_path / "birds")
    recipe = pack.new_recipe(("a ", Choice(0, 5), " bird"), seed=1)
    notes.show_recipe(pack, recipe, None, seed_known=True)
    assert notes.text.text() == f"The rest is from {pack.references[1].title}, by seed."
    assert not notes.isHidden() and notes.take.isHidden()
    notes.show_recipe(pack, replace(recipe, rest=""), None, seed_known=True)
    assert notes.text.text().startswith("Not said: ") and not notes.take.isHidden()
    with qtbot.waitSignal(notes.rest_asked):
        notes.take.click()
    whole = tuple(Choice(part.index, 0) for part in pack.vocabulary.visible_parts)
    notes.show_recipe(pack, replace(recipe, prompt=whole), None, seed_known=True)
    assert notes.isHidden()
    notes.show_recipe(None, recipe, None, seed_known=True)
    assert notes.isHidden()


def test_words_and_several_kinds_are_told_and_the_label_has_room(notes: PromptNotes, tmp_path: Path) -> None:
    pack = make_pack(tmp_path / "birds")
    known = KnownWords("The starter", "birds", frozenset({"photo", "bird"}))
    recipe = pack.new_recipe(("a photo of a ", Choice(3, 5), Choice(3, 2), " cat at night"), seed=1)
    notes.show_recipe(pack, recipe, known, seed_known=True)
    lines = notes.text.text().splitlines()
    assert lines[0] == "The starter paints birds only: it does not know “cat”, “night”."
    assert lines[1] == "Two kinds of head are said: they will be mixed into one."
    assert notes.text.height() >= notes.text.heightForWidth(notes.width()) > 0


def test_the_composer_says_it_and_takes_the_rest_in_one_step_of_undo(
    opened: Opened, qtbot: QtBot, themed: Theme
) -> None:
    composer = Composer(opened.session, Thumbnails(opened.readers))
    qtbot.addWidget(composer)
    session = opened.session
    session.set_setting("rest", "")
    session.choose(0, 1, "1")
    assert not composer.notes.take.isHidden()
    composer.notes.take.click()
    assert session.state.recipe.rest == BY_SEED and "by seed" in composer.notes.text.text()
    session.undo()
    assert session.state.recipe.rest == ""
