"""The training pictures: bird number i of a flock is always the same bird in the same pose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from engine.aviary.drawing.attributes import PARTS, Bird, random_part
from engine.aviary.drawing.bird import Pose, draw_bird
from engine.aviary.drawing.species import PACK_SPECIES, SPECIES


@dataclass(frozen=True)
class BirdDataset:
    """An endless, numbered supply of birds whose five parts are drawn independently, so that nearly every one
    is a mixture. Held-out species never occur unless named.

    ``random_share`` of the parts have entirely random attributes, the others are the named species' parts.
    ``liveliness`` narrows the poses: half the range of the drawings, and all birds look right, so that a small
    model has less to learn and does not make creatures with a head at each end.
    """

    seed: int = 0
    names: tuple[str, ...] = PACK_SPECIES
    random_share: float = 0.25
    liveliness: float = 0.5

    def bird(self, index: int) -> tuple[Bird, Pose]:
        """Bird and pose number ``index``."""
        rng = np.random.default_rng((self.seed, index))
        parts, sources = {}, []
        for name in PARTS:
            if rng.random() < self.random_share:
                parts[name] = random_part(name, rng)
                sources.append("")
            else:
                sources.append(self.names[rng.integers(len(self.names))])
                parts[name] = SPECIES[sources[-1]].part(name)
        pose = replace(Pose.random(rng, self.liveliness), left=False)
        return Bird(**parts, sources=tuple(sources)), pose  # pyright: ignore[reportArgumentType]


def _draw_range(task: tuple[str, int, int, BirdDataset]) -> int:
    """Fill rows first..last of the pool's arrays (memory-mapped, so workers share them)."""
    folder, first, last, flock = task
    images = np.lib.format.open_memmap(f"{folder}/images.npy", "r+")
    labels = np.lib.format.open_memmap(f"{folder}/labels.npy", "r+")
    for row in range(first, last):
        bird, pose = flock.bird(row)
        drawing = draw_bird(bird, pose)
        images[row], labels[row] = drawing.image, drawing.labels
    return last - first


def make_pool(
    folder: Path, count: int, flock: BirdDataset, workers: int = 2, log: Callable[[str], None] = print
) -> tuple[np.ndarray, np.ndarray]:
    """The first ``count`` birds of a flock as memory-mapped arrays: images uint8 (N, 128, 128, 3) and labels
    uint8 (N, 128, 128), drawn into ``folder`` unless they are there already."""
    done, signature = folder / "done.txt", f"{count} {astuple(flock)}"
    if not (done.exists() and done.read_text() == signature):
        folder.mkdir(parents=True, exist_ok=True)
        for name, shape in (("images", (count, 128, 128, 3)), ("labels", (count, 128, 128))):
            np.lib.format.open_memmap(str(folder / f"{name}.npy"), "w+", np.uint8, shape).flush()
        tasks = [(str(folder), first, min(first + 500, count), flock) for first in range(0, count, 500)]
        drawn = 0
        with get_context("spawn").Pool(workers) as pool:
            for amount in pool.imap_unordered(_draw_range, tasks):
                drawn += amount
                if drawn % 5000 < 500:
                    log(f"drawn {drawn}/{count}")
            # Left in peace, so that their time is counted as this process's children's.
            pool.close()
            pool.join()
        done.write_text(signature)
    images, labels = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("images", "labels"))
    return images, labels
