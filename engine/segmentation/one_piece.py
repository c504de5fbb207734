"""Which parts of a folder's pictures are in one piece: the pictures themselves say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.packs.foreground import centred_cells
from engine.packs.part_pieces import largest_share

_PICTURES: Final = 48
"""So many are asked, from all over the folder: more say the same."""
_FEWEST: Final = 8
"""Fewer that show a part say nothing of it."""
_CELLS: Final = 4
"""A part of fewer cells is no witness."""
_WHOLE: Final = 0.95
"""The median share of a part's largest piece: of 40 birds and 60 dogs 1.0 for head, body, back and tail end, .8 for
legs."""

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


def parts_in_one_piece(
    maps: Sequence[Floats], masks: Sequence[Bools], clusters: Floats, members: Sequence[Sequence[int]]
) -> tuple[int, ...]:
    """The parts that are in one piece in most pictures that show them.

    ``maps`` are feature maps (C, H, W), ``masks`` their foregrounds (H, W), ``clusters`` unit centroids (P, C) of
    centred cells, ``members`` the clusters of each part.
    """
    part_of = np.empty(len(clusters), np.int64)
    for part, group in enumerate(members):
        part_of[list(group)] = part
    shares: list[list[float]] = [[] for _ in members]
    for index in np.unique(np.linspace(0, len(maps) - 1, _PICTURES).round().astype(int)):
        mask = masks[index]
        labels = np.where(mask, part_of[(centred_cells(maps[index], mask) @ clusters.T).argmax(axis=2)], -1)
        for part, seen in enumerate(shares):
            own = labels == part
            if own.sum() >= _CELLS:
                seen.append(largest_share(own))
    return tuple(part for part, seen in enumerate(shares) if len(seen) >= _FEWEST and float(np.median(seen)) >= _WHOLE)
