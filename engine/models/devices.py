"""The device models work on: which one, in which precision, how much of its memory is free."""

from __future__ import annotations

from typing import Final

import psutil
import torch

_BFLOAT16_SINCE: Final = (8, 0)
"""The first compute capability (Ampere) whose cards work in bfloat16; older ones only imitate it, slower than
float32, and torch says that they support it all the same."""


def best_device() -> torch.device:
    """A GPU where there is one, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def best_precision(device: torch.device) -> torch.dtype:
    """The precision in which a device draws fastest without harm: float32 on a CPU, half on GPUs."""
    return precision_of(device.type, torch.cuda.get_device_capability(device) if device.type == "cuda" else (0, 0))


def precision_of(kind: str, capability: tuple[int, int]) -> torch.dtype:
    """The precision of a kind of device ("cpu", "cuda", "mps"); of a CUDA card by its compute capability."""
    if kind == "cpu":
        return torch.float32
    return torch.bfloat16 if kind == "cuda" and capability >= _BFLOAT16_SINCE else torch.float16


def memory_of(device: torch.device) -> tuple[int, int]:
    """Free and total bytes of a device. What torch keeps for later use on a card does not count as free."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)
    memory = psutil.virtual_memory()
    return memory.available, memory.total


def give_back_memory(device: torch.device) -> None:
    """Let a card have back what torch keeps of its memory for later use."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
