"""Readers: made of a pack's pictures, they tell what arrived from what did not, and from what nobody can say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from engine.core.errors import UserError
from engine.core.segmentation import NO_PART, Segmentation
from engine.core.vocabulary import ABSENT
from engine.models.part_reader import SIDE, PartReader, as_read
from engine.segmentation.reader_examples import (
    IGNORED,
    LabelledPictures,
    changed_example,
    changed_examples,
    labelled_pictures,
)
from engine.segmentation.reader_extending import extend_reader
from engine.segmentation.reader_fitting import ReaderPlan, bounds, kappa, make_reader, worn

COLOURS = ("#d02020", "#2040d0", "#20a040")
QUICK = ReaderPlan(examples=240, steps=200, batch=16, width=8, rate=4e-3, seed=1)


def flag(codes: tuple[int, int], rng: np.random.Generator) -> tuple[Image.Image, Segmentation]:
    """Two parts on a pale ground: a disc on the left, a square on the right, each of one of three colours with as many
    white bars."""
    picture = Image.new("RGB", (96, 96), tuple(int(v) for v in rng.integers(200, 255, 3)))
    labels = Image.new("L", (96, 96), NO_PART)
    x, y = (int(v) for v in rng.integers(0, 12, 2))
    for canvas, inks in ((ImageDraw.Draw(picture), [COLOURS[c] for c in codes]), (ImageDraw.Draw(labels), [0, 1])):
        canvas.ellipse((6 + x, 24 + y, 40 + x, 58 + y), fill=inks[0])
        canvas.rectangle((46 + x, 24 + y, 78 + x, 56 + y), fill=inks[1])
    bars = ImageDraw.Draw(picture)
    for left, code in zip((14 + x, 50 + x), codes, strict=True):
        for bar in range(code + 1):
            bars.rectangle((left, 32 + y + 8 * bar, left + 20, 34 + y + 8 * bar), fill="white")
    return picture, Segmentation(np.asarray(labels), codes)


def flags(count: int, seed: int) -> LabelledPictures:
    rng = np.random.default_rng(seed)
    return labelled_pictures(flag((int(rng.integers(3)), int(rng.integers(3))), rng) for _ in range(count))


@pytest.fixture(scope="module")
def reader() -> PartReader:
    return make_reader(flags(60, 0), 3, QUICK)[0]


def likelihoods(reader: PartReader, pictures: LabelledPictures, asked: np.ndarray) -> np.ndarray:
    return np.take_along_axis(reader.probabilities(pictures.pictures), asked[..., None], 2)[..., 0]


def test_what_is_as_it_was_drawn_has_arrived_and_what_was_not_asked_for_has_not(reader: PartReader) -> None:
    fresh = flags(40, 7)
    right = likelihoods(reader, fresh, fresh.codes) >= reader.arrived[:, 0].numpy()
    assert right.mean() >= 0.9
    shuffled = likelihoods(reader, fresh, (fresh.codes + 1) % 3)
    assert (shuffled >= reader.arrived[:, 0].numpy()).mean() <= 0.05
    assert (shuffled <= reader.missing[:, 0].numpy()).mean() >= 0.8


def test_broken_parts_are_doubted_and_their_neighbours_are_still_known(reader: PartReader) -> None:
    fresh, rng = flags(80, 8), np.random.default_rng(2)
    changed = changed_examples(fresh, 80, rng, swapped=False)
    best = reader.probabilities(changed.pictures).argmax(-1)
    broken, whole = changed.codes == ABSENT, changed.codes >= 0
    assert broken.sum() > 10 and (best == 3)[broken].mean() > 2 * (best == 3)[whole].mean()
    assert (best == changed.codes)[whole].mean() > 0.85


def test_the_same_pictures_make_the_same_reader_however_their_files_are_named(tmp_path: Path) -> None:
    pictures = flags(12, 3)
    plan = ReaderPlan(examples=16, steps=3, batch=4, width=4)
    one, other = (make_reader(pictures, 3, plan) for _ in range(2))
    for name, value in one[0].state_dict().items():
        assert torch.equal(value, other[0].state_dict()[name]), name
    assert one[1] == other[1]


def test_a_reader_is_read_back_as_it_was(reader: PartReader, tmp_path: Path) -> None:
    reader.save(tmp_path / "reader.safetensors")
    again = PartReader.load(tmp_path / "reader.safetensors", 2, 3)
    pictures = flags(5, 4).pictures
    assert np.abs(again.probabilities(pictures) - reader.probabilities(pictures)).max() < 0.02
    assert torch.equal(again.arrived, reader.arrived)
    with pytest.raises(UserError, match="does not fit"):
        PartReader.load(tmp_path / "reader.safetensors", 2, 4)


def test_one_reader_begins_with_what_another_knows(reader: PartReader) -> None:
    larger = PartReader(2, 5, 8)
    larger.begin_like(reader)
    mine, theirs = larger.what[1][-1].weight, reader.what[1][-1].weight  # pyright: ignore
    assert torch.equal(mine[:3], theirs[:3]) and torch.equal(mine[-1], theirs[-1])
    stranger = PartReader(4, 3, 8)
    stranger.begin_like(reader)
    assert torch.equal(stranger.fine[0][0].weight, reader.fine[0][0].weight)  # pyright: ignore


def test_a_reader_that_learns_more_codes_says_of_known_ones_what_it_said(reader: PartReader, tmp_path: Path) -> None:
    """Three known flags, one picture each, and many of a fourth: a reader that is taught them all again forgets."""
    known = PartReader.load(_saved(reader, tmp_path), 2, 3)
    old = flags(200, 11)
    old = old.rows(np.array([int(np.flatnonzero((old.codes == code).all(1))[0]) for code in range(3)] * 3))
    rng = np.random.default_rng(12)
    new = labelled_pictures(_fourth(rng) for _ in range(30))
    source = LabelledPictures(*(np.concatenate(both) for both in zip(_columns(old), _columns(new), strict=True)))
    plan = ReaderPlan(examples=240, steps=200, batch=16, rate=1e-2, seed=1)
    seen: list[int] = []

    def rebuild(some: np.ndarray) -> np.ndarray:
        seen.append(len(some))
        return some // 4 * 4

    extended, scores = extend_reader(known, source, 4, plan, rebuild)
    assert seen == [33], "each picture goes through the autoencoder once"
    fresh = flags(60, 13)
    before, after = reader.probabilities(fresh.pictures), extended.probabilities(fresh.pictures)
    known_again = after[..., [0, 1, 2, 4]] / after[..., [0, 1, 2, 4]].sum(-1, keepdims=True)
    assert np.abs(known_again - before).max() < 0.02, "among what it knew it answers as before"
    assert (likelihoods(extended, fresh, fresh.codes) >= extended.arrived[:, 0].numpy()).mean() >= 0.9
    assert torch.equal(extended.arrived[:, :3], known.arrived) and torch.equal(extended.missing[:, :3], known.missing)
    unseen = labelled_pictures(_fourth(rng) for _ in range(20))
    assert (likelihoods(extended, unseen, unseen.codes) >= extended.arrived[:, 3].numpy()).mean() >= 0.9
    assert scores.kappa > 0.5
    again = PartReader.load(_saved(extended, tmp_path), 2, 4)
    assert again.hidden == extended.hidden > known.hidden and torch.equal(again.missing, extended.missing)


def _saved(reader: PartReader, folder: Path) -> Path:
    reader.save(folder / "reader.safetensors")
    return folder / "reader.safetensors"


def _columns(some: LabelledPictures) -> tuple[np.ndarray, ...]:
    return some.pictures, some.labels, some.codes


def _fourth(rng: np.random.Generator) -> tuple[Image.Image, Segmentation]:
    """A flag of both parts in yellow, with an upright bar."""
    picture, segmentation = flag((0, 0), rng)
    pixels = np.asarray(picture).copy()
    for part in (0, 1):
        mask = segmentation.mask(part)
        middle = int(np.median(np.nonzero(mask)[1]))
        pixels[mask] = (230, 200, 40)
        pixels[mask & (np.abs(np.arange(pixels.shape[1]) - middle) < 4)] = (60, 30, 90)
    return Image.fromarray(pixels), Segmentation(segmentation.labels, (3, 3))


def test_pictures_of_any_size_and_shape_are_read() -> None:
    for size in ((SIDE, SIDE), (256, 256), (512, 300), (20, 700), (1, 1)):
        assert as_read(Image.new("RGBA", size, "red")).shape == (SIDE, SIDE, 3)


def test_changed_parts_lose_their_code_or_take_another_and_hidden_ones_are_not_asked_about() -> None:
    source, rng = flags(30, 5), np.random.default_rng(0)
    kinds = set()
    for index in range(30):
        picture, labels, codes = changed_example(source, index, rng)
        same = (picture == source.pictures[index]).all()
        assert same == (codes == source.codes[index]).all() or not same
        kinds |= {"none" for code in codes if code == ABSENT}
        kinds |= {"other" for code, was in zip(codes, source.codes[index], strict=True) if code not in (was, ABSENT)}
        assert picture.shape == (SIDE, SIDE, 3) and labels.shape == (SIDE, SIDE)
    assert kinds == {"none", "other"}
    untouched = changed_examples(source, 30, rng, broken=False, swapped=False)
    assert (untouched.codes >= 0).all()
    assert (changed_examples(source, 200, rng, broken=False).codes[:, 0] != ABSENT).all()
    assert IGNORED not in (ABSENT, 0)


def test_bounds_leave_room_for_what_nobody_can_say() -> None:
    missing, arrived = bounds(np.linspace(0.0, 1.0, 1001, dtype=np.float32))
    assert 0 < missing < arrived < 0.5
    assert bounds(np.full(50, 0.99, np.float32)) == pytest.approx((0.2, 0.2))
    assert bounds(np.zeros(0, np.float32))[0] < 0.5


def test_kappa_by_hand() -> None:
    yes, no = np.ones(4, bool), np.zeros(4, bool)
    mixed = np.array([True, True, False, False])
    assert kappa(mixed, mixed) == 1 and kappa(yes, yes) == 0 and kappa(yes, mixed) == 0 and kappa(no[:0], no[:0]) == 0
    assert kappa(mixed, np.array([True, False, False, False])) == pytest.approx(0.5)


def test_worn_pictures_keep_their_shape_and_are_moved_with_their_parts() -> None:
    pictures = torch.rand(6, 3, 32, 32) * 2 - 1
    cover = torch.zeros(6, 2, 16, 16)
    cover[:, 0, :, :8] = 1
    torch.manual_seed(0)
    moved, covered = worn(pictures, cover)
    assert moved.shape == pictures.shape and moved.abs().max() <= 1 and not torch.equal(moved, pictures)
    sides = covered[:, 0].mean(1)  # (6, 16): some are mirrored, and then the part is on the right
    assert len({bool(row[:8].sum() > row[8:].sum()) for row in sides}) == 2
