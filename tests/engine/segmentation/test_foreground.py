"""The foreground of photographs: cuts, votes, and parts that are places of a body, on synthetic features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.core.errors import UserError
from engine.core.segmentation import NO_PART
from engine.core.vocabulary import Part, Vocabulary
from engine.packs.codebook import Codebook
from engine.packs.foreground import ForegroundVotes, PictureCells, centred_cells, rim_of, without_specks
from engine.packs.pack import CODEBOOK, Backbone, BaseModel, Pack
from engine.segmentation.codebook_fitting import (
    BackgroundSplit,
    FeatureSample,
    arrange_parts,
    cluster_foreground,
    draw_sample,
    fit_codes,
)
from engine.segmentation.feature_cache import PictureFeatures
from engine.segmentation.find_parts import backbone_with
from engine.segmentation.foreground import FolderForeground, fit_foreground, split_by_masks
from engine.segmentation.mask_refinement import segment_picture
from engine.segmentation.part_count import same_part, suggest_part_count
from engine.worker.jobs import EyeSettings

SIDE = 16
WIDTH = 32
ANIMAL, HEAD, BODY, TAIL = np.eye(WIDTH, dtype=np.float32)[:4]
COATS = np.eye(WIDTH, dtype=np.float32)[4:14]
GROUNDS = np.eye(WIDTH, dtype=np.float32)[14:32]


def animal_mask(top: int, left: int) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[top : top + 6, left : left + 9] = True
    return mask


def places(top: int, left: int) -> np.ndarray:
    """Part 0, 1 or 2 of each cell of an animal, from left to right; ``NO_PART`` elsewhere."""
    truth = np.full((SIDE, SIDE), NO_PART, np.uint8)
    for part in range(3):
        truth[top : top + 6, left + 3 * part : left + 3 * part + 3] = part
    return truth


def scene(
    seed: int, house: bool = False, animals: Sequence[tuple[int, int]] = ((5, 3),)
) -> tuple[np.ndarray, np.ndarray]:
    """A feature map with animals on a ground of its own, in a coat of its own, and the places that are true."""
    generator = np.random.default_rng(seed)
    features = np.tile(GROUNDS[seed % 14], (SIDE, SIDE, 1))
    truth = np.full((SIDE, SIDE), NO_PART, np.uint8)
    coat = COATS[seed % 10]
    for top, left in animals:
        one = places(top, left)
        for part, place in enumerate((HEAD, BODY, TAIL)):
            features[one == part] = ANIMAL + 0.9 * coat + 0.7 * place
        truth[one != NO_PART] = one[one != NO_PART]
    if house:
        features[11:15, 10:15] = GROUNDS[14 + seed % 4] + 0.1 * ANIMAL
    features = features + 0.05 * generator.standard_normal(features.shape)
    return np.moveaxis(features, 2, 0).astype(np.float32), truth


def folder(count: int = 16) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Pictures of animals at several places; in the third a house stands out, too."""
    made = [scene(seed, seed == 2, ((3 + seed % 4, 1 + seed % 6),)) for seed in range(count)]
    return [features for features, _ in made], [truth for _, truth in made]


def iou(found: np.ndarray, true: np.ndarray) -> float:
    return float((found & true).sum() / max((found | true).sum(), 1))


def fitted(
    maps: Sequence[np.ndarray], parts: int = 3
) -> tuple[Codebook, FolderForeground, FeatureSample, BackgroundSplit]:
    found = fit_foreground(maps)
    sample, split = split_by_masks(maps, draw_sample(maps), found)
    tier = arrange_parts(sample, split, cluster_foreground(sample, split, parts))
    files = tuple(Path(f"{index}.png") for index in range(len(maps)))
    clusters = fit_codes(PictureFeatures(files, tuple(maps)), split, tier, 4, tier.background)
    return clusters.codebook, found, sample, split


def test_a_cut_finds_what_stands_out_in_one_picture() -> None:
    features, truth = scene(1)
    picture = PictureCells(features)
    assert iou(picture.cut().reshape(SIDE, SIDE) > 0.5, truth != NO_PART) > 0.95
    plain = np.ones((WIDTH, SIDE, SIDE), np.float32)
    assert not PictureCells(plain).cut().any(), "nothing stands out of a plain picture"
    assert PictureCells(plain[:, :1, :1]).cut().shape == (1,)


