"""Discovery: the parts of a picture, the parts of a folder's pictures, and a new vocabulary found in a folder.

:func:`find_parts` and :func:`discover` go the same way, so what was shown is what the pack gets.
"""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import torch.distributed as dist

from engine.core.errors import UserError
from engine.core.on_disk import resolved
from engine.core.vocabulary import Vocabulary
from engine.models.loader import Models
from engine.packs.pack import BaseModel, Pack
from engine.segmentation.codebook_fitting import fit_codes, kinds_in
from engine.segmentation.corrections import save_corrections
from engine.segmentation.draft_pack import copy_references, draft_folder, require_place_for_draft, write_draft
from engine.segmentation.find_parts import (
    corrected_pictures,
    corrected_view,
    names_for,
    note_on,
    parts_of,
    suggested_count,
)
from engine.segmentation.part_names import code_names, joined_names, make_parts
from engine.worker.jobs import Discover, Progress, Report


def discover(models: Models, job: Discover, report: Report) -> str:
    """Find parts and codes in a folder and write them as a draft pack: references and all, but no tokens.

    Pictures in two or more subfolders, or named by a ``labels.csv``, are sorted by kind: a code is then a kind.
    Started by a launcher of several processes, each looks at a share of the pictures and the first writes the pack.
    The engine's handler of :class:`Discover`. Raises :class:`UserError`.
    """
    if job.parts < 0 or job.codes < 1:
        raise UserError("A vocabulary needs at least one part and one code.", "Choose larger numbers.")
    out = resolved(job.out)
    require_place_for_draft(out)  # said now, not after minutes
    _join_launch()
    view = corrected_view(models, job, report)
    if dist.is_initialized() and dist.get_rank():
        return str(out)
    report(Progress("Finding parts", 0, 0))
    suggested, reason = (0, "") if view.known else suggested_count(view, job.seed, report)
    count = job.parts or suggested
    parts = parts_of(models, view, count, job.merged, job.dropped, job.seed)
    pictures = view.found
    if job.codes_from == "clusters" or not kinds_in(pictures):
        pictures = replace(pictures, classes=())
    background = parts.background if len(job.background) != len(parts.background) else tuple(job.background)
    if all(background):
        raise UserError("Every part was given to the background.", "Keep at least one part.")
    total = len(pictures.files)
    corrected = corrected_pictures(view, parts)
    clusters = fit_codes(
        pictures, view.split, parts, min(job.codes, total), background, job.seed,
        lambda index: report(Progress("Finding codes", index, total)), corrected.grid,
    )  # fmt: skip
    if view.known:
        named = view.known.vocabulary.parts
    else:
        names = list(job.part_names)
        names += names_for(view, parts)[len(names) :]
        named = make_parts(names[: len(background)], background, list(job.colours))
    # Names of codes come from what the pictures are called, also where the codes are clusters.
    labels = tuple(tuple(row) for row in code_names(named, clusters, pictures.files, view.found.classes))
    book = clusters.codebook
    first = 0
    if view.known:
        old = view.known.codebook()
        first = old.codes.shape[1]
        book = replace(book, codes=np.concatenate([old.codes, book.codes], axis=1))
        rows = view.known.vocabulary.code_names or ((),) * len(named)
        new = book.codes.shape[1] - first
        labels = tuple(tuple(joined_names(row, first, more, new)) for row, more in zip(rows, labels, strict=True))
    try:
        vocabulary = Vocabulary(job.noun, named, book.codes.shape[1], labels if any(labels) else ())
    except ValueError as error:
        raise UserError(f"The parts cannot be named so: {error}.", "Give each part a name of its own.") from error

    def cutting(done: int, total: int) -> None:
        report(Progress("Cutting references into parts", done, total))

    with draft_folder(out) as beside:
        base = job.base_model or (view.known.base_model.id if view.known else "starter/base")
        pack = Pack(
            path=beside,
            id=out.name,
            title=job.title or out.name,
            vocabulary=vocabulary,
            backbone=view.backbone,
            base_model=BaseModel(base),
            references=copy_references(view.known, beside) if view.known else (),
            provenance=f"Found in {total} pictures",
            metrics={
                **clusters.metrics,
                "suggested": suggested,
                "reason": reason,
                **({"eyes": view.eyes.reason} if view.eyes and not view.eyes.missing else {}),
                "note": note_on(models, view, parts, count),
            },
            kinds={kind: first + code for code, kind in enumerate(clusters.kinds)},
            extends=str(view.known.path) if view.known else "",
        )
        save_corrections(beside, job.left_out, corrected)
        write_draft(pack, book, clusters, pictures, job.references, cutting, first, corrected)
    return str(out)


def _join_launch() -> None:
    """Join the other processes where a launcher started several; on the processor, for only words are exchanged."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and dist.is_available() and not dist.is_initialized():
        dist.init_process_group("gloo")
