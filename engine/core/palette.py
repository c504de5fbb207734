"""The colours of parts, told apart by colour-blind eyes as well."""

from __future__ import annotations

from typing import Final

PALETTE: Final = (
    "#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#0072b2", "#d55e00", "#f0e442", "#7b4fa3",
    "#8a5a2b", "#44aa99", "#999933", "#882255", "#6699cc", "#aa4466", "#117733", "#ddcc77",
)  # fmt: skip
"""Colours of parts, in the order they are given out; told apart by colour-blind eyes as well as sixteen can be."""
