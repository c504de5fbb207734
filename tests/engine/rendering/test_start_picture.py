"""What a render begins with: collages and creations at the render's size, their parts' places, and what is missing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.collage.arrangement import Arrangement, with_arrangement
from engine.collage.assemble import assemble
from engine.core.errors import JobCancelled, UserError
from engine.core.png_metadata import read_creation
from engine.core.recipe import Recipe
from engine.core.segmentation import NO_PART
from engine.core.start import Start
from engine.core.vocabulary import Choice
from engine.handlers import HANDLERS
from engine.models.loader import Models
from engine.packs.pack import CODEBOOK, Pack
from engine.rendering.collages import look_at, open_collage, picture_of, placed_labels
from engine.rendering.painter import open_painter
from engine.rendering.render import render
from engine.rendering.start_picture import open_start
from engine.worker.collage_jobs import Examine
from engine.worker.jobs import News, Preview, Progress, Render

SIDE = 64


def silent(_news: News) -> None: ...


@pytest.fixture
def recipe(tiny_pack: Path) -> Recipe:
    """All parts that the reference with most parts shows."""
    references = Pack.open(tiny_pack).references
    reference = max(references, key=lambda one: sum(code >= 0 for code in one.codes))
    choices = [Choice(part, code, source=reference.id) for part, code in enumerate(reference.codes) if code >= 0]
    spaced = [piece for choice in choices for piece in (choice, " ")]
    return Recipe("tiny", ("a photo of a ", *spaced, "bird"), seed=5, steps=4)


def begun(models: Models, folder: Path, recipe: Recipe, start: Start) -> Any:
    pack = Pack.open(folder)
    return open_start(models, pack, open_painter(models, pack), replace(recipe, start=start))


def pixels(path: str | Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_no_start_and_full_freedom_are_todays_render(
    tiny_pack: Path, models: Models, recipe: Recipe, tmp_path: Path
) -> None:
    assert begun(models, tiny_pack, recipe, Start(1.0)) is None
    made = [
        render(models, Render(str(tiny_pack), replace(recipe, start=start), str(tmp_path)), silent)[0]
        for start in (None, Start(1.0), Start(0.5))
    ]
    plain, free, bound = (pixels(creation.path) for creation in made)
    assert np.array_equal(plain, free) and np.abs(plain - bound).max() > 3
    assert all(arrival.where is None for arrival in made[1].receipt)


def test_a_collage_at_the_size_of_the_render(tiny_pack: Path, models: Models, recipe: Recipe) -> None:
    start = begun(models, tiny_pack, recipe, Start(0.4))
    collage = assemble(recipe, Pack.open(tiny_pack))
    assert start.image.size == (SIDE, SIDE) and start.labels.shape == (SIDE, SIDE) and start.changes is None
    whole = picture_of(collage).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    assert np.array_equal(np.asarray(start.image), np.asarray(whole))
    assert {NO_PART} < set(np.unique(start.labels)) <= {NO_PART, *(choice.part for choice in recipe.choices)}
    large = begun(models, tiny_pack, replace(recipe, size=128), Start(0.4))
    assert large.image.size == (128, 128)


def test_no_freedom_gives_the_collage_back(tiny_pack: Path, models: Models, recipe: Recipe, tmp_path: Path) -> None:
    seen: list[News] = []
    job = Render(str(tiny_pack), replace(recipe, start=Start(0.0), count=2), str(tmp_path))
    made = render(models, job, seen.append)
    start = begun(models, tiny_pack, recipe, Start(0.0))
    for creation in made:
        assert np.array_equal(pixels(creation.path), np.asarray(start.image))
    assert not any(isinstance(news, Preview) for news in seen)


def test_repeated_it_is_equal_to_the_bit_and_says_where(
    tiny_pack: Path, models: Models, recipe: Recipe, tmp_path: Path
) -> None:
    job = Render(str(tiny_pack), replace(recipe, start=Start(0.5), steps=10), str(tmp_path))
    seen: list[News] = []
    (first,), (again,) = render(models, job, seen.append), render(models, job, silent)
    assert np.array_equal(pixels(first.path), pixels(again.path))
    kept = read_creation(first.path)
    assert kept.recipe.start == Start(0.5) and kept.receipt == first.receipt
    assert len(kept.receipt) == len(recipe.choices)
    shown = set(np.unique(begun(models, tiny_pack, recipe, Start(0.5)).labels))
    for arrival in kept.receipt:
        assert (arrival.where is not None) == (arrival.part in shown) and 0 <= (arrival.where or 0.0) <= 1
    done = [news.done for news in seen if isinstance(news, Progress) and news.total]
    assert done == [1, 2, 3, 4, 5], "half of the ten steps"


def test_a_persons_arrangement_counts(tiny_pack: Path, models: Models, recipe: Recipe) -> None:
    grounded = begun(models, tiny_pack, recipe, Start(0.4))
    arranged = with_arrangement(recipe, Arrangement(ground=(255, 0, 0)))
    red = begun(models, tiny_pack, arranged, Start(0.4))
    assert np.array_equal(grounded.labels, red.labels)
    assert tuple(np.asarray(red.image)[0, 0]) == (255, 0, 0)
    bare = begun(models, tiny_pack, with_arrangement(recipe, Arrangement(ground="none")), Start(0.4))
    assert tuple(np.asarray(bare.image)[0, 0]) == (255, 255, 255)


def test_a_creation_is_the_start(tiny_pack: Path, models: Models, recipe: Recipe, tmp_path: Path) -> None:
    (made,) = render(models, Render(str(tiny_pack), recipe, str(tmp_path)), silent)
    begins = Start(0.4, made.path)
    start = begun(models, tiny_pack, recipe, begins)
    assert np.array_equal(np.asarray(start.image), pixels(made.path)) and start.labels.shape == (SIDE, SIDE)
    (second,) = render(models, Render(str(tiny_pack), replace(recipe, start=begins), str(tmp_path)), silent)
    assert second.recipe.start == read_creation(second.path).recipe.start == begins


def test_one_part_of_a_creation_changes_and_the_rest_stays(
    tiny_pack: Path, models: Models, recipe: Recipe, tmp_path: Path
) -> None:
    pack = Pack.open(tiny_pack)
    picture = next(one.image for one in pack.references if one.id == recipe.choices[0].source)
    plain = begun(models, tiny_pack, recipe, Start(0.9, picture))
    part = int(min(set(np.unique(plain.labels)) - {NO_PART}, key=lambda part: (plain.labels == part).sum()))
    start = begun(models, tiny_pack, recipe, Start(0.9, picture, only=(part,)))
    job = Render(str(tiny_pack), replace(recipe, start=Start(0.9, picture, only=(part,)), count=2), str(tmp_path))
    for creation in render(models, job, silent):
        changed = np.abs(pixels(creation.path) - np.asarray(start.image).astype(int)).max(axis=2) > 0
        assert changed[start.labels == part].mean() > 0.5
        assert not changed[start.changes == 0].any() and (start.changes == 0).any()


@pytest.mark.parametrize(
    ("size", "render_size"), [((512, 512), (64, 64)), ((400, 300), (72, 56)), ((300, 400), (56, 72)),
                              ((900, 300), (88, 48)), ((130, 128), (64, 64)), ((3, 2), (80, 48))],
)  # fmt: skip
def test_pictures_of_any_shape_keep_it_within_reason(
    tiny_pack: Path, models: Models, recipe: Recipe, tmp_path: Path, size: tuple[int, int], render_size: tuple[int, int]
) -> None:
    Image.new("RGB", size, "teal").save(tmp_path / "start.png")
    start = begun(models, tiny_pack, recipe, Start(0.4, str(tmp_path / "start.png")))
    assert start.image.size == render_size
    (made,) = render(
        models, Render(str(tiny_pack), replace(recipe, start=Start(0.4, str(tmp_path / "start.png"))), str(tmp_path)),
        silent,
    )  # fmt: skip
    with Image.open(made.path) as picture:
        assert picture.size == render_size


def test_cancelling(tiny_pack: Path, models: Models, recipe: Recipe, tmp_path: Path) -> None:
    steps: list[News] = []

    def cancel(news: News) -> None:
        if isinstance(news, Progress) and news.total:
            steps.append(news)
            if len(steps) == 2:
                raise JobCancelled

    with pytest.raises(JobCancelled):
        render(models, Render(str(tiny_pack), replace(recipe, start=Start(0.9)), str(tmp_path)), cancel)
    assert len(steps) == 2 and not list(tmp_path.glob("*.png"))


def test_what_is_gone_is_told(tiny_pack: Path, models: Models, recipe: Recipe, tmp_path: Path) -> None:
    def told(match: str, start: Start, pack: Path = tiny_pack, recipe: Recipe = recipe) -> None:
        with pytest.raises(UserError, match=match) as caught:
            render(models, Render(str(pack), replace(recipe, start=start), str(tmp_path)), silent)
        assert caught.value.hint

    told("lost.png, is not there any more", Start(0.5, str(tmp_path / "lost.png")))
    told("is not there any more", Start(0.5, "long" * 2000))
    (tmp_path / "text.png").write_text("no picture")
    told("text.png is not a picture", Start(0.5, str(tmp_path / "text.png")))
    told("No part has been chosen", Start(0.5), recipe=replace(recipe, prompt=("a bird",)))
    strange = replace(recipe, prompt=tuple(
        replace(piece, source="long" * 2000) if isinstance(piece, Choice) else piece for piece in recipe.prompt
    ))  # fmt: skip
    assert begun(models, tiny_pack, strange, Start(0.5)), "another reference shows it"
    Image.new("RGB", (64, 64), "white").save(tmp_path / "empty.png")
    told("shows no part number 99", Start(0.5, only=(99,)))
    broken = tmp_path / "broken"
    shutil.copytree(tiny_pack, broken)
    (broken / "anatomy.json").unlink(missing_ok=True)
    Path(Pack.open(broken).references[0].image).unlink()
    told("is not there any more", Start(0.5), broken)
    blind = tmp_path / "blind"
    shutil.copytree(tiny_pack, blind)
    (blind / CODEBOOK).unlink()
    told("cannot be told apart", Start(0.5, str(tmp_path / "empty.png"), only=(0,)), blind)


def test_without_eyes_a_creation_is_still_a_start(
    tiny_pack: Path, models: Models, recipe: Recipe, tmp_path: Path
) -> None:
    shutil.copytree(tiny_pack, tmp_path / "blind")
    (tmp_path / "blind" / CODEBOOK).unlink()
    Image.new("RGB", (64, 64), "white").save(tmp_path / "start.png")
    job = Render(str(tmp_path / "blind"), replace(recipe, start=Start(0.5, str(tmp_path / "start.png"))), str(tmp_path))
    (made,) = render(models, job, silent)
    assert made.receipt == ()


def test_a_collage_has_a_receipt_with_places(tiny_pack: Path, models: Models, recipe: Recipe) -> None:
    result = HANDLERS[Examine](models, Examine(str(tiny_pack), recipe), silent)
    assert result.recipe == recipe and [arrival.part for arrival in result.receipt] == [
        choice.part for choice in recipe.choices
    ]
    assert sum(arrival.arrived for arrival in result.receipt) > len(result.receipt) / 2
    shown, _ = placed_labels(assemble(recipe, Pack.open(tiny_pack)))
    large = [arrival for arrival in result.receipt if (shown == arrival.part).mean() > 0.02]
    assert large and np.mean([arrival.where or 0.0 for arrival in large]) > 0.4
    hidden = [arrival for arrival in result.receipt if not (shown == arrival.part).any()]
    assert all(arrival.where is None for arrival in hidden)


def test_labels_say_which_part_is_on_top(tiny_pack: Path, recipe: Recipe) -> None:
    collage = assemble(recipe, Pack.open(tiny_pack))
    labels, _ = placed_labels(collage)
    assert labels.shape == (collage.height, collage.width)
    top = collage.layers[-1]
    rows, columns = np.nonzero(top.image[..., 3] > 200)
    inside = (
        (rows + top.top >= 0) & (rows + top.top < collage.height)
        & (columns + top.left >= 0) & (columns + top.left < collage.width)
    )  # fmt: skip
    assert (labels[rows[inside] + top.top, columns[inside] + top.left] == top.part).all()


def test_two_of_one_part_are_told_apart(tiny_pack: Path, models: Models, recipe: Recipe) -> None:
    pack = Pack.open(tiny_pack)
    part = recipe.choices[0].part
    codes = sorted({one.codes[part] for one in pack.references if one.codes[part] >= 0})[:2]
    twins = replace(recipe, prompt=("a ", Choice(part, codes[0]), " ", Choice(part, codes[-1]), " bird"))
    start = begun(models, tiny_pack, twins, Start(0.5))
    first, second = start.place_of(part, 0), start.place_of(part, 1)
    assert first.any() and second.any() and not (first & second).any()
    assert np.array_equal(first | second, start.labels == part)
    assert np.array_equal(start.place_of(part, 7), start.labels == part), "nobody knows which"


def test_a_persons_own_picture_is_a_source(tiny_pack: Path, models: Models, recipe: Recipe, tmp_path: Path) -> None:
    pack = Pack.open(tiny_pack)
    reference = next(one for one in pack.references if one.id == recipe.choices[0].source)
    own = tmp_path / "my own bird.png"
    with Image.open(reference.image) as picture:
        picture.convert("RGB").resize((120, 120)).save(own)
    with Image.open(own) as picture:
        seen = look_at(models, pack, picture)
    shown = set(np.unique(seen.labels)) - {NO_PART}
    choices = [Choice(part, code, source=str(own)) for part, code in enumerate(seen.codes) if part in shown]
    words = replace(recipe, prompt=("a ", *choices, " bird"))
    collage = open_collage(models, pack, words)
    assert (collage.width, collage.height) == (120, 120)
    assert {layer.source for layer in collage.layers} == {str(own)}
    job = Render(str(tiny_pack), replace(words, start=Start(0.4)), str(tmp_path))
    (made,) = render(models, job, silent)
    assert len(made.receipt) == len(choices)
    own.write_text("no picture any more")
    with pytest.raises(UserError, match="not a picture"):
        render(models, job, silent)
