"""Layers make a picture: over each other, beside the canvas, on nothing."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.collage.layers import Collage, Layer, flatten


def layer(colour: tuple[int, int, int, int], left: int, top: int, size: int = 4, visible: bool = True) -> Layer:
    return Layer(0, "head", np.full((size, size, 4), colour, np.uint8), left, top, visible)


def test_the_upper_layer_covers_and_a_hidden_one_does_not() -> None:
    red, blue = layer((255, 0, 0, 255), 0, 0), layer((0, 0, 255, 255), 2, 2)
    picture = flatten(Collage(8, 8, (red, blue)))
    assert picture[0, 0].tolist() == [255, 0, 0, 255] and picture[3, 3].tolist() == [0, 0, 255, 255]
    assert picture[7, 7, 3] == 0
    hidden = layer((0, 0, 255, 255), 2, 2, visible=False)
    assert flatten(Collage(8, 8, (red, hidden)))[3, 3].tolist() == [255, 0, 0, 255]


@given(st.integers(-9, 9), st.integers(-9, 9), st.integers(0, 255))
def test_it_is_what_pillow_makes_of_it(left: int, top: int, alpha: int) -> None:
    ground = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    piece = np.random.default_rng(1).integers(0, 256, (5, 5, 4), dtype=np.uint8)
    piece[..., 3] = alpha
    made = flatten(Collage(8, 8, (Layer(0, "wing", piece, left, top),), ground))
    whole = Image.new("RGBA", (8, 8))
    whole.paste(Image.fromarray(piece), (left, top))
    wanted = Image.alpha_composite(Image.fromarray(ground).convert("RGBA"), whole)
    assert np.abs(made.astype(int) - np.asarray(wanted).astype(int)).max() <= 1
