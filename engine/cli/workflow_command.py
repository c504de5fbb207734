"""The command that writes a recipe as a ComfyUI workflow."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from engine.cli.add_on_arguments import read_add_ons
from engine.cli.collage_command import recipe_of_words
from engine.cli.console import Answer
from engine.core.errors import UserError
from engine.core.paths import free_file
from engine.core.prompt import to_text


def make_workflow(arguments: Namespace, handlers: str) -> Answer:
    """A recipe (a JSON file, or a PNG that remembers one) or a prompt as a ComfyUI workflow."""
    # It brings scipy, which few commands need.
    from engine.exchange.comfyui_file import save_workflow

    file = Path(arguments.out) if arguments.out else free_file(Path("workflow.json"), numbered=True)
    if file.suffix.lower() != ".json":
        raise UserError(f"A workflow is a .json file, not {file.suffix or 'one without an ending'}.", "Name it so.")
    recipe, pack = recipe_of_words(arguments.recipe, arguments.pack)
    recipe = replace(recipe, add_ons=read_add_ons(arguments, recipe.add_ons, pack.base_model))
    form = "api" if arguments.api else "window"
    notes = save_workflow(recipe, pack, file, form)
    for note in notes:
        print(note, file=sys.stderr)
    document = {
        "pack": pack.id,
        "prompt": to_text(recipe.prompt, pack.vocabulary),
        "file": str(file),
        "form": form,
        "notes": notes,
    }
    return Answer(document, str(file))
