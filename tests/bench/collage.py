"""How long a collage takes: ``python -m tests.bench.collage`` (the starter's references at 512 px and scaled up to
2,048, one thread).

Prints milliseconds of this thread's CPU time: a whole new creature of five parts with nothing kept, the same with the
references' pictures and cut-outs kept from other creatures, one click (one part changed: any, or the body, and with it
pose and ground), each with a reference that is on the screen (the window has it prepared) and with one never seen, and
one step of a drag, a turn and a scaling; each down to the flat picture. At 2,048 px the same again as drafts, which is
what a click shows first. Exits 1 when a median misses its bar.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from engine.collage.anatomy import open_anatomy
from engine.collage.arrangement import Adjustment, Arrangement
from engine.collage.assemble import CollageMaker
from engine.collage.label_measures import stretched_labels
from engine.collage.layers import flatten
from engine.core.image_files import open_picture, read_label_map
from engine.core.paths import starter_pack
from engine.core.recipe import Recipe
from engine.core.vocabulary import Choice
from engine.packs.pack import Pack, Reference

WHOLE_MS = {512: 50.0}
CHANGE_MS = {512: 16.0, 2048: 100.0}
OWN_SIDE = 512
DRAFT_SIDE = 1280  # the window's (partcraft_desktop/app/collage_control.py)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 0 when all bars are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 2048])
    options = parser.parse_args(argv)
    met = True
    for size in options.sizes:
        with TemporaryDirectory() as folder:
            pack = Pack.open(starter_pack())
            if size != OWN_SIDE:
                pack = _scaled(pack, size, Path(folder))
            rounds = options.rounds if size <= OWN_SIDE else max(options.rounds // 3, 1)
            met &= _measure(pack, size, rounds)
            if size > DRAFT_SIDE:
                met &= _measure(pack, size, rounds, DRAFT_SIDE)
    return 0 if met else 1


def _measure(pack: Pack, size: int, rounds: int, longest: int | None = None) -> bool:
    anatomy = open_anatomy(pack)
    recipes = [_mixed(pack, number) for number in range(rounds + 1)]
    warm = CollageMaker(pack, kept_bytes=1 << 32)
    for recipe in recipes:
        for adjusted in _every_part(pack, recipe):
            warm.make(adjusted)
            if longest is not None:
                warm.make(adjusted, longest=longest)
    dragged = recipes[0]
    part = dragged.choices[0].part
    root = next(index for index, choice in enumerate(dragged.choices) if choice.part == anatomy.root)

    def whole(number: int) -> None:
        cold = CollageMaker(pack)
        assert cold.anatomy  # kept with the pack; read once
        begun.append(time.thread_time())
        flatten(cold.make(recipes[number], longest=longest))

    def click(which: int | None, prepared: bool) -> Callable[[int], None]:
        def changed(number: int) -> None:
            maker = CollageMaker(pack)
            maker.make(recipes[number], longest=longest)
            other = recipes[number + 1].choices[number % len(dragged.choices) if which is None else which]
            if prepared:
                maker.prepare(other.source, longest)
            begun.append(time.thread_time())
            flatten(maker.make(recipes[number].with_choice(other), longest=longest))

        return changed

    def step(adjust: Callable[[int], Adjustment]) -> Callable[[int], None]:
        def stepped(number: int) -> None:
            begun.append(time.thread_time())
            flatten(warm.make(dragged, Arrangement(adjustments=(adjust(number),)), longest))

        return stepped

    def seen(number: int) -> None:
        begun.append(time.thread_time())
        flatten(warm.make(recipes[number], longest=longest))

    begun: list[float] = []
    met, kind = True, "" if longest is None else " as a draft"
    whole_bar, bar = WHOLE_MS.get(size), CHANGE_MS.get(size)
    for name, most, once in (
        ("a whole creature, nothing kept", whole_bar, whole),
        ("a whole creature, all its references seen before", whole_bar, seen),
        ("one part changed, its reference on the screen", bar, click(None, True)),
        ("one part changed, its reference never seen", bar, click(None, False)),
        ("the body changed, its reference on the screen", bar, click(root, True)),
        ("the body changed, its reference never seen", bar, click(root, False)),
        ("a drag's step", bar, step(lambda number: Adjustment(part, (number / 500, 0.0)))),
        ("a turn's step", bar, step(lambda number: Adjustment(part, turn=number + 1.0))),
        ("a scaling's step", bar, step(lambda number: Adjustment(part, scale=1 + (number + 1) / 100))),
    ):
        figures = []
        for number in range(rounds):
            once(number)
            figures.append((time.thread_time() - begun[-1]) * 1000)
        middle = median(figures)
        verdict = "no bar" if most is None else f"bar {most:g}: {'met' if middle <= most else 'MISSED'}"
        met &= most is None or middle <= most
        print(f"{size} px{kind}, {name}: median {middle:.1f} ms, worst {max(figures):.1f} ({verdict})", flush=True)
    return met


def _scaled(pack: Pack, size: int, folder: Path) -> Pack:
    """The pack with its references and label maps stretched to ``size`` pixels a side, in a folder."""
    references = []
    for reference in pack.references:
        image, labels = folder / f"{reference.id}.png", folder / f"{reference.id}-labels.png"
        open_picture(reference.image).resize((size, size), Image.Resampling.BICUBIC).save(image, compress_level=1)
        stretched = stretched_labels(read_label_map(reference.labels), (size, size))
        Image.fromarray(stretched).save(labels, compress_level=1)
        references.append(replace(reference, image=str(image), labels=str(labels)))
    return replace(pack, path=folder, references=tuple(references))


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
