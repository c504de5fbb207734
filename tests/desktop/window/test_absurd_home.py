"""The window starts, whatever lies in its folder; what is bad is said, the rest works."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from engine.core.recipe import Recipe
from partcraft_desktop.app.autosave import Saved
from partcraft_desktop.window.main_window import MainWindow
from tests import fakes
from tests.absurd import DEEP
from tests.conftest import as_another_user
from tests.desktop.conftest import WAIT, Opened, said

LONG = "/nowhere/" + "a" * 5000 + ".png"
LINE = Recipe("fake-birds", ("a bird",)).to_json()


def session_file(home: Path, **values: object) -> None:
    (home / "session.json").write_text(json.dumps({**Saved("fake-birds").to_document(), **values}))


def closed_folder(home: Path) -> Path:
    folder = home / "closed"
    folder.mkdir()
    (folder / "own.png").touch()
    folder.chmod(0)
    return folder


def an_own_picture_of_a_long_name(home: Path) -> None:
    session_file(home, reference=LONG, own=[LONG, "a\0b.png", "half \ud83d.png"], closed={LONG: 1.0})


def an_own_picture_that_may_not_be_looked_at(home: Path) -> None:
    path = str(closed_folder(home) / "own.png")
    session_file(home, reference=path, own=[path])


def a_pack_that_may_not_be_entered(home: Path) -> None:
    fakes.make_pack(home / "packs" / "other", id="other").path.chmod(0)


def a_pack_with_steps_of_400_digits(home: Path) -> None:
    path = fakes.make_pack(home / "packs" / "other", id="other").path / "pack.json"
    document = json.loads(path.read_text("utf-8"))
    document["base_model"] |= {"steps": 10**400, "id": "~nosuchuser/x"}
    path.write_text(json.dumps(document))
    session_file(home, pack="other")


def a_pack_whose_base_model_has_a_long_name(home: Path) -> None:
    path = fakes.make_pack(home / "packs" / "other", id="other").path / "pack.json"
    document = json.loads(path.read_text("utf-8"))
    document["base_model"] |= {"id": "a" * 5000, "unet": "~nosuchuser/y"}
    document["backbone"]["id"] = "x/" * 3000
    path.write_text(json.dumps(document))
    session_file(home, pack="other")


def creations_in_a_long_name(home: Path) -> None:
    (home / "settings.json").write_text(json.dumps({"out": LONG}))


def creations_that_may_not_be_looked_at(home: Path) -> None:
    (home / "settings.json").write_text(json.dumps({"out": str(closed_folder(home))}))


def creations_where_a_file_is(home: Path) -> None:
    (home / "file").touch()
    (home / "settings.json").write_text(json.dumps({"out": str(home / "file")}))


def settings_and_session_that_are_nested_deeply(home: Path) -> None:
    (home / "settings.json").write_text(DEEP)
    (home / "session.json").write_text(DEEP)


def a_learning_of_places_that_cannot_be(home: Path) -> None:
    learning = {"page": "learning", "folder": LONG, "run": LONG, "extends": "~nosuchuser", "sorting": {"clusters": 5}}
    session_file(home, learning=learning)


def recipes_of_packs_that_cannot_be(home: Path) -> None:
    lines = [LINE.replace("fake-birds", LONG), LINE.replace('"seed": 0', f'"seed": {10**400}'), LINE[:-1]]
    session_file(home, recipes={"x": lines[0], "fake-birds": lines[1]}, queue=lines)


@pytest.mark.parametrize(
    "spoil",
    [
        an_own_picture_of_a_long_name,
        an_own_picture_that_may_not_be_looked_at,
        a_pack_that_may_not_be_entered,
        a_pack_with_steps_of_400_digits,
        a_pack_whose_base_model_has_a_long_name,
        creations_in_a_long_name,
        creations_that_may_not_be_looked_at,
        creations_where_a_file_is,
        settings_and_session_that_are_nested_deeply,
        a_learning_of_places_that_cannot_be,
        recipes_of_packs_that_cannot_be,
    ],
)
def test_the_window_starts(home: Path, qtbot: QtBot, spoil: Callable[[Path], None]) -> None:
    fakes.make_pack(home / "packs" / "fake-birds")
    spoil(home)
    with as_another_user(home) if "may_not_be" in spoil.__name__ else contextlib.nullcontext():
        opened = Opened(home)
        opened.session.begin()
        window = MainWindow(opened.session, opened.readers)
        qtbot.addWidget(window)
        window.show()
        state = lambda: opened.session.state  # noqa: E731
        qtbot.waitUntil(lambda: state().reference is not None and opened.readers.idle, timeout=WAIT)
        assert "fake-birds" in {pack.id for pack in state().packs}
        opened.session.open_pack("fake-birds")
        opened.session.choose(3, 2, "2")
        assert state().recipe.choices
        if "creations" in spoil.__name__:
            assert said(opened, "The folder for creations cannot be read.")
        window.close()
        opened.close()
    if (home / "closed").exists():
        (home / "closed").chmod(0o700)
