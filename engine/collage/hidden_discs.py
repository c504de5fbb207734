"""Hidden discs: a sun or a moon half behind an animal, which a smooth filling would smear."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.ndimage import label

from engine.collage.hidden_outlines import Corners, ellipse_of
from engine.collage.inpainting import Floats, Mask

_TRIMMED: Final = (24.0, 12.0, 8.0)  # of 255: what differs more from its row is left out of the row's mean
_APART: Final = 9.0  # a disc differs by more from its row
_EVEN: Final = 8.0  # standard deviation of that difference in a disc, at most
_FEWEST: Final = 30  # pixels


def hidden_disc(colours: Floats, known: Mask) -> Corners | None:
    """The ellipse (corners, as x and y of pixels' centres) of which a part shows beside the hole of a ground (3, h, w);
    None where the ground has no such thing. ``known`` (h, w) is false in the hole."""
    weights, apart = known.astype(np.float32), colours
    for limit in _TRIMMED:
        total = np.maximum(weights.sum(1), 1e-6)
        mean = np.einsum("chw,hw->ch", colours, weights) / total
        apart = colours - mean[:, :, None]
        weights = known * (np.abs(apart).max(0) < limit).astype(np.float32)
    pieces = np.zeros(known.shape, np.int32)
    label(known & (np.abs(apart).max(0) > _APART), output=pieces)
    hole = ~known
    beside = hole.copy()
    for axis in (0, 1):
        for by in (1, -1):
            beside |= np.roll(hole, by, axis)
    sizes = np.bincount(pieces.ravel())
    for piece in np.unique(pieces[beside]).tolist():
        if piece == 0 or sizes[piece] < _FEWEST:
            continue
        own = pieces == piece
        corners = ellipse_of(own, hole) if apart[:, own].std(1).max() <= _EVEN else None
        if corners is not None:
            return corners
    return None
