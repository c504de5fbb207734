"""Which way of learning a vocabulary mixes best: six recipes, three seeds each, in one protocol. Prints a table.

    python tests/bench/recipes.py [OUT] [--steps N] [--batch N] [--seeds N] [--count N] [--jobs N] [--only RECIPE ...]

Same base (the starter's), same pictures (the six practice species that the base has never seen), same parts and codes
(the starter's parts, the species of each folder), same number of steps and pictures a step. Each pack then renders
birds of one species and unseen mixes of two, three and four, and the judge, which learned from drawings only, says
which parts arrived:

Paper mode was made for long trainings of a large base; "at our rates" is the same mathematics with the rates and the
beginning that a short training of a small base needs, and "with our plan" has everything of ours but that mathematics:
LoRA, rates, schedule, weight of the attention loss, and where tokens begin.

- EMR: share of parts in which the judge sees the species that was asked for ("none" is a miss);
- CoSim (codebook): mean cosine of the code that the pack's own eyes find and the one asked for;
- CoSim (judge): mean cosine of the judge's impression of a part and its mean impression of that part in drawings.

What is there already in OUT is not done again, so a stopped measurement goes on. Writes results.json, table.md and
plot.png.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from engine.aviary import evaluation as exam
from engine.aviary.drawing.attributes import PARTS, Bird
from engine.aviary.drawing.bird import draw_bird
from engine.aviary.drawing.species import HELD_OUT, species
from engine.aviary.training.judge import Judge
from engine.core.paths import resources_dir
from engine.core.vocabulary import ABSENT, Vocabulary
from engine.handlers import HANDLERS
from engine.models.loader import Models
from engine.packs.pack import CODEBOOK, Pack
from engine.rendering.evaluation import contact_sheet
from engine.rendering.painter import open_painter
from engine.runs.plan import PAPER, SMALL, suitable_settings
from engine.segmentation.dino import open_dino
from engine.worker.jobs import Discover, Train

NAMES: Final = tuple(sorted(HELD_OUT))
STARTER: Final = resources_dir() / "starter"

RECIPES: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "inversion": (
        "textual inversion only",
        {"rank": 0, "attention_weight": 0.0, "part_dropout": 0.0, "empty": 0.0, "unsaid": "learned", "flip": False},
    ),
    "squares": (
        "attention by squares (Break-a-Scene)",
        {"rest": "peak", "part_dropout": 0.0, "empty": 0.0, "unsaid": "learned", "flip": False},
    ),
    "paper": ("paper mode (PartCraft)", {"recipe": "paper"}),
    "rates": ("paper mode at our rates", {"recipe": "paper", "start": "words", "rate": 5e-4, "token_rate": 1e-2}),
    "plan": (
        "paper mode with our plan",
        {
            **{key: value for key, value in SMALL.items() if key not in PAPER or key == "token_rate"},
            "recipe": "paper",
            "start": str(STARTER / "pack"),
        },
    ),
    "ours": ("ours", {}),
}
"""Each recipe's name for people and what its plan changes."""


def main() -> None:
    """Train and examine what is missing, then print and draw everything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path, nargs="?", default=Path("build") / "recipes")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--count", type=int, default=24, help="birds of each kind to render")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at once, one thread each")
    parser.add_argument("--only", nargs="*", choices=RECIPES, default=[*RECIPES])
    parser.add_argument("--worker", nargs=2, metavar=("RECIPE", "SEED"), help=argparse.SUPPRESS)
    words = parser.parse_args()
    words.out = words.out.resolve()
    if words.worker:
        work(words, words.worker[0], int(words.worker[1]))
        return
    if not (words.out / "draft" / "pack.json").is_file():
        make_draft(words.out / "draft")
    waiting = [(recipe, seed) for seed in range(words.seeds) for recipe in words.only
               if not result_file(words.out, recipe, seed).is_file()]  # fmt: skip

    def run(one: tuple[str, int]) -> None:
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--worker", one[0], str(one[1])], check=True)

    with ThreadPoolExecutor(words.jobs) as pool:
        list(pool.map(run, waiting))
    results = [json.loads(file.read_text()) for file in sorted(words.out.glob("*-seed*.json"))]
    (words.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    text = table(results)
    (words.out / "table.md").write_text(text)
    plot(results).save(words.out / "plot.png", optimize=True)
    print(text)


def result_file(out: Path, recipe: str, seed: int) -> Path:
    """Where the figures of one training are kept."""
    return out / f"{recipe}-seed{seed}.json"


def make_draft(out: Path) -> None:
    """A pack without tokens: the starter's parts, and a code for each practice species found in its pictures."""
    silent: Any = lambda _news: None  # noqa: E731
    job = Discover(str(STARTER / "practice"), str(out), 5, 6, "bird", extends=str(STARTER / "pack"))
    pack = Pack.open(HANDLERS[Discover](Models(), job, silent))
    known = pack.vocabulary.codes_per_part - len(NAMES)
    book = pack.codebook()
    replace(book, codes=book.codes[:, known:]).save(out / CODEBOOK)
    references = tuple(
        replace(one, codes=tuple(code if code == ABSENT else code - known for code in one.codes))
        for one in pack.references
        if all(code == ABSENT or code >= known for code in one.codes)
    )
    words = Vocabulary("bird", pack.vocabulary.parts, len(NAMES), tuple(r[known:] for r in pack.vocabulary.code_names))
    replace(pack, vocabulary=words, references=references, extends="").save()


