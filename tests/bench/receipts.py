"""Whether receipts can be trusted: ``python -m tests.bench.receipts [--out FOLDER] [--count 256] [--seed 900]``.

Renders the starter (unseen mixes of four species, one species each, and mixes in 6 and 4 steps, which often fail), has
each picture looked at as the app does, and compares the receipts with what the aviary's judge sees: Cohen's kappa, how
many real misses are crossed, how many crosses are wrong, how much is unsure. Beside it pictures whose truth is known:
drawings as they are and through the base's autoencoder, collages of the references, and the renders against other
pictures' requests. Of those some are seen by chance (one in as many codes as there are); so two rates are told, of all
of them and of those that the judge does not see, and the bar is for the second. ``--pack`` takes another pack for the
starter's, ``--out`` keeps the renders, so that a second run need not make them. Everything comes from seeds. Exits 1
below a bar. ``--good N``: only renders of 20 steps, N mixes and N of one species. ``--earlier``: with the schedule that
the starter had before, which fails often in few steps, so that there are misses to agree about. ``--by-eye``: only the
table of the renders that were looked at by eye (:mod:`tests.bench.receipts_eye`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

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
from engine.rendering.collages import open_collage, picture_of
from engine.rendering.painter import open_painter
from engine.rendering.receipts import receipt_of

KAPPA_BAR, CAUGHT_BAR, WRONG_BAR, DRAWINGS_BAR, SHUFFLED_BAR, COLLAGES_BAR = 0.6, 0.7, 0.3, 0.99, 0.05, 0.97
ARRIVED, UNSURE, MISSING = 2, 1, 0
STATES: Final = ("missing", "unsure", "arrived")
"""What the states are called in the table of the renders looked at by eye."""
EYE_FILE: Final = Path(__file__).with_name("receipts_by_eye.json")
EYE_KINDS: Final = (
    ("mixed", 44, 7100), ("same", 40, 7101), ("eight", 32, 7102), ("six", 40, 7103), ("four", 44, 7104),
)  # fmt: skip
"""Kind of render, how many were looked at by eye, and their seed: none of them was used to choose a bound."""
EARLIER: Final = {"solver_order": 2, "use_karras_sigmas": True}
"""The starter's schedule when renders were looked at by eye: with few steps it fails often."""
_SHIFTS: Final = (1, 2, 3, 5)
_AT_ONCE: Final = 16


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
            "arrived_by_part": [round(rate, 3) for rate in np.atleast_1d((self.states == ARRIVED).mean(0)).tolist()],
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
    return [
        receipt_of(models, pack, Image.fromarray(picture), recipe)
        for picture, recipe in zip(pictures, _recipes(pack, asked), strict=True)
    ]


def _recipes(pack: Pack, asked: np.ndarray) -> list[Recipe]:
    return [Recipe(pack.id, tuple(Choice(part, int(code)) for part, code in enumerate(row))) for row in asked]


def renders(
    models: Models, pack: Pack, out: Path | None, kind: str, count: int, seed: int, **schedule: Any
) -> tuple[list[Any], np.ndarray]:
    """The birds that are asked for and their renders, uint8 (N, H, W, 3); kept in ``out``. ``schedule`` is what the
    scheduler's settings are changed to."""
    names = [pack.vocabulary.code_name(0, code) for code in range(pack.vocabulary.codes_per_part)]
    birds = requested_birds(names, count, 1 if kind == "same" else 4, seed)
    steps = {"eight": 8, "six": 6, "four": 4}.get(kind, 20)
    painter, pictures = None, []
    for first in range(0, count, _AT_ONCE):
        file = out and out / f"{kind}-{seed}-{first}-of-{count}.npy"
        if file and file.exists():
            pictures.append(np.load(file))
            continue
        if painter is None:
            painter = open_painter(models, pack)
            scheduler = painter.pipeline.scheduler
            painter.pipeline.scheduler = scheduler.from_config(scheduler.config, **schedule)
        pictures.append(render_birds(painter, names, birds[first : first + _AT_ONCE], 1000 * seed + first, steps))
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, pictures[-1])
    return birds, np.concatenate(pictures)


def collages(models: Models, pack: Pack, birds: Sequence[Any]) -> list[Image.Image]:
    """The app's own collages of these birds, each part from the first reference that shows its species."""
    codes = [pack.vocabulary.code_name(0, code) for code in range(pack.vocabulary.codes_per_part)]
    made = []
    for bird in birds:
        choices = []
        for part, code in enumerate(map(codes.index, bird.sources)):
            shown = next(reference for reference in pack.references if reference.codes[part] == code)
            choices.append(Choice(part, code, source=shown.id))
        made.append(picture_of(open_collage(models, pack, pack.new_recipe(tuple(choices)))))
    return made


def by_eye(rows: Sequence[Any]) -> Iterator[str]:
    """Tables of receipts and of the judge, each against the eye, over all and by kind of render: once with what the eye
    doubts counted as not arrived, once with it left out."""
    kinds = [kind for kind, _, _ in EYE_KINDS]
    widths = {"": 18, "parts": 7, "misses": 8, "kappa": 8, "caught": 8, "crosses": 9, "wrong": 7, "unsure": 8}
    for doubted in (True, False):
        yield "what the eye doubts counts as a miss" if doubted else "what the eye doubts is left out"
        yield "".join(f"{name:>{width}}" for name, width in widths.items())
        for title, some in [("all", kinds), ("20 steps", kinds[:2]), *((kind, [kind]) for kind in kinds)]:
            of = [row for row in rows if row["render"].split("-")[0] in some]
            eye = np.array([row["eye"] for row in of])
            told = np.full(eye.shape, True) if doubted else eye != "doubtful"
            for who in ("receipt", "judge"):
                states = np.array([[STATES.index(state) for state in row[who]] for row in of])
                shown = Agreement(states[told], eye[told] == "plain").to_document()
                rates = [shown["caught"], shown["wrong_crosses"]]
                caught, wrong = ("-" if rate is None else f"{rate:.2f}" for rate in rates)
                yield (
                    f"{f'{title}, {who}':18}{shown['parts']:7}{shown['misses']:8}{shown['kappa']:8.2f}"
                    f"{caught:>8}{shown['crosses']:9}{wrong:>7}{shown['unsure']:8.3f}"
                )


