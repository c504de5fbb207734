"""Cross-attention maps, kept while a UNet works, and how much of each pixel's attention each part's token has."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Literal

import torch
from torch import Tensor

Rest = Literal["parts", "start", "peak"]
"""What part attention is normalised over: the caption's parts alone (the paper), these and the start token, or each
part's own largest value (Break-a-Scene, arXiv 2305.16311)."""


class _Recorder:
    """An attention processor that keeps its probabilities when the queries are the recorded grid;
    any other call goes to the layer's own processor."""

    def __init__(self, capture: AttentionCapture, layer: str, otherwise: Any) -> None:
        self.capture = capture
        self.layer = layer
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
        if (
            encoder_hidden_states is None
            or attention_mask is not None
            or hidden_states.ndim != 3
            or hidden_states.shape[1] != self.capture.grid**2
        ):
            return self.otherwise(attn, hidden_states, encoder_hidden_states, attention_mask, temb, **kwargs)
        batch, pixels, _ = hidden_states.shape
        if attn.norm_cross:
            encoder_hidden_states = attn.norm_encoder_hidden_states(encoder_hidden_states)

        def heads(x: Tensor) -> Tensor:  # (B, N, heads * d) to (B, heads, N, d)
            return x.view(batch, -1, attn.heads, x.shape[-1] // attn.heads).transpose(1, 2)

        query, key = heads(attn.to_q(hidden_states)), heads(attn.to_k(encoder_hidden_states))
        value = heads(attn.to_v(encoder_hidden_states))
        if attn.upcast_attention:  # the scores of Stable Diffusion 2 overflow in half precision
            query, key = query.float(), key.float()
        scores = query @ key.transpose(-1, -2) * attn.scale
        probabilities = scores.float().softmax(dim=-1)  # (B, heads, H*W, T)
        if self.capture.recording:
            self.capture.maps[self.layer] = probabilities
        out = (probabilities.to(value.dtype) @ value).transpose(1, 2).reshape(batch, pixels, -1)
        out = attn.to_out[1](attn.to_out[0](out))
        if attn.residual_connection:
            out = out + hidden_states
        return out / attn.rescale_output_factor


class AttentionCapture:
    """While open, a UNet keeps the cross-attention of every layer whose queries are ``grid`` x ``grid``.

    Other layers keep fused attention. ``maps[layer]`` is float32 (B, heads, grid*grid, T), with gradient,
    of the last forward pass. On exit the UNet has its own processors again. Layers that gradient checkpointing
    computes a second time, on the way back, are not recorded again.
    """

    def __init__(self, unet: Any, grid: int = 16) -> None:
        self.unet = unet
        self.grid = grid
        self.maps: dict[str, Tensor] = {}
        self.recording = False
        self._before: dict[str, Any] = {}
        self._hook: Any = None

    def __enter__(self) -> AttentionCapture:
        self._before = dict(self.unet.attn_processors)
        self.unet.set_attn_processor(
            {
                name: _Recorder(self, name.removesuffix(".processor"), processor) if ".attn2." in name else processor
                for name, processor in self._before.items()
            }
        )
        self._hook = self.unet.register_forward_pre_hook(self._begin)
        return self

    def _begin(self, _unet: Any, _inputs: Any) -> None:
        self.maps, self.recording = {}, True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hook.remove()
        self.unet.set_attn_processor(self._before)
        self.maps, self.recording = {}, False

    def take(self) -> Tensor:
        """The mean over layers and heads, (B, grid, grid, T), and forget the maps.
        Raises ``ValueError`` if no layer has that grid."""
        if not self.maps:
            raise ValueError(
                f"this UNet has no cross-attention layer of {self.grid} x {self.grid} for this picture size"
            )
        # Layers may have different numbers of heads: the original averages each layer over its heads first.
        mean = torch.stack([layer.mean(dim=1) for layer in self.maps.values()]).mean(dim=0)
        self.maps, self.recording = {}, False
        return mean.unflatten(1, (self.grid, self.grid))


def part_attention(attention: Tensor, columns: Tensor, rest: Rest = "start") -> Tensor:
    """How much of each pixel's attention each part has: (B, M, h, w), 0 for parts not in the caption.

    ``attention`` (B, h, w, T); ``columns`` (B, M) int64: the place of each part's token, -1 if it has none.
    ``rest="parts"`` normalises over the caption's parts (the paper). ``rest="start"`` adds the start token's
    column as "none of them", so that background pixels, and captions with one part, have a well-posed answer.
    ``rest="peak"`` divides each part's attention by its own largest value.
    """
    present = columns >= 0
    index = columns.clamp(min=0)[:, None, None, :].expand(*attention.shape[:3], -1)
    located = (attention.gather(-1, index) * present[:, None, None, :]).permute(0, 3, 1, 2)
    if rest == "peak":
        return located / located.amax(dim=(2, 3), keepdim=True).clamp(min=1e-6)
    total = located.sum(dim=1, keepdim=True)
    if rest == "start":
        total = total + attention[..., 0].unsqueeze(1)
    return located / total.clamp(min=1e-6)
