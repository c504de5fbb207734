"""What each thing that a reader is made with is good for: ``python -m tests.bench.reader_ablation OUT [--seeds 1]``.

Trains the starter's reader several times on the same drawings, examples and steps, each time without one thing
(:data:`ROWS`), sets its bounds on the same pictures, and asks it about the renders that were looked at by eye
(:mod:`tests.bench.receipts_eye`), whose truth is fixed: what is plain to the eye, and beside it the judge. "own" is by
the bounds that were set; "best" is kappa by the best single bound there is for these renders, which nobody can know in
advance: what the reader could tell at most. Then the rows that need no training: one pair of bounds for all parts, and
a plain half. Differences of kappa from the first row come with the middle 95% of 1,000 resamples of the pictures.
Drawings are new ones; shuffled requests leave out what two pictures are both asked for. The drawings themselves have
parts of no species in every row. OUT keeps readers and renders, so that a second run goes on. One core: two to five
minutes a row and seed.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from diffusers import AutoencoderTiny
from PIL import Image

from engine.aviary.training.reader import SEED, drawn_pictures
from engine.core.paths import starter_pack
from engine.models.loader import Models
from engine.models.part_reader import PartReader
from engine.models.vae import rebuild_pictures
from engine.packs.pack import Pack
from engine.segmentation.reader_examples import LabelledPictures, Pixels, changed_examples
from engine.segmentation.reader_fitting import ReaderPlan, bounds, measure_reader, train_reader
from tests.bench.receipts import ARRIVED, EYE_FILE, MISSING, UNSURE, Agreement, kappa
from tests.bench.receipts_eye import asked_renders

ROWS: Final = {
    "all of it": {},
    "without “none of these”": {"broken": False},
    "without the autoencoder's pictures": {"rebuilt": 0.0},
}
_DRAWINGS: Final = 128


class _Truth:
    """Renders looked at by eye, and drawings: pictures, codes asked, what the eye and the judge say."""

    def __init__(self, pack: Pack, names: Sequence[str], out: Path) -> None:
        every = asked_renders(Models(), pack, out / "renders")
        said = {row["render"]: row for row in json.loads(EYE_FILE.read_text())}
        rows = [said[one.name] for one in every]
        self.pictures = [one.picture for one in every]
        self.codes = np.array([[names.index(source) for source in row["asked"]] for row in rows])
        self.eye = np.array([row["eye"] for row in rows])
        self.judge = np.array([row["judge"] for row in rows]) == "arrived"
        self.drawings = drawn_pictures(names, _DRAWINGS, 7300, 0.0, 0.0)


def main(argv: Sequence[str] | None = None) -> None:
    """Train, ask, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--pictures", type=int, default=1200)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--train", action="store_true", help="train only: the renders need not be there")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    pack = Pack.open(starter_pack())
    names = [pack.vocabulary.code_name(0, code) for code in range(pack.vocabulary.codes_per_part)]
    options.out.mkdir(parents=True, exist_ok=True)
    made = {
        (row, seed): reader
        for seed in range(options.seeds)
        for row, reader in _readers(names, options.out, seed, options.pictures, options.steps)
    }
    if options.train:
        return
    truth = _Truth(pack, names, options.out)
    first = next(iter(ROWS))
    for title, change in (("one pair of bounds for all parts", _one_pair), ("a half for every part", _half)):
        made |= {(title, seed): change(made[first, seed], truth) for seed in range(options.seeds)}
    for title in dict.fromkeys(title for title, _ in made):
        readers = [(made[title, seed], made[first, seed]) for seed in range(options.seeds)]
        _print(title, [_shown(reader, truth) | _difference(reader, whole, truth) for reader, whole in readers])