def test_a_fine_grid_is_cut_on_a_coarser_one() -> None:
    features, truth = scene(1)
    fine = features.repeat(5, axis=1).repeat(5, axis=2)[:, :79, :78]
    picture = PictureCells(fine)
    assert len(picture.rows) <= 1600
    beliefs = picture.settled(np.full(len(picture.rows), 0.5, np.float32), picture.cut(), 0.0)
    true = (truth != NO_PART).repeat(5, axis=0).repeat(5, axis=1)[:79, :78]
    assert beliefs.shape == (79, 78) and iou(beliefs > 0.5, true) > 0.85


def test_what_many_pictures_show_is_in_front_and_a_house_is_not() -> None:
    maps, truths = folder()
    found = fit_foreground(maps)
    assert min(iou(mask, truth != NO_PART) for mask, truth in zip(found.masks, truths, strict=True)) > 0.9
    assert not found.masks[2][11:15, 10:15].any(), "it stands out in its picture, and no other picture has one"
    assert all((~mask == other).all() for mask, other in zip(found.masks, found.flipped().masks, strict=True))


@pytest.mark.parametrize("animals", [(), ((1, 1), (9, 6))], ids=["none", "two"])
def test_a_new_picture_has_none_or_several(animals: tuple[tuple[int, int], ...]) -> None:
    votes = fit_foreground(folder()[0]).votes
    features, truth = scene(15, animals=animals)
    mask = votes.foreground(features)
    assert iou(mask, truth != NO_PART) > 0.9 if animals else not mask.any()


def test_an_animal_may_fill_the_picture() -> None:
    maps, _ = folder()
    features = np.tile((ANIMAL + 0.9 * COATS[1] + 0.7 * BODY)[:, None, None], (1, SIDE, SIDE))
    features[:, 6:10, 6:10] = (ANIMAL + 0.9 * COATS[1] + 0.7 * HEAD)[:, None, None]
    features += 0.05 * np.random.default_rng(0).standard_normal(features.shape).astype(np.float32)
    assert fit_foreground([*maps, features]).masks[-1].mean() > 0.95


def test_few_pictures_trust_their_cuts() -> None:
    for count in (1, 2):
        maps, truths = folder(count)
        masks = fit_foreground(maps).masks
        assert min(iou(mask, truth != NO_PART) for mask, truth in zip(masks, truths, strict=True)) > 0.9


def test_parts_are_places_and_not_coats() -> None:
    maps, truths = folder()
    book, *_ = fitted(maps)
    found = np.stack([book.segment(features).labels for features in maps])
    true = np.stack(truths)
    both = (found != NO_PART) & (true != NO_PART)
    assert same_part(found[both].astype(np.int64), true[both].astype(np.int64)) > 0.9
    new, truth = scene(33)
    labels = book.segment(new).labels
    assert len({int(np.bincount(labels[truth == part]).argmax()) for part in range(3)}) == 3
    picture = segment_picture(book, new, np.zeros((64, 64, 3), np.uint8))
    assert set(np.unique(picture.labels).tolist()) == {0, 1, 2, NO_PART}


def test_codes_tell_coats_apart() -> None:
    maps, _ = folder(10)
    book, *_ = fitted(maps)
    again = [book.segment(scene(seed, animals=((6, 4),))[0]).codes for seed in (0, 0, 10)]
    assert again[0] == again[1] == again[2], "the same coat"


def test_four_to_eight_parts_are_suggested_for_photographs() -> None:
    _, _, sample, split = fitted(folder()[0])
    count, reason = suggest_part_count(sample, split)
    assert 4 <= count <= 8 and str(count) in reason and reason.endswith(".")


