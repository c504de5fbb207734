"""Does it matter in which order a prompt says its parts? ``python -m tests.bench.part_order [--count 64] [--seed 0]``.

Unseen mixes of four species of the starter are rendered with their parts in the usual order, backwards, and in three
random orders, each picture with the same seed throughout. Prints the exact match rate by the aviary's judge of each
order with its 95% interval over pictures, the difference from the usual order (pairs of pictures), and in how many
parts two orders disagree. Exits 1 where an order differs from the usual one by more than chance would.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import numpy as np
import torch

from engine.aviary.drawing.attributes import PARTS
from engine.aviary.evaluation import true_classes
from engine.aviary.training.judge import Judge
from engine.core.paths import starter_pack
from engine.core.recipe import Prompt
from engine.models.loader import Models
from engine.packs.pack import Pack
from engine.rendering.painter import open_painter
from tests.bench.collage_start import mixed_recipes

BATCH = 8
RESAMPLES = 10_000


def main(argv: Sequence[str] | None = None) -> int:
    """Render in each order, judge, print; 0 where no order differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=0, help="0: the pack's own")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    models, pack = Models(device="cpu"), Pack.open(starter_pack())
    painter, judge = open_painter(models, pack), Judge.open(starter_pack().parent / "judge")
    birds, recipes = zip(*mixed_recipes(pack, options.count, options.seed), strict=True)
    steps = options.steps or recipes[0].steps
    truth = true_classes(birds)
    rng = np.random.default_rng((options.seed, 1))
    usual = list(range(len(PARTS)))
    orders = {"usual": usual, "backwards": usual[::-1]}
    orders |= {f"random {number + 1}": [int(part) for part in rng.permutation(usual)] for number in range(3)}
    right: dict[str, np.ndarray] = {}
    for name, order in orders.items():
        pictures = []
        for first in range(0, options.count, BATCH):
            some = recipes[first : first + BATCH]
            prompts = [in_order(recipe.prompt, order) for recipe in some]
            seeds = [recipe.seed for recipe in some]
            pictures += painter.paint_each(prompts, seeds, steps=steps, guidance=some[0].guidance)
            print(f"{name}: {len(pictures)} of {options.count}", file=sys.stderr, flush=True)
        right[name] = judge.verdicts(np.stack([np.asarray(picture) for picture in pictures])) == truth
    rows = rng.integers(0, options.count, (RESAMPLES, options.count))
    differs = False
    print(f"{options.count} mixes of four, {steps} steps, the same seeds in each order")
    for name, order in orders.items():
        each, gap = right[name].mean(1), (right[name].astype(int) - right["usual"]).mean(1)
        low, high = np.quantile(each[rows].mean(1), (0.025, 0.975))
        least, most = np.quantile(gap[rows].mean(1), (0.025, 0.975))
        differs |= bool(least > 0 or most < 0)
        said = ", ".join(PARTS[part] for part in order)
        print(
            f"{name} ({said}): EMR {each.mean():.3f} [{low:.3f}, {high:.3f}], {gap.mean():+.3f} [{least:+.3f}, "
            f"{most:+.3f}] from the usual; {(right[name] != right['usual']).mean():.3f} of the parts judged otherwise; "
            + ", ".join(f"{part} {rate:.2f}" for part, rate in zip(PARTS, right[name].mean(0), strict=True))
        )
    return 1 if differs else 0


def in_order(prompt: Prompt, order: Sequence[int]) -> Prompt:
    """A prompt "a photo of a <choice> ... bird" with its choices in another order, counted from 0."""
    choices = [piece for piece in prompt if not isinstance(piece, str)]
    spaced = [piece for place in order for piece in (choices[place], " ")]
    return ("a photo of a ", *spaced, "bird")


if __name__ == "__main__":
    sys.exit(main())
