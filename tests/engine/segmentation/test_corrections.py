"""What a person paints in one picture holds there, and teaches the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.core.correction import ANY_PART, Correction
from engine.core.errors import UserError
from engine.core.segmentation import NO_PART
from engine.packs.pack import Pack
from engine.segmentation.codebook_fitting import arrange_parts, cluster_foreground, draw_sample, split_background
from engine.segmentation.corrections import (
    BACKGROUND,
    CORRECTIONS,
    UNSAID,
    as_parts,
    correct_clusters,
    correct_foreground,
    correct_split,
    painted,
    read_corrections,
    said_cells,
)
from engine.segmentation.discover import discover
from engine.segmentation.find_parts import find_parts
from engine.segmentation.foreground import fit_foreground, split_by_masks
from engine.training.examples import segmented_pictures
from engine.worker.jobs import Discover, FindParts, News, PartsFound
from tests.engine.segmentation.test_foreground import ANIMAL, GROUNDS, SIDE, WIDTH, scene
from tests.engine.tiny import make_pictures


def silent(_news: News) -> None: ...


def stroke(label: int | None, *points: tuple[float, float], radius: float = 0.1, picture: str = "0.png") -> Correction:
    return Correction(picture, label, points, (radius, radius))


def box(label: int | None, cells: tuple[slice, slice], side: int = SIDE, picture: str = "0.png") -> Correction:
    """A stroke of a thin brush to and fro over each cell of a box."""
    rows, columns = cells
    points = [((x + 0.5) / side, (y + 0.5) / side) for y in range(rows.start, rows.stop)
              for x in range(columns.start, columns.stop)]  # fmt: skip
    return Correction(picture, label, tuple(points), (0.01, 0.01))


# The stroke


def test_a_stroke_covers_what_is_near_its_line() -> None:
    mask = stroke(0, (0.25, 0.5), (0.75, 0.5)).covers(100, 200)
    assert mask[50, 60:140].all() and mask[41:59, 100].all() and not mask[30, 100] and not mask[50, 170]
    assert mask[50, 35] and not mask[42, 32], "its ends are round"
    assert Correction("a", 0, ((0.5, 0.5),), (0.2, 0.1)).covers(10, 10).sum() == 8
    assert stroke(0, (0.55, 0.31), radius=0.001).covers(10, 10).nonzero() == (np.array([3]), np.array([5]))
    assert not stroke(0, (1.5, -0.5), radius=0.001).covers(10, 10).any(), "beside the picture"


def test_a_stroke_is_kept_as_json_and_nonsense_is_none() -> None:
    one = Correction("a/ж.png", None, ((0.1, 0.2), (0.3, 1.1)), (0.05, 0.1))
    document = one.to_document()
    assert Correction.from_document(document) == one
    for wrong in (
        {"label": "head"}, {"label": True}, {"label": -2}, {"points": []}, {"points": [[0.1]]}, {"radius": [0.0, 0.1]},
        {"points": [[float("nan"), 0.1]]}, {"picture": ""}, {"points": [[9.0, 0.1]]},
    ):  # fmt: skip
        assert Correction.from_document({**document, **wrong}) is None
    assert Correction.from_document(None) is None


def test_painting_over_labels() -> None:
    labels = np.full((10, 10), NO_PART, np.uint8)
    labels[2:8, 2:8] = 1
    result = painted(labels, [stroke(None, (0.25, 0.25)), stroke(3, (0.25, 0.25), radius=0.01)], NO_PART)
    assert result[2, 2] == 3 and result[2, 3] == NO_PART and result[5, 5] == 1, "later strokes lie over earlier ones"
    result = painted(labels, [stroke(ANY_PART, (0.05, 0.05), (0.5, 0.5))], NO_PART)
    assert result[0, 0] == 1, "foreground of a part that is gone goes to the part beside it"
    assert as_parts({0: (stroke(2, (0, 0)), stroke(9, (0, 0)), stroke(None, (0, 0)))}, [(0,), (1, 2)])[0] == (
        stroke(1, (0, 0)), stroke(ANY_PART, (0, 0)), stroke(None, (0, 0)),
    )  # fmt: skip


# Photographs: cuts and votes


PERCH = (slice(12, 15), slice(0, 12))


def perched(count: int = 12) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Animals, all of them on a branch that looks much like them: votes take it for a part of what they show."""
    maps, truths = [], []
    branch = 0.7 * ANIMAL + 0.8 * GROUNDS[15]
    for seed in range(count):
        features, truth = scene(seed, animals=((6, 2 + seed % 4),))
        features[:, PERCH[0], PERCH[1]] = (branch + 0.2 * GROUNDS[seed % 14])[:, None, None]
        features += 0.03 * np.random.default_rng(seed).standard_normal(features.shape).astype(np.float32)
        maps.append(features)
        truths.append(truth)
    return maps, truths


