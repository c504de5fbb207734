"""Cut-outs: one part of a reference alone on transparent ground, and the ground behind the animal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import maximum_filter, uniform_filter

from engine.collage.arrangement import Colour
from engine.collage.ground_grain import add_grain
from engine.collage.hidden_outlines import hidden_region
from engine.collage.inpainting import Floats, Mask, across_of, diffuse, pull_push
from engine.collage.layers import Pixels
from engine.core.segmentation import NO_PART

Window = tuple[slice, slice]

# Lengths are shares of the picture's longer side.
_FEATHER: Final = 1 / 256  # reach of a soft edge to either side: a pixel across at 128 px
_GROWN: Final = 1 / 50  # around an animal: its soft edge and the shade beside it are no ground

# Chosen by looking at the starter's references and at photographs; squares of differences of colour, 0 to 255.
_ALIKE: Final = 900.0  # a part and its surroundings that differ by less say little about where the edge is
_STRANGE: Final = 4.0  # weight of a colour that is no mixture of the two against the edge it would give
_FREE: Final = 3.0  # 1 over the share of pixels of the other side around from which on colours alone may decide
_STEEP: Final = 1.7  # how much steeper than the mean of the mask around it the edge is where colours do not say
_OUTLINE: Final = 3  # how much wider than a soft edge an outline may be that is no colour to fill with

_FILL_SIDE: Final = 128  # a filling is made with its longer side of this to twice this many pixels
_LEVEL: Final = 128.0  # most that the level counts over the upright, or the other way round, in a ground


@dataclass(frozen=True, eq=False)
class CutOut:
    """A part alone: uint8 (h, w, 4), straight alpha; its upper left corner is at ``left``, ``top`` of the reference."""

    image: Pixels
    left: int
    top: int


def cut_out(
    picture: Pixels, labels: Pixels, part: int, *, covered_by: tuple[int, ...] = (), feather: float = 1.0
) -> CutOut | None:
    """A part of a picture uint8 (H, W, 3) with label map uint8 (H, W); None where it is not shown.

    Its edge is soft and follows the picture's own, within a pixel at 128 px (4 at 512) times ``feather``; 2 suits
    labels that are coarser than their picture. Pixels of the edge have the part's colour without what was behind it.
    The parts ``covered_by`` lie in front of it: beneath them its outline goes on as an ellipse or straight, with
    colours from around, and their grain.
    """
    box = _window_of(labels == part)
    if box is None:
        return None
    reach = max(1, round(max(labels.shape) * _FEATHER * feather))
    hidden, is_cover = np.zeros(labels.shape, bool), np.zeros(256, bool)
    is_cover[list(covered_by)] = True
    if covered_by:
        longer = max(box[0].stop - box[0].start, box[1].stop - box[1].start)
        around = _widened(box, longer // 2, labels.shape)
        hidden[around] = hidden_region(labels[around] == part, is_cover[labels[around]])
        box = _window_of(hidden | (labels == part)) or box
    box = _widened(box, reach, labels.shape)
    covers = is_cover[labels[box]]
    own, beneath = labels[box] == part, hidden[box]
    image = _matted(picture[box], own, beneath, covers, 2 * reach + 1)
    if beneath.any():
        filled = np.where(beneath, np.uint8(255), np.uint8(0))
        image[..., :3] = add_grain(np.ascontiguousarray(image[..., :3]), filled, own, max(labels.shape))
    return CutOut(image, int(box[1].start), int(box[0].start))


def _matted(colours: Pixels, own: Mask, hidden: Mask, covers: Mask, across: int) -> Pixels:
    """Uint8 (h, w, 4): a part's ``own`` pixels and ``hidden`` ones, with an edge that is ``across`` pixels wide.

    In the edge a pixel is taken for a mixture of the part's colour beside it and that of the surroundings (the model
    of Bayesian matting, Chuang and others 2001, with one colour each).
    """
    shape = own | hidden
    shown, whole, near_cover = _mean(own, across), _mean(shape, across), _mean(covers, across)
    planes = np.ascontiguousarray(colours.transpose(2, 0, 1), np.float32)
    inside = pull_push(planes, _trusted(own, shown))
    outside = pull_push(planes, _trusted(~(shape | covers), 1 - np.maximum(whole, near_cover)))
    image = np.dstack([colours, np.where(shape, np.uint8(255), np.uint8(0))])
    if hidden.any():
        # What is hidden is filled from the part's middle: at its edges there may be a drawn outline, and shade.
        middle = pull_push(planes, _trusted(own, _mean(own, _OUTLINE * across)) ** 2)
        np.copyto(inside, middle, where=hidden | (near_cover > 0))
    np.copyto(image[..., :3], _rounded(inside.transpose(1, 2, 0)), where=~own[..., None])
    edge = np.flatnonzero(((whole > 0) & (whole < 1)) | (own & (near_cover > 0)))
    covers, whole, near_cover = covers.ravel()[edge], whole.ravel()[edge], near_cover.ravel()[edge]
    inside, outside, seen = (each.reshape(3, -1)[:, edge] for each in (inside, outside, planes))

    soft = np.clip((whole - 0.5) * _STEEP + 0.5, 0, 1)
    span, beyond = inside - outside, seen - outside
    contrast = (span**2).sum(0)
    mixed = np.clip((span * beyond).sum(0) / np.maximum(contrast, 1), 0, 1)
    strange = ((beyond - mixed * span) ** 2).sum(0)
    doubt = _ALIKE + _STRANGE * strange
    alpha = (mixed * contrast + soft * doubt) / (contrast + doubt)
    alpha = np.clip(alpha, 1 - np.clip(_FREE * (1 - whole), 0, 1), np.clip(_FREE * whole, 0, 1))
    alpha = np.where(covers, soft, alpha)  # what is seen there is not this part
    # The part's own grain and pattern come back as far as a pixel is the part's and no cover is near.
    alone = np.where(covers, 0, alpha * np.clip(1 - 2 * near_cover, 0, 1))
    made = inside + alone * (beyond - alpha * span)
    image.reshape(-1, 4)[edge] = _rounded(np.vstack([made, 255 * alpha]).T)
    return image


def _rounded(colours: npt.NDArray[np.floating]) -> Pixels:
    return np.clip(colours + np.float32(0.5), 0, 255).astype(np.uint8)


def _trusted(mask: Mask, mean: Floats) -> Floats:
    """How far a pixel's colour is that of its side alone: little beside the edge, but thin things have no more."""
    return mask * (np.clip(2 * mean - 1, 0, 1) ** 2 + np.float32(1e-3))


