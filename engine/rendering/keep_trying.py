"""Keep trying: seeds are rendered until all parts arrive or the tries are used up; the best one is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image

from engine.core.errors import JobCancelled
from engine.core.recipe import Receipt, Recipe
from engine.core.vocabulary import Vocabulary


@dataclass(frozen=True)
class Try:
    """One picture of several tries, its seed and its receipt. ``stopped``: nobody wants further ones."""

    picture: Image.Image
    seed: int
    receipt: Receipt
    stopped: bool = False

    @property
    def is_enough(self) -> bool:
        """Whether all parts arrived, or nobody can say."""
        return all(arrival.arrived for arrival in self.receipt)

    @property
    def rank(self) -> tuple[int, float]:
        """The more parts arrived the better, then the more alike they are to what was chosen."""
        return sum(one.arrived for one in self.receipt), sum(one.similarity for one in self.receipt)


def seeds_to_try(recipe: Recipe, index: int) -> list[int]:
    """The seeds of picture ``index`` of a recipe, one a try; no two pictures share one. The first is the one it has
    without further tries."""
    return [(recipe.seed + index + turn * recipe.count) % 2**63 for turn in range(recipe.tries)]


def best_of(
    seeds: Sequence[int],
    paint: Callable[[int, str], Image.Image],
    look: Callable[[Image.Image, int], Receipt],
    vocabulary: Vocabulary,
) -> Try:
    """The best try: the first in which all parts arrive, else the one with most of them.

    ``paint`` makes the picture of a seed and is told what to say meanwhile; ``look`` says what arrived. Once somebody
    cancels, the best so far is given, ``stopped``; without one, :class:`JobCancelled` goes on.
    """
    best: Try | None = None
    for number, seed in enumerate(seeds):
        words = f"Try {number + 1} of {len(seeds)}"
        try:
            picture = paint(seed, f"{words}: {missing_text(best.receipt, vocabulary)}" if best else words)
            tried = Try(picture, seed, look(picture, seed))
        except JobCancelled:
            if best is None:
                raise
            return Try(best.picture, best.seed, best.receipt, stopped=True)
        if best is None or tried.rank > best.rank:
            best = tried
        if best.is_enough:
            break
    assert best is not None, "there is a seed at least"
    return best


def missing_text(receipt: Receipt, vocabulary: Vocabulary) -> str:
    """What did not arrive, in a few words: "wing missing", "head and legs missing", "4 parts missing"."""
    names = [vocabulary.parts[arrival.part].name for arrival in receipt if not arrival.arrived]
    return f"{' and '.join(names) if len(names) < 3 else f'{len(names)} parts'} missing"
