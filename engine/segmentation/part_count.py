"""How many parts fit: the most that come out the same whichever half of the pictures they are found in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from engine.core.atomic_files import read_text, write_cached
from engine.core.json_values import read_document
from engine.core.paths import cache_dir
from engine.segmentation.codebook_fitting import BackgroundSplit, FeatureSample
from engine.segmentation.kmeans import kmeans
from engine.segmentation.known_parts import KnownParts

Ints = npt.NDArray[np.int64]

MOST_PARTS: Final = 10

_HALVES: Final = 4
_ROWS: Final = 3000
_ENOUGH_PICTURES: Final = 8
"""With fewer, halves are taken of the rows, not of the pictures."""
_AS_GOOD: Final = 0.05
_SHAKY: Final = 0.6
_OF_ANIMALS: Final = range(4, 9)
"""How many parts of things in photographs a person would name."""
_STABLE: Final = 0.8


def suggest_part_count(
    sample: FeatureSample,
    split: BackgroundSplit,
    key: str = "",
    report: Callable[[int, int], None] = lambda _done, _total: None,
    known: KnownParts | None = None,
) -> tuple[int, str]:
    """How many parts to ask for, and why in a sentence. Remembered on disk under ``key`` unless that is empty.

    For each number from 2 to ten, parts are found in random halves of the pictures; how far they agree on which places
    belong together is the mean adjusted Rand index of each two halves (1: wholly, 0: as by chance). The largest number
    that agrees nearly as well as the best is suggested. For photographs it is a number from four to eight, and what
    counts is how many places halves put into the same part; known parts are suggested where they fit and are stable.
    """
    place = cache_dir() / "suggestions" / f"{key}.json"
    if key and (remembered := _read(place)):
        return remembered
    # With few pictures it is their places that are halved.
    halves = "places" if len(np.unique(sample.picture)) < _ENOUGH_PICTURES else "pictures"
    if known:
        usual = len(known.names)
        agreement = stability(sample, split, report, same_part, known, range(usual, usual + 2))
        answer = _choose_of_animals(agreement, halves)
        if agreement.get(usual, 0) >= _STABLE:
            answer = (
                usual,
                (
                    f"{usual} parts are those that most animals have; they come out the same ({agreement[usual]:.0%}) "
                    f"whichever half of the {halves} they are found in."
                ),
            )
    elif split.votes:
        answer = _choose_of_animals(stability(sample, split, report, same_part), halves)
    else:
        answer = _choose(stability(sample, split, report), halves)
    if key:
        write_cached(place, json.dumps({"parts": answer[0], "reason": answer[1]}).encode(), "the suggestion")
    return answer


def rand_index(labels: Ints, others: Ints) -> float:
    """The adjusted Rand index of two labellings (N,), at most 1."""
    from sklearn.metrics import adjusted_rand_score  # it takes a second to import, and few jobs come here

    return float(adjusted_rand_score(labels, others))


def same_part(labels: Ints, others: Ints) -> float:
    """The share of places that two labellings (N,) put into the same part, whatever they call it."""
    count = 1 + int(max(labels.max(initial=0), others.max(initial=0)))
    table = np.zeros((count, count))
    np.add.at(table, (labels, others), 1)
    return float(table[linear_sum_assignment(-table)].sum() / max(len(labels), 1))


def stability(
    sample: FeatureSample,
    split: BackgroundSplit,
    report: Callable[[int, int], None] = lambda _done, _total: None,
    agreement_of: Callable[[Ints, Ints], float] = rand_index,
    known: KnownParts | None = None,
    counts: range = range(2, MOST_PARTS + 1),
) -> dict[int, float]:
    """How far halves of the pictures agree on the parts, by their number: the mean of ``agreement_of``, at most 1.
    ``counts`` are the numbers that are tried, in order, as far as there are so many different places."""
    generator = np.random.default_rng(0)
    inside = split.front if sample.left_out is None else split.front & ~sample.left_out
    rows, picture = sample.rows[inside], sample.picture[inside]
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
    for done, count in enumerate(counts):
        report(done, len(counts))
        if count > len(rows):
            break
        centroids = [
            known.clusters(half, count, seed) if known else kmeans(half, count, seed=seed, restarts=3).centroids
            for seed, half in enumerate(halves)
        ]
        if min(map(len, centroids)) < count:
            break  # there are not so many different places
        labels = [(tried @ rows.T).argmax(axis=1) for rows in centroids]
        indices = [agreement_of(labels[i], labels[j]) for i in range(_HALVES) for j in range(i)]
        agreement[count] = float(np.mean(indices))
    return agreement


def _choose(agreement: dict[int, float], halves: str) -> tuple[int, str]:
    if not agreement:
        return 1, "All places of the object look the same."
    best = max(agreement.values())
    count = max(parts for parts, value in agreement.items() if value >= best - _AS_GOOD)
    value = agreement[count]
    if best < _SHAKY:
        return count, f"No number of parts fits well; {count} come out alike most often ({value:.0%})."
    reason = f"{count} parts come out the same ({value:.0%}) whichever half of the {halves} they are found in"
    if count + 1 in agreement:
        reason += f"; {count + 1} less so ({agreement[count + 1]:.0%})"
    return count, f"{reason}."


def _choose_of_animals(agreement: dict[int, float], halves: str) -> tuple[int, str]:
    """The largest of the usual numbers of parts that is stable, or the most stable one."""
    usual = {count: value for count, value in agreement.items() if count in _OF_ANIMALS}
    if not usual:
        return _choose(agreement, halves)
    stable = [count for count, value in usual.items() if value >= _STABLE]
    count = max(stable) if stable else max(usual, key=lambda parts: usual[parts])
    if stable:
        more = f"; {count + 1} less so ({usual[count + 1]:.0%})" if count + 1 in usual else ""
        return count, (
            f"{count} is the largest number of parts that come out the same ({usual[count]:.0%}) whichever half of the "
            f"{halves} they are found in{more}."
        )
    return count, (
        f"{count} parts come out most alike, in {usual[count]:.0%} of places, whichever half of the {halves} they are "
        f"found in; more pictures would make parts surer."
    )


def _read(place: Path) -> tuple[int, str] | None:
    try:
        document = read_document(read_text(place))
        return int(document["parts"]), str(document["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not there, or damaged: it is found out again
