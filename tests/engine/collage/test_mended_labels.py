"""Found label maps are mended: what is clearly no ground belongs to the animal, what clearly is does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from engine.collage.anatomy import measure_pack
from engine.collage.assemble import CollageMaker
from engine.collage.layers import Pixels
from engine.collage.mended_labels import found_labels
from engine.core.image_files import open_picture, read_label_map
from engine.core.recipe import Recipe
from engine.core.segmentation import NO_PART, Segmentation
from engine.core.vocabulary import Choice
from tests.engine.collage.creatures import make_crabs

HEAD, BODY = 0, 1
PALE = (236, 226, 205)
Box = tuple[int, int, int, int]


def drawing(size: int = 192) -> tuple[Pixels, Pixels]:
    """A dark body and a pale head under a sky that grows lighter downwards, with a sun, above a hill, with a shadow;
    and the exact labels."""
    rows = np.linspace(0, 1, size)[:, None, None]
    sky = np.array([190, 205, 240]) * (1 - rows) + np.array([225, 230, 250]) * rows
    picture = Image.fromarray(np.broadcast_to(sky, (size, size, 3)).astype(np.uint8))
    labels = Image.new("L", (size, size), NO_PART)
    draw, mark = ImageDraw.Draw(picture), ImageDraw.Draw(labels)

    def ellipse(box: Box, colour: tuple[int, int, int], part: int | None = None) -> None:
        draw.ellipse(box, fill=colour)
        if part is not None:
            mark.ellipse(box, fill=part)

    draw.rectangle((0, 150, size, size), fill=(180, 170, 210))
    ellipse((150, 10, 185, 45), (245, 246, 252))
    ellipse((50, 158, 130, 170), (150, 142, 175))
    ellipse((50, 80, 120, 165), (60, 60, 90), BODY)
    ellipse((90, 40, 140, 90), PALE, HEAD)
    return np.asarray(picture), np.asarray(labels)


def cut(labels: Pixels, box: Box, part: int) -> Pixels:
    made = labels.copy()
    window = made[box[1] : box[3], box[0] : box[2]]
    window[window == part] = NO_PART
    return made


def without_its_left(labels: Pixels) -> Pixels:
    """A crab's labels without the left end of its shell (3)."""
    first = int(np.flatnonzero((labels == 3).any(0))[0])
    return cut(labels, (0, 0, first + 15, labels.shape[0]), 3)


def test_exact_labels_stay() -> None:
    picture, labels = drawing()
    assert found_labels(picture, labels) is labels


@pytest.mark.parametrize(("part", "box"), [(HEAD, (105, 40, 140, 80)), (BODY, (60, 100, 100, 140))])
def test_what_was_left_out_comes_back(part: int, box: Box) -> None:
    """A pale half of a head; a hole in a body."""
    picture, labels = drawing()
    found = cut(labels, box, part)
    mended = found_labels(picture, found)
    wrong = [(one != labels).mean() for one in (found, mended)]
    assert wrong[0] > 0.02 and wrong[1] < wrong[0] / 5
    assert (mended[150:, :40] == NO_PART).all() and (mended[:35, 145:] == NO_PART).all(), "neither hill nor sun"
    assert (mended[166:170, 120:128] == NO_PART).all(), "nor shadow"


def test_ground_that_was_taken_for_a_part_goes() -> None:
    picture, labels = drawing()
    found = labels.copy()
    found[60:130, 30:60][labels[60:130, 30:60] == NO_PART] = BODY
    mended = found_labels(picture, found)
    assert (mended[65:125, 33:48] == NO_PART).mean() > 0.9 and (mended[labels == BODY] == BODY).mean() > 0.97


def test_photographs_stay_as_they_are() -> None:
    picture, labels = drawing()
    noise = np.random.default_rng(0).normal(0, 12, picture.shape)
    photo = np.clip(picture + noise, 0, 255).astype(np.uint8)
    found = cut(labels, (105, 40, 140, 80), HEAD)
    assert found_labels(photo, found) is found


@pytest.mark.parametrize("labels", [np.full((9, 7), NO_PART, np.uint8), np.zeros((9, 7), np.uint8)])
def test_nothing_and_everything(labels: Pixels) -> None:
    assert found_labels(np.zeros((9, 7, 3), np.uint8), labels) is labels


def test_a_pack_is_told_by_most_of_its_references(tmp_path: Path) -> None:
    exact = make_crabs(tmp_path / "exact")
    assert not measure_pack(exact).mended
    found = make_crabs(tmp_path / "found")
    wholes = []
    for reference in found.references:
        labels = read_label_map(reference.labels)
        wholes.append((labels != NO_PART).sum())
        Image.fromarray(without_its_left(labels)).save(reference.labels)
    anatomy = measure_pack(found)
    assert anatomy.mended
    areas = [sum(part.area for part in anatomy.references[one.id].parts.values()) for one in found.references]
    assert areas == pytest.approx(wholes, rel=0.06), "measured as mended"
    shell = CollageMaker(found).make(Recipe("crabs", (Choice(3, 2, source="2"),))).layers[0].image
    assert (shell[..., 3] > 128).sum() > 0.8 * (read_label_map(exact.references[2].labels) == 3).sum()


def test_a_persons_own_drawing_is_mended_too(tmp_path: Path) -> None:
    pack, maker = make_crabs(tmp_path), CollageMaker(make_crabs(tmp_path / "same"))
    picture, labels = Path(pack.references[1].image), read_label_map(pack.references[1].labels)
    assert open_picture(picture).size == labels.shape[::-1]
    maker.add_picture("own", picture, Segmentation(without_its_left(labels), pack.references[1].codes))
    assert sum(part.area for part in maker.anatomy.references["own"].parts.values()) > 0.9 * (labels != NO_PART).sum()
