"""The training pictures: bird number i of a pool is always the same bird in the same pose."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from engine.aviary.drawing import Pose, draw
from engine.aviary.species import PACK_SPECIES, PARTS, SPECIES, Bird, random_part

#: Share of parts with entirely random attributes; the others are the pack species' parts.
RANDOM_SHARE = 0.25

#: Poses of the training pictures: half the range of the drawings, so that a small model can learn them.
LIVELINESS = 0.5


def bird_at(index: int, seed: int = 0) -> tuple[Bird, Pose]:
    """Bird and pose number `index` of the pool `seed`: every part drawn independently, so that
    nearly every bird is a mixture. Held-out species never occur."""
    rng = np.random.default_rng((seed, index))
    parts, sources = {}, []
    for name in PARTS:
        if rng.random() < RANDOM_SHARE:
            parts[name] = random_part(name, rng)
            sources.append("")
        else:
            sources.append(PACK_SPECIES[rng.integers(len(PACK_SPECIES))])
            parts[name] = SPECIES[sources[-1]].part(name)
    return Bird(**parts, sources=tuple(sources)), Pose.random(rng, LIVELINESS)  # pyright: ignore[reportArgumentType]




def _draw_range(task: tuple[str, int, int, int, int]) -> int:
    """Fill rows first..last of the pool's arrays (memory-mapped, so workers share them)."""
    folder, first, last, count, seed = task
    images = np.lib.format.open_memmap(f"{folder}/images.npy", "r+")
    labels = np.lib.format.open_memmap(f"{folder}/labels.npy", "r+")
    for row in range(first, last):
        bird, pose = bird_at(row, seed)
        drawing = draw(bird, pose)
        images[row], labels[row] = drawing.image, drawing.labels
    return last - first


def make_pool(folder: Path, count: int, seed: int = 0, workers: int = 2, log: Callable[[str], None] = print) -> None:
    """Draw `count` pictures into folder/images.npy uint8 (N, 128, 128, 3) and labels.npy (N, 128, 128).
    Does nothing when the pool is already whole."""
    done = folder / "done.txt"
    if done.exists() and done.read_text() == f"{count} {seed}":
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, shape in (("images", (count, 128, 128, 3)), ("labels", (count, 128, 128))):
        np.lib.format.open_memmap(str(folder / f"{name}.npy"), "w+", np.uint8, shape).flush()
    tasks = [(str(folder), first, min(first + 500, count), count, seed) for first in range(0, count, 500)]
    drawn = 0
    with get_context("spawn").Pool(workers) as pool:
        for amount in pool.imap_unordered(_draw_range, tasks):
            drawn += amount
            if drawn % 5000 < 500:
                log(f"drawn {drawn}/{count}")
    done.write_text(f"{count} {seed}")
