"""What correcting a few pictures by hand does to the others, on scenes with truth.

    python tests/bench/corrections.py [SEED]

A simulated person corrects the worst pictures with dabs wherever a patch is wrong, foreground or part. Printed are the
foreground IoU and the parts mIoU of the pictures that were not corrected, before and after. Needs DINOv2-small; grounds
are corners of ``../shared/photos/birds`` where those are. Weights and guards were chosen on the
scenes of seed 0; others say what to expect. Minutes; no bar.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from PIL import Image
from scipy.ndimage import binary_erosion
from scipy.optimize import linear_sum_assignment

from engine.aviary.drawing.attributes import PARTS
from engine.core.correction import Correction
from engine.core.segmentation import NO_PART
from engine.models.dinov2_wheel import EYES
from engine.models.loader import Models
from engine.segmentation.find_parts import find_parts
from engine.worker.jobs import FindParts, PartsFound
from tests.conftest import REPOSITORY
from tests.engine.segmentation.scenes import make_scenes

SCENES: Final = 30
CLUSTERS: Final = 6
CORRECTED: Final = (1, 2, 3, 6, 10)
RADIUS: Final = 0.03
PHOTOS: Final = REPOSITORY.parent / "shared" / "photos" / "birds"


def main() -> None:
    """Print a line for each number of corrected pictures."""
    photos = sorted(PHOTOS.rglob("*.jpg")) if PHOTOS.is_dir() else []
    scenes = make_scenes(SCENES, photos, int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    models = Models()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["PARTCRAFT_HOME"] = scratch
        place = str(Path(scratch) / "scenes")
        Path(place).mkdir()
        for number, scene in enumerate(scenes):
            Image.fromarray(scene.image).save(Path(place) / f"{number:02d}.png")

        def look(corrections: Sequence[Correction] = ()) -> tuple[PartsFound, float]:
            job = FindParts(place, CLUSTERS, EYES, show=SCENES, corrections=tuple(corrections))
            began = time.perf_counter()
            return find_parts(models, job, lambda _news: None), time.perf_counter() - began

        first, _ = look()
        truths = [_shrunk(scene.truth, seen.labels.shape) for scene, seen in zip(scenes, first.wall, strict=True)]
        everything = range(SCENES)
        _, _, part_of = scores(first, truths, everything)
        worst = sorted(everything, key=lambda index: scores(first, truths, [index])[0])
        for count in CORRECTED:
            others = sorted(set(everything) - set(worst[:count]))
            dabs = [dab for index in worst[:count] for dab in dabs_in(first, truths, part_of, index)]
            after, seconds = look(dabs)
            (front, parts, _), (new_front, new_parts, _) = scores(first, truths, others), scores(after, truths, others)
            print(
                f"{count:2d} corrected with {len(dabs):3d} dabs: the others' foreground {front:.3f} to {new_front:.3f},"
                f" parts {parts:.3f} to {new_parts:.3f}; {seconds:.1f} s",
                flush=True,
            )


def scores(
    found: PartsFound, truths: Sequence[np.ndarray], which: Sequence[int]
) -> tuple[float, float, dict[int, int]]:
    """Foreground IoU and parts mIoU of some pictures, and which found part is which true one."""
    table = np.zeros((len(found.members), len(PARTS)))
    found_size, true_size, front = np.zeros(len(found.members)), np.zeros(len(PARTS)), []
    for index in which:
        labels, truth = found.wall[index].labels, truths[index]
        one, other = labels != NO_PART, truth != NO_PART
        front.append((one & other).sum() / max((one | other).sum(), 1))
        for true in range(len(PARTS)):
            table[:, true] += np.bincount(labels[(truth == true) & one], minlength=len(table))[: len(table)]
            true_size[true] += (truth == true).sum()
        found_size += np.bincount(labels[one], minlength=len(table))[: len(table)]
    iou = table / np.maximum(found_size[:, None] + true_size - table, 1)
    rows, columns = linear_sum_assignment(-iou)
    part_of = dict(zip(columns.tolist(), rows.tolist(), strict=True))
    return float(np.mean(front)), float(iou[rows, columns].sum() / len(PARTS)), part_of


def dabs_in(found: PartsFound, truths: Sequence[np.ndarray], part_of: dict[int, int], index: int) -> list[Correction]:
    """What a patient person would paint in a picture."""
    seen, truth = found.wall[index], truths[index]
    wrong = [(None, (seen.labels != NO_PART) & (truth == NO_PART))]
    wrong += [(part, (truth == true) & (seen.labels != part)) for true, part in part_of.items()]
    height, width = truth.shape
    dabs = []
    for label, mask in wrong:
        for y, x in np.argwhere(binary_erosion(mask, iterations=4))[::12][:60].tolist():
            point = ((x + 0.5) / width, (y + 0.5) / height)
            dabs.append(Correction(Path(seen.picture).name, label, (point,), (RADIUS, RADIUS)))
    return dabs


def _shrunk(truth: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(Image.fromarray(truth).resize((shape[1], shape[0]), Image.Resampling.NEAREST))


if __name__ == "__main__":
    main()
