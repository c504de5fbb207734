"""Colours of a cut-out matched to those of another picture."""

from __future__ import annotations

import numpy as np
import pytest

from engine.collage.colour_matching import match_colours


def noise(seed: int, middle: tuple[int, int, int], spread: float, channels: int = 4) -> np.ndarray:
    """An image (40, 50, channels) around a colour; the left half is transparent and of another colour."""
    colours = np.array(middle) + spread * np.random.default_rng(seed).standard_normal((40, 50, 3))
    image = np.full((40, 50, 4), 255, np.uint8)
    image[..., :3] = np.clip(colours, 0, 255)
    if channels == 4:
        image[:, :25] = (255, 0, 255, 0)
    return image[..., :channels]


@pytest.mark.parametrize("channels", [3, 4])
def test_mean_and_spread_become_those_of_the_other(channels: int) -> None:
    image, like = noise(0, (90, 110, 160), 12), noise(1, (170, 140, 100), 18, channels)
    made = match_colours(image, like)
    shown, wanted = made[:, 25:, :3].reshape(-1, 3), like[:, 25:, :3].reshape(-1, 3)
    assert np.abs(shown.mean(0) - wanted.mean(0)).max() < 4
    assert np.abs(shown.std(0) - wanted.std(0)).max() < 4
    assert (made[..., 3] == image[..., 3]).all() and (made[:, :25] == image[:, :25]).all()


def test_amount_is_how_far_it_goes() -> None:
    image, like = noise(0, (90, 110, 160), 12), noise(1, (170, 140, 100), 18)
    assert (match_colours(image, like, 0) == image).all()
    means = [match_colours(image, like, amount)[:, 25:, 0].mean() for amount in (0, 0.5, 1)]
    assert means[0] + 20 < means[1] < means[2] - 20


def test_like_itself_it_stays_and_nothing_visible_is_no_model() -> None:
    image = noise(0, (90, 110, 160), 12)
    assert np.abs(match_colours(image, image).astype(int) - image).max() <= 1
    assert (match_colours(image, np.zeros((5, 5, 4), np.uint8)) == image).all()
    empty = np.zeros((1, 1, 4), np.uint8)
    assert (match_colours(empty, image) == empty).all()
