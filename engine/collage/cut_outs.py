"""Cut-outs: one part of a reference alone on transparent ground, and the ground behind the animal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter
from scipy.ndimage import maximum_filter

from engine.collage.arrangement import Colour
from engine.collage.ground_grain import add_grain, grain_strength
from engine.collage.hidden_discs import hidden_disc
from engine.collage.hidden_outlines import Corners, hidden_region, polygon
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
    hidden = np.zeros(labels.shape, bool)
    if covered_by:
        longer = max(box[0].stop - box[0].start, box[1].stop - box[1].start)
        around = _widened(box, longer // 2, labels.shape)
        hidden[around] = hidden_region(labels[around] == part, _any_of(labels[around], covered_by))
        box = _window_of(hidden | (labels == part)) or box
    box = _widened(box, reach, labels.shape)
    own, beneath = labels[box] == part, hidden[box]
    image = _matted(picture[box], own, beneath, _any_of(labels[box], covered_by), reach)
    strength = grain_strength(picture[box], own) if beneath.any() else 0.0
    if strength:
        filled = np.where(beneath, np.uint8(255), np.uint8(0))
        image[..., :3] = add_grain(np.ascontiguousarray(image[..., :3]), filled, own, max(labels.shape), strength)
    return CutOut(image, int(box[1].start), int(box[0].start))


def _any_of(labels: Pixels, parts: tuple[int, ...]) -> Mask:
    made = np.zeros(labels.shape, bool)
    for part in parts:
        made |= labels == part
    return made


def _matted(colours: Pixels, own: Mask, hidden: Mask, covers: Mask, reach: int) -> Pixels:
    """Uint8 (h, w, 4): a part's ``own`` pixels and ``hidden`` ones, with an edge that ``reach``es to either side.

    In the edge a pixel is taken for a mixture of the part's colour beside it and that of the surroundings (the model
    of Bayesian matting, Chuang and others 2001, with one colour each).
    """
    shape = own | hidden if hidden.any() else own
    shown = _mean(own, reach)
    whole = _mean(shape, reach) if shape is not own else shown
    near_cover = _mean(covers, reach)
    seen = np.empty((*own.shape, 4), np.uint8)
    seen[..., :3], seen[..., 3] = colours, 255
    masks = [(own, shown, 1), (~(shape | covers), ~np.maximum(whole, near_cover), 1)]
    if shape is own:
        inside, outside = _spread(seen, masks, reach)
    else:
        # What is hidden is filled from the part's middle: at its edges there may be a drawn outline, and shade.
        masks.append((own, _mean(own, _OUTLINE * reach + 1), 2))
        inside, outside, middle = _spread(seen, masks, reach)
        np.copyto(_whole(inside), _whole(middle), where=hidden | (near_cover > 0))
    image = np.empty_like(seen)
    np.copyto(_whole(image), np.where(own, _whole(seen), _whole(inside)))
    image[..., 3] = shape.view(np.uint8) * np.uint8(255)
    edge = np.flatnonzero(((whole > 0) & (whole < 255)) | (own & (near_cover > 0)))
    covers = covers.ravel()[edge]
    whole, near_cover = (each.ravel()[edge] / np.float32(255) for each in (whole, near_cover))
    inside, outside, seen = (_planes(_whole(each).ravel()[edge]) for each in (inside, outside, seen))

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
    image.reshape(-1, 4)[edge] = _rounded(np.vstack([made, 255 * alpha])).T
    return image


def _whole(colours: Pixels) -> npt.NDArray[np.uint32]:
    """The same pixels (h, w, 4) as one number each, (h, w): four times as quick to pick and to copy."""
    return colours.view(np.uint32)[..., 0]


def _planes(pixels: npt.NDArray[np.uint32]) -> Floats:
    """Red, green and blue, float32 (3, n), of pixels that are one number each."""
    return np.ascontiguousarray(pixels.view(np.uint8).reshape(-1, 4)[:, :3].T, np.float32)


def _rounded(colours: npt.NDArray[np.floating]) -> Pixels:
    return np.clip(colours + np.float32(0.5), 0, 255).astype(np.uint8)


def _spread(colours: Pixels, masks: Sequence[tuple[Mask, Pixels, int]], reach: int) -> list[Pixels]:
    """For each mask uint8 (h, w, 4): the colours (h, w, 4), all opaque, of the mask spread beyond it. Smooth, and made
    at a size at which the ``reach`` is about a pixel.

    Beside a mask is its mean, 0 to 255: how much of it is around, by which (to a power) its pixels are trusted.
    """
    height, width = masks[0][0].shape
    shrink = 1 << (reach.bit_length() - 1)
    planes, weights = [], []
    for mask, mean, power in masks:
        only = np.where(mask, _whole(colours), np.uint32(0)).view(np.uint8).reshape(height, width, 4)
        if shrink > 1:
            # CMYK is four channels that Pillow does not weigh by the last one.
            only = np.asarray(Image.frombuffer("CMYK", (width, height), only, "raw", "CMYK", 0, 1).reduce(shrink))
            mean = np.asarray(Image.fromarray(mean).reduce(shrink))
        only = np.ascontiguousarray(only.transpose(2, 0, 1), np.float32)
        around = np.clip(mean * np.float32(2 / 255) - 1, 0, 1)
        planes.append(only[:3] * (255 / np.maximum(only[3], np.float32(1))))
        # Little counts beside the edge, but thin things have no more.
        weights.append(only[3] / 255 * (around**2 + np.float32(1e-3)) ** power)
    made = []
    for one in pull_push(np.stack(planes), np.stack(weights)[:, None]):
        red, green, blue = _rounded(one)
        spread = np.ascontiguousarray(np.dstack([red, green, blue, np.full_like(red, 255)]))
        if shrink > 1:
            smaller = Image.frombuffer("CMYK", (spread.shape[1], spread.shape[0]), spread, "raw", "CMYK", 0, 1)
            box = (0, 0, width / shrink, height / shrink)
            spread = np.array(smaller.resize((width, height), Image.Resampling.BILINEAR, box))
        made.append(spread)
    return made


def _mean(mask: Mask, reach: int) -> Pixels:
    """The share, 0 to 255, of a square that ``reach``es that far around each pixel that is true."""
    if not mask.any():
        return np.zeros(mask.shape, np.uint8)
    return np.asarray(Image.fromarray(mask.view(np.uint8) * np.uint8(255)).filter(ImageFilter.BoxBlur(reach)))


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
    made, share = picture.copy(), np.zeros(labels.shape, np.uint8)
    disc = _disc_behind(picture, hole, grown)
    if disc is not None:
        disc = disc - (window[1].start, window[0].start)
    made[window], share[window] = _filled(picture[window], hole[window], grown, disc)
    known = share == 0
    return add_grain(made, share, known, max(labels.shape), grain_strength(made, known))


def _disc_behind(picture: Pixels, hole: Mask, grown: int) -> Corners | None:
    """A disc that the hole of a picture hides a part of; see :func:`hidden_disc`."""
    shrink = 2 ** max(0, int(np.log2(max(hole.shape) / _FILL_SIDE)))
    known = np.asarray(Image.fromarray(hole.view(np.uint8) * np.uint8(255)).reduce(shrink)) == 0
    known = _mean(~known, -(-grown // shrink)) == 0
    small = np.asarray(Image.fromarray(picture).reduce(shrink), np.float32).transpose(2, 0, 1)
    corners = hidden_disc(np.ascontiguousarray(small), known)
    return None if corners is None else (corners + 0.5) * shrink - 0.5


def _filled(picture: Pixels, hole: Mask, grown: int, disc: Corners | None) -> tuple[Pixels, Pixels]:
    """A picture (h, w, 3) whose hole is filled smoothly, and how far each pixel is a new one, uint8 (h, w).

    A filling has no detail, so it is made at a smaller size. The hole is ``grown`` by so many pixels if that leaves
    any ground. A ``disc`` (its corners) behind it is of another colour.
    """
    height, width = hole.shape
    small_enough = 2 ** max(0, int(np.log2(max(hole.shape) / _FILL_SIDE)))
    shrink, known = 1, ~hole
    for shrink, by in ((small_enough, -(-grown // small_enough)), (small_enough, 0), (1, 0)):
        taken = np.asarray(Image.fromarray(hole.view(np.uint8) * np.uint8(255)).reduce(shrink)) > 0
        known = ~np.asarray(maximum_filter(taken, 2 * by + 1), bool)
        if known.any():
            break
    small = np.asarray(Image.fromarray(picture).reduce(shrink)).transpose(2, 0, 1).astype(np.float32)
    ground, shown = known, np.zeros_like(known)
    if disc is not None:
        inside = polygon((disc + 0.5) / shrink - 0.5, known.shape)
        around, shown = _mean(inside, 1), inside & known
        if (known & (around == 0)).any() and (shown & (around == 255)).any():
            ground, shown = known & (around == 0), shown & (around == 255)
        else:
            disc = None
    smooth = diffuse(small * ground, ground, across_of(small, ground, _LEVEL))

    rows, columns = _widened(_window_of(~known) or (slice(0, 0), slice(0, 0)), 1, known.shape)
    top, left = rows.start * shrink, columns.start * shrink
    bottom, right = min(rows.stop * shrink, height), min(columns.stop * shrink, width)

    def stretched(values: Pixels) -> Image.Image:
        box = (left / shrink, top / shrink, right / shrink, bottom / shrink)
        image = Image.fromarray(np.ascontiguousarray(values))
        return image.resize((right - left, bottom - top), Image.Resampling.BILINEAR, box)

    inner = slice(top, bottom), slice(left, right)
    filled = np.zeros(hole.shape, np.uint8)
    filled[inner] = np.asarray(stretched(np.where(known, np.uint8(0), np.uint8(255))))
    filled[hole] = 255
    made = Image.fromarray(np.ascontiguousarray(picture[inner]))
    behind = stretched(_rounded(smooth).transpose(1, 2, 0))
    if disc is not None:
        brighter = np.ascontiguousarray(
            _rounded(smooth + (small - smooth)[:, shown].mean(1)[:, None, None]).transpose(1, 2, 0)
        )
        behind.paste(stretched(brighter), mask=_disc(disc + 0.5 - (left, top), behind.size))
    made.paste(behind, mask=Image.fromarray(filled[inner]))
    new = picture.copy()
    new[inner] = np.asarray(made)
    return new, filled


def _disc(corners: Corners, size: tuple[int, int]) -> Image.Image:
    """A polygon, its corners (n, 2) in pixels from the corner of an image of that size, with a smooth edge."""
    large = Image.new("L", (2 * size[0], 2 * size[1]))
    ImageDraw.Draw(large).polygon([(2 * x - 0.5, 2 * y - 0.5) for x, y in corners.tolist()], fill=255)
    return large.reduce(2)


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
