"""What a label map says of a creature's build: where each part is and how large, what touches, what is in front."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import maximum_filter, uniform_filter

from engine.collage.layers import Pixels, Point
from engine.core.segmentation import NO_PART

_SIDE: Final = 512  # larger label maps are measured on every n-th pixel: joints do not need more
_FEWEST_PIXELS: Final = 1 / 40_000  # of a picture's: fewer are a slip of the segmentation, not a part
_DIGITS: Final = 3  # of what is kept: more would mean nothing
_SURROUNDED: Final = 0.6  # of an outline, beside another part, so that it lies on it


@dataclass(frozen=True)
class PartShape:
    """A part in a reference: ``area`` in pixels, ``centre`` of its pixels, ``box`` as left, top, right, bottom."""

    area: float
    centre: Point
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Joint:
    """Where two parts touch in a reference (``first`` < ``second``).

    ``point`` is the middle of the contact and ``length`` how long it is, in pixels. ``front`` is how surely ``first``
    is in front of ``second``, -1 (it is behind) to 1. ``first_share`` is the share (0..1) of the outline of ``first``
    that runs along ``second``, ``second_share`` the other way round.
    """

    first: int
    second: int
    point: Point
    length: float
    front: float
    first_share: float
    second_share: float


@dataclass(frozen=True)
class ReferenceMeasures:
    """One reference: its size in pixels, its parts by index, its joints, and ``labels_bytes``, the size of the file
    of its label map (another size: measured from another map)."""

    width: int
    height: int
    labels_bytes: int
    parts: dict[int, PartShape]
    joints: tuple[Joint, ...]

    def joint(self, part: int, other: int) -> Joint | None:
        """The joint of two parts, or None where they do not touch."""
        pair = min(part, other), max(part, other)
        return next((joint for joint in self.joints if (joint.first, joint.second) == pair), None)


def only_parts(labels: Pixels, parts: frozenset[int]) -> Pixels:
    """The label map uint8 (H, W) with every label that is not one of ``parts`` (a background's, say) as NO_PART."""
    kept = np.full(256, NO_PART, np.uint8)
    for part in parts:
        kept[part] = part
    # Ten times as quick as indexing with bytes.
    return np.frombuffer(labels.tobytes().translate(kept.tobytes()), np.uint8).reshape(labels.shape)


def stretched_labels(labels: Pixels, shape: tuple[int, int]) -> Pixels:
    """A label map at the size (H, W), its outlines smooth where it grows."""
    if labels.shape == shape:
        return labels
    best = np.full(shape, 0, np.uint8)
    made = np.full(shape, NO_PART, np.uint8)
    for part in np.unique(labels).tolist():
        mask = Image.fromarray(np.where(labels == part, np.uint8(255), np.uint8(0)))
        share = np.asarray(mask.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))
        more = share > best
        made[more], best[more] = part, share[more]
    return made


def measure_labels(labels: Pixels, labels_bytes: int = 0) -> ReferenceMeasures:
    """Measure a label map uint8 (H, W); every label but NO_PART is a part."""
    height, width = labels.shape
    step = -(-max(height, width) // _SIDE)
    small = labels[::step, ::step]
    reach = max(1, round(max(small.shape) / 100))
    counts = np.bincount(small.ravel(), minlength=256)
    masks = {part: small == part for part in range(NO_PART) if counts[part] > _FEWEST_PIXELS * small.size}
    near = {part: _grown(mask, reach) for part, mask in masks.items()}
    rings = {part: _grown(mask, 1) for part, mask in masks.items()}
    rings[NO_PART] = _grown(small == NO_PART, 1)
    around = {part: _share_around(mask, 4 * reach + 1) for part, mask in masks.items()}
    joints = []
    for first, second in ((one, other) for one in masks for other in masks if one < other):
        contact = (masks[first] & near[second]) | (masks[second] & near[first])
        if not contact.any():
            continue
        rows, columns = np.nonzero(contact)
        point = _middle(rows, columns, step)
        border = int((rings[first] & masks[second]).sum()) + int((rings[second] & masks[first]).sum())
        shares = _share(masks[first], rings[first], masks[second]), _share(masks[second], rings[second], masks[first])
        corners = rings[first] & rings[second] & rings[NO_PART]
        joints.append(
            Joint(
                first, second, point, border / 2 * step,
                _front(around[first][corners], around[second][corners], *shares), *shares,
            )
        )  # fmt: skip
    shapes = {part: _shape(mask, step) for part, mask in masks.items()}
    return ReferenceMeasures(width, height, labels_bytes, shapes, tuple(joints))


def _grown(mask: npt.NDArray[np.bool_], pixels: int) -> npt.NDArray[np.bool_]:
    return maximum_filter(mask.view(np.uint8), 2 * pixels + 1).view(np.bool_)


def _share_around(mask: npt.NDArray[np.bool_], side: int) -> npt.NDArray[np.float32]:
    """The share (0..1) of a mask in the square window about each pixel."""
    share = np.zeros(mask.shape, np.float32)
    uniform_filter(mask.astype(np.float32), side, output=share)
    return share


def _share(mask: npt.NDArray[np.bool_], ring: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    outline = ring & ~mask
    return round(float((outline & other).sum() / max(outline.sum(), 1)), _DIGITS)


def _front(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32], *shares: float) -> float:
    """Who is in front, from the shares of a small window about each corner where both parts meet the ground: the
    outline that runs on unbroken there halves the window, the one that ends does not. What is mostly surrounded by the
    other is in front of it."""
    vote = float(np.mean(np.abs(second - 0.5) - np.abs(first - 0.5))) * 2 if len(first) else 0.0
    vote += (shares[0] > _SURROUNDED) - (shares[1] > _SURROUNDED)
    return round(min(max(vote, -1.0), 1.0), _DIGITS)


def _middle(rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], step: int) -> Point:
    return round((float(columns.mean()) + 0.5) * step, _DIGITS), round((float(rows.mean()) + 0.5) * step, _DIGITS)


def _shape(mask: npt.NDArray[np.bool_], step: int) -> PartShape:
    rows, columns = np.nonzero(mask)
    box = columns.min() * step, rows.min() * step, (columns.max() + 1) * step, (rows.max() + 1) * step
    left, top, right, bottom = (float(side) for side in box)
    return PartShape(float(len(rows) * step * step), _middle(rows, columns, step), (left, top, right, bottom))
