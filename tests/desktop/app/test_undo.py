"""One undo for everything: sequences of recipe changes and deletions, undone, done again, after a restart."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pytestqt.qtbot import QtBot

from engine.core import trash
from engine.core.atomic_files import make_folder
from engine.core.paths import trash_dir
from engine.core.png_metadata import save_creation
from engine.core.recipe import Creation, Recipe
from engine.core.start import Start
from engine.packs.pack import Pack
from partcraft_desktop.app import creation_files
from partcraft_desktop.app.history import History, UndoCommand
from partcraft_desktop.app.session import Session
from tests import fakes
from tests.desktop.conftest import WAIT, Opened, rendered, said

HEAD, WING = 3, 1


@pytest.fixture
def made(qtbot: QtBot, session: Session) -> tuple[Creation, ...]:
    """Three creations."""
    session.set_setting("steps", 1)
    session.set_setting("count", 3)
    rendered(qtbot, session, 3)
    return session.state.creations


def in_trash(opened: Opened) -> list[Path]:
    return sorted((opened.settings.out / creation_files.ASIDE).glob("*"))


def files_of(creations: tuple[Creation, ...]) -> list[bool]:
    return [Path(creation.path).is_file() for creation in creations]


def quiet(session: Session) -> bool:
    """Whether no file is being changed."""
    return session._undo.files.idle


class Note(UndoCommand):
    """Writes and rubs out a number."""

    def __init__(self, notes: set[int], number: int) -> None:
        self.label = f"note {number}"
        self._notes, self._number = notes, number

    def redo(self) -> None:
        self._notes.add(self._number)

    def undo(self) -> None:
        self._notes.remove(self._number)


@given(st.lists(st.sampled_from(["change", "command", "undo", "redo"]), max_size=40))
def test_recipes_and_commands_are_one_line(steps: list[str]) -> None:
    notes: set[int] = set()
    history = History(Recipe("p"))
    line: list[tuple[Recipe, frozenset[int]]] = [(history.now, frozenset())]
    at = 0
    for number, step in enumerate(steps):
        if step == "change":
            history.go_on(Recipe("p", seed=number + 1), label=f"seed {number}")
        elif step == "command":
            note = Note(notes, number)
            history.push(note)
            note.redo()
        if step in ("change", "command"):
            line, at = [*line[: at + 1], (history.now, frozenset(notes))], at + 1
        elif step == "undo":
            assert history.undo() == (at > 0)
            at = max(at - 1, 0)
        else:
            assert history.redo() == (at < len(line) - 1)
            at = min(at + 1, len(line) - 1)
        assert (history.now, frozenset(notes)) == line[at]
        assert (history.can_undo, history.can_redo) == (at > 0, at < len(line) - 1)
        assert bool(history.fields()["undo_label"]) == (at > 0)


def test_deletions_and_recipes_are_undone_in_their_order(
    qtbot: QtBot, session: Session, made: tuple[Creation, ...], opened: Opened
) -> None:
    session.choose(HEAD, 2, "2")
    session.delete_creations(made[:2])
    session.choose(WING, 4, "4")
    assert session.state.undo_label == "wing Kiwi"
    session.undo()
    assert session.state.undo_label == "delete 2 creations" and session.state.recipe.choice_of(HEAD) is not None
    session.undo()
    assert session.state.undo_label == "head Blue Jay" and session.state.redo_label == "delete 2 creations"
    qtbot.waitUntil(lambda: session.state.creations == made and quiet(session), timeout=WAIT)
    assert all(files_of(made)) and not in_trash(opened)
    session.undo()
    assert session.state.recipe.choices == ()
    for _ in range(3):
        session.redo()
    assert not session.state.can_redo and session.state.recipe.choice_of(WING) is not None
    qtbot.waitUntil(lambda: quiet(session), timeout=WAIT)
    assert session.state.creations == made[2:] and files_of(made) == [False, False, True]


def test_undo_and_redo_pressed_faster_than_files_move(
    qtbot: QtBot, session: Session, made: tuple[Creation, ...], opened: Opened
) -> None:
    session.delete_creations(made[:1])
    session.delete_creations(made[1:2])
    for press in (session.undo, session.undo, session.redo, session.redo, session.undo):
        press()
    qtbot.waitUntil(lambda: quiet(session), timeout=WAIT)
    assert session.state.creations == made[1:] and files_of(made) == [False, True, True]
    assert len(in_trash(opened)) == 1 and (session.state.can_undo, session.state.can_redo) == (True, True)


@pytest.mark.parametrize("now", [0, 1_000, 86_400 * 10**9, 2**62])
def test_a_clock_that_stands_wrong_loses_no_creation(
    qtbot: QtBot, session: Session, made: tuple[Creation, ...], opened: Opened, now: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A computer without a battery for its clock starts in 1970."""
    monkeypatch.setattr(time, "time_ns", lambda: now)
    session.delete_creations(made)
    session.deleted.read()
    qtbot.waitUntil(lambda: session.state.deleted_listed and quiet(session), timeout=WAIT)
    assert len(session.state.deleted) == 3 and all(0 <= (item.days_left or 0) <= 30 for item in session.state.deleted)
    session.undo()
    qtbot.waitUntil(lambda: quiet(session), timeout=WAIT)
    assert all(files_of(made)) and not in_trash(opened)


