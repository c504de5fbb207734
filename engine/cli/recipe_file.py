"""Recipes from files: JSON that a person may have written by hand, or a PNG that remembers one."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from engine.core.atomic_files import read_text
from engine.core.errors import UserError
from engine.core.json_values import number_from, read_document
from engine.core.png_metadata import read_creation, read_other_recipe
from engine.core.prompt import parse
from engine.core.recipe import LIMITS, Recipe
from engine.packs.library import PackLibrary
from engine.packs.pack import Pack


def recipe_from_file(path: Path, pack_name: str = "") -> tuple[Recipe, Pack]:
    """The recipe in a file, and the pack it is rendered with: the named one, else the recipe's own.

    A prompt that is one plain text is read in the prompt language. What a number should be and is not is told on
    stderr. Raises :class:`UserError`.
    """
    library = PackLibrary()
    if path.suffix.lower() == ".png":
        try:
            creation = read_creation(path)
            recipe = creation.recipe
        except UserError:  # another program kept only its own line, which does not name the pack
            pack = library.find(pack_name)
            recipe = read_other_recipe(path, pack.vocabulary)
            if recipe is None:
                raise
            creation = None
        pack = library.find(pack_name or recipe.pack)
        if creation is not None and (told := pack.repaints_otherwise(creation)):
            print(told, file=sys.stderr)
        return replace(recipe, pack=pack.id), pack
    try:
        text = read_text(path)
        recipe, document = Recipe.from_json(text), read_document(text)
    except OSError as error:
        raise UserError(f"{path.name} cannot be read: {error.strerror}.", "Check the file's name.") from error
    except ValueError as error:
        raise UserError(f"{path.name} is not a recipe.", "Give a recipe's JSON file, or a PNG of PartCraft.") from error
    pack = library.find(pack_name or recipe.pack)
    for name in sorted(LIMITS & document.keys()):
        if number_from(document[name]) is None:
            print(f"The {name} in {path.name} is no number: {getattr(recipe, name)} is taken.", file=sys.stderr)
    if isinstance(document.get("prompt"), str):
        recipe = replace(recipe, prompt=parse(document["prompt"], pack.vocabulary))
    return replace(recipe, pack=pack.id, start=recipe.start and recipe.start.found_from(path.parent)), pack
