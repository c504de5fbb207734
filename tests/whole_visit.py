"""A person's visit in one process: the window opens, the wizard finds parts, a creation is rendered, the models are
looked at. Everything is real: ``python -m tests.whole_visit FOLDER_OF_PICTURES``, with ``QT_QPA_PLATFORM=offscreen``.
It ends with 0 if all of it happened."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from PySide6.QtWidgets import QApplication

from engine.core.paths import data_dir
from engine.packs.library import PackLibrary
from engine.worker.engine import Engine
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.settings import Settings
from partcraft_desktop.app.single_instance import SingleInstance
from partcraft_desktop.window.main_window import MainWindow

PATIENCE_S = 600.0


def wait(what: str, ready: Callable[[], object]) -> None:
    """Let Qt work until something is so. Raises ``AssertionError`` after :data:`PATIENCE_S`."""
    end = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < end, f"waited for {what}"
        QApplication.processEvents()
        time.sleep(0.01)
    print(what, flush=True)


def visit(folder: str) -> None:
    """The whole of it."""
    app = QApplication(sys.argv[:1])
    home, readers, said = data_dir(), BackgroundReader(), []
    first = SingleInstance(home)
    session = Session(PackLibrary(), Settings(home), readers, lambda outlet: Engine(outlet, host="process"))
    session.message.connect(lambda message: message.kind == "error" and said.append(message))
    session.begin()
    window = MainWindow(session, readers)
    window.painted.connect(session.start_engine)
    window.show()
    wait("a picture is shown", lambda: session.state.reference is not None)
    session.random_mix()
    session.set_setting("steps", 1)
    session.render()
    wait("a creation is rendered", lambda: session.state.creations and session.state.render is None)

    learning = session.learning
    window.open_paths([folder])
    wait("the wizard opens", lambda: window.wizard is not None and learning.now.reached("parts"))
    learning.next()
    wait("parts are found", lambda: learning.now.sorted and not learning.now.jobs)
    learning.next()
    wait("a plan is measured", lambda: learning.now.measured is not None)
    assert not learning.now.errors and not said, (learning.now.errors, said)

    session.models.come_for("")
    wait("the models are listed", lambda: session.models.now.shelf is not None)
    window.close()
    first.close()
    session.shutdown()
    app.processEvents()


if __name__ == "__main__":
    visit(sys.argv[1])
