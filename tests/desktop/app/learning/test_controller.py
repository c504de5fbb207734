"""The verbs of learning, with the fake engine and trainings whose progress the test decides."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from engine.core.errors import UserError
from engine.packs.pack import Pack
from engine.runs.plan import suitable_settings
from partcraft_desktop.app.learning.controller import LearningController
from partcraft_desktop.app.session import Session
from tests import fakes
from tests.desktop.conftest import WAIT, Opened


@pytest.fixture
def learning(session: Session) -> LearningController:
    return session.learning


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fakes.make_folder(tmp_path / "pictures" / "garden birds")


def names(learning: LearningController) -> list[str]:
    return [part.name for part in learning.now.draft.sorting.parts]


def to_parts(qtbot: QtBot, learning: LearningController, folder: Path) -> None:
    learning.open_folder(folder)
    qtbot.waitUntil(lambda: learning.now.reached("parts"), timeout=WAIT)
    learning.next()
    qtbot.waitUntil(lambda: learning.now.sorted, timeout=WAIT)


def to_plan(qtbot: QtBot, learning: LearningController, folder: Path) -> None:
    to_parts(qtbot, learning, folder)
    learning.next()
    qtbot.waitUntil(lambda: learning.now.measured is not None, timeout=WAIT)


def to_learning(qtbot: QtBot, learning: LearningController, folder: Path) -> str:
    to_plan(qtbot, learning, folder)
    learning.next()
    qtbot.waitUntil(lambda: learning.now.run is not None, timeout=WAIT)
    assert learning.now.draft.page == "learning"
    return learning.now.draft.run


def test_a_folder_is_surveyed(
    qtbot: QtBot, learning: LearningController, folder: Path, script: Callable[..., None]
) -> None:
    script(survey={"problems": [["Cardinal/0-0.png", "unreadable", "It cannot be read as a picture."]]})
    learning.open_folder(folder)
    qtbot.waitUntil(lambda: learning.now.surveyed is not None, timeout=WAIT)
    surveyed = learning.now.surveyed
    assert surveyed is not None
    assert (len(surveyed.pictures), len(surveyed.problems)) == (7, 1)
    assert dict(surveyed.kinds) == {"Cardinal": 3, "Ёжик": 4} and learning.now.codes == 2


def test_the_session_holds_the_only_state(session: Session, learning: LearningController, folder: Path) -> None:
    states: list[bool] = []
    session.changed.connect(lambda: states.append(learning.now is session.state.learning))
    learning.open_folder(folder)
    learning.set_plan(title="Garden")
    assert states and all(states) and session.state.learning.draft.plan.title == "Garden"


def test_parts_are_found_named_merged_dropped_and_brought_back(
    qtbot: QtBot, learning: LearningController, folder: Path
) -> None:
    to_parts(qtbot, learning, folder)
    assert names(learning) == list(fakes.PARTS)
    assert learning.parts.rename(3, "  Kopf ") is None
    assert learning.parts.rename(1, "kopf") and learning.parts.rename(1, " ") and learning.parts.rename(1, "a:b")
    learning.parts.merge(1, 2)
    assert names(learning) == ["body", "wing", "Kopf", "legs"]
    qtbot.waitUntil(
        lambda: learning.now.parts_found is not None and len(learning.now.parts_found.members) == 4, timeout=WAIT
    )
    learning.parts.drop(3)
    assert learning.now.draft.sorting.dropped == (4,)
    for _ in range(3):
        learning.parts.undo()
    qtbot.waitUntil(lambda: learning.now.sorted, timeout=WAIT)
    assert names(learning) == list(fakes.PARTS) and not learning.now.can_undo
    for _ in range(3):
        learning.parts.redo()
    qtbot.waitUntil(lambda: learning.now.sorted, timeout=WAIT)
    assert names(learning) == ["body", "wing", "Kopf", "legs"] and learning.now.draft.sorting.dropped == (4,)


def test_the_old_wall_stays_until_the_new_one_is_there(
    qtbot: QtBot, learning: LearningController, folder: Path
) -> None:
    to_parts(qtbot, learning, folder)
    before = learning.now.wall
    learning.parts.set_clusters(7)
    learning.parts.set_clusters(8)
    assert learning.now.wall is before and not learning.now.sorted
    qtbot.waitUntil(lambda: learning.now.sorted, timeout=WAIT)
    assert len(names(learning)) == 8 and learning.now.wall is not before
    # A dragged slider is one step back, and what was found before is there at once.
    learning.parts.undo()
    assert learning.now.sorted and names(learning) == list(fakes.PARTS)


def test_another_number_wished_during_the_first_search_is_kept(
    qtbot: QtBot, learning: LearningController, folder: Path, script: Callable[..., None]
) -> None:
    script(findparts={"delay": 0.1})
    learning.open_folder(folder)
    qtbot.waitUntil(lambda: learning.now.reached("parts"), timeout=WAIT)
    learning.next()
    # The wish is repeated, as by a slider that is dragged, until the first search is over: its result lands before the
    # slider rests.
    wished = 0
    for wished in itertools.cycle((3, 4)):
        learning.parts.set_clusters(wished)
        qtbot.wait(10)
        if "parts" not in learning.now.jobs:
            break
    assert learning.now.draft.sorting.clusters == wished and not learning.now.sorted
    qtbot.waitUntil(lambda: learning.now.sorted, timeout=WAIT)
    assert len(names(learning)) == wished and learning.now.draft.sorting.clusters == wished


def test_a_merge_during_the_search_for_another_merge_is_kept(
    qtbot: QtBot, learning: LearningController, folder: Path, script: Callable[..., None]
) -> None:
    to_parts(qtbot, learning, folder)
    script(findparts={"delay": 0.1})
    learning.parts.merge(0, 1)
    qtbot.waitUntil(lambda: "parts" in learning.now.jobs, timeout=WAIT)
    nearly = learning.now.jobs["parts"]
    while nearly.done < 6 and "parts" in learning.now.jobs:
        nearly = learning.now.jobs["parts"]
        qtbot.wait(10)
    learning.parts.merge(2, 3)
    qtbot.waitUntil(
        lambda: learning.now.parts_found is not None and len(learning.now.parts_found.members) == 3, timeout=WAIT
    )
    assert learning.now.draft.sorting.merged == ((0, 1), (3, 4))


def test_a_pack_that_is_chosen_again_is_searched_again(
    qtbot: QtBot, learning: LearningController, folder: Path, pack: Pack
) -> None:
    learning.open_folder(folder)
    learning.extend(str(pack.path))
    qtbot.waitUntil(lambda: learning.now.reached("parts"), timeout=WAIT)
    learning.next()
    qtbot.waitUntil(lambda: learning.now.sorted, timeout=WAIT)
    learning.back()
    learning.extend("")
    learning.extend(str(pack.path))
    learning.next()
    qtbot.waitUntil(lambda: learning.now.sorted, timeout=WAIT)


def test_two_colours_change_places(qtbot: QtBot, learning: LearningController, folder: Path) -> None:
    to_parts(qtbot, learning, folder)
    first, second = (part.colour for part in learning.now.draft.sorting.parts[:2])
    learning.parts.recolour(0, second)
    assert [part.colour for part in learning.now.draft.sorting.parts[:2]] == [second, first]


def test_a_plan_is_measured_once_and_again_when_its_cost_changes(
    qtbot: QtBot, learning: LearningController, folder: Path, script: Callable[..., None]
) -> None:
    to_plan(qtbot, learning, folder)
    measured = learning.now.measured
    learning.set_plan(title="Garden", noun="bird", steps=50)
    assert learning.now.measured is measured
    learning.set_plan(batch=8)
    assert learning.now.measured is measured, "what another batch takes is predicted"
    script(measure={"seconds": 2.0})
    learning.set_plan(rank=8)
    assert learning.now.measured is None
    qtbot.waitUntil(lambda: learning.now.measured is not None, timeout=WAIT)
    assert learning.now.measured is not None and learning.now.measured.seconds == 2.0


def test_a_training_is_planned_and_started(
    qtbot: QtBot, learning: LearningController, folder: Path, home: Path, opened: Opened
) -> None:
    to_plan(qtbot, learning, folder)
    learning.set_plan(title="Garden birds", noun="bird", preset="quick", batch=2, seed=7)
    learning.next()
    qtbot.waitUntil(lambda: learning.now.run is not None, timeout=WAIT)
    run = learning.now.run
    assert run is not None and run.folder == str(home / "runs" / "garden-birds") and run.title == "Garden birds"
    plan = json.loads((Path(run.folder) / "plan.json").read_text("utf-8"))
    assert (
        plan["pictures"] == str(folder)
        and plan["steps"] == suitable_settings("starter/base")["steps"] // 4
        and plan["batch"] == 2
        and plan["seed"] == 7
    )
    assert (
        plan["out"] == str(home / "packs" / "garden-birds")
        and plan["rank"] == suitable_settings("starter/base")["rank"]
    )
    assert Pack.open(plan["pack"]).vocabulary.noun == "bird"
    assert opened.runs.asked == [("start", run.folder)]


def test_a_second_training_is_refused_where_one_looks(qtbot: QtBot, learning: LearningController, folder: Path) -> None:
    first = to_learning(qtbot, learning, folder)
    learning.start_over()
    to_plan(qtbot, learning, folder)
    learning.next()
    trouble = learning.now.errors["plan"]
    assert "Garden birds" in trouble.message and trouble.run is not None
    trouble.run()
    assert learning.now.draft.run == first and learning.now.draft.page == "learning"


def test_what_the_runs_refuse_is_said_on_the_plan_and_nothing_is_left_behind(
    qtbot: QtBot, learning: LearningController, folder: Path, home: Path, opened: Opened
) -> None:
    to_plan(qtbot, learning, folder)
    opened.runs.refuse = UserError("Another training is alive.", "Wait for it.")
    learning.next()
    qtbot.waitUntil(lambda: "plan" in learning.now.errors, timeout=WAIT)
    assert learning.now.errors["plan"].hint == "Wait for it." and not learning.now.jobs
    assert learning.now.draft.page == "plan" and not list((home / "runs").glob("*"))


@pytest.mark.parametrize("job, page", [("survey", "pictures"), ("findparts", "parts"), ("measure", "plan")])
def test_every_failure_is_said_on_its_page_and_can_be_tried_again(
    qtbot: QtBot, learning: LearningController, folder: Path, script: Callable[..., None], job: str, page: str
) -> None:
    script(**{job: {"fail": ["It cannot be done.", "Do something else."]}})
    learning.open_folder(folder)
    for _ in range(3):
        qtbot.waitUntil(lambda: not learning.now.jobs, timeout=WAIT)
        if learning.now.errors:
            break
        learning.next()
    qtbot.waitUntil(lambda: page in learning.now.errors, timeout=WAIT)
    trouble = learning.now.errors[page]
    assert (trouble.message, trouble.hint) == ("It cannot be done.", "Do something else.")
    script()
    learning.dismiss(page)
    assert page not in learning.now.errors
    done = {"pictures": "surveyed", "parts": "parts_found", "plan": "measured"}[page]
    qtbot.waitUntil(lambda: getattr(learning.now, done) is not None, timeout=WAIT)


def test_a_folder_that_goes_between_pages_is_told(qtbot: QtBot, learning: LearningController, folder: Path) -> None:
    learning.open_folder(folder)
    qtbot.waitUntil(lambda: learning.now.reached("parts"), timeout=WAIT)
    folder.rename(folder.with_name("elsewhere"))
    learning.next()
    qtbot.waitUntil(lambda: "parts" in learning.now.errors, timeout=WAIT)
    folder.with_name("elsewhere").rename(folder)
    learning.dismiss("parts")
    qtbot.waitUntil(lambda: learning.now.sorted, timeout=WAIT)


def test_looking_can_be_cancelled(
    qtbot: QtBot, learning: LearningController, folder: Path, script: Callable[..., None]
) -> None:
    script(findparts={"delay": 0.2})
    learning.open_folder(folder)
    qtbot.waitUntil(lambda: learning.now.reached("parts"), timeout=WAIT)
    learning.next()
    assert "parts" in learning.now.jobs
    learning.cancel("parts")
    assert "parts" not in learning.now.jobs and learning.now.parts_found is None
    learning.parts.set_clusters(4)
    qtbot.waitUntil(lambda: learning.now.sorted, timeout=WAIT)


def test_a_run_is_watched_paused_stopped_and_gone_on_with(
    qtbot: QtBot, learning: LearningController, folder: Path, opened: Opened
) -> None:
    run = to_learning(qtbot, learning, folder)
    opened.runs.learned(run, 100)
    qtbot.waitUntil(lambda: learning.now.run is not None and learning.now.run.step == 100, timeout=WAIT)
    learning.pause()
    assert learning.now.wishes == {run: "pause"}
    qtbot.waitUntil(lambda: ("pause", run) in opened.runs.asked, timeout=WAIT)
    opened.runs.tell(run, state="paused")
    qtbot.waitUntil(lambda: learning.now.alive is None, timeout=WAIT)
    assert not learning.now.wishes
    learning.resume()
    qtbot.waitUntil(lambda: learning.now.alive is not None, timeout=WAIT)
    learning.stop()
    qtbot.waitUntil(lambda: ("stop", run) in opened.runs.asked, timeout=WAIT)


@pytest.mark.parametrize("state", ["finished", "stopped"])
def test_a_run_that_has_its_pack_is_in_the_library_and_can_be_mixed(
    qtbot: QtBot, learning: LearningController, folder: Path, opened: Opened, session: Session, state: str
) -> None:
    run = to_learning(qtbot, learning, folder)
    pack = opened.runs.finish(run, state=state)
    qtbot.waitUntil(lambda: learning.now.draft.page == "done", timeout=WAIT)
    qtbot.waitUntil(lambda: pack.id in {listed.id for listed in session.state.packs}, timeout=WAIT)
    learning.mix.learned()
    assert session.state.pack is not None and session.state.pack.id == pack.id and not learning.now.shown


def test_the_window_may_close_and_the_run_is_found_again(
    qtbot: QtBot, learning: LearningController, folder: Path, opened: Opened, open_session: Callable[[], Opened]
) -> None:
    run = to_learning(qtbot, learning, folder)
    opened.close()
    again = open_session().session.learning
    qtbot.waitUntil(lambda: again.now.alive is not None, timeout=WAIT)
    assert again.now.draft.run == run and names(again) == list(fakes.PARTS) and not again.now.shown
    again.show()
    assert again.now.draft.page == "learning"
    opened.runs.tell(run, state="failed", message="The disk is full.", hint="Make room.")
    qtbot.waitUntil(lambda: again.now.alive is None, timeout=WAIT)


def test_a_draft_is_there_after_the_app_was_closed(
    qtbot: QtBot, learning: LearningController, folder: Path, opened: Opened, open_session: Callable[[], Opened]
) -> None:
    to_plan(qtbot, learning, folder)
    learning.back()
    learning.parts.rename(3, "Kopf")
    learning.parts.merge(0, 1)
    learning.set_plan(title="Garten", noun="Vogel", preset="thorough")
    opened.close()
    again = open_session().session.learning
    again.show()
    qtbot.waitUntil(lambda: again.now.sorted, timeout=WAIT)
    assert again.now.draft.page == "parts" and names(again) == ["body", "tail", "Kopf", "legs"]
    assert again.now.draft.plan.title == "Garten" and again.now.draft.plan.preset == "thorough"


def test_a_discarded_run_can_be_brought_back(
    qtbot: QtBot, learning: LearningController, folder: Path, opened: Opened
) -> None:
    run = to_learning(qtbot, learning, folder)
    opened.runs.tell(run, state="paused")
    qtbot.waitUntil(lambda: learning.now.alive is None, timeout=WAIT)
    learning.discard(run)
    qtbot.waitUntil(lambda: not learning.now.runs, timeout=WAIT)
    assert learning.now.draft.run == "" and learning.now.draft.page == "plan"
    action = opened.messages[-1].action
    assert action is not None
    action.run()
    qtbot.waitUntil(lambda: len(learning.now.runs) == 1, timeout=WAIT)


def test_more_for_a_pack_keeps_its_parts(qtbot: QtBot, learning: LearningController, folder: Path, pack: Pack) -> None:
    qtbot.waitUntil(lambda: [extendable.id for extendable in learning.now.extendable] == [pack.id], timeout=WAIT)
    learning.open_folder(folder)
    learning.extend(str(pack.path))
    qtbot.waitUntil(lambda: learning.now.reached("parts"), timeout=WAIT)
    learning.next()
    qtbot.waitUntil(lambda: learning.now.sorted, timeout=WAIT)
    assert learning.now.extended == pack
    learning.parts.merge(0, 1)
    assert len(names(learning)) == 5, "parts of a pack that gets more stay as they are"
    learning.next()
    qtbot.waitUntil(lambda: learning.now.measured is not None, timeout=WAIT)
    learning.next()
    qtbot.waitUntil(lambda: learning.now.run is not None, timeout=WAIT)
    run = learning.now.run
    assert (
        run is not None
        and run.plan is not None
        and run.plan.start == str(pack.path)
        and run.title == "Fake birds and more"
    )


def test_other_pictures_can_be_taken_back(
    qtbot: QtBot, learning: LearningController, folder: Path, opened: Opened, tmp_path: Path
) -> None:
    to_parts(qtbot, learning, folder)
    learning.parts.rename(0, "Rumpf")
    learning.open_folder(fakes.make_folder(tmp_path / "other"))
    action = opened.messages[-1].action
    assert names(learning) == [] and action is not None
    action.run()
    qtbot.waitUntil(lambda: learning.now.sorted, timeout=WAIT)
    assert names(learning)[0] == "Rumpf" and learning.now.draft.folder == str(folder)


def test_a_start_that_is_overtaken_leaves_nothing_behind(
    qtbot: QtBot, learning: LearningController, folder: Path, script: Callable[..., None]
) -> None:
    to_plan(qtbot, learning, folder)
    learning.set_plan(title="Another title")  # so that the vocabulary is written anew
    script(discover={"delay": 0.2})
    learning.next()
    assert "start" in learning.now.jobs
    learning.start_over()
    assert not learning.now.jobs
    script()
    to_plan(qtbot, learning, folder)
    assert learning.now.run is None
    learning.next()
    qtbot.waitUntil(lambda: learning.now.run is not None, timeout=WAIT)


def test_a_change_of_the_plan_does_not_stop_a_start(
    qtbot: QtBot, learning: LearningController, folder: Path, script: Callable[..., None]
) -> None:
    to_plan(qtbot, learning, folder)
    learning.set_plan(title="Another title")
    script(discover={"delay": 0.2})
    learning.next()
    learning.set_plan(rank=8)
    qtbot.waitUntil(lambda: learning.now.run is not None, timeout=WAIT)
    assert not learning.now.jobs


def test_a_refused_start_leaves_the_plan_to_be_measured(
    qtbot: QtBot, learning: LearningController, folder: Path, script: Callable[..., None], opened: Opened
) -> None:
    script(measure={"delay": 0.5})
    to_parts(qtbot, learning, folder)
    learning.next()
    qtbot.waitUntil(lambda: "measure" in learning.now.jobs, timeout=WAIT)
    opened.runs.refuse = UserError("“dogs” is still learning.", "Wait.")
    learning.next()
    qtbot.waitUntil(lambda: "plan" in learning.now.errors, timeout=WAIT)
    learning.back()
    learning.next()
    qtbot.waitUntil(lambda: learning.now.measured is not None, timeout=WAIT)


def test_a_draft_that_gives_way_can_be_brought_back(
    qtbot: QtBot, learning: LearningController, folder: Path, opened: Opened, tmp_path: Path
) -> None:
    run = to_learning(qtbot, learning, folder)
    others = fakes.make_folder(tmp_path / "dogs", ("a", "b"), 3)
    for leave in (lambda: learning.show_run(run), learning.start_over):
        to_parts(qtbot, learning, others)
        learning.parts.rename(0, "Rumpf")
        leave()
        assert "Rumpf" not in names(learning)
        message = opened.messages[-1]
        assert message.action is not None and message.action.label == "Undo"
        message.action.run()
        qtbot.waitUntil(lambda: learning.now.sorted, timeout=WAIT)
        assert names(learning)[0] == "Rumpf" and learning.now.draft.page == "parts"


def test_what_was_decided_for_a_run_is_found_with_it(
    qtbot: QtBot, learning: LearningController, folder: Path, opened: Opened
) -> None:
    to_parts(qtbot, learning, folder)
    learning.parts.rename(0, "Rumpf")
    learning.next()
    qtbot.waitUntil(lambda: learning.now.measured is not None, timeout=WAIT)
    learning.set_plan(noun="Vogel")
    learning.next()
    qtbot.waitUntil(lambda: learning.now.run is not None, timeout=WAIT)
    run = learning.now.draft.run
    learning.start_over()
    learning.show_run(run)
    assert learning.now.draft.page == "learning" and learning.now.run is not None
    qtbot.waitUntil(lambda: learning.now.draft.plan.noun == "Vogel", timeout=WAIT)
    learning.back()
    assert learning.now.draft.page == "plan"
    learning.back()
    qtbot.waitUntil(lambda: learning.now.sorted, timeout=WAIT)
    assert names(learning)[0] == "Rumpf"


def test_a_run_that_was_taken_for_lost_is_found_alive(
    qtbot: QtBot, learning: LearningController, folder: Path, opened: Opened
) -> None:
    run = to_learning(qtbot, learning, folder)
    opened.runs.tell(run, state="lost", message="It ended without a word.")
    qtbot.waitUntil(lambda: learning.now.alive is None, timeout=WAIT)
    opened.runs.tell(run, state="running", step=60)
    opened.runs.refuse = UserError("“garden-birds” is learning already.", "Watch it, or pause it first.")
    learning.resume()
    qtbot.waitUntil(lambda: learning.now.alive is not None, timeout=WAIT)
    assert learning.now.run is not None and learning.now.run.step == 60 and "learning" not in learning.now.errors
    opened.runs.tell(run, state="lost")
    qtbot.waitUntil(lambda: learning.now.alive is None, timeout=WAIT)
    opened.runs.tell(run, state="running")
    qtbot.waitUntil(lambda: learning.now.alive is not None, timeout=WAIT)  # also when nobody presses anything


def test_more_pictures_in_the_same_folder_are_looked_at(
    qtbot: QtBot, learning: LearningController, folder: Path
) -> None:
    to_plan(qtbot, learning, folder)
    before = learning.now.parts_found
    assert before is not None
    fakes.sketch_bird(51)[0].save(folder / "Cardinal" / "new.png")
    learning.open_folder(folder)
    qtbot.waitUntil(lambda: learning.now.reached("parts"), timeout=WAIT)
    learning.next()
    qtbot.waitUntil(lambda: learning.now.sorted and learning.now.parts_found is not before, timeout=WAIT)
    assert learning.now.parts_found is not None and learning.now.parts_found.pictures == before.pictures + 1


def test_a_training_that_ends_does_not_take_a_person_away(
    qtbot: QtBot, learning: LearningController, folder: Path, opened: Opened
) -> None:
    run = to_learning(qtbot, learning, folder)
    learning.go("parts")
    opened.runs.tell(run, state="failed", message="The disk is full.", hint="Make room.")
    qtbot.waitUntil(lambda: learning.now.alive is None, timeout=WAIT)
    assert opened.messages[-1].text == "The disk is full." and learning.now.draft.page == "parts"
    learning.resume(run)
    qtbot.waitUntil(lambda: learning.now.alive is not None, timeout=WAIT)
    opened.runs.finish(run)
    qtbot.waitUntil(lambda: learning.now.alive is None, timeout=WAIT)
    assert learning.now.draft.page == "parts" and "is learned" in opened.messages[-1].text


def test_a_pack_that_went_on_learning_stays_open(
    qtbot: QtBot, learning: LearningController, folder: Path, opened: Opened, session: Session
) -> None:
    run = to_learning(qtbot, learning, folder)
    pack = opened.runs.finish(run, 0.3, state="stopped")
    qtbot.waitUntil(lambda: learning.now.draft.page == "done", timeout=WAIT)
    learning.mix.learned()
    learning.resume(run)
    qtbot.waitUntil(lambda: learning.now.alive is not None, timeout=WAIT)
    opened.runs.finish(run, 0.9)
    qtbot.waitUntil(lambda: learning.now.alive is None, timeout=WAIT)
    assert session.state.pack is not None and session.state.pack.id == pack.id
    qtbot.waitUntil(lambda: bool(session.state.pack and session.state.pack.metrics["match_rate"] == 0.9), timeout=WAIT)


def test_trouble_is_told_where_the_person_is(
    qtbot: QtBot, learning: LearningController, folder: Path, opened: Opened, open_session: Callable[[], Opened]
) -> None:
    to_plan(qtbot, learning, folder)
    opened.close()
    folder.rename(folder.with_name("unplugged"))
    again = open_session().session.learning
    again.show()
    qtbot.waitUntil(lambda: "plan" in again.now.errors, timeout=WAIT)
    folder.with_name("unplugged").rename(folder)
    again.dismiss("plan")
    qtbot.waitUntil(lambda: again.now.measured is not None, timeout=WAIT)
    assert not again.now.errors


def test_going_on_from_the_library_is_refused_in_words(
    qtbot: QtBot, learning: LearningController, folder: Path, opened: Opened
) -> None:
    run = to_learning(qtbot, learning, folder)
    opened.runs.tell(run, state="paused")
    qtbot.waitUntil(lambda: learning.now.alive is None, timeout=WAIT)
    learning.hide()
    opened.runs.refuse = UserError("“dogs” is still learning.", "Wait.")
    learning.resume(run)
    assert learning.now.wishes == {run: "resume"}
    qtbot.waitUntil(lambda: bool(opened.messages), timeout=WAIT)
    assert opened.messages[-1].text == "“dogs” is still learning."
    assert not learning.now.wishes
