"""Several processes at one work: who is who, and what they tell each other.

Started by ``torchrun`` or ``accelerate launch``, which say in the environment how many there are. One process alone is
a world of its own, where everything here does nothing. Values travel between the processes of one launch only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from engine.core.errors import JobCancelled, UserError

_T = TypeVar("_T")
_PATIENCE: Final = timedelta(hours=2)
"""How long the others wait for the first, which alone writes checkpoints and paints samples."""


@dataclass(frozen=True)
class World:
    """Process number ``rank`` of ``size``."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """Which of ``count`` things in a row are this process's; the shares differ by one at most."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace float32 tensors, of the same shapes everywhere, by their sums over the processes."""
        if self.size > 1 and tensors:
            flat = torch.cat([tensor.detach().float().flatten() for tensor in tensors])
            dist.all_reduce(flat)
            for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
                tensor.copy_(part.view_as(tensor))

    def most(self, value: int) -> int:
        """The largest of the processes' values."""
        if self.size < 2:
            return value
        maximum = torch.tensor(value)
        dist.all_reduce(maximum, dist.ReduceOp.MAX)
        return int(maximum)

    def gather(self, value: _T) -> list[_T]:
        """The processes' values in the order of their ranks, everywhere."""
        if self.size < 2:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def from_first(self, make: Callable[[], _T]) -> _T:
        """What the first process makes, everywhere; what it raises, too."""
        if self.size < 2:
            return make()
        outcome: list[Any] = [None, None]
        if self.first:
            try:
                outcome[0] = make()
            except (Exception, JobCancelled) as error:  # noqa: BLE001 - raised again below, in all of them
                outcome[1] = error
        dist.broadcast_object_list(outcome)
        if outcome[1] is not None:
            raise outcome[1]
        return outcome[0]


ALONE: Final = World()


def launched_world() -> World:
    """The place that the launcher gave this process, before anything is said to the others. Raises
    :class:`UserError` if the environment makes no sense."""
    try:
        world = World(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))
    except ValueError as error:
        raise UserError("RANK and WORLD_SIZE in the environment are not numbers.", "Start it with torchrun.") from error
    return world if world.size > 1 else World()


def join_world() -> World:
    """Meet the other processes of the launch, if there are any. On GPUs each process takes the one of its local rank.
    Raises :class:`UserError` if they cannot be reached."""
    world = launched_world()
    if world.size > 1:
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        if not dist.is_initialized():
            try:
                dist.init_process_group(
                    "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=_PATIENCE
                )
            except (RuntimeError, ValueError) as error:
                raise UserError(
                    "The processes of this training cannot reach each other.",
                    "Start them with torchrun or accelerate launch, with the same address and port for all.",
                ) from error
    return world
