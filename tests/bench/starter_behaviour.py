"""Whether the starter behaves as people expect: ``python -m tests.bench.starter_behaviour [unsaid seeds strength]``.

Prints, by the aviary's judge, at 8 steps and guidance 3:

- unsaid: prompts with two of five parts, left as they are and with the rest of one bird; the share of unsaid parts in
  which the judge sees some species, and of the said parts that arrived;
- seeds: the pixel deviation over 8 seeds of a bird, mean of 8 birds, beside that of drawings in random poses as the
  base was taught them, and the renders' EMR;
- strength: one part of five at several strengths; how far its picture has come from the one at strength 0, as a share
  of the way to strength 1, and the judge's probability of the asked species; then the largest jump between neighbours
  of .25, .5, .75, 1, 1.25 and 1.5.

``--out FOLDER`` keeps sheets there, ``--count`` is how many prompts of two parts.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from engine.aviary.drawing.attributes import PARTS
from engine.aviary.drawing.bird import Pose, draw_bird
from engine.aviary.drawing.species import compose
from engine.aviary.training.autoencoder import to_unit
from engine.aviary.training.judge import NAMES, NONE, Judge
from engine.core.paths import starter_pack
from engine.core.recipe import Prompt
from engine.core.vocabulary import Choice
from engine.models.loader import Models
from engine.packs.pack import Pack
from engine.packs.unsaid_parts import spoken_recipe
from engine.rendering.painter import Painter, open_painter

STEPS, GUIDANCE, BATCH, SEEDS, LIVELINESS = 8, 3.0, 8, 8, 0.5
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
Codes = Sequence[tuple[int, int]]


class Bench:
    """The starter, its judge, and where sheets go (None: nowhere)."""

    def __init__(self, out: Path | None) -> None:
        models = Models(device="cpu")
        self.out = out
        self.pack = Pack.open(starter_pack())
        self.painter: Painter = open_painter(models, self.pack)
        self.judge = Judge.open(starter_pack().parent / "judge")
        names = [self.pack.vocabulary.code_name(0, code) for code in range(self.pack.vocabulary.codes_per_part)]
        self.names = names
        self.classes = np.array([NAMES.index(name) for name in names])

    def paint(self, prompts: Sequence[Prompt], seeds: Sequence[int]) -> np.ndarray:
        """uint8 (N, H, W, 3)."""
        pictures = []
        for first in range(0, len(prompts), BATCH):
            some = slice(first, first + BATCH)
            pictures += self.painter.paint_each(prompts[some], seeds[some], steps=STEPS, guidance=GUIDANCE)
            print(f"{len(pictures)} of {len(prompts)}", file=sys.stderr, flush=True)
        return np.stack([np.asarray(picture) for picture in pictures])

    def keep_sheet(self, pictures: np.ndarray, columns: int, name: str) -> None:
        """Pictures in rows of ``columns``."""
        if self.out is None:
            return
        self.out.mkdir(parents=True, exist_ok=True)
        side = pictures.shape[1]
        rows = -(-len(pictures) // columns)
        sheet = Image.new("RGB", (columns * side, rows * side), "white")
        for index, picture in enumerate(pictures):
            sheet.paste(Image.fromarray(picture), (index % columns * side, index // columns * side))
        sheet.save(self.out / f"{name}.png")

    def unsaid(self, count: int) -> None:
        """Prompts of two parts, as they are and with the rest."""
        rng = np.random.default_rng(11)
        said = [[(int(m), int(rng.integers(len(self.names)))) for m in rng.permutation(len(PARTS))[:2]]
                for _ in range(count)]  # fmt: skip
        recipes = [self.pack.new_recipe(prompt_of(codes), 1000 + i) for i, codes in enumerate(said)]
        for title, some in (
            ("left unsaid", [replace(recipe, rest="") for recipe in recipes]),
            ("rest of one bird", recipes),
        ):
            prompts = [spoken_recipe(self.pack, recipe).prompt for recipe in some]
            pictures = self.paint(prompts, [recipe.seed for recipe in some])
            seen = self.judge.verdicts(pictures)
            arrived = [seen[i, m] == self.classes[c] for i, codes in enumerate(said) for m, c in codes]
            some_species = [seen[i, m] != NONE for i, codes in enumerate(said)
                            for m in range(len(PARTS)) if m not in dict(codes)]  # fmt: skip
            print(f"{title}: some species in {np.mean(some_species):.3f} of the unsaid parts, "
                  f"{np.mean(arrived):.3f} of the said ones arrived")  # fmt: skip
            self.keep_sheet(pictures[:16], 8, title.replace(" ", "-"))

    def seeds(self) -> None:
        """Eight seeds of eight birds beside drawings."""
        rng = np.random.default_rng(11)
        birds = [[(m, int(rng.integers(len(self.names)))) for m in range(len(PARTS))] for _ in range(8)]
        rendered, right, drawn = [], [], []
        for number, codes in enumerate(birds):
            pictures = self.paint([prompt_of(codes)] * SEEDS, range(2000 + 100 * number, 2000 + 100 * number + SEEDS))
            rendered.append(pictures)
            right.append(self.judge.verdicts(pictures) == self.classes[[code for _, code in codes]])
            bird = compose([self.names[code] for _, code in codes])
            poses = [Pose.random(np.random.default_rng((number, k)), LIVELINESS) for k in range(SEEDS)]
            size = pictures.shape[1]
            drawn.append(np.stack([draw_bird(bird, replace(pose, left=False), size).image for pose in poses]))
        renders, drawings = (float(np.stack(some).astype(float).std(1).mean()) for some in (rendered, drawn))
        print(f"pixel deviation over {SEEDS} seeds: renders {renders:.1f}, drawings {drawings:.1f}: "
              f"{renders / drawings:.2f}; EMR {np.mean(right):.3f}")  # fmt: skip
        self.keep_sheet(np.concatenate([*rendered[:3], *drawn[:3]]), SEEDS, "seeds")

    @torch.no_grad()
    def strength(self) -> None:
        """Each part of five birds at several strengths."""
        rng = np.random.default_rng(3)
        birds = [[(m, int(code)) for m, code in enumerate(rng.integers(0, len(self.names), 5))] for _ in range(5)]
        cases = [(number, part) for number in range(len(birds)) for part in range(len(PARTS))]
        prompts = [prompt_of(birds[number], part, strength) for number, part in cases for strength in STRENGTHS]
        pictures = self.paint(prompts, [4000 + number for number, _ in cases for _ in STRENGTHS])
        chances = []
        for first in range(0, len(pictures), 32):
            unit = F.interpolate(to_unit(torch.from_numpy(pictures[first : first + 32])), (128, 128), mode="area")
            chances.append(self.judge.eval()(unit)[0].softmax(-1))
        asked = np.array([[part, self.classes[birds[number][part][1]]] for number, part in cases])
        sure = torch.cat(chances).numpy().reshape(len(cases), len(STRENGTHS), len(PARTS), -1)
        sure = sure[np.arange(len(cases)), :, asked[:, 0], asked[:, 1]].mean(0)
        each = pictures.reshape(len(cases), len(STRENGTHS), *pictures.shape[1:]).astype(float)
        way = np.sqrt(((each - each[:, :1]) ** 2).mean((2, 3, 4)))
        way = (way / way[:, STRENGTHS.index(1.0), None]).mean(0)
        for title, values in (("share of the way", way), ("judge's probability", sure)):
            shown = ", ".join(f"{strength:g}: {value:.2f}" for strength, value in zip(STRENGTHS, values, strict=True))
            print(f"{title}: {shown}; largest jump from 0.25 on {np.abs(np.diff(values[1:])).max():.2f}")
        self.keep_sheet(pictures[: 10 * len(STRENGTHS)], len(STRENGTHS), "strength")


def prompt_of(codes: Codes, part: int = -1, strength: float = 1.0) -> Prompt:
    """The app's own sentence for some parts, one of them at a strength."""
    pieces = [(Choice(m, code, strength if m == part else 1.0), " ") for m, code in codes]
    return ("a photo of a ", *(piece for pair in pieces for piece in pair), "bird")


def main(argv: Sequence[str] | None = None) -> int:
    """Render, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["unsaid", "seeds", "strength"])
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    bench = Bench(options.out)
    if "unsaid" in options.what:
        bench.unsaid(options.count)
    if "seeds" in options.what:
        bench.seeds()
    if "strength" in options.what:
        bench.strength()
    return 0


if __name__ == "__main__":
    sys.exit(main())
