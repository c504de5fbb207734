"""Where a training computes: on a processor, as ever, or on a graphics card.

Random numbers are always the processor's, so that a seed means the same everywhere; large arrays lie on the card.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Final

import numpy as np
import torch
from torch import Tensor

from engine.core.errors import UserError

CPU: Final = torch.device("cpu")


def training_device(name: str) -> torch.device:
    """The device that somebody named ("cpu", "cuda", "cuda:1"). On a card, float32 products are made of TF32, which is
    what makes it fast. Raises :class:`UserError` where there is none of that name."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"Torch finds no device “{name}” on this computer.",
            "Leave --device out to build on the processor, or install a torch for the card and its driver.",
        ) from error
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    return device


class Rows:
    """Rows of a large array (N, ...) as tensors on a device. A processor reads them from where they lie, which may be a
    file; to a card the whole array is brought once."""

    def __init__(self, array: np.ndarray, device: torch.device = CPU) -> None:
        self._array = array
        self._brought = None if device.type == "cpu" else torch.from_numpy(np.array(array)).to(device)

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, rows: np.ndarray) -> Tensor:
        """The rows (B,), in their order: (B, ...)."""
        if self._brought is None:
            return torch.from_numpy(self._array[rows])
        return self._brought[torch.from_numpy(rows).to(self._brought.device)]


def noise_like(tensor: Tensor) -> Tensor:
    """Standard normal numbers of a tensor's shape and device, from the processor's generator."""
    return torch.randn_like(tensor, device="cpu").to(tensor.device)


def in_bfloat16(device: torch.device) -> AbstractContextManager[object]:
    """Products in bfloat16 while it is open, where the device has a way of doing so."""
    known = torch.amp.is_autocast_available(device.type)  # pyright: ignore[reportPrivateImportUsage]
    return torch.autocast(device.type, torch.bfloat16) if known else nullcontext()
