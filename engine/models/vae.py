"""Between pictures and latents: encoding for training, and a cheap look at latents while they form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from engine.models.placement import device_of


def to_tensor(pictures: Sequence[Image.Image]) -> Tensor:
    """RGB pictures of one size as float32 (N, 3, H, W) in -1..1."""
    stack = np.stack([np.asarray(picture.convert("RGB")) for picture in pictures])
    return torch.from_numpy(stack).permute(0, 3, 1, 2).float() / 127.5 - 1.0


@torch.no_grad()
def encode_pictures(vae: Any, pictures: Tensor) -> Tensor:
    """Latents (N, C, H/f, W/f) of pictures (N, 3, H, W) in -1..1, scaled as the UNet expects them.
    The mean, not a sample, of an AutoencoderKL: one picture has one latent. SDXL's, which overflows in half
    precision (``force_upcast``), works in float32 meanwhile."""
    with _upcast(vae):
        encoded = vae.encode(pictures.to(device_of(vae), vae.dtype))
    latents = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mean
    mean, deviation = _normalisation(vae, latents.device)
    return (latents - mean) / deviation * vae.config.scaling_factor


@torch.no_grad()
def decode_latents(vae: Any, latents: Tensor) -> Tensor:
    """Pictures, float32 (N, 3, H, W) in -1..1 on the CPU, of latents (N, C, H/f, W/f) as :func:`encode_pictures` gives
    them. What is no number becomes mid grey. SDXL's autoencoder works in float32 meanwhile."""
    latents = latents.to(device_of(vae), torch.float32)
    mean, deviation = _normalisation(vae, latents.device)
    latents = latents / vae.config.scaling_factor * deviation + mean
    with _upcast(vae):
        pixels = vae.decode(latents.to(vae.dtype)).sample
    return pixels.float().nan_to_num(0.0, 1.0, -1.0).clamp(-1, 1).cpu()


def rebuild_pictures(vae: Any, pictures: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """Pictures uint8 (N, H, W, 3) as an autoencoder gives them back, encoded and decoded at ``size`` pixels a side."""
    result = np.empty_like(pictures)
    for first in range(0, len(pictures), _REBUILT_AT_ONCE):
        some = pictures[first : first + _REBUILT_AT_ONCE]
        unit = torch.from_numpy(np.ascontiguousarray(some)).permute(0, 3, 1, 2).float() / 127.5 - 1.0
        pixels = decode_latents(vae, encode_pictures(vae, _scaled(unit, (size, size))))
        pixels = _scaled(pixels, pictures.shape[1:3]).clamp(-1, 1)
        result[first : first + _REBUILT_AT_ONCE] = ((pixels + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    return result


_REBUILT_AT_ONCE: Final = 16


def _scaled(pixels: Tensor, size: tuple[int, ...]) -> Tensor:
    """Pixels (N, 3, H, W) at another size (H, W)."""
    if tuple(pixels.shape[-2:]) == tuple(size):
        return pixels
    return torch.nn.functional.interpolate(pixels, tuple(size), mode="bicubic", antialias=True)


def _normalisation(vae: Any, device: torch.device) -> tuple[Any, Any]:
    """Mean and deviation of an autoencoder's latents, (C, 1, 1); 0 and 1 where it does not say."""
    mean, deviation = (getattr(vae.config, name, None) for name in ("latents_mean", "latents_std"))
    if not (mean and deviation):
        return 0.0, 1.0
    mean, deviation = (torch.tensor(values, device=device)[:, None, None] for values in (mean, deviation))
    return mean, deviation


@contextmanager
def _upcast(vae: Any) -> Iterator[None]:
    """While open, an autoencoder that overflows in half precision works in float32."""
    dtype = vae.dtype
    upcast = dtype in (torch.float16, torch.bfloat16) and getattr(vae.config, "force_upcast", False)
    if upcast:
        vae.to(torch.float32)
    try:
        yield
    finally:
        if upcast:
            vae.to(dtype)
