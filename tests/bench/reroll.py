"""Changing one part of a creation: ``python -m tests.bench.reroll [--count 40] [--freedoms 0.6 0.8 1] [--out FOLDER]``.

Mixes of four species of the starter pack are rendered freely; then one part of each (in turns) is chosen from another
species and re-rolled. Prints, for each freedom, how often the aviary's judge sees the new part, how often the other
parts are judged as before, how much of the picture may not change, and by how many grey levels it did (bar 0); and how
strong edges are in the band where the change fades, beside those of the creation before, where a seam would show. With
``--out`` a sheet is kept there: creation, the new part's reference, and one picture for each freedom. Exits 1 where
anything outside has changed, or edges in the band are more than a quarter stronger.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from engine.aviary.drawing.attributes import PARTS
from engine.aviary.evaluation import true_classes
from engine.aviary.starter_pack import STEPS
from engine.aviary.training.judge import NAMES, Judge
from engine.core.errors import UserError
from engine.core.paths import starter_pack
from engine.core.start import Start
from engine.core.vocabulary import Choice
from engine.models.loader import Models
from engine.packs.pack import Pack
from engine.rendering.evaluation import contact_sheet
from engine.rendering.image_to_image import paint_from
from engine.rendering.painter import open_painter
from engine.rendering.start_picture import open_start
from tests.bench.collage_start import mixed_recipes

EDGE_BAR = 1.25
ON_A_SHEET = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Render, change, judge, print; 0 when the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--freedoms", type=float, nargs="+", default=(0.6, 0.8, 1.0))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    models, pack = Models(device="cpu"), Pack.open(starter_pack())
    painter, judge = open_painter(models, pack), Judge.open(starter_pack().parent / "judge")
    rng = np.random.default_rng(options.seed)
    freedoms = list(options.freedoms)
    rows: list[list[Image.Image]] = []
    right: dict[float, list[bool]] = {freedom: [] for freedom in freedoms}
    same: dict[float, list[bool]] = {freedom: [] for freedom in freedoms}
    edges: dict[float, list[float]] = {freedom: [] for freedom in freedoms}
    outside: list[float] = []
    changed = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, (bird, recipe) in enumerate(mixed_recipes(pack, options.count, options.seed)):
            part = number % len(PARTS)
            others = [one for one in pack.references if one.title in NAMES and one.title != bird.sources[part]]
            source = others[int(rng.integers(len(others)))]
            (before,) = painter.paint(recipe.prompt, (), [recipe.seed], steps=STEPS, guidance=recipe.guidance)
            path = Path(folder) / f"{number}.png"
            before.save(path)
            new = recipe.with_choice(Choice(part, source.codes[part], source=source.id))
            with Image.open(source.image) as picture:
                row = [before, picture.convert("RGB").resize(before.size)]
            asked = int(true_classes([replace(bird, sources=(source.title,) * len(PARTS))])[0, part])
            was = judge.verdicts(np.asarray(before)[None])[0]
            for freedom in freedoms:
                try:
                    start = open_start(
                        models, pack, painter, replace(new, start=Start(freedom, str(path), only=(part,)))
                    )
                except UserError as error:  # the part cannot be seen in this creation
                    print(f"{number}: {error.message}", file=sys.stderr)
                    break
                assert start is not None and start.changes is not None
                (made,) = paint_from(
                    painter, start, new.prompt, (), [recipe.seed + 1000], steps=STEPS, guidance=recipe.guidance
                )
                verdict = judge.verdicts(np.asarray(made)[None])[0]
                right[freedom].append(bool(verdict[part] == asked))
                same[freedom] += [bool(verdict[one] == was[one]) for one in range(len(PARTS)) if one != part]
                kept = start.changes == 0
                outside.append(float(kept.mean()))
                changed = max(changed, int(np.abs(_levels(made) - _levels(before)).max(axis=2)[kept].max(initial=0)))
                fading = (start.changes > 0) & (start.changes < 1)
                edges[freedom].append(_edges(made)[fading].mean() / max(_edges(before)[fading].mean(), 1e-6))
                row.append(made)
            if len(row) == 2 + len(freedoms):
                rows.append(row)
    for freedom in freedoms:
        print(
            f"freedom {freedom:g}: the new part is seen in {np.mean(right[freedom]):.3f}, "
            f"the others as before in {np.mean(same[freedom]):.3f}; "
            f"edges where it fades {np.median(edges[freedom]):.2f} times those before (bar {EDGE_BAR})"
        )
    print(f"{np.mean(outside):.2f} of the pictures may not change, and did by at most {changed} grey levels (bar 0)")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        sheets = [contact_sheet(row) for row in rows[:ON_A_SHEET]]
        sheet = Image.new("RGB", (sheets[0].width, sum(one.height for one in sheets)))
        for number, one in enumerate(sheets):
            sheet.paste(one, (0, number * one.height))
        sheet.save(options.out / "reroll.png")
    seams = [freedom for freedom in freedoms if np.median(edges[freedom]) > EDGE_BAR]
    return 1 if changed or seams else 0


def _levels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture).astype(int)


def _edges(picture: Image.Image) -> np.ndarray:
    """How much each pixel differs from its right and lower neighbours: (H, W)."""
    grey = np.asarray(picture.convert("L")).astype(float)
    across = np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))
    return across + np.abs(np.diff(grey, axis=0, append=grey[-1:]))


if __name__ == "__main__":
    sys.exit(main())