def work(words: argparse.Namespace, recipe: str, seed: int) -> None:
    """Train one pack and examine it; its figures go to ``result_file``."""
    torch.set_num_threads(1)
    run = words.out / "runs" / f"{recipe}-{seed}"
    run.mkdir(parents=True, exist_ok=True)
    document = {
        **RECIPES[recipe][1],
        "pack": str(words.out / "draft"),
        "pictures": str(STARTER / "practice"),
        "out": str(words.out / "packs" / f"{recipe}-{seed}"),
        "steps": words.steps,
        "batch": words.batch,
        "seed": seed,
        "checkpoint_every": 100_000,
        "sample_every": 100_000,
    }
    if recipe == "ours":
        document = {**ours(), **document}
    (run / "plan.json").write_text(json.dumps(document, indent=1))
    folder = HANDLERS[Train](Models(), Train(str(run)), lambda _news: None)
    figures = examine(Pack.open(folder), words.count, run)
    result_file(words.out, recipe, seed).write_text(
        json.dumps({"recipe": recipe, "seed": seed, "steps": words.steps, "batch": words.batch, "mixes": figures})
    )
    print(recipe, seed, {mix: round(one["emr"], 3) for mix, one in figures.items()}, file=sys.stderr, flush=True)


def ours() -> dict[str, Any]:
    """What the app itself plans for this base model: its tokens begin where the starter pack says."""
    return {**suitable_settings("starter/base"), "start": str(STARTER / "pack")}


def examine(pack: Pack, count: int, out: Path) -> dict[str, dict[str, float]]:
    """EMR and both CoSims for birds of 1, 2, 3 and 4 species; contact sheets into ``out``."""
    models = Models()
    judge, painter = Judge.open(STARTER / "judge"), open_painter(models, pack)
    dino, book = open_dino(models, pack.backbone), pack.codebook()
    ideal = ideals(judge)
    figures = {}
    for mix in (1, 2, 3, 4):
        birds = exam.requested_birds(NAMES, count, mix, seed=500 + mix)
        pictures = exam.render_birds(painter, NAMES, birds, seed=9000 + 1000 * mix)
        result = exam.judge_pictures(judge, birds, pictures)
        asked = np.array([[NAMES.index(source) for source in bird.sources] for bird in birds])
        seen = judge.impressions(pictures)
        features = [dino.features([Image.fromarray(picture)])[0] for picture in pictures]
        found = [book.pooled(one, book.segment(one).labels) for one in features]
        by_book = [
            book.similarity(part, code, book.codes[part, book.code_of(part, pooled[part])] * bool(pooled[part].any()))
            for pooled, codes in zip(found, asked, strict=True)
            for part, code in enumerate(codes.tolist())
        ]
        by_judge = [
            float(impression[part] @ ideal[part, code])
            for impression, codes in zip(seen, asked, strict=True)
            for part, code in enumerate(codes.tolist())
        ]
        figures[str(mix)] = {
            "emr": result.emr,
            "cosim_codebook": float(np.mean(by_book)),
            "cosim_judge": float(np.mean(by_judge)),
            "floor": result.floor,
        }
        contact_sheet([Image.fromarray(picture) for picture in pictures]).save(out / f"sheet-{mix}.png")
    return figures