def main(argv: Sequence[str] | None = None) -> int:
    """Render, look, print; 0 when all bars are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--seed", type=int, default=900)
    parser.add_argument("--pack", type=Path, default=starter_pack())
    parser.add_argument("--out", type=Path)
    parser.add_argument("--good", type=int, help="only renders of 20 steps, so many of each kind")
    parser.add_argument("--earlier", action="store_true", help="with the schedule that fails often in few steps")
    parser.add_argument("--by-eye", action="store_true", help="only the table of the renders looked at by eye")
    options = parser.parse_args(argv)
    if options.by_eye:
        print("\n".join(by_eye(json.loads(EYE_FILE.read_text()))))
        return 0
    pack, models, schedule = Pack.open(options.pack), Models(), EARLIER if options.earlier else {}
    judge = Judge.open(starter_pack().parent / "judge")
    names = [pack.vocabulary.code_name(0, code) for code in range(pack.vocabulary.codes_per_part)]

    def codes(birds: Sequence[Any]) -> np.ndarray:
        return np.array([[names.index(source) for source in bird.sources] for bird in birds])

    report: dict[str, Any] = {}
    everything: list[Agreement] = []
    half = options.count // 2
    kinds = (("mixed", options.count), ("same", half), ("six", half), ("four", half))
    for number, (kind, count) in enumerate(
        kinds if options.good is None else [(kind, options.good) for kind, _ in kinds[:2]]
    ):
        birds, pictures = renders(models, pack, options.out, kind, count, options.seed + number, **schedule)
        asked = codes(birds)
        agreement = Agreement(
            states_of(look(models, pack, pictures, asked)), judge.verdicts(pictures) == true_classes(birds)
        )
        report[kind] = agreement.to_document()
        print(kind, json.dumps(report[kind]), flush=True)
        everything.append(agreement)
        if kind == "mixed":
            report["shuffled"] = _shuffled(models, pack, pictures, asked, judge.verdicts(pictures), true_classes(birds))
            print("shuffled", json.dumps(report["shuffled"]), flush=True)
    both = Agreement(*(np.concatenate([getattr(one, name) for one in everything]) for name in ("states", "truth")))
    report["renders"] = both.to_document()
    print("renders", json.dumps(report["renders"]), flush=True)
    if options.good is not None:
        return 0
    birds = requested_birds(names, options.count, 4, options.seed + 5)
    drawn = np.stack([draw_bird(bird, np.random.default_rng((options.seed, i))).image for i, bird in enumerate(birds)])
    rebuilt = through_autoencoder(models.pipeline_of(pack).vae, birds, options.seed)
    for kind, pictures in (("drawings", drawn), ("rebuilt", rebuilt)):
        states = states_of(look(models, pack, pictures, codes(birds)))
        report[kind] = Agreement(states, np.ones(states.shape, bool)).to_document()
        print(kind, json.dumps(report[kind]), flush=True)
    made = collages(models, pack, birds)
    pairs = zip(made, _recipes(pack, codes(birds)), strict=True)
    states = states_of([receipt_of(models, pack, picture, recipe) for picture, recipe in pairs])
    report["collages"] = Agreement(states, np.ones(states.shape, bool)).to_document()
    print("collages", json.dumps(report["collages"]), flush=True)
    if options.out:
        (options.out / "receipts.json").write_text(json.dumps(report, indent=1) + "\n")
    shown = report["renders"]
    met = (
        shown["kappa"] >= KAPPA_BAR
        and (shown["caught"] or 0) >= CAUGHT_BAR
        and (shown["wrong_crosses"] or 0) <= WRONG_BAR
        and report["drawings"]["arrived"] >= DRAWINGS_BAR
        and report["shuffled"]["arrived_unseen"] <= SHUFFLED_BAR
        and report["collages"]["arrived"] >= COLLAGES_BAR
    )
    print(f"bars: kappa {KAPPA_BAR}, caught {CAUGHT_BAR}, wrong crosses {WRONG_BAR}, drawings {DRAWINGS_BAR}, "
          f"shuffled {SHUFFLED_BAR}, collages {COLLAGES_BAR}: {'met' if met else 'NOT met'}")  # fmt: skip
    return 0 if met else 1


def _shuffled(
    models: Models, pack: Pack, pictures: np.ndarray, asked: np.ndarray, seen: np.ndarray, classes: np.ndarray
) -> dict[str, Any]:
    """Receipts of pictures for other pictures' requests (``asked`` codes, ``classes`` the judge's, (N, 5)): how many
    arrived, of all, and of those that the judge does not see (``seen``, classes (N, 5)) in the picture."""
    every = [
        Agreement(states_of(look(models, pack, pictures, np.roll(asked, by, 0))), seen == np.roll(classes, by, 0))
        for by in _SHIFTS
    ]
    both = Agreement(*(np.concatenate([getattr(one, name) for one in every]) for name in ("states", "truth")))
    arrived = both.states == ARRIVED
    return {
        **both.to_document(),
        "seen_by_chance": round(float(both.truth.mean()), 4),
        "arrived_unseen": _share(arrived & ~both.truth, ~both.truth),
    }


if __name__ == "__main__":
    sys.exit(main())
