"""The job PaintReference: a pack without pictures paints its own, one a code, and cuts them into their parts.

Where a part is in its picture is known twice. While the picture forms, the UNet looks for each part's token at the
part's place: that was taught with the tokens (PartCraft's attention loss). From these places, in all pictures painted
so far, the eyes learn what a part looks like, unless the pack came with a codebook; and they cut the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from engine.core.errors import UserError
from engine.core.image_files import open_picture, read_label_map
from engine.core.on_disk import is_file
from engine.core.recipe import Prompt
from engine.core.segmentation import NO_PART, Segmentation
from engine.core.vocabulary import ABSENT, Choice, Vocabulary
from engine.models.attention_capture import AttentionCapture, part_attention
from engine.models.cross_attention import RECORDED_GRID, best_grid
from engine.models.loader import Models
from engine.models.text_encoding import tokenize_prompt
from engine.packs.codebook import Codebook
from engine.packs.own_looks import LOOKS, OwnLooks
from engine.packs.pack import CODEBOOK, Pack, Reference
from engine.packs.stand_ins import PAINTED, code_of, codes_to_paint, is_stand_in, reference_id
from engine.rendering.painter import Painter, fitting_size, open_painter
from engine.rendering.preview import open_preview
from engine.segmentation.dino import Dino, open_dino
from engine.segmentation.mask_refinement import refine_labels, segment_picture
from engine.segmentation.reference_files import (
    cut_around,
    make_reference_folders,
    write_code_picture,
    write_picture,
    write_reference,
)
from engine.worker.jobs import PaintReference, Preview, Progress, Report

_PREVIEWS: Final = 8

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Places:
    """Where parts are by attention: beliefs (L, h, w), a distribution over ``labels`` a cell."""

    beliefs: Floats
    labels: tuple[int, ...]

    def on(self, picture: Image.Image, among: Sequence[int] = ()) -> Labels:
        """The label of each pixel, with edges that follow the picture; ``among`` some labels only."""
        rows = [row for row, label in enumerate(self.labels) if not among or label in among]
        labels = np.array([self.labels[row] for row in rows], np.uint8)
        beliefs = self.beliefs[rows] / self.beliefs[rows].sum(axis=0)
        return labels[refine_labels(beliefs, np.asarray(picture))]


def paint_reference(models: Models, job: PaintReference, report: Report) -> str:
    """Paint one code's picture and put it in the place of its stand-in. The engine's handler of
    :class:`PaintReference`; one that is painted already is left alone. Raises :class:`UserError`."""
    pack = Pack.open(job.pack)
    id = reference_id(pack, job.code)
    before = pack.reference(id)
    if before is None or not is_stand_in(before):
        return job.pack
    report(Progress("Getting ready", 0, 0))
    learns = pack.blind or is_file(pack.path / LOOKS)
    picture, places = _paint(models, pack, job.code, report)
    report(Progress("Finding its parts", 0, 0))
    make_reference_folders(pack.path)
    dino = open_dino(models, pack.backbone) if models.has(pack.backbone.id) else None
    labels = places.on(picture)
    if dino is not None:
        (features,) = dino.features([picture])
        codebook = pack.codebook() if not learns else _learn(dino, pack, (id, features, labels))
        if codebook is not None:
            labels = segment_picture(codebook, features, np.asarray(picture)).labels
    found = Segmentation(labels, _codes(pack.vocabulary, labels, job.code))
    if max(found.codes) == ABSENT:  # a picture without any part would be of no use
        labels = places.on(picture, [part.index for part in pack.vocabulary.visible_parts])
        found = Segmentation(labels, _codes(pack.vocabulary, labels, job.code))
    painted = write_reference(pack, id, before.title, picture, found, ".jpg", f"{PAINTED}{id}")
    _write_cuts(pack, picture, found)
    _put(pack.path, [painted])
    if learns and dino is not None and not codes_to_paint(Pack.open(pack.path)):
        _cut_again(dino, Pack.open(pack.path), report)
    return job.pack


def whole_prompt(vocabulary: Vocabulary, code: int) -> Prompt:
    """A photo of one code with all its parts, its background too: as such a thing was learned."""
    pieces: list[str | Choice] = ["a photo of a "]
    for part in vocabulary.parts:
        pieces += [Choice(part.index, code), " "]
    return (*pieces, vocabulary.noun)


def _paint(models: Models, pack: Pack, code: int, report: Report) -> tuple[Image.Image, _Places]:
    painter = open_painter(models, pack)
    if painter.tokens is None:
        raise UserError(f"“{pack.title}” has not learned to paint.", "Train it first.")
    look = open_preview(models, pack, painter)
    recipe = pack.new_recipe(whole_prompt(pack.vocabulary, code), seed=code)
    every = -(-recipe.steps // _PREVIEWS)
    unet = painter.pipeline.unet
    side = fitting_size(painter.size, painter.pipeline.vae_scale_factor) // painter.pipeline.vae_scale_factor
    grid = best_grid(unet, side, RECORDED_GRID)
    seen: list[Tensor] = []

    with torch.no_grad(), AttentionCapture(unet, grid) as capture:

        def step(index: int, latents: Tensor) -> None:
            seen.append(capture.take()[-1:].cpu())  # the last of a batch is the prompt, before it the negative one
            report(Progress("Painting", index + 1, recipe.steps))
            if index % every == every - 1 and index + 1 < recipe.steps:
                report(Preview(0, look(latents[0])))

        (picture,) = painter.paint(
            recipe.prompt, (), [recipe.seed], steps=recipe.steps, guidance=recipe.guidance, step=step
        )
    return picture.convert("RGB"), _places(painter, pack.vocabulary, recipe.prompt, torch.stack(seen).mean(dim=0))


def _places(painter: Painter, vocabulary: Vocabulary, prompt: Prompt, attention: Tensor) -> _Places:
    """Attention (1, h, w, T) as beliefs. A background that was asked for says itself where it is; without one, it is
    where nothing but the start of the sentence is looked at."""
    pipeline = painter.pipeline
    sentence = tokenize_prompt(prompt, pipeline.tokenizer, pipeline.text_encoder.config.max_position_embeddings)
    columns = torch.tensor([[sentence.column_of(part.index) for part in vocabulary.parts]])
    has_ground = any(part.background for part in vocabulary.parts)
    share = part_attention(attention.float(), columns, "parts" if has_ground else "start")[0].nan_to_num()
    labels = tuple(part.index for part in vocabulary.parts)
    if not has_ground:
        share, labels = torch.cat([share, (1 - share.sum(dim=0, keepdim=True)).clamp(min=0)]), (*labels, NO_PART)
    return _Places(share.clamp(1e-4, 1.0).numpy().astype(np.float32), labels)


def _codes(vocabulary: Vocabulary, labels: Labels, code: int) -> tuple[int, ...]:
    there = set(np.unique(labels).tolist())
    return tuple(code if part.index in there and not part.background else ABSENT for part in vocabulary.parts)


def _learn(dino: Dino, pack: Pack, fresh: tuple[str, Floats, Labels]) -> Codebook | None:
    """Add to the pack's looks what they lack, the fresh picture and others that were painted without eyes; the codebook
    that they make, in its place in the pack's folder."""
    id, features, labels = fresh
    looks = OwnLooks.load(pack.path, len(pack.vocabulary.parts), len(features))
    ground = next((part.index for part in pack.vocabulary.parts if part.background), None)
    for reference in pack.references:
        if reference.id not in looks.ids and not is_stand_in(reference):
            (others,) = dino.features([open_picture(reference.image)])
            grid = _on_grid(read_label_map(reference.labels), others.shape[1:])
            looks = looks.with_picture(reference.id, others, grid, ground)
    looks = looks.with_picture(id, features, _on_grid(labels, features.shape[1:]), ground)
    codebook = looks.codebook(pack.vocabulary)
    looks.save(pack.path)
    if codebook is not None:
        codebook.save(pack.path / CODEBOOK)
    return codebook


