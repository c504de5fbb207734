"""Cut-outs and the ground behind them."""

from __future__ import annotations

import numpy as np

from engine.collage.cut_outs import cut_out, fill_ground
from engine.core.segmentation import NO_PART


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A red square (part 0) on green ground."""
    picture = np.full((20, 20, 3), (0, 200, 0), np.uint8)
    labels = np.full((20, 20), NO_PART, np.uint8)
    picture[5:12, 6:14], labels[5:12, 6:14] = (200, 0, 0), 0
    return picture, labels


def test_a_part_is_cut_where_it_stands() -> None:
    picture, labels = scene()
    made = cut_out(picture, labels, 0)
    assert made is not None and made.image[..., 3].any()
    middle = made.image[8 - made.top, 10 - made.left]
    assert middle.tolist() == [200, 0, 0, 255]
    assert cut_out(picture, labels, 1) is None


def test_the_ground_goes_on_behind_it() -> None:
    picture, labels = scene()
    assert (fill_ground(picture, labels) == (0, 200, 0)).all()
    assert fill_ground(picture, np.zeros_like(labels)).shape == picture.shape, "a picture without any ground"
