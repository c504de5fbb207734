"""The queue: order, moving, taking off, failures, what is kept from one start to the next, and how long it takes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from engine.core.recipe import Recipe
from engine.core.start import Start
from engine.core.vocabulary import Choice
from engine.packs.pack import Pack
from partcraft_desktop.app.autosave import Saved
from partcraft_desktop.app.render_queue import title_of
from partcraft_desktop.app.session import SAVED, Session
from partcraft_desktop.app.state import LoadStatus, QueuedRender, RenderStatus, State
from partcraft_desktop.app.time_left import doing_text, load_share, queue_text
from partcraft_desktop.app.timings import Timings
from tests import fakes
from tests.desktop.conftest import WAIT, Opened, idle, said

HEAD, WING = 3, 1
Script = Callable[..., None]


def queue_heads(session: Session, script: Script, heads: int, steps: int = 500) -> None:
    """A render that goes on and on, of head 0, and others that wait, of heads 1, 2, ..."""
    script(render={"delay": 0.02})
    session.set_setting("steps", steps)
    for head in range(heads):
        session.choose(HEAD, head, str(head))
        session.render()


def waiting_heads(session: Session) -> list[int]:
    """The heads that wait, in order."""
    choices = [item.recipe.choice_of(HEAD) for item in session.state.queue]
    return [choice.code for choice in choices if choice is not None]


def running_head(session: Session) -> int | None:
    """The head that is rendered."""
    render = session.state.render
    choice = render.item.recipe.choice_of(HEAD) if render is not None and render.item is not None else None
    return choice.code if choice is not None else None


def test_what_is_asked_during_a_render_follows_it_in_order(qtbot: QtBot, session: Session) -> None:
    session.set_setting("steps", 3)
    seen: list[bool] = []
    for head in (0, 1, 2):
        session.choose(HEAD, head, str(head))
        session.render()
    session.changed.connect(lambda: seen.append(session.state.render is None))
    assert len(session.state.queue) == 2
    qtbot.waitUntil(lambda: idle(session), timeout=WAIT)
    made = [creation.recipe for creation in session.state.creations]
    assert [recipe.choices[0].code for recipe in made] == [2, 1, 0]
    assert len({recipe.seed for recipe in made}) == 3
    assert seen.count(True) == 1 and seen[-1]  # nobody saw it at rest between two


def test_a_queued_render_has_the_seed_of_the_moment_it_was_asked(
    qtbot: QtBot, session: Session, script: Script
) -> None:
    queue_heads(session, script, 2)
    seed = session.state.recipe.seed
    session.set_setting("seed", 5)
    session.render()
    assert [item.recipe.seed for item in session.state.queue] == [seed, 5]


def test_waiting_renders_are_moved_and_taken_off(session: Session, script: Script) -> None:
    queue_heads(session, script, 5)
    assert waiting_heads(session) == [1, 2, 3, 4]
    ids = [item.id for item in session.state.queue]
    session.move_queued(ids[3], 0)
    assert waiting_heads(session) == [4, 1, 2, 3]
    session.move_queued(ids[3], 99)
    session.move_queued(12345, 0)
    assert waiting_heads(session) == [1, 2, 3, 4]
    session.cancel_queued(ids[1])
    session.cancel_queued(ids[1])
    assert waiting_heads(session) == [1, 3, 4] and running_head(session) == 0


def test_cancel_stops_the_running_one_only(qtbot: QtBot, session: Session, script: Script) -> None:
    queue_heads(session, script, 3)
    qtbot.waitUntil(lambda: session.state.render is not None and session.state.render.done > 0, timeout=WAIT)
    session.cancel()
    qtbot.waitUntil(lambda: running_head(session) == 1, timeout=WAIT)
    assert waiting_heads(session) == [2] and session.state.creations == ()
    running = session.state.render
    assert running is not None and running.item is not None
    session.cancel_queued(running.item.id)
    qtbot.waitUntil(lambda: running_head(session) == 2, timeout=WAIT)


def test_cancel_all_stops_and_what_waited_can_be_brought_back(
    qtbot: QtBot, session: Session, opened: Opened, script: Script
) -> None:
    queue_heads(session, script, 3)
    session.cancel_all()
    qtbot.waitUntil(lambda: idle(session), timeout=WAIT)
    assert session.state.queue == () and said(opened, "2 renders were taken off the queue.")
    action = opened.messages[-1].action
    assert action is not None
    action.run()
    assert running_head(session) == 1 and waiting_heads(session) == [2]


def test_a_failed_render_does_not_stop_the_queue_and_is_told_once(
    qtbot: QtBot, session: Session, opened: Opened, script: Script
) -> None:
    session.set_setting("steps", 4)
    script(render={"fail": ["It is broken.", "Mend it."], "at": 2, "delay": 0.01})
    for head in (0, 1, 2):
        session.choose(HEAD, head, str(head))
        session.render()
    qtbot.waitUntil(lambda: idle(session), timeout=WAIT)
    first, *others = [message for message in opened.messages if message.kind == "error"]
    assert first.text == "It is broken." and first.hint == "Mend it. The others are rendered all the same."
    assert [message.text for message in others] == ["3 renders failed. It is broken."]
    assert [item.failed for item in session.state.queue] == ["It is broken."] * 3
    script()
    failed = session.state.queue[0]
    session.retry(failed.id)
    qtbot.waitUntil(lambda: idle(session) and len(session.state.creations) == 1, timeout=WAIT)
    assert session.state.creations[0].recipe == failed.recipe
    assert failed.id not in [item.id for item in session.state.queue] and len(session.state.queue) == 2


def test_where_nothing_can_be_kept_all_wait_instead_of_failing_one_by_one(
    qtbot: QtBot, session: Session, opened: Opened, script: Script, tmp_path: Path
) -> None:
    queue_heads(session, script, 3)
    qtbot.waitUntil(lambda: session.state.render is not None and session.state.render.done > 0, timeout=WAIT)
    (tmp_path / "file").write_text("in the way")
    out = opened.settings.values.out
    opened.settings.set(out=str(tmp_path / "file" / "below"))
    session.cancel()
    qtbot.waitUntil(lambda: idle(session), timeout=WAIT)
    assert [message.hint for message in opened.messages] == ["Choose another folder in the settings."]
    assert waiting_heads(session) == [1, 2] and all(item.held for item in session.state.queue)
    opened.settings.set(out=out)
    session.go_on()
    qtbot.waitUntil(lambda: running_head(session) == 1, timeout=WAIT)


def test_a_pack_that_went_away_while_its_render_waited(
    qtbot: QtBot, home: Path, session: Session, opened: Opened, script: Script
) -> None:
    fakes.make_pack(home / "packs" / "other", id="other")
    session.list_packs()
    qtbot.waitUntil(lambda: len(session.state.packs) == 2, timeout=WAIT)
    queue_heads(session, script, 1)
    session.open_pack("other")
    session.render()
    session.remove_pack(next(pack for pack in session.state.packs if pack.id == "other"))
    qtbot.waitUntil(lambda: len(session.state.packs) == 1, timeout=WAIT)
    session.cancel()
    qtbot.waitUntil(lambda: idle(session), timeout=WAIT)
    assert session.state.queue[0].failed == "The pack “other” is not here." and said(opened, "Import it")


# From one start to the next


def test_the_queue_survives_a_restart_and_waits_for_a_word(
    qtbot: QtBot, open_session: Callable[[], Opened], script: Script
) -> None:
    first = open_session()
    queue_heads(first.session, script, 3)
    qtbot.waitUntil(lambda: first.session.state.render is not None and first.session.state.render.done > 0)
    seeds = [first.session.state.render.item.recipe.seed] if first.session.state.render.item else []  # pyright: ignore[reportOptionalMemberAccess]
    seeds += [item.recipe.seed for item in first.session.state.queue]
    first.close()
    script()
    session = open_session().session
    assert idle(session) and waiting_heads(session) == [0, 1, 2] and all(item.held for item in session.state.queue)
    assert [item.recipe.seed for item in session.state.queue] == seeds
    assert [item.title for item in session.state.queue][:2] == ["head Cardinal", "head Snowy Owl"]
    session.set_setting("steps", 1)
    session.render()  # a new one does not wait for the old ones
    qtbot.waitUntil(lambda: idle(session) and len(session.state.creations) == 1, timeout=WAIT)
    assert len(session.state.queue) == 3
    session.go_on()
    session.cancel()
    qtbot.waitUntil(lambda: running_head(session) == 1, timeout=WAIT)


def test_of_a_render_under_way_only_what_is_not_whole_waits_again(
    qtbot: QtBot, open_session: Callable[[], Opened], script: Script
) -> None:
    first = open_session()
    script(render={"delay": 0.02})
    first.session.set_setting("steps", 20)
    first.session.set_setting("count", 4)
    first.session.render()
    qtbot.waitUntil(lambda: len(first.session.state.creations) == 2, timeout=WAIT)
    first.close()
    whole = {creation.recipe.seed for creation in first.session.state.creations}
    script()
    session = open_session().session
    (item,) = session.state.queue
    assert item.recipe.count == 2 and not whole & {item.recipe.seed, item.recipe.seed + 1}
    session.go_on()
    qtbot.waitUntil(lambda: idle(session) and len(session.state.creations) == 4, timeout=WAIT)
    seeds = sorted(creation.recipe.seed for creation in session.state.creations)
    assert seeds == list(range(seeds[0], seeds[0] + 4))


def test_clear_takes_off_what_waited_and_it_can_be_brought_back(
    qtbot: QtBot, open_session: Callable[[], Opened], script: Script
) -> None:
    first = open_session()
    queue_heads(first.session, script, 2)
    first.close()
    opened = open_session()
    opened.session.clear_held()
    assert opened.session.state.queue == ()
    action = opened.messages[-1].action
    assert action is not None
    action.run()
    assert waiting_heads(opened.session) == [0, 1] and idle(opened.session)


def test_what_was_kept_for_packs_that_are_gone_is_dropped_with_a_sentence(
    home: Path, pack: Pack, open_session: Callable[[], Opened]
) -> None:
    kept = [Recipe("lost", ("a bird",)), Recipe(pack.id, ("a bird",)), Recipe("lost", ("a wren",))]
    home.mkdir(exist_ok=True)
    document = Saved(queue=tuple(kept)).to_document()
    (home / SAVED).write_text(json.dumps(document), "utf-8")
    opened = open_session()
    assert [item.pack for item in opened.session.state.queue] == [pack.id]
    texts = [message.text for message in opened.messages]
    assert texts == ["2 renders that waited were taken off the queue: the pack “lost” is not here."]


@pytest.mark.parametrize("queue", [None, "x", [1, None, "{}", '{"pack": 3}'], {"a": 1}, [["x"]]])
def test_a_damaged_queue_is_no_queue(queue: Any) -> None:
    saved = Saved.from_document({"queue": queue, "timings": queue})
    assert saved.queue == () and saved.timings == Timings()


def test_timings_are_read_back_and_wrong_ones_left_out(pack: Pack) -> None:
    timings = Timings(2.5).with_load(pack, 6.0).with_pace(Recipe(pack.id, steps=10, count=2), pack, 4.0)
    assert Timings.from_document(json.loads(json.dumps(timings.to_document()))) == timings
    assert timings.seconds_of(Recipe(pack.id, steps=5), pack) == pytest.approx(1.0)
    assert timings.seconds_of(Recipe(pack.id, steps=5, size=512), pack) == 0
    started = Recipe(pack.id, steps=20, start=Start(0.4))
    assert timings.seconds_of(started, pack) == 0
    timings = timings.with_pace(started, pack, 4.0)  # 8 of the 20 steps are taken
    assert timings.seconds_of(replace(started, start=Start(0.8)), pack) == pytest.approx(8.0)
    kept = replace(started, start=Start(0.0))
    assert timings.with_pace(kept, pack, 3.0) == timings, "a picture that is kept takes no steps"
    assert timings.seconds_of(Recipe(pack.id, steps=5), pack) == pytest.approx(1.0)
    wrong = {"engine": "x", "loads": {"a": -1, "b": None, "c": 1e99, "d": 2}, "paces": [1]}
    assert Timings.from_document(wrong) == Timings(0.0, {"d": 2.0})


# In words


def test_a_render_in_a_few_words(pack: Pack) -> None:
    recipe = Recipe(pack.id, ("a photo of a ", Choice(HEAD, 0), " ", Choice(WING, 2), " bird"))
    assert title_of(recipe, pack) == "head Cardinal, wing Blue Jay"
    assert title_of(replace(recipe, count=3), pack) == "head Cardinal, wing Blue Jay × 3"
    assert title_of(Recipe(pack.id, ("a  photo\nof a bird ",)), pack) == "a photo of a bird"
    assert title_of(Recipe(pack.id), pack) == "bird"
    assert title_of(Recipe(pack.id, (Choice(99, 1), Choice(HEAD, 999))), pack) == "head 999"


def test_how_long_the_queue_takes_is_told_only_where_all_of_it_was_measured(pack: Pack) -> None:
    recipe = Recipe(pack.id, ("a bird",), steps=10)
    item = QueuedRender(1, recipe, pack.id, "a bird")
    render = RenderStatus(1, "Rendering", 5, 10, started=98.0, item=item)
    state = State(packs=(pack,), render=render, queue=(item, replace(item, held=True), replace(item, failed="No.")))
    assert queue_text(state, 100.0) == "2 pictures, about 6 s"  # 2 s left, and 4 s as the running one goes
    state = replace(state, timings=Timings().with_pace(recipe, pack, 5.0))
    assert queue_text(state, 100.0) == "2 pictures, about 7 s"
    told = replace(state, timings=Timings(), render=replace(render, updated=99.5))
    assert queue_text(told, 100.0) == "2 pictures, about 4 s"  # 1 s left, and 3 s as the running one goes
    at_first = replace(state, timings=Timings(), render=replace(render, first=5, updated=98.0))
    assert queue_text(at_first, 98.0) == "2 pictures" and doing_text(at_first, 98.0) == "Rendering"
    larger = replace(item, recipe=replace(recipe, size=512))
    assert queue_text(replace(state, queue=(item, larger)), 100.0) == "3 pictures"
    waits = RenderStatus(1, started=98.0, item=item)
    loading = replace(state, render=waits, load=LoadStatus(99.0, 6.0))
    assert queue_text(loading, 100.0) == "2 pictures, about 15 s"
    assert queue_text(replace(loading, load=LoadStatus(99.0)), 100.0) == "2 pictures"
    assert queue_text(loading, 106.0) == "2 pictures"  # it takes longer than last time


def test_a_load_is_told_with_the_time_it_took_last(pack: Pack) -> None:
    state = State(render=RenderStatus(1, started=98.0), load=LoadStatus(100.0, 6.0))
    assert doing_text(state, 100.0) == "Loading the model, about 6 s"
    assert doing_text(state, 104.2) == "Loading the model, about 2 s"
    assert doing_text(state, 107.0) == "Loading the model…"  # slower than last time: no number is made up
    assert doing_text(replace(state, load=LoadStatus(100.0)), 100.0) == "Loading the model…"
    assert load_share(LoadStatus(100.0, 6.0), 103.0) == 0.5
    assert load_share(LoadStatus(100.0, 6.0), 107.0) is load_share(LoadStatus(100.0), 100.0) is None
    steps = replace(state, render=RenderStatus(1, "Rendering", 5, 10, started=98.0))
    assert doing_text(steps, 100.0) == "Rendering, 2 s left"


def test_loads_and_paces_are_measured_and_kept(
    qtbot: QtBot, open_session: Callable[[], Opened], script: Script, pack: Pack
) -> None:
    script(prepare={"delay": 0.3}, render={"delay": 0.01})
    first = open_session()
    first.session.set_setting("steps", 5)
    first.session.render()
    began = time.monotonic()
    qtbot.waitUntil(lambda: first.session.state.load is not None, timeout=WAIT)
    assert doing_text(first.session.state, time.monotonic()) == "Loading the model…"
    qtbot.waitUntil(lambda: idle(first.session) and len(first.session.state.creations) == 1, timeout=WAIT)
    timings = first.session.state.timings
    assert 0.2 < timings.load_of(pack) < time.monotonic() - began and first.session.state.load is None
    assert timings.engine > 0 and timings.seconds_of(replace(first.session.state.recipe, start=None), pack) > 0.04
    first.close()
    session = open_session().session
    assert session.state.timings == timings
    session.start_engine()
    assert session.state.load is not None
    assert session.state.load.expected == pytest.approx(timings.engine + timings.load_of(pack))