def test_background_painted_in_one_picture_teaches_the_others() -> None:
    maps, truths = perched()
    found = fit_foreground(maps)
    branch = [float(mask[PERCH].mean()) for mask in found.masks]
    assert np.mean(branch) > 0.8, "the premise: a branch in all pictures passes for foreground"
    said = said_cells({3: (box(None, PERCH),)}, maps)
    corrected = correct_foreground(maps, found, said)
    assert not corrected.masks[3][PERCH].any()
    others = [float(mask[PERCH].mean()) for index, mask in enumerate(corrected.masks) if index != 3]
    assert np.mean(others) < 0.2
    animals = [mask[truth != NO_PART].mean() for mask, truth in zip(corrected.masks, truths, strict=True)]
    assert np.mean(animals) > 0.9, "what was not painted stays"
    new, _ = perched(14)
    assert corrected.votes.foreground(new[13])[PERCH].mean() < 0.2, "votes remember it for pictures to come"
    again = correct_foreground(maps, found, said)
    assert all((a == b).all() for a, b in zip(corrected.masks, again.masks, strict=True))


def test_foreground_painted_in_one_picture_teaches_the_others() -> None:
    """An animal's white belly that is taken for snow."""
    maps, truths = [], []
    for seed in range(12):
        features, truth = scene(seed, animals=((5, 3),))
        features[:, 11:14, 4:11] = (1.2 * GROUNDS[15] + 0.02 * ANIMAL)[:, None, None]
        maps.append(features + 0.03 * np.random.default_rng(seed).standard_normal(features.shape).astype(np.float32))
        truths.append(truth)
    belly = np.s_[11:14, 4:11]
    found = fit_foreground(maps)
    before = np.mean([mask[belly].mean() for mask in found.masks])
    front = before > 0.5
    said = said_cells({0: (box(None if front else 1, belly),)}, maps)
    corrected = correct_foreground(maps, found, said)
    after = np.mean([mask[belly].mean() for mask in corrected.masks[1:]])
    assert (after < 0.2) if front else (after > 0.8)


def test_votes_that_are_flipped_learn_the_right_side() -> None:
    maps, _ = perched()
    found = fit_foreground(maps).flipped()
    assert np.mean([mask[PERCH].mean() for mask in found.masks]) < 0.2
    corrected = correct_foreground(maps, found, said_cells({3: (box(ANY_PART, PERCH),)}, maps))
    assert np.mean([mask[PERCH].mean() for mask in corrected.masks]) > 0.8


def test_saying_what_is_so_already_changes_no_votes() -> None:
    maps, _ = perched()
    found = fit_foreground(maps)
    inside = np.argwhere(found.masks[0])[0]
    cells = np.full((SIDE, SIDE), UNSAID)
    cells[tuple(inside)] = 1
    assert correct_foreground(maps, found, {0: cells}).votes is found.votes


def test_a_part_painted_in_one_picture_follows_in_others() -> None:
    """Bodies have a patch like a head, all of them; a person says once that it is body."""
    maps, truths = [], []
    for seed in range(12):
        features, truth = scene(seed, animals=((5, 3),))
        head = features[:, 5:11, 3:6].mean(axis=(1, 2))
        body = features[:, 5:11, 6:9].mean(axis=(1, 2))
        features[:, 5:11, 6:8] = (0.56 * head + 0.44 * body)[:, None, None] + 0.5 * GROUNDS[15][:, None, None]
        features += 0.02 * np.random.default_rng(seed).standard_normal(features.shape).astype(np.float32)
        maps.append(features)
        truths.append(truth)
    found = fit_foreground(maps)
    sample, split = split_by_masks(maps, draw_sample(maps), found)
    start = cluster_foreground(sample, split, 3).centroids
    tier = arrange_parts(sample, split, correct_clusters(maps, sample, split, start, {}, (), found.masks))

    def labels(tier: Any) -> list[np.ndarray]:
        book = tier.codebook(split, np.zeros((3, 1, WIDTH), np.float32), tier.background)
        return [book.segment(features).labels for features in maps]

    before = labels(tier)
    patch, rest = np.s_[6:10, 6:7], np.s_[6:10, 8:9]
    was, body = (
        int(np.bincount(np.concatenate([one[place].ravel() for one in before])).argmax()) for place in (patch, rest)
    )
    assert was != body, "the premise: the patch passes for a part of the head"
    said = said_cells({2: (box(body, patch),)}, maps)
    corrected = correct_clusters(maps, sample, split, start, said, (), found.masks)
    after = labels(arrange_parts(sample, split, corrected))
    others = [np.mean([(one[patch] == body).mean() for one in [*run[:2], *run[3:]]]) for run in (before, after)]
    assert others[0] < 0.2 and others[1] > 0.8, others
    again = correct_clusters(maps, sample, split, start, said, (), found.masks)
    assert np.array_equal(again.centroids, corrected.centroids)


