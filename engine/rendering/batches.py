"""How many pictures are rendered together, and fewer where memory does not take them."""

from __future__ import annotations

from typing import Final

import torch

from engine.core.errors import UserError
from engine.models.loader import Models
from engine.rendering.painter import Painter

_MOST: Final = 8


def batch_size(models: Models, painter: Painter, size: int, count: int, most: int = 4) -> int:
    """How many of ``count`` pictures of ``size`` pixels a side (0: the base model's own) to render together.

    On a CPU (``most`` at most there), large pictures gain nothing from company and are wanted one by one; small ones
    do gain."""
    if models.device.type != "cpu":
        return max(1, min(count, _MOST))
    side = (size or painter.size) // painter.pipeline.vae_scale_factor
    return max(1, min(count, most, 4096 // max(side * side, 1)))


def smaller_batch(batch: int, size: int, error: Exception) -> int:
    """Half of a batch that found too little memory. Raises :class:`UserError` where there was but one picture of
    ``size`` pixels a side."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if batch > 1:
        return batch // 2
    raise UserError(
        f"There is not enough memory for a picture of {size} pixels.",
        "Choose a smaller size under More, or close other programs.",
        "memory",
    ) from error
