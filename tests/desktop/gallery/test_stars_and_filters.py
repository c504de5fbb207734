"""Stars on creations, kept apart from the index, and the gallery narrowed to some creations."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from engine.core.recipe import Arrival, Creation, Recipe
from engine.core.vocabulary import Choice
from engine.packs.pack import Pack
from partcraft_desktop.app.creation_filter import CreationFilter
from partcraft_desktop.app.creation_stars import STARS, star_of
from partcraft_desktop.gallery.gallery import Gallery
from partcraft_desktop.widgets.thumbnails import Thumbnails
from tests.desktop.conftest import WAIT, Opened

ARRIVED, MISSED = Arrival(1, 0, 0, 0.9), Arrival(1, 0, 2, 0.1)
UNSURE = Arrival(2, 0, 0, 0.5, None, 0.4, unsure=True)


def creations_of(pack: Pack) -> tuple[Creation, ...]:
    """Whole, with a part missing, without a part, and of a pack that is not here."""
    head = ("a ", Choice(1, 0), " bird")
    made = (
        (Recipe(pack.id, head, seed=1), (ARRIVED,)),
        (Recipe(pack.id, (*head, Choice(2, 0)), seed=2), (ARRIVED, MISSED)),
        (Recipe(pack.id, ("a bird",), seed=3), ()),
        (Recipe("far-away", head, seed=4), (ARRIVED,)),
    )
    day = "2026-11-27T08:00:00+00:00"
    return tuple(Creation(f"/nowhere/{row}.png", recipe, told, day) for row, (recipe, told) in enumerate(made))


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


def entry(menu: QMenu, text: str) -> QAction:
    return next(action for action in menu.actions() if action.text() == text)


def choose(gallery: Gallery, *texts: str) -> None:
    """Open the menu and choose an entry of it, or of a menu in it."""
    gallery.filter.button.click()
    top = menu = gallery.filter.menu
    assert top is not None and menu is not None
    for text in texts[:-1]:
        below = entry(menu, text).menu()
        assert isinstance(below, QMenu)
        menu = below
    entry(menu, texts[-1]).trigger()
    top.hide()


@pytest.mark.parametrize(
    ("wanted", "rows"),
    [
        ({}, "0123"),
        ({"starred": True}, "13"),
        ({"receipt": "arrived"}, "03"),
        ({"receipt": "missing"}, "1"),
        ({"pack": "far-away"}, "3"),
        ({"part": 1}, "01"),
        ({"part": 2}, "1"),
        ({"starred": True, "receipt": "arrived"}, "3"),
        ({"pack": "far-away", "part": 1}, ""),
    ],
)
def test_what_a_filter_lets_through(pack: Pack, wanted: dict[str, object], rows: str) -> None:
    made = creations_of(pack)
    stars = frozenset(star_of(made[row]) for row in (1, 3))
    if "part" in wanted:
        wanted = wanted | {"part": pack.vocabulary.parts[int(str(wanted["part"]))].name}
    found = replace(CreationFilter(), **wanted).among(made, stars, {pack.id: pack})
    assert "".join(Path(one.path).stem for one in found) == rows
    assert replace(CreationFilter(), **wanted).on == bool(wanted)


def test_a_star_is_given_taken_away_and_undone(qtbot: QtBot, gallery: Gallery, opened: Opened) -> None:
    session, made = opened.session, gallery.model.creations
    gallery.select(made[1])
    QTest.keyClick(gallery.strip, Qt.Key.Key_S)
    assert session.state.stars == {star_of(made[1])} and session.state.undo_label == "give a star"
    assert gallery.model.index(1, 0).data(Qt.ItemDataRole.AccessibleTextRole).startswith("Starred")
    gallery.strip.selectAll()
    gallery.star.trigger()
    assert len(session.state.stars) == 4 and session.state.undo_label == "give 3 stars"
    gallery.star.trigger()
    assert not session.state.stars, "all had one"
    session.undo()
    session.undo()
    assert session.state.stars == {star_of(made[1])}
    session.undo()
    assert not session.state.stars
    session.redo()
    assert session.state.stars == {star_of(made[1])}


def test_stars_are_there_again_at_the_next_start(
    qtbot: QtBot, open_session: Callable[[], Opened], pack: Pack, home: Path
) -> None:
    first = open_session().session
    first.stars.toggle(creations_of(pack)[:2])
    expected = first.state.stars
    first.shutdown()
    assert set(json.loads((home / STARS).read_text())["stars"]) == expected
    second = open_session().session
    qtbot.waitUntil(lambda: second.state.stars == expected, timeout=WAIT)
    moved = replace(creations_of(pack)[0], path="/elsewhere/renamed.png")
    assert star_of(moved) in expected


def test_a_damaged_file_of_stars_is_kept_aside(
    qtbot: QtBot, open_session: Callable[[], Opened], pack: Pack, home: Path
) -> None:
    home.mkdir(exist_ok=True)
    (home / STARS).write_text('{"stars": ["half')
    opened = open_session()
    qtbot.waitUntil(lambda: (home / "stars-damaged.json").is_file(), timeout=WAIT)
    opened.session.stars.toggle(creations_of(pack)[:1])
    opened.session.shutdown()
    assert "half" in (home / "stars-damaged.json").read_text() and "half" not in (home / STARS).read_text()


def test_the_menu_narrows_the_gallery_and_one_click_shows_all(gallery: Gallery, opened: Opened, pack: Pack) -> None:
    opened.session.stars.toggle([gallery.model.creations[0], gallery.model.creations[1]])
    assert not gallery.filter.all.isVisible()
    choose(gallery, "Starred")
    assert shown(gallery) == ["0", "1"] and gallery.summary.text() == "2 of 4 creations"
    assert gallery.filter.all.isVisible() and gallery.filter.all.text() == "Starred"
    choose(gallery, "A part is missing")
    assert shown(gallery) == ["1"] and gallery.filter.all.text() == "Starred, a part is missing"
    choose(gallery, "A part is missing")
    choose(gallery, "Pack", pack.title)
    choose(gallery, "Part", pack.vocabulary.parts[2].name)
    assert shown(gallery) == ["1"]
    gallery.filter.all.click()
    assert shown(gallery) == ["0", "1", "2", "3"] and not gallery.filter.all.isVisible()
    assert gallery.summary.text() == "4 creations"


def test_a_filter_and_a_search_hold_together_and_nothing_found_shows_all(qtbot: QtBot, gallery: Gallery) -> None:
    choose(gallery, "All parts arrived")
    gallery.search.setText("far-away")
    qtbot.waitUntil(lambda: shown(gallery) == ["3"], timeout=WAIT)
    choose(gallery, "Starred")
    assert not shown(gallery) and gallery.nothing_found.isVisible()
    assert gallery.nothing_found.text.text() == "Nothing found for “far-away” and Starred, all parts arrived."
    gallery.nothing_found.button.click()
    qtbot.waitUntil(lambda: len(shown(gallery)) == 4, timeout=WAIT)
    assert not gallery.search.text() and not gallery.filter.filter.on


def test_a_star_that_goes_leaves_the_starred_ones(gallery: Gallery, opened: Opened) -> None:
    opened.session.stars.toggle(gallery.model.creations[:2])
    choose(gallery, "Starred")
    gallery.select(gallery.model.creations[0])
    gallery.star.trigger()
    assert shown(gallery) == ["1"]
    opened.session.undo()
    assert shown(gallery) == ["0", "1"]


def test_where_there_is_no_room_to_see_a_filter_none_holds(gallery: Gallery) -> None:
    choose(gallery, "A part is missing")
    assert shown(gallery) == ["1"]
    gallery.resize(900, 120)
    assert shown(gallery) == ["0", "1", "2", "3"] and not gallery.filter.isVisible()
    gallery.resize(900, 184)
    assert shown(gallery) == ["1"] and gallery.filter.all.isVisible()


def test_what_is_unsure_is_neither_whole_nor_missing(pack: Pack) -> None:
    (one, *_) = creations_of(pack)
    made = (one, replace(one, receipt=(ARRIVED, UNSURE)), replace(one, receipt=(MISSED, UNSURE)))
    for wanted, rows in (("arrived", [0]), ("missing", [2]), ("unsure", [1, 2])):
        found = CreationFilter(receipt=wanted).among(made, frozenset(), {pack.id: pack})  # pyright: ignore
        assert [made.index(creation) for creation in found] == rows, wanted


def test_the_menu_offers_what_is_unsure(gallery: Gallery, pack: Pack) -> None:
    choose(gallery, "A part is unsure")
    assert gallery.filter.filter.receipt == "unsure" and gallery.filter.words == "A part is unsure"
    assert shown(gallery) == []
    choose(gallery, "A part is unsure")
    assert len(shown(gallery)) == 4
