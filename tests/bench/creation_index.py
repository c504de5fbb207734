"""How long a folder of creations takes to list: ``python -m tests.bench.creation_index [--creations N]``.

Files of 512 x 512 noise on disk, listed without an index, with one, and beside that the work of reading their recipes
alone (JSON to values). Prints seconds of this process's CPU time and the ratios to that work. Exits 1 when the list
with an index takes more than ``BAR`` times the recipes alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

BAR = 5.0


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 0 when the bar is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--creations", type=int, default=2000)
    count = parser.parse_args(argv).creations
    with tempfile.TemporaryDirectory() as home:
        os.environ["PARTCRAFT_HOME"] = home
        return _measure(Path(home) / "creations", count)


def _measure(folder: Path, count: int) -> int:
    from PIL import Image

    from engine.core.png_metadata import save_creation
    from engine.core.recipe import Arrival, Recipe
    from engine.core.vocabulary import Choice
    from partcraft_desktop.app.creation_files import creations_in

    folder.mkdir()
    choices = tuple(Choice(part, part, 1.0, "somewhere") for part in range(5))
    recipe = Recipe("birds", ("a photo of a ", *choices, " bird"))
    receipt = tuple(Arrival(part, part, part, 0.9) for part in range(5))
    picture = Image.frombytes("RGB", (512, 512), os.urandom(512 * 512 * 3))
    first = save_creation(picture, folder / "0.png", recipe, receipt)
    for number in range(1, count):
        (folder / f"{number}.png").hardlink_to(first.path)
    lines = [recipe.to_json()] * count

    def seconds(work: Callable[[], object]) -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    recipes = seconds(lambda: [Recipe.from_json(line) for line in lines])
    cold = seconds(lambda: creations_in(folder))
    warm = min(seconds(lambda: creations_in(folder)) for _ in range(3))
    print(f"{count:,} creations          s CPU   of the recipes alone")
    for name, taken in (("recipes alone", recipes), ("no index yet", cold), ("with the index", warm)):
        print(f"{name:24}{taken:8.3f}{taken / recipes:12.1f}")
    met = warm <= BAR * recipes
    print(f"bar {BAR:g} times the recipes: {'met' if met else 'missed'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
