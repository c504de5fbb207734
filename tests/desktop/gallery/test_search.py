"""The gallery searched: by parts, packs and words, while a person types."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from engine.core.recipe import Creation, Recipe
from engine.core.vocabulary import Choice
from engine.packs.pack import Pack
from partcraft_desktop.app.creation_search import CreationSearch
from partcraft_desktop.gallery.gallery import Gallery
from partcraft_desktop.gallery.search_field import NAMED
from partcraft_desktop.widgets.thumbnails import Thumbnails
from partcraft_desktop.window.main_window import MainWindow
from tests.desktop.conftest import WAIT, Opened


def creations_of(pack: Pack) -> tuple[Creation, ...]:
    """One with the first choice of part 1, one with words alone, one of a pack that is not here."""
    made = (
        Recipe(pack.id, ("a photo of a ", Choice(1, 0), " bird in SNOW")),
        Recipe(pack.id, ("a bird on a beach",), "blurry"),
        Recipe("far-away", ("a ", Choice(1, 0), " fish")),
    )
    return tuple(Creation(f"/nowhere/{row}.png", recipe) for row, recipe in enumerate(made))


@pytest.fixture
def gallery(qtbot: QtBot, opened: Opened, pack: Pack, themed: object) -> Gallery:
    widget = Gallery(opened.session, Thumbnails(opened.readers))
    qtbot.addWidget(widget)
    widget.resize(900, 184)
    widget.show()
    qtbot.waitUntil(lambda: opened.session.state.packs_listed, timeout=WAIT)
    opened.session.update_state(creations=creations_of(pack))
    return widget


def shown(gallery: Gallery) -> list[str]:
    return [Path(creation.path).stem for creation in gallery.model.creations]


def test_creations_are_found_by_parts_choices_packs_words_and_files(pack: Pack) -> None:
    made, search = creations_of(pack), CreationSearch()
    part, choice = pack.vocabulary.parts[1].name, pack.vocabulary.code_name(1, 0)

    def found(words: str, packs: tuple[Pack, ...] = (pack,)) -> list[str]:
        return sorted(Path(path).stem for path in search.paths_of(words, made, packs))

    assert found("") == ["0", "1", "2"]
    assert found(choice.upper()) == ["0"] and found(f"snow {part}") == ["0"]
    assert found(pack.title) == ["0", "1"] and found("far-away") == ["2"]
    assert found("blur") == ["1"] and found("bird beach") == ["1"] and found("bird beach snow") == []
    assert found("2.png") == ["2"]
    renamed = replace(pack, vocabulary=replace(pack.vocabulary, code_names=()))
    assert found(choice, (renamed,)) == []


def test_typing_narrows_the_gallery_and_esc_brings_all_back(qtbot: QtBot, gallery: Gallery) -> None:
    assert shown(gallery) == ["0", "1", "2"] and gallery.summary.text() == "3 creations"
    QTest.keyClicks(gallery.search, "beach")
    qtbot.waitUntil(lambda: shown(gallery) == ["1"], timeout=WAIT)
    assert gallery.summary.text() == "1 of 3 creations"
    QTest.keyClick(gallery.search, Qt.Key.Key_Escape)
    assert shown(gallery) == ["0", "1", "2"] and gallery.summary.text() == "3 creations"


def test_an_answer_that_comes_late_does_not_overwrite_a_newer_search(qtbot: QtBot, gallery: Gallery) -> None:
    gallery.search.setText("beach")
    gallery.search.setText("snow")
    gallery.search.clear()
    gallery.search.setText("fish")
    qtbot.waitUntil(lambda: shown(gallery) == ["2"], timeout=WAIT)
    gallery.search.setText("beach")
    gallery.search.clear()
    QTest.qWait(0)
    assert shown(gallery) == ["0", "1", "2"]


def test_where_nothing_is_found_it_is_said_and_one_press_brings_all_back(qtbot: QtBot, gallery: Gallery) -> None:
    gallery.search.setText("heron " * 40)
    qtbot.waitUntil(gallery.nothing_found.isVisible, timeout=WAIT)
    text = gallery.nothing_found.text.text()
    assert text.startswith("Nothing found for “heron heron") and len(text) < NAMED + 30
    assert gallery.summary.text() == "0 of 3 creations" and gallery.search.isVisible()
    gallery.nothing_found.button.click()
    assert gallery.strip.isVisible() and len(shown(gallery)) == 3 and gallery.search.text() == ""


def test_a_creation_that_arrives_while_searching_is_shown_if_it_is_found(
    qtbot: QtBot, gallery: Gallery, opened: Opened, pack: Pack
) -> None:
    gallery.search.setText("beach")
    qtbot.waitUntil(lambda: shown(gallery) == ["1"], timeout=WAIT)
    new = (Creation("/nowhere/8.png", Recipe(pack.id, ("a beach",))), Creation("/nowhere/9.png", Recipe(pack.id)))
    opened.session.update_state(creations=(*new, *opened.session.state.creations))
    qtbot.waitUntil(lambda: shown(gallery) == ["8", "1"], timeout=WAIT)


def test_a_gallery_too_low_for_the_field_shows_all(qtbot: QtBot, gallery: Gallery) -> None:
    gallery.search.setText("beach")
    qtbot.waitUntil(lambda: shown(gallery) == ["1"], timeout=WAIT)
    gallery.resize(900, 120)
    qtbot.waitUntil(lambda: len(shown(gallery)) == 3, timeout=WAIT)
    assert not gallery.search.isVisible() and not gallery.begin_search()
    gallery.resize(900, 184)
    qtbot.waitUntil(lambda: shown(gallery) == ["1"], timeout=WAIT)


def test_the_key_for_searching_reaches_the_field_from_the_gallery(
    qtbot: QtBot, window: MainWindow, opened: Opened, pack: Pack
) -> None:
    qtbot.waitUntil(lambda: window.library.search.isVisible(), timeout=WAIT)
    opened.session.update_state(creations=creations_of(pack))
    qtbot.waitUntil(window.gallery.search.isVisible, timeout=WAIT)
    window.gallery.strip.setFocus()
    window.search.trigger()
    assert window.focusWidget() is window.gallery.search
    window.library.wall.setFocus()
    window.search.trigger()
    assert window.focusWidget() is window.library.search
