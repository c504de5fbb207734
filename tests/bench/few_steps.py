"""How many steps the starter needs: ``python -m tests.bench.few_steps [--count 64] [--steps 2 3 4 6 8 12 20]``.

Unseen mixes of four of the starter pack, the same seeds for each number of steps, freely and from their collages at the
starter's own freedom: what the aviary's judge sees (EMR, all five right), and the processor's seconds a picture, of
which the decoder's share is always the same. Exits 1 where 4 steps have less than 0.95 of the EMR of the most, or 8
steps less than 0.98 of it. With ``--out`` a sheet is kept there, a row for each number of steps.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from engine.aviary.build import picture_sheet
from engine.aviary.drawing.attributes import Bird
from engine.aviary.evaluation import judge_pictures
from engine.aviary.training.judge import Judge
from engine.core.paths import starter_pack
from engine.core.recipe import Recipe
from engine.core.start import Start, default_freedom
from engine.models.loader import Models
from engine.packs.pack import Pack
from engine.rendering.image_to_image import paint_from
from engine.rendering.painter import open_painter
from engine.rendering.start_picture import open_start
from tests.bench.collage_start import mixed_recipes

BARS = {4: 0.95, 8: 0.98}
SHOWN = 8


def main(argv: Sequence[str] | None = None) -> int:
    """Render, judge, print; 0 when both bars are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--seed", type=int, default=30)
    parser.add_argument("--steps", type=int, nargs="+", default=(2, 3, 4, 6, 8, 12, 20))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    models, pack = Models(device="cpu"), Pack.open(starter_pack())
    painter = open_painter(models, pack)
    mixes = mixed_recipes(pack, options.count, options.seed)

    def free(recipe: Recipe, steps: int) -> Image.Image:
        return painter.paint(recipe.prompt, (), [recipe.seed], steps=steps, guidance=recipe.guidance)[0]

    def from_collage(recipe: Recipe, steps: int) -> Image.Image:
        start = open_start(models, pack, painter, replace(recipe, start=Start(default_freedom(pack.base_model.id))))
        assert start is not None
        return paint_from(painter, start, recipe.prompt, (), [recipe.seed], steps=steps, guidance=recipe.guidance)[0]

    missed: list[str] = []
    for title, paint in (("free", free), ("from the collage", from_collage)):
        rates, rows = {}, []
        for steps in sorted(options.steps):
            rates[steps], pictures = _measured(title, steps, mixes, paint)
            rows.append(pictures[:SHOWN])
        most = rates[max(rates)]
        missed += [
            f"{title}, {steps} steps" for steps, bar in BARS.items() if steps in rates and rates[steps] < bar * most
        ]
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            picture_sheet(np.concatenate(rows), SHOWN).save(options.out / f"{title.replace(' ', '-')}.png")
    print("missed: " + "; ".join(missed) if missed else "both bars met")
    return 1 if missed else 0


def _measured(
    title: str, steps: int, mixes: Sequence[tuple[Bird, Recipe]], paint: Callable[[Recipe, int], Image.Image]
) -> tuple[float, np.ndarray]:
    """Paint and judge all mixes; prints what came out. Their EMR, and the pictures, uint8 (N, H, W, 3)."""
    began = time.process_time()
    pictures = np.stack([np.asarray(paint(recipe, steps)) for _, recipe in mixes])
    seconds = (time.process_time() - began) / len(mixes)
    result = judge_pictures(Judge.open(starter_pack().parent / "judge"), [bird for bird, _ in mixes], pictures)
    right = (result.asked == result.seen).all(1).mean()
    print(f"{title}, {steps} steps: EMR {result.emr:.3f}, all five {right:.3f}, {seconds:.2f} CPU s", flush=True)
    return result.emr, pictures


if __name__ == "__main__":
    sys.exit(main())
