"""Label maps mended: parts as they were found in a picture follow its animal."""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image
from scipy.ndimage import binary_closing, binary_fill_holes, binary_opening, distance_transform_edt, label

from engine.collage.ground_grain import grain_strength
from engine.collage.inpainting import Floats, Mask
from engine.collage.layers import Pixels
from engine.core.segmentation import NO_PART

_SIDE: Final = 128  # pixels of the longer side, to twice as many: outlines of what is missing need no more
_REACH: Final = 1 / 8  # of the longer side beyond the animal's parts: so far there may be more of it
_SLIVER: Final = 1 / 80  # of the longer side: thinner pieces are the edge of a horizon, not of an animal
_DIFFERENT: Final = 22.0  # of 255: so far from all colours of the ground a pixel is none
_SAME: Final = 6.0  # so near to one of them it is nothing else
_LEAST_TINT: Final = 0.5  # of the ground's light, or of what it lacks to white: less is another thing
_SAME_TINT: Final = 0.1
_LEAST_SHADE: Final = 0.7  # the same for what is taken for a shadow surely
_SAME_SHADE: Final = 0.03
_BANDS: Final = 24  # from top to bottom: the ground is compared with what is beside it, sky with sky
_COLOURS: Final = 32  # of the ground in a band
_FEWEST: Final = 0.02  # of the animal: less is the edge of a label map that is right


def found_labels(picture: Pixels, labels: Pixels) -> Pixels:
    """The label map (H, W) of a picture uint8 (H, W, 3), mended where it is that of a drawing and leaves much out; else
    the same one. Photographs have no ground that can be told by its colours alone."""
    if labels.shape != picture.shape[:2] or grain_strength(picture, labels == NO_PART):
        return labels
    mended = mended_labels(picture, labels)
    return labels if mended is None else mended


def mended_labels(picture: Pixels, labels: Pixels) -> Pixels | None:
    """The label map (H, W) of a picture uint8 (H, W, 3) without what is clearly ground, and with what beside its parts
    is clearly none given to the nearest; None where that changes next to nothing."""
    shrink = 2 ** max(0, int(np.log2(max(labels.shape) / _SIDE)))
    colours = np.asarray(Image.fromarray(picture).reduce(shrink), np.float32).transpose(2, 0, 1)
    rows, columns = (
        np.minimum(np.arange(few) * shrink + shrink // 2, many - 1)
        for few, many in zip(colours.shape[1:], labels.shape, strict=True)
    )
    found = labels[rows[:, None], columns]
    seen = found != NO_PART
    side = max(seen.shape)
    near = np.asarray(distance_transform_edt(~seen)) <= _REACH * side
    if not seen.any() or near.all():
        return None
    strange, same = _compared(colours, near)
    reach = max(1, round(side * _SLIVER))
    disc = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= reach + 0.5
    ground = _opened(_joined(same | ~seen, ~near) & seen & same)
    seen &= ~ground
    whole = _joined(_opened(strange & ~ground, disc) | seen, seen)
    closed = np.asarray(binary_fill_holes(binary_closing(np.pad(whole, reach), disc)))[reach:-reach, reach:-reach]
    whole |= closed & ~same
    changed = whole != (found != NO_PART)
    if changed.sum() < _FEWEST * whole.sum() or not (seen & whole).any():
        return None
    nearest = np.asarray(distance_transform_edt(~seen, return_distances=False, return_indices=True))
    made = np.where(whole, found[tuple(nearest)], NO_PART)
    height, width = labels.shape
    large = [one.repeat(shrink, 0).repeat(shrink, 1)[:height, :width] for one in (made, changed)]
    return np.where(large[1], large[0], labels)


def _opened(mask: Mask, disc: Mask | None = None) -> Mask:
    return np.asarray(binary_opening(mask, disc), bool)


def _joined(mask: Mask, to: Mask) -> Mask:
    """The pieces of a mask that touch another one."""
    pieces = np.zeros(mask.shape, np.int32)
    label(mask, output=pieces)
    kept = np.unique(pieces[to & mask])
    return np.isin(pieces, kept[kept > 0])


def _compared(colours: Floats, near: Mask) -> tuple[Mask, Mask]:
    """Which pixels of (3, h, w) ``near`` an animal have none of the colours of the ground beyond, as it is at about
    that height in its own light, in shade or in haze; and which are surely of it."""
    strange, same = np.zeros(near.shape, bool), np.zeros(near.shape, bool)
    height = near.shape[0]
    step = -(-height // _BANDS)
    for top in range(0, height, step):
        band, around = slice(top, top + step), slice(max(0, top - step), top + 2 * step)
        beyond = colours[:, around][:, ~near[around]]
        asked = near[band]
        if not beyond.size or not asked.any():
            continue
        ground = np.unique(beyond[:, :: max(1, beyond.shape[1] // 256)] // 6, axis=1) * 6 + 3
        ground = ground[:, :: -(-ground.shape[1] // _COLOURS)]
        pixels = colours[:, band][:, asked]
        apart = np.full(pixels.shape[1], np.inf, np.float32)
        for red, green, blue in ground.T:
            np.minimum(
                apart, np.maximum(np.maximum(abs(pixels[0] - red), abs(pixels[1] - green)), abs(pixels[2] - blue)),
                out=apart,
            )  # fmt: skip
        far = np.flatnonzero(apart > _DIFFERENT)
        tinted = _tinted(pixels[:, far], ground) | _tinted(255 - pixels[:, far], 255 - ground)
        is_strange = np.zeros(len(apart), bool)
        is_strange[far[~tinted]] = True
        shaded = _tinted(pixels, ground, _LEAST_SHADE, _SAME_SHADE)
        strange[band][asked], same[band][asked] = is_strange, (apart <= _SAME) | shaded
    return strange, same


def _tinted(pixels: Floats, ground: Floats, least_light: float = _LEAST_TINT, apart: float = _SAME_TINT) -> Mask:
    """Whether each pixel (3, n) is one of the ground's colours (3, m) times a number below 1: a shadow, or, of what is
    missing to white, haze or a pale sun."""
    made = np.zeros(pixels.shape[1], bool)
    for colour in ground.T:
        ratio = (pixels + 2) / (colour[:, None] + 2)
        least, most = ratio.min(0), ratio.max(0)
        made |= (least > least_light) & (most < 1.02) & (most - least < apart)
    return made
