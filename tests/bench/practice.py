"""The six practice species, from a folder to a judged pack, as the wizard plans it: prints minutes and match rates.

    python tests/bench/practice.py [OUT] [--steps N] [--count N] [--threads N]

The starter pack gets more (``extends``): parts are those it knows, each subfolder is a code. Then the judge, which
learned from drawings only, looks at birds of one new species each (bar 0.90), at unseen mixes of two new and two known
ones (bar 0.85), and at the known species, which must not be forgotten. What is there already in OUT is not done again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import torch
from PIL import Image

from engine.aviary import evaluation as exam
from engine.aviary.drawing.attributes import PARTS, Bird
from engine.aviary.drawing.species import HELD_OUT, mixed_bird
from engine.aviary.training.judge import Judge
from engine.core.paths import resources_dir
from engine.handlers import HANDLERS
from engine.models.loader import Models
from engine.packs.pack import Pack
from engine.rendering.evaluation import contact_sheet
from engine.rendering.painter import open_painter
from engine.runs.plan import suitable_settings
from engine.worker.jobs import Discover, Progress, Train

STARTER: Final = resources_dir() / "starter"
NEW: Final = tuple(sorted(HELD_OUT))


def main() -> None:
    """Learn, judge, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path, nargs="?", default=Path("build") / "practice")
    parser.add_argument("--steps", type=int, default=0, help="the wizard's own number unless given")
    parser.add_argument("--count", type=int, default=48, help="birds of each kind to render")
    parser.add_argument("--threads", type=int, default=1)
    words = parser.parse_args()
    torch.set_num_threads(words.threads)
    out = words.out.resolve()
    pack = learn(out, words.steps)
    judge, painter = Judge.open(STARTER / "judge"), open_painter(Models(), pack)
    names = pack.vocabulary.code_names[0]
    known = [name for name in names if name not in NEW]
    rng = np.random.default_rng(7)
    rows = {
        "one new species each (bar 0.90)": exam.requested_birds(NEW, words.count, 1, 1),
        "mixes of two new and two known (bar 0.85)": [mixed(rng, known) for _ in range(words.count)],
        "one known species each": exam.requested_birds(known, words.count, 1, 2),
    }
    for title, birds in rows.items():
        pictures = exam.render_birds(painter, names, birds, seed=9000)
        result = exam.judge_pictures(judge, birds, pictures)
        right = result.asked == result.seen
        fresh = np.array([[source in NEW for source in bird.sources] for bird in birds])
        parts = ", ".join(f"{part} {rate:.2f}" for part, rate in zip(PARTS, result.parts, strict=True))
        some = [f"{name} {right[of].mean():.3f}" for name, of in (("new", fresh), ("known", ~fresh)) if of.any()]
        print(f"{title}: EMR {result.emr:.3f} ({'; '.join(some)} parts; {parts})", flush=True)
        contact_sheet([Image.fromarray(one) for one in pictures]).save(out / f"{title.split(' (')[0]}.png")


def mixed(rng: np.random.Generator, known: list[str]) -> Bird:
    """A bird of two new and two known species."""
    four = [*rng.choice(NEW, 2, replace=False), *rng.choice(known, 2, replace=False)]
    return mixed_bird(rng, [str(name) for name in four], 4)


def learn(out: Path, steps: int) -> Pack:
    """The pack with the six species, learned now unless it is there."""
    if (out / "pack" / "pack.json").is_file():
        return Pack.open(out / "pack")
    began, worked, models = time.perf_counter(), time.process_time(), Models()
    practice, starter = str(STARTER / "practice"), str(STARTER / "pack")
    draft = HANDLERS[Discover](
        models,
        Discover(practice, str(out / "draft"), 5, 6, "bird", title="Starter aviary and more", extends=starter),
        quiet,
    )
    plan: dict[str, Any] = {
        **suitable_settings("starter/base"),
        "pack": draft,
        "pictures": practice,
        "out": str(out / "pack"),
        "start": starter,
        "samples": 0,
        "checkpoint_every": 60,
    }
    (out / "run").mkdir(parents=True, exist_ok=True)
    (out / "run" / "plan.json").write_text(json.dumps(plan | ({"steps": steps} if steps else {}), indent=1))
    learned = HANDLERS[Train](models, Train(str(out / "run")), quiet)
    minutes, busy = (time.perf_counter() - began) / 60, (time.process_time() - worked) / 60
    print(f"from folder to pack: {minutes:.1f} minutes (bar 10, on two quiet cores), {busy:.1f} of them of a processor")
    return Pack.open(learned)


def quiet(news: object) -> None:
    """Say the stages on stderr, where nobody counts them."""
    if isinstance(news, Progress) and news.done % 60 == 0:
        print(f"{news.stage} {news.done}/{news.total}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
