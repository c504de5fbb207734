"""Decoding: from latents to pictures, in as little memory as it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import AutoencoderKL
from PIL import Image
from torch import Tensor

from engine.core.errors import UserError, out_of_memory
from engine.models.devices import give_back_memory
from engine.models.placement import device_of
from engine.models.vae import decode_latents

Say = Callable[[str], None]


def decode(pipeline: Any, latents: Tensor, say: Say = lambda _sentence: None) -> list[Image.Image]:
    """RGB pictures of a pipeline's latents (B, C, h, w), as the pipeline itself would decode them.

    Where memory runs out, the steps that led to the latents are not taken again: pictures are decoded one by one, then
    in tiles, which ``say`` is told, for their seams may show. On a GPU one by one from the start. Raises
    :class:`UserError` where that is too much too, and for what is no number.
    """
    vae = pipeline.vae
    device = device_of(vae)
    for at_once in (1,) if device.type == "cuda" else sorted({len(latents), 1}, reverse=True):
        try:
            return _pictures(pipeline, latents, at_once)
        except Exception as error:
            if not out_of_memory(error):
                raise
        give_back_memory(device)  # outside of that block, the error and what it holds are gone
    try:
        if _has_tiles(vae, latents):
            say("Memory is short: painting in tiles")
            with _tiled(vae):
                return _pictures(pipeline, latents, 1)
    except Exception as error:
        if not out_of_memory(error):
            raise
    raise UserError(
        "There is not enough memory to make a picture of this size visible.",
        "Choose a smaller size under More, or close other programs.",
        "memory",
    )


def _pictures(pipeline: Any, latents: Tensor, at_once: int) -> list[Image.Image]:
    with _watched(pipeline.vae):
        pixels = [decode_latents(pipeline.vae, some) for some in latents.split(at_once)]
    return pipeline.image_processor.postprocess(torch.cat(pixels), "pil")


def _has_tiles(vae: Any, latents: Tensor) -> bool:
    """Whether diffusers would cut latents into more than one tile; AutoencoderTiny takes little memory as it is, and
    fails on what is smaller than a tile."""
    return isinstance(vae, AutoencoderKL) and max(latents.shape[-2:]) > vae.tile_latent_min_size


@contextmanager
def _tiled(vae: Any) -> Iterator[None]:
    before = vae.use_tiling
    vae.enable_tiling()
    try:
        yield
    finally:
        if not before:
            vae.disable_tiling()


@contextmanager
def _watched(vae: Any) -> Iterator[None]:
    """While open, what the autoencoder makes must be numbers, before it is cut to the range of a picture. Raises
    :class:`UserError`."""
    handle = vae.decoder.register_forward_hook(lambda _module, _inputs, output: require_numbers(output))
    try:
        yield
    finally:
        handle.remove()


def require_numbers(latents: Tensor) -> None:
    """See that latents, or decoded pixels, are numbers: what is not would become black. Raises :class:`UserError`."""
    if not torch.isfinite(latents).all():
        raise UserError(
            "The numbers overflowed on the way to the picture, so there is none.",
            "Use less guidance or smaller strengths; if that does not help, the pack or its base model is damaged.",
        )
