"""Rendering: the stock pipeline with the pack's tokens in the prompt and its LoRA in the UNet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from engine.core.add_on_places import settled
from engine.core.add_on_words import with_all_words
from engine.core.atomic_files import make_folder
from engine.core.errors import out_of_memory
from engine.core.paths import free_file
from engine.core.png_metadata import save_creation
from engine.core.prompt import parse
from engine.core.recipe import Creation, Prompt, Receipt, Recipe
from engine.core.source_mark import source_type
from engine.core.start import steps_taken
from engine.models.components import sampler_name
from engine.models.loader import Models
from engine.packs.base_sizes import sizes_of
from engine.packs.pack import Pack
from engine.packs.unsaid_parts import rest_of, spoken_recipe
from engine.rendering.batches import batch_size, smaller_batch
from engine.rendering.image_to_image import paint_from
from engine.rendering.keep_trying import best_of, seeds_to_try
from engine.rendering.painter import Painter, Step, open_painter
from engine.rendering.preview import Look, open_preview
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
    recipe = replace(job.recipe, add_ons=tuple(map(settled, job.recipe.add_ons)))
    pack = Pack.open(job.pack)
    out = make_folder(Path(job.out), "the picture")
    spoken = with_all_words(recipe)
    negative = parse(spoken.negative, pack.vocabulary)
    report(Progress("Getting ready", 0, 0))
    painter = open_painter(models, pack, recipe.add_ons)
    scaled = sizes_of(pack.base_model).scales(recipe.size)
    painted = replace(spoken, size=0) if scaled else spoken
    start = open_start(models, pack, painter, spoken_recipe(pack, painted))
    look = open_preview(models, pack, painter)
    source = source_type(recipe.start, recipe.steps) if job.mark else ""
    scale = recipe.size / painter.size if scaled else 1.0
    work = _Rendering(models, pack, painter, start, recipe, painted, negative, out, look, source, scale, report)
    return tuple(_best_of_each(work) if recipe.tries > 1 and recipe.choices else _one_of_each(work))


@dataclass(frozen=True)
class _Rendering:
    """What all pictures of a job have in common. ``painted`` is the recipe with the words of its add-ons, at a size the
    base model can paint; pictures are made larger or smaller by ``scale`` afterwards."""

    models: Models
    pack: Pack
    painter: Painter
    start: StartPicture | None
    recipe: Recipe
    painted: Recipe
    negative: Prompt
    out: Path
    look: Look
    source: str
    scale: float
    report: Report

    @property
    def steps(self) -> int:
        return steps_taken(self.recipe.start, self.recipe.steps)

    @property
    def size(self) -> int:
        return self.painted.size or self.painter.size

    @property
    def one_by_one(self) -> bool:
        """Whether each seed has a prompt and a start of its own."""
        return self.start is not None and rest_of(self.pack, self.recipe) is not None

    def spoken(self, seed: int) -> Recipe:
        """What is painted with a seed, all that is said of it."""
        return spoken_recipe(self.pack, replace(self.painted, seed=seed))

    def start_of(self, seed: int) -> StartPicture | None:
        """What the picture of a seed begins with: the collage of all parts, if that is what it is."""
        if not self.one_by_one or seed == self.recipe.seed:
            return self.start
        return open_start(self.models, self.pack, self.painter, self.spoken(seed))

    def paint(self, seeds: Sequence[int], step: Step) -> list[Image.Image]:
        """One batch, a picture for each seed; one alone where they are made :attr:`one_by_one`."""
        said = self.painted
        how: dict[str, Any] = {"steps": said.steps, "guidance": said.guidance, "step": step, "say": self.say}
        prompts = [self.spoken(seed).prompt for seed in seeds]
        if start := self.start_of(seeds[0]):
            return paint_from(self.painter, start, prompts[0], self.negative, seeds, **how)
        if len(set(prompts)) > 1:
            return self.painter.paint_each(prompts, seeds, negative=self.negative, size=said.size, **how)
        return self.painter.paint(prompts[0], self.negative, seeds, size=said.size, **how)

    def say(self, sentence: str) -> None:
        self.report(Progress(sentence, 0, 0))

    def preview(self, first: int, done: int, latents: Tensor) -> None:
        """Show what pictures look like after some steps, now and then."""
        every = -(-self.steps // _PREVIEWS)
        if done % every == 0 and done < self.steps:
            for offset, latent in enumerate(latents):
                self.report(Preview(first + offset, self.look(latent)))

    def receipt(self, picture: Image.Image, seed: int) -> Receipt:
        start = self.start_of(seed)
        labels = start.labels if start else None
        return receipt_of(self.models, self.pack, picture, self.recipe, labels)

    def keep(self, picture: Image.Image, seed: int, receipt: Receipt) -> Creation:
        """Write a picture with all there is to know of it."""
        path = free_file(self.out / f"{datetime.now():%Y%m%d-%H%M%S}-{seed}.png")
        alone, pack = replace(self.recipe, seed=seed, count=1, tries=1), self.pack
        sampler = sampler_name(self.painter.pipeline.scheduler)
        if self.scale != 1.0:
            width, height = (max(1, round(side * self.scale)) for side in picture.size)
            picture = picture.resize((width, height), Image.Resampling.LANCZOS)
        base = pack.base_model
        return save_creation(
            picture, path, alone, receipt, pack.vocabulary, base.id, sampler, self.source, base.revision,
            rest_of(pack, alone),
        )  # fmt: skip


def _one_of_each(work: _Rendering) -> list[Creation]:
    """Each picture of a recipe with its own seed, in batches."""
    recipe, steps = work.recipe, work.steps
    seeds = [(recipe.seed + index) % 2**63 for index in range(recipe.count)]
    batch = 1 if work.one_by_one else batch_size(work.models, work.painter, work.size, recipe.count)
    creations: list[Creation] = []
    while len(creations) < recipe.count:
        first = len(creations)

        def step(index: int, latents: Tensor, first: int = first) -> None:
            work.report(Progress("Rendering", first * steps + (index + 1) * len(latents), recipe.count * steps))
            work.preview(first, index + 1, latents)

        try:
            pictures = work.paint(seeds[first : first + batch], step)
        except Exception as error:
            if not out_of_memory(error):
                raise
            batch = smaller_batch(work.models, batch, work.size, error)
            continue
        for picture, seed in zip(pictures, seeds[first:], strict=False):
            index = len(creations)
            creations.append(work.keep(picture, seed, work.receipt(picture, seed)))
            work.report(Rendered(index, creations[-1]))
    return creations


def _best_of_each(work: _Rendering) -> list[Creation]:
    """Each picture of a recipe with several seeds until all its parts arrive; the best is kept, also of those before
    somebody cancelled."""
    steps, creations = work.steps, list[Creation]()
    for index in range(work.recipe.count):

        def paint(seed: int, words: str, index: int = index) -> Image.Image:
            def step(done: int, latents: Tensor) -> None:
                work.report(Progress(words, done + 1, steps))
                work.preview(index, done + 1, latents)

            work.report(Progress(words, 0, steps))
            try:
                (picture,) = work.paint([seed], step)
            except Exception as error:
                if out_of_memory(error):
                    smaller_batch(work.models, 1, work.size, error)
                raise
            return picture

        seeds = seeds_to_try(work.recipe, index)
        best = best_of(seeds, paint, work.receipt, work.pack.vocabulary)
        creations.append(work.keep(best.picture, best.seed, best.receipt))
        if best.stopped:
            break
        work.report(Rendered(index, creations[-1]))
    return creations
