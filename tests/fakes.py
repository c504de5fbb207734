"""A scriptable fake engine and small packs, so that the window and the worker are tested without models.

``Engine(outlet, host, handlers="tests.fakes:HANDLERS")`` runs these handlers in either host. What they do is told by a
small JSON file named by the environment variable ``PARTCRAFT_FAKE_SCRIPT``, read anew for each job, so that a test can
change it between jobs even when the host is a child process::

    write_script(path, render={"delay": 0.05, "fail": ["It is broken.", "Mend it."]})

Words of a script, by job ("segment", "render", ...): ``delay`` seconds a step; ``fail`` [message, hint] raises a
UserError; ``crash`` kills the host's process; ``raise`` text raises a RuntimeError; ``deaf`` sleeps so many seconds
without a report, so that only killing ends it; ``at`` the step at which these happen (default 0); ``note`` for
Segmented and PartsFound; ``problems`` for Surveyed ([name, what, message], ...); ``alike`` and ``background`` for
PartsFound, with ``eyes_here`` and ``eyes_wanted`` (see :func:`_eyes`); ``unseen`` for Segmented; ``seconds``,
``memory`` for Measured.

:class:`FakeRuns` stands in for :mod:`engine.runs.run`: trainings without a process, whose progress a test decides.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from safetensors.numpy import save_file

from engine.core.correction import ANY_PART
from engine.core.errors import JobCancelled, UserError
from engine.core.match_rate import MatchRate
from engine.core.paths import data_dir, models_dir, packs_dir
from engine.core.recipe import Arrival, Creation
from engine.core.resemblance import Resemblance
from engine.core.segmentation import NO_PART, Segmentation
from engine.core.source_mark import source_type
from engine.core.vocabulary import ABSENT, Part, Vocabulary
from engine.hub.published import published_pack
from engine.packs.pack import TOKENS, Backbone, BaseModel, Pack, Reference
from engine.packs.stand_ins import PAINTED, code_of, is_stand_in, with_stand_ins
from engine.runs.plan import Plan
from engine.runs.run import Run, SampleImage
from engine.runs.run_folder import run_identity
from engine.worker.collage_jobs import Examine, Examined, Sketch, Sketched
from engine.worker.evaluated import Evaluated, Judgement, PartScores, Scores
from engine.worker.jobs import (
    Discover,
    Evaluate,
    Evaluating,
    ExportPack,
    FindParts,
    GetEyes,
    ImportCheckpoint,
    Job,
    Losses,
    Measure,
    Measured,
    News,
    PaintReference,
    PartsFound,
    Prepare,
    Preview,
    Problem,
    Progress,
    Render,
    Rendered,
    SeenPicture,
    Segment,
    Segmented,
    Survey,
    Surveyed,
    Train,
    UnpackCheckpoint,
)

SCRIPT = "PARTCRAFT_FAKE_SCRIPT"
PARTS = ("body", "wing", "tail", "head", "legs")
COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#0072b2")
NAMES = ("Cardinal", "Snowy Owl", "Blue Jay", "Ёжик", "Kiwi", "Robin", "Wren", "Finch")


def write_script(path: Path, **jobs: dict[str, Any]) -> Path:
    """Write a script for the fake handlers; point ``PARTCRAFT_FAKE_SCRIPT`` to it."""
    beside = path.with_suffix(".new")  # a handler may read it at this moment
    beside.write_text(json.dumps(jobs), "utf-8")
    return beside.replace(path)


def make_vocabulary(parts: int = 5, codes: int = 8) -> Vocabulary:
    """Parts of a bird, and one of background; codes 0.. have names of species, non-Latin ones among them."""
    names = [Part(i, PARTS[i], COLOURS[i]) for i in range(parts)]
    row = tuple(NAMES[k] if k < len(NAMES) else "" for k in range(codes))
    return Vocabulary("bird", (*names, Part(parts, "background", "#888888", True)), codes, (row,) * parts + ((),))


def sketch_bird(code: int, size: int = 128) -> tuple[Image.Image, np.ndarray]:
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
        picture, labels = sketch_bird(code)
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
    save_file({"fake": rows(1, 1)}, folder / TOKENS)  # nothing of them is read: it counts as trained
    pack = Pack(
        folder.resolve(), id, "Fake birds", words, Backbone("starter/eyes"), BaseModel("starter/base", widths=(64,)),
        tuple(made), "CC0", "Drawn for tests.",
    )  # fmt: skip
    pack.save()
    return pack


def make_base_config(
    folder: Path, sample_size: Any = 64, width: Any = 768, sdxl: bool = False, blocks: int = 4
) -> Path:
    """What a base model's JSON files say of its sizes; no weights. Stable Diffusion 1.5's unless told otherwise."""
    unet = {"sample_size": sample_size, "cross_attention_dim": width}
    unet |= {"addition_embed_type": "text_time"} if sdxl else {}
    for name, config in (("unet", unet), ("vae", {"block_out_channels": [8] * blocks})):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "config.json").write_text(json.dumps(config))
    return folder


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
    code = sum(os.fsencode(Path(job.image).name)) % words.codes_per_part
    labels = np.asarray(Image.fromarray(sketch_bird(code)[1]).resize(size, Image.Resampling.NEAREST))
    codes = tuple(ABSENT if part.background else code for part in words.parts)
    report(Progress("Looking", 1, 1))
    if script.get("unseen") and not job.anyway:
        labels, codes = np.full_like(labels, NO_PART), (ABSENT,) * len(codes)
        return Segmented(job.image, Segmentation(labels, codes), "Wrong parts.", unseen=True)
    return Segmented(job.image, Segmentation(labels, codes), script.get("note", ""))


def render(models: Any, job: Render, report: Any) -> tuple[Creation, ...]:
    """Coloured pictures, one after another, with a preview a step; every second choice arrives."""
    script = _script(job)
    recipe = job.recipe
    size = recipe.size or 64
    made = []
    if recipe.tries > 1:
        return _tried(job, script, report)
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


def _tried(job: Render, script: dict[str, Any], report: Any) -> tuple[Creation, ...]:
    """One picture of several tries: its wing arrives with the last; whoever cancels before gets the one without."""
    recipe, made = job.recipe, None
    for number in range(recipe.tries):
        last = number + 1 == recipe.tries
        receipt = tuple(
            Arrival(one.part, one.code, ABSENT if PARTS[one.part] == "wing" and not last else one.code, 0.9)
            for one in recipe.choices
        )
        try:
            for step in range(recipe.steps):
                _step(script, step)
                missing = ": wing missing" if number else ""
                report(Progress(f"Try {number + 1} of {recipe.tries}{missing}", step, recipe.steps))
        except JobCancelled:
            if made is None:
                raise
            return (made,)
        alone = replace(recipe, seed=recipe.seed + number, count=1, tries=1)
        made = keep(job, sketch_bird(number)[0], f"try-{recipe.seed}-{number}.png", alone, receipt)
    assert made is not None
    report(Rendered(0, made))
    return (made,)


def examine(models: Any, job: Examine, report: Any) -> Examined:
    """Every second choice arrives, half in its place."""
    _step(_script(job), 0)
    receipt = tuple(
        Arrival(choice.part, choice.code, choice.code if i % 2 == 0 else ABSENT, 0.9 if i % 2 == 0 else 0.1, 0.5)
        for i, choice in enumerate(job.recipe.choices)
    )
    return Examined(job.recipe, receipt)


def sketch(models: Any, job: Sketch, report: Any) -> Sketched:
    """A drawn bird of the recipe's seed, after all steps."""
    script = _script(job)
    for step in range(job.recipe.steps):
        _step(script, step)
        report(Progress("Painting", step + 1, job.recipe.steps))
    return Sketched(job.recipe, np.asarray(sketch_bird(job.recipe.seed % 1000)[0]))


