"""Previews: from latents to a rough picture, nearly for free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from PIL import Image
from torch import Tensor

from engine.core.errors import UserError
from engine.core.image_files import open_picture
from engine.models.loader import Models
from engine.models.vae import decode_latents, encode_pictures, to_tensor
from engine.packs.pack import Pack
from engine.packs.stand_ins import pictures_of
from engine.rendering.painter import Painter

Look = Callable[[Tensor], npt.NDArray[np.uint8]]
"""From latents (C, h, w) to a picture, uint8 (H, W, 3)."""

TINY_AUTOENCODERS: Final = {False: "madebyollin/taesd", True: "madebyollin/taesdxl"}
"""Autoencoders of a few MB that decode the latents of Stable Diffusion 1 and 2, and of SDXL (True)."""


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
        return _pixels(picture.permute(2, 0, 1))


def smooth_noise(count: int, size: int, seed: int = 0) -> Tensor:
    """Pictures of soft coloured blobs, float32 (count, 3, size, size) in -1..1, to fit on for want of others."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, 3, 6, 6, generator=generator)
    fine = torch.randn(count, 3, 24, 24, generator=generator) * 0.4
    blobs = sum(F.interpolate(noise, (size, size), mode="bicubic") for noise in (coarse, fine))
    return torch.tanh(torch.as_tensor(blobs))


def _with_one(rows: Tensor) -> Tensor:
    return torch.cat([rows, torch.ones_like(rows[..., :1])], dim=-1)


_PREVIEW_PICTURES = 8


@dataclass(frozen=True)
class _PreviewKey:
    pack: Path
    vae: Any


def open_preview(models: Models, pack: Pack, painter: Painter) -> Look:
    """How the latents of a pack's base model are looked at: with the tiny autoencoder for them where it is on this
    computer, else with a linear guess fitted on some of the pack's references."""
    tiny = _tiny_autoencoder(models, painter)
    if tiny is not None:
        return lambda latents: _pixels(decode_latents(tiny, latents[None])[0])

    def fit() -> LatentPreview:
        size = min(painter.size, 256)
        pictures = []
        for reference in pictures_of(pack)[:_PREVIEW_PICTURES]:
            picture = open_picture(reference.image)
            pictures.append(picture.resize((size, size), Image.Resampling.BICUBIC))
        return LatentPreview(painter.pipeline.vae, to_tensor(pictures) if pictures else smooth_noise(4, size))

    return models.cache.get(_PreviewKey(pack.path, painter.pipeline.vae), fit)


def _tiny_autoencoder(models: Models, painter: Painter) -> Any:
    pipeline = painter.pipeline
    if not isinstance(pipeline.vae, AutoencoderKL):  # the starter's is tiny itself
        return None
    id = TINY_AUTOENCODERS[getattr(pipeline, "text_encoder_2", None) is not None]
    try:
        tiny = models.autoencoder(id) if models.has(id) else None
    except UserError:  # damaged, or no room: a rougher look is no reason to render nothing
        return None
    channels: int = pipeline.vae.config["latent_channels"]
    return tiny if tiny is not None and tiny.config["latent_channels"] == channels else None


def _pixels(picture: Tensor) -> npt.NDArray[np.uint8]:
    return ((picture.permute(1, 2, 0).clamp(-1, 1) + 1) * 127.5).round().byte().numpy()