def test_strokes_do_not_make_another_part_of_a_part() -> None:
    """Bodies and tails of a few pictures called head: heads of the others stay heads."""
    maps = [scene(seed, animals=((5, 3),))[0] for seed in range(12)]
    found = fit_foreground(maps)
    sample, split = split_by_masks(maps, draw_sample(maps), found)
    start = cluster_foreground(sample, split, 3).centroids
    plain = correct_clusters(maps, sample, split, start, {}, (), found.masks)
    rows = sample.rows[split.front]
    head = int(np.bincount(plain.labels[(sample.cell[split.front] % SIDE) == 4]).argmax())
    said = said_cells({index: (box(head, (slice(5, 11), slice(6, 12))),) for index in range(5)}, maps)
    corrected = correct_clusters(maps, sample, split, start, said, (), found.masks)
    was, now = ((rows @ one.centroids.T).argmax(axis=1) for one in (plain, corrected))
    for part in range(3):
        assert (now[was == part] == part).mean() >= 0.25


def test_what_looks_like_the_rest_teaches_nothing() -> None:
    """A piece of ground called foreground, which looks like all ground: it holds there, and nowhere else."""
    maps = [scene(seed, animals=((5, 3),))[0] for seed in range(12)]
    found = fit_foreground(maps)
    piece = np.s_[12:15, 10:14]
    corrected = correct_foreground(maps, found, said_cells({0: (box(0, piece),)}, maps))
    assert corrected.masks[0][piece].all() and corrected.votes is found.votes
    assert all((a == b).all() for a, b in zip(corrected.masks[1:], found.masks[1:], strict=True))


# Drawings: two centroids


def drawings(count: int = 10) -> list[np.ndarray]:
    """A ground, a thing, and a shadow between both that lies on the thing's side."""
    maps = []
    ground, thing, shade = np.eye(3, 12, dtype=np.float32)
    for seed in range(count):
        features = np.tile(ground[:, None, None], (1, 8, 8))
        features[:, 2:5, 2:6] = thing[:, None, None]
        features[:, 5:6, 2:6] = (0.45 * ground + 0.55 * thing + 0.6 * shade)[:, None, None]
        maps.append((features + 0.02 * np.random.default_rng(seed).standard_normal(features.shape)).astype(np.float32))
    return maps


def test_two_centroids_learn_too() -> None:
    maps = drawings()
    sample = draw_sample(maps)
    split = split_background(sample)
    shadow = sample.cell // 8 == 5
    shadow &= (sample.cell % 8 >= 2) & (sample.cell % 8 < 6)
    assert split.front[shadow].mean() > 0.9
    said = said_cells({0: (box(None, (slice(5, 6), slice(2, 6)), 8),)}, maps)
    corrected = correct_split(maps, sample, split, said)
    assert corrected.front[shadow].mean() < 0.1
    thing = (sample.cell // 8 >= 2) & (sample.cell // 8 < 5) & (sample.cell % 8 >= 2) & (sample.cell % 8 < 6)
    assert corrected.front[thing].mean() > 0.9
    ground = said_cells({0: (box(1, (slice(6, 8), slice(0, 8)), 8), box(None, (slice(3, 4), slice(2, 6)), 8))}, maps)
    swapped = correct_split(maps, sample, split, ground)
    changed = swapped.front != split.front
    assert changed.any() and not changed[sample.picture != 0].any(), "the thing and its ground do not change places"
    nothing_new = said_cells({0: (box(0, (slice(2, 4), slice(2, 6)), 8),)}, maps)
    assert correct_split(maps, sample, split, nothing_new).centroids is split.centroids
    assert (said[0] == BACKGROUND).sum() == 4


# The jobs


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("birds") / "pictures", kinds=3, each=3)


@pytest.fixture(scope="module")
def eyes(tiny_world: Path) -> str:
    return str(tiny_world / "eyes")


def named(birds: Path, found: PartsFound) -> list[str]:
    return [Path(one.picture).relative_to(birds).as_posix() for one in found.wall]