def keep(job: Render, picture: Image.Image, name: str, recipe: Any, receipt: Any) -> Creation:
    """Save a picture the way the engine does."""
    from engine.core.png_metadata import save_creation

    pack = Pack.open(job.pack)
    source = source_type(recipe.start, recipe.steps) if job.mark else ""
    path, revision = Path(job.out) / name, pack.base_model.revision
    return save_creation(picture, path, recipe, receipt, pack.vocabulary, source=source, revision=revision)


def make_folder(folder: Path, kinds: Iterable[str] = ("Cardinal", "Ёжик"), each: int = 4) -> Path:
    """A folder of drawn birds, sorted by kind (unsorted for the kind "")."""
    for code, kind in enumerate(kinds):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            sketch_bird(code * 10 + number)[0].save(folder / kind / f"{code}-{number}.png")
    return folder


def _pictures_in(folder: str) -> list[Path]:
    found = sorted(Path(folder).rglob("*.png")) if Path(folder).is_dir() else []
    if not found:
        raise UserError(f"There are no pictures in {Path(folder).name}.", "Choose another folder.")
    return found


def survey(models: Any, job: Survey, report: Any) -> Surveyed:
    """The PNGs of a folder; subfolders are kinds."""
    script = _script(job)
    report(Progress("Looking through the folder", 0, 0))
    _step(script, 0)
    wrong = tuple(Problem(str(Path(job.folder) / name), what, said) for name, what, said in script.get("problems", ()))
    found = [path for path in _pictures_in(job.folder) if str(path) not in {problem.picture for problem in wrong}]
    names = [path.parent.name for path in found if path.parent != Path(job.folder)]
    kinds = tuple((name, names.count(name)) for name in dict.fromkeys(names)) if len(names) == len(found) else ()
    return Surveyed(job.folder, tuple(map(str, found)), kinds, wrong)


