"""Spherical k-means: planted clusters, bad rows, the same result twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from engine.segmentation import kmeans as module
from engine.segmentation.kmeans import kmeans


def blobs(count: int = 6, each: int = 50, width: int = 24, noise: float = 0.1, seed: int = 0) -> np.ndarray:
    """Unit rows around ``count`` directions."""
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((count, width))
    rows = np.repeat(centres, each, 0) + noise * generator.standard_normal((count * each, width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def mean_cosine(rows: np.ndarray, centroids: np.ndarray) -> float:
    units = centroids / np.linalg.norm(centroids, axis=1, keepdims=True)
    return float((rows @ units.T).max(axis=1).mean())


def test_planted_clusters_are_found() -> None:
    found = kmeans(blobs(), 6)
    assert len(found.centroids) == 6 and not found.alike
    np.testing.assert_allclose(np.linalg.norm(found.centroids, axis=1), 1, atol=1e-5)
    groups = found.labels.reshape(6, 50)
    assert (groups == groups[:, :1]).all() and len(set(groups[:, 0].tolist())) == 6
    assert found.cosine == pytest.approx(mean_cosine(blobs(), found.centroids), abs=1e-5)


def test_labels_are_the_nearest_centroids_and_the_largest_comes_first() -> None:
    rows = np.concatenate([blobs(3, 10), blobs(2, 200, seed=5, noise=0.5)])
    found = kmeans(rows, 7, seed=3)
    # Rows as far from two centroids may be either's; the bounds have a little slack.
    assert ((rows @ found.centroids.T).argmax(axis=1) == found.labels).mean() > 0.99
    sizes = np.bincount(found.labels)
    assert (np.diff(sizes) <= 0).all()


def test_as_good_as_scikit_learn() -> None:
    rows = blobs(12, 100, noise=0.9, seed=2)
    ours = [mean_cosine(rows, kmeans(rows, 8, seed=seed).centroids) for seed in range(6)]
    theirs = [
        mean_cosine(rows, KMeans(8, n_init=4, random_state=seed).fit(rows).cluster_centers_)  # type: ignore[arg-type]
        for seed in range(6)
    ]
    # Two blobs must share a cluster here, and which ones is a matter of luck: seeds are compared on the whole.
    assert np.mean(ours) > np.mean(theirs) - 2e-3 and max(ours) > max(theirs) - 2e-3


def test_samples_lead_to_where_all_rows_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = blobs(5, 400, noise=0.6)
    whole = kmeans(rows, 5)
    monkeypatch.setattr(module, "_SAMPLE", 100)
    monkeypatch.setattr(module, "_SAMPLE_EACH", 4)
    staged = kmeans(rows, 5)
    likeness = staged.centroids @ whole.centroids.T
    assert (likeness.max(axis=1) > 0.999).all()
    assert staged.cosine == pytest.approx(whole.cosine, abs=1e-4)


def test_pruned_passes_are_plain_passes() -> None:
    """Many clusters that overlap: the bounds must not change what Lloyd's passes find."""
    rows = blobs(40, 40, noise=1.0, seed=4)
    found = kmeans(rows, 40, restarts=1)
    sums = np.zeros_like(found.centroids)
    np.add.at(sums, found.labels, rows)
    means = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    np.testing.assert_allclose(means, found.centroids, atol=1e-4)
    assert ((rows @ means.T).argmax(axis=1) == found.labels).mean() > 0.99


def test_the_same_seed_gives_the_same_centroids() -> None:
    rows = blobs(noise=0.8)
    one, two = kmeans(rows, 9, seed=7), kmeans(rows, 9, seed=7)
    np.testing.assert_array_equal(one.centroids, two.centroids)
    np.testing.assert_array_equal(one.labels, two.labels)


@settings(max_examples=30)
@given(st.integers(1, 12), st.integers(1, 40), st.integers(1, 6), st.integers(0, 99))
def test_fewer_different_rows_than_clusters(different: int, count: int, times: int, seed: int) -> None:
    rows = np.tile(blobs(different, 1, seed=seed), (times, 1))
    found = kmeans(rows, count, seed=seed)
    assert 1 <= len(found.centroids) <= min(count, different)
    assert np.isfinite(found.centroids).all() and found.labels.shape == (len(rows),)
    assert found.labels.min() >= 0 and found.labels.max() < len(found.centroids)
    if count >= different:
        assert len(found.centroids) == different and found.cosine == pytest.approx(1, abs=1e-4)


def test_an_empty_cluster_begins_again_where_rows_fit_worst() -> None:
    rows = blobs(4, 30, noise=0.05)
    seeds = np.stack([rows[0], rows[30], -rows[0], -rows[30]])  # nobody is near the last two
    state = module._lloyd(module.torch.from_numpy(rows), module.torch.from_numpy(seeds))
    assert (module.torch.bincount(state.labels, minlength=4) > 0).all()
    assert state.cosine > 0.98


def test_twins_are_told() -> None:
    rows = blobs(1, 200, noise=0.05)
    assert kmeans(rows, 3).alike == ((0, 1), (0, 2), (1, 2))


def test_what_cannot_be_clustered() -> None:
    for rows, count in ((np.zeros((0, 4), np.float32), 2), (blobs(), 0), (np.zeros(4, np.float32), 1)):
        with pytest.raises(ValueError, match="clusters"):
            kmeans(rows, count)
