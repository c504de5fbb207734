"""What finding the parts of photographs costs: prints seconds and memory per 100 pictures, and the eyes' share.

    python tests/bench/discovery.py [FOLDER] [--eyes ID] [--many 1000] [--threads N]

Without a folder, 24 scenes are made: drawn birds over made textures. Each line is a process of its own: first one that
only looks (the eyes), then one that finds the parts of what was looked at (cuts, votes, clusters, a suggested number),
then another number of parts. ``--many`` copies the feature maps with noise until there are so many and finds parts in
those: memory and seconds a picture must not grow with the number (bar: 6,000 pictures within 8 GB). Seconds are of the
clock, those of the processor in brackets.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import torch
from PIL import Image

from engine.core.paths import cache_dir
from engine.models.dinov2_wheel import EYES
from engine.models.loader import Models
from engine.segmentation.dino import open_dino
from engine.segmentation.feature_cache import FeatureCache, compute_features, dino_cache_key
from engine.segmentation.find_parts import backbone_with, find_parts
from engine.segmentation.image_folder import identify_files, read_image_folder
from engine.worker.jobs import EyeSettings, FindParts
from tests.engine.segmentation.scenes import make_scenes


def main() -> None:
    """Measure and print a line for each stage."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", default="")
    parser.add_argument("--eyes", default=EYES)
    parser.add_argument("--many", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--stage", default="", help=argparse.SUPPRESS)
    parser.add_argument("--parts", type=int, default=0, help=argparse.SUPPRESS)
    words = parser.parse_args()
    torch.set_num_threads(words.threads)
    if words.stage:
        stage(words.stage, words.folder, words.eyes, words.parts, words.many)
        return
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["PARTCRAFT_HOME"] = scratch
        folder = words.folder or str(scenes(Path(scratch) / "scenes"))
        looked = run("look", folder, words, "the eyes alone")
        found = run("find", folder, words, "the rest, with a suggested number")
        run("find", folder, words, "another number of parts", 6)
        print(f"  all of it takes {(looked + found) / looked:.2f} times the eyes (processor)")
        if words.many:
            many = str(Path(scratch) / "many")
            run("copy", folder, words, "")
            run("find", many, words, "the rest, with a suggested number")


def run(name: str, folder: str, words: argparse.Namespace, label: str, parts: int = 0) -> float:
    """A stage in a process of its own; prints its line and returns its seconds of processor a picture."""
    command = [sys.executable, __file__, folder, "--eyes", words.eyes, "--threads", str(words.threads)]
    command += ["--stage", name, "--parts", str(parts), "--many", str(words.many)]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    if not label:
        return 0.0
    pictures, took, work, peak = int(told[0]), float(told[1]), float(told[2]), float(told[3])
    each = 100 / pictures
    print(
        f"{Path(folder).name}, {pictures} pictures, {label}: {took * each:.1f} s ({work * each:.1f}) per 100 pictures, "
        f"{peak:.2f} GB at the peak",
        flush=True,
    )
    return work / pictures


def stage(name: str, folder: str, eyes: str, parts: int, many: int) -> None:
    """Do one stage and print pictures, seconds, seconds of processor, peak memory in GB."""
    models = Models(device="cpu")
    pictures = read_image_folder(Path(folder), lambda _news: None).pictures
    backbone = backbone_with(models, eyes, EyeSettings())
    begun, worked = time.perf_counter(), time.process_time()
    if name == "look":
        compute_features(open_dino(models, backbone), pictures, lambda _news: None)
    elif name == "copy":
        copies(FeatureCache(cache_dir() / "features" / dino_cache_key(backbone)), pictures, many)
    else:
        find_parts(models, FindParts(folder, parts, eyes), lambda _news: None)
    took, work = time.perf_counter() - begun, time.process_time() - worked
    print(len(pictures), took, work, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)


def scenes(folder: Path) -> Path:
    """24 scenes as PNGs in a folder."""
    folder.mkdir()
    for index, scene in enumerate(make_scenes(24)):
        Image.fromarray(scene.image).save(folder / f"{index}.png")
    return folder


def copies(cache: FeatureCache, pictures: Sequence[Path], count: int) -> None:
    """Different small pictures, and maps for them in the cache: those of real pictures, mirrored, with noise."""
    folder = cache_dir().parent / "many"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for index in range(count):
        field = np.kron(generator.integers(0, 255, (6, 6, 3), np.uint8), np.ones((16, 16, 1), np.uint8))
        Image.fromarray(field).save(folder / f"{index}.bmp")
    maps = [cache[one.digest].read() for one in identify_files(pictures, lambda _news: None)]
    spread = float(np.std(maps[0]))
    digests = [one.digest for one in identify_files(sorted(folder.iterdir()), lambda _news: None)]
    for start in range(0, count, 16):
        batch = {}
        for digest in digests[start : start + 16]:
            cells = maps[generator.integers(len(maps))].astype(np.float32)
            cells = cells[:, ::-1] if generator.integers(2) else cells
            noise = generator.standard_normal(cells.shape, np.float32) * (0.3 * spread)
            batch[digest] = np.moveaxis(cells + noise, 2, 0)
        cache.add(batch)


if __name__ == "__main__":
    main()