def _readers(names: Sequence[str], out: Path, seed: int, pictures: int, steps: int) -> Iterator[tuple[str, PartReader]]:
    """Each row's reader of one seed, from ``out`` if it is there."""
    source: list[LabelledPictures] = []
    rebuild = _remembered(_autoencoder())
    for number, (row, without) in enumerate(ROWS.items()):
        path = out / f"reader-{number}-{seed}-{pictures}-{steps}.safetensors"
        if not path.is_file():
            if not source:
                drawn = drawn_pictures(names, pictures + pictures // 12, SEED + 1000 + seed)
                source = [drawn.rows(np.arange(pictures)), drawn.rows(np.arange(pictures, len(drawn)))]
            plan = ReaderPlan(examples=pictures, steps=steps, seed=seed, **without)
            rng = np.random.default_rng((seed, 1))
            pool = changed_examples(source[0], pictures, rng, broken=plan.broken, swapped=plan.swapped)
            some = np.random.default_rng((seed, 4)).random(pictures) < plan.rebuilt
            if some.any():
                pool.pictures[some] = rebuild(pool.pictures[some])
            reader = train_reader(pool, len(names), plan)
            measure_reader(reader, source[1], rebuild, seed)
            reader.save(path)
            print(f"{row}, seed {seed}: trained", file=sys.stderr, flush=True)
        yield row, PartReader.load(path, 5, len(names))


def _autoencoder() -> Callable[[Pixels], Pixels]:
    model: Any = AutoencoderTiny.from_pretrained(starter_pack().parent / "base" / "vae").float().eval()
    side = 16 * 2 ** (len(model.config.decoder_block_out_channels) - 1)
    return lambda pictures: rebuild_pictures(model, pictures, side)


def _remembered(rebuild: Callable[[Pixels], Pixels]) -> Callable[[Pixels], Pixels]:
    """The same, of pictures that were rebuilt before: from memory."""
    known: dict[bytes, Pixels] = {}

    def rebuilt(pictures: Pixels) -> Pixels:
        fresh = [index for index, picture in enumerate(pictures) if picture.tobytes() not in known]
        if fresh:
            for index, picture in zip(fresh, rebuild(pictures[fresh]), strict=True):
                known[pictures[index].tobytes()] = picture
        return np.stack([known[picture.tobytes()] for picture in pictures])

    return rebuilt


def _shown(reader: PartReader, truth: _Truth) -> dict[str, float]:
    chances = reader.read([Image.fromarray(picture) for picture in truth.pictures])
    likely = _of(chances, truth.codes)
    plain = truth.eye == "plain"
    states = _states(reader, likely, truth.codes)
    own = Agreement(states, plain).to_document()
    judged = Agreement(states, truth.judge).to_document()
    others = np.roll(truth.codes, 1, 0)
    shuffled = _states(reader, _of(chances, others), others)
    apart = truth.codes != others
    drawn = _states(
        reader, _of(reader.probabilities(truth.drawings.pictures), truth.drawings.codes), truth.drawings.codes
    )
    return {
        "eye own": own["kappa"],
        "eye best": _best(likely, plain),
        "caught": own["caught"] or 0.0,
        "wrong": own["wrong_crosses"] or 0.0,
        "judge own": judged["kappa"],
        "judge best": _best(likely, truth.judge),
        "drawings": float((drawn == ARRIVED).mean()),
        "shuffled": float((shuffled == ARRIVED)[apart].mean()),
    }


def _difference(reader: PartReader, whole: PartReader, truth: _Truth) -> dict[str, float]:
    """How much kappa with the eye and with the judge, by its own bounds, differs from another reader's; with ends of
    an interval."""
    pictures = [Image.fromarray(picture) for picture in truth.pictures]
    mine, theirs = (
        _states(one, _of(one.read(pictures), truth.codes), truth.codes) == ARRIVED for one in (reader, whole)
    )
    rng, told = np.random.default_rng(0), {}
    for name, right in (("eye", truth.eye == "plain"), ("judge", truth.judge)):
        some = [rng.integers(0, len(right), len(right)) for _ in range(1000)]
        rows = [kappa(mine[one], right[one]) - kappa(theirs[one], right[one]) for one in some]
        told[f"{name} less"] = kappa(mine, right) - kappa(theirs, right)
        told |= {f"{name} {end}": float(np.quantile(rows, at)) for end, at in (("from", 0.025), ("to", 0.975))}
    return told


def _of(chances: np.ndarray, codes: np.ndarray) -> np.ndarray:
    return np.take_along_axis(chances, codes[..., None], 2)[..., 0]


def _states(reader: PartReader, likely: np.ndarray, codes: np.ndarray) -> np.ndarray:
    part = np.arange(reader.parts)
    arrived, missing = likely >= reader.arrived.numpy()[part, codes], likely <= reader.missing.numpy()[part, codes]
    return np.where(arrived, ARRIVED, np.where(missing, MISSING, UNSURE))


def _best(likely: np.ndarray, truth: np.ndarray) -> float:
    return max(kappa(likely >= bound, truth) for bound in np.unique(likely))


def _one_pair(reader: PartReader, truth: _Truth) -> PartReader:
    """Bounds from all parts of the drawings together."""
    reader = copy.deepcopy(reader)
    missing, arrived = bounds(_of(reader.probabilities(truth.drawings.pictures), truth.drawings.codes).ravel())
    reader.missing.fill_(missing)
    reader.arrived.fill_(arrived)
    return reader


def _half(reader: PartReader, _truth: _Truth) -> PartReader:
    reader = copy.deepcopy(reader)
    reader.missing.fill_(0.5)
    reader.arrived.fill_(0.5)
    return reader


def _print(title: str, seeds: Sequence[dict[str, float]]) -> None:
    print(title, "; ".join(f"{key} {' '.join(f'{one[key]:.3f}' for one in seeds)}" for key in seeds[0]), flush=True)


if __name__ == "__main__":
    main()
