"""Parts in one piece: an animal has one head, wherever else on it a cell looks like one.

A cell is given to the part that it looks like most, alone. Where a rump looks like the side of a face, it becomes a
second head, and whoever takes the head gets both. Which parts are in one piece the pictures of a folder say (most heads
are, legs are not: :mod:`engine.segmentation.one_piece`); of such a part each object keeps the piece that is most of it,
and the cells of the others are what they look like next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.packs.foreground import Bools, Floats, pieces_of

_LEAST: Final = -1.0
"""No cosine is less: what has it is chosen last."""


def without_strays(cosines: Floats, mask: Bools, whole: Sequence[int]) -> Floats:
    """How like each part the cells of a foreground (H, W) are, float32 (H, W, M), with -1 for the parts ``whole`` where
    a piece of one is not the one of its object (a connected piece of the foreground) with the largest sum.

    A cell keeps at least one part. Nothing is changed in place.
    """
    cosines = cosines.copy()
    objects = pieces_of(mask)
    found = True
    while found:  # what is given to another part may be a stray piece there, too
        labels = np.where(mask, cosines.argmax(axis=2), -1)
        strays = [(part, _strays(labels == part, objects, cosines[..., part])) for part in whole]
        found = False
        for part, stray in strays:
            stray &= (cosines > _LEAST).sum(axis=2) > 1
            cosines[stray, part] = _LEAST
            found |= bool(stray.any())
    return cosines


def largest_share(mask: Bools) -> float:
    """How much of a mask (H, W) is its largest piece, 0 (empty) to 1."""
    names = pieces_of(mask)[mask]
    return float(np.unique(names, return_counts=True)[1].max() / len(names)) if len(names) else 0.0


def _strays(part: Bools, objects: npt.NDArray[np.int64], likeness: Floats) -> Bools:
    """The cells of a part that are not of its main piece in their object."""
    pieces = pieces_of(part)
    names, at = np.unique(pieces[part], return_inverse=True)
    strays = np.zeros(part.shape, np.bool_)
    if len(names) < 2:
        return strays
    weights = np.bincount(at, np.maximum(likeness[part], 0))
    owners = np.zeros(len(names), np.int64)
    owners[at] = objects[part]
    main = {int(owner): max(np.flatnonzero(owners == owner), key=lambda piece: weights[piece]) for owner in owners}
    strays[part] = at != np.array([main[int(owner)] for owner in owners])[at]
    return strays
