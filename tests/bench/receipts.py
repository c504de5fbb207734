"""Whether receipts can be trusted: ``python -m tests.bench.receipts [--out FOLDER] [--count 256] [--seed 900]``.

Renders the starter (unseen mixes of four species, one species each, and mixes in 6 and 4 steps, which often fail), has
each picture looked at as the app does, and compares the receipts with what the aviary's judge sees: Cohen's kappa, how
many real misses are crossed, how many crosses are wrong, how much is unsure. Beside it pictures whose truth is known:
drawings as they are and through the base's autoencoder, and the renders against other pictures' requests. ``--pack``
takes another pack for the starter's, ``--out`` keeps the renders, so that a second run need not make them. Everything
comes from seeds. Exits 1 below a bar.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engine.aviary.drawing.bird import draw_bird
from engine.aviary.evaluation import render_birds, requested_birds, through_autoencoder, true_classes
from engine.aviary.training.judge import Judge
from engine.core.paths import starter_pack
from engine.core.recipe import Arrival, Receipt, Recipe
from engine.core.vocabulary import Choice
from engine.models.loader import Models
from engine.packs.pack import Pack
from engine.rendering.painter import open_painter
from engine.rendering.receipts import receipt_of

KAPPA_BAR, CAUGHT_BAR, WRONG_BAR, DRAWINGS_BAR, SHUFFLED_BAR = 0.6, 0.7, 0.3, 0.99, 0.05
ARRIVED, UNSURE, MISSING = 2, 1, 0
_AT_ONCE = 16


@dataclass(frozen=True)
class Agreement:
    """Receipts beside a truth: ``states`` (N, 5) of ARRIVED, UNSURE, MISSING and ``truth`` bool (N, 5)."""

    states: np.ndarray
    truth: np.ndarray

    def to_document(self) -> dict[str, Any]:
        """Counts and rates. Kappa is over all parts, with what is unsure counted as not arrived, and over those that
        are sure."""
        crossed, missed, sure = self.states == MISSING, ~self.truth, self.states != UNSURE
        return {
            "parts": self.truth.size,
            "misses": int(missed.sum()),
            "kappa": round(kappa(self.states == ARRIVED, self.truth), 3),
            "kappa_sure": round(kappa((self.states == ARRIVED)[sure], self.truth[sure]), 3),
            "caught": _share(crossed & missed, missed),
            "caught_or_unsure": _share((self.states != ARRIVED) & missed, missed),
            "crosses": int(crossed.sum()),
            "wrong_crosses": _share(crossed & ~missed, crossed),
            "unsure": round(float((~sure).mean()), 4),
            "arrived": round(float((self.states == ARRIVED).mean()), 4),
            "arrived_by_part": [round(rate, 3) for rate in (self.states == ARRIVED).mean(0).tolist()],
        }


def kappa(one: np.ndarray, other: np.ndarray) -> float:
    """Cohen's kappa of two yes-and-no answers; 0 where both always say the same."""
    agree = float((one == other).mean())
    chance = float(one.mean() * other.mean() + (1 - one.mean()) * (1 - other.mean()))
    return (agree - chance) / (1 - chance) if chance < 1 else 0.0


def _share(some: np.ndarray, of: np.ndarray) -> float | None:
    return round(float(some.sum() / of.sum()), 4) if of.any() else None


def states_of(receipts: Sequence[Receipt]) -> np.ndarray:
    """int (N, 5): ARRIVED, UNSURE or MISSING of each part."""
    return np.array([[_state(arrival) for arrival in receipt] for receipt in receipts])


def _state(arrival: Arrival) -> int:
    return ARRIVED if arrival.arrived else UNSURE if arrival.unsure else MISSING


def look(models: Models, pack: Pack, pictures: np.ndarray, asked: np.ndarray) -> list[Receipt]:
    """Receipts of pictures uint8 (N, H, W, 3) for codes (N, 5), as the app makes them."""
    recipes = [Recipe(pack.id, tuple(Choice(part, int(code)) for part, code in enumerate(row))) for row in asked]
    return [
        receipt_of(models, pack, Image.fromarray(picture), recipe)
        for picture, recipe in zip(pictures, recipes, strict=True)
    ]