def test_merged_parts_are_where_either_is() -> None:
    maps, _ = folder()
    _, _, sample, split = fitted(maps)
    clusters = cluster_foreground(sample, split, 3)
    plain, merged = (arrange_parts(sample, split, clusters, groups) for groups in ((), ((0, 2),)))
    empty = [np.zeros((len(tier.centroids), 1, WIDTH), np.float32) for tier in (plain, merged)]
    one, two = (tier.codebook(split, rows, tier.background) for tier, rows in zip((plain, merged), empty, strict=True))
    before, after = one.segment(maps[0]).labels, two.segment(maps[0]).labels
    assert (after[np.isin(before, (0, 2))] == 0).all() and (after[before == 1] == 1).all()


def test_votes_are_kept_with_the_codebook(tmp_path: Path) -> None:
    maps, _ = folder()
    book, *_ = fitted(maps)
    words = Vocabulary("animal", tuple(Part(i, f"part {i}", "#000000") for i in range(3)), 4)
    pack = Pack(tmp_path.resolve(), "a", "A", words, Backbone("eyes", centred=True, sees="photos"), BaseModel("base"))
    book.save(pack.path / CODEBOOK)
    pack.save()
    read = Pack.open(tmp_path)
    assert read.backbone.centred and read.to_document()["version"] == 2
    for features in maps[:4]:
        before, after = (one.segment(features) for one in (book, read.codebook()))
        assert (before.labels == after.labels).all() and before.codes == after.codes
    plain = replace(pack, backbone=Backbone("eyes"))
    assert plain.to_document()["version"] == 1 and "centred" not in plain.to_document()["backbone"]
    with pytest.raises(UserError, match="another pack"):
        plain.codebook()
    replace(book, votes=None).save(pack.path / CODEBOOK)
    with pytest.raises(UserError, match="another pack"):
        pack.codebook()


@pytest.mark.parametrize("change", [{"shares": np.zeros(3, np.float32)}, {"centroids": np.zeros((0, 8), np.float32)},
                                    {"centroids": np.full((2, 8), np.nan, np.float32)}])  # fmt: skip
def test_damaged_votes_are_refused(change: dict[str, Any]) -> None:
    whole = {"centroids": np.ones((2, 8), np.float32), "shares": np.zeros(2, np.float32)}
    with pytest.raises(UserError, match="damaged"):
        ForegroundVotes(**{**whole, **change}, weight=0.5)


def test_cells_that_are_no_numbers_are_background() -> None:
    maps, _ = folder()
    book, *_ = fitted(maps)
    features = maps[0].copy()
    features[:, 0, 0] = np.nan
    assert book.segment(features).labels[0, 0] == NO_PART
    features[:] = np.nan
    assert (book.segment(features).labels == NO_PART).all()


def test_specks_and_rims() -> None:
    mask = animal_mask(4, 4)
    spotted = mask.copy()
    spotted[0, 0] = spotted[14, 14] = True
    assert (without_specks(spotted) == mask).all()
    alone = np.zeros((SIDE, SIDE), bool)
    alone[3, 3] = True
    assert (without_specks(alone) == alone).all(), "the largest piece stays"
    spiral = np.zeros((9, 9), bool)
    spiral[::2] = True
    for row, at in zip(range(1, 9, 2), (8, 0, 8, 0), strict=True):
        spiral[row, at] = True
    assert (without_specks(spiral) == spiral).all(), "one long piece"
    assert rim_of(mask).sum() == 2 * (6 + 9) - 4 and not rim_of(np.ones((4, 4), bool)).any()
    assert np.allclose(np.linalg.norm(centred_cells(scene(0)[0], ~mask & mask), axis=2), 1, atol=1e-5)


def test_photographs_are_seen_with_a_layer_between(models: Any, tiny_world: Path) -> None:
    eyes = str(tiny_world / "eyes")
    photos = backbone_with(models, eyes, EyeSettings())
    assert photos.centred and photos.sees == "photos" and photos.feature_layer == "1"
    drawings = backbone_with(models, eyes, EyeSettings(sees="drawings"))
    assert not drawings.centred and drawings.feature_layer == "last_hidden_state"
    assert not backbone_with(models, "starter/eyes", EyeSettings()).centred
    assert backbone_with(models, eyes, EyeSettings(feature_layer="0")).feature_layer == "0"