def ideals(judge: Judge) -> np.ndarray:
    """The judge's mean impression of each part of each species in drawings: (5, 6, 128), of length 1."""
    made = []
    for name in NAMES:
        bird: Bird = species(name)
        drawn = np.stack([draw_bird(bird, np.random.default_rng((404, index))).image for index in range(24)])
        made.append(judge.impressions(drawn).mean(0))
    rows = np.stack(made, axis=1)
    assert rows.shape[:2] == (len(PARTS), len(NAMES))
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def spread(results: Sequence[dict[str, Any]], recipe: str, mix: str, key: str) -> tuple[float, float, int]:
    """Mean, standard deviation and number of seeds of one figure."""
    values = [one["mixes"][mix][key] for one in results if one["recipe"] == recipe]
    return float(np.mean(values)), float(np.std(values)), len(values)


def table(results: Sequence[dict[str, Any]]) -> str:
    """All figures as Markdown: mean ± standard deviation over the seeds."""
    lines = [
        f"{results[0]['steps']} steps of {results[0]['batch']} pictures; mean ± standard deviation over the seeds."
    ]
    shown = [recipe for recipe in RECIPES if any(one["recipe"] == recipe for one in results)]
    for key, title in (("emr", "EMR"), ("cosim_codebook", "CoSim (codebook)"), ("cosim_judge", "CoSim (judge)")):
        lines += ["", f"| {title} | one species | two | three | four | seeds |", "|---|---|---|---|---|---|"]
        for recipe in shown:
            cells = [spread(results, recipe, str(mix), key) for mix in (1, 2, 3, 4)]
            figures = " | ".join(f"{mean:.3f} ± {deviation:.3f}" for mean, deviation, _ in cells)
            lines.append(f"| {RECIPES[recipe][0]} | {figures} | {cells[0][2]} |")
    return "\n".join(lines) + "\n"


def plot(results: Sequence[dict[str, Any]], scale: int = 2) -> Image.Image:
    """EMR over the number of species mixed, a line a recipe, a bar for the spread over seeds."""
    width, height, left, top, right, bottom = 760, 380, 60, 24, 270, 44
    image = Image.new("RGB", (width * scale, height * scale), "white")
    pen = ImageDraw.Draw(image)
    font = ImageFont.truetype(next((resources_dir() / "fonts").glob("*.ttf")), 13 * scale)
    colours = {
        "inversion": "#8a8f98",
        "squares": "#56b4e9",
        "paper": "#e69f00",
        "rates": "#009e73",
        "plan": "#0072b2",
        "ours": "#d55e00",
    }

    def place(mix: float, rate: float) -> tuple[float, float]:
        x = left + (mix - 1) / 3 * (width - left - right)
        return x * scale, (height - bottom - rate * (height - top - bottom)) * scale

    for tenth in range(0, 11, 2):
        y = place(1, tenth / 10)[1]
        pen.line([(left * scale, y), (place(4, 0)[0], y)], "#e3e5e8", scale)
        pen.text(((left - 10) * scale, y), f"{tenth / 10:.1f}", "#555555", font, "rm")
    for mix in (1, 2, 3, 4):
        pen.text((place(mix, 0)[0], (height - bottom + 10) * scale), str(mix), "#555555", font, "mt")
    pen.text((place(2.5, 0)[0], (height - 6) * scale), "species mixed in one bird", "#555555", font, "mb")
    pen.text((left * scale, 6 * scale), "EMR", "#555555", font, "mm")
    labels: list[tuple[float, str, str]] = []
    for recipe in RECIPES:
        if not any(one["recipe"] == recipe for one in results):
            continue
        figures = [spread(results, recipe, str(mix), "emr") for mix in (1, 2, 3, 4)]
        points = [place(mix, figures[mix - 1][0]) for mix in (1, 2, 3, 4)]
        pen.line(points, colours[recipe], 3 * scale, joint="curve")
        for mix, (mean, deviation, _) in enumerate(figures, 1):
            (x, high), (_, low) = place(mix, mean + deviation), place(mix, max(mean - deviation, 0))
            pen.line([(x, high), (x, low)], colours[recipe], scale)
            x, y = place(mix, mean)
            pen.ellipse([x - 4 * scale, y - 4 * scale, x + 4 * scale, y + 4 * scale], colours[recipe])
        labels.append((points[-1][1], RECIPES[recipe][0], colours[recipe]))
    last = -1e9
    for y, text, colour in sorted(labels):  # one below the other, however close the lines end
        last = max(y, last + 18 * scale)
        pen.text((place(4, 0)[0] + 14 * scale, last), text, colour, font, "lm")
    return image


if __name__ == "__main__":
    main()
