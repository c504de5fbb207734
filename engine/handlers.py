"""The table of handlers: which function does which job. Imported inside a host, never by the window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from engine.models.loader import Models
from engine.models.loader import open_models as open_models
from engine.packs.pack import TOKENS, Pack
from engine.rendering.evaluation import evaluate
from engine.rendering.render import open_painter, open_preview, render
from engine.segmentation.dino import open_dino
from engine.segmentation.discover import discover, find_parts, segment
from engine.segmentation.image_folder import survey
from engine.training.step_cost import measure
from engine.training.train import train
from engine.worker.dispatch import Report
from engine.worker.jobs import Discover, Evaluate, FindParts, Measure, Prepare, Progress, Render, Segment, Survey, Train


def prepare(models: Models, job: Prepare, report: Report) -> None:
    """Load what a pack needs, so that the next job starts at once. Raises :class:`UserError`."""
    pack = Pack.open(job.pack)
    report(Progress("Loading the eyes", 0, 2))
    open_dino(models, pack.backbone)
    report(Progress("Loading the base model", 1, 2))
    if (pack.path / TOKENS).is_file():
        open_preview(models, pack, open_painter(models, pack))
    report(Progress("Ready", 2, 2))


HANDLERS: Final[dict[type, Callable[[Models, Any, Report], Any]]] = {
    Prepare: prepare,
    Segment: segment,
    Render: render,
    Survey: survey,
    FindParts: find_parts,
    Discover: discover,
    Measure: measure,
    Train: train,
    Evaluate: evaluate,
}
