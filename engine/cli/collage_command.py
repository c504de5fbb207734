"""The command that puts a creature together from the references' own pixels."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from engine.cli.console import Answer
from engine.cli.recipe_file import recipe_from_file
from engine.core.paths import free_file
from engine.core.prompt import parse, to_text
from engine.core.recipe import Recipe
from engine.packs.library import PackLibrary
from engine.packs.pack import Pack


def make_collage(arguments: Namespace, handlers: str) -> Answer:
    """A recipe (a JSON file, or a PNG that remembers one) or a prompt as a collage: a PNG, or named layers in a PSD or
    an OpenRaster file."""
    # These bring scipy and psd-tools, which no other command needs.
    from engine.collage.arrangement import arrangement_of
    from engine.collage.assemble import assemble
    from engine.exchange.layers import save_layers

    file = Path(arguments.out) if arguments.out else free_file(Path("collage.png"), numbered=True)
    recipe, pack = recipe_of_words(arguments.recipe, arguments.pack)
    arrangement = arrangement_of(recipe)
    pose, ground = arguments.pose or arrangement.pose, arguments.ground or arrangement.ground
    collage = assemble(recipe, pack, replace(arrangement, pose=pose, ground=ground))
    save_layers(collage, file)
    for missing in collage.missing:
        print(f"{missing.message} {missing.hint}", file=sys.stderr)
    document = {
        "pack": pack.id,
        "prompt": to_text(recipe.prompt, pack.vocabulary),
        "file": str(file),
        "size": [collage.width, collage.height],
        "layers": [layer.name for layer in collage.layers],
        "missing": [missing.message for missing in collage.missing],
    }
    return Answer(document, f"{file} ({', '.join(document['layers'])}, from back to front)")


def recipe_of_words(words: str, pack_name: str) -> tuple[Recipe, Pack]:
    """The recipe that a file's name (.json, .png) or a prompt stands for, and its pack. Raises :class:`UserError`."""
    file = Path(words)
    if file.suffix.lower() in (".json", ".png"):
        return recipe_from_file(file, pack_name)
    pack = PackLibrary().find(pack_name)
    return pack.new_recipe(parse(words, pack.vocabulary)), pack