def renders(
    models: Models, pack: Pack, out: Path | None, kind: str, count: int, seed: int
) -> tuple[list[Any], np.ndarray]:
    """The birds that are asked for and their renders, uint8 (N, H, W, 3); kept in ``out``."""
    names = [pack.vocabulary.code_name(0, code) for code in range(pack.vocabulary.codes_per_part)]
    birds = requested_birds(names, count, 1 if kind == "same" else 4, seed)
    steps = {"six": 6, "four": 4}.get(kind, 20)
    painter, pictures = None, []
    for first in range(0, count, _AT_ONCE):
        file = out and out / f"{kind}-{seed}-{first}-of-{count}.npy"
        if file and file.exists():
            pictures.append(np.load(file))
            continue
        if painter is None:
            painter = open_painter(models, pack)
        pictures.append(render_birds(painter, names, birds[first : first + _AT_ONCE], 1000 * seed + first, steps))
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, pictures[-1])
    return birds, np.concatenate(pictures)


def main(argv: Sequence[str] | None = None) -> int:
    """Render, look, print; 0 when all bars are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--seed", type=int, default=900)
    parser.add_argument("--pack", type=Path, default=starter_pack())
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(argv)
    pack, models = Pack.open(options.pack), Models()
    judge = Judge.open(starter_pack().parent / "judge")
    names = [pack.vocabulary.code_name(0, code) for code in range(pack.vocabulary.codes_per_part)]

    def codes(birds: Sequence[Any]) -> np.ndarray:
        return np.array([[names.index(source) for source in bird.sources] for bird in birds])

    report: dict[str, Any] = {}
    everything: list[Agreement] = []
    half = options.count // 2
    for number, (kind, count) in enumerate((("mixed", options.count), ("same", half), ("six", half), ("four", half))):
        birds, pictures = renders(models, pack, options.out, kind, count, options.seed + number)
        asked = codes(birds)
        agreement = Agreement(
            states_of(look(models, pack, pictures, asked)), judge.verdicts(pictures) == true_classes(birds)
        )
        report[kind] = agreement.to_document()
        print(kind, json.dumps(report[kind]), flush=True)
        everything.append(agreement)
        if kind == "mixed":
            states = states_of(look(models, pack, pictures, np.roll(asked, 1, axis=0)))
            report["shuffled"] = Agreement(states, asked == np.roll(asked, 1, axis=0)).to_document()
            print("shuffled", json.dumps(report["shuffled"]), flush=True)
    both = Agreement(*(np.concatenate([getattr(one, name) for one in everything]) for name in ("states", "truth")))
    report["renders"] = both.to_document()
    print("renders", json.dumps(report["renders"]), flush=True)
    birds = requested_birds(names, options.count, 4, options.seed + 5)
    drawn = np.stack([draw_bird(bird, np.random.default_rng((options.seed, i))).image for i, bird in enumerate(birds)])
    rebuilt = through_autoencoder(models.pipeline_of(pack).vae, birds, options.seed)
    for kind, pictures in (("drawings", drawn), ("rebuilt", rebuilt)):
        states = states_of(look(models, pack, pictures, codes(birds)))
        report[kind] = Agreement(states, np.ones(states.shape, bool)).to_document()
        print(kind, json.dumps(report[kind]), flush=True)
    if options.out:
        (options.out / "receipts.json").write_text(json.dumps(report, indent=1) + "\n")
    shown = report["renders"]
    met = (
        shown["kappa"] >= KAPPA_BAR
        and (shown["caught"] or 0) >= CAUGHT_BAR
        and (shown["wrong_crosses"] or 0) <= WRONG_BAR
        and report["drawings"]["arrived"] >= DRAWINGS_BAR
        and report["shuffled"]["arrived"] <= SHUFFLED_BAR
    )
    print(f"bars: kappa {KAPPA_BAR}, caught {CAUGHT_BAR}, wrong crosses {WRONG_BAR}, drawings {DRAWINGS_BAR}, "
          f"shuffled {SHUFFLED_BAR}: {'met' if met else 'NOT met'}")  # fmt: skip
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
