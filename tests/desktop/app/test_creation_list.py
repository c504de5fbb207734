"""The creations of a folder: listed, deleted, brought back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pytestqt.qtbot import QtBot

from partcraft_desktop.app.session import Session
from tests.desktop.conftest import WAIT, Opened, rendered, said

HEAD, WING = 3, 1


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


def test_deleted_creations_come_back(qtbot: QtBot, session: Session, opened: Opened) -> None:
    session.set_setting("count", 3)
    rendered(qtbot, session, 3)
    creations = session.state.creations
    session.delete_creations(creations[:2])
    qtbot.waitUntil(lambda: said(opened, "2 creations deleted"), timeout=WAIT)
    assert session.state.creations == creations[2:]
    assert not Path(creations[0].path).exists()
    session.undo()
    qtbot.waitUntil(lambda: session.state.creations == creations, timeout=WAIT)
    assert all(Path(creation.path).is_file() for creation in creations)


def test_two_sessions_on_one_folder_lose_nothing(
    qtbot: QtBot, opened: Opened, open_session: Callable[[], Opened]
) -> None:
    other = open_session()
    for each in (opened, other):
        each.session.set_setting("steps", 1)
        rendered(qtbot, each.session)
    paths = {each.session.state.creations[0].path for each in (opened, other)}
    assert len(paths) == 2 and all(Path(path).is_file() for path in paths)
