"""Training: from a plan to a pack that has been opened and has rendered."""

from __future__ import annotations

import gc
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from engine.core.errors import JobCancelled, UserError
from engine.core.on_disk import resolved
from engine.models.cross_attention import best_grid
from engine.models.distributed import World, join_world
from engine.models.hub import base_model_entry
from engine.models.loader import Models
from engine.packs.pack import Pack
from engine.packs.stand_ins import pictures_of
from engine.runs.plan import Plan
from engine.runs.run_folder import EXAMPLES, checkpoints, clear_wish, open_plan, pack_destination, read_wish
from engine.runs.status import LEARNING_STAGE
from engine.training.captions import Captions
from engine.training.examples import Examples, prepare_examples, segmented_pictures
from engine.training.learner import Learner
from engine.training.loop import StopRequested, explain_step_failure, run_steps
from engine.training.pack_reader import write_reader
from engine.training.sample_images import SamplePainter
from engine.training.token_init import initial_tokens
from engine.training.trained_pack import install_pack, prove_pack, write_trained_pack
from engine.worker.jobs import News, Progress, Report, Train


def train(models: Models, job: Train, report: Report) -> str:
    """Train the plan's pack, or go on with a run's folder. The engine's handler of :class:`Train`.

    Looks for wishes (see :mod:`engine.runs.run`) whenever it reports. Result: the folder of the pack, which has been
    opened and has rendered. Raises :class:`UserError`.
    """
    world = join_world()
    plan, run = world.from_first(lambda: open_plan(Path(job.plan)))
    pack = Pack.open(plan.pack)
    place = world.from_first(lambda: pack_destination(plan, pack, run))
    try:
        return str(_train(models, plan, pack, place, report, world))
    except Exception as error:
        raise explain_step_failure(error, plan) from error
    finally:
        if world.first:
            clear_wish(run)


def _train(models: Models, plan: Plan, pack: Pack, place: Path, report: Report, world: World) -> Path:
    run = Path(plan.run)

    def heed(news: News) -> None:
        if world.first:
            report(news)
            wish = read_wish(run)
            early = isinstance(news, Progress) and news.stage != LEARNING_STAGE
            if wish == "stop" and early and checkpoints(run):
                return  # what was learned is opened first, and then kept
            if wish:
                raise StopRequested if wish == "stop" else JobCancelled

    written, step = _learn(models, plan, pack, place, heed, world)
    if not world.first:
        return place
    gc.collect()  # the pack is opened as anybody would, in the memory that the learner had
    written = write_reader(models, written, pack, plan, step, report)
    report(Progress("Opening the pack", 0, 0))
    proven = prove_pack(models, written, run, plan.seed, report)
    return place if written.path == place else install_pack(proven, place, run)


def _learn(models: Models, plan: Plan, pack: Pack, place: Path, heed: Report, world: World) -> tuple[Pack, int]:
    """Learn and write what was learned: beside ``place``, or there if it is the draft's own folder. Also says after how
    many steps."""
    heed(Progress("Getting ready", 0, 0))
    unet = plan.unet or pack.unet_for(plan.base_model)
    vae = pack.base_model.vae if plan.base_model in ("", pack.base_model.id) else ""
    base = base_model_entry(plan.base_model or pack.base_model.id, unet, vae)
    pipeline = models.own_pipeline(base.id, base.unet, plan.precision)
    size = plan.size or int(pipeline.unet.config.sample_size * pipeline.vae_scale_factor)
    if size % 8 or size < 2 * pipeline.vae_scale_factor:
        raise UserError(f"The plan's size cannot be {size}.", "It is a multiple of 8, such as 256 or 512.")
    plan = replace(plan, grid=best_grid(pipeline.unet, size // pipeline.vae_scale_factor, plan.grid), size=size)
    examples = _examples(models, pipeline, plan, pack, heed, world)
    learner = Learner(pipeline, initial_tokens(plan, pack, pipeline), plan)
    captions = Captions(
        pack.vocabulary, pipeline.tokenizer, pipeline.text_encoder.config.max_position_embeddings,
        dropout=plan.part_dropout, empty=plan.empty, paper=plan.recipe == "paper",
    )  # fmt: skip
    step, run = plan.steps, Path(plan.run)
    try:
        run_steps(
            learner, examples, captions, run, heed, SamplePainter(learner, pack, examples, run, heed, base), world
        )
    except StopRequested:
        step = int(checkpoints(run)[-1].name.removeprefix("step-")) if world.first else step
        if step == 0:
            raise
    in_place = resolved(place) == resolved(pack.path)
    beside = place if in_place else place.with_name(f".{place.name}-part")
    return (write_trained_pack(learner, pack, plan, base, step, beside) if world.first else pack), step


def _examples(models: Models, pipeline: Any, plan: Plan, pack: Pack, report: Report, world: World) -> Examples:
    """What the run learns from: as it was kept, or made now, by the first process for all."""
    cached = Path(plan.run) / EXAMPLES
    made_of = json.dumps([plan.size, plan.grid, plan.flip, plan.crops, plan.seed if plan.crops else 0])

    def ready() -> None:
        made_before = Examples.made_of(cached)
        other = made_before not in ("", made_of)  # of another size, or none at all
        travelled = made_before is not None and not plan.pictures and not _from_references(cached, pack)
        if other and travelled:
            raise UserError(
                "The plan wants pictures of another size, and this run has travelled without its pictures.",
                "Put back its size, flip and crops, or change them where the pictures are.",
            )
        if other:
            pictures = segmented_pictures(models, pack, plan.pictures, report)
            examples = prepare_examples(
                pictures, pipeline.vae, plan.size, plan.grid, flip=plan.flip, crops=plan.crops, seed=plan.seed
            )
            examples.save(cached, made_of)

    world.from_first(ready)
    try:
        examples = Examples.load(cached)
    except FileNotFoundError as error:
        raise UserError(
            f"{cached} is not seen by all processes.", "Put the run's folder where all machines see it."
        ) from error
    except SafetensorError as error:
        raise UserError(f"{cached.name} of the run is damaged.", "Delete it, then go on: it is made again.") from error
    parts = len(pack.vocabulary.parts)
    if examples.masks.shape[2] != parts or int(examples.codes.max()) >= pack.vocabulary.codes_per_part:
        raise UserError("The run's examples belong to another pack.", f"Delete {cached}, then go on.")
    return examples


def _from_references(cached: Path, pack: Pack) -> bool:
    try:
        return len(Examples.load(cached)) == len(pictures_of(pack))
    except (OSError, SafetensorError):
        return False
