"""The command that puts a creature together from the references' own pixels."""

from __future__ import annotations

import itertools
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from PIL import Image

from engine.cli.commands import read_recipe
from engine.cli.console import Answer
from engine.collage.arrangement import arrangement_of
from engine.collage.assemble import assemble
from engine.collage.layers import flatten
from engine.core.atomic_files import write_whole
from engine.core.errors import UserError
from engine.core.prompt import parse, to_text
from engine.packs.library import PackLibrary


def make_collage(options: Namespace, handlers: str) -> Answer:
    """A recipe (a JSON file, or a PNG that remembers one) or a prompt as a collage, in a PNG."""
    file = Path(options.out) if options.out else _free_file()
    if file.suffix.lower() != ".png":
        raise UserError(f"{file.name} is not a PNG's name.", "End it in .png.")
    given = Path(options.recipe)
    kept = read_recipe(given) if given.suffix.lower() in (".json", ".png") else None
    pack = PackLibrary().find(options.pack or (kept.pack if kept else ""))
    recipe = replace(kept, pack=pack.id) if kept else pack.new_recipe(parse(options.recipe, pack.vocabulary))
    arrangement = arrangement_of(recipe)
    arrangement = replace(
        arrangement, pose=options.pose or arrangement.pose, ground=options.ground or arrangement.ground
    )
    collage = assemble(recipe, pack, arrangement)
    picture = Image.fromarray(flatten(collage))
    picture = picture if collage.ground is None else picture.convert("RGB")
    write_whole(file, lambda beside: picture.save(beside, "PNG"), "the collage")
    document = {
        "pack": pack.id,
        "prompt": to_text(recipe.prompt, pack.vocabulary),
        "file": str(file),
        "size": [collage.width, collage.height],
        "layers": [layer.name for layer in collage.layers],
    }
    return Answer(document, f"{file} ({', '.join(document['layers'])}, from back to front)")


def _free_file() -> Path:
    return next(path for number in itertools.count(1) if not (path := Path(f"collage-{number}.png")).exists())