def _mean(mask: Mask, across: int) -> Floats:
    """The share of a square around each pixel that is true."""
    if not mask.any():
        return np.zeros(mask.shape, np.float32)
    mean = uniform_filter(mask.astype(np.float32), across, mode="nearest")
    return np.clip(mean * np.float32(1 + 1e-4) - np.float32(5e-5), 0, 1)  # 0 and 1 in spite of rounding


def fill_ground(picture: Pixels, labels: Pixels) -> Pixels:
    """The picture uint8 (H, W, 3) without its animal, the parts of ``labels`` (H, W); white where all is animal.

    What was behind it is made up from the ground around: smooth, level where the ground is level, and with its grain.
    """
    hole = labels != NO_PART
    window = _window_of(hole)
    if window is None:
        return picture.copy()
    if hole.all():
        return np.full_like(picture, 255)
    grown = max(1, round(max(labels.shape) * _GROWN))
    window = _widened(window, 3 * grown, labels.shape)
    smooth, filled = _filled(picture[window], hole[window], grown)
    made, share = picture.copy(), np.zeros(labels.shape, np.uint8)
    made[window], share[window] = smooth, filled
    return add_grain(made, share, share == 0, max(labels.shape))


def _filled(picture: Pixels, hole: Mask, grown: int) -> tuple[Pixels, Pixels]:
    """A picture (h, w, 3) whose hole is filled smoothly, and how far each pixel is a new one, uint8 (h, w).

    A filling has no detail, so it is made at a smaller size. The hole is ``grown`` by so many pixels if that leaves
    any ground.
    """
    height, width = hole.shape
    small_enough = 2 ** max(0, int(np.log2(max(hole.shape) / _FILL_SIDE)))
    shrink, known = 1, ~hole
    for shrink, by in ((small_enough, -(-grown // small_enough)), (small_enough, 0), (1, 0)):
        taken = np.asarray(Image.fromarray(hole.astype(np.float32)).reduce(shrink)) > 0
        known = ~np.asarray(maximum_filter(taken, 2 * by + 1), bool)
        if known.any():
            break
    small = np.asarray(Image.fromarray(picture).reduce(shrink)).transpose(2, 0, 1).astype(np.float32)
    smooth = diffuse(small * known, known, across_of(small, known, _LEVEL))
    smooth = np.clip(smooth + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0)

    def stretched(values: Pixels) -> Pixels:
        box = (0, 0, width / shrink, height / shrink)
        image = Image.fromarray(np.ascontiguousarray(values))
        return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box))

    filled = np.where(hole, np.uint8(255), stretched(np.where(known, np.uint8(0), np.uint8(255))))
    made = Image.fromarray(np.ascontiguousarray(picture))
    made.paste(Image.fromarray(stretched(smooth)), mask=Image.fromarray(filled))
    return np.asarray(made), filled


def colour_ground(colours: Colour | tuple[Colour, Colour], size: tuple[int, int]) -> Pixels:
    """A ground uint8 (H, W, 3) of one colour, or from one to another downwards; ``size`` is (width, height)."""
    first, last = colours[0], colours[-1]
    if isinstance(first, tuple) and isinstance(last, tuple):
        return gradient_ground(first, last, size)
    return np.full((size[1], size[0], 3), colours, np.uint8)


def plain_ground(colour: Colour, size: tuple[int, int]) -> Pixels:
    """A ground uint8 (H, W, 3) of one colour; ``size`` is (width, height)."""
    return np.full((size[1], size[0], 3), colour, np.uint8)


def gradient_ground(top: Colour, bottom: Colour, size: tuple[int, int]) -> Pixels:
    """A ground uint8 (H, W, 3) that goes evenly from one colour to another downwards; ``size`` is (width, height)."""
    rows = np.linspace(np.array(top, float), np.array(bottom, float), size[1])
    return np.repeat(np.rint(rows).astype(np.uint8)[:, None], size[0], axis=1)


def _window_of(mask: Mask) -> Window | None:
    """The smallest window around what is true; None where nothing is."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _widened(window: Window, by: int, shape: tuple[int, ...]) -> Window:
    """A window with so many pixels more to each side, as far as there are some."""
    rows, columns = window
    return (
        slice(max(0, rows.start - by), min(shape[0], rows.stop + by)),
        slice(max(0, columns.start - by), min(shape[1], columns.stop + by)),
    )
