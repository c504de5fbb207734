"""What a reader learns from: a pack's own pictures with their label maps, and what is made of them.

A part has to be known by its own look, not by its neighbours' and not by its colour alone. So in a picture some parts
are changed, while the others keep their truth: another code's part put in its place; and, as "none of these", parts
that are melted to a blob of their colour, scrambled, blurred, of other colours, half of one code and half of another,
two codes shining through each other, or gone. All of it works on pixels and label maps, so that what works on drawings
works on a folder of pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from safetensors.numpy import load_file, save_file

from engine.core.atomic_files import plain_file, write_whole
from engine.core.segmentation import NO_PART, Segmentation
from engine.core.vocabulary import ABSENT
from engine.models.part_reader import SIDE, as_read

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

IGNORED: Final = -2
"""The code of a part of which nobody can say what it shows: another one covers most of it."""
CHANGED: Final = 0.3
"""The share of parts that are changed."""
_LEAST: Final = 12
"""Pixels: a part of fewer is not seen."""


@dataclass(frozen=True)
class LabelledPictures:
    """N pictures as a reader sees them: ``pictures`` uint8 (N, SIDE, SIDE, 3), ``labels`` uint8 (N, SIDE, SIDE) as in a
    Segmentation, ``codes`` int64 (N, M), ``ABSENT`` where a part is
    not there or is of no code (or ``IGNORED``)."""

    pictures: Pixels
    labels: Pixels
    codes: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.pictures)

    def save(self, path: Path) -> None:
        """Keep them in a safetensors file."""
        arrays = {"pictures": self.pictures, "labels": self.labels, "codes": self.codes}
        write_whole(path, lambda beside: save_file(arrays, beside), "the examples")

    @classmethod
    def load(cls, path: Path) -> LabelledPictures:
        """Those in a file."""
        return cls(**load_file(plain_file(path)))

    def rows(self, chosen: npt.NDArray[np.int64]) -> LabelledPictures:
        """Some of them, by number."""
        return LabelledPictures(self.pictures[chosen], self.labels[chosen], self.codes[chosen])


def labelled_pictures(pictures: Iterable[tuple[Image.Image, Segmentation]]) -> LabelledPictures:
    """Pictures and their segmentations, of the same size, as a reader sees them."""
    images, labels, codes = [], [], []
    for picture, segmentation in pictures:
        images.append(as_read(picture))
        small = Image.fromarray(segmentation.labels).resize((SIDE, SIDE), Image.Resampling.NEAREST)
        labels.append(np.asarray(small))
        codes.append(segmentation.codes)
    return LabelledPictures(np.stack(images), np.stack(labels), np.array(codes, np.int64))


def changed_example(
    source: LabelledPictures, index: int, rng: np.random.Generator, *, broken: bool = True, swapped: bool = True
) -> tuple[Pixels, Pixels, npt.NDArray[np.int64]]:
    """Picture number ``index`` with some parts changed: picture, labels and codes of one.

    ``swapped``: other codes' parts may take a part's place. ``broken``: parts may be made into "none of these".
    """
    image, labels, codes = source.pictures[index], source.labels[index], source.codes[index].copy()
    changed: set[int] = set()
    for part in rng.permutation(codes.shape[0]).tolist():
        mask = labels == part
        if rng.random() >= CHANGED or mask.sum() < _LEAST:
            continue
        kinds = ("swap",) * (3 * swapped) + _BREAKS * broken
        if not kinds:
            continue
        kind = kinds[int(rng.integers(len(kinds)))]
        changed.add(part)
        if kind in _BREAKS_ALONE:
            image = _BREAKS_ALONE[kind](image, mask, rng)
            codes[part] = ABSENT
            labels = np.where(mask, NO_PART, labels).astype(np.uint8) if kind == "gone" else labels
            continue
        donor = _donor(source, part, int(codes[part]), rng, same=kind == "swap")
        if donor is None:
            continue
        pasted, covered = _fitted(source.pictures[donor], source.labels[donor] == part, mask)
        if kind == "swap":
            bare = _gone(image, mask, rng)
            image = np.where(covered[..., None], pasted, bare)
            labels = np.where(mask & ~covered, NO_PART, np.where(covered, part, labels)).astype(np.uint8)
            codes[part] = source.codes[donor, part]
            continue
        if kind == "shine":
            share = rng.uniform(0.35, 0.65)
            mixed = np.round(image * (1 - share) + pasted * share).astype(np.uint8)
            image = np.where((covered & mask)[..., None], mixed, image)
        else:
            image = np.where((covered & _half(mask, rng))[..., None], pasted, image)
        codes[part] = ABSENT
    for part in set(range(len(codes))) - changed:
        if (labels == part).sum() < (source.labels[index] == part).sum() / 2:
            codes[part] = IGNORED
    return image, labels, codes


def changed_examples(
    source: LabelledPictures,
    count: int,
    rng: np.random.Generator,
    *,
    broken: bool = True,
    swapped: bool = True,
    report: Callable[[int], None] = lambda _done: None,
) -> LabelledPictures:
    """``count`` examples as :func:`changed_example` makes them, of all pictures in turn."""
    made = []
    order = np.concatenate([rng.permutation(len(source)) for _ in range(-(-count // len(source)))])[:count]
    for done, index in enumerate(order.tolist()):
        made.append(changed_example(source, index, rng, broken=broken, swapped=swapped))
        report(done)
    images, labels, codes = zip(*made, strict=True)
    return LabelledPictures(np.stack(images), np.stack(labels), np.stack(codes))


def _donor(source: LabelledPictures, part: int, code: int, rng: np.random.Generator, *, same: bool) -> int | None:
    """A picture that shows a part, of another code than ``code`` unless ``same``; None after a few tries."""
    for index in rng.integers(0, len(source), 8).tolist():
        shown = int(source.codes[index, part])
        if shown != ABSENT and (same or shown != code) and (source.labels[index] == part).sum() >= _LEAST:
            return index
    return None


def _fitted(picture: Pixels, mask: Mask, place: Mask) -> tuple[Pixels, Mask]:
    """A part's pixels, moved and scaled to the middle and size of another place, and where they lie: (SIDE, SIDE, 3)
    and (SIDE, SIDE)."""
    top, left, bottom, right = _box(mask)
    goal_top, goal_left, goal_bottom, goal_right = _box(place)
    height, width = bottom - top, right - left
    scale = min(max(float(np.sqrt((goal_bottom - goal_top) * (goal_right - goal_left) / (height * width))), 0.5), 2.0)
    size = max(2, round(width * scale)), max(2, round(height * scale))
    cut = Image.fromarray(picture[top:bottom, left:right]).resize(size, Image.Resampling.BICUBIC)
    shape = Image.fromarray(mask[top:bottom, left:right].astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)
    corner = round((goal_left + goal_right - size[0]) / 2), round((goal_top + goal_bottom - size[1]) / 2)
    canvas, cover = Image.new("RGB", (SIDE, SIDE)), Image.new("L", (SIDE, SIDE))
    canvas.paste(cut, corner)
    cover.paste(shape, corner)
    return np.asarray(canvas), np.asarray(cover) >= 128


def _box(mask: Mask) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _half(mask: Mask, rng: np.random.Generator) -> Mask:
    """About half of a place, cut by a line through its middle."""
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.nonzero(mask)
    y, x = np.mgrid[:SIDE, :SIDE]
    return mask & ((y - rows.mean()) * np.sin(angle) + (x - columns.mean()) * np.cos(angle) > 0)


def _melted(image: Pixels, mask: Mask, rng: np.random.Generator) -> Pixels:
    """The part as a soft blob of its mean colour."""
    soft = np.maximum(_box_blurred(mask.astype(np.float32), int(rng.integers(3, 6))), mask)[..., None]
    return np.round(image * (1 - soft) + image[mask].mean(0) * soft).astype(np.uint8)


def _blurred(image: Pixels, mask: Mask, rng: np.random.Generator) -> Pixels:
    """The part with its details gone."""
    reach = int(rng.integers(4, 8))
    blurred = np.stack([_box_blurred(image[..., c].astype(np.float32), reach) for c in range(3)], -1)
    soft = _box_blurred(mask.astype(np.float32), 1)[..., None]
    return np.round(image * (1 - soft) + blurred * soft).astype(np.uint8)


def _scrambled(image: Pixels, mask: Mask, rng: np.random.Generator) -> Pixels:
    """The blocks that the part covers, shuffled among themselves."""
    side = int(rng.choice([4, 8]))
    count = SIDE // side
    blocks = image.reshape(count, side, count, side, 3).transpose(0, 2, 1, 3, 4).copy()
    rows = np.argwhere(mask.reshape(count, side, count, side).mean(axis=(1, 3)) > 0.2)
    if len(rows) < 2:
        return _melted(image, mask, rng)
    other = rows[rng.permutation(len(rows))]
    blocks[rows[:, 0], rows[:, 1]] = blocks[other[:, 0], other[:, 1]]
    return blocks.transpose(0, 2, 1, 3, 4).reshape(SIDE, SIDE, 3)


def _recoloured(image: Pixels, mask: Mask, rng: np.random.Generator) -> Pixels:
    """The part with its channels changed round, or all its colours turned over."""
    orders = ((1, 2, 0), (2, 0, 1), (2, 1, 0), (1, 0, 2), (0, 2, 1))
    other = image[..., orders[int(rng.integers(len(orders)))]]
    if np.abs(other[mask].astype(int) - image[mask]).mean() < 30:  # greys stay what they are
        other = 255 - image
    return np.where(mask[..., None], other, image)


def _gone(image: Pixels, mask: Mask, rng: np.random.Generator) -> Pixels:
    """The part painted over with what lies about it."""
    from scipy.ndimage import binary_dilation, distance_transform_edt

    hole = binary_dilation(mask, iterations=2)
    if hole.all():
        return image
    nearest = distance_transform_edt(hole, return_distances=False, return_indices=True)
    filled = image[nearest[0], nearest[1]]  # pyright: ignore
    smooth = np.stack([_box_blurred(filled[..., c].astype(np.float32), 3) for c in range(3)], -1)
    return np.where(hole[..., None], np.round(smooth).astype(np.uint8), image)


def _box_blurred(values: npt.NDArray[np.float32], reach: int) -> npt.NDArray[np.float32]:
    """Values (H, W), each the mean of a square about it, twice over."""
    from scipy.ndimage import uniform_filter

    once = uniform_filter(values, size=2 * reach + 1, mode="nearest")
    return np.asarray(uniform_filter(once, size=2 * reach + 1, mode="nearest"), np.float32)


_BREAKS_ALONE: Final[dict[str, Callable[[Pixels, Mask, np.random.Generator], Pixels]]] = {
    "melted": _melted,
    "blurred": _blurred,
    "scrambled": _scrambled,
    "recoloured": _recoloured,
    "gone": _gone,
}
_BREAKS: Final = (*_BREAKS_ALONE, "shine", "half")
