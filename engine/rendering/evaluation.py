"""Evaluations: mixes of a pack's references are rendered, and what arrived is counted.

Each picture is kept in the evaluation's folder as soon as it is whole, so that the same evaluation goes on after a kill
where it was. How it is done, so that others can repeat it: docs/evaluation.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from PIL import Image

from engine.core.atomic_files import make_folder, write_bytes
from engine.core.errors import UserError, out_of_memory
from engine.core.image_files import open_picture
from engine.core.json_values import json_bytes
from engine.core.on_disk import is_file
from engine.core.png_metadata import read_creation, save_creation
from engine.core.prompt import to_text
from engine.core.recipe import Receipt, Recipe
from engine.core.vocabulary import ABSENT, Choice
from engine.models.distributed import ALONE, World, join_world
from engine.models.loader import Models
from engine.packs.pack import CODEBOOK, READER, Pack, Reference
from engine.rendering.batches import batch_size, smaller_batch
from engine.rendering.evaluation_plan import begin_evaluation
from engine.rendering.evaluation_report import ReportPicture, report_page
from engine.rendering.painter import Painter, open_painter
from engine.rendering.receipts import receipt_of
from engine.rendering.scores import Scorer
from engine.segmentation.dino import open_dino
from engine.worker.evaluated import Evaluated, Judgement, Scores
from engine.worker.jobs import Evaluate, Evaluating, Progress, Report

REPORT: Final = "report.json"
PAGE: Final = "report.html"
PICTURES: Final = "pictures"

REFERENCES: Final = "the pack's reference pictures"
"""What every pack has to set a ceiling by."""

_BATCH: Final = 8
_SHEET_COLUMNS: Final = 8
_APART: Final = 100_000
"""How far apart the seeds of pictures of different numbers of sources are."""


class Examiner(Protocol):
    """Somebody who says what pictures show; ``title`` names them for people."""

    title: str

    def receipts(self, pictures: Sequence[Image.Image], recipes: Sequence[Recipe]) -> list[Receipt]:
        """What became of each recipe's choices in its picture."""
        ...

    def ideals(self, recipes: Sequence[Recipe]) -> dict[str, list[Image.Image]]:
        """Pictures as good as they get for recipes, one each, by what they are; empty where none can be made."""
        ...


OpenExaminer = Callable[[Models, Pack], Examiner | None]
"""Opens an examiner for a pack; None where it knows nothing of it."""


class Eyes:
    """The pack's own receipts: by its reader, or else by its eyes and codebook."""

    def __init__(self, models: Models, pack: Pack) -> None:
        open_dino(models, pack.backbone)  # says what is missing, which a receipt does not
        self._models, self._pack = models, pack
        reads = is_file(pack.path / READER)
        self.title = "receipts, by the pack's reader" if reads else f"receipts, by the pack's eyes ({pack.backbone.id})"

    def receipts(self, pictures: Sequence[Image.Image], recipes: Sequence[Recipe]) -> list[Receipt]:
        """The receipts that the pictures would have as creations."""
        return [
            receipt_of(self._models, self._pack, picture, recipe)
            for picture, recipe in zip(pictures, recipes, strict=True)
        ]

    def ideals(self, recipes: Sequence[Recipe]) -> dict[str, list[Image.Image]]:
        """None."""
        return {}


@dataclass
class _Work:
    """An evaluation under way: recipes with their number of sources, and what each examiner saw of which."""

    pack: Pack
    recipes: list[Recipe]
    groups: list[int]
    examiners: list[Examiner]
    folder: Path
    seen: dict[int, list[Receipt]] = field(default_factory=dict)

    def file(self, index: int) -> Path:
        """Where a picture is kept."""
        number = self.groups[:index].count(self.groups[index])
        return self.folder / f"{self.groups[index]}-{number:05}.png"

    def told(self, result: Evaluated) -> Evaluating:
        """What is said of a result meanwhile."""
        pictures = tuple(str(self.file(index)) for index in sorted(self.seen))
        return Evaluating(result, pictures, str(self.folder.parent))


def evaluate(models: Models, job: Evaluate, report: Report, others: Sequence[OpenExaminer] = ()) -> Evaluated:
    """Render recipes that mix parts of some references each, and count what arrived.

    ``others`` open examiners that know some packs better than those packs' eyes do: their word counts first. The result
    is also kept in ``job.out`` as ``report.json`` and, for people, ``report.html``. The engine's handler of
    :class:`Evaluate`. Raises :class:`UserError`.
    """
    pack = Pack.open(job.pack)
    require_countable(pack)
    world = join_world()
    groups, recipes = _recipes(pack, job)
    out = world.from_first(lambda: begin_evaluation(models, pack, job, Path(job.out), groups, recipes))
    report(Progress("Getting ready", 0, 0))
    examiners = [one for opens in others if (one := opens(models, pack)) is not None]
    work = _Work(pack, recipes, groups, [*examiners, Eyes(models, pack)], make_folder(out / PICTURES, "the pictures"))
    scorer = Scorer(pack)
    _see_all(models, work, scorer, job, report, world)
    for one in world.gather(work.seen):
        work.seen |= one
    result = world.from_first(lambda: _judged(work, scorer, job, _ceilings(work, scorer, job, report)))
    if world.first:
        report(work.told(result))
        pictures = [_for_report(work, index) for index in range(len(recipes))]
        document = {"title": pack.title, **result.to_document(), "each": [one.document for one in pictures]}
        write_bytes(out / REPORT, json_bytes(document, indent=1), "the report")
        write_bytes(out / PAGE, report_page(pack, result, pictures).encode(), "the report")
    return result


