"""Blending: at a seam a part has the colours beneath, further in its own, and its pattern everywhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.collage.arrangement import Arrangement
from engine.collage.assemble import CollageMaker
from engine.collage.blending import blend
from engine.collage.layers import Layer, Pixels
from engine.core.recipe import Recipe
from engine.core.vocabulary import Choice
from tests.engine.collage.creatures import make_crabs

EYE, FEET, CLAW, SHELL = range(4)
BLUE, ORANGE = (60, 80, 160), (200, 120, 60)


def patch(colour: tuple[int, int, int], left: int, top: int, part: int = 0) -> Layer:
    """A square of 100 pixels, opaque, with stripes of 10 brighter and darker."""
    image = np.full((100, 100, 4), (*colour, 255), np.uint8)
    image[:, ::2, :3] += 10
    image[:, 1::2, :3] -= 10
    return Layer(part, str(part), image, left, top)


def mean(image: Pixels, rows: slice) -> np.ndarray:
    return image[rows, 20:80, :3].reshape(-1, 3).mean(0)


def test_a_seam_has_the_colour_beneath_and_the_far_end_its_own() -> None:
    body, head = patch(ORANGE, 50, 100), patch(BLUE, 50, 20, 1)
    lower, upper = blend((body, head), 200, 220)
    assert lower is body, "what lies on nothing stays"
    assert mean(upper.image, slice(97, 100)) == pytest.approx(ORANGE, abs=25)
    assert mean(upper.image, slice(0, 30)) == pytest.approx(BLUE, abs=6)
    steps = np.diff([mean(upper.image, slice(row, row + 4))[0] for row in range(30, 96, 4)])
    assert steps.min() > -3, "evenly from the one to the other"
    stripes = upper.image[30:90, 20:80:2, 0].astype(int) - upper.image[30:90, 21:80:2, 0]
    assert np.median(stripes) == pytest.approx(20, abs=2), "its gradients stay"
    assert (upper.image[..., 3] == head.image[..., 3]).all() and (upper.left, upper.top) == (50, 20)


def test_parts_apart_hidden_or_outside_stay() -> None:
    apart = patch(ORANGE, 0, 0), patch(BLUE, 100, 110, 1)
    assert all(one is other for one, other in zip(blend(apart, 300, 300), apart, strict=True))
    hidden = replace(patch(ORANGE, 50, 100), visible=False), patch(BLUE, 50, 20, 1)
    assert all(one is other for one, other in zip(blend(hidden, 200, 220), hidden, strict=True))
    outside = patch(ORANGE, -60, -50), patch(BLUE, -90, 20, 1), patch(BLUE, 500, 500, 2)
    assert [layer.left for layer in blend(outside, 120, 90)] == [-60, -90, 500]


def test_a_recipe_asks_for_it_and_for_like_colours(tmp_path: Path) -> None:
    maker = CollageMaker(make_crabs(tmp_path, size=320))
    recipe = Recipe("crabs", (Choice(SHELL, 0, source="0"), Choice(CLAW, 3, source="3")))

    def claw(asked: Arrangement) -> Pixels:
        return next(layer.image for layer in maker.make(recipe, asked).layers if layer.part == CLAW)

    def red(image: Pixels) -> float:
        return float(image[image[..., 3] == 255][:, 0].mean())

    plain, matched, blended = claw(Arrangement()), claw(Arrangement(match_colours=True)), claw(Arrangement(blend=True))
    assert red(plain) == pytest.approx(140, abs=2) and 60 < red(matched) < 125, "between its own and the shell's 20"
    assert red(blended) < red(plain) - 5 and blended.shape == plain.shape
    assert (claw(Arrangement()) == plain).all(), "and nothing of it is kept for those who do not ask"
    own = Recipe("crabs", (Choice(SHELL, 0, source="0"), Choice(CLAW, 0, source="0")))
    assert maker.make(own, Arrangement(match_colours=True)).layers[-1].image is maker.make(own).layers[-1].image
