"""Training: a pack's tokens and LoRA learned from its pictures, stopped and continued without a trace.

Everything random in step n comes from the seed and n alone, so a run that goes on from a checkpoint takes the same
steps, bit for bit on a CPU, as one that never stopped.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.attention import AttentionCapture
from engine.discovery import classes_of, look_at, open_dino
from engine.errors import JobCancelled, UserError
from engine.evaluation import contact_sheet
from engine.examples import OWN_TEMPLATE, Captions, Examples, prepare
from engine.hosts import Report
from engine.jobs import Losses, Preview, Progress, Train
from engine.learner import Learner, start_tokens, what_counts
from engine.lora import lora_state, save_lora
from engine.models import Models
from engine.packs import LORA, TOKENS, BaseModel, Pack
from engine.pictures import open_picture, picture_files
from engine.places import data_dir, make_folder, write_bytes, write_whole
from engine.plan import Plan
from engine.rendering import Painter
from engine.segmentation import Segmentation
from engine.tokens import Sentence
from engine.vocabulary import ABSENT, Choice

_KEPT_CHECKPOINTS: Final = 2


def learn(
    learner: Learner,
    examples: Examples,
    captions: Captions,
    run: Path,
    report: Report,
    sample: Any = None,
) -> None:
    """The loop: from the run's last checkpoint (or the start) to the plan's last step.

    Writes ``log.jsonl`` and ``checkpoints/step-N`` into ``run``. Cancelled, it keeps a checkpoint of where it was.
    ``sample`` is called with the step's number every ``sample_every`` steps.
    """
    plan = learner.plan
    device = learner.pipeline.unet.device
    step = _resume(learner, run)
    log = _trimmed_log(make_folder(run, "the run") / "log.jsonl", step)
    recording = AttentionCapture(learner.pipeline.unet, plan.grid) if plan.attention_weight else nullcontext()
    try:
        with log, recording as capture:
            while step < plan.steps:
                latents, noise, timesteps, sentences, masks = _batch(learner, examples, captions, step)
                counts = None if plan.unsaid == "learned" else what_counts(masks, sentences, captions.parts).to(device)
                diffusion, attention = learner.losses(
                    capture,
                    latents.to(device),
                    noise.to(device),
                    timesteps.to(device),
                    sentences,
                    masks.to(device),
                    counts,
                )
                learner.update(diffusion + plan.attention_weight * attention, step)
                step += 1
                losses = Losses(step, diffusion.item(), attention.item())
                log.write(json.dumps(asdict(losses)) + "\n")
                log.flush()
                if not np.isfinite(losses.diffusion):
                    raise UserError(f"Training came apart at step {step}.", "Choose a smaller rate in the plan.")
                if step % plan.checkpoint_every == 0 or step == plan.steps:
                    _checkpoint(learner, run, step)
                report(losses)
                report(Progress("Learning", step, plan.steps))
                if sample is not None and step % plan.sample_every == 0:
                    sample(step)
    except JobCancelled:
        _checkpoint(learner, run, step)
        raise


def _batch(
    learner: Learner, examples: Examples, captions: Captions, step: int
) -> tuple[Tensor, Tensor, Tensor, list[Sentence], Tensor]:
    """Latents, noise, timesteps, sentences and masks of a step, from the plan's seed and the step alone."""
    plan = learner.plan
    generator = np.random.default_rng((plan.seed, step))
    count, views = examples.latents.shape[:2]
    rows = [_shuffled(plan.seed, position // count, count)[position % count] for position in
            range(step * plan.batch, (step + 1) * plan.batch)]  # fmt: skip
    view = generator.integers(views, size=plan.batch)
    latents = examples.latents[rows, view].float()
    masks = examples.masks[rows, view].float() / 255
    codes = examples.codes[rows, view].tolist()
    sentences = [captions.draw(one, generator) for one in codes]
    noise = torch.from_numpy(generator.standard_normal(latents.shape, np.float32))
    # One noise level from each of B equal ranges: the mean loss of a step says more.
    levels = learner.scheduler.config.num_train_timesteps
    times = (np.arange(plan.batch) + generator.random(plan.batch)) * levels / plan.batch
    return latents, noise, torch.from_numpy(times.astype(np.int64)), sentences, masks


@lru_cache(maxsize=2)
def _shuffled(seed: int, epoch: int, count: int) -> Any:
    """The order of the examples in an epoch."""
    return np.random.default_rng((seed, count, epoch)).permutation(count)


def _checkpoint(learner: Learner, run: Path, step: int) -> None:
    """Write ``checkpoints/step-N`` beside and put it in place whole; older ones but the last are removed."""
    folder = make_folder(run / "checkpoints", "the checkpoint")
    final = folder / f"step-{step}"
    if final.exists():
        return
    beside = folder / f".step-{step}"
    shutil.rmtree(beside, ignore_errors=True)
    make_folder(beside, "the checkpoint")
    write_whole(beside / "state.safetensors", lambda path: save_file(learner.tensors(), path), "the checkpoint")
    beside.replace(final)
    for old in _checkpoints(run)[:-_KEPT_CHECKPOINTS]:
        shutil.rmtree(old, ignore_errors=True)


def _checkpoints(run: Path) -> list[Path]:
    """Whole checkpoints, oldest first."""
    found = [path for path in (run / "checkpoints").glob("step-*") if (path / "state.safetensors").is_file()]
    return sorted(found, key=lambda path: int(path.name.removeprefix("step-")))


def _resume(learner: Learner, run: Path) -> int:
    """Restore the last checkpoint; the number of steps it has taken."""
    for path in reversed(_checkpoints(run)):
        try:
            # Cloned: a mapped file's tensors are aligned otherwise, and vectorised sums then round otherwise.
            learner.restore({name: one.clone() for name, one in load_file(path / "state.safetensors").items()})
        except (SafetensorError, OSError):
            continue  # damaged on the disk: the one before it is whole
        except ValueError as error:
            raise UserError(
                f"The checkpoint {path.name} belongs to another plan.", "Choose a new run folder."
            ) from error
        return int(path.name.removeprefix("step-"))
    return 0


def _trimmed_log(path: Path, step: int) -> Any:
    """The log opened for appending, without lines of steps that will be taken again."""
    kept = []
    if path.is_file():
        for line in path.read_text("utf-8").splitlines():
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line + "\n")
            except (ValueError, KeyError, TypeError):
                break  # a line cut short by a kill: all after it is taken again
    write_bytes(path, "".join(kept).encode(), "the log")
    return path.open("a", encoding="utf-8")


