"""The loss that ties each part's token to the part's place."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from engine.models.attention_capture import Rest, part_attention


def attention_loss(attention: Tensor, columns: Tensor, masks: Tensor, rest: Rest = "start") -> Tensor:
    """Binary cross-entropy between part attention and the parts' masks: a scalar.

    ``masks`` (B, M, h, w) in 0..1. ``rest="parts"`` is the paper's: the mean over all M parts, where a visible
    part that the caption leaves out costs 100 a pixel without any gradient. ``rest="start"`` is the mean over
    the caption's parts only (0 if no caption has any). ``rest="peak"`` compares the caption's parts by their
    squared difference instead (Break-a-Scene).
    """
    # What is no number is refused below (on a GPU, for good); the diffusion loss of the same pass tells of it.
    share = part_attention(attention, columns, rest).nan_to_num()
    masks = masks.to(share.dtype)
    if rest == "parts":
        return F.binary_cross_entropy(share, masks)
    present = columns >= 0
    if not present.any():
        return share.sum() * 0.0
    if rest == "peak":
        return F.mse_loss(share[present], masks[present])
    # Rounding may lift a sum of shares a hair above 1, which binary_cross_entropy refuses.
    return F.binary_cross_entropy(share[present].clamp(0.0, 1.0), masks[present])
