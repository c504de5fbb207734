"""The longest time the window did not answer while the engine loads and renders: ``python tests/bench/stalls.py``.

The real window and the real engine process, with the starter pack if it is here, else with a tiny random one. A timer
of 1 ms measures the gaps between two turns of the event loop, in wall time and in processor time of the window's own
thread. Other programs' load lengthens the first, hardly the second: what the window itself does too long shows in both.
The same gaps without an engine tell what the machine adds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY))

from PySide6.QtCore import QElapsedTimer, QObject, Qt, QTimer  # noqa: E402
from PySide6.QtWidgets import QApplication  # noqa: E402

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


BAR_S = 0.05
MAKE_TINY = """
import sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from engine.segmentation.discover import discover
from engine.worker.jobs import Discover, EyeSettings
from engine.models.lora import add_lora, lora_state, save_lora
from engine.models.loader import Models
from engine.models.part_tokens import PartTokens
from tests.engine.tiny import WIDTH, make_base, make_eyes, make_pictures
home = Path(sys.argv[1])
world = home / "models"
make_base(world / "base"); make_eyes(world / "eyes"); make_pictures(world / "pictures")
models = Models(device="cpu")
out = home / "packs" / "tiny"
discover(models, Discover(str(world / "pictures"), str(out), 4, 3, "bird", str(world / "eyes"), str(world / "base"),
         part_names=["head", "wing", "tail", "body"], eye_settings=EyeSettings(image_size=64)), lambda news: None)
save_file(PartTokens(4, 3, WIDTH).tensors(), out / "tokens.safetensors")
unet = models.own_pipeline(str(world / "base")).unet
add_lora(unet, 2)
save_lora({name: torch.randn_like(value) * 0.1 for name, value in lora_state(unet).items()}, out / "lora.safetensors")
"""


class Gaps(QObject):
    """Measures from :meth:`begin` to :meth:`end`."""

    def __init__(self) -> None:
        super().__init__()
        self._timer = QTimer(self, interval=1, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._turn)
        self._clock = QElapsedTimer()
        self._busy = 0.0
        self.wall: list[float] = []
        self.own: list[float] = []

    def begin(self) -> None:
        self.wall, self.own = [], []
        self._clock.start()
        self._busy = time.thread_time()
        self._timer.start()

    def _turn(self) -> None:
        self.wall.append(self._clock.nsecsElapsed() / 1e9)
        busy = time.thread_time()
        self.own.append(busy - self._busy)
        self._clock.restart()
        self._busy = busy

    def end(self, what: str) -> float:
        """Print what was measured; the worst gap in processor time, seconds."""
        self._timer.stop()
        wall = sorted(self.wall)
        late = sum(1 for gap in wall if gap > BAR_S)
        print(
            f"{what:38} worst {max(wall) * 1e3:6.1f} ms, 99.9% {wall[int(len(wall) * 0.999)] * 1e3:6.1f} ms, "
            f"{late} over 50 ms of {len(wall)}; of its own work {max(self.own) * 1e3:5.1f} ms"
        )
        return max(self.own)


def main() -> int:
    """Print the figures; 1 where the window's own work took longer than the bar."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["PARTCRAFT_HOME"] = home
        os.environ["HF_HUB_OFFLINE"] = "1"
        from engine.core.paths import starter_pack
        from engine.packs.library import PackLibrary

        if not (starter_pack() / "pack.json").is_file():
            print("(the starter pack is not here: a tiny random one is used)")
            subprocess.run([sys.executable, "-c", MAKE_TINY, home], cwd=REPOSITORY, check=True, capture_output=True)

        from engine.worker.engine import Engine
        from partcraft_desktop.app.background import BackgroundReader
        from partcraft_desktop.app.session import Session
        from partcraft_desktop.app.settings import Settings
        from partcraft_desktop.widgets.theme import Theme
        from partcraft_desktop.window.main_window import MainWindow

        app = QApplication.instance() or QApplication(sys.argv[:1])
        assert isinstance(app, QApplication)
        settings = Settings(Path(home))
        look = Theme(app, settings)
        readers = BackgroundReader()
        session = Session(PackLibrary(), settings, readers, lambda outlet: Engine(outlet, host="process"))
        session.message.connect(lambda said: print("   said:", said.text, said.hint))
        session.begin()
        window = MainWindow(session, readers)
        window.resize(1280, 832)
        window.show()

        def run(seconds: float, until: object = None) -> None:
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline and not (callable(until) and until()):
                app.processEvents()
                time.sleep(0.0005)

        run(2)
        gaps = Gaps()
        gaps.begin()
        run(5)
        gaps.end("without an engine")
        gaps.begin()
        session.start_engine()
        run(300, lambda: session.state.engine in ("ready", "failed"))
        worst = gaps.end(f"while it loads the models ({session.state.engine})")
        session.random_mix()
        session.set_setting("count", 4)
        run(0.5)
        gaps.begin()
        session.render()
        run(300, lambda: session.state.render is None)
        worst = max(worst, gaps.end(f"while it renders ({len(session.state.creations)} creations)"))
        session.shutdown()
        window.close()
        del look
    return 0 if worst <= BAR_S else 1


if __name__ == "__main__":
    sys.exit(main())
