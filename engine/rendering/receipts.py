"""The receipt of one picture: which of the chosen parts arrived, and whether they are where they were put."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.core.on_disk import is_file, status_of
from engine.core.recipe import Arrival, Receipt, Recipe
from engine.core.vocabulary import ABSENT
from engine.models.loader import Models
from engine.models.part_reader import PartReader
from engine.packs.pack import CODEBOOK, READER, Pack
from engine.rendering.collages import Labels, open_collage, picture_of, placed_labels
from engine.segmentation.dino import open_dino
from engine.segmentation.mask_refinement import segment_picture
from engine.worker.collage_jobs import Examine, Examined
from engine.worker.jobs import Progress, Report


def examine(models: Models, job: Examine, report: Report) -> Examined:
    """What a recipe's collage shows. The engine's handler of :class:`Examine`. Raises :class:`UserError`."""
    pack = Pack.open(job.pack)
    report(Progress("Looking", 0, 0))
    return Examined(job.recipe, collage_receipt(models, pack, job.recipe))


def collage_receipt(models: Models, pack: Pack, recipe: Recipe) -> Receipt:
    """The receipt of a recipe's collage, with each part's place; empty as :func:`receipt_of`. Raises
    :class:`UserError` as that and :func:`open_collage`."""
    collage = open_collage(models, pack, recipe)
    return receipt_of(models, pack, picture_of(collage), recipe, placed_labels(collage)[0])


def receipt_of(models: Models, pack: Pack, picture: Image.Image, recipe: Recipe, put: Labels | None = None) -> Receipt:
    """What became of each choice of a recipe in its picture: as the pack's reader says, or else its eyes and codebook.

    ``put`` uint8 (H, W), of the picture's size, says where each part was put; then the receipt says whether it is
    there. Empty without choices, and where the pack has no codebook or its eyes are not on this computer: a picture
    is worth keeping without a receipt. Raises :class:`UserError` when they are there but do not fit together.
    """
    if not recipe.choices or not is_file(pack.path / CODEBOOK) or not models.has(pack.backbone.id):
        return ()
    (features,) = open_dino(models, pack.backbone).features([picture])
    codebook = pack.codebook()
    receipt = codebook.receipt(features, recipe.choices)
    reader = open_reader(models, pack)
    if reader is not None and receipt:
        receipt = read_receipt(reader, picture, receipt)
    if put is None:
        return receipt
    found = segment_picture(codebook, features, np.asarray(picture.convert("RGB"))).labels
    return tuple(replace(arrival, where=overlap(put == arrival.part, found == arrival.part)) for arrival in receipt)


@dataclass(frozen=True)
class _ReaderKey:
    path: Path
    changed_ns: int


def open_reader(models: Models, pack: Pack) -> PartReader | None:
    """A pack's reader, kept with the models; None for a pack without one. Raises :class:`UserError` if it is damaged or
    another pack's."""
    path, vocabulary = pack.path / READER, pack.vocabulary
    written = status_of(path) if is_file(path) else None
    if written is None:
        return None
    return models.cache.get(
        _ReaderKey(path, written.st_mtime_ns),
        lambda: PartReader.load(path, len(vocabulary.parts), vocabulary.codes_per_part),
        2 * written.st_size,
    )


def read_receipt(reader: PartReader, picture: Image.Image, receipt: Receipt) -> Receipt:
    """A receipt with what a reader says of each choice in place of what the eyes found."""
    (chances,) = reader.read([picture])
    return tuple(_read(arrival, chances[arrival.part], reader) for arrival in receipt)


def _read(arrival: Arrival, chances: npt.NDArray[np.float32], reader: PartReader) -> Arrival:
    """One choice, of whose part the reader holds each code, and none, for so likely (K + 1,)."""
    likelihood, best = float(chances[arrival.code]), int(chances.argmax())
    if likelihood >= float(reader.arrived[arrival.part, arrival.code]):
        return replace(arrival, found=arrival.code, likelihood=likelihood)
    if likelihood > float(reader.missing[arrival.part, arrival.code]):
        return replace(arrival, found=_code(best, reader), likelihood=likelihood, unsure=True)
    found = _code(best, reader)
    return replace(arrival, found=ABSENT if found == arrival.code else found, likelihood=likelihood)


def _code(best: int, reader: PartReader) -> int:
    return ABSENT if best == reader.codes else best


def overlap(put: npt.NDArray[np.bool_], found: npt.NDArray[np.bool_]) -> float | None:
    """Intersection over union of two masks of one size; None where nothing was put."""
    return float((put & found).sum() / (put | found).sum()) if put.any() else None
