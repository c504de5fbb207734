"""Parts that are known beforehand: prototypes, when they fit, what begins at them, and names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.core.paths import cache_dir
from engine.segmentation.codebook_fitting import BackgroundSplit, FeatureSample, unit_rows
from engine.segmentation.dino import open_dino
from engine.segmentation.feature_cache import dino_cache_key
from engine.segmentation.find_parts import backbone_with
from engine.segmentation.known_parts import (
    KnownParts,
    fitting,
    guided_clusters,
    known_parts,
    look_at_known_parts,
    shipped_prototypes,
)
from engine.segmentation.part_count import suggest_part_count
from engine.segmentation.part_names import part_names
from engine.worker.jobs import EyeSettings, News

NAMES = ("head", "body", "wing", "tail", "legs")
WIDTH = 32
PROTOTYPES = np.eye(5, WIDTH, dtype=np.float32)
KNOWN = KnownParts(NAMES, PROTOTYPES)


def silent(_news: News) -> None: ...


def rows_like(likeness: float, each: int = 60, seed: int = 0) -> np.ndarray:
    """Unit rows of which as many are like each prototype, by this cosine with it; the rest is a part's own look."""
    generator = np.random.default_rng(seed)
    rows = []
    for part in range(5):
        own = np.zeros(WIDTH)
        own[5 + part] = 1
        middle = likeness * PROTOTYPES[part] + np.sqrt(1 - likeness**2) * own
        rows.append(middle + 0.05 * generator.standard_normal((each, WIDTH)))
    return unit_rows(np.concatenate(rows)).astype(np.float32)


def sample_of(rows: np.ndarray, pictures: int = 20) -> tuple[FeatureSample, BackgroundSplit]:
    count = len(rows)
    order = np.random.default_rng(1).permutation(count)
    numbers = np.arange(count) * pictures // count
    sample = FeatureSample(rows[order], numbers, np.arange(count), np.zeros(count, np.bool_))
    front = np.ones(count, np.bool_)
    return sample, BackgroundSplit(unit_rows(rows[:2]), front, 1.0, 0.0)


def test_parts_begin_at_prototypes_and_follow_the_folder_a_little() -> None:
    rows = rows_like(0.8)
    centroids = KNOWN.clusters(rows, 5)
    assert ((rows @ centroids.T).argmax(axis=1) == np.repeat(np.arange(5), 60)).all()
    cosines = (centroids * PROTOTYPES).sum(axis=1)
    assert (cosines < 0.999).all() and (cosines > 0.9).all()


def test_fewer_parts_are_taken_together_and_more_are_split_behind_the_named_ones() -> None:
    close = PROTOTYPES.copy()
    close[2] = unit_rows((PROTOTYPES[1] + PROTOTYPES[2])[None])[0]  # the wing lies on the body
    known, rows = KnownParts(NAMES, close), rows_like(0.8)
    four = known.clusters(rows, 4)
    assert four.shape == (4, WIDTH) and np.allclose(np.linalg.norm(four, axis=1), 1, atol=1e-5)
    assert four[1] @ close[2] > 0.8 and four[1] @ close[1] > 0.8, "body and wing became one"
    generator = np.random.default_rng(3)
    two_heads = rows.copy()
    two_heads[:30, 20:] += 0.8 * np.abs(generator.standard_normal((30, WIDTH - 20)))
    seven = known.clusters(unit_rows(two_heads), 7)
    assert len(seven) == 7
    assert (unit_rows(seven[:5]) * close).sum(axis=1).min() > 0.5, "the first five are still the known ones"


def test_one_place_only_gives_no_more_parts_than_there_are() -> None:
    same = np.tile(PROTOTYPES[:1], (40, 1))
    assert len(KNOWN.clusters(same, 8)) <= 8
    assert len(KNOWN.clusters(same, 1)) == 1


