"""From a click to the creature on the screen: ``python tests/bench/creature.py [CLICKS]``.

The real window offscreen with the starter pack (or a drawn one), without an engine. Each click takes a part of another
bird; what is measured is the time until the creature of that recipe was painted, beside the time that the same number
of paints of the unchanged window take, and the longest time that the window's own thread worked without a pause.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QApplication

from tests import fakes
from tests.bench.stalls import BAR_S, Gaps


def main(clicks: int = 60) -> int:
    """Print the figures; 1 where the window's own work took longer than the bar of ``stalls``."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["PARTCRAFT_HOME"] = home
        from engine.core.paths import starter_pack
        from engine.core.vocabulary import ABSENT
        from engine.packs.library import PackLibrary
        from engine.worker.engine import Engine
        from partcraft_desktop.app.background import BackgroundReader
        from partcraft_desktop.app.session import Session
        from partcraft_desktop.app.settings import Settings
        from partcraft_desktop.widgets.theme import Theme
        from partcraft_desktop.window.main_window import MainWindow

        if not (starter_pack() / "pack.json").is_file():
            print("(the starter pack is not here: a drawn one is used)")
            fakes.make_pack(Path(home) / "packs" / "drawn", codes=8, references=24)
        app = QApplication.instance() or QApplication(sys.argv[:1])
        assert isinstance(app, QApplication)
        settings = Settings(Path(home))
        look = Theme(app, settings)
        readers = BackgroundReader()
        session = Session(PackLibrary(), settings, readers, lambda outlet: Engine(outlet, host="process"))
        session.begin()
        window = MainWindow(session, readers)
        window.resize(1280, 832)
        window.show()

        def until(done: object) -> None:
            while callable(done) and not done():
                app.processEvents()

        until(lambda: session.state.reference is not None and readers.idle)
        pack = session.state.pack
        assert pack is not None

        def shown() -> bool:
            return session.state.creature.choices == session.state.recipe.choices

        chance = random.Random(1)
        offers = [
            (part.index, reference.codes[part.index], reference.id)
            for reference in pack.references
            for part in pack.vocabulary.visible_parts
            if reference.codes[part.index] != ABSENT
        ]
        times: list[float] = []
        gaps = Gaps()
        gaps.begin()
        for _ in range(clicks):
            part, code, source = chance.choice(offers)
            start = time.perf_counter()
            session.choose(part, code, source)
            until(shown)
            window.creature.canvas.repaint()
            times.append(time.perf_counter() - start)
        worst = gaps.end("while parts are chosen")
        paints: list[float] = []
        for _ in range(clicks):
            start = time.perf_counter()
            window.creature.canvas.repaint()
            paints.append(time.perf_counter() - start)
        first = times.pop(0)
        click, paint = statistics.median(times), statistics.median(paints)
        print(
            f"first click {first * 1e3:.0f} ms (scipy and the anatomy with it); "
            f"then from click to creature: median {click * 1e3:.1f} ms, slowest {max(times) * 1e3:.1f} ms; "
            f"a paint alone {paint * 1e3:.1f} ms; ratio {click / paint:.1f}"
        )
        session.shutdown()
        window.close()
        del look
    return 0 if worst <= BAR_S else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2])))
