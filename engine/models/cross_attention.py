"""Where a UNet looks at the words of its prompt: its levels of cross-attention."""

from __future__ import annotations

from typing import Any, Final

from engine.core.errors import UserError

RECORDED_GRID: Final = 16
"""The side of the cross-attention maps that tell places best (arXiv 2208.01626), where a UNet has such."""


def cross_attention_levels(unet: Any) -> list[int]:
    """The levels of a UNet that have cross-attention: at level l a side of the latents is halved l times. Raises
    :class:`UserError` if there are none."""
    kinds = list(unet.config.down_block_types)
    levels = [level for level, kind in enumerate(kinds) if "CrossAttn" in kind]
    if "CrossAttn" in (unet.config.mid_block_type or ""):
        levels.append(len(kinds) - 1)
    if not levels:
        raise UserError("This base model's UNet does not look at the words of a prompt.", "Choose another base model.")
    return levels


def best_grid(unet: Any, side: int, target: int) -> int:
    """The side of a UNet's cross-attention layers that is nearest to ``target``, for latents of ``side``: not every
    base model and picture size has 16. Raises :class:`UserError` if it has no cross-attention."""
    sides = (-(-side // 2**level) for level in cross_attention_levels(unet))
    return min(sides, key=lambda grid: (abs(grid - target), grid))


def recorded_grid(unet: Any, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the cross-attention layers nearest to :data:`RECORDED_GRID` for latents of ``height`` x
    ``width``. Raises :class:`UserError` if the UNet has no cross-attention."""
    grids = [(-(-height // 2**level), -(-width // 2**level)) for level in cross_attention_levels(unet)]
    return min(grids, key=lambda grid: (abs((grid[0] * grid[1]) ** 0.5 - RECORDED_GRID), grid))
