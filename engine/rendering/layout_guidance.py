"""Layout guidance: while a picture forms, each part's token is drawn to the part's place, without any training."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.models.cross_attention import recorded_grid

STRENGTH: Final = 4.0
"""What is added to a score in a part's own place, and taken away in the others', when all is noise (logits). What lasts
into the late steps spoils parts (docs/rendering.md)."""


class LayoutGuidance:
    """While open, the cross-attention of a UNet's recorded layers is told where each part belongs.

    To the scores of a part's token is added ``strength`` in its own place and subtracted in the places of others
    (paint with words, arXiv 2211.01324, and its opposite); elsewhere, for other words and for the negative prompt
    nothing changes. Other layers keep their attention as it is. On exit the UNet has its own processors again.

    ``masks`` is float (N, H, W) in 0..1 in any size, the place of each part; ``columns`` (N,) where its token stands in
    the prompt of ``length`` tokens; ``size`` is rows and columns of the latents. ``doubled``: the first half of every
    batch is the negative prompt's.
    """

    def __init__(
        self, unet: Any, masks: Tensor, columns: Sequence[int], length: int, size: tuple[int, int], doubled: bool,
        strength: float = STRENGTH,
    ) -> None:  # fmt: skip
        self.unet = unet
        self.grid = recorded_grid(unet, *size)
        self.doubled = doubled
        self.strength = strength
        own = F.interpolate(masks[None].float(), self.grid, mode="area")[0].flatten(1)  # (N, h * w)
        # Two tokens in one place, as of two heads told as one part, do not push each other away.
        apart = torch.tensor([[float(not torch.equal(one, other)) for other in masks] for one in masks])
        towards = own - (apart @ own).clamp(max=1.0)
        self._towards = torch.zeros(own.shape[1], length)
        self._towards[:, list(columns)] = towards.T
        self._share = 1.0
        self._bias: Tensor | None = None
        self._before: dict[str, Any] = {}

    def __enter__(self) -> LayoutGuidance:
        self._before = dict(self.unet.attn_processors)
        self.unet.set_attn_processor(
            {
                name: _Guided(self, processor) if ".attn2." in name else processor
                for name, processor in self._before.items()
            }
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unet.set_attn_processor(self._before)

    def weaken(self, left: float) -> None:
        """From now on only as much of the strength as suits ``left`` (0..1) of all steps: it falls with its square."""
        self._share, self._bias = left**2, None

    def bias(self, hidden: Tensor) -> Tensor:
        """What is added to the scores of a layer: (B, h * w, T) like ``hidden`` (B, h * w, C); kept for a step."""
        batch = len(hidden)
        if self._bias is None or len(self._bias) != batch or self._bias.dtype != hidden.dtype:
            bias = (self._towards * self.strength * self._share).to(hidden.device, hidden.dtype).repeat(batch, 1, 1)
            if self.doubled:
                bias[: batch // 2] = 0
            self._bias = bias
        return self._bias


class _Guided:
    """An attention processor that hands a bias to the layer's own one when the queries are the recorded grid."""

    def __init__(self, guidance: LayoutGuidance, otherwise: Any) -> None:
        self.guidance = guidance
        self.otherwise = otherwise

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        **kwargs: Any,
    ) -> Tensor:
        rows, columns = self.guidance.grid
        told = encoder_hidden_states is not None and attention_mask is None and hidden_states.ndim == 3
        if told and hidden_states.shape[1] == rows * columns:
            attention_mask = self.guidance.bias(hidden_states)
        return self.otherwise(attn, hidden_states, encoder_hidden_states, attention_mask, temb, **kwargs)
