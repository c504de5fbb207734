"""What training learns from: latents, part masks and codes of pictures, and the sentences that say them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.core.atomic_files import plain_file, write_whole
from engine.core.errors import UserError
from engine.core.image_files import open_picture, read_label_map
from engine.core.segmentation import Segmentation
from engine.core.vocabulary import ABSENT
from engine.models.loader import Models
from engine.models.vae import encode_pictures, to_tensor
from engine.packs.pack import Pack
from engine.packs.stand_ins import pictures_of
from engine.segmentation.corrections import CorrectedPictures, read_corrections, strokes_by_picture
from engine.segmentation.dino import open_dino
from engine.segmentation.feature_cache import compute_features
from engine.segmentation.image_folder import read_image_folder, without
from engine.training.token_init import extended_pack
from engine.worker.jobs import Progress, Report

_SEEN = 0.5
"""A part is visible in a view when its mask adds up to this many cells of the grid."""
_ENCODED_AT_ONCE = 8


@dataclass(frozen=True)
class Examples:
    """N pictures in V views each (plain, mirrored, cropped).

    ``latents`` float (N, V, C, h, w); ``masks`` uint8 (N, V, M, grid, grid), 255 where a cell is wholly the part;
    ``codes`` int64 (N, V, M), ``ABSENT`` where the view does not show the part.
    """

    latents: Tensor
    masks: Tensor
    codes: Tensor

    def __len__(self) -> int:
        return len(self.latents)

    def save(self, path: Path, made_of: str = "") -> None:
        """Keep them beside the run, so that going on needs no second look at the pictures. ``made_of`` says what they
        depend on in the plan."""
        tensors = {"latents": self.latents, "masks": self.masks, "codes": self.codes}
        write_whole(path, lambda beside: save_file(tensors, beside, {"made_of": made_of}), "the examples")

    @staticmethod
    def made_of(path: Path) -> str | None:
        """What the examples in a file depend on; empty if it does not say or is damaged, None if there is no file."""
        try:
            with safe_open(plain_file(path), "pt") as file:
                return (file.metadata() or {}).get("made_of", "")
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError):
            return ""

    @classmethod
    def load(cls, path: Path) -> Examples:
        """Read what :meth:`save_state` wrote."""
        return cls(**load_file(path))


def prepare_examples(
    pictures: Iterable[tuple[Image.Image, Segmentation]],
    vae: Any,
    size: int,
    grid: int = 16,
    *,
    flip: bool = True,
    crops: int = 0,
    seed: int = 0,
) -> Examples:
    """Encode pictures (RGB, with segmentations of their own size) once, for all of the training.

    Views: the central square, ``crops`` random squares of 75 to 100% of it, and with ``flip`` the mirror image of
    each; picture and labels are cut and mirrored alike. Raises :class:`UserError` without pictures.
    """
    generator = np.random.default_rng(seed)
    latents: list[Tensor] = []
    masks: list[npt.NDArray[np.uint8]] = []
    codes: list[npt.NDArray[np.int64]] = []
    waiting: list[Image.Image] = []
    views = 0
    for picture, segmentation in pictures:
        views = 0
        for box in _boxes(picture.size, crops, generator):
            square = picture.convert("RGB").resize((size, size), Image.Resampling.BICUBIC, box)
            cells = _masks(segmentation, box, grid)
            for mirrored in (False, True) if flip else (False,):
                waiting.append(square.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else square)
                mask = cells[..., ::-1] if mirrored else cells
                masks.append(mask)
                visible = mask.sum(axis=(1, 2)) >= 255 * _SEEN
                codes.append(np.where(visible, np.array(segmentation.codes), ABSENT))
                views += 1
        if len(waiting) >= _ENCODED_AT_ONCE:
            latents.append(encode_pictures(vae, to_tensor(waiting)).float().cpu())
            waiting = []
    if waiting:
        latents.append(encode_pictures(vae, to_tensor(waiting)).float().cpu())
    if not latents:
        raise UserError("There are no pictures to learn from.", "Choose a folder with pictures.")
    whole = torch.cat(latents).contiguous()
    if not bool(torch.isfinite(whole).all()):
        raise UserError(
            "The base model turned a picture into latents that are no numbers.",
            'Use "precision": "float32" in the plan.',
        )
    return Examples(
        whole.unflatten(0, (-1, views)),
        torch.from_numpy(np.stack(masks)).unflatten(0, (-1, views)),
        torch.from_numpy(np.stack(codes)).unflatten(0, (-1, views)),
    )


def _boxes(
    size: tuple[int, int], crops: int, generator: np.random.Generator
) -> list[tuple[float, float, float, float]]:
    """The central square of a picture and ``crops`` random ones: left, upper, right, lower."""
    width, height = size
    side = min(size)
    boxes = [((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)]
    for _ in range(crops):
        short = side * generator.uniform(0.75, 1.0)
        left, upper = generator.uniform(0, width - short), generator.uniform(0, height - short)
        boxes.append((left, upper, left + short, upper + short))
    return boxes


def _masks(segmentation: Segmentation, box: tuple[float, float, float, float], grid: int) -> npt.NDArray[np.uint8]:
    """How much of each cell is each part: uint8 (M, grid, grid)."""
    return np.stack(
        [
            np.asarray(
                Image.fromarray(segmentation.mask(part).astype(np.uint8) * 255).resize(
                    (grid, grid), Image.Resampling.BOX, box
                )
            )
            for part in range(len(segmentation.codes))
        ]
    )


_REHEARSALS: Final = 3
"""How often each picture of an extended pack is among the new ones."""


def segmented_pictures(
    models: Models, pack: Pack, folder: str, report: Report
) -> Iterable[tuple[Image.Image, Segmentation]]:
    """Pictures with their parts: a folder's as the eyes see them, or the pack's references as they were kept.

    Where the pack's codes are kinds of pictures, a picture's visible parts have its kind's code: whoever sorted them
    knows better than the nearest centroid. Pictures that were left out when the parts were found are left out here.
    """
    if not folder:
        references = pictures_of(pack)
        if pack.references and not references:
            raise UserError(
                f"The references of “{pack.title}” are drawn stand-ins: there is nothing to learn from.",
                f"Choose a folder of pictures, or paint them first: partcraft packs paint {pack.id}",
            )
        for done, reference in enumerate(references):
            report(Progress("Reading references", done, len(references)))
            yield open_picture(reference.image), Segmentation(read_label_map(reference.labels), reference.codes)
        return
    codebook = pack.codebook()
    left_out, corrections = read_corrections(pack.path, len(pack.vocabulary.parts))
    place = without(read_image_folder(Path(folder), report), left_out)
    pictures = compute_features(open_dino(models, pack.backbone), place.pictures, report, place.kinds)
    corrected = CorrectedPictures(strokes_by_picture(pictures.files, Path(folder), corrections))
    for done, (file, features) in enumerate(zip(pictures.files, pictures.features, strict=True)):
        report(Progress("Finding parts", done, len(pictures.files)))
        picture = open_picture(file, max_side=1024)
        segmentation = corrected.segment(done, codebook, features, np.asarray(picture))
        codes = list(segmentation.codes)
        for part in pack.vocabulary.visible_parts if pictures.classes else ():
            kind, index = pictures.classes[done], part.index
            # A pack from before kinds were kept, or from elsewhere, has only the names of its codes.
            code = pack.vocabulary.find_code(index, kind) if pack.kinds is None else pack.kinds.get(kind)
            if code is not None and code < pack.vocabulary.codes_per_part and codes[index] != ABSENT:
                codes[index] = code
        yield picture, Segmentation(segmentation.labels, tuple(codes))
    extended = extended_pack(pack)
    if extended is not None:
        yield from _rehearsed(pack, extended.vocabulary.codes_per_part)


def _rehearsed(pack: Pack, code_count: int) -> Iterable[tuple[Image.Image, Segmentation]]:
    """The references of a pack that show nothing but its first ``code_count`` codes, several times over: a LoRA that
    learns the new ones must not forget how the old ones look."""
    for reference in pictures_of(pack) * _REHEARSALS:
        if all(code < code_count for code in reference.codes):
            yield open_picture(reference.image), Segmentation(read_label_map(reference.labels), reference.codes)
