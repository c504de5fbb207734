"""Symbols and parts are seen on either theme."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor

from engine.core.palette import PALETTE
from partcraft_desktop.widgets.part_glyphs import SEEN, contrast, crop_ground, mixed, seen_on
from partcraft_desktop.widgets.theme import DARK, LIGHT


@pytest.mark.parametrize("colour", [*PALETTE, "#000000", "#0000ff"])
def test_every_symbol_is_seen_on_dark_ground(colour: str) -> None:
    own = QColor(colour)
    for surface in (DARK.ground, DARK.surface, DARK.raised):
        for ground in (QColor(surface), mixed(QColor(surface), own, 0.22)):
            assert contrast(seen_on(own, ground), ground) >= SEEN
    assert seen_on(own, QColor(LIGHT.surface)) == own


@pytest.mark.parametrize("colour", PALETTE)
def test_black_parts_are_seen_on_the_tiles_of_both_themes_and_white_ones_in_the_dark(colour: str) -> None:
    dark, light = (crop_ground(QColor(theme.surface), QColor(colour)) for theme in (DARK, LIGHT))
    assert contrast(QColor("#101010"), dark) >= SEEN and contrast(QColor("#101010"), light) >= SEEN
    assert contrast(QColor("#ffffff"), dark) >= 2.5