def found_in(models: Any, birds: Path, eyes: str, **words: Any) -> PartsFound:
    return find_parts(models, FindParts(str(birds), 4, eyes, **words), silent)


def test_what_was_painted_is_on_the_wall_and_in_the_pack(models: Any, birds: Path, eyes: str, tmp_path: Path) -> None:
    before = found_in(models, birds, eyes, merged=((0, 2),))
    name = named(birds, before)[1]
    corrections = (
        stroke(2, (0.2, 0.2), (0.6, 0.2), picture=name), stroke(None, (0.5, 0.6), picture=name),
    )  # fmt: skip
    found = found_in(models, birds, eyes, merged=((0, 2),), corrections=corrections)
    assert found.members == before.members and found.suggested == before.suggested
    labels = found.wall[1].labels
    line, spot = (one.covers(*labels.shape) for one in corrections)
    assert (labels[line & ~spot] == 0).all(), "a cluster's part takes it"
    assert (labels[spot] == NO_PART).all()
    job = Discover(
        str(birds), str(tmp_path / "out"), 4, 3, "bird", eyes, "some/base", merged=((0, 2),), corrections=corrections,
        left_out=(named(birds, before)[0],),
    )  # fmt: skip
    pack = Pack.open(discover(models, job, silent))
    assert len(pack.references) == 8, "what was left out is no reference"
    kind, stem = Path(name).parent.name, Path(name).stem
    reference = next(one for one in pack.references if one.id.endswith(stem) and one.title == kind)
    with Image.open(reference.labels) as opened:
        labels = np.asarray(opened)
    line, spot = (one.covers(*labels.shape) for one in corrections)
    assert (labels[line & ~spot] == 0).all() and (labels[spot] == NO_PART).all()
    assert reference.codes[0] >= 0
    lessons = list(segmented_pictures(models, pack, str(birds), silent))
    assert len(lessons) == 8, "nor is it learned from"
    at = [reference.id for reference in pack.references].index(reference.id)
    line, spot = (one.covers(*lessons[at][1].labels.shape) for one in corrections)
    assert (lessons[at][1].labels[line & ~spot] == 0).all()
    left_out, strokes = read_corrections(pack.path, 3)
    assert left_out == job.left_out and [one.label for one in strokes] == [0, None]
    again = replace(job, corrections=(), left_out=())
    assert len(Pack.open(discover(models, again, silent)).references) == 9
    assert not (pack.path / CORRECTIONS).exists()


def test_a_picture_is_left_out_and_taken_in_again(models: Any, birds: Path, eyes: str) -> None:
    before = found_in(models, birds, eyes)
    name = named(birds, before)[4]
    found = found_in(models, birds, eyes, left_out=(name, "gone.png"))
    assert named(birds, found) == named(birds, before), "it stays in its place on the wall"
    assert [one.left_out for one in found.wall] == [index == 4 for index in range(9)]
    assert (found.wall[4].labels == NO_PART).all() and found.pictures == 8
    assert found.members == before.members
    back = found_in(models, birds, eyes)
    assert all((a.labels == b.labels).all() for a, b in zip(back.wall, before.wall, strict=True))
    with pytest.raises(UserError, match="Every picture was left out"):
        found_in(models, birds, eyes, left_out=tuple(named(birds, before)))


def test_corrections_hold_where_a_pack_gets_more(models: Any, birds: Path, eyes: str, tmp_path: Path) -> None:
    first = discover(models, Discover(str(birds), str(tmp_path / "a"), 4, 3, "bird", eyes, "some/base"), silent)
    before = found_in(models, birds, "", extends=first)
    name = named(birds, before)[0]
    painted_stroke = stroke(3, (0.2, 0.2), (0.8, 0.2), picture=name)
    found = found_in(models, birds, "", extends=first, corrections=(painted_stroke,))
    labels = found.wall[0].labels
    assert (labels[painted_stroke.covers(*labels.shape)] == 3).all()
    same = [(a.labels == b.labels).all() for a, b in zip(before.wall[1:], found.wall[1:], strict=True)]
    assert all(same), "the parts are the pack's"


def test_strokes_of_parts_that_are_not_there_are_foreground(models: Any, birds: Path, eyes: str) -> None:
    name = named(birds, found_in(models, birds, eyes))[0]
    found = found_in(models, birds, eyes, corrections=(stroke(60, (0.1, 0.1), picture=name),))
    covered = stroke(60, (0.1, 0.1)).covers(*found.wall[0].labels.shape)
    assert (found.wall[0].labels[covered] != NO_PART).all()
