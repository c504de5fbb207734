"""Image to image: the stock pipelines, begun from a picture; each pixel with as much freedom as it is given.

Freedom is the share of the denoising steps that are taken (SDEdit, arXiv 2108.01073). Where pixels have less than
others, they are held at the picture's own noised latents until their steps begin (Differential Diffusion, arXiv
2306.00950).
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionXLImg2ImgPipeline
from diffusers.utils.torch_utils import randn_tensor
from PIL import Image
from torch import Tensor

from engine.core.recipe import Prompt
from engine.core.start import schedule_of
from engine.models.text_encoding import TokenizedPrompt
from engine.models.vae import encode_pictures
from engine.rendering.change_map import Changes, merged
from engine.rendering.decoding import Say, decode, require_numbers
from engine.rendering.layout_guidance import STRENGTH, LayoutGuidance
from engine.rendering.painter import Painter, Step, predicted_clean, require_steps
from engine.rendering.start_picture import StartPicture


def paint_from(
    painter: Painter,
    start: StartPicture,
    prompt: Prompt,
    negative: Prompt,
    seeds: Sequence[int],
    *,
    steps: int,
    guidance: float,
    step: Step = lambda _index, _latents: None,
    strength: float = STRENGTH,
    say: Say = lambda _sentence: None,
) -> list[Image.Image]:
    """One batch of RGB pictures that begin with the start, one for each seed, at the start's size.

    A seed's noise is the one :meth:`Painter.paint` would begin with, so that more freedom comes nearer to what it
    paints. ``strength`` is the layout guidance's; 0 is without it. ``step`` and ``say`` as in :meth:`Painter.paint`.
    Raises :class:`UserError` as it does.
    """
    total, taken = schedule_of(start.freedom, steps)
    if not taken:
        return [start.image.copy() for _ in seeds]
    require_steps(painter.pipeline.scheduler, total)
    pipeline = _image_to_image(painter.pipeline)
    with painter.loras_on():
        embeddings, sentence = painter.embeddings(prompt, negative)
    doubled = guidance > 1 and pipeline.unet.config.time_cond_proj_dim is None
    held = None if start.changes is None else _Held(start.changes, taken)
    layout = _layout(painter, start, sentence, doubled, strength)
    if layout:
        layout.weaken(taken / total)

    def after(pipe: Any, index: int, _timestep: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        if layout:
            layout.weaken((taken - index - 1) / total)
        require_numbers(tensors["latents"])
        step(index, predicted_clean(pipe, tensors))
        return {"latents": held.latents(pipe, index + 1, tensors["latents"])} if held else {}

    with painter.loras_on(), layout or contextlib.nullcontext():
        latents = pipeline(
            **embeddings,
            image=start.image,
            strength=min((taken + 0.5) / total, 1.0),
            num_inference_steps=total,
            guidance_scale=guidance,
            num_images_per_prompt=len(seeds),
            generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
            callback_on_step_end=after,
            output_type="latent",
        ).images
    pictures = decode(pipeline, latents, say)
    return pictures if start.changes is None else [merged(start.image, one, start.changes) for one in pictures]


class _FromPicture:
    """A pipeline whose latents are the picture's mean latents and the noise that text alone would begin with; the
    stock pipelines sample the picture's latents first, and so use up a seed's noise. Keeps both."""

    vae: Any
    scheduler: Any
    clean: Tensor
    noise: Tensor

    def prepare_latents(
        self, image: Tensor, timestep: Tensor, batch_size: int, num_images_per_prompt: int, dtype: Any, device: Any,
        generator: Any = None, add_noise: bool = True,
    ) -> Tensor:  # fmt: skip
        clean = encode_pictures(self.vae, image).to(device, dtype)
        self.clean = clean.repeat(batch_size * num_images_per_prompt, 1, 1, 1)
        self.noise = randn_tensor(self.clean.shape, generator=generator, device=device, dtype=dtype)
        return self.scheduler.add_noise(self.clean, self.noise, timestep)


class _ImageToImage(_FromPicture, StableDiffusionImg2ImgPipeline):  # pyright: ignore[reportIncompatibleMethodOverride]
    """Stable Diffusion 1.x, 2.x, and the starter."""


class _ImageToImageXL(_FromPicture, StableDiffusionXLImg2ImgPipeline):  # pyright: ignore[reportIncompatibleMethodOverride]
    """SDXL."""


def _image_to_image(pipeline: Any) -> Any:
    """The image-to-image pipeline of a text-to-image one: its very components, nothing is loaded or copied."""
    sdxl = getattr(pipeline, "text_encoder_2", None) is not None
    more = {"add_watermarker": pipeline.watermark is not None} if sdxl else {"requires_safety_checker": False}
    kind: Any = _ImageToImageXL if sdxl else _ImageToImage
    made = kind(**pipeline.components, **more)
    made.set_progress_bar_config(disable=True)
    return made


class _Held:
    """Holds pixels at the start until their steps begin: those with all of the freedom take all ``taken`` steps, those
    with a share of it that share of the last, those with none never begin."""

    def __init__(self, changes: Changes, taken: int) -> None:
        self._changes = torch.from_numpy(changes)[None, None]
        self._taken = taken

    def latents(self, pipe: Any, done: int, latents: Tensor) -> Tensor:
        """Latents (B, C, h, w) after ``done`` steps, with the pixels that are still held put back."""
        changes = F.interpolate(self._changes, latents.shape[-2:], mode="area")
        begun = ((changes * self._taken).round() >= max(self._taken - done, 1)).to(latents.device)
        if done == self._taken:
            original = pipe.clean
        else:
            timestep = pipe.scheduler.timesteps[-(self._taken - done)]
            original = pipe.scheduler.add_noise(pipe.clean, pipe.noise, timestep.repeat(len(latents)))
        return torch.where(begun, latents, original.to(latents.dtype))


def _layout(
    painter: Painter, start: StartPicture, sentence: TokenizedPrompt, doubled: bool, strength: float
) -> LayoutGuidance | None:
    """The guidance of a prompt's parts to where the start shows them; None if it shows none."""
    numbers: Counter[int] = Counter()
    columns: list[int] = []
    masks: list[Any] = []
    for column, choice in sentence.places if strength else ():
        place = start.place_of(choice.part, numbers[choice.part])
        numbers[choice.part] += 1
        if place.any():
            columns.append(column)
            masks.append(place)
    if not masks:
        return None
    factor = painter.pipeline.vae_scale_factor
    size = start.image.height // factor, start.image.width // factor
    stacked = torch.from_numpy(np.stack(masks)).float()
    return LayoutGuidance(painter.pipeline.unet, stacked, columns, len(sentence.ids), size, doubled, strength)
