"""Cut-outs and the ground behind them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from scipy.ndimage import distance_transform_edt

from engine.collage.cut_outs import CutOut, cut_out, fill_ground, gradient_ground, plain_ground
from engine.collage.layers import Collage, Layer, flatten
from engine.core.paths import starter_pack
from engine.core.segmentation import NO_PART

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

RED, GREEN = (200, 30, 30), (20, 200, 20)


def scene() -> tuple[Pixels, Pixels]:
    """A red square (part 0) on green ground."""
    picture = np.full((20, 20, 3), (0, 200, 0), np.uint8)
    labels = np.full((20, 20), NO_PART, np.uint8)
    picture[5:12, 6:14], labels[5:12, 6:14] = (200, 0, 0), 0
    return picture, labels


def disc(size: int, x: float, y: float, radius: float) -> Mask:
    rows, columns = np.mgrid[:size, :size]
    return (columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2 <= radius**2


def soft_disc(size: int) -> tuple[Pixels, Pixels]:
    """A red disc (part 0) with a smooth edge on green ground, and its exact labels."""
    away = np.arange(size) - (size / 2 - 0.5)
    share = np.clip(0.3 * size - np.hypot(away[:, None], away) + 0.5, 0, 1)[..., None]
    picture = np.rint(share * RED + (1 - share) * GREEN).astype(np.uint8)
    return picture, np.where(disc(size, size / 2, size / 2, 0.3 * size), np.uint8(0), np.uint8(NO_PART))


def depth(mask: Mask) -> npt.NDArray[np.float64]:
    """How far each true pixel is from the nearest false one, in pixels; 0 where it is false."""
    distances = np.zeros(mask.shape)
    distance_transform_edt(mask, distances=distances)
    return distances


def hard(picture: Pixels, labels: Pixels, part: int) -> CutOut:
    """The cut-out of a mask as it is: every pixel of the part, opaque."""
    return CutOut(np.dstack([picture, np.where(labels == part, np.uint8(255), np.uint8(0))]), 0, 0)


def laid(piece: CutOut, ground: Pixels) -> npt.NDArray[np.float32]:
    """The colours of a cut-out on a ground."""
    layer = Layer(0, "part", piece.image, piece.left, piece.top)
    picture = flatten(Collage(ground.shape[1], ground.shape[0], (layer,), ground))
    return picture[..., :3].astype(np.float32)


def fringe(piece: CutOut, size: int) -> float:
    """How much green of the old ground is left in a red part that is laid on blue: the most of any pixel, 0 to 255."""
    return float(laid(piece, plain_ground((20, 30, 200), (size, size)))[..., 1].max()) - 30


def whole_alpha(piece: CutOut, shape: tuple[int, ...]) -> Pixels:
    alpha = np.zeros(shape, np.uint8)
    height, width = piece.image.shape[:2]
    alpha[piece.top : piece.top + height, piece.left : piece.left + width] = piece.image[..., 3]
    return alpha


def must_cut(picture: Pixels, labels: Pixels, part: int, covered_by: tuple[int, ...] = ()) -> CutOut:
    piece = cut_out(picture, labels, part, covered_by=covered_by)
    assert piece is not None
    return piece


def test_a_part_is_cut_where_it_stands() -> None:
    picture, labels = scene()
    made = cut_out(picture, labels, 0)
    assert made is not None and made.image[..., 3].any()
    middle = made.image[8 - made.top, 10 - made.left]
    assert middle.tolist() == [200, 0, 0, 255]
    assert cut_out(picture, labels, 1) is None


@pytest.mark.parametrize("size", [128, 512])
def test_nothing_of_the_old_ground_is_left_at_the_edge(size: int) -> None:
    picture, labels = soft_disc(size)
    piece = must_cut(picture, labels, 0)
    assert fringe(piece, size) <= 12 < 60 < fringe(hard(picture, labels, 0), size)
    assert piece.image[..., 1].max() <= RED[1] + 20, "nor is there any where it is transparent, for who stretches it"


@pytest.mark.parametrize("block", [2, 4, 8])
def test_coarse_labels_follow_the_edge_of_the_picture(block: int) -> None:
    picture, exact = soft_disc(512)
    labels = np.kron(exact[block // 2 :: block, block // 2 :: block], np.ones((block, block), np.uint8))
    soft, rough = cut_out(picture, labels, 0, feather=2), hard(picture, labels, 0)
    assert soft is not None and fringe(soft, 512) < 0.4 * fringe(rough, 512)
    ground, truth = plain_ground((20, 30, 200), (512, 512)), np.where(exact[..., None] == 0, RED, (20, 30, 200))
    edge = (depth(exact == 0) <= 6) & (depth(exact != 0) <= 6)
    errors = [np.abs(laid(piece, ground) - truth)[edge].mean() for piece in (soft, rough)]
    assert errors[0] < 0.5 * errors[1]


@pytest.mark.parametrize("size", [128, 512, 2048])
def test_alpha_is_whole_inside_and_none_outside(size: int) -> None:
    picture, labels = soft_disc(size)
    alpha, reach = whole_alpha(must_cut(picture, labels, 0), labels.shape), size / 128 + 1
    assert (alpha[depth(labels == 0) > reach] == 255).all()
    assert not alpha[depth(labels != 0) > reach].any()
    soft = (alpha > 20) & (alpha < 235)
    assert soft.any() and np.abs(alpha[labels == 0].size - alpha.sum() / 255) < 0.02 * (labels == 0).sum()


def test_the_inside_is_the_pictures_own() -> None:
    generator = np.random.default_rng(0)
    picture, labels = soft_disc(128)
    picture = np.where((labels == 0)[..., None], generator.integers(0, 255, picture.shape, np.uint8), picture)
    piece = must_cut(picture, labels, 0)
    deep = depth(labels == 0) > 3
    assert (laid(piece, picture)[deep] == picture[deep]).all()


@pytest.mark.parametrize("radius", [20, 35])
@pytest.mark.parametrize("shift", [30, 48])
def test_a_disc_goes_on_beneath_another(radius: int, shift: int) -> None:
    size, whole = 200, disc(200, 90, 100, 50)
    cover = disc(size, 90 + shift, 100, radius)
    labels = np.full((size, size), NO_PART, np.uint8)
    labels[whole], labels[cover] = 0, 1
    picture = np.full((size, size, 3), GREEN, np.uint8)
    picture[whole], picture[cover] = RED, (20, 30, 200)
    piece = must_cut(picture, labels, 0, (1,))
    alpha = whole_alpha(piece, labels.shape)
    assert ((alpha > 127) != whole).sum() < 0.03 * whole.sum()
    colours = piece.image[piece.image[..., 3] > 127][:, :3].astype(int)
    assert np.abs(colours - RED).max() <= 6, "beneath the cover it is as red as elsewhere"
    shown = whole_alpha(must_cut(picture, labels, 0), labels.shape)
    assert not shown[cover & (depth(labels == 1) > 3)].any(), "only what is asked for is completed"


def test_a_hole_is_closed_and_the_colours_of_its_rim_go_on() -> None:
    size = 128
    labels = np.full((size, size), NO_PART, np.uint8)
    labels[disc(size, 64, 64, 50)], labels[disc(size, 64, 64, 20)] = 0, 1
    slope = gradient_ground((250, 100, 20), (50, 200, 20), (size, size))
    picture = np.where((labels == 1)[..., None], np.uint8(0), slope)
    piece = must_cut(picture, labels, 0, (1,))
    made = laid(piece, slope)
    assert np.abs(made - slope)[disc(size, 64, 64, 45)].mean() < 8
    assert (whole_alpha(piece, labels.shape)[disc(size, 64, 64, 45)] == 255).all()


def test_what_is_completed_has_the_grain_of_the_part() -> None:
    noise = np.clip(128 + 25 * np.random.default_rng(0).standard_normal((256, 256, 3)), 0, 255).astype(np.uint8)
    part, cover = disc(256, 128, 128, 110), disc(256, 128, 128, 40)
    labels = np.where(cover, np.uint8(1), np.where(part, np.uint8(0), np.uint8(NO_PART)))
    picture = np.where((labels == 0)[..., None], noise, np.uint8(20))
    made = laid(must_cut(picture, labels, 0, (1,)), picture)[cover]
    assert abs(float(made.mean()) - 128) < 4 and 18 < float(made.std()) < 30


def test_the_ground_goes_on_behind_it() -> None:
    picture, labels = scene()
    assert (fill_ground(picture, labels) == (0, 200, 0)).all()
    assert fill_ground(picture, np.zeros_like(labels)).shape == picture.shape, "a picture without any ground"


def nearest_fill(picture: Pixels, labels: Pixels) -> Pixels:
    """Each pixel of a part in the colour of the nearest one that is ground."""
    nearest = np.zeros((2, *labels.shape), np.int32)
    distance_transform_edt(labels != NO_PART, return_distances=False, return_indices=True, indices=nearest)
    return picture[nearest[0], nearest[1]]


def hole_errors(ground: Pixels) -> tuple[float, float]:
    """The mean error of the filling of a disc and, for comparison, that of the nearest pixels."""
    size = len(ground)
    hole = disc(size, size / 2, size / 2, 0.3 * size)
    labels = np.where(hole, np.uint8(0), np.uint8(NO_PART))
    picture = np.where(hole[..., None], np.uint8(0), ground)
    fills = fill_ground(picture, labels), nearest_fill(picture, labels)
    mine, nearest = (float(np.abs(fill.astype(int) - ground)[hole].mean()) for fill in fills)
    return mine, nearest


@pytest.mark.parametrize("size", [100, 256, 512])
def test_a_slope_of_colour_is_found_again(size: int) -> None:
    slope = gradient_ground((250, 220, 150), (150, 220, 250), (size, size))
    aslant = ((slope.astype(int) + slope.transpose(1, 0, 2)) // 2).astype(np.uint8)
    for ground in (slope, slope.transpose(1, 0, 2), aslant):
        mine, nearest = hole_errors(np.ascontiguousarray(ground))
        assert mine < 1 < 2.5 < nearest


@pytest.mark.parametrize("upright", [False, True])
def test_stripes_go_on(upright: bool) -> None:
    rows = np.repeat(128 + 80 * np.sin(np.arange(256) / 9)[:, None, None], 256, 1)
    stripes = np.repeat(rows, 3, 2).astype(np.uint8)
    mine, nearest = hole_errors(np.ascontiguousarray(stripes.transpose(1, 0, 2)) if upright else stripes)
    assert mine < 12 < 40 < nearest


def test_a_horizon_goes_on_level() -> None:
    ground = plain_ground((200, 220, 250), (256, 256))
    ground[100:] = (150, 190, 140)
    mine, nearest = hole_errors(ground)
    assert mine < 2.5 < 6 < nearest


def test_grain_goes_on_and_is_as_strong_as_around() -> None:
    generator = np.random.default_rng(0)
    noise = np.clip(128 + 25 * generator.standard_normal((256, 256, 3)), 0, 255).astype(np.uint8)
    hole = disc(256, 128, 128, 60)
    labels = np.where(hole, np.uint8(0), np.uint8(NO_PART))
    filled = fill_ground(np.where(hole[..., None], np.uint8(0), noise), labels)[hole]
    assert abs(float(filled.mean()) - 128) < 4
    assert 18 < float(filled.std()) < 30
    streaks = np.abs(np.diff(nearest_fill(noise, labels).astype(int), axis=0))[1:][hole[2:]].mean()
    assert streaks < 0.8 * np.abs(np.diff(noise.astype(int), axis=0)).mean(), "the nearest pixels make streaks"


def test_what_is_not_of_the_animal_stays_and_its_edge_does_not_bleed() -> None:
    picture, labels = soft_disc(256)
    filled = fill_ground(picture, labels).astype(int)
    assert (filled[depth(labels != 0) > 12] == GREEN).all()
    assert np.abs(filled - GREEN).max() <= 1


def test_the_starters_birds_leave_a_calm_ground() -> None:
    """No filled pixel is far from all colours of the ground around."""
    for name in ("canary", "peacock", "owl"):
        picture = np.asarray(Image.open(starter_pack() / "references" / f"{name}.png").convert("RGB"))
        labels = np.asarray(Image.open(starter_pack() / "labels" / f"{name}.png"))
        filled, ground = fill_ground(picture, labels).astype(int), picture[labels == NO_PART].astype(int)
        low, high = np.percentile(ground, 1, axis=0), np.percentile(ground, 99, axis=0)
        assert ((filled >= low - 8) & (filled <= high + 8)).all(-1).mean() > 0.99


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 24), st.integers(1, 24), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
def test_any_labels_can_be_cut_and_filled(height: int, width: int, seed: int, share: float) -> None:
    generator = np.random.default_rng(seed)
    picture = generator.integers(0, 256, (height, width, 3), np.uint8)
    labels = np.where(generator.random((height, width)) < share, generator.integers(0, 3, (height, width)), NO_PART)
    labels = labels.astype(np.uint8)
    filled = fill_ground(picture, labels)
    assert filled.shape == picture.shape and filled.dtype == np.uint8
    for part in range(3):
        piece = cut_out(picture, labels, part, covered_by=tuple({0, 1, 2} - {part}))
        assert (piece is None) == (not (labels == part).any())
        if piece is not None:
            bottom, right = piece.top + piece.image.shape[0], piece.left + piece.image.shape[1]
            assert 0 <= piece.top < bottom <= height and 0 <= piece.left < right <= width
            assert piece.image.dtype == np.uint8 and piece.image.shape[2] == 4


def test_a_picture_that_is_all_part_is_cut_whole() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    piece = must_cut(picture, np.zeros((40, 30), np.uint8), 0)
    assert (piece.image[..., 3] == 255).all() and (piece.image[..., :3] == picture).all()
    assert (fill_ground(picture, np.zeros((40, 30), np.uint8)) == 255).all()
    assert (fill_ground(picture, np.full((40, 30), NO_PART, np.uint8)) == picture).all()


def test_a_part_at_the_border_is_not_soft_there() -> None:
    picture, labels = np.full((128, 128, 3), GREEN, np.uint8), np.full((128, 128), NO_PART, np.uint8)
    picture[40:, :60], labels[40:, :60] = RED, 0
    alpha = whole_alpha(must_cut(picture, labels, 0), labels.shape)
    assert (alpha[60:, 0] == 255).all() and (alpha[-1, :50] == 255).all()


@pytest.mark.parametrize("height", [1, 3, 4, 97, 98, 99, 100])
def test_parts_of_any_height_and_width_are_cut(height: int) -> None:
    for width in (1, 2, 5, 60, 61, 63):
        picture, labels = np.full((520, 500, 3), GREEN, np.uint8), np.full((520, 500), NO_PART, np.uint8)
        place = slice(200, 200 + height), slice(100, 100 + width)
        picture[place], labels[place] = RED, 0
        alpha = whole_alpha(must_cut(picture, labels, 0), labels.shape)
        assert alpha[200 + height // 2, 100 + width // 2] > (60 if min(width, height) > 2 else 0)


def test_thin_and_tiny_parts_are_seen() -> None:
    picture, labels = np.full((128, 128, 3), GREEN, np.uint8), np.full((128, 128), NO_PART, np.uint8)
    picture[20:100, 64:66], labels[20:100, 64:66] = RED, 0
    picture[10, 10], labels[10, 10] = RED, 1
    line, dot = must_cut(picture, labels, 0), must_cut(picture, labels, 1)
    alpha = whole_alpha(line, labels.shape)
    assert alpha[30:90, 64:66].min() > 200, "two pixels wide at 128"
    assert np.abs(line.image[line.image[..., 3] > 200][:, :3].astype(int) - RED).max() <= 20
    assert dot.image[..., 3].max() > 60


def test_grounds_of_a_colour_and_of_two() -> None:
    assert (plain_ground(RED, (3, 2)) == RED).all() and plain_ground(RED, (3, 2)).shape == (2, 3, 3)
    slope = gradient_ground((0, 0, 0), (100, 200, 50), (4, 11))
    assert slope.shape == (11, 4, 3)
    assert slope[0, 0].tolist() == [0, 0, 0] and slope[5, 3].tolist() == [50, 100, 25]
    assert slope[10, 1].tolist() == [100, 200, 50]
    assert gradient_ground(RED, GREEN, (1, 1)).tolist() == [[list(RED)]]


@pytest.mark.parametrize("hole", [(120, 60, 190, 190), (60, 10, 130, 75), (20, 80, 112, 140)])
def test_a_sun_half_behind_the_animal_is_round_again(hole: tuple[int, int, int, int]) -> None:
    """Under a sky that grows lighter downwards; filled smoothly alone it would be smeared."""
    rows = np.linspace(0, 1, 256)[:, None, None]
    sky = np.array([150, 190, 230]) * (1 - rows) + np.array([200, 225, 250]) * rows
    sky = np.broadcast_to(sky, (256, 256, 3)).astype(np.uint8)
    mask = Image.new("L", (512, 512))
    ImageDraw.Draw(mask).ellipse((150, 80, 290, 220), fill=130)
    truth = Image.fromarray(sky)
    truth.paste((255, 255, 255), mask=mask.reduce(2))
    picture, labels = truth.copy(), Image.new("L", (256, 256), NO_PART)
    for image, colour in ((picture, RED), (labels, 0)):
        ImageDraw.Draw(image).rectangle(hole, fill=colour)
    filled = fill_ground(np.asarray(picture), np.asarray(labels)).astype(int)
    wrong = np.abs(filled - np.asarray(truth)).max(-1)[hole[1] : hole[3], hole[0] : hole[2]]
    assert wrong.mean() < 1.5 and (wrong > 12).mean() < 0.03