def clusters_of(labels: np.ndarray, count: int) -> np.ndarray:
    """The parts of a drawn bird as ``count`` clusters: fewer share parts, more cut parts in halves."""
    right = np.arange(labels.shape[1])[None] >= labels.shape[1] * 0.45
    cut = np.where((labels < count - 5) & right, labels + 5, labels)
    return np.where(labels == NO_PART, NO_PART, cut if count >= 5 else labels % max(count, 1)).astype(np.uint8)


def find_parts(models: Any, job: FindParts, report: Any) -> PartsFound:
    """The exact parts of drawn birds: five clusters are the parts, other numbers see :func:`clusters_of`."""
    script = _script(job)
    found = _pictures_in(job.folder)
    for step in range(4):
        _step(script, step)
        report(Progress("Looking at pictures", len(found) * (step + 1) // 4, len(found)))
    count = len(PARTS) if job.extends else job.parts or len(PARTS)
    together = {cluster: group for group in job.merged for cluster in group}
    groups = sorted({tuple(sorted(together.get(cluster, (cluster,)))) for cluster in range(count)})
    table = np.full(256, NO_PART, np.uint8)
    for part, group in enumerate(groups):
        table[list(group)] = part
    wall = []
    for path in found[: job.show]:
        with Image.open(path) as picture:
            image = np.asarray(picture.convert("RGB"))
        labels = clusters_of(sketch_bird(0, image.shape[0])[1], count)
        if job.flip_background:
            labels = np.where(labels == NO_PART, 0, NO_PART).astype(np.uint8)
        name = path.relative_to(job.folder).as_posix()
        drawn = np.full_like(labels, NO_PART) if name in job.left_out else table[labels]
        for stroke in job.corrections:
            if stroke.picture == name and name not in job.left_out and stroke.label != ANY_PART:
                drawn[stroke.covers(*drawn.shape)] = NO_PART if stroke.label is None else table[stroke.label]
        wall.append(SeenPicture(str(path), path.parent.name, image, drawn, name in job.left_out))
    shares = tuple(float(np.mean([(seen.labels == part).mean() for seen in wall])) for part in range(len(groups)))
    names = tuple(PARTS[group[0]] if group[0] < len(PARTS) else f"part {group[0] + 1}" for group in groups)
    background = tuple(part in script.get("background", ()) for part in range(len(groups)))
    alike = tuple((a, b) for a, b in script.get("alike", ()) if max(a, b) < len(groups))
    reason = "Five parts come out alike however the search begins."
    return PartsFound(
        len(found), job.parts, len(PARTS), reason, tuple(groups), names, background, shares, alike, tuple(wall),
        script.get("note", ""), **_eyes(script, job),
    )  # fmt: skip


def _eyes(script: Any, job: FindParts) -> dict[str, Any]:
    """Eyes as the script has them: ``eyes_here`` at hand, of which the last fits; ``wanted`` not here until fetched.
    The pictures are drawings like the starter's if its eyes fit."""
    here = tuple(script.get("eyes_here", ("starter/eyes",)))
    wanted = script.get("eyes_wanted", "")
    fetched = (data_dir() / "fetched").is_file()
    here += (wanted,) if wanted and fetched else ()
    missing = bool(wanted) and not fetched and not job.eyes
    eyes = job.eyes or here[-1]
    reason = "" if job.eyes else f"{eyes} fits."
    return {"eyes": eyes, "eyes_reason": reason, "eyes_here": here, "eyes_missing": missing,
            "familiar": script.get("familiar", here[-1] == "starter/eyes" and not wanted)}  # fmt: skip


def get_eyes(models: Any, job: GetEyes, report: Any) -> str:
    """Says that they are here from now on."""
    report(Progress("Fetching the eyes", 0, 0))
    _step(_script(job), 0)
    data_dir().mkdir(parents=True, exist_ok=True)
    (data_dir() / "fetched").write_text("")
    return "somewhere"


def discover(models: Any, job: Discover, report: Any) -> str:
    """A small pack with as many codes as asked, and the parts that the job names."""
    script = _script(job)
    for step in range(4):
        _step(script, step)
        report(Progress("Finding parts", step + 1, 4))
    _pictures_in(job.folder)
    pack = make_pack(Path(job.out), codes=job.codes, id=Path(job.out).name)
    (pack.path / TOKENS).unlink()
    words = pack.vocabulary
    named = zip(words.parts, job.part_names, job.colours, strict=False)
    changed = {part.index: replace(part, name=name, colour=colour) for part, name, colour in named}
    parts = tuple(changed.get(part.index, part) for part in words.parts)
    words = replace(words, noun=job.noun, parts=parts)
    replace(pack, title=job.title or pack.title, vocabulary=words).save()
    return job.out


def measure(models: Any, job: Measure, report: Any) -> Measured:
    """What the script says."""
    script = _script(job)
    report(Progress("Taking a few steps", 0, 3))
    _step(script, 0)
    return Measured(script.get("seconds", 0.5), int(script.get("memory", 1.2e9)), 4.0, job.size or 128)


def train(models: Any, job: Train, report: Any) -> str:
    """Falling losses; the result is the plan's own path, with a manifest of the script's ``metrics``."""
    script = _script(job)
    steps = int(script.get("steps", 20))
    for step in range(steps):
        _step(script, step)
        report(Progress("Training", step + 1, steps))
        report(Losses(step + 1, 1.0 / (step + 1), 0.5 / (step + 1)))
    if "metrics" in script:
        run, base = Path(job.plan), {"id": "starter/base"}
        manifest = {"run": run_identity(run), "base_model": base, "metrics": script["metrics"]}
        (run / "pack.json").write_text(json.dumps(manifest))
    return job.plan


def evaluate(models: Any, job: Evaluate, report: Any) -> Evaluated:
    """Figures that grow a little with each of the pictures, which are kept in the evaluation's folder."""
    script = _script(job)
    out = Path(job.out)
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    pictures: list[str] = []
    result = _evaluated(job, 0)
    for number in range(job.count):
        _step(script, number)
        report(Progress("Rendering mixes", number * 20, job.count * 20))
        path = out / "pictures" / f"{number}.png"
        sketch_bird(number)[0].save(path)
        pictures.append(str(path))
        result = _evaluated(job, number + 1)
        report(Evaluating(result, tuple(pictures), str(out)))
    (out / "report.html").write_text("<p>Figures</p>")
    return result


def _evaluated(job: Evaluate, done: int) -> Evaluated:
    part = PartScores(0.9, 0.95, 0.0, done, 0.1, 0.1, (0.8, 1.0))
    scores = Scores(
        0.9, 0.8, 0.1, {"head": part, "wing": part}, done, 0.7, 0.1, 0.2, (0.85, 0.95), (0.7, 0.9), (0.6, 0.8)
    )
    sources = dict.fromkeys(job.mixes, scores)
    judgement = Judgement("the fake judge", scores, sources, {"references": scores})
    return Evaluated("fake", job.mixes, done, job.seed, (judgement,), job.steps or 20, 3.0, job.count)


def export_pack(models: Any, job: ExportPack, report: Any) -> tuple[str, ...]:
    """Two files, one step each."""
    script = _script(job)
    folder = Path(job.folder)
    folder.mkdir(parents=True, exist_ok=True)
    for done, name in enumerate(("birds.safetensors", "README.md")):
        report(Progress("Writing for other programs", done, 2))
        _step(script, done)
        (folder / name).write_text(Pack.open(job.pack).title, "utf-8")
    return tuple(str(folder / name) for name in ("birds.safetensors", "README.md"))


def unpack(models: Any, job: UnpackCheckpoint, report: Any) -> str:
    """A folder that says it is a base model; it has no weights."""
    for piece in range(3):
        _step(_script(job), piece)
        report(Progress("Unpacking", piece, 3))
    folder = models_dir() / "checkpoints" / Path(job.file).stem
    make_base_config(folder)
    (folder / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    return f"checkpoints/{folder.name}"


def import_checkpoint(models: Any, job: ImportCheckpoint, report: Any) -> str:
    """A drawn pack whose pictures are stand-ins, as an imported checkpoint's are."""
    report(Progress("Reading the checkpoint", 0, 0))
    _step(_script(job), 0)
    published = published_pack(job.published)
    id = job.published or "imported"
    folder = packs_dir() / id
    pack = make_pack(folder, codes=4, references=0, id=id)
    title = published.title if published else job.title
    extra = {"source": {"id": published.id}} if published else {}
    with_stand_ins(replace(pack, title=title, extra=extra)).save()
    (folder / TOKENS).write_bytes((folder / "codebook.safetensors").read_bytes())
    return str(folder)


def paint(models: Any, job: PaintReference, report: Any) -> str:
    """A drawn bird in the place of a stand-in."""
    for step in range(4):
        report(Progress("Painting", step + 1, 4))
        _step(_script(job), step)
    pack = Pack.open(job.pack)
    picture, labels = sketch_bird(job.code)
    painted = []
    for reference in pack.references:
        if code_of(reference) == job.code and is_stand_in(reference):
            image, drawn = (pack.path / place / f"{PAINTED}{reference.id}.png" for place in ("references", "labels"))
            picture.save(image)
            Image.fromarray(labels).save(drawn)
            reference = replace(reference, image=str(image), thumbnail=str(image), labels=str(drawn))
        painted.append(reference)
    replace(pack, references=tuple(painted)).save()
    return job.pack


HANDLERS = {
    Prepare: prepare,
    Segment: segment,
    Render: render,
    Examine: examine,
    Sketch: sketch,
    Survey: survey,
    FindParts: find_parts,
    Discover: discover,
    Measure: measure,
    Train: train,
    Evaluate: evaluate,
    GetEyes: get_eyes,
    UnpackCheckpoint: unpack,
    ImportCheckpoint: import_checkpoint,
    PaintReference: paint,
    ExportPack: export_pack,
}


class FakeRuns:
    """Trainings whose progress a test decides: ``tell(folder, step=20, state="finished")``."""

    def __init__(self) -> None:
        self.known: dict[str, Run] = {}
        self.refuse: UserError | None = None
        self.asked: list[tuple[str, str]] = []

    def tell(self, folder: str, **changes: Any) -> None:
        """Let a run be otherwise."""
        self.known[folder] = replace(self.known[folder], **changes)

    def learned(self, folder: str, steps: int, parts: int = 5) -> None:
        """Let a run have taken some steps: losses fall, samples are painted at every fourth of the way."""
        run = self.known[folder]
        samples = []
        for step in range(max(1, run.steps // 4), steps + 1, max(1, run.steps // 4)):
            for part in range(-1, parts):
                path = Path(folder) / "samples" / f"step-{step}" / ("whole.png" if part < 0 else f"part-{part}.png")
                path.parent.mkdir(parents=True, exist_ok=True)
                sketch_bird(step + part)[0].save(path)
                samples.append(SampleImage(step, part, str(path)))
        losses = tuple((step + 1, 1 / (step + 1), 0.5 / (step + 1)) for step in range(steps))
        self.tell(
            folder, step=steps, losses=losses, samples=tuple(samples), stage="Learning", done=steps, total=run.steps
        )

    def finish(self, folder: str, match_rate: float = 0.83, state: str = "finished", **metrics: Any) -> Pack:
        """Let a run be finished (or stopped): its pack is written where the plan says. ``metrics`` are its pack's."""
        plan = self.known[folder].plan
        assert plan is not None
        out = Path(plan.out)
        pack = make_pack(out, id=out.name)
        pack = replace(pack, title=self.known[folder].title, metrics={"match_rate": match_rate, **metrics})
        pack.save()
        (out / "tokens.safetensors").write_bytes((out / "codebook.safetensors").read_bytes())
        resemblance = Resemblance.from_metrics(pack.metrics, pack.base_model.id)
        rate = MatchRate.from_metrics(pack.metrics)
        self.tell(folder, state=state, pack=str(out), match_rate=rate, resemblance=resemblance)
        return pack

    def start(self, path: str, /) -> Run:
        self.asked.append(("start", path))
        if self.refuse is not None:
            raise self.refuse
        plan = Plan.from_json((Path(path) / "plan.json").read_text("utf-8"))
        title = Pack.open(plan.pack).title
        before = self.known.get(path, Run(path, title, plan, steps=plan.steps))
        self.known[path] = replace(before, state="running", stage="Getting ready", message="", hint="")
        return self.known[path]

    def read(self, folder: str, /) -> Run:
        return self.known[folder]

    def pause(self, folder: str, /) -> None:
        self.asked.append(("pause", folder))

    def stop(self, folder: str, /) -> Run:
        self.asked.append(("stop", folder))
        return self.known[folder]

    def discard(self, folder: str, /) -> Path:
        there = Path(folder).parent.parent / "trash" / Path(folder).name
        there.parent.mkdir(parents=True, exist_ok=True)
        Path(folder).rename(there)
        self._gone = self.known.pop(folder)
        return there

    def restore(self, trashed: Path, /) -> Path:
        return trashed.rename(self._gone.folder)

    def runs(self) -> list[Run]:
        back = getattr(self, "_gone", None)
        if back is not None and Path(back.folder).is_dir():
            self.known[back.folder] = back
        return [run for run in self.known.values() if Path(run.folder).is_dir()]


__all__ = ["HANDLERS", "FakeRuns", "News", "sketch_bird", "make_pack", "make_vocabulary", "write_script"]
