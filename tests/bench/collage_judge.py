"""What the aviary's judge sees in collages: ``python -m tests.bench.collage_judge [--count 256] [--out FOLDER]``.

Makes mixes of four species of the starter pack as collages, at the references' own size, scales them to the judge's
128 px, and prints the exact match rate, by part and over all, and the share of creatures with all five parts right,
beside the bars and a study's first figures. With ``--out`` contact sheets are kept there, wrong parts named in
``wrong.txt``. Exits 1 below a bar.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engine.aviary.drawing.attributes import PARTS
from engine.aviary.evaluation import judge_pictures, requested_birds
from engine.aviary.training.judge import NAMES, Judge
from engine.collage.arrangement import Arrangement
from engine.collage.assemble import CollageMaker
from engine.collage.layers import flatten
from engine.core.paths import starter_pack
from engine.core.vocabulary import Choice
from engine.packs.pack import Pack
from engine.rendering.evaluation import contact_sheet

EMR_BAR, ALL_RIGHT_BAR = 0.98, 0.92
STUDY = (0.972, 0.89)
SIDE = 128
PLAIN = (200, 225, 240)
ON_A_SHEET = 32


def main(argv: Sequence[str] | None = None) -> int:
    """Make, judge, print; 0 when both bars are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--sheets", type=int, default=2)
    parser.add_argument("--plain", action="store_true", help="on a plain ground instead of the pose's")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(argv)
    pack = Pack.open(starter_pack())
    judge = Judge.open(starter_pack().parent / "judge")
    parts = [pack.vocabulary.find_part(part) for part in PARTS]
    indices = [part.index for part in parts if part]
    references = {reference.title: reference for reference in pack.references}
    names = [name for name in NAMES if name in references]
    birds = requested_birds(names, options.count, 4, options.seed)
    maker = CollageMaker(pack)
    pictures: list[Image.Image] = []
    for bird in birds:
        sources = [(part, references[name]) for part, name in zip(indices, bird.sources, strict=True)]
        choices = tuple(Choice(part, source.codes[part], source=source.id) for part, source in sources)
        collage = maker.make(pack.new_recipe(choices), Arrangement(ground=PLAIN if options.plain else "pose"))
        pictures.append(Image.fromarray(flatten(collage)).convert("RGB"))
    small = np.stack([np.asarray(one.resize((SIDE, SIDE), Image.Resampling.BOX)) for one in pictures])
    result = judge_pictures(judge, birds, small)
    all_right = float((result.asked == result.seen).all(1).mean())
    print(f"{options.count} mixes of four species")
    print(f"  EMR {result.emr:.3f} (bar {EMR_BAR}, study {STUDY[0]})")
    print("  " + ", ".join(f"{part} {rate:.3f}" for part, rate in zip(PARTS, result.parts, strict=True)))
    print(f"  all five right {all_right:.3f} (bar {ALL_RIGHT_BAR}, study {STUDY[1]})")
    if options.out:
        _keep(options.out, pictures, result, options.sheets)
    return 0 if result.emr >= EMR_BAR and all_right >= ALL_RIGHT_BAR else 1


def _keep(folder: Path, pictures: Sequence[Image.Image], result: Any, sheets: int) -> None:
    """Sheets of the first pictures, one of those with a wrong part, and a list of what was wrong."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(sheets):
        shown = pictures[number * ON_A_SHEET : (number + 1) * ON_A_SHEET]
        contact_sheet([one.resize((240, 240), Image.Resampling.LANCZOS) for one in shown]).save(
            folder / f"sheet-{number}.png"
        )
    wrong = np.flatnonzero((result.asked != result.seen).any(1))
    if len(wrong):
        shown = [pictures[index].resize((240, 240), Image.Resampling.LANCZOS) for index in wrong[:ON_A_SHEET]]
        contact_sheet(shown).save(folder / "wrong.png")
    classes = (*NAMES, "none")
    lines = [
        f"{index} {PARTS[part]}: {classes[result.asked[index, part]]}, seen as {classes[result.seen[index, part]]}"
        for index, part in np.argwhere(result.asked != result.seen)
    ]
    (folder / "wrong.txt").write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