def test_prototypes_fit_what_they_explain_as_well_as_clusters_of_its_own() -> None:
    sample, split = sample_of(rows_like(0.85))
    found = fitting(KNOWN, sample, split.front)
    assert found is not None and found.naming
    generator = np.random.default_rng(0)
    middles = unit_rows(generator.standard_normal((7, WIDTH)))
    other = unit_rows(middles[np.arange(420) % 7] + 0.05 * generator.standard_normal((420, WIDTH))).astype(np.float32)
    other[:, :5] = 0  # nothing of any prototype
    sample, split = sample_of(unit_rows(other))
    assert fitting(KNOWN, sample, split.front) is None
    assert fitting(KNOWN, sample, np.zeros(len(other), np.bool_)) is None


@pytest.mark.parametrize(
    ("likeness", "names"),
    [
        (0.9, ["head", "body", "wing", "tail", "legs"]),
        (0.7, ["head", "body", "back", "tail end", "legs"]),
        (0.55, ["part 1", "part 2", "back", "part 4", "part 5"]),
        (0.4, ["part 1", "part 2", "part 3", "part 4", "part 5"]),
    ],
)
def test_a_part_is_called_what_it_looks_like_and_never_more(likeness: float, names: list[str], models: Any) -> None:
    rows = rows_like(likeness)
    backbone = backbone_with(models, "starter/eyes", EyeSettings(sees="photos"))
    assert part_names(KNOWN.clusters(rows, 5), rows, backbone, (), KNOWN) == names
    unnamed = replace(KNOWN, naming=False)
    assert part_names(KNOWN.clusters(rows, 5), rows, backbone, (), unnamed) == [f"part {n}" for n in range(1, 6)]


def test_what_looks_like_two_prototypes_has_no_name() -> None:
    between = unit_rows(rows_like(0.9)[:60] + rows_like(0.9)[60:120])
    centroid = unit_rows(between.mean(axis=0, keepdims=True))
    assert KNOWN.names_of(centroid, between) == {}
    assert KNOWN.names_of(centroid, between[:0]) == {}


def test_known_parts_are_suggested_where_they_are_stable() -> None:
    sample, split = sample_of(rows_like(0.85, each=200))
    count, reason = suggest_part_count(sample, split, known=KNOWN)
    assert count == 5 and "most animals have" in reason
    clusters = guided_clusters(sample, split, 5, KNOWN)
    assert np.bincount(clusters.labels).tolist() == [200] * 5


def test_prototypes_are_looked_at_once_and_a_damaged_file_again(models: Any, tiny_world: Path) -> None:
    backbone = backbone_with(models, str(tiny_world / "eyes"), EyeSettings(image_size=64))
    looked: list[News] = []
    first = known_parts(models, backbone, looked.append)
    assert looked and first.names == NAMES and first.prototypes.shape[0] == 5
    assert np.allclose(np.linalg.norm(first.prototypes, axis=1), 1, atol=1e-5)
    looked.clear()
    assert (known_parts(models, backbone, looked.append).prototypes == first.prototypes).all() and not looked
    (place,) = (cache_dir() / "prototypes").iterdir()
    place.write_bytes(place.read_bytes()[:40])
    assert (known_parts(models, backbone, looked.append).prototypes == first.prototypes).all() and looked


@pytest.mark.slow
@pytest.mark.eyes
def test_what_ships_is_what_the_eyes_see(real_eyes: Path, models: Any) -> None:
    backbone = backbone_with(models, str(real_eyes), EyeSettings())
    shipped = shipped_prototypes() / f"{dino_cache_key(backbone)}.safetensors"
    assert shipped.exists(), "the eyes that set-up fetches have their prototypes in resources/starter/prototypes"
    prototypes = known_parts(models, backbone, silent).prototypes
    assert not (cache_dir() / "prototypes").exists()
    again = look_at_known_parts(models, backbone, silent)
    assert open_dino(models, backbone).eyes.patch == 14
    assert (prototypes * again).sum(axis=1).min() > 0.9999
