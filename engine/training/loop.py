"""The loop of a training: steps, checkpoints, and the log, stopped and continued without a trace.

Everything random in step n comes from the seed and n alone, so a run that goes on from a checkpoint takes the same
steps, bit for bit on a CPU, as one that never stopped; and processes that share a step take the same one.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from engine.core.errors import JobCancelled, UserError, out_of_memory
from engine.models.attention_capture import AttentionCapture
from engine.models.distributed import ALONE, World
from engine.models.text_encoding import TokenizedPrompt
from engine.runs.plan import Plan
from engine.runs.run_folder import checkpoints
from engine.runs.status import LEARNING_STAGE
from engine.training.captions import Captions
from engine.training.checkpoint import NonFiniteLoss, all_finite, resume, trim_log, write_checkpoint
from engine.training.diffusion_loss import loss_mask
from engine.training.examples import Examples
from engine.training.learner import Learner
from engine.worker.jobs import Losses, News, Progress, Report

_NOTHING, _PAUSE, _STOP = 0, 1, 2
_BROKEN: Final = 1


class StopRequested(JobCancelled):
    """The run was asked to end and keep what it has learned so far."""


def run_steps(
    learner: Learner,
    examples: Examples,
    captions: Captions,
    run: Path,
    report: Report,
    sample: Callable[[int], None] | None = None,
    world: World = ALONE,
) -> None:
    """The loop: from the run's last checkpoint (or the start) to the plan's last step.

    Writes ``log.jsonl`` and ``checkpoints/step-N`` into ``run``; of several processes the first one does. Cancelled, it
    keeps a checkpoint of where it was. A step whose loss or gradient is not a number is not taken. ``sample`` is
    called with the step's number every ``sample_every`` steps. Raises :class:`UserError`.
    """
    plan = learner.plan
    step = resume(learner, run, world)
    recording = AttentionCapture(learner.pipeline.unet, plan.grid) if plan.attention_weight else nullcontext()
    request = _request_after(report, Progress(LEARNING_STAGE, step, plan.steps))
    with trim_log(run, step) if world.first else nullcontext() as log, recording as capture:
        while step < plan.steps and not (request := world.most(request)):
            began = time.perf_counter()
            try:
                batch = draw_batch(plan, learner.scheduler, examples, captions, step)
                losses = take_step(learner, capture, batch, step, world)
            except NonFiniteLoss:
                if world.first and len(checkpoints(run)) > 1:  # it leads to this; the last one is kept all the same
                    shutil.rmtree(run / "checkpoints" / f"step-{step}", ignore_errors=True)
                raise
            step += 1
            if log is None:
                continue
            entry = asdict(losses) | {"seconds": round(time.perf_counter() - began, 4)}
            log.write(json.dumps(entry) + "\n")
            log.flush()
            if step % plan.checkpoint_every == 0 or step == plan.steps:
                write_checkpoint(learner, run, step)
            request = _request_after(report, losses, Progress(LEARNING_STAGE, step, plan.steps))
            if sample is not None and step % plan.sample_every == 0 and not request:
                request = _request_during(sample, step)
    request = world.most(request)
    if request and world.first:
        write_checkpoint(learner, run, step)
    if request:
        raise StopRequested if request == _STOP else JobCancelled


def _request_after(report: Report, *news_items: News) -> int:
    """Say news, and hear whether to go on."""
    return max([_request_during(report, news) for news in news_items])


def _request_during(call: Callable[[Any], None], argument: Any) -> int:
    try:
        call(argument)
    except StopRequested:
        return _STOP
    except JobCancelled:
        return _PAUSE
    return _NOTHING


@dataclass(frozen=True)
class Batch:
    """What a step learns from: latents and noise (B, C, h, w), timesteps (B,), B sentences, masks (B, M, g, g), and
    how much each place counts (B, g, g), or None where all count."""

    latents: Tensor
    noise: Tensor
    timesteps: Tensor
    sentences: Sequence[TokenizedPrompt]
    masks: Tensor
    counts: Tensor | None

    def share(self, rows: slice, device: torch.device) -> Batch:
        """Some of the rows, on a device."""
        tensors = (self.latents, self.noise, self.timesteps, self.masks)
        latents, noise, timesteps, masks = (tensor[rows].to(device) for tensor in tensors)
        counts = None if self.counts is None else self.counts[rows].to(device)
        return Batch(latents, noise, timesteps, self.sentences[rows], masks, counts)

    def said(self) -> int:
        """How many parts its sentences say."""
        parts = range(self.masks.shape[1])
        return sum(sentence.column_of(part) >= 0 for sentence in self.sentences for part in parts)


def take_step(learner: Learner, capture: AttentionCapture | None, whole: Batch, step: int, world: World) -> Losses:
    """One step (0-based) on a batch, of which each process of ``world`` does its share; the whole batch's losses.

    The diffusion loss is a mean over pictures, the attention loss over the parts that are said (the paper's: over all),
    so each share counts by how many of these it has. Raises :class:`UserError` before anything has changed.
    """
    plan, device = learner.plan, learner.pipeline.unet.device
    batch = whole.share(world.share(len(whole.sentences)), device)
    pictures = len(batch.sentences) / len(whole.sentences)
    total = 0 if plan.rest == "parts" else whole.said()
    parts = batch.said() / total if total else pictures
    halved = learner.pipeline.unet.dtype is torch.float16
    agreed = False

    def average(gradients: Sequence[Tensor]) -> None:
        nonlocal agreed
        agreed = True
        if world.most(0):
            raise UserError("Another process of this training failed.", "See what it has said, then go on.")
        world.add_up(gradients)
        if not halved and not all_finite(gradients):  # in float16 such steps are skipped by the scaler
            raise NonFiniteLoss(step)

    losses = torch.zeros(2, device=device)
    loss = torch.zeros((), device=device, requires_grad=True)  # a process without a share has nothing to say
    try:
        if batch.sentences:
            diffusion, attention = learner.losses(
                capture, batch.latents, batch.noise, batch.timesteps, batch.sentences, batch.masks, batch.counts
            )
            losses = torch.stack([diffusion.detach() * pictures, attention.detach() * parts])
            loss = diffusion * pictures + plan.attention_weight * attention * parts
            if not all_finite([losses]):
                raise NonFiniteLoss(step)
        learner.update(loss, step, average)
    except Exception as error:
        if not agreed:
            world.most(_BROKEN)  # the others wait for this process
        raise explain_step_failure(error, replace(plan, batch=len(whole.sentences))) from error
    world.add_up([losses])
    return Losses(step + 1, losses[0].item(), losses[1].item())


def explain_step_failure(error: Exception, plan: Plan) -> Exception:
    """A step's failure for a person, where it is known."""
    if out_of_memory(error):
        ways = [
            *(["a smaller batch"] if plan.batch > 1 else []),
            *([] if plan.checkpointing else ["checkpointing"]),
            "fewer pixels (size)",
        ]
        advice = " or ".join(filter(None, [", ".join(ways[:-1]), ways[-1]]))
        return UserError(
            "There is not enough memory for a step.", f"Choose {advice} in the plan, then go on.", "memory"
        )
    return error


def draw_batch(plan: Plan, scheduler: Any, examples: Examples, captions: Captions, step: int) -> Batch:
    """What a step learns from, of the plan's seed and the step alone; ``scheduler`` says how many noise levels there
    are."""
    generator = np.random.default_rng((plan.seed, step))
    count, views = examples.latents.shape[:2]
    rows = [_shuffled(plan.seed, position // count, count)[position % count] for position in
            range(step * plan.batch, (step + 1) * plan.batch)]  # fmt: skip
    view = generator.integers(views, size=plan.batch)
    latents = examples.latents[rows, view].float()
    masks = examples.masks[rows, view].float() / 255
    codes = examples.codes[rows, view].tolist()
    sentences = [captions.draw(picture_codes, generator) for picture_codes in codes]
    noise = torch.from_numpy(generator.standard_normal(latents.shape, np.float32))
    # One noise level from each of B equal ranges: the mean loss of a step says more.
    levels = scheduler.config.num_train_timesteps
    times = (np.arange(plan.batch) + generator.random(plan.batch)) * levels / plan.batch
    counts = None if plan.unsaid == "learned" else loss_mask(masks, sentences, captions.parts)
    return Batch(latents, noise, torch.from_numpy(times.astype(np.int64)), sentences, masks, counts)


@lru_cache(maxsize=2)
def _shuffled(seed: int, epoch: int, count: int) -> Any:
    """The order of the examples in an epoch."""
    return np.random.default_rng((seed, count, epoch)).permutation(count)
