"""What building the real window costs: ``python tests/bench/window_build.py``.

Built as the app builds it, the style sheet put on last, and beside it the same window built under the style sheet,
which is what it was before. Processor time, which other programs' load changes less; medians of windows built in turn.
The bar is 1.6 times less, for building it and having it painted.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

BAR = 1.6
WINDOWS = 20


def main() -> int:
    """Print the figures; 1 where the bar is missed."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["PARTCRAFT_HOME"] = home
        return measure(Path(home))


def measure(home: Path) -> int:
    """Build the windows in turn and print what they took."""
    from PySide6.QtCore import QEvent
    from PySide6.QtWidgets import QApplication, QWidget

    from engine.packs.library import PackLibrary
    from engine.worker.engine import Engine
    from partcraft_desktop.app.background import BackgroundReader
    from partcraft_desktop.app.session import Session
    from partcraft_desktop.app.settings import Settings
    from partcraft_desktop.widgets.theme import Theme, style_sheet_last
    from partcraft_desktop.window import main_window
    from tests import fakes

    app = QApplication(sys.argv[:1])
    fakes.make_pack(home / "packs" / "fake-birds")
    settings, readers = Settings(home), BackgroundReader()
    look = Theme(app, settings)
    session = Session(
        PackLibrary(bundled=home / "none"),
        settings,
        readers,
        lambda outlet: Engine(outlet, "thread", "tests.fakes:HANDLERS"),
    )
    session.begin()
    while session.state.reference is None:
        app.processEvents()

    def seconds(build_last: Callable[[], contextlib.AbstractContextManager[None]]) -> tuple[float, float]:
        main_window.style_sheet_last = build_last
        began = time.thread_time()
        window = main_window.MainWindow(session, readers)
        built = time.thread_time()
        window.show()
        app.processEvents()
        painted = time.thread_time()
        widgets.append(len(window.findChildren(QWidget)))
        window.close()
        window.deleteLater()
        app.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        return built - began, painted - began

    widgets: list[int] = []
    ways = {"style sheet last": style_sheet_last, "under the style sheet": contextlib.nullcontext}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(WINDOWS + 1):
        for name, way in ways.items():
            taken[name].append(seconds(way))
    medians = {
        name: [1000 * statistics.median(col) for col in zip(*rows[1:], strict=True)] for name, rows in taken.items()
    }
    print(f"a window of {widgets[-1]} widgets, {WINDOWS} of each kind, processor time of its thread:")
    for name, (built, painted) in medians.items():
        print(f"  {name:<22} built {built:6.1f} ms, built and painted {painted:6.1f} ms")
    last, under = medians.values()
    ratio = under[1] / last[1]
    print(f"  ratio: built {under[0] / last[0]:.2f}, built and painted {ratio:.2f} (bar {BAR})")
    session.shutdown()
    del look
    return 0 if ratio >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
