"""What "keep trying" gains: ``python -m tests.bench.keep_trying [--count 64] [--tries 4] [--steps 8]``.

Unseen mixes of four species of the starter are rendered with several seeds each. Prints the exact match rate by the
aviary's judge, and the share of pictures with all parts right, of the first seed, of the best by the pack's receipts
(stopping as the app does), and of the best by the judge itself, which no choice can beat; each with its 95% interval
over mixes; how many tries were made; and how well receipts and judge agree (Cohen's kappa). Exits 1 where the best by
receipts misses the bar.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from engine.aviary.evaluation import true_classes
from engine.aviary.training.judge import Judge
from engine.core.paths import starter_pack
from engine.core.recipe import Receipt
from engine.models.loader import Models
from engine.packs.pack import Pack
from engine.rendering.keep_trying import best_of, seeds_to_try
from engine.rendering.painter import open_painter
from engine.rendering.receipts import receipt_of
from tests.bench.collage_start import mixed_recipes

BAR = 0.99
BATCH = 8
RESAMPLES = 10_000


def main(argv: Sequence[str] | None = None) -> int:
    """Render, choose, judge, print; 0 when the bar is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--tries", type=int, default=4)
    parser.add_argument("--steps", type=int, default=0, help="0: the pack's own")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    models, pack = Models(device="cpu"), Pack.open(starter_pack())
    painter, judge = open_painter(models, pack), Judge.open(starter_pack().parent / "judge")
    birds, plain = zip(*mixed_recipes(pack, options.count, options.seed), strict=True)
    # Each mix has seeds of its own, as one recipe a render has in the app.
    recipes = [replace(recipe, tries=options.tries, seed=recipe.seed * 1000) for recipe in plain]
    truth = true_classes(birds)
    wanted = [(number, seed) for number, recipe in enumerate(recipes) for seed in seeds_to_try(recipe, 0)]
    pictures: dict[tuple[int, int], Image.Image] = {}
    for first in range(0, len(wanted), BATCH):
        some = wanted[first : first + BATCH]
        painted = painter.paint_each(
            [recipes[number].prompt for number, _ in some], [seed for _, seed in some],
            steps=options.steps or recipes[0].steps, guidance=recipes[0].guidance,
        )  # fmt: skip
        pictures |= dict(zip(some, painted, strict=True))
        print(f"{len(pictures)} of {len(wanted)}", file=sys.stderr, flush=True)
    receipts: dict[tuple[int, int], Receipt] = {
        key: receipt_of(models, pack, picture, recipes[key[0]]) for key, picture in pictures.items()
    }
    verdicts = judge.verdicts(np.stack([np.asarray(pictures[key]) for key in wanted]))
    right = {key: verdict == truth[key[0]] for key, verdict in zip(wanted, verdicts, strict=True)}
    chosen: dict[str, list[np.ndarray]] = {"first seed": [], "best by receipts": [], "best by the judge": []}
    made = []
    for number, recipe in enumerate(recipes):
        seeds = seeds_to_try(recipe, 0)
        tried: list[int] = []

        def paint(seed: int, _words: str, number: int = number, tried: list[int] = tried) -> Image.Image:
            tried.append(seed)
            return pictures[number, seed]

        best = best_of(seeds, paint, lambda _, seed, number=number: receipts[number, seed], pack.vocabulary)
        made.append(len(tried))
        chosen["first seed"].append(right[number, seeds[0]])
        chosen["best by receipts"].append(right[number, best.seed])
        chosen["best by the judge"].append(max((right[number, seed] for seed in seeds), key=lambda one: one.sum()))
    rows = np.random.default_rng(0).integers(0, options.count, (RESAMPLES, options.count))
    print(f"{options.count} mixes of four, up to {options.tries} tries, {options.steps or recipes[0].steps} steps")
    for name, seen in chosen.items():
        each = np.stack(seen).mean(1)
        low, high = np.quantile(each[rows].mean(1), (0.025, 0.975))
        print(f"{name}: EMR {each.mean():.3f} [{low:.3f}, {high:.3f}], all parts right {(each == 1).mean():.3f}")
    said = np.array([[arrival.arrived for arrival in receipts[key]] for key in wanted])
    known = np.stack([right[key] for key in wanted])
    print(f"{np.mean(made):.2f} tries a picture; kappa of receipts and judge {_kappa(said, known):.2f}")
    rate = float(np.mean(chosen["best by receipts"]))
    print(f"best by receipts {rate:.3f}, bar {BAR}: {'met' if rate >= BAR else 'missed'}")
    return 0 if rate >= BAR else 1


def _kappa(one: np.ndarray, other: np.ndarray) -> float:
    agree = float((one == other).mean())
    chance = float(one.mean() * other.mean() + (1 - one.mean()) * (1 - other.mean()))
    return (agree - chance) / (1 - chance) if chance < 1 else 0.0


if __name__ == "__main__":
    sys.exit(main())
