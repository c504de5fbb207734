"""Between pictures and latents: encoding for training, and a cheap look at latents while they form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
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
    kept = vae.dtype
    upcast = kept in (torch.float16, torch.bfloat16) and getattr(vae.config, "force_upcast", False)
    if upcast:
        vae.to(torch.float32)
    try:
        encoded = vae.encode(pictures.to(vae.device, vae.dtype))
    finally:
        if upcast:
            vae.to(kept)
    latents = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mean
    mean, deviation = (getattr(vae.config, name, None) for name in ("latents_mean", "latents_std"))
    if mean and deviation:
        mean, deviation = (torch.tensor(each, device=latents.device)[:, None, None] for each in (mean, deviation))
        latents = (latents - mean) / deviation
    return latents * vae.config.scaling_factor


class LatentPreview:
    """A linear guess at the picture behind latents: each latent pixel becomes its own f x f patch.

    Fitted by least squares on a few pictures. For an autoencoder anchored on patches it is close to the
    real decoder; for others it shows colours and shapes. It costs a small matrix product.
    """

    def __init__(self, vae: Any, pictures: Tensor) -> None:
        latents = encode_pictures(vae, pictures).float().cpu()
        self.patch = pictures.shape[-1] // latents.shape[-1]
        rows = _with_one(latents.permute(0, 2, 3, 1).flatten(0, 2))
        patches = F.pixel_unshuffle(pictures.float().cpu(), self.patch).permute(0, 2, 3, 1).flatten(0, 2)
        # A little ridge: fewer pictures than unknowns must not make the map wild.
        gram = rows.T @ rows + 1e-3 * len(rows) * torch.eye(rows.shape[1])
        self.map = torch.linalg.solve(gram, rows.T @ patches)  # (C + 1, 3 * f * f)

    def __call__(self, latents: Tensor) -> npt.NDArray[np.uint8]:
        """Latents (C, h, w) as uint8 (h * f, w * f, 3)."""
        rows = _with_one(latents.detach().float().cpu().permute(1, 2, 0))
        patches = (rows @ self.map).permute(2, 0, 1)
        picture = F.pixel_shuffle(patches[None], self.patch)[0].permute(1, 2, 0)
        return ((picture.clamp(-1, 1) + 1) * 127.5).round().byte().numpy()


def smooth_noise(count: int, size: int, seed: int = 0) -> Tensor:
    """Pictures of soft coloured blobs, float32 (count, 3, size, size) in -1..1, to fit on for want of others."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, 3, 6, 6, generator=generator)
    fine = torch.randn(count, 3, 24, 24, generator=generator) * 0.4
    blobs = sum(F.interpolate(noise, (size, size), mode="bicubic") for noise in (coarse, fine))
    return torch.tanh(torch.as_tensor(blobs))


def _with_one(rows: Tensor) -> Tensor:
    return torch.cat([rows, torch.ones_like(rows[..., :1])], dim=-1)
