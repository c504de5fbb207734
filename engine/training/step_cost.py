"""Measuring: a few real training steps on a draft pack's own references, thrown away, to say what a step costs here."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from statistics import median
from typing import Final

import psutil
import torch

from engine.core.errors import UserError
from engine.models.attention_capture import AttentionCapture
from engine.models.cross_attention import best_grid
from engine.models.distributed import ALONE
from engine.models.hub import base_model_entry
from engine.models.loader import Models
from engine.packs.pack import Pack
from engine.packs.stand_ins import pictures_of
from engine.runs.plan import Plan
from engine.training.captions import Captions
from engine.training.examples import prepare_examples, segmented_pictures
from engine.training.learner import Learner
from engine.training.loop import draw_batch, explain_step_failure, take_step
from engine.training.token_init import initial_tokens
from engine.worker.jobs import Measure, Measured, Progress, Report

_PICTURES: Final = 8
_STEPS: Final = 3
_LOOK: Final = 0.01
_STAGE: Final = "Trying a few steps"


def measure(models: Models, job: Measure, report: Report) -> Measured:
    """Take a few steps with one picture and with ``job.batch`` (two at least).

    The engine's handler of :class:`Measure`. Raises :class:`UserError`, also when there is not enough memory for such
    a step. A GPU's memory is given back in the end: the training that is measured for is another process.
    """
    try:
        return _measured(models, job, report)
    finally:
        models.forget()


def _measured(models: Models, job: Measure, report: Report) -> Measured:
    began = time.perf_counter()
    report(Progress("Getting ready", 0, 0))
    pack = Pack.open(job.pack)
    if not pictures_of(pack):
        raise UserError(f"The pack {pack.title} has no references to try a step on.", "Choose another pack.")
    base = base_model_entry(job.base_model or pack.base_model.id, pack.unet_for(job.base_model))
    pipeline = models.own_pipeline(base.id, base.unet)
    side = job.size or int(pipeline.unet.config.sample_size * pipeline.vae_scale_factor)
    grid = best_grid(pipeline.unet, side // pipeline.vae_scale_factor, Plan.grid)
    plan = Plan(pack=str(pack.path), batch=1, rank=job.rank, size=side, grid=grid)
    few = replace(pack, references=pictures_of(pack)[:_PICTURES])
    examples = prepare_examples(segmented_pictures(models, few, "", report), pipeline.vae, side, grid)
    learner = Learner(pipeline, initial_tokens(plan, pack, pipeline), plan)
    captions = Captions(pack.vocabulary, pipeline.tokenizer, pipeline.text_encoder.config.max_position_embeddings)
    batches = (1, max(2, job.batch))
    costs: dict[int, tuple[float, int]] = {}
    start, tried = 0.0, plan
    try:
        with AttentionCapture(pipeline.unet, grid) as capture:
            for batch in batches:
                tried = replace(plan, batch=batch)
                with PeakMemory(models.device) as peak:
                    durations: list[float] = []
                    for step in range(1 + _STEPS):
                        report(Progress(_STAGE, len(costs) * (1 + _STEPS) + step, len(batches) * (1 + _STEPS)))
                        start = start or time.perf_counter() - began
                        _wait(models.device)
                        before = time.perf_counter()
                        drawn = draw_batch(tried, learner.scheduler, examples, captions, step)
                        take_step(learner, capture, drawn, step, ALONE)
                        _wait(models.device)
                        durations.append(time.perf_counter() - before)
                costs[batch] = median(durations[1:]), peak.bytes
    except Exception as error:
        raise explain_step_failure(error, tried) from error
    (seconds_of_one, least), (seconds, memory) = (costs[batch] for batch in batches)
    seconds_each, room = (
        max(0.0, seconds - seconds_of_one) / (batches[1] - 1),
        max(0, memory - least) // (batches[1] - 1),
    )
    return Measured(*costs[job.batch], start, side, job.batch, seconds_each, room)


class PeakMemory:
    """The most memory that is used while it is open: the GPU's, or this process's. ``bytes`` says it afterwards."""

    def __init__(self, device: torch.device) -> None:
        self.bytes = 0
        self._cuda = device.type == "cuda"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> PeakMemory:
        if self._cuda:
            torch.cuda.reset_peak_memory_stats()
        else:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._cuda:
            self.bytes = torch.cuda.max_memory_allocated()
            return
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        process = psutil.Process()
        while True:
            self.bytes = max(self.bytes, process.memory_info().rss)
            if self._ended.wait(_LOOK):
                return


def _wait(device: torch.device) -> None:
    """A GPU works on after Python has asked it to: a time is taken when it is done."""
    if device.type == "cuda":
        torch.cuda.synchronize()
