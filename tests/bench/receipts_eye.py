"""Renders of the starter looked at by eye, beside what receipts and the aviary's judge say of them.

    python -m tests.bench.receipts_eye sheets OUT    # renders them, and writes sheets without any answer on them
    python -m tests.bench.receipts_eye answers OUT   # the eye's answers, kept in OUT/eye.txt, with receipts and judge
    python -m tests.bench.receipts --by-eye          # the table of tests/bench/receipts_by_eye.json

``sheets`` draws renders of mixed quality (:data:`EYE_KINDS` of :mod:`tests.bench.receipts`) in a mixed order, each
beside a clean drawing of what was asked. Whoever looks at them writes a line for each to ``OUT/eye.txt``: its number
and five letters, head, body, wing, tail, legs: ``p`` plainly there, ``m`` missing (not there, or not what was asked),
``d`` doubtful. Only then does ``answers`` have the receipts and the judge look, and it writes the JSON.
Everything but the looking comes from seeds.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw

from engine.aviary.drawing.attributes import PARTS, Bird
from engine.aviary.drawing.bird import Pose, draw_bird
from engine.aviary.evaluation import true_classes
from engine.aviary.training.judge import Judge
from engine.core.paths import starter_pack
from engine.models.loader import Models
from engine.packs.pack import Pack
from tests.bench.receipts import EARLIER, EYE_FILE, EYE_KINDS, STATES, look, renders, states_of

_LETTERS: Final = {"p": "plain", "m": "missing", "d": "doubtful"}
_EACH: Final = 6
_SIDE: Final = 256


@dataclass(frozen=True)
class Asked:
    """A render, and what was asked of it: ``kind``-``seed``-``index`` is its name."""

    name: str
    bird: Bird
    picture: np.ndarray


def asked_renders(models: Models, pack: Pack, out: Path) -> list[Asked]:
    """All of them, in the order of their numbers, which is none of their kinds'."""
    every = []
    for kind, count, seed in EYE_KINDS:
        birds, pictures = renders(models, pack, out, kind, count, seed, **EARLIER)
        every += [
            Asked(f"{kind}-{seed}-{index}", bird, picture)
            for index, (bird, picture) in enumerate(zip(birds, pictures, strict=True))
        ]
    order = np.random.default_rng(7100).permutation(len(every))
    return [every[index] for index in order.tolist()]


def write_sheets(every: Sequence[Asked], out: Path) -> None:
    """Sheets of six: a render, and to its right a drawing of what was asked."""
    for first in range(0, len(every), _EACH):
        sheet = Image.new("RGB", (2 * (2 * _SIDE + 20), 3 * (_SIDE + 22)), "white")
        pen = ImageDraw.Draw(sheet)
        for place, one in enumerate(every[first : first + _EACH]):
            x, y = place % 2 * (2 * _SIDE + 20), place // 2 * (_SIDE + 22)
            asked = "  ".join(f"{part} {source}" for part, source in zip(PARTS, one.bird.sources, strict=True))
            pen.text((x + 2, y + 4), f"{first + place:03}  {asked}", "black")
            sheet.paste(Image.fromarray(one.picture), (x, y + 20))
            sheet.paste(Image.fromarray(draw_bird(one.bird, Pose(), _SIDE).image), (x + _SIDE + 4, y + 20))
        sheet.save(out / f"sheet-{first:03}.png")


def read_eye(path: Path, count: int) -> list[str]:
    """The five letters for each render, by number. Raises ``ValueError`` unless all are there once."""
    lines = dict(line.split() for line in path.read_text().splitlines() if line.strip())
    letters = [lines[f"{number:03}"] for number in range(count)]
    if len(lines) != count or any(len(five) != len(PARTS) or set(five) - set(_LETTERS) for five in letters):
        raise ValueError(f"{path} must have five letters of {', '.join(_LETTERS)} for each of {count} renders.")
    return letters


def answered(models: Models, pack: Pack, judge: Judge, every: Sequence[Asked], eye: Sequence[str]) -> list[Any]:
    """JSON rows, a render each: what was asked, and what eye, receipt and judge say of each part."""
    names = [pack.vocabulary.code_name(0, code) for code in range(pack.vocabulary.codes_per_part)]
    codes = np.array([[names.index(source) for source in one.bird.sources] for one in every])
    pictures = np.stack([one.picture for one in every])
    receipts = look(models, pack, pictures, codes)
    states, right = states_of(receipts), judge.verdicts(pictures) == true_classes([one.bird for one in every])
    return [
        {
            "render": one.name,
            "asked": list(one.bird.sources),
            "eye": [_LETTERS[letter] for letter in letters],
            "receipt": [STATES[state] for state in states[row]],
            "judge": ["arrived" if seen else "missing" for seen in right[row]],
            "likelihood": [round(float(arrival.likelihood or 0), 3) for arrival in receipts[row]],
        }
        for row, (one, letters) in enumerate(zip(every, eye, strict=True))
    ]


def main(argv: Sequence[str]) -> None:
    """Sheets, or answers."""
    verb, out = argv[0], Path(argv[1])
    pack, models = Pack.open(starter_pack()), Models()
    every = asked_renders(models, pack, out)
    if verb == "sheets":
        write_sheets(every, out)
        return
    judge = Judge.open(starter_pack().parent / "judge")
    rows = answered(models, pack, judge, every, read_eye(out / "eye.txt", len(every)))
    EYE_FILE.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


if __name__ == "__main__":
    main(sys.argv[1:])
