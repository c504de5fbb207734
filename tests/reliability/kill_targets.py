"""What is killed: each target works in a loop on its home, and says what it has made before it goes on.

They run in processes forked from one that has imported the libraries already, so that a kill costs a second and not
twenty; from there on everything is the app's own, in its own way. Models are tiny, or the fakes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QApplication

from engine.__main__ import main as command_line
from engine.core.recipe import Recipe
from engine.core.vocabulary import Choice
from engine.packs.library import PackLibrary
from engine.packs.pack import Pack
from engine.worker.engine import Engine
from engine.worker.hosts import ProcessHost
from engine.worker.jobs import Cancelled, Event, Failed, Finished, Render, Rendered
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.settings import Settings
from partcraft_desktop.window.main_window import MainWindow

Say = Callable[[str], None]
"""Tells the one who kills a line: "ready ...", "made PATH", "deleting PATH", "host PID", "ended ..."."""

FAKES = "tests.fakes:HANDLERS"
PATIENCE_S = 600.0


def window(home: Path, say: Say, cycles: int = 10**9) -> int:
    """The window mixes, renders, deletes, takes a pack in and removes it, changes settings; then it is closed."""
    app = QApplication.instance() or QApplication(["killed"])
    readers, settings = BackgroundReader(), Settings(home)
    library = PackLibrary(bundled=home / "no starter")
    session = Session(library, settings, readers, lambda outlet: Engine(outlet, "thread", FAKES))
    session.begin()
    main_window = MainWindow(session, readers)
    main_window.show()

    def wait(ready: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not ready():
            if time.monotonic() > end:
                raise TimeoutError("the window does not come to rest")
            app.processEvents()
            time.sleep(0.001)

    wait(lambda: session.state.pack is not None and readers.idle)
    broken = [entry.path.name for entry in library.listing() if entry.error]
    say(f"ready {len(session.state.creations)} {len(broken)}")
    session.set_setting("steps", 2)
    known = {creation.path for creation in session.state.creations}
    for cycle in range(cycles):
        session.random_mix()
        session.render()
        wait(lambda: session.state.render is None)
        for creation in session.state.creations:
            if creation.path not in known:
                known.add(creation.path)
                say(f"made {creation.path}")
        if cycle % 4 == 3 and session.state.creations:
            say(f"deleting {session.state.creations[-1].path}")
            session.delete_creations(session.state.creations[-1:])
            if cycle % 8 == 7:
                session.undo()
        if cycle % 5 == 4:
            session.import_pack(home / "another.partpack")
        if cycle % 5 == 0:
            others = [pack for pack in session.state.packs if pack.id != "fake-birds"]
            if others:
                session.remove_pack(others[0])
        settings.set(reduced_motion=cycle % 2 == 0, window={"cycle": cycle})
        wait(lambda: readers.idle)
    main_window.close()
    session.shutdown()
    return 0


def engine(home: Path, say: Say, jobs: int = 10**9) -> int:
    """An engine whose host renders one job after another; it is the host that is killed."""
    os.environ["PARTCRAFT_FAKE_SCRIPT"] = str(home / "script.json")
    pack = Pack.open(home / "packs" / "fake-birds")
    out = home / "creations"
    ended: list[object] = []

    def hear(event: Event) -> None:
        if isinstance(event.news, Rendered):
            say(f"made {event.news.creation.path}")
        elif isinstance(event.news, Finished | Failed | Cancelled):
            ended.append(event.news)

    host = ProcessHost(FAKES)
    started = Engine(hear, host)
    pid = 0
    for number in range(jobs):
        recipe = Recipe(pack.id, ("a ", Choice(0, number % 8), " bird"), seed=number, count=8, steps=6, size=64)
        before = len(ended)
        started.submit(Render(str(pack.path), recipe, str(out)))
        while len(ended) == before:
            if host.pid and host.pid != pid:
                pid = host.pid
                say(f"host {pid}")
            time.sleep(0.002)
        last = ended[-1]
        say(f"ended {type(last).__name__} {getattr(last, 'message', '')}")
    started.close()
    return 0


def render(home: Path, say: Say, jobs: int = 10**9) -> int:
    """The command line renders a tiny pack with real handlers, again and again."""
    say("ready")
    out = home / "creations"
    for number in range(jobs):
        words = ("--steps", "2", "--count", "3", "--seed", str(number), "--size", "64")
        code = command_line(
            ["render", "a <0:1> bird", "--pack", str(home / "packs" / "tiny"), "--out", str(out), *words]
        )
        if code:
            return code
        for path in sorted(out.glob("[!.]*.png")):
            say(f"made {path}")
    return 0


def training(home: Path, say: Say, run: str = "run") -> int:
    """The command line goes on with a run of tiny models until its pack is written."""
    say("ready")
    return command_line(["train", "--resume", str(home / "runs" / run)])
