"""Receipts: which of a creation's choices really arrived; and the same over many creations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from engine.core.atomic_files import make_folder, write_bytes, write_whole
from engine.core.errors import UserError
from engine.core.json_values import json_bytes
from engine.core.match_rate import part_chances
from engine.core.recipe import Receipt, Recipe
from engine.core.vocabulary import ABSENT, Choice
from engine.models.distributed import ALONE, World, join_world
from engine.models.loader import Models
from engine.packs.pack import Pack, Reference
from engine.rendering.painter import Painter, open_painter
from engine.rendering.receipts import receipt_of
from engine.worker.jobs import Evaluate, Evaluated, PartScores, Progress, Report, Scores

_SHEET_COLUMNS = 8
_SHEET_PICTURES = 64


def evaluate(models: Models, job: Evaluate, report: Report) -> Evaluated:
    """Render recipes that mix parts of ``job.mix`` references each, and count what arrived.

    The result is also kept as ``evaluation.json`` in ``job.out``, beside a contact sheet. The engine's handler of
    :class:`Evaluate`. Raises :class:`UserError`.
    """
    pack = Pack.open(job.pack)
    if job.count < 1 or job.mix < 1:
        raise UserError("An evaluation needs at least one picture and one reference.", "Choose larger numbers.")
    world = join_world()
    recipes = mixed_recipes(pack, job.mix, job.count, job.seed)
    receipts, shown = receipts_of(models, pack, open_painter(models, pack), recipes, report, world=world)
    result = Evaluated(pack.id, job.mix, job.count, job.seed, scores_of(pack, receipts))
    if world.first:
        out = make_folder(Path(job.out), "the evaluation")
        write_bytes(out / "evaluation.json", json_bytes(result.to_document(), indent=1))
        sheet = contact_sheet(shown)
        write_whole(out / "sheet.png", lambda beside: sheet.save(beside, "PNG"), "the contact sheet")
    return result


def receipts_of(
    models: Models,
    pack: Pack,
    painter: Painter,
    recipes: Sequence[Recipe],
    report: Report,
    stage: str = "Rendering mixes",
    world: World = ALONE,
) -> tuple[list[Receipt], list[Image.Image]]:
    """Render recipes, one picture each, and count what arrived: their receipts, and the first pictures for a sheet.

    Of several processes each renders its share; all get everything. Raises :class:`UserError`.
    """
    rendered: list[tuple[int, Receipt, Image.Image | None]] = []
    share = range(world.rank, len(recipes), world.size)
    for done, index in enumerate(share):
        recipe = recipes[index]
        report(Progress(stage, done, len(share)))
        (picture,) = painter.paint(
            recipe.prompt, (), [recipe.seed], steps=recipe.steps, guidance=recipe.guidance,
            step=lambda _index, _latents, done=done: report(Progress(stage, done, len(share))),
        )  # fmt: skip
        receipt = receipt_of(models, pack, picture, recipe)
        rendered.append((index, receipt, picture if index < _SHEET_PICTURES else None))
    gathered = sorted(
        (result for results in world.gather(rendered) for result in results), key=lambda result: result[0]
    )
    return [receipt for _, receipt, _ in gathered], [picture for _, _, picture in gathered if picture is not None]


def mixed_recipes(pack: Pack, mix: int, count: int, seed: int) -> list[Recipe]:
    """Recipes whose parts come from ``mix`` random references each (1: all from one). Seeded."""
    references = [reference for reference in pack.references if any(code != ABSENT for code in reference.codes)]
    if not references:
        raise UserError(f"The pack {pack.title} has no references to take parts from.", "Choose another pack.")
    generator = np.random.default_rng(seed)
    noun = pack.vocabulary.noun
    recipes = []
    for index in range(count):
        chosen = generator.choice(len(references), min(mix, len(references)), replace=False)
        recipe = pack.new_recipe((f"a photo of a {noun}",), seed + index)
        for part, source in _dealt(pack, [references[row] for row in chosen], generator):
            recipe = recipe.with_choice(Choice(part, source.codes[part], source=source.id), noun)
        recipes.append(recipe)
    return recipes


def _dealt(pack: Pack, sources: Sequence[Reference], generator: np.random.Generator) -> list[tuple[int, Reference]]:
    """Each visible part with the source it is taken from; every source gives a part while there are enough."""
    order = [int(part) for part in generator.permutation([part.index for part in pack.vocabulary.visible_parts])]
    dealt = []
    for turn, part in enumerate(order):
        able = [source for source in sources if source.codes[part] != ABSENT]
        if able:
            due = sources[turn % len(sources)]
            dealt.append((part, due if due in able else able[int(generator.integers(len(able)))]))
    return sorted(dealt, key=lambda pair: pair[0])


def scores_of(pack: Pack, receipts: Sequence[Receipt]) -> Scores:
    """EMR and CoSim over receipts, in all and by part, each with the exact match rate of a guess."""
    arrivals = [arrival for receipt in receipts for arrival in receipt]
    counts = requestable_codes(pack)
    chances = {part: 1 / count for part, count in counts.items()} | part_chances(arrivals, counts)
    by_part = {
        part: [arrival for arrival in arrivals if arrival.part == part.index] for part in pack.vocabulary.visible_parts
    }
    return Scores(
        emr=_mean([arrival.arrived for arrival in arrivals]),
        cosim=_mean([arrival.similarity for arrival in arrivals]),
        chance=_mean([chances[arrival.part] for arrival in arrivals] or list(chances.values())),
        parts={
            part.name: PartScores(
                emr=_mean([arrival.arrived for arrival in part_arrivals]),
                cosim=_mean([arrival.similarity for arrival in part_arrivals]),
                absent=_mean([arrival.found == ABSENT for arrival in part_arrivals]),
                asked=len(part_arrivals),
                chance=chances[part.index],
            )
            for part, part_arrivals in by_part.items()
        },
    )


def requestable_codes(pack: Pack) -> dict[int, int]:
    """How many codes of each part can be requested, by the part's index: those that its references show; all where none
    shows the part."""
    shown = {part.index: {reference.codes[part.index] for reference in pack.references} - {ABSENT}
             for part in pack.vocabulary.visible_parts}  # fmt: skip
    return {part: len(codes) or pack.vocabulary.codes_per_part for part, codes in shown.items()}


def contact_sheet(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures of one size in rows of eight."""
    width, height = pictures[0].size
    columns = min(_SHEET_COLUMNS, len(pictures))
    sheet = Image.new("RGB", (columns * width, -(-len(pictures) // columns) * height), "white")
    for index, picture in enumerate(pictures):
        sheet.paste(picture, (index % columns * width, index // columns * height))
    return sheet


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0
