"""Labels at the size of a picture: edges that follow it, on drawings whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import distance_transform_edt, gaussian_filter

from engine.core.segmentation import NO_PART
from engine.packs.codebook import Codebook
from engine.segmentation.mask_refinement import segment_picture
from tests.fakes import sketch_bird


def feature_map(truth: np.ndarray, grid: int, seed: int, width: int = 32) -> tuple[Codebook, np.ndarray]:
    """A codebook and the features that imperfect eyes would have of a labelled drawing: blurred, with noise."""
    generator = np.random.default_rng(seed)
    kinds = [NO_PART, *sorted(set(np.unique(truth).tolist()) - {NO_PART})]
    vectors = generator.standard_normal((len(kinds), width)).astype(np.float32)
    shares = [
        Image.fromarray((truth == kind).astype(np.float32)).resize((grid, grid), Image.Resampling.BOX) for kind in kinds
    ]
    blurred = np.stack([gaussian_filter(np.asarray(share), 0.7) for share in shares])
    features = np.einsum("khw,kc->chw", blurred, vectors) + 0.3 * generator.standard_normal((width, grid, grid))
    foreground = np.stack([vectors[0], vectors[1:].mean(0)])
    codes = generator.standard_normal((len(kinds) - 1, 4, width)).astype(np.float32)
    return Codebook(foreground, vectors[1:].copy(), codes), features.astype(np.float32)


def edges(labels: np.ndarray) -> np.ndarray:
    found = np.zeros(labels.shape, bool)
    found[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    found[1:] |= labels[1:] != labels[:-1]
    return found


def edge_score(found: np.ndarray, truth: np.ndarray, near: float) -> float:
    """The boundary F measure: edge pixels within ``near`` pixels of an edge of the other."""
    ours, true = edges(found), edges(truth)
    precision = (np.asarray(distance_transform_edt(~true))[ours] <= near).mean()
    recall = (np.asarray(distance_transform_edt(~ours))[true] <= near).mean()
    return float(2 * precision * recall / (precision + recall))


def mean_iou(found: np.ndarray, truth: np.ndarray) -> float:
    kinds = np.unique(truth)
    return float(np.mean([((found == k) & (truth == k)).sum() / ((found == k) | (truth == k)).sum() for k in kinds]))


def scores(drawings: list[tuple[np.ndarray, np.ndarray]], grid: int) -> np.ndarray:
    """Mean of [IoU on the grid, IoU refined, edges on the grid, edges refined]."""
    rows = []
    for seed, (picture, truth) in enumerate(drawings):
        book, features = feature_map(truth, grid, seed)
        refined = segment_picture(book, features, picture).labels
        size = (truth.shape[1], truth.shape[0])
        blocks = np.asarray(Image.fromarray(book.segment(features).labels).resize(size, Image.Resampling.NEAREST))
        near = max(1.0, truth.shape[0] / 128)
        rows.append(
            [
                mean_iou(blocks, truth),
                mean_iou(refined, truth),
                edge_score(blocks, truth, near),
                edge_score(refined, truth, near),
            ]
        )
    return np.mean(rows, axis=0)


@pytest.mark.parametrize(("size", "grid"), [(128, 16), (128, 32), (512, 32)])
def test_edges_follow_plain_drawings(size: int, grid: int) -> None:
    drawings = []
    for seed in range(4):
        picture, truth = sketch_bird(seed, size)
        noise = np.random.default_rng(seed).normal(0, 6, (size, size, 3))
        drawings.append((np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8), truth))
    blocks, refined, block_edges, refined_edges = scores(drawings, grid)
    assert refined > blocks + 0.04 and refined > (0.7 if grid == 16 else 0.85)
    assert refined_edges > block_edges + 0.15 and refined_edges > (0.7 if grid == 16 else 0.8)


def test_edges_follow_birds_of_the_aviary() -> None:
    pytest.importorskip("skia", reason="drawing birds needs the extra 'aviary'")
    from engine.aviary.drawing.attributes import random_bird
    from engine.aviary.drawing.bird import draw_bird

    drawings = []
    for seed in range(6):
        drawing = draw_bird(random_bird(np.random.default_rng(seed)), seed)
        drawings.append((drawing.image, np.where(drawing.labels == 0, NO_PART, drawing.labels - 1).astype(np.uint8)))
    blocks, refined, block_edges, refined_edges = scores(drawings, 32)
    assert refined > blocks + 0.03
    assert refined_edges > block_edges + 0.1 and refined_edges > 0.62


def test_a_codebook_never_changes_the_picture_it_looks_at() -> None:
    book, features = feature_map(sketch_bird(0)[1], 16, 0)
    picture = np.asarray(sketch_bird(0)[0]).copy()
    before = features.copy(), picture.copy()
    segment_picture(book, features, picture)
    assert np.array_equal(features, before[0]) and np.array_equal(picture, before[1])


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (1500, 40)])
def test_odd_shapes(size: tuple[int, int]) -> None:
    generator = np.random.default_rng(1)
    foreground, parts, codes = (
        generator.standard_normal(shape).astype(np.float32) for shape in ((2, 8), (3, 8), (3, 4, 8))
    )
    book = Codebook(foreground, parts, codes)
    features = np.random.default_rng(0).standard_normal((8, 6, 5)).astype(np.float32)
    noise = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    assert segment_picture(book, features, noise).labels.shape == size
