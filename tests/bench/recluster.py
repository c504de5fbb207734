"""How long another number of parts takes on a folder that was looked at before: prints seconds (bar: 2).

    python tests/bench/recluster.py [FOLDER] [--pictures 6000] [--threads N]

First the folder (the starter's practice pictures unless another is named) with the starter's eyes: each number of
parts is asked for once, after a first call that looks at the pictures. Then as many synthetic pictures as asked: their
files are fields of colour, their features random rows around six directions, put straight into the cache, because
looking at thousands would take long and say nothing about re-clustering. Seconds are by the clock, and those of the
processor beside them, which other programs do not disturb.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import torch
from PIL import Image

from engine.core.paths import cache_dir, resources_dir, starter_pack
from engine.models.loader import Models
from engine.packs.pack import Pack
from engine.segmentation.feature_cache import FeatureCache, dino_cache_key
from engine.segmentation.find_parts import find_parts
from engine.segmentation.image_folder import identify_files
from engine.worker.jobs import FindParts


def main() -> None:
    """Measure and print a line for each number of parts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", default=str(resources_dir() / "starter" / "practice"))
    parser.add_argument("--pictures", type=int, default=6000)
    parser.add_argument("--threads", type=int, default=2)
    words = parser.parse_args()
    torch.set_num_threads(words.threads)
    models = Models(device="cpu")
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["PARTCRAFT_HOME"] = scratch
        measure(models, str(Path(words.folder).absolute()))
        if words.pictures:
            folder = Path(scratch) / "synthetic"
            make_pictures(folder, words.pictures)
            measure(models, str(folder))


def measure(models: Models, folder: str) -> None:
    """The first call, then others."""
    told = seconds(models, folder, 0)
    print(f"{folder}: {told[2]} pictures; the first look, with a suggestion: {told[0]:.2f} s ({told[1]:.2f} s of work)")
    for parts in (4, 5, 6, 8):
        took, work, _ = seconds(models, folder, parts)
        print(f"  {parts} parts: {took:.2f} s ({work:.2f} s of work; bar 2)", flush=True)


def seconds(models: Models, folder: str, parts: int) -> tuple[float, float, int]:
    """How long finding so many parts takes, how much work it is, and in how many pictures."""
    begun, worked = time.perf_counter(), time.process_time()
    found = find_parts(models, FindParts(folder, parts), lambda _news: None)
    return time.perf_counter() - begun, time.process_time() - worked, found.pictures


def make_pictures(folder: Path, count: int) -> None:
    """Different pictures, and feature maps for them in the cache: a border of background around five kinds."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for index in range(count):
        fields = np.kron(generator.integers(0, 255, (6, 6, 3), np.uint8), np.ones((16, 16, 1), np.uint8))
        Image.fromarray(fields).save(folder / f"{index}.bmp")
    backbone = Pack.open(starter_pack()).backbone
    side, width = backbone.image_size // backbone.patch, Pack.open(starter_pack()).codebook().width
    kinds = generator.standard_normal((6, width))
    place = np.zeros((side, side), int)
    place[5:-5, 5:-5] = 1 + np.arange(side - 10)[:, None] * 5 // (side - 10)
    cache = FeatureCache(cache_dir() / "features" / dino_cache_key(backbone))
    digests = [one.digest for one in identify_files(sorted(folder.iterdir()), lambda _news: None)]
    for start in range(0, count, 16):
        noise = generator.standard_normal((16, side, side, width)) * 0.8
        maps = np.moveaxis(kinds[place][None] + noise, 3, 1).astype(np.float32)
        cache.add(dict(zip(digests[start : start + 16], maps, strict=False)))


if __name__ == "__main__":
    main()