@pytest.mark.parametrize("stem", ["x" * 251, "長" * 83, "🦜" * 62])
def test_a_creation_with_the_longest_name_can_be_deleted(
    qtbot: QtBot, session: Session, made: tuple[Creation, ...], opened: Opened, stem: str
) -> None:
    place = Path(made[0].path).rename(Path(made[0].path).with_name(f"{stem}.png"))
    long = replace(made[0], path=str(place))
    session.delete_creations([long])
    qtbot.waitUntil(lambda: quiet(session), timeout=WAIT)
    assert not place.exists() and len(in_trash(opened)) == 1
    assert creation_files.trashed_in(opened.settings.out)[0].creation.path.endswith(".png")
    session.undo()
    qtbot.waitUntil(lambda: quiet(session), timeout=WAIT)
    assert place.exists() and not in_trash(opened)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    presses=st.lists(st.sampled_from(["delete", "undo", "redo", "undo", "wait", "list", "restore"]), max_size=14),
    waits=st.booleans(),
)
def test_no_creation_is_lost_however_fast_it_goes(
    presses: list[str], waits: bool, qtbot: QtBot, home: Path, pack: Pack
) -> None:
    """Each is in its folder or waits in that of the deleted, while it goes on, after the end, and after a restart."""
    out = home / "creations"
    shutil.rmtree(out, ignore_errors=True)
    for number in range(3):
        save_creation(Image.new("RGB", (8, 8)), make_folder(out) / f"{number}.png", Recipe("fake-birds", seed=number))
    opened = Opened(home)
    session = opened.session
    session.begin()
    qtbot.waitUntil(lambda: len(session.state.creations) == 3, timeout=WAIT)
    for press in presses:
        if press == "delete":
            session.delete_creations(session.state.creations[:1])
        elif press == "undo":
            session.undo()
        elif press == "redo":
            session.redo()
        elif press == "list":
            session.deleted.read()
        elif press == "restore":
            session.deleted.restore(session.state.deleted[:1])
        else:
            qtbot.waitUntil(lambda: quiet(session), timeout=WAIT)
    if waits:
        qtbot.waitUntil(lambda: quiet(session), timeout=WAIT)
    opened.close()
    again = Opened(home)
    again.session.begin()
    here = len(list(out.glob("*.png")))
    qtbot.waitUntil(lambda: len(again.session.state.creations) == here, timeout=WAIT)
    again.session.deleted.read()
    qtbot.waitUntil(lambda: again.session.state.deleted_listed, timeout=WAIT)
    seeds = [one.recipe.seed for one in again.session.state.creations]
    seeds += [one.creation.recipe.seed for one in creation_files.trashed_in(out)]
    assert sorted(seeds) == [0, 1, 2] and here + len(again.session.state.deleted) == 3
    again.close()


