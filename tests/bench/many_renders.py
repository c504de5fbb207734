"""Whether memory stays flat over many renders: ``python -m tests.bench.many_renders [--count 50]``.

Renders the starter pack's mixes one after another as the engine does, each with a sketch of its collage before it, and
prints the most memory the process ever took after each ten. Exits 1 where that is more than 3% higher at the end than
after the first ten.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace

import torch

from engine.core.paths import starter_pack
from engine.core.start import Start
from engine.handlers import HANDLERS
from engine.models.loader import Models
from engine.packs.pack import Pack
from engine.worker.collage_jobs import Sketch
from engine.worker.jobs import Job, News, Render
from tests.bench.collage_start import mixed_recipes

MOST = 1.03


def main(argv: Sequence[str] | None = None) -> int:
    """Render, print; 0 when memory stays flat."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    models, pack = Models(device="cpu"), Pack.open(starter_pack())

    def do(job: Job) -> None:
        HANDLERS[type(job)](models, job, lambda news: _nothing(news))

    peaks: list[int] = []
    with tempfile.TemporaryDirectory() as out:
        for number, (_, recipe) in enumerate(mixed_recipes(pack, options.count, 40), 1):
            free = number % 2 == 0
            begun = replace(recipe, start=Start(0.4))
            do(Sketch(str(pack.path), replace(begun, steps=4)))
            do(Render(str(pack.path), recipe if free else begun, out))
            if number % 10 == 0:
                peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
                print(f"{number} renders: {peaks[-1]:,} (kilobytes; bytes on a Mac)", flush=True)
    ratio = peaks[-1] / peaks[0]
    print(f"the end beside the first ten: {ratio:.3f} (bar {MOST})")
    return 1 if ratio > MOST else 0


def _nothing(_news: News) -> None: ...


if __name__ == "__main__":
    sys.exit(main())
