"""Rendering: the stock pipeline with the pack's tokens in the prompt and its LoRA in the UNet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from engine.core.add_on_places import settled
from engine.core.add_on_words import with_all_words
from engine.core.atomic_files import make_folder
from engine.core.errors import UserError, out_of_memory
from engine.core.paths import free_file
from engine.core.png_metadata import save_creation
from engine.core.prompt import parse
from engine.core.recipe import Creation, Prompt, Recipe
from engine.core.source_mark import source_type
from engine.core.start import steps_taken
from engine.models.components import sampler_name
from engine.models.devices import give_back_memory
from engine.models.loader import Models
from engine.packs.pack import Pack
from engine.rendering.decoding import Say
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
    recipe = replace(job.recipe, add_ons=tuple(map(settled, job.recipe.add_ons)))
    pack = Pack.open(job.pack)
    out = make_folder(Path(job.out), "the picture")
    spoken = with_all_words(recipe)
    negative = parse(spoken.negative, pack.vocabulary)
    report(Progress("Getting ready", 0, 0))
    painter = open_painter(models, pack, recipe.add_ons)
    start = open_start(models, pack, painter, recipe)
    look = open_preview(models, pack, painter)
    seeds = [(recipe.seed + index) % 2**63 for index in range(recipe.count)]
    steps = steps_taken(recipe.start, recipe.steps)
    every = -(-steps // _PREVIEWS)
    batch = _first_batch(models, painter, recipe)
    creations: list[Creation] = []
    while len(creations) < recipe.count:
        first = len(creations)

        def step(index: int, latents: Tensor, first: int = first) -> None:
            done = first * steps + (index + 1) * len(latents)
            report(Progress("Rendering", done, recipe.count * steps))
            if index % every == every - 1 and index + 1 < steps:
                for offset, latent in enumerate(latents):
                    report(Preview(first + offset, look(latent)))

        def say(sentence: str) -> None:
            report(Progress(sentence, 0, 0))

        try:
            pictures = _painted(painter, start, spoken, negative, seeds[first : first + batch], step, say)
        except Exception as error:
            if not out_of_memory(error):
                raise
            batch = _smaller(models, batch, recipe, painter.size, error)
            continue
        for picture, seed in zip(pictures, seeds[first:], strict=False):
            sampler = sampler_name(painter.pipeline.scheduler)
            alone = replace(recipe, seed=seed, count=1)
            source = source_type(recipe.start, recipe.steps) if job.mark else ""
            creation = _keep(models, pack, picture, alone, out, start, sampler, source)
            creations.append(creation)
            report(Rendered(len(creations) - 1, creation))
    return tuple(creations)


def _painted(
    painter: Painter,
    start: StartPicture | None,
    recipe: Recipe,
    negative: Prompt,
    seeds: Sequence[int],
    step: Step,
    say: Say,
) -> list[Image.Image]:
    how: dict[str, Any] = {"steps": recipe.steps, "guidance": recipe.guidance, "step": step, "say": say}
    if start:
        return paint_from(painter, start, recipe.prompt, negative, seeds, **how)
    return painter.paint(recipe.prompt, negative, seeds, size=recipe.size, **how)


def _keep(
    models: Models,
    pack: Pack,
    picture: Image.Image,
    recipe: Recipe,
    out: Path,
    start: StartPicture | None,
    sampler: str,
    source: str,
) -> Creation:
    receipt = receipt_of(models, pack, picture, recipe, start.labels if start else None)
    path = free_file(out / f"{datetime.now():%Y%m%d-%H%M%S}-{recipe.seed}.png")
    return save_creation(picture, path, recipe, receipt, pack.vocabulary, pack.base_model.id, sampler, source)


_ON_A_CARD = 8
"""Pictures at once on a GPU, at most: more gain nothing."""
_BYTES_A_CELL = 2**17
"""What a picture takes of a card's memory for each cell of its latents, beside the models: Stable Diffusion at 512
pixels about half a gigabyte, rounded up. What turns out to be too much is halved."""


def _first_batch(models: Models, painter: Painter, recipe: Recipe) -> int:
    """On a CPU, large pictures gain nothing from company and are wanted one by one; small ones do gain. On a GPU as
    many as fit beside the models."""
    side = (recipe.size or painter.size) // painter.pipeline.vae_scale_factor
    cells = max(side * side, 1)
    if models.device.type == "cpu":
        return max(1, min(recipe.count, 4, 4096 // cells))
    return max(1, min(recipe.count, _ON_A_CARD, models.free_bytes() // (_BYTES_A_CELL * cells)))


def _smaller(models: Models, batch: int, recipe: Recipe, size: int, error: Exception) -> int:
    give_back_memory(models.device)
    if batch > 1:
        return batch // 2
    raise UserError(
        f"There is not enough memory for a picture of {recipe.size or size} pixels.",
        "Choose a smaller size under More, or close other programs.",
        "memory",
    ) from error
