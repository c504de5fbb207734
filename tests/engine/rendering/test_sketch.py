"""Sketches by a real pipeline of tiny random weights: what they show, and of which part of the collage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import UserError
from engine.core.image_files import open_picture
from engine.core.recipe import Recipe
from engine.core.start import Start
from engine.handlers import HANDLERS
from engine.models.loader import Models
from engine.rendering.render import render
from engine.worker.collage_jobs import Sketch, Sketched
from engine.worker.jobs import News, Progress, Render
from tests.engine.rendering.test_start_picture import recipe, silent

__all__ = ["recipe"]


def sketched(models: Models, pack: Path, recipe: Recipe, news: list[News] | None = None) -> Sketched:
    return HANDLERS[Sketch](models, Sketch(str(pack), recipe), silent if news is None else news.append)


def test_a_sketch_is_the_picture_that_a_render_keeps(
    tiny_pack: Path, models: Models, recipe: Recipe, tmp_path: Path
) -> None:
    asked = replace(recipe, start=Start(0.5), steps=4, count=1, seed=11)
    news: list[News] = []
    made = sketched(models, tiny_pack, asked, news)
    (creation,) = render(models, Render(str(tiny_pack), asked, str(tmp_path)), silent)
    assert np.array_equal(made.image, np.asarray(open_picture(Path(creation.path))))
    assert made.recipe == asked
    told = [one for one in news if isinstance(one, Progress) and one.total]
    assert [one.done for one in told] == [1, 2, 3, 4], "so that it can be cancelled after each step"
    assert len(list(tmp_path.iterdir())) == 1, "nothing else is kept"


def test_without_a_start_there_is_nothing_to_paint(tiny_pack: Path, models: Models, recipe: Recipe) -> None:
    with pytest.raises(UserError, match="no collage"):
        sketched(models, tiny_pack, replace(recipe, start=None))


def test_the_box_says_which_part_of_the_collage_was_painted(tiny_pack: Path, models: Models, recipe: Recipe) -> None:
    made = sketched(models, tiny_pack, replace(recipe, start=Start(0.5), steps=4))
    left, top, right, bottom = made.box
    assert 0 <= left < right <= 1 and 0 <= top < bottom <= 1
    assert max(right - left, bottom - top) == pytest.approx(1), "one of its sides is whole"
