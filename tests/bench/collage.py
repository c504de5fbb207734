"""How long a collage takes: ``python -m tests.bench.collage`` (the starter's 512 px references, one thread).

Prints milliseconds of this thread's CPU time: a whole new creature of five parts with nothing kept, the same with the
references' pictures and cut-outs kept from other creatures, one part changed, and one step of a drag, a turn and a
scaling; each down to the flat picture. Exits 1 when a median misses its bar.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from statistics import median

import numpy as np

from engine.collage.anatomy import open_anatomy
from engine.collage.arrangement import Adjustment, Arrangement
from engine.collage.assemble import CollageMaker
from engine.collage.layers import flatten
from engine.core.paths import starter_pack
from engine.core.recipe import Recipe
from engine.core.vocabulary import Choice
from engine.packs.pack import Pack, Reference

WHOLE_MS, CHANGE_MS = 50.0, 16.0


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 0 when all bars are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args(argv).rounds
    pack = Pack.open(starter_pack())
    open_anatomy(pack)
    recipes = [_mixed(pack, number) for number in range(rounds)]
    warm = CollageMaker(pack, kept_bytes=1 << 30)
    for recipe in recipes:
        for adjusted in _every_part(pack, recipe):
            warm.make(adjusted)
    dragged = recipes[0]
    part = dragged.choices[0].part

    def whole(number: int) -> None:
        cold = CollageMaker(pack)
        assert cold.anatomy  # kept with the pack; read once
        begun.append(time.thread_time())
        flatten(cold.make(recipes[number]))

    def changed(number: int) -> None:
        maker = CollageMaker(pack)
        maker.make(recipes[number])
        other = recipes[(number + 1) % rounds].choices[number % len(dragged.choices)]
        begun.append(time.thread_time())
        flatten(maker.make(recipes[number].with_choice(other)))

    def step(adjust: Callable[[int], Adjustment]) -> Callable[[int], None]:
        def stepped(number: int) -> None:
            begun.append(time.thread_time())
            flatten(warm.make(dragged, Arrangement(adjustments=(adjust(number),))))

        return stepped

    def seen(number: int) -> None:
        begun.append(time.thread_time())
        flatten(warm.make(recipes[number]))

    begun: list[float] = []
    met = True
    for name, bar, once in (
        ("a whole creature, nothing kept", WHOLE_MS, whole),
        ("a whole creature, all its references seen before", WHOLE_MS, seen),
        ("one part changed, its reference not seen before", CHANGE_MS, changed),
        ("a drag's step", CHANGE_MS, step(lambda number: Adjustment(part, (number / 500, 0.0)))),
        ("a turn's step", CHANGE_MS, step(lambda number: Adjustment(part, turn=number + 1.0))),
        ("a scaling's step", CHANGE_MS, step(lambda number: Adjustment(part, scale=1 + (number + 1) / 100))),
    ):
        figures = []
        for number in range(rounds):
            once(number)
            figures.append((time.thread_time() - begun[-1]) * 1000)
        middle = median(figures)
        met &= middle <= bar
        verdict = "met" if middle <= bar else "MISSED"
        print(f"{name}: median {middle:.1f} ms, worst {max(figures):.1f} (bar {bar:g}: {verdict})")
    return 0 if met else 1


def _mixed(pack: Pack, seed: int) -> Recipe:
    """Every part from another reference."""
    parts = pack.vocabulary.visible_parts
    order = np.random.default_rng(seed).permutation(len(pack.references))[: len(parts)]
    sources: list[Reference] = [pack.references[index] for index in order.tolist()]
    return pack.new_recipe(
        tuple(
            Choice(part.index, one.codes[part.index], source=one.id) for part, one in zip(parts, sources, strict=True)
        )
    )


def _every_part(pack: Pack, recipe: Recipe) -> Iterator[Recipe]:
    """The recipe, and one of each of its references whole."""
    yield recipe
    for choice in recipe.choices:
        reference = pack.reference(choice.source)
        if reference:
            parts = pack.vocabulary.visible_parts
            yield pack.new_recipe(
                tuple(Choice(part.index, reference.codes[part.index], source=reference.id) for part in parts)
            )


if __name__ == "__main__":
    sys.exit(main())
