"""The grain of a ground: what makes a smooth filling look like the photograph around it."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.collage.inpainting import Floats, Mask
from engine.collage.layers import Pixels

_CELLS: Final = 64  # along the longer side: grain is what is finer than such a cell
_SHIFTS: Final = 5  # places from which grain is taken
_NOWHERE: Final = 3e4  # the cost of a cell without grain, against squares of differences of colour of 0 to 255


def add_grain(picture: Pixels, filled: Pixels, known: Mask, side: int, strength: float) -> Pixels:
    """A picture uint8 (H, W, 3) whose smooth filling, as far as ``filled`` (H, W) is not 0, has the grain of ``known``.

    Grain is how pixels differ from the mean around them. It is taken over as it lies from places of like colour that
    are ``known`` (H, W). ``strength`` is how much of it counts, see :func:`grain_strength`. ``side`` is the longer one
    of the whole picture, in pixels, of which this may be a piece.
    """
    if not strength or not filled.any():
        return picture
    image, cell = Image.fromarray(picture), max(2, round(side / _CELLS))
    small = image.reduce(cell)
    holes = np.asarray(Image.fromarray(filled.astype(np.float32)).reduce(cell)) > 0
    whole = np.asarray(Image.fromarray(known.astype(np.float32)).reduce(cell)) > 1 - 1e-4
    height, width = filled.shape
    size, box = (width, height), (0, 0, width / cell, height / cell)
    blurred = np.asarray(small.resize(size, Image.Resampling.BILINEAR, box))
    grain, power = np.zeros(picture.shape, np.float32), np.zeros(filled.shape, np.float32)
    for (down, right), cells in _sources(np.asarray(small, np.float32), whole, holes):
        rows, from_rows = _moved(np.flatnonzero(cells.any(1)), cell, down, height)
        columns, from_columns = _moved(np.flatnonzero(cells.any(0)), cell, right, width)
        size = (columns.stop - columns.start, rows.stop - rows.start)
        box = (columns.start / cell, rows.start / cell, columns.stop / cell, rows.stop / cell)
        weight = np.asarray(Image.fromarray(cells.astype(np.float32)).resize(size, Image.Resampling.BILINEAR, box))
        rest = np.subtract(picture[from_rows, from_columns], blurred[from_rows, from_columns], dtype=np.float32)
        rest *= weight[..., None]
        grain[rows, columns] += rest
        power[rows, columns] += weight**2
    # Where two places are mixed the grain would be fainter; divided by the root of the squares it stays as it is.
    rows, columns = np.flatnonzero(filled.any(1)), np.flatnonzero(filled.any(0))
    changed = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    share = filled[changed] * np.float32(strength / 255) / np.sqrt(np.maximum(power[changed], 0.25))
    made = picture.copy()
    new = grain[changed]
    new *= share[..., None]
    new += picture[changed]
    made[changed] = np.clip(new + np.float32(0.5), 0, 255, out=new)
    return made


def grain_strength(picture: Pixels, known: Mask) -> float:
    """How much of a picture's grain counts: 0 for a drawing, whose pixels are mostly like their neighbours, up to 1."""
    step = max(1, round((known.size / 16384) ** 0.5))
    both = known[::step, 1::step] & known[::step, :-1:step]
    if not both.any():
        return 0.0
    one, other = (
        np.ascontiguousarray(picture[::step, columns].transpose(2, 0, 1))
        for columns in (slice(1, None, step), slice(None, -1, step))
    )
    apart = (np.maximum(one, other) - np.minimum(one, other)).max(0)[both]
    # The median, counted: quicker than sorting.
    upto = np.cumsum(np.bincount(apart, minlength=256))
    middle = np.searchsorted(upto, [(len(apart) + 1) // 2, len(apart) // 2 + 1]).mean()
    return float(np.clip(middle - 1, 0, 1))


def _moved(cells: npt.NDArray[np.int_], cell: int, by: int, length: int) -> tuple[slice, slice]:
    """Along one axis: the pixels of ``cells`` (in order) and a cell more to either side, and those ``by`` cells on."""
    start, stop = int(cells[0]) * cell - cell, int(cells[-1] + 2) * cell
    start, stop = max(start, 0, -by * cell), min(stop, length, length - by * cell)
    return slice(start, stop), slice(start + by * cell, stop + by * cell)


def _sources(colours: Floats, whole: Mask, holes: Mask) -> list[tuple[tuple[int, int], Mask]]:
    """Shifts (down, right) in cells, and which cells (h, w) take their grain from there.

    One of the ``holes`` takes it from a ``whole`` cell whose colour (h, w, 3) is most like its own. A few
    shifts serve all, so that neighbours mostly come from one place (He and Sun, Statistics of Patch Offsets for Image
    Completion, 2012).
    """
    rows, columns = np.nonzero(holes)
    shifts = [
        (round(radius * np.sin(angle)), round(radius * np.cos(angle)))
        for radius in np.geomspace(2, max(3, 0.8 * max(whole.shape)), 6)
        for angle in np.arange(10) * (np.pi / 5)
    ]
    costs = np.full((len(shifts), len(rows)), _NOWHERE, np.float32)
    for cost, (down, right) in zip(costs, shifts, strict=True):
        y, x = rows + down, columns + right
        there = (y >= 0) & (y < whole.shape[0]) & (x >= 0) & (x < whole.shape[1])
        there[there] = whole[y[there], x[there]]
        cost[there] = ((colours[y[there], x[there]] - colours[rows[there], columns[there]]) ** 2).sum(-1)
    best, taken = np.full(len(rows), _NOWHERE, np.float32), np.full(len(rows), -1)
    for _ in range(_SHIFTS):
        chosen = int(np.minimum(costs, best).mean(1).argmin())
        taken[costs[chosen] < best] = chosen
        best = np.minimum(best, costs[chosen])
    sources = []
    for chosen in np.unique(taken[taken >= 0]):
        cells = np.zeros(whole.shape, bool)
        cells[rows[taken == chosen], columns[taken == chosen]] = True
        sources.append((shifts[chosen], cells))
    return sources