def test_an_undo_is_finished_when_the_window_closes(
    qtbot: QtBot, session: Session, made: tuple[Creation, ...], opened: Opened
) -> None:
    session.delete_creations(made[:1])
    qtbot.waitUntil(lambda: len(in_trash(opened)) == 1 and quiet(session), timeout=WAIT)
    # All readers are busy until the window has closed and dropped what may be dropped.
    readers, release = opened.readers, threading.Event()
    for _ in range(2):
        readers.ask(release.wait, lambda _: None, readers, must_finish=True)
    session.delete_creations(made[1:])
    session.undo()
    session.undo()
    assert len(in_trash(opened)) == 1

    def let_go() -> None:
        while not readers._closed or readers._may_be_dropped:
            time.sleep(0.001)
        release.set()

    helper = threading.Thread(target=let_go)
    helper.start()
    opened.close()
    helper.join()
    assert all(files_of(made)) and not in_trash(opened)


def test_what_another_file_has_taken_the_place_of_comes_back_beside_it(
    qtbot: QtBot, session: Session, made: tuple[Creation, ...]
) -> None:
    session.delete_creations(made[:1])
    qtbot.waitUntil(lambda: quiet(session), timeout=WAIT)
    place = Path(made[0].path)
    place.write_bytes(b"somebody else's")
    session.undo()
    qtbot.waitUntil(lambda: len(session.state.creations) == 3, timeout=WAIT)
    assert place.read_bytes() == b"somebody else's"
    beside = place.with_name(f"{place.stem}-2.png")
    assert beside.is_file() and str(beside) in {creation.path for creation in session.state.creations}
    session.redo()
    qtbot.waitUntil(lambda: not beside.exists() and quiet(session), timeout=WAIT)
    assert place.is_file()


def test_what_is_no_longer_in_the_trash_is_told_and_undo_goes_on(
    qtbot: QtBot, session: Session, made: tuple[Creation, ...], opened: Opened
) -> None:
    session.choose(HEAD, 2, "2")
    session.delete_creations(made[:2])
    qtbot.waitUntil(lambda: len(in_trash(opened)) == 2 and quiet(session), timeout=WAIT)
    for path in in_trash(opened):
        path.unlink()
    session.undo()
    qtbot.waitUntil(lambda: said(opened, "2 creations are no longer in the trash"), timeout=WAIT)
    assert session.state.undo_label == "head Blue Jay" and not session.state.can_redo
    session.undo()
    assert session.state.recipe.choices == ()


def test_one_of_two_that_is_gone_does_not_keep_the_other(
    qtbot: QtBot, session: Session, made: tuple[Creation, ...], opened: Opened
) -> None:
    session.delete_creations(made[:2])
    qtbot.waitUntil(lambda: len(in_trash(opened)) == 2 and quiet(session), timeout=WAIT)
    next(path for path in in_trash(opened) if path.name.endswith(Path(made[0].path).name)).unlink()
    session.undo()
    qtbot.waitUntil(lambda: said(opened, "The creation is no longer in the trash"), timeout=WAIT)
    assert session.state.creations == made[1:] and session.state.redo_label == "delete a creation"


def test_a_deletion_that_fails_is_no_step(
    qtbot: QtBot, session: Session, made: tuple[Creation, ...], opened: Opened
) -> None:
    (opened.settings.out / creation_files.ASIDE).write_text("a file where the folder would be")
    before = session.state.undo_label
    session.delete_creations(made[:1])
    qtbot.waitUntil(lambda: said(opened, "cannot be deleted"), timeout=WAIT)
    assert session.state.creations == made and session.state.undo_label == before