def _on_grid(labels: Labels, grid: tuple[int, ...]) -> Labels:
    """The label that most pixels of a cell have: (H, W) to (h, w)."""
    kinds = np.unique(labels)
    stacked = torch.from_numpy(np.stack([labels == kind for kind in kinds]).astype(np.float32))
    return kinds[F.adaptive_avg_pool2d(stacked, (grid[0], grid[1])).argmax(dim=0).numpy()].astype(np.uint8)


def _put(folder: Path, painted: Sequence[Reference]) -> None:
    """Put references in the place of those with their ids. What else was changed meanwhile stays."""
    pack = Pack.open(folder)
    new = {reference.id: reference for reference in painted}
    references = tuple(new.get(reference.id, reference) for reference in pack.references)
    replace(pack, references=references, blind=pack.blind and not is_file(folder / CODEBOOK)).save()


def _write_cuts(pack: Pack, picture: Image.Image, found: Segmentation) -> None:
    for part, code in enumerate(found.codes):
        if code != ABSENT:
            write_code_picture(pack, part, code, cut_around(picture, found.mask(part)))


def _cut_again(dino: Dino, pack: Pack, report: Report) -> None:
    """Cut all pictures by what was learned from all of them: the first were cut by what a few had taught."""
    if pack.blind:
        return
    codebook, again = pack.codebook(), []
    painted = [reference for reference in pack.references if Path(reference.image).name.startswith(PAINTED)]
    for done, reference in enumerate(painted):
        report(Progress("Cutting all pictures once more", done, len(painted)))
        picture = open_picture(reference.image)
        (features,) = dino.features([picture])
        labels = segment_picture(codebook, features, np.asarray(picture)).labels
        found = Segmentation(labels, _codes(pack.vocabulary, labels, code_of(reference)))
        file = pack.path / "labels" / f"cut-{reference.id}.png"  # another name: who has the one before keeps it
        write_picture(file, Image.fromarray(labels))
        if max(found.codes) != ABSENT:
            _write_cuts(pack, picture, found)
            again.append(replace(reference, labels=str(file), codes=found.codes))
    _put(pack.path, again)
