"""How much faster our spherical k-means is than scikit-learn's KMeans: prints ratios and mean cosines.

    python tests/bench/kmeans.py [--rows 200000] [--width 768] [--rounds N] [--quick] [--threads N]

Bars: at equal or better mean cosine, 1.7 times at k = 8 and 1.2 times at k = 256 (aim: 3 times). Both cluster the same
rows with the same threads and the same number of restarts, in turns, in one process; time is the processor time of the
process, which other programs do not disturb. The mean cosine is that of rows and their nearest normalised centroid.

The rows are made like DINO's patch features: 60 kinds of places in a tree of 12, each with spread of its own along few
directions that all share (anisotropic, spectrum falling as 1/i), overlapping, of very unequal sizes, on a large common
mean, with heavy tails (Student's t with 4 degrees of freedom).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import torch
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from engine.segmentation.kmeans import kmeans

RESTARTS = {8: 4, 256: 1}
BARS = {8: 1.7, 256: 1.2}


def main() -> None:
    """Measure and print a line for each k and round, then the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--k", type=int, nargs="*", default=[8, 256])
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, a third of the width")
    words = parser.parse_args()
    if words.quick:
        words.rows, words.width, words.rounds = words.rows // 10, words.width // 3, 1
    torch.set_num_threads(words.threads)
    rows = make_rows(words.rows, words.width)
    with threadpool_limits(words.threads):
        for count in words.k:
            compare(rows, count, words.rounds)


def compare(rows: np.ndarray, count: int, rounds: int) -> None:
    """Cluster the same rows in turns."""
    restarts = RESTARTS.get(count, 1)
    times: dict[str, list[float]] = {"ours": [], "sklearn": []}
    cosines: dict[str, list[float]] = {"ours": [], "sklearn": []}
    for seed in range(rounds):
        for name in ("ours", "sklearn"):
            begun = time.process_time()
            if name == "ours":
                centroids = kmeans(rows, count, seed=seed, restarts=restarts).centroids
            else:
                fitted: Any = KMeans(count, n_init=restarts, random_state=seed)  # type: ignore[arg-type]
                centroids = fitted.fit(rows).cluster_centers_
            times[name].append(time.process_time() - begun)
            cosines[name].append(mean_cosine(rows, centroids))
        told = (f"{name} {times[name][-1]:.2f} s, cosine {cosines[name][-1]:.6f}" for name in times)
        print(f"k={count} seed {seed}:", ", ".join(told), flush=True)
    ratio = sum(times["sklearn"]) / sum(times["ours"])
    gain = np.mean(cosines["ours"]) - np.mean(cosines["sklearn"])
    print(
        f"k={count}, {len(rows)} x {rows.shape[1]}, {restarts} restarts: {ratio:.2f} times faster "
        f"(bar {BARS.get(count, 1.0)}), mean cosine {np.mean(cosines['ours']):.6f} ({gain:+.6f})",
        flush=True,
    )


def mean_cosine(rows: np.ndarray, centroids: np.ndarray) -> float:
    """The mean cosine of unit rows and their nearest centroid."""
    units = centroids / np.linalg.norm(centroids, axis=1, keepdims=True)
    return float(np.mean(np.concatenate([(chunk @ units.T).max(axis=1) for chunk in np.array_split(rows, 50)])))


def make_rows(count: int, width: int, seed: int = 0) -> np.ndarray:
    """Unit rows (N, C) with the structure told above."""
    generator = np.random.default_rng(seed)
    spectrum = 1 / np.sqrt(np.arange(1, width + 1))
    spectrum /= np.linalg.norm(spectrum)
    turn, _ = np.linalg.qr(generator.standard_normal((width, width)))
    kinds = generator.standard_normal((12, width))[generator.integers(12, size=60)] * 0.8
    kinds = (kinds + 0.6 * generator.standard_normal((60, width))) * spectrum
    spread = 0.6 + 0.8 * generator.random(60)
    chances = generator.pareto(1.2, 60) + 0.2
    member = generator.choice(60, count, p=chances / chances.sum())
    rows = np.empty((count, width), np.float32)
    common = turn[0] * 0.5
    for start in range(0, count, 20_000):
        which = member[start : start + 20_000]
        noise = generator.standard_normal((len(which), width)) * spectrum
        tails = np.sqrt(4 / generator.chisquare(4, len(which)))
        made = (kinds[which] + noise * (spread[which] * tails)[:, None]) @ turn + common
        rows[start : start + len(which)] = made / np.linalg.norm(made, axis=1, keepdims=True)
    return rows


if __name__ == "__main__":
    main()
