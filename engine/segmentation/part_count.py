"""How many parts fit: the most that come out the same whichever half of the pictures they are found in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from engine.core.atomic_files import make_folder, read_text, write_bytes
from engine.core.paths import cache_dir
from engine.segmentation.codebook_fitting import BackgroundSplit, FeatureSample
from engine.segmentation.kmeans import kmeans

MOST_PARTS: Final = 10

_HALVES: Final = 4
_ROWS: Final = 3000
_ENOUGH_PICTURES: Final = 8
"""With fewer, halves are taken of the rows, not of the pictures."""
_AS_GOOD: Final = 0.05
_SHAKY: Final = 0.6


def suggest_part_count(
    sample: FeatureSample,
    split: BackgroundSplit,
    key: str = "",
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[int, str]:
    """How many parts to ask for, and why in a sentence. Remembered on disk under ``key`` unless that is empty.

    For each number from 2 to ten, parts are found in random halves of the pictures; how far they agree on which places
    belong together is the mean adjusted Rand index of each two halves (1: wholly, 0: as by chance). The largest number
    that agrees nearly as well as the best is suggested.
    """
    place = cache_dir() / "suggestions" / f"{key}.json"
    if key and (remembered := _read(place)):
        return remembered
    agreement = stability(sample, split, report)
    answer = _choose(agreement)
    if key:
        make_folder(place.parent)
        write_bytes(place, json.dumps({"parts": answer[0], "reason": answer[1]}).encode(), "the suggestion")
    return answer


def stability(
    sample: FeatureSample, split: BackgroundSplit, report: Callable[[int, int], None] = lambda _done, _total: None
) -> dict[int, float]:
    """How far halves of the pictures agree on the parts, by their number: mean adjusted Rand indices, at most 1."""
    from sklearn.metrics import adjusted_rand_score  # it takes a second to import, and few jobs come here

    generator = np.random.default_rng(0)
    rows, picture = sample.rows[split.front], sample.picture[split.front]
    tried = rows[generator.permutation(len(rows))[:_ROWS]]
    numbers = np.unique(picture)
    if len(numbers) < _ENOUGH_PICTURES:
        picture = np.arange(len(rows))
        numbers = picture
    halves = []
    for _ in range(_HALVES):
        half = np.isin(picture, generator.permutation(numbers)[: max(1, len(numbers) // 2)])
        halves.append(rows[generator.permutation(np.flatnonzero(half))[:_ROWS]])
    agreement: dict[int, float] = {}
    for count in range(2, min(MOST_PARTS, len(rows)) + 1):
        report(count - 2, MOST_PARTS - 1)
        centroids = [kmeans(half, count, seed=seed, restarts=3).centroids for seed, half in enumerate(halves)]
        if min(map(len, centroids)) < count:
            break  # there are not so many different places
        labels = [(tried @ rows.T).argmax(axis=1) for rows in centroids]
        indices = [adjusted_rand_score(labels[i], labels[j]) for i in range(_HALVES) for j in range(i)]
        agreement[count] = float(np.mean(indices))
    return agreement


def _choose(agreement: dict[int, float]) -> tuple[int, str]:
    if not agreement:
        return 1, "All places of the object look the same."
    best = max(agreement.values())
    count = max(parts for parts, value in agreement.items() if value >= best - _AS_GOOD)
    value = agreement[count]
    if best < _SHAKY:
        return count, f"No number of parts fits well; {count} come out alike most often ({value:.0%})."
    reason = f"{count} parts come out the same ({value:.0%}) whichever half of the pictures they are found in"
    if count + 1 in agreement:
        reason += f"; {count + 1} less so ({agreement[count + 1]:.0%})"
    return count, f"{reason}."


def _read(place: Path) -> tuple[int, str] | None:
    try:
        document = json.loads(read_text(place))
        return int(document["parts"]), str(document["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not there, or damaged: it is found out again
