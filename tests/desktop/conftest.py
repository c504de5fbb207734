"""The real window and session with the fake engine, offscreen."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit
from pytestqt.qtbot import QtBot

from engine.core.prompt import to_text
from engine.packs.library import PackLibrary
from engine.packs.pack import Pack
from engine.worker.engine import Engine
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.messages import Message
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.settings import Settings
from partcraft_desktop.widgets.theme import Theme
from partcraft_desktop.window.main_window import MainWindow
from tests import fakes

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


WAIT = 30_000
"""Milliseconds a test waits for something before it fails; what happens is waited for, never a time."""


def prompt_text(session: Session) -> str:
    """The prompt of a session's recipe as a line of text."""
    pack = session.state.pack
    return to_text(session.state.recipe.prompt, pack.vocabulary) if pack else ""


@pytest.fixture(autouse=True)
def empty_clipboard(qapp: QApplication) -> Iterator[None]:
    """Offscreen, Qt keeps what was copied until after Python has ended, and then crashes on giving it up."""
    yield
    qapp.clipboard().clear()


@pytest.fixture
def pack(home: Path) -> Pack:
    """A drawn pack among the user's own."""
    return fakes.make_pack(home / "packs" / "fake-birds")


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Tells the fake handlers what to do: ``script(render={"delay": 0.05})``."""
    path = tmp_path / "script.json"
    monkeypatch.setenv(fakes.SCRIPT, str(path))
    fakes.write_script(path)
    return lambda **jobs: (fakes.write_script(path, **jobs), None)[1]


RUNS: dict[Path, fakes.FakeRuns] = {}
"""The trainings of each data folder: they outlive the app."""


class Opened:
    """A session, and what it said."""

    def __init__(self, home: Path) -> None:
        self.runs = RUNS.setdefault(home, fakes.FakeRuns())
        self.settings = Settings(home)
        self.readers = BackgroundReader()
        self.session = Session(
            PackLibrary(bundled=home / "no starter"),
            self.settings,
            self.readers,
            lambda outlet: Engine(outlet, host="thread", handlers="tests.fakes:HANDLERS"),
            runs=self.runs,
        )
        self.messages: list[Message] = []
        self.session.message.connect(self.messages.append)

    def close(self) -> None:
        self.session.shutdown()


def idle(session: Session) -> bool:
    """Whether nothing is rendered."""
    return session.state.render is None


def rendered(qtbot: QtBot, session: Session, count: int = 1) -> None:
    """Render and wait until it is over."""
    before = len(session.state.creations)
    session.render()
    qtbot.waitUntil(lambda: idle(session) and len(session.state.creations) == before + count, timeout=WAIT)


def type_name(dialog: QFileDialog, path: Path) -> None:
    """Write a name into a file dialog, as a person does."""
    field = dialog.findChild(QLineEdit, "fileNameEdit")
    assert field is not None
    field.setText(str(path))


def said(opened: Opened, text: str) -> bool:
    """Whether a message or its hint has some words."""
    return any(text in f"{message.text} {message.hint}" for message in opened.messages)


@pytest.fixture
def open_session(qtbot: QtBot, home: Path, pack: Pack) -> Iterator[Callable[[], Opened]]:
    """Opens sessions on the same data folder, one after another, as starts of the app do."""
    made: list[Opened] = []

    def make() -> Opened:
        opened = Opened(home)
        made.append(opened)
        opened.session.begin()
        qtbot.waitUntil(lambda: opened.session.state.reference is not None, timeout=WAIT)
        return opened

    yield make
    for opened in made:
        opened.close()


@pytest.fixture
def opened(open_session: Callable[[], Opened]) -> Opened:
    """An open session."""
    return open_session()


@pytest.fixture
def session(opened: Opened) -> Session:
    """Its session."""
    return opened.session


@pytest.fixture
def themed(qapp: QApplication, opened: Opened) -> Theme:
    """The app's own look, so that widgets are tested as they are seen."""
    return Theme(qapp, opened.settings)


@pytest.fixture
def window(qtbot: QtBot, opened: Opened, themed: Theme) -> MainWindow:
    """The whole window, on screen, with its first picture."""
    main_window = MainWindow(opened.session, opened.readers)
    qtbot.addWidget(main_window)
    shown: list[str] = []
    main_window.view.shown.connect(shown.append)
    main_window.resize(1280, 832)
    main_window.show()
    qtbot.waitUntil(lambda: bool(shown) and main_window.view.canvas.centre_of(0) is not None, timeout=WAIT)
    return main_window
