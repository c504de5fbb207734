"""Parts of a new pack: their names and colours."""

from __future__ import annotations

from engine.core.palette import PALETTE
from engine.segmentation.part_names import make_parts


def test_found_parts_have_colours_of_their_own_as_far_as_there_are_any() -> None:
    count = len(PALETTE)
    parts = make_parts([f"part {m}" for m in range(count + 1)], [False] * (count + 1))
    assert tuple(part.colour for part in parts) == (*PALETTE, PALETTE[0])
