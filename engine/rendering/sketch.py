"""Sketches: the collage painted once in a few steps, to look at while it is put together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from engine.core.add_on_places import settled
from engine.core.add_on_words import with_all_words
from engine.core.errors import UserError, out_of_memory
from engine.core.prompt import parse
from engine.core.start import steps_taken
from engine.models.loader import Models
from engine.packs.pack import Pack
from engine.rendering.batches import smaller_batch
from engine.rendering.image_to_image import paint_from
from engine.rendering.painter import open_painter
from engine.rendering.start_picture import open_start
from engine.worker.collage_jobs import Sketch, Sketched
from engine.worker.jobs import Progress, Report


def sketch(models: Models, job: Sketch, report: Report) -> Sketched:
    """Paint a recipe's collage, at the base model's own size. The engine's handler of :class:`Sketch`. Raises
    :class:`UserError` where :func:`engine.rendering.render.render` would, and for a recipe without a start."""
    recipe = replace(job.recipe, add_ons=tuple(map(settled, job.recipe.add_ons)), size=0)
    pack = Pack.open(job.pack)
    spoken = with_all_words(recipe)
    negative = parse(spoken.negative, pack.vocabulary)
    report(Progress("Getting ready", 0, 0))
    painter = open_painter(models, pack, recipe.add_ons)
    start = open_start(models, pack, painter, spoken)
    if start is None:
        raise UserError("There is no collage to paint over.", "Choose a part.")
    total = steps_taken(recipe.start, recipe.steps)

    def step(index: int, _latents: Tensor) -> None:
        report(Progress("Painting", index + 1, total))

    how = {"steps": spoken.steps, "guidance": spoken.guidance}
    try:
        (picture,) = paint_from(painter, start, spoken.prompt, negative, [spoken.seed], step=step, **how)
    except Exception as error:
        if out_of_memory(error):
            smaller_batch(models, 1, painter.size, error)
        raise
    return Sketched(job.recipe, np.asarray(picture.convert("RGB")), start.box)