def test_a_picture_comes_back_to_its_place_on_the_wall(
    qtbot: QtBot, session: Session, opened: Opened, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{name}.png" for name in ("first", "second", "third")]
    for number, path in enumerate(paths):
        fakes.sketch_bird(number, 96)[0].save(path)
        session.open_image(path)
        qtbot.waitUntil(lambda path=path: any(p.id == str(path) for p in session.state.own), timeout=WAIT)
    before = [picture.id for picture in session.state.own]
    session.open_reference("4")
    session.close_image(before[1])
    session.choose(HEAD, 2, "2")
    session.undo()
    assert session.state.undo_label == "take “second” off the wall"
    session.undo()
    qtbot.waitUntil(lambda: [picture.id for picture in session.state.own] == before, timeout=WAIT)
    assert session.state.reference is not None and session.state.reference.id == "4"
    session.redo()
    assert [picture.id for picture in session.state.own] == [before[0], before[2]]
    Path(before[1]).unlink()
    session.undo()
    qtbot.waitUntil(lambda: said(opened, "The file of “second” is gone"), timeout=WAIT)
    assert session.state.redo_label == "head Blue Jay" and not session.state.can_undo


@pytest.fixture
def two_packs(qtbot: QtBot, opened: Opened, home: Path) -> Pack:
    """Another own pack beside the one on show."""
    fakes.make_pack(home / "packs" / "others", codes=4, id="others")
    opened.session.list_packs()
    qtbot.waitUntil(lambda: len(opened.session.state.packs) == 2, timeout=WAIT)
    return next(pack for pack in opened.session.state.packs if pack.id == "others")


def shown(session: Session) -> str:
    pack = session.state.pack
    return pack.id if pack is not None and session.state.recipe.pack == pack.id else ""


def test_a_pack_comes_back_with_the_steps_that_were_made_in_it(
    qtbot: QtBot, session: Session, two_packs: Pack, opened: Opened
) -> None:
    session.open_pack("others")
    session.choose(HEAD, 1, "1")
    session.choose(WING, 2, "2")
    recipe = session.state.recipe
    session.remove_pack(two_packs)
    qtbot.waitUntil(lambda: shown(session) == "fake-birds" and quiet(session), timeout=WAIT)
    session.choose(HEAD, 3, "3")
    # All at once: the steps behind the removal wait until the pack is there.
    for _ in range(3):
        session.undo()
    qtbot.waitUntil(lambda: shown(session) == "others" and quiet(session), timeout=WAIT)
    assert session.state.recipe.choice_of(WING) is None and session.state.recipe.choice_of(HEAD) is not None
    session.redo()
    assert session.state.recipe == recipe
    session.redo()
    qtbot.waitUntil(lambda: shown(session) == "fake-birds" and quiet(session), timeout=WAIT)
    session.redo()
    choice = session.state.recipe.choice_of(HEAD)
    assert shown(session) == "fake-birds" and choice is not None and choice.code == 3


def test_a_pack_that_is_gone_for_good_is_told_and_its_steps_go(
    qtbot: QtBot, session: Session, two_packs: Pack, opened: Opened
) -> None:
    session.choose(HEAD, 5, "5")
    session.open_pack("others")
    session.choose(HEAD, 1, "1")
    session.remove_pack(two_packs)
    qtbot.waitUntil(lambda: shown(session) == "fake-birds" and quiet(session), timeout=WAIT)
    shutil.rmtree(trash_dir())
    session.undo()
    qtbot.waitUntil(lambda: said(opened, "is no longer in the trash"), timeout=WAIT)
    while session.state.can_undo:
        session.undo()
        assert shown(session) == "fake-birds"


def test_a_pack_that_vanishes_takes_its_steps_with_one_sentence(
    qtbot: QtBot, session: Session, two_packs: Pack, opened: Opened, home: Path
) -> None:
    session.open_pack("others")
    session.choose(HEAD, 1, "1")
    session.open_pack("fake-birds")
    two_packs.path.rename(home / "elsewhere")
    session.list_packs()
    qtbot.waitUntil(lambda: said(opened, "undo no longer leads to it"), timeout=WAIT)
    while session.state.can_undo:
        session.undo()
        assert shown(session) == "fake-birds"


def test_renders_taken_off_the_queue_come_back_to_their_places(
    qtbot: QtBot, session: Session, script: Callable[..., None]
) -> None:
    script(render={"delay": 0.2})
    session.set_setting("steps", 50)
    for seed in range(4):
        session.set_setting("seed", seed)
        session.render()
    queue = session.state.queue
    session.cancel_queued(queue[1].id)
    assert session.state.undo_label.endswith("off the queue")
    session.undo()
    assert session.state.queue == queue
    session.redo()
    assert session.state.queue == (queue[0], queue[2])
    session.cancel_all()
    qtbot.waitUntil(lambda: session.state.render is None, timeout=WAIT)


def test_what_began_meanwhile_is_not_rendered_twice(
    qtbot: QtBot, session: Session, script: Callable[..., None]
) -> None:
    script(render={"delay": 0.2})
    session.set_setting("steps", 50)
    for seed in range(2):
        session.set_setting("seed", seed)
        session.render()
    (item,) = session.state.queue
    session.cancel_queued(item.id)
    session.undo()
    session.cancel()
    qtbot.waitUntil(lambda: session.state.render is not None and session.state.render.item is item, timeout=WAIT)
    with qtbot.waitSignal(session.message) as told:
        session.redo()
    assert told.args is not None and told.args[0].text == "Nothing of that waits any more."
    assert not session.state.can_redo and not session.state.undo_label.endswith("off the queue")
    session.undo()
    assert session.state.queue == ()
    session.cancel()
    qtbot.waitUntil(lambda: session.state.render is None, timeout=WAIT)


def test_a_creation_from_the_trash_knows_what_it_began_with(tmp_path: Path) -> None:
    picture = Image.new("RGB", (8, 8))
    first = save_creation(picture, tmp_path / "first.png", Recipe("p"))
    begun = Recipe("p", start=Start(0.4, first.path))
    second = save_creation(picture, tmp_path / "second.png", begun)
    creation_files.move_to_trash([second])
    (waiting,) = creation_files.trashed_in(tmp_path)
    assert waiting.creation.recipe == begun
    (back,) = creation_files.restore_from_trash([waiting]).back
    assert back.path == second.path and back.recipe == begun


# The message and the step are one


def test_the_button_of_a_message_undoes_its_own_step(
    qtbot: QtBot, session: Session, made: tuple[Creation, ...], opened: Opened
) -> None:
    withdrawn: list[object] = []
    session.withdrawn.connect(withdrawn.append)
    session.delete_creations(made[:1])
    qtbot.waitUntil(lambda: said(opened, "Deleted “a photo of a bird”."), timeout=WAIT)
    message = opened.messages[-1]
    session.choose(HEAD, 2, "2")
    assert message.action is not None
    message.action.run()
    qtbot.waitUntil(lambda: session.state.creations == made, timeout=WAIT)
    assert session.state.undo_label == "head Blue Jay" and withdrawn == [message]
    message.action.run()  # once more: nothing
    assert session.state.undo_label == "head Blue Jay"


def test_undo_by_key_takes_the_message_away(
    qtbot: QtBot, session: Session, made: tuple[Creation, ...], opened: Opened
) -> None:
    withdrawn: list[object] = []
    session.withdrawn.connect(withdrawn.append)
    session.delete_creations(made[:1])
    qtbot.waitUntil(lambda: said(opened, "Deleted “a photo of a bird”."), timeout=WAIT)
    session.undo()
    assert withdrawn == [opened.messages[-1]]


# Recently deleted


def test_everything_deleted_is_listed_after_a_restart_and_comes_back(
    qtbot: QtBot,
    opened: Opened,
    made: tuple[Creation, ...],
    two_packs: Pack,
    open_session: Callable[[], Opened],
    tmp_path: Path,
) -> None:
    session = opened.session
    picture = tmp_path / "my bird.png"
    fakes.sketch_bird(3, 96)[0].save(picture)
    session.open_image(picture)
    qtbot.waitUntil(lambda: bool(session.state.own), timeout=WAIT)
    session.delete_creations(made[:2])
    session.close_image(str(picture))
    session.remove_pack(two_packs)
    qtbot.waitUntil(lambda: len(session.state.packs) == 1 and quiet(session), timeout=WAIT)
    opened.close()

    again = open_session().session
    qtbot.waitUntil(lambda: len(again.state.creations) == 1, timeout=WAIT)
    assert not again.state.can_undo
    again.deleted.read()
    qtbot.waitUntil(lambda: len(again.state.deleted) == 4, timeout=WAIT)
    kinds = {item.kind: item.days_left for item in again.state.deleted}
    assert kinds == {"pack": 29, "picture": None, "creation": 29}
    assert all(abs(time.time() - item.when) < 600 for item in again.state.deleted)
    again.deleted.restore(again.state.deleted)
    qtbot.waitUntil(lambda: again.state.creations == made and len(again.state.packs) == 2, timeout=WAIT)
    assert [own.id for own in again.state.own] == [str(picture)] and all(files_of(made))
    qtbot.waitUntil(lambda: quiet(again) and again.state.deleted == (), timeout=WAIT)


def test_what_is_restored_from_the_list_leaves_nothing_to_undo(
    qtbot: QtBot, session: Session, made: tuple[Creation, ...], opened: Opened
) -> None:
    before = session.state.undo_label
    session.delete_creations(made[:2])
    session.deleted.read()
    qtbot.waitUntil(lambda: len(session.state.deleted) == 2, timeout=WAIT)
    first = next(item for item in session.state.deleted if item.path.endswith(Path(made[0].path).name))
    session.deleted.restore([first])
    qtbot.waitUntil(lambda: session.state.creations == (made[0], made[2]) and quiet(session), timeout=WAIT)
    assert session.state.undo_label == "delete a creation"
    session.deleted.restore(session.state.deleted)
    qtbot.waitUntil(lambda: session.state.creations == made and quiet(session), timeout=WAIT)
    assert session.state.undo_label == before and not in_trash(opened)


def test_what_is_deleted_for_good_is_no_step_any_more(
    qtbot: QtBot, session: Session, made: tuple[Creation, ...], two_packs: Pack, opened: Opened
) -> None:
    before = session.state.undo_label
    session.delete_creations(made[:2])
    session.remove_pack(two_packs)
    session.deleted.read()
    qtbot.waitUntil(lambda: len(session.state.deleted) == 3, timeout=WAIT)
    session.deleted.delete_for_good(session.state.deleted)
    qtbot.waitUntil(lambda: quiet(session) and session.state.undo_label == before, timeout=WAIT)
    assert not in_trash(opened) and not list(trash_dir().iterdir())
    assert said(opened, "3 things are deleted for good")


# The sweep


def waiting(folder: Path, age_days: float, name: str = "bird.png") -> Path:
    """A file as a deletion left it some days ago."""
    path = folder / creation_files.ASIDE / f"{time.time_ns() - int(age_days * 86400e9):x}-{name}"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path)
    return path


