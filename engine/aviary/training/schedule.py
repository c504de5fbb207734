"""What the four trainings share: a learning-rate schedule that can be shortened while it runs,
an average of the weights, a log, and checkpoints."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch


class TrainingSchedule:
    """Steps, learning rate and log of one training in its folder.

    The rate warms up, for a sixth of the steps at most, then falls as a cosine of the progress.
    `total.txt` in the folder, if present, holds a new number of steps: the remaining descent is then
    stretched or shortened without a jump, so that a slow machine still gets its whole decay.
    """

    def __init__(self, folder: Path, total: int, warmup: int = 100) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.total, self.warmup = folder, total, max(1, min(warmup, total // 6))
        self.step, self.progress = 0, 0.0
        self._began, self._began_step = time.monotonic(), 0

    def advance(self) -> float:
        """One more step; returns the factor of the learning rate, in 0..1."""
        if self.step % 20 == 0:
            self._read_total(self.step + 1)
        self.progress += (1 - self.progress) / max(self.total - self.step, 1)
        self.step += 1
        cosine = 0.5 + 0.5 * math.cos(math.pi * min(self.progress, 1.0))
        return min(1.0, self.step / self.warmup) * (0.01 + 0.99 * cosine)

    @property
    def finished(self) -> bool:
        return self.step >= self.total

    def resume(self, step: int, progress: float) -> None:
        """Go on after ``step`` steps at ``progress``, in 0..1, of the descent."""
        self.step, self.progress, self._began_step = step, progress, step
        # At once: a training that was lengthened may be past the number of steps it is begun with.
        self._read_total(step)

    def _read_total(self, least: int) -> None:
        control = self.folder / "total.txt"
        if control.exists():
            self.total = max(int(control.read_text()), least)

    def log(self, **figures: float | str) -> None:
        """One line in log.jsonl and on stdout."""
        seconds = time.monotonic() - self._began
        speed = (self.step - self._began_step) / max(seconds, 1e-9)
        line = {"step": self.step, "total": self.total, "steps_per_s": round(speed, 3)}
        line |= {k: round(v, 5) if isinstance(v, float) else v for k, v in figures.items()}
        line["time"] = time.strftime("%H:%M:%S")
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)


class ParameterAverage:
    """Exponential average of parameters; the decay starts small and grows with the updates."""

    def __init__(self, parameters: Iterable[torch.nn.Parameter], decay: float) -> None:
        self.parameters = list(parameters)
        self.decay, self.updates = decay, 0
        self.values = [p.detach().clone() for p in self.parameters]

    @torch.no_grad()
    def update(self) -> None:
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self.values, [p.detach() for p in self.parameters], 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange averaged and current values; call it again to go back."""
        for value, parameter in zip(self.values, self.parameters, strict=True):
            current = parameter.detach().clone()
            parameter.copy_(value)
            value.copy_(current)

    def state(self) -> dict[str, Any]:
        return {"values": self.values, "updates": self.updates}

    def load(self, state: dict[str, Any]) -> None:
        for value, stored in zip(self.values, state["values"], strict=True):
            value.copy_(stored)
        self.updates = state["updates"]


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint beside and move it in place, so that a kill leaves the last good one."""
    beside = path.with_suffix(".part")
    torch.save(state, beside)
    beside.replace(path)


def load_state(path: Path) -> dict[str, Any] | None:
    """A checkpoint's tensors, on the processor, and numbers; or None when there is none yet. It can be gone on from on
    another device than it was made on."""
    return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None
