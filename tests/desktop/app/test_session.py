"""Session: verbs, the store, undo, keeping work."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from pytestqt.qtbot import QtBot

from engine.core.recipe import Recipe
from engine.packs.pack import Pack
from partcraft_desktop.app.history import History
from partcraft_desktop.app.session import Session
from partcraft_desktop.window.deleted_dialog import when_text
from tests import fakes
from tests.desktop.conftest import WAIT, Opened, prompt_text, rendered, said

HEAD, WING = 3, 1


def test_a_choice_goes_into_the_recipe_and_the_hint_goes_away(session: Session, opened: Opened) -> None:
    session.choose(HEAD, 2, "2")
    choice = session.state.recipe.choice_of(HEAD)
    assert choice is not None and (choice.code, choice.source) == (2, "2")
    assert prompt_text(session) == "a photo of a <head:Blue Jay> bird"
    assert not session.state.hint and opened.settings.values.hint_seen
    session.toggle(HEAD, 2, "2")
    assert session.state.recipe.choices == ()


def test_an_absent_part_cannot_be_taken(session: Session) -> None:
    session.choose(HEAD, -1, "2")
    assert session.state.recipe.choices == () and not session.state.can_undo


def test_every_change_of_the_recipe_can_be_undone(session: Session) -> None:
    recipes = [session.state.recipe]
    for change in (
        lambda: session.choose(HEAD, 1, "1"),
        lambda: session.choose(WING, 4, "4"),
        lambda: session.set_strength(HEAD, 1.5),
        lambda: session.set_setting("steps", 12),
        lambda: session.set_setting("negative", "blurred"),
        lambda: session.set_prompt_text("an oil painting of a <tail:3> bird"),
        session.random_mix,
        lambda: session.remove(HEAD),
    ):
        change()
        recipes.append(session.state.recipe)
    assert len(set(map(Recipe.to_json, recipes))) == len(recipes)
    for before in reversed(recipes[:-1]):
        session.undo()
        assert session.state.recipe == before
    assert not session.state.can_undo
    for after in recipes[1:]:
        session.redo()
        assert session.state.recipe == after
    assert not session.state.can_redo


@given(st.lists(st.sampled_from(["change", "undo", "redo"]), max_size=40))
def test_undo_walks_a_line_of_recipes(steps: list[str]) -> None:
    history = History(Recipe("p"))
    line, at = [history.now], 0
    for number, step in enumerate(steps):
        if step == "change":
            history.go_on(Recipe("p", seed=number + 1))
            line, at = [*line[: at + 1], history.now], at + 1
        elif step == "undo":
            assert history.undo() == (at > 0)
            at = max(at - 1, 0)
        else:
            assert history.redo() == (at < len(line) - 1)
            at = min(at + 1, len(line) - 1)
        assert history.now == line[at]
        assert (history.can_undo, history.can_redo) == (at > 0, at < len(line) - 1)


def test_a_drag_of_a_slider_is_one_step(session: Session) -> None:
    session.choose(HEAD, 1, "1")
    for value in (1.1, 1.2, 1.3):
        session.set_strength(HEAD, value)
    session.undo()
    choice = session.state.recipe.choice_of(HEAD)
    assert choice is not None and choice.strength == 1.0


def test_a_wrong_prompt_changes_nothing_and_is_told(session: Session) -> None:
    before = session.state.recipe
    wrong = session.set_prompt_text("a <hed:Robin> bird")
    assert wrong is not None and "head" in wrong
    assert session.state.recipe == before


def test_a_prompt_as_text_keeps_where_choices_came_from(session: Session) -> None:
    session.choose(HEAD, 2, "2")
    assert session.set_prompt_text("a drawing of a <head:Blue Jay> bird") is None
    choice = session.state.recipe.choice_of(HEAD)
    assert choice is not None and choice.source == "2"


@pytest.mark.parametrize(("name", "given", "kept"), [("steps", 0, 1), ("count", 1e9, 1024), ("guidance", -1, 0.0)])
def test_settings_stay_in_their_range(session: Session, name: str, given: float, kept: float) -> None:
    session.set_setting(name, given)
    assert getattr(session.state.recipe, name) == kept


def test_a_random_mix_fills_every_slot_from_references(session: Session, pack: Pack) -> None:
    session.random_mix()
    choices = session.state.recipe.choices
    assert {choice.part for choice in choices} == {part.index for part in pack.vocabulary.visible_parts}
    for choice in choices:
        reference = pack.reference(choice.source)
        assert reference is not None and reference.codes[choice.part] == choice.code


def test_what_cannot_be_saved_is_told_once_and_the_work_goes_on(
    qtbot: QtBot, session: Session, opened: Opened, home: Path
) -> None:
    # A folder where the file should be makes writing fail with an OSError, as a full disk does.
    qtbot.waitUntil(lambda: (home / "session.json").exists(), timeout=WAIT)
    (home / "session.json").unlink()
    (home / "session.json").mkdir()
    session.choose(HEAD, 2, "2")
    qtbot.waitUntil(lambda: said(opened, "Your work could not be saved"), timeout=WAIT)
    session.choose(WING, 2, "2")
    assert session.state.recipe.choice_of(WING) is not None


def test_settings_that_cannot_be_saved_are_told_once_and_hold_for_the_run(
    qtbot: QtBot, session: Session, opened: Opened, home: Path
) -> None:
    session.settings.flush()
    (home / "settings.json").unlink(missing_ok=True)
    (home / "settings.json").mkdir()
    session.settings.set(theme="dark")
    qtbot.waitUntil(lambda: said(opened, "The settings could not be saved"), timeout=WAIT)
    session.settings.set(theme="light")
    session.settings.flush()
    qtbot.wait(20)
    assert sum("The settings" in message.text for message in opened.messages) == 1
    assert session.settings.values.theme == "light"


def test_the_recipe_of_a_creation_can_be_used_again(qtbot: QtBot, session: Session) -> None:
    session.choose(HEAD, 2, "2")
    rendered(qtbot, session)
    creation = session.state.creations[0]
    session.remove(HEAD)
    session.use_recipe(creation)
    assert session.state.recipe == creation.recipe and session.state.seed_locked
    session.undo()
    assert session.state.recipe.choices == ()


def test_a_recipe_of_a_pack_that_is_not_here_is_told(qtbot: QtBot, session: Session, opened: Opened) -> None:
    rendered(qtbot, session)
    before = session.state.recipe
    stranger = session.state.creations[0]
    session.use_recipe(replace(stranger, recipe=replace(stranger.recipe, pack="dogs")))
    assert said(opened, "“dogs”") and session.state.recipe == before


def test_work_is_there_after_a_kill(
    qtbot: QtBot, opened: Opened, open_session: Callable[[], Opened], home: Path
) -> None:
    session = opened.session
    session.choose(HEAD, 2, "2")
    session.choose(WING, 5, "5")
    session.set_setting("steps", 1)
    rendered(qtbot, session)
    session.open_reference("4")
    recipe = session.state.recipe

    def kept() -> bool:
        path = home / "session.json"
        return path.exists() and json.loads(path.read_text("utf-8"))["reference"] == "4"

    qtbot.waitUntil(kept, timeout=WAIT)
    # No shutdown: a kill gives no notice.
    again = open_session().session
    assert again.state.recipe == recipe
    assert again.state.reference is not None and again.state.reference.id == "4"
    qtbot.waitUntil(lambda: again.state.creations == session.state.creations, timeout=WAIT)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    document=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["pack", "recipes", "own", "reference", "seed_locked", "fake-birds"]), inner
            )
        ),
        max_leaves=12,
    )
)
def test_any_saved_file_can_be_started_from(document: Any, qtbot: QtBot, pack: Pack, home: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "session.json").write_text(json.dumps(document), "utf-8")
    opened = Opened(home)
    opened.session.begin()
    qtbot.waitUntil(lambda: opened.session.state.pack is not None, timeout=WAIT)
    opened.close()


ABSURD = (10**400, -(10**400), 1e308, -1e308, float("nan"), float("inf"), -1, 2**63, "9" * 400, None, True, [], {})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(values=st.lists(st.sampled_from(ABSURD), min_size=24, max_size=24))
@example(values=[10**400] * 24)
@example(values=[1e308] * 24)
def test_a_session_of_absurd_numbers_can_be_started_from(
    values: list[Any], qtbot: QtBot, pack: Pack, home: Path
) -> None:
    """Also what was deleted can be listed then."""
    one = iter(values)
    adjustment = {"part": next(one), "nth": next(one), "move": [next(one), next(one)], "scale": next(one)}
    recipe = {
        "pack": "fake-birds",
        "seed": next(one),
        "count": next(one),
        "size": next(one),
        "guidance": next(one),
        "prompt": ["a ", {"part": 0, "code": 1, "strength": next(one)}, {"part": next(one), "code": next(one)}],
        "start": {"version": 1, "freedom": next(one), "keep": [next(one)], "only": next(one)},
        "collage": {"version": 1, "adjustments": [adjustment], "order": [[next(one), next(one)]]},
    }
    picture = home / "own.png"
    home.mkdir(exist_ok=True)
    Image.new("RGB", (8, 8)).save(picture)
    line = json.dumps(recipe)
    timings = {"engine": next(one), "loads": {"x": next(one)}, "paces": {"x": next(one)}}
    document = {
        "pack": "fake-birds",
        "recipes": {"fake-birds": line},
        "queue": [line, next(one)],
        "timings": timings,
        "closed": {str(picture): next(one)},
        "learning": {"plan": {"steps": next(one)}},
    }
    (home / "session.json").write_text(json.dumps(document), "utf-8")
    opened = Opened(home)
    opened.session.begin()
    qtbot.waitUntil(lambda: opened.session.state.creature.choices != (), timeout=WAIT)
    opened.session.deleted.read()
    qtbot.waitUntil(lambda: opened.session.state.deleted_listed, timeout=WAIT)
    for item in opened.session.state.deleted:
        assert when_text(item.when)
    opened.close()


def test_a_creation_that_is_opened_offers_its_recipe(qtbot: QtBot, session: Session, opened: Opened) -> None:
    session.choose(HEAD, 2, "2")
    rendered(qtbot, session)
    creation = session.state.creations[0]
    session.remove(HEAD)
    session.open_path(creation.path)
    qtbot.waitUntil(lambda: said(opened, "remembers its recipe"), timeout=WAIT)
    action = next(message.action for message in opened.messages if message.action)
    action.run()
    assert session.state.recipe == creation.recipe


def test_a_folder_opens_the_wizard(qtbot: QtBot, session: Session, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    session.open_path(empty)
    qtbot.waitUntil(lambda: session.state.learning.shown, timeout=WAIT)
    assert session.state.learning.draft.folder == str(empty)
    qtbot.waitUntil(lambda: "pictures" in session.state.learning.errors, timeout=WAIT)


def test_packs_are_switched_with_their_own_recipes(
    qtbot: QtBot, opened: Opened, open_session: Callable[[], Opened], home: Path
) -> None:
    fakes.make_pack(home / "packs" / "others", codes=4, id="others")
    session = open_session().session
    first = session.state.pack
    assert first is not None and len(session.state.packs) == 2
    other = next(pack for pack in session.state.packs if pack != first)
    session.choose(HEAD, 2, "2")
    session.open_pack(other.id)
    assert session.state.pack == other and session.state.recipe.choices == ()
    assert session.state.reference is not None
    session.open_pack(first.id)
    assert session.state.recipe.choice_of(HEAD) is not None
    session.undo()
    assert session.state.pack == other


def test_nothing_is_emitted_after_the_end(qtbot: QtBot, opened: Opened, script: Callable[..., None]) -> None:
    script(render={"delay": 0.01})
    opened.session.set_setting("steps", 200)
    opened.session.render()
    opened.session.shutdown()
    before = opened.session.state
    qtbot.wait(1)
    assert opened.session.state is before
