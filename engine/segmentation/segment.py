"""The job Segment: the parts of one picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.core.image_files import note_on, open_picture
from engine.core.segmentation import NO_PART
from engine.core.vocabulary import ABSENT
from engine.models.dinov2_wheel import EYES
from engine.models.loader import Models
from engine.packs.pack import Pack
from engine.segmentation.choose_eyes import can_see
from engine.segmentation.dino import open_dino
from engine.segmentation.mask_refinement import segment_picture
from engine.worker.jobs import Progress, Report, Segment, Segmented


def segment(models: Models, job: Segment, report: Report) -> Segmented:
    """Find the parts of one picture; none in one that the pack's eyes cannot see, unless they shall be shown anyway.
    The engine's handler of :class:`Segment`. Raises :class:`UserError`."""
    pack = Pack.open(job.pack)
    codebook = pack.codebook()
    picture = open_picture(job.image)
    report(Progress("Looking", 0, 0))
    (features,) = open_dino(models, pack.backbone).features([picture])
    segmentation = segment_picture(codebook, features, np.asarray(picture))
    if can_see(models, pack.backbone, picture):
        return Segmented(job.image, segmentation, note_on(picture))
    if job.anyway:
        note = f"The eyes of “{pack.title}” know other drawings; a pack made with {EYES} sees this picture."
        return Segmented(job.image, segmentation, note)
    nothing = replace(
        segmentation,
        labels=np.full_like(segmentation.labels, NO_PART),
        codes=(ABSENT,) * len(segmentation.codes),
    )
    note = f"“{pack.title}” knows other drawings, and would cut this picture into wrong parts."
    return Segmented(job.image, nothing, note, unseen=True)
