"""How long a search of many creations takes: ``python -m tests.bench.creation_search [--creations N]``.

Prints milliseconds of CPU time: of the first search, which gathers the words of all, and the median of later ones. All
of it is done off the Qt thread. Exits 1 when a later search takes more than ``BAR_MS``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

BAR_MS = 50.0


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 0 when the bar is met."""
    from engine.core.recipe import Creation, Recipe
    from engine.core.vocabulary import Choice
    from partcraft_desktop.app.creation_search import CreationSearch
    from tests import fakes

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--creations", type=int, default=10_000)
    count = parser.parse_args(argv).creations
    with tempfile.TemporaryDirectory() as home:
        pack = fakes.make_pack(Path(home) / "fake-birds")
    choices = tuple(Choice(part.index, 0) for part in pack.vocabulary.parts if not part.background)
    recipe = Recipe(pack.id, ("a photo of a ", *choices, " bird"))
    made = tuple(Creation(f"/nowhere/{seed}.png", replace(recipe, seed=seed)) for seed in range(count))
    search = CreationSearch()

    def milliseconds(words: str) -> float:
        began = time.thread_time()
        search.paths_of(words, made, (pack,))
        return (time.thread_time() - began) * 1e3

    first = milliseconds("bird")
    later = sorted(milliseconds(words) for words in ("bird", "photo bird", "not there", "9.png", "bird 77") * 3)
    print(
        f"{count:,} creations: first search {first:.1f} ms, later ones {later[len(later) // 2]:.1f} ms (bar {BAR_MS:g})"
    )
    return 0 if later[len(later) // 2] <= BAR_MS else 1


if __name__ == "__main__":
    sys.exit(main())
