"""The table of handlers: which function does which job. Imported inside a host, never by the window."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

import torch

from engine.core.on_disk import is_file
from engine.exchange.import_checkpoint import import_checkpoint
from engine.exchange.other_programs import export_pack
from engine.exchange.single_file_checkpoint import unpack_checkpoint
from engine.models.get_eyes import get_eyes
from engine.models.loader import Models
from engine.packs.pack import TOKENS, Pack
from engine.rendering.evaluation import Examiner, evaluate
from engine.rendering.painter import open_painter
from engine.rendering.preview import open_preview
from engine.rendering.receipts import examine
from engine.rendering.reference_painting import paint_reference
from engine.rendering.render import render
from engine.rendering.sketch import sketch
from engine.segmentation.dino import open_dino
from engine.segmentation.discover import discover
from engine.segmentation.find_parts import find_parts
from engine.segmentation.image_folder import survey
from engine.segmentation.segment import segment
from engine.training.step_cost import measure
from engine.training.train import train
from engine.worker.collage_jobs import Examine, Sketch
from engine.worker.evaluated import Evaluated
from engine.worker.jobs import (
    Discover,
    Evaluate,
    ExportPack,
    FindParts,
    GetEyes,
    ImportCheckpoint,
    Measure,
    PaintReference,
    Prepare,
    Progress,
    Render,
    Report,
    Segment,
    Survey,
    Train,
    UnpackCheckpoint,
)


def prepare(models: Models, job: Prepare, report: Report) -> None:
    """Load what a pack needs, so that the next job starts at once. Raises :class:`UserError`."""
    pack = Pack.open(job.pack)
    report(Progress("Loading the eyes", 0, 2))
    open_dino(models, pack.backbone)
    report(Progress("Loading the base model", 1, 2))
    if is_file(pack.path / TOKENS):
        open_preview(models, pack, open_painter(models, pack))
    report(Progress("Ready", 2, 2))


def evaluate_pack(models: Models, job: Evaluate, report: Report) -> Evaluated:
    """:func:`engine.rendering.evaluation.evaluate`, with the starter's judge where that can be asked. Raises
    :class:`UserError`."""
    return evaluate(models, job, report, [_starter_judge])


def _starter_judge(models: Models, pack: Pack) -> Examiner | None:
    try:
        from engine.aviary.starter_judge import open_starter_judge
    except ImportError:  # bundles have no aviary, and what draws it is installed only to build it
        return None
    return open_starter_judge(models, pack)


HANDLERS: Final[dict[type, Callable[[Models, Any, Report], Any]]] = {
    Prepare: prepare,
    Segment: segment,
    Render: render,
    Examine: examine,
    Sketch: sketch,
    Survey: survey,
    FindParts: find_parts,
    Discover: discover,
    Measure: measure,
    Train: train,
    Evaluate: evaluate_pack,
    GetEyes: get_eyes,
    UnpackCheckpoint: unpack_checkpoint,
    ImportCheckpoint: import_checkpoint,
    PaintReference: paint_reference,
    ExportPack: export_pack,
}


def open_models(spare_core: bool = False) -> Models:
    """The models of a host. ``spare_core`` leaves one core to the window, which keeps it smooth; processes of one
    launch share the cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = cores - 1 if spare_core else cores
    torch.set_num_threads(max(1, cores // max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))))
    return Models()
