"""How many birds are drawn in a second, one thread: ``python tests/bench/drawing.py``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from engine.aviary.drawing.bird import draw_bird
from engine.aviary.drawing.species import PACK_SPECIES, mixed_bird


def main(count: int = 200) -> None:
    """Draw, print one line."""
    generator = np.random.default_rng(3)
    began = time.perf_counter()
    for _ in range(count):
        draw_bird(mixed_bird(generator, PACK_SPECIES), generator)
    print(f"{count / (time.perf_counter() - began):.0f} pictures of 128 px a second")


if __name__ == "__main__":
    main()
