"""Between pictures and latents: encoding for training, and a cheap look at latents while they form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def to_tensor(pictures: Sequence[Image.Image]) -> Tensor:
    """RGB pictures of one size as float32 (N, 3, H, W) in -1..1."""
    stack = np.stack([np.asarray(picture.convert("RGB")) for picture in pictures])
    return torch.from_numpy(stack).permute(0, 3, 1, 2).float() / 127.5 - 1.0


@torch.no_grad()
def encode_pictures(vae: Any, pictures: Tensor) -> Tensor:
    """Latents (N, C, H/f, W/f) of pictures (N, 3, H, W) in -1..1, scaled as the UNet expects them.
    The mean, not a sample, of an AutoencoderKL: one picture has one latent. SDXL's, which overflows in half
    precision (``force_upcast``), works in float32 meanwhile."""
    dtype = vae.dtype
    upcast = dtype in (torch.float16, torch.bfloat16) and getattr(vae.config, "force_upcast", False)
    if upcast:
        vae.to(torch.float32)
    try:
        encoded = vae.encode(pictures.to(vae.device, vae.dtype))
    finally:
        if upcast:
            vae.to(dtype)
    latents = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mean
    mean, deviation = (getattr(vae.config, name, None) for name in ("latents_mean", "latents_std"))
    if mean and deviation:
        mean, deviation = (torch.tensor(values, device=latents.device)[:, None, None] for values in (mean, deviation))
        latents = (latents - mean) / deviation
    return latents * vae.config.scaling_factor
