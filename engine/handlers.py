"""The table of handlers: which function does which job. Imported inside a host, never by the window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from engine.discovery import discover, find_parts, open_dino, segment
from engine.evaluation import evaluate
from engine.folder import survey
from engine.hosts import Report
from engine.jobs import Discover, Evaluate, FindParts, Measure, Prepare, Progress, Render, Segment, Survey, Train
from engine.measuring import measure
from engine.models import Models
from engine.models import open_models as open_models
from engine.packs import TOKENS, Pack
from engine.rendering import open_painter, open_preview, render
from engine.training import train


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
