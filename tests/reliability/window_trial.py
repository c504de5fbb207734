"""The window opens on whatever lies in its home, is used a little, and closes."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtWidgets import QApplication

from engine.core.paths import data_dir
from engine.packs.library import PackLibrary
from engine.worker.engine import Engine
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.settings import Settings
from partcraft_desktop.widgets.theme import Theme
from partcraft_desktop.window.main_window import MainWindow

PATIENCE_S = 300.0


def open_window() -> None:
    """Open it, mix, look at the wizard, close it. Raises ``AssertionError`` if it does not come to rest."""
    app = QApplication.instance() or QApplication(["trial"])
    assert isinstance(app, QApplication)
    home, readers = data_dir(), BackgroundReader()
    settings = Settings(home)
    theme = Theme(app, settings)
    library = PackLibrary(bundled=home / "no starter")
    session = Session(library, settings, readers, lambda outlet: Engine(outlet, "thread", "tests.fakes:HANDLERS"))
    session.begin()
    window = MainWindow(session, readers)
    window.show()
    _wait("the packs", lambda: session.state.packs_listed and readers.idle)
    session.random_mix()
    session.undo()
    session.deleted.read()
    session.learning.show()
    _wait("rest", lambda: readers.idle)
    window.grab()
    session.learning.hide()
    session.keep()
    window.close()
    session.shutdown()
    window.deleteLater()
    app.processEvents()
    del theme


def _wait(what: str, ready: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < end, f"the window waited for {what}"
        QApplication.processEvents()
        time.sleep(0.002)
