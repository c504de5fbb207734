"""A scriptable fake engine room and small packs, so that the window and the worker are tested without models.

``Engine(outlet, host, handlers="tests.fakes:HANDLERS")`` runs these handlers in either host. What they do is told by a
small JSON file named by the environment variable ``PARTCRAFT_FAKE_SCRIPT``, read anew for each job, so that a test can
change it between jobs even when the host is a child process::

    write_script(path, render={"delay": 0.05, "fail": ["It is broken.", "Mend it."]})

Words of a script, by job ("segment", "render", ...): ``delay`` seconds a step; ``fail`` [message, hint] raises a
UserError; ``crash`` kills the host's process; ``raise`` text raises a RuntimeError; ``deaf`` sleeps so many seconds
without a report, so that only killing ends it; ``at`` the step at which these happen (default 0); ``note`` for
Segmented.
"""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from safetensors.numpy import save_file

from engine.jobs import (
    Discover,
    Evaluate,
    Job,
    Losses,
    News,
    Prepare,
    Preview,
    Progress,
    Render,
    Rendered,
    Segment,
    Segmented,
    Train,
    UserError,
)
from engine.packs import Backbone, BaseModel, Pack, Reference
from engine.recipe import Arrival, Creation
from engine.segmentation import NO_PART, Segmentation
from engine.vocabulary import ABSENT, Part, Vocabulary

SCRIPT = "PARTCRAFT_FAKE_SCRIPT"
PARTS = ("body", "wing", "tail", "head", "legs")
COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#0072b2")
NAMES = ("Cardinal", "Snowy Owl", "Blue Jay", "Ёжик", "Kiwi", "Robin", "Wren", "Finch")


def write_script(path: Path, **jobs: dict[str, Any]) -> Path:
    """Write a script for the fake handlers; point ``PARTCRAFT_FAKE_SCRIPT`` to it."""
    path.write_text(json.dumps(jobs), "utf-8")
    return path


def make_vocabulary(parts: int = 5, codes: int = 8) -> Vocabulary:
    """Parts of a bird, and one of background; codes 0.. have names of species, non-Latin ones among them."""
    names = [Part(i, PARTS[i], COLOURS[i]) for i in range(parts)]
    row = tuple(NAMES[k] if k < len(NAMES) else "" for k in range(codes))
    return Vocabulary("bird", (*names, Part(parts, "background", "#888888", True)), codes, (row,) * parts + ((),))


def draw_bird(code: int, size: int = 128) -> tuple[Image.Image, np.ndarray]:
    """A plain bird of ellipses whose colours tell ``code``, and its exact labels: uint8 (size, size)."""
    generator = np.random.default_rng(code)
    picture = Image.new("RGB", (size, size), tuple(int(v) for v in generator.integers(190, 255, 3)))
    labels = Image.new("L", (size, size), NO_PART)
    boxes = {
        2: (0.04, 0.50, 0.34, 0.64),
        4: (0.46, 0.70, 0.58, 0.95),
        0: (0.22, 0.34, 0.76, 0.78),
        3: (0.62, 0.14, 0.92, 0.44),
        1: (0.30, 0.44, 0.62, 0.66),
    }
    for part, box in boxes.items():
        place = [round(side * size) for side in box]
        colour = tuple(int(v) for v in generator.integers(20, 180, 3))
        ImageDraw.Draw(picture).ellipse(place, fill=colour)
        ImageDraw.Draw(labels).ellipse(place, fill=part)
    return picture, np.asarray(labels)


