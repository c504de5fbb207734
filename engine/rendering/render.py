"""Rendering: the stock pipeline with the pack's tokens in the prompt and its LoRA in the UNet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from engine.core.errors import UserError
from engine.core.paths import make_folder
from engine.core.png_metadata import save_creation
from engine.core.prompt import parse
from engine.core.recipe import Creation, Prompt, Recipe
from engine.models.conditioning import tell
from engine.models.loader import Models
from engine.models.part_tokens import Tokens, load_tokens, tokenize
from engine.models.vae import LatentPreview, smooth_noise, to_tensor
from engine.packs.pack import TOKENS, Pack
from engine.rendering.evaluation import receipt_of
from engine.worker.dispatch import Report, out_of_memory
from engine.worker.jobs import Preview, Progress, Render, Rendered

_PREVIEWS = 10
"""Previews of one picture at most, so that they cost nothing beside the UNet."""
_PREVIEW_PICTURES = 8

Step = Callable[[int, Tensor], None]


@dataclass(frozen=True)
class Painter:
    """A stock pipeline and the tokens its prompts can say (None: plain words only)."""

    pipeline: Any
    tokens: Tokens | None = None

    @property
    def size(self) -> int:
        """The side in pixels of the base model's own pictures."""
        return int(self.pipeline.unet.config.sample_size * self.pipeline.vae_scale_factor)

    def paint(
        self,
        prompt: Prompt,
        negative: Prompt,
        seeds: Sequence[int],
        *,
        steps: int,
        guidance: float,
        size: int = 0,
        step: Step = lambda _index, _latents: None,
        latents: Tensor | None = None,
        output: str = "pil",
    ) -> Any:
        """One batch of RGB pictures, one for each seed.

        The noise of a picture comes from its own seed alone; in float32 its batch moves it by rounding only
        (at most one grey level). ``step`` is called after each step with its index and the predicted clean
        latents (B, C, h, w), and may raise. ``latents`` replaces the noise; ``output`` is "pil" or "latent".
        Raises :class:`UserError` for choices the tokens do not have and prompts that would be cut.
        """
        pipeline = self.pipeline
        length = pipeline.text_encoder.config.max_position_embeddings
        sentences = [tokenize(said, pipeline.tokenizer, length) for said in (prompt, negative)]
        with torch.no_grad():
            told = tell(pipeline, sentences, self.tokens)
        words = {"prompt_embeds": told.hidden[:1], "negative_prompt_embeds": told.hidden[1:]}
        if pipeline.unet.config.addition_embed_type == "text_time":  # SDXL; it says the sizes itself
            words |= {"pooled_prompt_embeds": told.pooled[:1], "negative_pooled_prompt_embeds": told.pooled[1:]}

        def after(pipe: Any, index: int, _timestep: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
            # DPM-Solver++ keeps the clean picture it predicted; other schedulers have only the noisy latents.
            predicted = getattr(pipe.scheduler, "model_outputs", None)
            step(index, predicted[-1] if predicted and predicted[-1] is not None else tensors["latents"])
            return {}

        side = _fitting(size or self.size, pipeline.vae_scale_factor)
        return pipeline(
            **words,
            num_images_per_prompt=len(seeds),
            generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
            latents=latents,
            num_inference_steps=steps,
            guidance_scale=guidance,
            height=side,
            width=side,
            callback_on_step_end=after,
            output_type=output,
        ).images


def open_painter(models: Models, pack: Pack) -> Painter:
    """What a pack renders with. Raises :class:`UserError` if a model or file is missing or does not fit."""
    pipeline = models.pipeline_of(pack)
    path = pack.path / TOKENS
    tokens = load_tokens(path).to(models.device) if path.is_file() else None
    return Painter(pipeline, tokens)


def render(models: Models, job: Render, report: Report) -> tuple[Creation, ...]:
    """Render a recipe's pictures into ``job.out``, each on disk as soon as it is whole.

    The engine's handler of :class:`Render`. Raises :class:`UserError`; pictures already made stay.
    """
    recipe = job.recipe
    pack = Pack.open(job.pack)
    out = make_folder(Path(job.out), "the picture")
    negative = parse(recipe.negative, pack.vocabulary)
    report(Progress("Getting ready", 0, 0))
    painter = open_painter(models, pack)
    look = open_preview(models, pack, painter)
    seeds = [(recipe.seed + index) % 2**63 for index in range(recipe.count)]
    every = -(-recipe.steps // _PREVIEWS)
    batch = _first_batch(models, painter, recipe)
    made: list[Creation] = []
    while len(made) < recipe.count:
        first = len(made)

        def step(index: int, latents: Tensor, first: int = first) -> None:
            done = first * recipe.steps + (index + 1) * len(latents)
            report(Progress("Rendering", done, recipe.count * recipe.steps))
            if index % every == every - 1 and index + 1 < recipe.steps:
                for offset, one in enumerate(latents):
                    report(Preview(first + offset, look(one)))

        try:
            pictures = painter.paint(
                recipe.prompt,
                negative,
                seeds[first : first + batch],
                steps=recipe.steps,
                guidance=recipe.guidance,
                size=recipe.size,
                step=step,
            )
        except Exception as error:
            if not out_of_memory(error):
                raise
            batch = _smaller(batch, recipe, painter.size, error)
            continue
        for picture, seed in zip(pictures, seeds[first:], strict=False):
            creation = _keep(models, pack, picture, replace(recipe, seed=seed, count=1), out)
            made.append(creation)
            report(Rendered(len(made) - 1, creation))
    return tuple(made)


def open_preview(models: Models, pack: Pack, painter: Painter) -> LatentPreview:
    """The linear preview of a pack's autoencoder, fitted on some of its references."""

    def fit() -> LatentPreview:
        size = min(painter.size, 256)
        pictures = []
        for reference in pack.references[:_PREVIEW_PICTURES]:
            with Image.open(reference.image) as picture:
                pictures.append(picture.convert("RGB").resize((size, size), Image.Resampling.BICUBIC))
        return LatentPreview(painter.pipeline.vae, to_tensor(pictures) if pictures else smooth_noise(4, size))

    return models.keep(("preview", pack.path, painter.pipeline.vae), fit)


def _keep(models: Models, pack: Pack, picture: Image.Image, recipe: Recipe, out: Path) -> Creation:
    receipt = receipt_of(models, pack, picture, recipe)
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{recipe.seed}"
    path, again = out / f"{stem}.png", 1
    while path.exists():
        again += 1
        path = out / f"{stem}-{again}.png"
    return save_creation(picture, path, recipe, receipt, pack.vocabulary, pack.base_model.id)


def _first_batch(models: Models, painter: Painter, recipe: Recipe) -> int:
    """On a CPU, large pictures gain nothing from company and are wanted one by one; small ones do gain."""
    if models.device.type != "cpu":
        return min(recipe.count, 8)
    side = (recipe.size or painter.size) // painter.pipeline.vae_scale_factor
    return max(1, min(recipe.count, 4, 4096 // max(side * side, 1)))


def _smaller(batch: int, recipe: Recipe, size: int, error: Exception) -> int:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if batch > 1:
        return batch // 2
    raise UserError(
        f"There is not enough memory for a picture of {recipe.size or size} pixels.",
        "Choose a smaller size under More, or close other programs.",
    ) from error


def _fitting(size: int, multiple: int) -> int:
    return max(1, round(size / multiple)) * multiple
