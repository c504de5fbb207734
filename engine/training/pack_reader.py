"""The end of a training: a reader for the pack, from the pictures that it learned from, so that its receipts can be
trusted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from engine.core.errors import UserError
from engine.core.on_disk import is_file, is_folder
from engine.core.paths import starter_pack
from engine.models.loader import Models
from engine.models.part_reader import PartReader
from engine.models.vae import rebuild_pictures
from engine.packs.pack import READER, Pack
from engine.runs.plan import Plan
from engine.segmentation.reader_examples import LabelledPictures, labelled_pictures
from engine.segmentation.reader_extending import extend_reader
from engine.segmentation.reader_fitting import ReaderPlan, ReaderScores, Rebuild, make_reader
from engine.training.examples import segmented_pictures
from engine.training.token_init import extended_pack
from engine.worker.jobs import Progress, Report

STAGE: Final = "Learning to read parts"
READER_METRICS: Final = "reader"
"""The key of a pack's ``metrics`` under which the reader's scores are."""
STEPS: Final = 240
EXAMPLES: Final = 600
"""At most: half of them go through the autoencoder, which takes a quarter of a second each for 256 pixels."""
STEPS_BESIDE, EXAMPLES_BESIDE, RATE_BESIDE = 800, 2400, 1e-2
"""Likewise of a reader that keeps what another knows: a step takes a third of the time, and pictures go through the
autoencoder instead of examples."""
LEAST_KAPPA: Final = 0.5
"""A reader that agrees less with the truth, on pictures of the pack that it has not seen, is not kept."""
_SLOW: Final = 256
"""Autoencoders of pictures of more pixels a side take seconds a picture on a CPU, and at the reader's size their blur
is not seen."""


def write_reader(models: Models, pack: Pack, draft: Pack, plan: Plan, trained: int, report: Report) -> Pack:
    """Make a reader for a pack that was ``trained`` for some steps, of the pictures it learned from (its references,
    where they are not here any more), and keep it in the pack if it has learned to read; the pack, with the reader's
    scores among its metrics.

    ``draft`` is the pack that it was trained from, which says what it extends: the answers of that pack's reader stay
    as they are, and the new codes are learned beside them. Where that one has none, the reader begins with the
    starter's. Raises :class:`UserError`.
    """
    (pack.path / READER).unlink(missing_ok=True)
    metrics = {key: value for key, value in pack.metrics.items() if key != READER_METRICS}
    folder = plan.pictures if is_folder(plan.pictures) else ""
    if (folder or pack.references) and pack.codebook().tells_codes:
        extended = _extended(draft)
        source = labelled_pictures(segmented_pictures(models, draft if extended else pack, folder, report))
        reader, scores = _made(
            source, pack, extended, trained, plan.seed, _rebuild(models, pack, plan),
            lambda done, total: report(Progress(STAGE, done, total)),
        )  # fmt: skip
        if scores.kappa >= LEAST_KAPPA:
            reader.save(pack.path / READER)
            metrics[READER_METRICS] = scores.to_metrics()
    pack = replace(pack, metrics=metrics)
    pack.save()
    return pack


def _made(
    source: LabelledPictures,
    pack: Pack,
    extended: Pack | None,
    trained: int,
    seed: int,
    rebuild: Rebuild | None,
    report: Callable[[int, int], None],
) -> tuple[PartReader, ReaderScores]:
    """The reader of a pack and its scores. Who trains for a minute does not wait another one for receipts."""
    codes, known = pack.vocabulary.codes_per_part, whole_reader(extended.path) if extended else None
    if known is not None and codes > known.codes:
        steps = min(STEPS_BESIDE, 3 * trained)
        plan = ReaderPlan(min(EXAMPLES_BESIDE, 8 * steps), steps, rate=RATE_BESIDE, seed=seed)
        return extend_reader(known, source, codes, plan, rebuild, report)
    steps = min(STEPS, trained)
    plan = ReaderPlan(examples=min(EXAMPLES, 8 * steps), steps=steps, seed=seed)
    return make_reader(source, codes, plan, rebuild, known or whole_reader(starter_pack()), report)


def whole_reader(folder: Path | None) -> PartReader | None:
    """The reader of the pack in a folder; None where there is none, or it is damaged."""
    if folder is None or not is_file(folder / READER):
        return None
    try:
        vocabulary = Pack.open(folder).vocabulary
        return PartReader.load(folder / READER, len(vocabulary.parts), vocabulary.codes_per_part)
    except UserError:  # a damaged one is nothing to begin with
        return None


def _extended(draft: Pack) -> Pack | None:
    """The pack that a draft extends; None where it extends none, or that is gone or another by now."""
    try:
        return extended_pack(draft)
    except UserError:
        return None


def _rebuild(models: Models, pack: Pack, plan: Plan) -> Rebuild | None:
    """How the base model's autoencoder gives pictures back; None where that would take long and not be seen."""
    pipeline: Any = models.pipeline_of(pack)
    size = plan.size or int(pipeline.unet.config.sample_size * pipeline.vae_scale_factor)
    if models.device.type == "cpu" and size > _SLOW:
        return None
    return lambda pictures: rebuild_pictures(pipeline.vae, pictures, size)
