"""How long cut-outs and the ground behind them take: prints milliseconds of one thread (bars at 512 px: 8 and 25).

    python tests/bench/cut_outs.py [--sizes 512 2048] [--photo PICTURE LABELS]

The starter's references, stretched to each size: each part cut out, the body also completed beneath its wing and head,
and the ground filled. The work of the processor is counted, which other programs disturb less than the clock; of five
turns the quickest counts, and over the pictures the median and the slowest are printed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from PIL import Image

from engine.collage.cut_outs import cut_out, fill_ground
from engine.core.paths import starter_pack
from engine.core.segmentation import NO_PART

PICTURES = 8
HEAD, BODY, WING = 0, 1, 2


def main() -> None:
    """Measure and print three lines for each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 2048])
    parser.add_argument("--photo", nargs=2, metavar=("PICTURE", "LABELS"), help="instead of the starter's references")
    arguments = parser.parse_args()
    pack = starter_pack()
    names = sorted(path.name for path in (pack / "labels").iterdir())[:PICTURES]
    files = [(pack / "references" / name, pack / "labels" / name) for name in names]
    if arguments.photo:
        files = [(Path(arguments.photo[0]), Path(arguments.photo[1]))]
    for size in arguments.sizes:
        measure(files, size)


def measure(files: list[tuple[Path, Path]], size: int) -> None:
    """The work at one size of the pictures, by kinds."""
    part, body, ground = [], [], []
    for picture_file, labels_file in files:
        picture = np.asarray(Image.open(picture_file).convert("RGB").resize((size, size)))
        labels = np.asarray(Image.open(labels_file).resize((size, size), Image.Resampling.NEAREST))
        for index in np.unique(labels[labels != NO_PART]).tolist():
            part.append(milliseconds(lambda p=picture, m=labels, k=index: cut_out(p, m, k)))
        body.append(milliseconds(lambda p=picture, m=labels: cut_out(p, m, BODY, covered_by=(HEAD, WING))))
        ground.append(milliseconds(lambda p=picture, m=labels: fill_ground(p, m)))
    for name, times in (("a part", part), ("a body, completed", body), ("the ground", ground)):
        print(f"{size} px, {name}: {np.median(times):.1f} ms, slowest {max(times):.1f}", flush=True)


def milliseconds(call: Callable[[], object]) -> float:
    """The least work of five calls."""
    times = []
    for _ in range(5):
        begun = time.process_time()
        call()
        times.append(time.process_time() - begun)
    return 1000 * min(times)


if __name__ == "__main__":
    main()
