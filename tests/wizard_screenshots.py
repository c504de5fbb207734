"""Pictures of the wizard for ``docs/``: ``python -m tests.screenshots OUT --wizard [STEPS]`` or ``--mix [FOLDER]``.

The real window, engine and training process: nothing on them is made up. ``--wizard`` learns the practice birds that
come with PartCraft. ``--mix`` goes from a folder of photographs to a creature by Mix now and prints how long each step
took; without a folder it makes scenes, drawn birds over made textures, which may be shown to others.
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


def mix(out: Path, folder: Path | None = None) -> int:
    """From a folder to a creature of three of its pictures, saving each page."""
    out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:  # threads of the window end after it
        os.environ["PARTCRAFT_HOME"] = home
        place = folder or _scenes(Path(home) / "Birds outdoors")
        _Walk(Path(home), out).mix(place)
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

    def mix(self, folder: Path) -> None:
        """Pictures, Parts, Mix now, and a creature of three pictures that show most parts."""
        from engine.core.vocabulary import ABSENT
        from partcraft_desktop.app.layer_files import KINDS

        learning, begun = self.session.learning, time.monotonic()
        learning.show()
        learning.open_folder(folder)
        self.until(lambda: learning.now.reached("parts"))
        print(f"looked through the folder: {time.monotonic() - begun:.0f} s", flush=True)
        self.save("mix-pictures")
        begun = time.monotonic()
        learning.next()
        self.until(lambda: learning.now.sorted)
        print(f"found the parts: {time.monotonic() - begun:.0f} s", flush=True)
        self.settle(30)
        self.save("mix-parts")
        begun = time.monotonic()
        learning.mix.found()
        self.until(lambda: self.session.state.pack is not None and not self.session.state.pack.trained)
        pack = self.session.state.pack
        assert pack is not None
        print(f"made the pack: {time.monotonic() - begun:.0f} s", flush=True)
        shown = sorted(pack.references, key=lambda reference: reference.codes.count(ABSENT))[:3]
        for place, part in enumerate(pack.vocabulary.visible_parts):
            reference = shown[place % len(shown)]
            if reference.codes[part.index] != ABSENT:
                self.session.choose(part.index, reference.codes[part.index], reference.id)
        self.until(lambda: self.session.state.creature.collage is not None)
        self.settle(60)
        self.save("mix-creature")
        begun, layers = time.monotonic(), self.out / "mix-creature.psd"
        layers.unlink(missing_ok=True)
        self.session.saves.save_creature(layers, next(kind for kind in KINDS if kind.suffix == ".psd"))
        self.until(layers.exists)
        print(f"saved {layers.name}: {time.monotonic() - begun:.1f} s", flush=True)
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


def _scenes(folder: Path) -> Path:
    """24 scenes as PNGs in a new folder."""
    from PIL import Image

    from tests.engine.segmentation.scenes import make_scenes

    folder.mkdir(parents=True)
    for index, scene in enumerate(make_scenes(24)):
        Image.fromarray(scene.image).save(folder / f"bird {index + 1}.png")
    return folder


def _step(run: object) -> int:
    return getattr(run, "step", 0)
