"""Scenes with truth: drawn birds pasted over grounds of photographs or of made textures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.optimize import linear_sum_assignment

from engine.aviary.drawing.attributes import PARTS
from engine.aviary.drawing.bird import draw_bird
from engine.aviary.drawing.species import PACK_SPECIES, mixed_bird
from engine.core.segmentation import NO_PART

SIDE = 448


@dataclass(frozen=True)
class Scene:
    """A picture, uint8 (448, 448, 3), and the part of each pixel in the aviary's order, or ``NO_PART``."""

    image: np.ndarray
    truth: np.ndarray


def make_scenes(count: int, photos: Sequence[Path] = (), seed: int = 0) -> list[Scene]:
    """Birds of mixed species, half to nearly all of the picture's height, each over a ground of its own: the corner of
    a photograph for two of three while there are photographs, else a texture."""
    scenes = []
    for index in range(count):
        generator = np.random.default_rng((seed, index))
        size = int(generator.integers(SIDE // 2, SIDE - 16))
        drawing = draw_bird(mixed_bird(generator, PACK_SPECIES), generator, size)
        labels = np.where(drawing.labels == 0, NO_PART, drawing.labels - 1).astype(np.uint8)
        image = _corner(photos[7 * index % len(photos)], index % 4) if photos and index % 3 else _texture(generator)
        truth = np.full((SIDE, SIDE), NO_PART, np.uint8)
        top, left = (int(generator.integers(0, SIDE - size)) for _ in range(2))
        place = np.s_[top : top + size, left : left + size]
        image[place][labels != NO_PART] = drawing.image[labels != NO_PART]
        truth[place] = labels
        scenes.append(Scene(image, truth))
    return scenes


def foreground_iou(found: Sequence[np.ndarray], scenes: Sequence[Scene]) -> float:
    """The mean IoU of what is any part in label maps (448, 448) with the birds."""
    pairs = [(labels != NO_PART, scene.truth != NO_PART) for labels, scene in zip(found, scenes, strict=True)]
    return float(np.mean([(one & other).sum() / max((one | other).sum(), 1) for one, other in pairs]))


def parts_miou(found: Sequence[np.ndarray], scenes: Sequence[Scene], count: int) -> tuple[float, dict[str, float]]:
    """The IoU over all scenes of each true part with the found part of ``count`` that fits it best (each goes to one
    true part, or to several found ones); the mean, and by part."""
    table = np.zeros((count, len(PARTS)))
    found_size, true_size = np.zeros(count), np.zeros(len(PARTS))
    for labels, scene in zip(found, scenes, strict=True):
        for part in range(count):
            found_size[part] += (labels == part).sum()
            for other in range(len(PARTS)):
                table[part, other] += ((labels == part) & (scene.truth == other)).sum()
        true_size += [(scene.truth == other).sum() for other in range(len(PARTS))]
    iou = table / np.maximum(found_size[:, None] + true_size - table, 1)
    rows, columns = linear_sum_assignment(-iou)
    by_part = {PARTS[column]: float(iou[row, column]) for row, column in zip(rows, columns, strict=True)}
    return sum(by_part.values()) / len(PARTS), by_part


def _corner(photo: Path, corner: int) -> np.ndarray:
    """Three tenths of a photograph's width and height, where the animal rarely is."""
    with Image.open(photo) as opened:
        picture = opened.convert("RGB")
    width, height = (max(8, int(0.3 * side)) for side in picture.size)
    left = 0 if corner % 2 == 0 else picture.width - width
    top = 0 if corner < 2 else picture.height - height
    return np.array(picture.crop((left, top, left + width, top + height)).resize((SIDE, SIDE)))


def _texture(generator: np.random.Generator) -> np.ndarray:
    """Noise of three scales between two colours."""
    noise = sum(
        scale * gaussian_filter(generator.standard_normal((SIDE, SIDE)), scale, mode="wrap") for scale in (1, 6, 24)
    )
    share = np.asarray(1 / (1 + np.exp(-3 * noise / np.std(noise))))[..., None]
    dark, light = generator.uniform(20, 140, 3), generator.uniform(90, 230, 3)
    return np.array(dark * (1 - share) + light * share, np.uint8)
