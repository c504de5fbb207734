"""How long from starting Qt to the first paint of the real window: ``python tests/bench/first_paint.py``.

Each run is a fresh process. From the creation of QApplication (the bar: 0.3 s), how much of it the thread of the
window was busy (which other programs' load changes less), and from the start of the interpreter.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Never

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY))


BAR_S = 0.3
RUNS = 7


def once() -> None:
    """In a fresh process: open the window, print the seconds, leave."""
    import time

    began = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC) + _process_start()
    from PySide6.QtWidgets import QApplication

    from engine.core.paths import data_dir
    from engine.packs.library import PackLibrary
    from partcraft_desktop.app.background import BackgroundReader
    from partcraft_desktop.app.session import Session
    from partcraft_desktop.app.settings import Settings
    from partcraft_desktop.widgets.theme import Theme
    from partcraft_desktop.window.main_window import MainWindow

    starting_qt, busy = time.perf_counter(), time.thread_time()
    app = QApplication(sys.argv[:1])
    settings = Settings(data_dir())
    look = Theme(app, settings)
    readers = BackgroundReader()
    session = Session(PackLibrary(), settings, readers, lambda outlet: _no_engine())
    session.begin()
    window = MainWindow(session, readers)

    def painted() -> None:
        wall, cpu = time.perf_counter() - starting_qt, time.thread_time() - busy
        print(f"{wall:.4f} {cpu:.4f} {time.time() - began:.4f}", flush=True)
        app.quit()

    window.painted.connect(painted)
    window.show()
    app.exec()
    session.shutdown()
    del look


def _process_start() -> float:
    """When this process started, in seconds since boot."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _no_engine() -> Never:
    raise RuntimeError("this measurement needs no engine")


def main() -> int:
    """Print the figures; 1 where the bar is missed."""
    from tests import fakes

    with tempfile.TemporaryDirectory() as home:
        fakes.make_pack(Path(home) / "packs" / "fake-birds", codes=8, references=24)
        environment = {**os.environ, "PARTCRAFT_HOME": home, "PYTHONPYCACHEPREFIX": f"{home}/bytecode"}
        environment.setdefault("QT_QPA_PLATFORM", "offscreen")
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        runs: list[tuple[float, float, float]] = []
        for run in range(RUNS + 1):
            done = subprocess.run(
                [sys.executable, __file__, "once"], env=environment, capture_output=True, text=True, check=True
            )
            if run:  # The first run compiles and fills the disk cache.
                wall, cpu, whole = map(float, done.stdout.split())
                runs.append((wall, cpu, whole))
    walls, cpus, wholes = zip(*runs, strict=True)
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    print(f"first paint after starting Qt: median {statistics.median(walls):.3f} s, worst {max(walls):.3f} s")
    print(f"  of which busy: median {statistics.median(cpus):.3f} s (the machine's load is {load:.1f} a core)")
    print(f"first paint after starting Python: median {statistics.median(wholes):.3f} s")
    return 0 if statistics.median(walls) <= BAR_S else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["once"]:
        once()
    else:
        sys.exit(main())
