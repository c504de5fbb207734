"""Rendering: the stock pipeline with the pack's tokens in the prompt and its LoRA in the UNet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from engine.core.atomic_files import make_folder
from engine.core.errors import UserError, out_of_memory
from engine.core.paths import free_file
from engine.core.png_metadata import save_creation
from engine.core.prompt import parse
from engine.core.recipe import Creation, Prompt, Recipe
from engine.core.start import steps_taken
from engine.models.components import sampler_name
from engine.models.loader import Models
from engine.packs.base_sizes import sizes_of
from engine.packs.pack import Pack
from engine.rendering.image_to_image import paint_from
from engine.rendering.painter import Painter, Step, open_painter
from engine.rendering.preview import open_preview
from engine.rendering.receipts import receipt_of
from engine.rendering.start_picture import StartPicture, open_start
from engine.worker.jobs import Preview, Progress, Render, Rendered, Report

_PREVIEWS = 10
"""Previews of one picture at most, so that they cost nothing beside the UNet."""


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
    scaled = sizes_of(pack.base_model).scales(recipe.size)
    painted = replace(recipe, size=0) if scaled else recipe
    start = open_start(models, pack, painter, painted)
    look = open_preview(models, pack, painter)
    seeds = [(recipe.seed + index) % 2**63 for index in range(recipe.count)]
    steps = steps_taken(recipe.start, recipe.steps)
    every = -(-steps // _PREVIEWS)
    batch = _first_batch(models, painter, painted)
    creations: list[Creation] = []
    while len(creations) < recipe.count:
        first = len(creations)

        def step(index: int, latents: Tensor, first: int = first) -> None:
            done = first * steps + (index + 1) * len(latents)
            report(Progress("Rendering", done, recipe.count * steps))
            if index % every == every - 1 and index + 1 < steps:
                for offset, latent in enumerate(latents):
                    report(Preview(first + offset, look(latent)))

        try:
            pictures = _painted(painter, start, painted, negative, seeds[first : first + batch], step)
        except Exception as error:
            if not out_of_memory(error):
                raise
            batch = _smaller(batch, painted, painter.size, error)
            continue
        for picture, seed in zip(pictures, seeds[first:], strict=False):
            sampler = sampler_name(painter.pipeline.scheduler)
            scale = recipe.size / painter.size if scaled else 1.0
            creation = _keep(models, pack, picture, replace(recipe, seed=seed, count=1), out, start, sampler, scale)
            creations.append(creation)
            report(Rendered(len(creations) - 1, creation))
    return tuple(creations)


def _painted(
    painter: Painter, start: StartPicture | None, recipe: Recipe, negative: Prompt, seeds: Sequence[int], step: Step
) -> list[Image.Image]:
    steps, guidance = recipe.steps, recipe.guidance
    if start:
        return paint_from(painter, start, recipe.prompt, negative, seeds, steps=steps, guidance=guidance, step=step)
    return painter.paint(recipe.prompt, negative, seeds, steps=steps, guidance=guidance, size=recipe.size, step=step)


def _keep(
    models: Models,
    pack: Pack,
    picture: Image.Image,
    recipe: Recipe,
    out: Path,
    start: StartPicture | None,
    sampler: str,
    scale: float,
) -> Creation:
    receipt = receipt_of(models, pack, picture, recipe, start.labels if start else None)
    if scale != 1.0:
        width, height = (max(1, round(side * scale)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    path = free_file(out / f"{datetime.now():%Y%m%d-%H%M%S}-{recipe.seed}.png")
    return save_creation(picture, path, recipe, receipt, pack.vocabulary, pack.base_model.id, sampler)


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
        "memory",
    ) from error
