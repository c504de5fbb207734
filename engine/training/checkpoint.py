"""Checkpoints: what a training needs to go on bit for bit, written whole and found again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.core.atomic_files import make_folder, plain_file, write_bytes, write_whole
from engine.core.errors import UserError
from engine.core.on_disk import exists, files_like, is_file
from engine.models.distributed import World
from engine.runs.run_folder import LOG, PLAN, STATE, checkpoints
from engine.training.learner import Learner

_KEPT_CHECKPOINTS: Final = 2


class NonFiniteLoss(UserError):
    """A step was not taken, for its loss or gradient is not a number: the weights before it were already spoiled."""

    def __init__(self, step: int) -> None:
        super().__init__(
            f"Training came apart: the loss of step {step + 1} is not a number.",
            "Choose a smaller rate and token_rate in the plan, then go on from the last checkpoint.",
        )


def all_finite(tensors: Sequence[Tensor]) -> bool:
    return bool(torch.isfinite(torch.stack([tensor.abs().sum() for tensor in tensors])).all())


# Checkpoints and the log.


def write_checkpoint(learner: Learner, run: Path, step: int) -> None:
    """Write ``checkpoints/step-N`` beside and put it in place whole; older ones but the last are removed."""
    if not is_file(run / PLAN):  # an unplugged drive leaves its empty mount point behind
        raise UserError(
            f"The run's folder {run} is not there any more.", "Bring it back (is a drive unplugged?), then go on."
        )
    if not all_finite(learner.parameters):
        raise NonFiniteLoss(step)
    folder = make_folder(run / "checkpoints", "the checkpoint")
    final = folder / f"step-{step}"
    if exists(final):
        return
    for left in files_like(folder, ".step-*"):  # by a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    beside = make_folder(folder / f".step-{step}", "the checkpoint")
    try:
        write_whole(beside / STATE, lambda path: save_file(learner.tensors(), path), "the checkpoint")
        beside.replace(final)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    for old in checkpoints(run)[:-_KEPT_CHECKPOINTS]:
        shutil.rmtree(old, ignore_errors=True)


def resume(learner: Learner, run: Path, world: World) -> int:
    """Restore the last checkpoint, which the first process reads; the number of steps it has taken."""

    def last() -> tuple[int, dict[str, Tensor]]:
        for path in reversed(checkpoints(run)):
            try:
                # Cloned: a mapped file's tensors are aligned otherwise, and vectorised sums then round otherwise.
                state = {name: tensor.clone() for name, tensor in load_file(plain_file(path / STATE)).items()}
                learner.restore(state)
            except SafetensorError:
                shutil.rmtree(path, ignore_errors=True)  # damaged on the disk: the one before it is whole
                continue
            except OSError:
                continue
            except (ValueError, KeyError) as error:
                raise UserError(
                    f"The checkpoint {path.name} belongs to another plan.", "Choose a new run folder."
                ) from error
            return int(path.name.removeprefix("step-")), state if world.size > 1 else {}
        # Guesses at tokens may differ in their last bit from process to process: all begin at the first one's.
        return 0, learner.tensors() if world.size > 1 else {}

    step, tensors = world.from_first(last)
    if tensors and not world.first:
        learner.restore(tensors)
    return step


def trim_log(run: Path, step: int) -> Any:
    """The log opened for appending, without lines of steps that will be taken again."""
    path = make_folder(run, "the run") / LOG
    lines = []
    if is_file(path):
        for line in path.read_text("utf-8", "replace").splitlines():
            try:
                if json.loads(line)["step"] <= step:
                    lines.append(line + "\n")
            except (ValueError, KeyError, TypeError):
                break  # a line cut short by a kill: all after it is taken again
    write_bytes(path, "".join(lines).encode(), "the log")
    return path.open("a", encoding="utf-8")
