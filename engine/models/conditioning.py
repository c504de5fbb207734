"""Conditioning: what a base model's UNet is told beside the noisy latents.

The text of its one encoder (Stable Diffusion 1.x, 2.x) or of its two (SDXL, arXiv 2307.01952: both next-to-last layers
side by side, the second one's pooled state, and the picture's size and crop), and for distilled consistency models
the guidance they were taught (arXiv 2310.04378).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch

from engine.core.errors import UserError
from engine.models.part_tokens import PartTokens, Tokens
from engine.models.placement import device_of
from engine.models.text_encoding import EncodedPrompt, TokenizedPrompt, encode_tokenized

ENCODERS: Final = ("text_encoder", "text_encoder_2")
"""The text encoders a base model may have, in the order their states are put side by side."""
_NEXT_TO_LAST: Final = -2


@dataclass(frozen=True)
class Encoder:
    """A text encoder of a base model with its tokenizer; ``name`` is its folder's."""

    name: str
    tokenizer: Any
    model: Any

    @property
    def width(self) -> int:
        """How wide its token embeddings are: W."""
        return int(self.model.config.hidden_size)


def encoders_of(pipeline: Any) -> tuple[Encoder, ...]:
    """The text encoders of a pipeline: one, or two for SDXL."""
    return tuple(
        Encoder(name, getattr(pipeline, name.replace("text_encoder", "tokenizer")), model)
        for name in ENCODERS
        if (model := getattr(pipeline, name, None)) is not None
    )


def encode_prompt(pipeline: Any, sentences: Sequence[TokenizedPrompt], tokens: Tokens | None) -> EncodedPrompt:
    """Encode sentences with all of a pipeline's text encoders; differentiable in the tokens.

    ``hidden`` (B, T, sum of widths) and ``pooled`` (B, P). SDXL's were taught that nothing said is all zeros
    (``force_zeros_for_empty_prompt``). Raises :class:`UserError` where the tokens do not fit.
    """
    encoders = encoders_of(pipeline)
    if len(encoders) == 1:
        return encode_tokenized(sentences, encoders[0].model, _tokens_of(tokens, encoders[0]))
    encodings = [
        encode_tokenized(
            [sentence.padded(encoder.tokenizer.pad_token_id) for sentence in sentences],
            encoder.model,
            _tokens_of(tokens, encoder),
            layer=_NEXT_TO_LAST,
            name=encoder.name,
        )
        for encoder in encoders
    ]
    hidden, pooled = torch.cat([encoding.hidden for encoding in encodings], dim=-1), encodings[-1].pooled
    if pipeline.config.get("force_zeros_for_empty_prompt"):
        nonempty = torch.tensor([sentence.end > 1 for sentence in sentences], device=hidden.device)
        hidden, pooled = hidden * nonempty[:, None, None], pooled * nonempty[:, None]
    return EncodedPrompt(hidden, pooled)


def added_cond_kwargs(pipeline: Any, encoded: EncodedPrompt, side: int, guidance: float) -> dict[str, Any]:
    """The UNet's other arguments for square pictures of ``side`` pixels, shown whole: nothing for most, pooled text and
    sizes for SDXL, the ``guidance`` for a UNet that was taught one."""
    unet, count = pipeline.unet, len(encoded.hidden)
    more: dict[str, Any] = {}
    if unet.config.addition_embed_type == "text_time":
        sizes = (side, side, 0, 0, side, side)  # original size, upper left of the crop, target size
        ids = torch.tensor(sizes, device=device_of(unet), dtype=unet.dtype).expand(count, -1)
        more["added_cond_kwargs"] = {"text_embeds": encoded.pooled.to(unet.dtype), "time_ids": ids}
    if unet.config.time_cond_proj_dim is not None:
        strength = torch.full((count,), guidance - 1)
        embedded = pipeline.get_guidance_scale_embedding(strength, embedding_dim=unet.config.time_cond_proj_dim)
        more["timestep_cond"] = embedded.to(device_of(unet), unet.dtype)
    return more


def _tokens_of(tokens: Tokens | None, encoder: Encoder) -> PartTokens | None:
    return None if tokens is None else tokens.of(encoder.name)


def require_same_tokenizers(encoders: Sequence[Encoder]) -> None:
    """One tokenising serves all encoders: their tokenizers must know the same words. Raises :class:`UserError`."""
    first = encoders[0].tokenizer
    for other in encoders[1:]:
        if len(first) != len(other.tokenizer) or first.eos_token_id != other.tokenizer.eos_token_id:
            raise UserError(
                "The two text encoders of this base model have different tokenizers.", "Choose another base model."
            )
