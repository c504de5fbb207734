"""Session: verbs, the circle, undo, keeping work."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pytestqt.qtbot import QtBot

from engine.core.png_metadata import read_creation
from engine.core.recipe import Recipe
from engine.packs.library import PackLibrary
from engine.packs.pack import Pack
from engine.worker.engine import Engine
from partcraft_desktop.app.history import History
from partcraft_desktop.app.messages import Message
from partcraft_desktop.app.session import Session
from tests import fakes
from tests.desktop.conftest import WAIT, Opened, prompt_text

HEAD, WING = 3, 1


def idle(session: Session) -> bool:
    return session.state.render is None


def rendered(qtbot: QtBot, session: Session, count: int = 1) -> None:
    """Render and wait until it is over."""
    before = len(session.state.creations)
    session.render()
    qtbot.waitUntil(lambda: idle(session) and len(session.state.creations) == before + count, timeout=WAIT)


def said(opened: Opened, text: str) -> bool:
    return any(text in f"{message.text} {message.hint}" for message in opened.messages)


def test_the_first_reference_opens_with_its_parts_without_the_engine(qtbot: QtBot, session: Session) -> None:
    qtbot.waitUntil(lambda: session.state.reference is not None and not session.state.reference.busy, timeout=WAIT)
    reference = session.state.reference
    assert reference is not None and reference.segmentation is not None
    assert reference.segmentation.part_at(98, 37) == HEAD
    assert session.state.engine == "off"
    assert session.state.hint


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


@pytest.mark.parametrize(("name", "given", "kept"), [("steps", 0, 1), ("count", 1e9, 64), ("guidance", -1, 0.0)])
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


def test_a_render_ends_in_the_gallery_with_its_recipe_on_disk(qtbot: QtBot, session: Session, opened: Opened) -> None:
    session.choose(HEAD, 2, "2")
    session.set_setting("count", 2)
    previews: list[int] = []
    session.preview.connect(lambda index, _: previews.append(index))
    rendered(qtbot, session, 2)
    newest, oldest = session.state.creations
    assert newest.recipe.seed == oldest.recipe.seed + 1
    assert Path(newest.path).parent == opened.settings.out
    kept = read_creation(newest.path)
    assert kept.recipe.choice_of(HEAD) == session.state.recipe.choice_of(HEAD)
    assert kept.receipt and previews


def test_the_seed_changes_unless_it_is_locked(qtbot: QtBot, session: Session) -> None:
    session.set_setting("steps", 1)
    session.lock_seed(False)
    rendered(qtbot, session)
    first = session.state.recipe.seed
    session.lock_seed(True)
    rendered(qtbot, session)
    assert session.state.creations[0].recipe.seed == first
    session.lock_seed(False)
    rendered(qtbot, session)
    assert session.state.creations[0].recipe.seed == session.state.recipe.seed != first


def test_a_cancelled_render_leaves_no_trace(qtbot: QtBot, session: Session, script: Callable[..., None]) -> None:
    script(render={"delay": 0.02})
    session.set_setting("steps", 500)
    session.render()
    qtbot.waitUntil(lambda: session.state.render is not None and session.state.render.done > 1, timeout=WAIT)
    session.cancel()
    qtbot.waitUntil(lambda: idle(session), timeout=WAIT)
    assert session.state.creations == ()


def test_a_failed_render_is_one_sentence_and_the_next_works(
    qtbot: QtBot, session: Session, opened: Opened, script: Callable[..., None]
) -> None:
    script(render={"fail": ["The pack needs a base model that is not here.", "Download it."]})
    session.render()
    qtbot.waitUntil(lambda: said(opened, "Download it."), timeout=WAIT)
    assert idle(session)
    script()
    rendered(qtbot, session)


def test_a_folder_that_cannot_be_made_is_told_and_nothing_runs(
    qtbot: QtBot, session: Session, opened: Opened, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    opened.settings.set(out=str(tmp_path / "file" / "below"))
    session.render()
    qtbot.waitUntil(lambda: said(opened, "Choose another folder"), timeout=WAIT)
    assert idle(session) and session.state.engine == "off"


def test_a_killed_engine_is_one_sentence_and_the_next_render_works(
    qtbot: QtBot, opened: Opened, home: Path, script: Callable[..., None]
) -> None:
    session = Session(
        PackLibrary(bundled=home / "no starter"),
        opened.settings,
        opened.readers,
        lambda outlet: Engine(outlet, host="process", handlers="tests.fakes:HANDLERS"),
    )
    heard: list[Message] = []
    session.message.connect(heard.append)
    session.begin()
    qtbot.waitUntil(lambda: session.state.pack is not None, timeout=WAIT)
    script(render={"crash": True, "at": 3})
    session.set_setting("steps", 5)
    session.render()
    qtbot.waitUntil(lambda: bool(heard), timeout=6 * WAIT)
    assert idle(session) and heard[0].kind == "error" and "Traceback" not in heard[0].text
    script()
    session.render()
    qtbot.waitUntil(lambda: idle(session) and len(session.state.creations) == 1, timeout=6 * WAIT)
    session.shutdown()


def test_another_folder_shows_its_own_creations(qtbot: QtBot, session: Session, opened: Opened, tmp_path: Path) -> None:
    session.set_setting("steps", 1)
    rendered(qtbot, session)
    first = session.state.creations
    opened.settings.set(out=str(tmp_path / "elsewhere"))
    assert session.state.creations == ()
    rendered(qtbot, session)
    assert Path(session.state.creations[0].path).parent == tmp_path / "elsewhere"
    opened.settings.set(out="")
    qtbot.waitUntil(lambda: session.state.creations == first, timeout=WAIT)


def test_what_cannot_be_saved_is_told_once_and_the_work_goes_on(
    qtbot: QtBot, session: Session, opened: Opened, home: Path
) -> None:
    # A folder where the file should be makes writing fail with an OSError, as a full disk does.
    qtbot.waitUntil(lambda: (home / "session.json").exists(), timeout=WAIT)
    (home / "session.json").unlink()
    (home / "session.json").mkdir()
    session.choose(HEAD, 2, "2")
    qtbot.waitUntil(lambda: said(opened, "cannot be saved"), timeout=WAIT)
    session.choose(WING, 2, "2")
    assert session.state.recipe.choice_of(WING) is not None


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


def test_deleted_creations_come_back(qtbot: QtBot, session: Session, opened: Opened) -> None:
    session.set_setting("count", 3)
    rendered(qtbot, session, 3)
    creations = session.state.creations
    session.delete_creations(creations[:2])
    qtbot.waitUntil(lambda: said(opened, "2 creations deleted"), timeout=WAIT)
    assert session.state.creations == creations[2:]
    assert not Path(creations[0].path).exists()
    session.restore_deleted()
    qtbot.waitUntil(lambda: session.state.creations == creations, timeout=WAIT)
    assert all(Path(creation.path).is_file() for creation in creations)


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


def test_a_dropped_picture_is_segmented_and_stays_on_the_wall(
    qtbot: QtBot, session: Session, tmp_path: Path, script: Callable[..., None]
) -> None:
    script(segment={"note": "These eyes know drawings only."})
    path = tmp_path / "my bird.png"
    fakes.sketch_bird(3, 96)[0].save(path)
    session.open_path(path)
    qtbot.waitUntil(lambda: bool(session.state.own and session.state.own[0].segmentation), timeout=WAIT)
    reference = session.state.reference
    assert reference is not None and reference.image == str(path) and reference.title == "my bird"
    assert reference.note == "These eyes know drawings only."
    assert reference.segmentation is not None and reference.segmentation.labels.shape == (96, 96)
    session.open_reference("1")
    session.open_image(path)
    qtbot.waitUntil(lambda: session.state.reference == reference, timeout=WAIT)


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "missing"])
def test_a_bad_picture_is_one_sentence_and_loses_nothing(
    qtbot: QtBot, session: Session, opened: Opened, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "bad.png"
    whole = tmp_path / "whole.png"
    fakes.sketch_bird(1, 64)[0].save(whole)
    if kind != "missing":
        path.write_bytes({"empty": b"", "text": b"hello", "truncated": whole.read_bytes()[:200]}[kind])
    before = session.state.reference
    assert before is not None
    session.open_path(path)
    qtbot.waitUntil(lambda: said(opened, "bad.png"), timeout=WAIT)
    assert session.state.reference is not None and session.state.reference.id == before.id
    assert session.state.own == ()


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
    qtbot.waitUntil(lambda: "pictures" in session.state.learning.troubles, timeout=WAIT)


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


def test_two_sessions_on_one_folder_lose_nothing(
    qtbot: QtBot, opened: Opened, open_session: Callable[[], Opened]
) -> None:
    other = open_session()
    for each in (opened, other):
        each.session.set_setting("steps", 1)
        rendered(qtbot, each.session)
    paths = {each.session.state.creations[0].path for each in (opened, other)}
    assert len(paths) == 2 and all(Path(path).is_file() for path in paths)


def test_a_picture_of_any_shape_opens(qtbot: QtBot, session: Session, tmp_path: Path) -> None:
    path = tmp_path / "wide.jpg"
    Image.new("CMYK", (300, 20), (0, 80, 80, 0)).save(path)
    session.open_path(path)
    qtbot.waitUntil(lambda: bool(session.state.own and session.state.own[0].segmentation), timeout=WAIT)


def test_a_pack_is_imported_removed_and_comes_back(
    qtbot: QtBot, session: Session, opened: Opened, tmp_path: Path
) -> None:
    other = fakes.make_pack(tmp_path / "made" / "others", codes=4, id="others")
    file = PackLibrary().export_pack(other, tmp_path / "others.partpack")
    session.open_path(file)
    qtbot.waitUntil(lambda: session.state.pack is not None and session.state.pack.id == "others", timeout=WAIT)
    imported = session.state.pack
    assert imported is not None and session.is_own_pack(imported)
    session.remove_pack(imported)
    qtbot.waitUntil(lambda: len(session.state.packs) == 1, timeout=WAIT)
    assert session.state.pack is not None and session.state.pack.id == "fake-birds"
    qtbot.waitUntil(lambda: said(opened, "was removed"), timeout=WAIT)
    action = opened.messages[-1].action
    assert action is not None
    action.run()
    qtbot.waitUntil(lambda: len(session.state.packs) == 2, timeout=WAIT)


@pytest.mark.parametrize("content", [b"", b"PK nothing", b"hello"])
def test_a_bad_partpack_is_one_sentence(
    qtbot: QtBot, session: Session, opened: Opened, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "bad.partpack"
    path.write_bytes(content)
    session.open_path(path)
    qtbot.waitUntil(lambda: said(opened, "bad.partpack"), timeout=WAIT)
    assert len(session.state.packs) == 1


def test_a_damaged_pack_is_told_and_the_others_work(qtbot: QtBot, home: Path, pack: Pack) -> None:
    (home / "packs" / "broken").mkdir()
    (home / "packs" / "broken" / "pack.json").write_text("{")
    again = Opened(home)
    again.session.begin()
    qtbot.waitUntil(lambda: again.session.state.pack is not None and said(again, "damaged"), timeout=WAIT)
    again.close()


def test_what_was_found_for_another_pack_is_not_shown(
    qtbot: QtBot,
    opened: Opened,
    open_session: Callable[[], Opened],
    home: Path,
    tmp_path: Path,
    script: Callable[..., None],
) -> None:
    fakes.make_pack(home / "packs" / "others", codes=4, id="others")
    session = open_session().session
    script(segment={"delay": 0.3})
    path = tmp_path / "mine.png"
    fakes.sketch_bird(3, 96)[0].save(path)
    session.open_image(path)
    qtbot.waitUntil(lambda: bool(session.state.own), timeout=WAIT)
    session.open_pack("others" if session.state.pack and session.state.pack.id != "others" else "fake-birds")
    pack = session.state.pack
    qtbot.waitUntil(lambda: bool(session.state.own[0].segmentation), timeout=WAIT)
    segmentation = session.state.own[0].segmentation
    assert pack is not None and segmentation is not None
    assert max(segmentation.codes) < pack.vocabulary.codes_per_part
    assert session.state.reference is not None and session.state.reference.id == str(path)


def test_a_removed_pack_is_not_reached_by_undo(
    qtbot: QtBot, opened: Opened, open_session: Callable[[], Opened], home: Path
) -> None:
    fakes.make_pack(home / "packs" / "others", codes=4, id="others")
    session = open_session().session
    session.open_pack("others")
    session.choose(HEAD, 1, "1")
    others = session.state.pack
    session.open_pack("fake-birds")
    assert others is not None
    session.remove_pack(others)
    qtbot.waitUntil(lambda: len(session.state.packs) == 1, timeout=WAIT)
    while session.state.can_undo:
        session.undo()
        assert session.state.recipe.pack == "fake-birds"
