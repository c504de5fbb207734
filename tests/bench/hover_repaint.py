"""How long a hover takes to be seen: ``python -m tests.bench.hover_repaint`` (a 4K picture with 16 parts).

Sends mouse moves from part to part over the real canvas and times each until its repaint is done, for the whole
picture and enlarged, for the first time (a part's lit look is painted then, if it was not painted ahead) and later.
Prints milliseconds of this thread's CPU time, so that a busy machine does not count, and of the wall clock. Exits 1
when the 95th percentile of the later ones is above the bar.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable
from typing import Any

BAR_MS = 8.0


def main(argv: list[str] | None = None) -> int:
    """Measure and print; 0 when the bar is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--view", default="1920x1200", help="size of the canvas in device pixels")
    parser.add_argument("--ratio", default="1", help="device pixel ratio, as QT_SCALE_FACTOR")
    parser.add_argument("--rounds", type=int, default=8)
    words = parser.parse_args(argv)
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ["QT_SCALE_FACTOR"] = words.ratio
    width, height = (int(side) for side in words.view.split("x"))
    return measure(width, height, float(words.ratio), words.rounds)


def measure(width: int, height: int, ratio: float, rounds: int) -> int:
    """Time hovers over a canvas of ``width`` x ``height`` device pixels."""
    import numpy as np
    from PIL import Image
    from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
    from PySide6.QtGui import QColor, QMouseEvent, QRegion
    from PySide6.QtWidgets import QApplication

    from engine.core.segmentation import NO_PART, Segmentation
    from partcraft_desktop.reference.canvas import PictureCanvas
    from partcraft_desktop.reference.part_label import PartLabel
    from partcraft_desktop.widgets.images import PictureLevels
    from partcraft_desktop.widgets.part_outlines import shapes_of

    app = QApplication.instance() or QApplication(sys.argv[:1])
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:2160, 0:3840].astype(np.float32)
    # Sixteen wavy blobs that touch each other, as parts do.
    centres = [(480 + 960 * column, 270 + 540 * row) for row in range(4) for column in range(4)]
    wave = 60 * np.sin(x / 90) + 60 * np.cos(y / 70)
    distance = np.stack([(x - cx) ** 2 + ((y - cy) * 1.6) ** 2 + wave * 900 for cx, cy in centres])
    labels = distance.argmin(axis=0).astype(np.uint8)
    labels[distance.min(axis=0) > 560**2] = NO_PART
    noise = rng.integers(0, 255, (270, 480, 3), np.uint8)
    picture = Image.fromarray(noise).resize((3840, 2160), Image.Resampling.BICUBIC)

    segmentation = Segmentation(labels, tuple(range(16)))
    start = time.perf_counter()
    shapes = shapes_of(segmentation, range(16))
    shaped = time.perf_counter() - start
    start = time.perf_counter()
    levels = PictureLevels.of(picture)
    levelled = time.perf_counter() - start
    names = {
        part: PartLabel(part, f"part {part}", f"code {part}", QColor.fromHsv(part * 22, 200, 230), part)
        for part in shapes
    }

    class Timed(PictureCanvas):
        """Keeps what is to be painted again, so that it can be painted while the clock runs."""

        dirty = QRegion()

        def update(self, *what: Any) -> None:
            self.dirty = QRegion(*what) if what else QRegion(self.rect())

    canvas = Timed()
    canvas.resize(round(width / ratio), round(height / ratio))
    canvas.show_picture(levels, segmentation, shapes, names)
    canvas.set_chosen({0, 5, 10})
    canvas.show()
    app.processEvents()

    def hover(point: QPoint | QPointF) -> tuple[float, float]:
        at = QPointF(point)
        nothing = Qt.MouseButton.NoButton
        move = QMouseEvent(
            QEvent.Type.MouseMove, at, canvas.mapToGlobal(at), nothing, nothing, Qt.KeyboardModifier.NoModifier
        )
        begun, clock = time.thread_time(), time.perf_counter()
        QApplication.sendEvent(canvas, move)
        # What the event loop would paint before it sleeps.
        canvas.repaint(canvas.dirty)
        return (time.thread_time() - begun) * 1000, (time.perf_counter() - clock) * 1000

    def walk() -> list[tuple[float, float]]:
        return [hover(at) for part in shapes if (at := canvas.centre_of(part)) and canvas.rect().contains(at)]

    print(f"picture 3840x2160, {len(shapes)} parts, view {width}x{height} at ratio {ratio:g}")
    print(f"  off the Qt thread: outlines {shaped * 1000:.0f} ms, levels {levelled * 1000:.0f} ms")
    worst = 0.0
    for name, zoom in (("whole", 1.0), ("enlarged 3x", 3.0)):
        if zoom != 1.0:
            canvas.zoom(zoom)
        begun = time.perf_counter()
        canvas.repaint()
        print(f"  {name}: all layers painted anew {(time.perf_counter() - begun) * 1000:.1f} ms")
        _line(f"{name}, first time", walk())
        app.processEvents()
        warm = [figure for _ in range(rounds) for figure in walk()]
        worst = max(worst, _line(f"{name}, later", warm))
    print(f"  bar: {BAR_MS:g} ms; {'met' if worst <= BAR_MS else 'MISSED'}")
    return 0 if worst <= BAR_MS else 1


def _line(name: str, figures: Iterable[tuple[float, float]]) -> float:
    cpu, wall = (sorted(each) for each in zip(*figures, strict=True))
    median, late = cpu[len(cpu) // 2], cpu[min(len(cpu) - 1, int(len(cpu) * 0.95))]
    print(
        f"  hover, {name}: median {median:.2f} ms, 95 % {late:.2f}, worst {cpu[-1]:.2f}"
        f" (wall: median {wall[len(wall) // 2]:.2f}, worst {wall[-1]:.2f}), n {len(cpu)}"
    )
    return late


if __name__ == "__main__":
    sys.exit(main())
