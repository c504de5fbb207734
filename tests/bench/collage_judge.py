"""What the aviary's judge sees in collages: ``python -m tests.bench.collage_judge [--count 256] [--out FOLDER]``.

Makes mixes of four species of the starter pack as collages, at the references' own size, scales them to the judge's
128 px, and prints the exact match rate, by part and over all, and the share of creatures with all five parts right,
beside the bars and a study's first figures. ``--found``: 64 mixes of the practice species instead, whose parts are as
the app finds them in the folder (nothing of the drawings' truth; each part from one of its species' pictures by
chance), bar 0.90 for the exact match rate. With ``--out`` contact sheets are kept there, wrong parts named in
``wrong.txt``. Exits 1 below a bar.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from engine.aviary.drawing.attributes import PARTS
from engine.aviary.drawing.species import HELD_OUT
from engine.aviary.evaluation import judge_pictures, requested_birds
from engine.aviary.training.judge import NAMES, Judge
from engine.collage.arrangement import Arrangement, Ground
from engine.collage.assemble import CollageMaker
from engine.collage.layers import flatten
from engine.core.paths import starter_pack
from engine.core.vocabulary import Choice
from engine.handlers import HANDLERS
from engine.models.loader import Models
from engine.packs.pack import Pack, Reference
from engine.rendering.evaluation import contact_sheet
from engine.worker.jobs import Discover

EMR_BAR, ALL_RIGHT_BAR = 0.98, 0.92
FOUND_BAR = 0.90
STUDY = (0.972, 0.89)
SIDE = 128
PLAIN = (200, 225, 240)
ON_A_SHEET = 32


def main(argv: Sequence[str] | None = None) -> int:
    """Make, judge, print; 0 when both bars are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, help="default 256; 64 with --found")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--sheets", type=int, default=2)
    parser.add_argument("--plain", action="store_true", help="on a plain ground instead of the pose's")
    parser.add_argument("--found", action="store_true", help="the practice folders, with parts as found")
    parser.add_argument("--draft", type=Path, help="keep what was found here, or take it from here")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(argv)
    if options.found:
        return _judge_found(options)
    options.count = options.count or 256
    pack = Pack.open(starter_pack())
    judge = Judge.open(starter_pack().parent / "judge")
    parts = [pack.vocabulary.find_part(part) for part in PARTS]
    indices = [part.index for part in parts if part]
    references = {reference.title: reference for reference in pack.references}
    names = [name for name in NAMES if name in references]
    birds = requested_birds(names, options.count, 4, options.seed)
    sources = [
        tuple((part, references[name]) for part, name in zip(indices, bird.sources, strict=True)) for bird in birds
    ]
    pictures = _collages(pack, sources, PLAIN if options.plain else "pose")
    result = judge_pictures(judge, birds, _small(pictures))
    all_right = float((result.asked == result.seen).all(1).mean())
    print(f"{options.count} mixes of four species")
    print(f"  EMR {result.emr:.3f} (bar {EMR_BAR}, study {STUDY[0]})")
    print("  " + ", ".join(f"{part} {rate:.3f}" for part, rate in zip(PARTS, result.parts, strict=True)))
    print(f"  all five right {all_right:.3f} (bar {ALL_RIGHT_BAR}, study {STUDY[1]})")
    if options.out:
        _keep(options.out, pictures, result, options.sheets)
    return 0 if result.emr >= EMR_BAR and all_right >= ALL_RIGHT_BAR else 1


def _judge_found(options: argparse.Namespace) -> int:
    with TemporaryDirectory() as folder:
        return _judge_draft(options, _draft(options.draft or Path(folder) / "draft"))


def _judge_draft(options: argparse.Namespace, pack: Pack) -> int:
    count = options.count or 64
    parts = [part.index for name in PARTS if (part := pack.vocabulary.find_part(name))]
    birds = requested_birds(sorted(HELD_OUT), count, 4, options.seed)
    rng = np.random.default_rng(options.seed)
    shown = {
        (part, code): [one for one in pack.references if one.codes[part] == code]
        for part in parts for code in range(pack.vocabulary.codes_per_part)
    }  # fmt: skip
    sources = []
    for bird in birds:
        taken = []
        for part, name in zip(parts, bird.sources, strict=True):
            candidates = shown[part, pack.vocabulary.code_names[part].index(name)]
            taken.append((part, candidates[rng.integers(len(candidates))]))
        sources.append(tuple(taken))
    pictures = _collages(pack, sources, "pose")
    result = judge_pictures(Judge.open(starter_pack().parent / "judge"), birds, _small(pictures))
    print(f"{count} mixes of four practice species, parts as found")
    print(f"  EMR {result.emr:.3f} (bar {FOUND_BAR})")
    print("  " + ", ".join(f"{part} {rate:.3f}" for part, rate in zip(PARTS, result.parts, strict=True)))
    print(f"  all five right {float((result.asked == result.seen).all(1).mean()):.3f}")
    if options.out:
        _keep(options.out, pictures, result, options.sheets)
    return 0 if result.emr >= FOUND_BAR else 1


def _draft(folder: Path) -> Pack:
    """What the app finds in the practice folders when the starter is extended."""
    if not (folder / "pack.json").is_file():
        practice, starter = str(starter_pack().parent / "practice"), str(starter_pack())
        job = Discover(practice, str(folder), 5, 6, "bird", extends=starter, references=192)
        HANDLERS[Discover](Models(), job, lambda news: None)
    return Pack.open(folder)


def _collages(pack: Pack, sources: Sequence[Sequence[tuple[int, Reference]]], ground: Ground) -> list[Image.Image]:
    """A collage for each row of parts and the references they come from."""
    maker, pictures = CollageMaker(pack), []
    for row in sources:
        choices = tuple(Choice(part, source.codes[part], source=source.id) for part, source in row)
        collage = maker.make(pack.new_recipe(choices), Arrangement(ground=ground))
        pictures.append(Image.fromarray(flatten(collage)).convert("RGB"))
    return pictures


def _small(pictures: Sequence[Image.Image]) -> np.ndarray:
    return np.stack([np.asarray(one.resize((SIDE, SIDE), Image.Resampling.BOX)) for one in pictures])


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
