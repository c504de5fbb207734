"""How many pictures are rendered together, and fewer where memory does not take them."""

from __future__ import annotations

from typing import Final

from engine.core.errors import UserError
from engine.models.devices import give_back_memory
from engine.models.loader import Models
from engine.rendering.painter import Painter

_MOST: Final = 8
"""Pictures at once on a GPU: more gain nothing."""
_BYTES_A_CELL: Final = 2**17
"""What a picture takes of a GPU's memory for each cell of its latents, beside the models: Stable Diffusion at 512
pixels about half a gigabyte, rounded up. What turns out to be too much is halved."""


def batch_size(models: Models, painter: Painter, size: int, count: int, most: int = 4) -> int:
    """How many of ``count`` pictures of ``size`` pixels a side (0: the base model's own) to render together.

    On a CPU (``most`` at most there), large pictures gain nothing from company and are wanted one by one; small ones
    do gain. On a GPU as many as fit beside the models."""
    side = (size or painter.size) // painter.pipeline.vae_scale_factor
    cells = max(side * side, 1)
    if models.device.type == "cpu":
        return max(1, min(count, most, 4096 // cells))
    return max(1, min(count, _MOST, models.free_bytes() // (_BYTES_A_CELL * cells)))


def smaller_batch(models: Models, batch: int, size: int, error: Exception) -> int:
    """Half of a batch that found too little memory. Raises :class:`UserError` where there was but one picture of
    ``size`` pixels a side."""
    give_back_memory(models.device)
    if batch > 1:
        return batch // 2
    raise UserError(
        f"There is not enough memory for a picture of {size} pixels.",
        "Choose a smaller size under More, or close other programs.",
        "memory",
    ) from error