def require_countable(pack: Pack) -> None:
    """See that what arrives in a pack's renders can be counted. Raises :class:`UserError`."""
    if not is_file(pack.path / CODEBOOK):
        raise UserError(
            f"The pack {pack.title} has no codebook, so what arrives in its pictures cannot be counted.",
            "Choose another pack.",
        )
    if not pack.codebook().tells_codes:
        raise UserError(
            f"The codes of the pack {pack.title} are classes that its codebook cannot tell apart, so what arrives in "
            "its pictures cannot be counted.",
            "Choose a pack whose codes were found in pictures.",
        )
    if not pack.trained:
        raise UserError(
            f"The pack {pack.title} has learned no tokens yet, so there is nothing to render.",
            f"Train it first: partcraft train {pack.path}",
        )


def _recipes(pack: Pack, job: Evaluate) -> tuple[list[int], list[Recipe]]:
    """Recipes with their numbers of sources, as many of each, in turns. Raises :class:`UserError`."""
    if job.count < 1 or not job.mixes or min(job.mixes) < 1:
        raise UserError("An evaluation needs at least one picture and one reference.", "Choose larger numbers.")
    able = max(1, min(len(pack.references), len(pack.vocabulary.visible_parts)))
    mixes = sorted({min(mix, able) for mix in job.mixes})
    of_mix = {mix: iter(mixed_recipes(pack, mix, -(-job.count // len(mixes)), job.seed + _APART * mix))
              for mix in mixes}  # fmt: skip
    groups = [mixes[index % len(mixes)] for index in range(job.count)]
    recipes = [next(of_mix[mix]) for mix in groups]
    return groups, [replace(recipe, steps=job.steps) for recipe in recipes] if job.steps else recipes


def _see_all(models: Models, work: _Work, scorer: Scorer, job: Evaluate, report: Report, world: World) -> None:
    """Look at this process's share of the pictures; those that are not there yet are rendered."""
    share = range(world.rank, len(work.recipes), world.size)
    missing: list[int] = []
    for index in share:
        report(Progress("Looking at what is there", index, len(work.recipes)))
        picture = _kept(work.file(index), work.recipes[index])
        if picture is None:
            missing.append(index)
        else:
            _examine(work, [index], [picture])
    if not missing:
        return
    painter = open_painter(models, work.pack)
    done = len(share) - len(missing)

    def rendered(place: int, picture: Image.Image) -> None:
        index = missing[place]
        recipe = work.recipes[index]
        _examine(work, [index], [picture])
        eyes = work.seen[index][-1]
        base = work.pack.base_model.id
        save_creation(picture, work.file(index), recipe, eyes, work.pack.vocabulary, base)

    def batch_rendered() -> None:
        if world.first:
            report(work.told(_judged(work, scorer, job, [])))

    _paint_all(models, painter, [work.recipes[index] for index in missing], report, rendered, batch_rendered, done=done)


def _paint_all(
    models: Models,
    painter: Painter,
    recipes: Sequence[Recipe],
    report: Report,
    rendered: Callable[[int, Image.Image], None],
    batch_rendered: Callable[[], None] = lambda: None,
    stage: str = "Rendering mixes",
    done: int = 0,
) -> None:
    """Render recipes of the same steps and guidance, one picture each, in batches. ``done`` pictures were there
    already: they count in what is told. Raises :class:`UserError`."""
    steps, guidance = recipes[0].steps, recipes[0].guidance
    total = (done + len(recipes)) * steps
    batch = batch_size(models, painter, 0, len(recipes), _BATCH)
    first = 0
    while first < len(recipes):
        some = recipes[first : first + batch]

        def step(index: int, _latents: object, first: int = first, count: int = len(some)) -> None:
            report(Progress(stage, (done + first) * steps + (index + 1) * count, total))

        report(Progress(stage, (done + first) * steps, total))
        try:
            pictures = painter.paint_each(
                [one.prompt for one in some], [one.seed for one in some], steps=steps, guidance=guidance, step=step
            )
        except Exception as error:
            if not out_of_memory(error):
                raise
            batch = smaller_batch(models, batch, painter.size, error)
            continue
        for offset, picture in enumerate(pictures):
            rendered(first + offset, picture)
        first += len(some)
        batch_rendered()


def _kept(path: Path, recipe: Recipe) -> Image.Image | None:
    """The picture of a recipe that was kept before; None where there is none, or one of another recipe."""
    if not is_file(path):
        return None
    try:
        return open_picture(path) if read_creation(path).recipe == Recipe.from_json(recipe.to_json()) else None
    except UserError:  # half a picture: it is rendered again
        return None


def _examine(work: _Work, indices: Sequence[int], pictures: Sequence[Image.Image]) -> None:
    recipes = [work.recipes[index] for index in indices]
    verdicts = [examiner.receipts(pictures, recipes) for examiner in work.examiners]
    work.seen |= {index: [receipts[place] for receipts in verdicts] for place, index in enumerate(indices)}


def _judged(work: _Work, scorer: Scorer, job: Evaluate, ceilings: Sequence[dict[str, Scores]]) -> Evaluated:
    """What was seen so far, as figures."""
    seen = sorted(work.seen)
    groups = [work.groups[index] for index in seen]
    judgements = []
    for number, examiner in enumerate(work.examiners):
        receipts = [work.seen[index][number] for index in seen]
        sources = {
            mix: scorer.scores([one for one, group in zip(receipts, groups, strict=True) if group == mix])
            for mix in sorted(set(groups))
        }
        found = ceilings[number] if ceilings else {}
        judgements.append(Judgement(examiner.title, scorer.scores(receipts, groups), sources, found))
    first = work.recipes[0]
    return Evaluated(
        work.pack.id, tuple(sorted(set(work.groups))), len(seen), job.seed, tuple(judgements), first.steps,
        first.guidance, len(work.recipes),
    )  # fmt: skip


def _ceilings(work: _Work, scorer: Scorer, job: Evaluate, report: Report) -> list[dict[str, Scores]]:
    """For each examiner, what it sees in pictures as good as they get."""
    references = [one for one in work.pack.references if any(code != ABSENT for code in one.codes)]
    if len(references) > job.count:
        rows = np.random.default_rng(job.seed).choice(len(references), job.count, replace=False)
        references = [references[row] for row in sorted(rows)]
    sets = [(REFERENCES, [_own_recipe(work.pack, one) for one in references], _opened(references))]
    for examiner in work.examiners:
        sets += [(name, work.recipes, iter(ideal)) for name, ideal in examiner.ideals(work.recipes).items()]
    told: list[dict[str, Scores]] = [{} for _ in work.examiners]
    for name, recipes, pictures in sets:
        receipts: list[list[Receipt]] = [[] for _ in work.examiners]
        for index, (recipe, picture) in enumerate(zip(recipes, pictures, strict=True)):
            report(Progress(f"Looking at {name}", index, len(recipes)))
            for examiner, own in zip(work.examiners, receipts, strict=True):
                own += examiner.receipts([picture], [recipe])
        for scores, own in zip(told, receipts, strict=True):
            scores[name] = scorer.scores(own)
    return told


def _opened(references: Sequence[Reference]) -> Iterator[Image.Image]:
    for reference in references:
        yield open_picture(reference.image)


def _own_recipe(pack: Pack, reference: Reference) -> Recipe:
    """A recipe of all that a reference shows."""
    noun = pack.vocabulary.noun
    recipe = replace(pack.new_recipe((f"a photo of a {noun}",)), rest="")
    for part in pack.vocabulary.visible_parts:
        if reference.codes[part.index] != ABSENT:
            recipe = recipe.with_choice(Choice(part.index, reference.codes[part.index], source=reference.id), noun)
    return recipe


def _for_report(work: _Work, index: int) -> ReportPicture:
    verdicts = tuple(
        (examiner.title, receipt) for examiner, receipt in zip(work.examiners, work.seen[index], strict=True)
    )
    recipe, vocabulary = work.recipes[index], work.pack.vocabulary
    return ReportPicture(
        work.file(index), work.groups[index], recipe.seed, to_text(recipe.prompt, vocabulary), verdicts, vocabulary
    )


def receipts_of(
    models: Models,
    pack: Pack,
    painter: Painter,
    recipes: Sequence[Recipe],
    report: Report,
    stage: str = "Rendering mixes",
    world: World = ALONE,
) -> tuple[list[Receipt], list[Image.Image]]:
    """Render recipes of the same steps and guidance, one picture each: their receipts, and the pictures.

    Of several processes each renders its share; all get everything. Raises :class:`UserError`.
    """
    rendered: list[tuple[int, Receipt, Image.Image]] = []
    share = range(world.rank, len(recipes), world.size)

    def keep(place: int, picture: Image.Image) -> None:
        index = share[place]
        rendered.append((index, receipt_of(models, pack, picture, recipes[index]), picture))

    if share:
        _paint_all(models, painter, [recipes[index] for index in share], report, keep, stage=stage)
    gathered = sorted(
        (result for results in world.gather(rendered) for result in results), key=lambda result: result[0]
    )
    return [receipt for _, receipt, _ in gathered], [picture for _, _, picture in gathered]


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
        # What no source shows is not painted from others.
        recipe = replace(pack.new_recipe((f"a photo of a {noun}",), seed + index), rest="")
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


def contact_sheet(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures of one size in rows of eight."""
    width, height = pictures[0].size
    columns = min(_SHEET_COLUMNS, len(pictures))
    sheet = Image.new("RGB", (columns * width, -(-len(pictures) // columns) * height), "white")
    for index, picture in enumerate(pictures):
        sheet.paste(picture, (index % columns * width, index // columns * height))
    return sheet