# From a plan to a pack: the engine's handler.


def train(models: Models, job: Train, report: Report) -> str:
    """Train the plan's pack, or go on with a run's folder. The engine's handler of :class:`Train`.
    Result: the folder of the pack. Raises :class:`UserError`."""
    plan, run = open_plan(Path(job.plan))
    pack = Pack.open(plan.pack)
    report(Progress("Getting ready", 0, 0))
    base = plan.base_model or pack.base_model.id
    pipeline = models.own_pipeline(base)
    size = plan.size or int(pipeline.unet.config.sample_size * pipeline.vae_scale_factor)
    cached = run / "examples.safetensors"
    if cached.is_file():
        examples = Examples.load(cached)
    else:
        pictures = segmented_pictures(models, pack, plan.pictures, report)
        examples = prepare(pictures, pipeline.vae, size, plan.grid, flip=plan.flip, crops=plan.crops, seed=plan.seed)
        examples.save(cached)
    learner = Learner(pipeline, start_tokens(plan, pack, pipeline), plan)
    paper = plan.recipe == "paper"
    captions = Captions(
        pack.vocabulary, pipeline.tokenizer, pipeline.text_encoder.config.max_position_embeddings,
        dropout=plan.part_dropout, empty=plan.empty, paper=paper,
    )  # fmt: skip
    learn(learner, examples, captions, run, report, Sampler(learner, pack, examples, run, report))
    return str(finish(learner, pack, plan, base).path)