def test_the_sweep_takes_what_is_old_and_the_apps_own(tmp_path: Path) -> None:
    old, young, kept = waiting(tmp_path, 31), waiting(tmp_path, 29), waiting(tmp_path, 40, "kept.png")
    stranger = tmp_path / creation_files.ASIDE / "holiday.png"
    stranger.write_bytes(b"x")
    os.utime(stranger, (0, 0))
    precious = tmp_path / "precious.png"
    precious.write_bytes(b"x")
    link = tmp_path / creation_files.ASIDE / f"{time.time_ns() - int(90 * 86400e9):x}-link.png"
    link.symlink_to(precious)
    folder = tmp_path / creation_files.ASIDE / f"{time.time_ns() - int(90 * 86400e9):x}-folder.png"
    folder.mkdir()
    creation_files.purge_trash(tmp_path, keep=[kept])
    assert not old.exists()
    assert young.exists() and kept.exists() and stranger.exists() and link.is_symlink() and folder.is_dir()
    assert precious.read_bytes() == b"x"


def test_the_sweep_does_not_follow_a_linked_folder(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    old = waiting(elsewhere, 90)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / creation_files.ASIDE).symlink_to(old.parent)
    creation_files.purge_trash(tmp_path / "out")
    creation_files.delete_for_good([tmp_path / "out" / creation_files.ASIDE / old.name])
    assert old.exists()


def test_what_undo_needs_is_never_swept(
    qtbot: QtBot, session: Session, made: tuple[Creation, ...], opened: Opened, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    session.delete_creations(made[:1])
    qtbot.waitUntil(lambda: quiet(session), timeout=WAIT)
    monkeypatch.setattr(trash, "KEEP_DELETED_S", -1.0)
    opened.settings.set(out=str(tmp_path / "elsewhere"))
    opened.settings.set(out="")
    qtbot.waitUntil(lambda: session.state.creations == made[1:], timeout=WAIT)
    session.undo()
    qtbot.waitUntil(lambda: session.state.creations == made, timeout=WAIT)
    assert all(files_of(made))
