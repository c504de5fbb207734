"""The colours of parts."""

from __future__ import annotations

import re

from engine.core.palette import PALETTE


def test_every_colour_is_one_of_a_kind_and_written_as_qt_and_the_web_do() -> None:
    assert len(set(PALETTE)) == len(PALETTE) == 16
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in PALETTE)
