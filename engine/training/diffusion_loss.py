"""The diffusion loss: min-SNR weights (arXiv 2303.09556) and a mask that leaves unsaid parts out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler
from torch import Tensor

from engine.core.errors import UserError
from engine.models.text_encoding import TokenizedPrompt


def noise_scheduler(scheduler_config: Any) -> DDPMScheduler:
    """The forward process a base model was trained with."""
    scheduler: Any = DDPMScheduler.from_config(scheduler_config)
    if scheduler.config.prediction_type not in ("epsilon", "v_prediction"):
        raise UserError(
            f"The base model predicts {scheduler.config.prediction_type}, which cannot be trained here.",
            "Choose a base model that predicts epsilon or v_prediction.",
        )
    return scheduler


def diffusion_loss(
    predicted: Tensor,
    latents: Tensor,
    noise: Tensor,
    timesteps: Tensor,
    scheduler: Any,
    gamma: float,
    counts: Tensor | None = None,
) -> Tensor:
    """Mean squared error weighted by min-SNR (arXiv 2303.09556); gamma 0 weighs all noise levels alike.

    Tensors are (B, C, h, w), ``timesteps`` (B,) int64. The target is the noise or the velocity, as the base predicts.
    ``counts`` (B, g, g) in 0..1 says how much each place counts.
    """
    velocity = scheduler.config.prediction_type == "v_prediction"
    target = scheduler.get_velocity(latents, noise, timesteps) if velocity else noise
    error = F.mse_loss(predicted.float(), target.float(), reduction="none").mean(dim=1)
    if counts is None:
        error = error.mean(dim=(1, 2))
    else:
        counts = F.interpolate(counts[:, None], error.shape[1:])[:, 0]
        error = (error * counts).sum(dim=(1, 2)) / counts.sum(dim=(1, 2)).clamp(min=1.0)
    if gamma:
        signal = scheduler.alphas_cumprod.to(error.device)[timesteps]
        snr = signal / (1 - signal)
        error = error * snr.clamp(max=gamma) / (snr + 1 if velocity else snr)
    return error.mean()


def loss_mask(masks: Tensor, sentences: Sequence[TokenizedPrompt], parts: Sequence[int]) -> Tensor:
    """How much each place counts in the diffusion loss: (B, g, g) in 0..1, from masks (B, M, g, g).

    Where a part is shown that its sentence leaves unsaid, nothing is learned: else the words that are said would
    have to stand for it, and a head would learn to bring its wing. The empty sentence learns the whole picture.
    """
    counts = torch.ones(len(masks), *masks.shape[2:])
    for row, sentence in enumerate(sentences):
        if sentence.places:
            unsaid = [part for part in parts if sentence.column_of(part) < 0]
            counts[row] -= masks[row, unsaid].sum(dim=0)
    return counts.clamp(0.0, 1.0)
