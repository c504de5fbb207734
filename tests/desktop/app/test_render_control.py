"""Rendering: one at a time, cancelled, failed, with an engine that was killed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pytestqt.qtbot import QtBot

from engine.core.png_metadata import read_creation
from engine.packs.library import PackLibrary
from engine.worker.engine import Engine
from partcraft_desktop.app.messages import Message
from partcraft_desktop.app.session import Session
from tests.desktop.conftest import WAIT, Opened, idle, rendered, said

HEAD, WING = 3, 1


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


def test_a_second_press_and_a_cancel_before_the_engine_has_it(
    qtbot: QtBot, session: Session, opened: Opened, script: Callable[..., None]
) -> None:
    session.set_setting("steps", 1)
    session.render()
    session.render()  # the folder is still looked at: it waits its turn
    assert len(session.state.queue) == 1
    qtbot.waitUntil(lambda: idle(session) and len(session.state.creations) == 2, timeout=WAIT)
    script(render={"delay": 0.02})
    session.set_setting("steps", 500)
    session.render()
    session.cancel()
    qtbot.waitUntil(lambda: idle(session), timeout=WAIT)
    assert len(session.state.creations) == 2 and not opened.messages


def test_what_is_changed_after_the_press_is_for_the_next_render(qtbot: QtBot, session: Session) -> None:
    session.set_setting("steps", 1)
    session.choose(HEAD, 2, "2")
    session.render()
    session.choose(HEAD, 4, "4")
    qtbot.waitUntil(lambda: idle(session) and len(session.state.creations) == 1, timeout=WAIT)
    choice, now = session.state.creations[0].recipe.choice_of(HEAD), session.state.recipe.choice_of(HEAD)
    assert choice is not None and choice.code == 2 and now is not None and now.code == 4
