"""Rendering: the stock pipeline with the pack's tokens in the prompt and its LoRA in the UNet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

from engine.core.atomic_files import make_folder
from engine.core.errors import out_of_memory
from engine.core.paths import free_file
from engine.core.png_metadata import save_creation
from engine.core.prompt import parse
from engine.core.recipe import Creation, Prompt, Recipe
from engine.core.start import steps_taken
from engine.models.components import sampler_name
from engine.models.loader import Models
from engine.packs.pack import Pack
from engine.rendering.batches import batch_size, smaller_batch
from engine.rendering.image_to_image import paint_from
from engine.rendering.keep_trying import best_of, seeds_to_try
from engine.rendering.painter import Painter, Step, open_painter
from engine.rendering.preview import open_preview
from engine.rendering.receipts import receipt_of
from engine.rendering.start_picture import StartPicture, open_start
from engine.worker.jobs import Preview, Progress, Render, Rendered, Report

_PREVIEWS = 10
"""Previews of one picture at most, so that they cost nothing beside the UNet."""


def render(models: Models, job: Render, report: Report) -> tuple[Creation, ...]:
    """Render a recipe's pictures into ``job.out``, each on disk as soon as it is whole.

    With several ``tries`` the best of a picture's seeds is kept; a cancelled job ends with the best so far. The
    engine's handler of :class:`Render`. Raises :class:`UserError`; pictures already made stay.
    """
    recipe = job.recipe
    pack = Pack.open(job.pack)
    out = make_folder(Path(job.out), "the picture")
    negative = parse(recipe.negative, pack.vocabulary)
    report(Progress("Getting ready", 0, 0))
    painter = open_painter(models, pack)
    start = open_start(models, pack, painter, recipe)
    look = open_preview(models, pack, painter)
    seeds = [(recipe.seed + index) % 2**63 for index in range(recipe.count)]
    steps = steps_taken(recipe.start, recipe.steps)
    every = -(-steps // _PREVIEWS)
    creations: list[Creation] = []
    if recipe.tries > 1 and recipe.choices:
        _render_best(models, pack, painter, start, recipe, negative, out, report, look, creations)
        return tuple(creations)
    batch = batch_size(models, painter, recipe.size, recipe.count)
    while len(creations) < recipe.count:
        first = len(creations)

        def step(index: int, latents: Tensor, first: int = first) -> None:
            done = first * steps + (index + 1) * len(latents)
            report(Progress("Rendering", done, recipe.count * steps))
            if index % every == every - 1 and index + 1 < steps:
                for offset, latent in enumerate(latents):
                    report(Preview(first + offset, look(latent)))

        try:
            pictures = _painted(painter, start, recipe, negative, seeds[first : first + batch], step)
        except Exception as error:
            if not out_of_memory(error):
                raise
            batch = smaller_batch(batch, recipe.size or painter.size, error)
            continue
        for picture, seed in zip(pictures, seeds[first:], strict=False):
            sampler = sampler_name(painter.pipeline.scheduler)
            creation = _keep(models, pack, picture, replace(recipe, seed=seed, count=1), out, start, sampler)
            creations.append(creation)
            report(Rendered(len(creations) - 1, creation))
    return tuple(creations)


def _render_best(
    models: Models,
    pack: Pack,
    painter: Painter,
    start: StartPicture | None,
    recipe: Recipe,
    negative: Prompt,
    out: Path,
    report: Report,
    look: Callable[[Tensor], npt.NDArray[np.uint8]],
    creations: list[Creation],
) -> None:
    """Render each picture of a recipe with several seeds until all its parts arrive; the best is kept, also of those
    before somebody cancelled."""
    steps = steps_taken(recipe.start, recipe.steps)
    every = -(-steps // _PREVIEWS)
    sampler = sampler_name(painter.pipeline.scheduler)
    labels = start.labels if start else None
    for index in range(recipe.count):

        def paint(seed: int, words: str, index: int = index) -> Image.Image:
            def step(done: int, latents: Tensor) -> None:
                report(Progress(words, done + 1, steps))
                if done % every == every - 1 and done + 1 < steps:
                    report(Preview(index, look(latents[0])))

            report(Progress(words, 0, steps))
            try:
                (picture,) = _painted(painter, start, recipe, negative, [seed], step)
            except Exception as error:
                if out_of_memory(error):
                    smaller_batch(1, recipe.size or painter.size, error)
                raise
            return picture

        best = best_of(
            seeds_to_try(recipe, index),
            paint,
            lambda picture, _seed: receipt_of(models, pack, picture, recipe, labels),
            pack.vocabulary,
        )
        alone = replace(recipe, seed=best.seed, count=1, tries=1)
        path = free_file(out / f"{datetime.now():%Y%m%d-%H%M%S}-{best.seed}.png")
        model = pack.base_model.id
        creations.append(save_creation(best.picture, path, alone, best.receipt, pack.vocabulary, model, sampler))
        if best.stopped:
            return
        report(Rendered(index, creations[-1]))


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
) -> Creation:
    receipt = receipt_of(models, pack, picture, recipe, start.labels if start else None)
    path = free_file(out / f"{datetime.now():%Y%m%d-%H%M%S}-{recipe.seed}.png")
    return save_creation(picture, path, recipe, receipt, pack.vocabulary, pack.base_model.id, sampler)
