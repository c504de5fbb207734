"""Pictures of the wizard for ``docs/``: ``python -m tests.screenshots OUT --wizard [STEPS]``.

The real window, engine and training process on the practice birds that come with PartCraft: nothing on them is made up.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from partcraft_desktop.wizard.parts_page import PartsPage

STEPS = 200
PATIENCE_S = 3600.0


def main(out: Path, steps: int = STEPS) -> int:
    """Walk through the wizard with ``steps`` steps of training and save each page."""
    out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as home:
        os.environ["PARTCRAFT_HOME"] = home
        _Walk(Path(home), out).walk(steps)
    return 0


class _Walk:
    def __init__(self, home: Path, out: Path) -> None:
        from PySide6.QtWidgets import QApplication

        from engine.packs.library import PackLibrary
        from engine.worker.engine import Engine
        from partcraft_desktop.app.background import BackgroundReader
        from partcraft_desktop.app.session import Session
        from partcraft_desktop.app.settings import Settings
        from partcraft_desktop.widgets.theme import Theme
        from partcraft_desktop.window.main_window import MainWindow

        self.app = QApplication(sys.argv[:1])
        self.out = out
        settings = Settings(home)
        settings.set(theme="light")
        self.look = Theme(self.app, settings)
        readers = BackgroundReader()
        self.session = Session(PackLibrary(), settings, readers, lambda outlet: Engine(outlet))
        self.session.begin()
        self.window = MainWindow(self.session, readers)
        self.window.resize(1280, 832)
        self.window.show()

    def walk(self, steps: int) -> None:
        """Every page, when what it shows is there."""
        learning = self.session.learning
        learning.show()
        learning.open_practice()
        self.until(lambda: learning.now.reached("parts"))
        self.save("pictures")
        learning.next()
        self.until(lambda: learning.now.sorted)
        self.settle(30)
        assert self.window.wizard is not None
        self.window.wizard.page(PartsPage).list.pointed.emit(1)
        self.save("parts")
        learning.next()
        self.until(lambda: learning.now.measured is not None)
        self.save("plan")
        learning.set_plan(steps=steps)
        learning.next()
        self.until(lambda: learning.now.run is not None)
        self.until(lambda: _step(learning.now.run) >= 0.9 * steps or learning.now.alive is None)
        self.save("learning")
        self.until(lambda: learning.now.alive is None)
        self.settle(30)
        run = learning.now.run
        print(run.state if run else "gone", run.message if run else "")
        self.save("done")
        self.session.shutdown()
        self.window.close()

    def settle(self, rounds: int) -> None:
        """Let everything arrive."""
        from PySide6.QtCore import QEvent

        for _ in range(rounds):
            self.app.processEvents()
            self.app.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
            time.sleep(0.03)

    def until(self, done: Callable[[], bool]) -> None:
        """Let things happen until something has, or there is trouble."""
        began = time.monotonic()
        while not done():
            self.settle(1)
            errors = self.session.state.learning.errors
            if errors or time.monotonic() - began > PATIENCE_S:
                raise SystemExit(f"It does not go on: {errors}")

    def save(self, page: str) -> None:
        """Save what the window shows."""
        self.settle(40)
        self.window.grab().save(str(self.out / f"wizard-{page}.png"))


def _step(run: object) -> int:
    return getattr(run, "step", 0)