def make_pack(folder: Path, codes: int = 8, references: int = 6, width: int = 16, id: str = "fake-birds") -> Pack:
    """A whole small pack on disk: vocabulary, random codebook, drawn references with exact labels. No models."""
    words = make_vocabulary(codes=codes)
    parts = len(words.parts)
    for name in ("references", "thumbnails"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(7)

    def rows(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape).astype(np.float32)

    save_file(
        {"foreground": rows(2, width), "parts": rows(parts, width), "codes": rows(parts, codes, width)},
        folder / "codebook.safetensors",
    )
    made = []
    for number in range(references):
        code = number % codes
        picture, labels = draw_bird(code)
        picture.save(folder / "references" / f"{number}.png")
        picture.resize((64, 64)).save(folder / "thumbnails" / f"{number}.png")
        Image.fromarray(labels).save(folder / "references" / f"{number}-labels.png")
        made.append(
            Reference(
                str(number),
                NAMES[code % len(NAMES)],
                str(folder / "references" / f"{number}.png"),
                str(folder / "thumbnails" / f"{number}.png"),
                str(folder / "references" / f"{number}-labels.png"),
                (code,) * (parts - 1) + (ABSENT,),
            )
        )
    pack = Pack(
        folder.resolve(), id, "Fake birds", words, Backbone("starter/eyes"), BaseModel("starter/base", widths=(64,)),
        tuple(made), "CC0", "Drawn for tests.",
    )  # fmt: skip
    pack.save()
    return pack


def _script(job: Job) -> dict[str, Any]:
    path = os.environ.get(SCRIPT)
    if not path:
        return {}
    return json.loads(Path(path).read_text("utf-8")).get(type(job).__name__.lower(), {})


def _step(script: dict[str, Any], step: int) -> None:
    time.sleep(script.get("delay", 0.0))
    if step != script.get("at", 0):
        return
    if "fail" in script:
        raise UserError(*script["fail"])
    if "raise" in script:
        raise RuntimeError(script["raise"])
    if "deaf" in script:
        time.sleep(script["deaf"])
    if script.get("crash"):
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def prepare(models: Any, job: Prepare, report: Any) -> None:
    """Report one step."""
    report(Progress("Opening the models", 0, 0))
    _step(_script(job), 0)


def segment(models: Any, job: Segment, report: Any) -> Segmented:
    """A drawn bird's labels, stretched to the picture; every part has the same code, chosen by the file's name."""
    script = _script(job)
    report(Progress("Looking", 0, 1))
    _step(script, 0)
    with Image.open(job.image) as picture:
        size = picture.size
    words = Pack.open(job.pack).vocabulary
    code = sum(Path(job.image).name.encode()) % words.codes_per_part
    labels = np.asarray(Image.fromarray(draw_bird(code)[1]).resize(size, Image.Resampling.NEAREST))
    codes = tuple(ABSENT if part.background else code for part in words.parts)
    report(Progress("Looking", 1, 1))
    return Segmented(job.image, Segmentation(labels, codes), script.get("note", ""))


def render(models: Any, job: Render, report: Any) -> tuple[Creation, ...]:
    """Coloured pictures, one after another, with a preview a step; every second choice arrives."""
    script = _script(job)
    recipe = job.recipe
    size = recipe.size or 64
    made = []
    for index in range(recipe.count):
        generator = np.random.default_rng(recipe.seed + index)
        final = generator.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        for step in range(recipe.steps):
            _step(script, step)
            report(Progress("Rendering", index * recipe.steps + step + 1, recipe.count * recipe.steps))
            shade = (final.astype(int) * (step + 1) // recipe.steps).astype(np.uint8)
            report(Preview(index, np.repeat(np.repeat(shade, 2, 0), 2, 1)))
        alone = type(recipe)(**{**vars(recipe), "seed": recipe.seed + index, "count": 1})
        receipt = tuple(
            Arrival(choice.part, choice.code, choice.code if i % 2 == 0 else ABSENT, 0.9 if i % 2 == 0 else 0.1)
            for i, choice in enumerate(recipe.choices)
        )
        picture = Image.fromarray(final).resize((size, size), Image.Resampling.NEAREST)
        name = f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{recipe.seed + index}.png"
        creation = keep(job, picture, name, alone, receipt)
        report(Rendered(index, creation))
        made.append(creation)
    return tuple(made)


def keep(job: Render, picture: Image.Image, name: str, recipe: Any, receipt: Any) -> Creation:
    """Save a picture the way the engine does."""
    from engine.png import save_creation

    return save_creation(picture, Path(job.out) / name, recipe, receipt, Pack.open(job.pack).vocabulary)


def discover(models: Any, job: Discover, report: Any) -> str:
    """A small pack with as many codes as asked."""
    script = _script(job)
    for step in range(4):
        _step(script, step)
        report(Progress("Finding parts", step + 1, 4))
    make_pack(Path(job.out), codes=job.codes, id=Path(job.out).name)
    return job.out


def train(models: Any, job: Train, report: Any) -> str:
    """Falling losses; the result is the plan's own path."""
    script = _script(job)
    steps = int(script.get("steps", 20))
    for step in range(steps):
        _step(script, step)
        report(Progress("Training", step + 1, steps))
        report(Losses(step + 1, 1.0 / (step + 1), 0.5 / (step + 1)))
    return job.plan


def evaluate(models: Any, job: Evaluate, report: Any) -> dict[str, Any]:
    """Fixed figures."""
    report(Progress("Rendering", 1, 1))
    _step(_script(job), 0)
    return {"emr": 0.9, "cosim": 0.8, "count": job.count}


HANDLERS = {
    Prepare: prepare,
    Segment: segment,
    Render: render,
    Discover: discover,
    Train: train,
    Evaluate: evaluate,
}

__all__ = ["HANDLERS", "News", "draw_bird", "make_pack", "make_vocabulary", "write_script"]