def open_plan(path: Path) -> tuple[Plan, Path]:
    """A plan and its run's folder, which then holds ``plan.json``. Raises :class:`UserError`.

    ``path`` is a run's folder, or a plan whose ``run`` (by default one named after the pack) may be new.
    Relative folders in a plan are relative to the plan's own.
    """
    file = path / "plan.json" if path.is_dir() else path
    try:
        plan = Plan.from_json(file.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"There is no plan at {file}.", "Choose a plan.json or the folder of a run.") from error
    if path.is_dir():
        return replace(plan, run=str(path)), path
    places = {
        name: str((file.parent / value).resolve())
        for name in ("pack", "pictures", "run", "out")
        if (value := getattr(plan, name))
    }
    plan = replace(plan, **places)
    run = Path(plan.run) if plan.run else data_dir() / "runs" / f"{Path(plan.pack).name}-{plan.seed}"
    plan = replace(plan, run=str(run))
    text = json.dumps(asdict(plan), ensure_ascii=False, indent=1) + "\n"
    kept = run / "plan.json"
    if kept.is_file() and kept.read_text("utf-8") != text and _checkpoints(run):
        raise UserError(f"The run in {run} has another plan.", "Go on with that folder, or choose another run folder.")
    make_folder(run, "the run")
    write_bytes(kept, text.encode(), "the plan")
    return plan, run


def segmented_pictures(
    models: Models, pack: Pack, folder: str, report: Report
) -> Iterable[tuple[Image.Image, Segmentation]]:
    """Pictures with their parts: a folder's as the eyes see them, or the pack's references as they were kept.

    In subfolders named like the pack's codes, a picture's visible parts have its folder's code: the folder knows
    better than the nearest centroid.
    """
    if not folder:
        for done, reference in enumerate(pack.references):
            report(Progress("Reading references", done, len(pack.references)))
            with Image.open(reference.labels) as labels:
                yield open_picture(reference.image), Segmentation(np.asarray(labels), reference.codes)
        return
    codebook = pack.codebook()
    files = picture_files(folder)
    kinds = classes_of(Path(folder), files)
    found = look_at(open_dino(models, pack.backbone), files, report, kinds)
    for done, (file, features) in enumerate(zip(found.files, found.features, strict=True)):
        report(Progress("Finding parts", done, len(found.files)))
        picture = open_picture(file, max_side=1024)
        segmentation = codebook.segment_picture(features, np.asarray(picture))
        codes = list(segmentation.codes)
        for part in range(len(codes)) if found.classes else ():
            code = pack.vocabulary.find_code(part, found.classes[done])
            if code is not None and codes[part] != ABSENT:
                codes[part] = code
        yield picture, Segmentation(segmentation.labels, tuple(codes))


@dataclass
class Sampler:
    """Sample pictures on the way: the first examples' own codes, rendered into ``samples/step-N.png``."""

    learner: Learner
    pack: Pack
    examples: Examples
    run: Path
    report: Report

    def __call__(self, step: int) -> None:
        """Render and show the samples of a step."""
        before, after = OWN_TEMPLATE.replace("{noun}", self.pack.vocabulary.noun).split("{}")
        painter = Painter(self.learner.pipeline, self.learner.tokens)
        stride = max(1, len(self.examples) // self.learner.plan.samples)
        pictures = []
        with self.learner.averaged():
            for codes in self.examples.codes[::stride, 0][: self.learner.plan.samples].tolist():
                choices = [Choice(part, code) for part, code in enumerate(codes) if code != ABSENT]
                pictures += painter.paint((before, *choices, after), (), [step], steps=12, guidance=3.0)
        if not pictures:
            return
        sheet = contact_sheet(pictures)
        path = make_folder(self.run / "samples", "the sample") / f"step-{step}.png"
        write_whole(path, lambda beside: sheet.save(beside, "PNG"), "the sample")
        self.report(Preview(0, np.asarray(sheet)))


def finish(learner: Learner, pack: Pack, plan: Plan, base: str) -> Pack:
    """Write what was learned as a pack: tokens, LoRA and pack.json, the rest copied. Raises :class:`UserError`."""
    out = Path(plan.out or plan.pack).resolve()
    if out != pack.path.resolve():
        try:
            shutil.copytree(pack.path, out, dirs_exist_ok=True)
        except (OSError, shutil.Error) as error:
            raise UserError(
                f"The pack could not be written to {out}.", "Make room, or choose another folder."
            ) from error
    with learner.averaged():
        tokens = learner.tokens.tensors()
        write_whole(out / TOKENS, lambda beside: save_file(tokens, beside), "the pack's tokens")
        if plan.rank:
            save_lora(lora_state(learner.pipeline.unet), out / LORA)
    trained = replace(
        Pack.open(out),
        base_model=BaseModel(base, "", (learner.tokens.width,)),
        id=out.name,
        provenance=f"{pack.provenance}; trained {plan.steps} steps of {plan.batch}".removeprefix("; "),
    )
    trained.save()
    return trained
