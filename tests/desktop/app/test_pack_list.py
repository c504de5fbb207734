"""The packs at hand: none at first, one on show that goes, several asked for at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from engine.packs.library import LibraryEntry, PackLibrary
from engine.packs.pack import Pack
from partcraft_desktop.app.messages import Action
from partcraft_desktop.app.session import Session
from tests import fakes
from tests.desktop.conftest import WAIT, Opened, said

HEAD = 3


@pytest.fixture
def empty(qtbot: QtBot, home: Path) -> Iterator[Opened]:
    """A first start without any pack."""
    opened = Opened(home)
    opened.session.begin()
    qtbot.waitUntil(lambda: opened.session.state.packs_listed, timeout=WAIT)
    yield opened
    opened.close()


@pytest.fixture
def partpack(tmp_path: Path) -> Path:
    other = fakes.make_pack(tmp_path / "made" / "others", codes=4, id="others")
    return PackLibrary().export_pack(other, tmp_path / "others.partpack")


def shows(session: Session, pack_id: str) -> bool:
    state = session.state
    return state.pack is not None and state.pack.id == state.recipe.pack == pack_id and state.reference is not None


def test_the_first_pack_of_all_is_shown_when_it_is_imported(qtbot: QtBot, empty: Opened, partpack: Path) -> None:
    session = empty.session
    assert session.state.pack is None
    session.import_pack(partpack)
    qtbot.waitUntil(lambda: shows(session, "others"), timeout=WAIT)
    assert not session.state.can_undo
    session.random_mix()
    session.undo()
    assert shows(session, "others") and not session.state.can_undo


def test_the_first_pack_of_all_is_shown_when_it_is_learned(qtbot: QtBot, empty: Opened, home: Path) -> None:
    fakes.make_pack(home / "packs" / "learned", id="learned")
    empty.session.list_packs()
    qtbot.waitUntil(lambda: shows(empty.session, "learned"), timeout=WAIT)


def test_the_last_pack_is_shown_again_when_it_comes_back(
    qtbot: QtBot, session: Session, opened: Opened, pack: Pack
) -> None:
    session.random_mix()
    recipe = session.state.recipe
    session.remove_pack(pack)

    def ways_back() -> list[Action]:
        """What messages offer; others may be said at any moment."""
        return [message.action for message in opened.messages if message.action and "was removed" in message.text]

    qtbot.waitUntil(lambda: session.state.pack is None and bool(ways_back()), timeout=WAIT)
    ways_back()[-1].run()
    qtbot.waitUntil(lambda: shows(session, pack.id), timeout=WAIT)
    assert session.state.recipe == recipe


def test_a_pack_that_was_on_show_and_is_removed_comes_back_by_undo(
    qtbot: QtBot, session: Session, partpack: Path
) -> None:
    session.import_pack(partpack)
    qtbot.waitUntil(lambda: shows(session, "others"), timeout=WAIT)
    session.random_mix()
    imported = session.state.pack
    assert imported is not None
    session.remove_pack(imported)
    qtbot.waitUntil(lambda: shows(session, "fake-birds"), timeout=WAIT)
    session.undo()
    qtbot.waitUntil(lambda: shows(session, "others"), timeout=WAIT)
    while session.state.can_undo:
        session.undo()
    assert shows(session, "fake-birds")


def test_an_import_that_lands_late_does_not_leave_a_pack_that_was_chosen_after_it(
    qtbot: QtBot, session: Session, opened: Opened, home: Path, partpack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes.make_pack(home / "packs" / "third", id="third")
    session.list_packs()
    qtbot.waitUntil(lambda: len(session.state.packs) == 2, timeout=WAIT)
    release = threading.Event()
    real = PackLibrary.import_pack

    def slow(library: PackLibrary, file: Path) -> Pack:
        release.wait(WAIT / 1000)
        return real(library, file)

    monkeypatch.setattr(PackLibrary, "import_pack", slow)
    session.import_pack(partpack)
    session.open_pack("third")
    release.set()
    qtbot.waitUntil(lambda: any("is ready" in message.text for message in opened.messages), timeout=WAIT)
    assert shows(session, "third") and len(session.state.packs) == 3


def test_an_older_listing_that_lands_late_is_passed_over(
    qtbot: QtBot, session: Session, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, real = threading.Event(), PackLibrary.listing
    began = threading.Event()

    def slow_once(library: PackLibrary) -> list[LibraryEntry]:
        entries = real(library)
        if not began.is_set():
            began.set()
            release.wait(WAIT / 1000)
        return entries

    monkeypatch.setattr(PackLibrary, "listing", slow_once)
    session.list_packs()
    qtbot.waitUntil(began.is_set, timeout=WAIT)
    fakes.make_pack(home / "packs" / "new", id="new")
    session.list_packs()
    qtbot.waitUntil(lambda: len(session.state.packs) == 2, timeout=WAIT)
    release.set()
    landed: list[bool] = []
    session.ask(lambda: True, landed.append, "")
    session.ask(lambda: True, landed.append, "")
    qtbot.waitUntil(lambda: len(landed) == 2, timeout=WAIT)
    assert len(session.state.packs) == 2


def test_what_was_kept_is_not_written_over_before_the_packs_are_there(home: Path, pack: Pack) -> None:
    (home / "session.json").write_text('{"pack": "fake-birds", "reference": "4"}', "utf-8")
    opened = Opened(home)
    opened.session.begin()
    opened.session.learning.show()
    opened.close()
    assert '"reference": "4"' in (home / "session.json").read_text("utf-8")


def test_a_pack_is_imported_removed_and_comes_back(
    qtbot: QtBot, session: Session, opened: Opened, tmp_path: Path
) -> None:
    other = fakes.make_pack(tmp_path / "made" / "others", codes=4, id="others")
    file = PackLibrary().export_pack(other, tmp_path / "others.partpack")
    session.import_pack(file)
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


def test_a_removed_pack_comes_back_by_undo(
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
    session.undo()
    assert session.state.recipe.pack == "fake-birds"
    qtbot.waitUntil(lambda: len(session.state.packs) == 2, timeout=WAIT)
    assert session.state.recipe.pack == "fake-birds"
    session.undo()
    assert session.state.pack == others and session.state.recipe.choice_of(HEAD) is not None
