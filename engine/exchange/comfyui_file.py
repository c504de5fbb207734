"""A recipe's ComfyUI workflow as files: the workflow, and beside it the picture that it begins with, if any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from PIL import Image

from engine.collage.assemble import assemble
from engine.collage.layers import Collage, flatten
from engine.core.atomic_files import write_bytes, write_whole
from engine.core.errors import UserError
from engine.core.image_files import open_picture
from engine.core.json_values import json_bytes
from engine.core.paths import free_file
from engine.core.recipe import Recipe
from engine.exchange.comfyui import Workflow, window_form, workflow_of
from engine.packs.pack import Pack

FORMS: Final[Mapping[str, Callable[[Workflow], Mapping[str, Any]]]] = {
    "window": window_form,
    "api": lambda workflow: dict(workflow.nodes),
}
"""The forms of a workflow's file: what ComfyUI's window opens, and what its server takes."""


def save_workflow(
    recipe: Recipe, pack: Pack, path: Path, form: str = "window", collage: Callable[[], Collage] | None = None
) -> tuple[str, ...]:
    """Write a recipe's workflow in one of :data:`FORMS`, whole or not at all, and as ``<name>-start.png`` what it
    begins with. ``collage`` makes the recipe's collage (None: it is put together from the pack's references). Returns
    sentences on what the workflow cannot say. Raises :class:`UserError`."""
    start = free_file(path.with_name(f"{path.stem}-start.png"))
    picture, notes = _start_of(recipe, pack, collage)
    workflow = workflow_of(recipe, pack, start.name if picture else "")
    if picture is not None:
        kept = picture
        write_whole(start, lambda beside: kept.save(beside, "PNG"), "the picture to begin with")
        notes = (*notes, f"Put “{start.name}” into ComfyUI’s folder of inputs.")
    write_bytes(path, json_bytes(FORMS[form](workflow), indent=1), "the workflow")
    return (*notes, *workflow.notes)


def _start_of(
    recipe: Recipe, pack: Pack, collage: Callable[[], Collage] | None
) -> tuple[Image.Image | None, tuple[str, ...]]:
    """The picture that a recipe begins with, None for noise; and why there is none, where there should be one."""
    start = recipe.start
    if start is None or start.is_ignored:
        return None, ()
    try:
        if start.creation:
            return open_picture(start.creation), ()
        made = collage() if collage else assemble(recipe, pack)
    except UserError as error:
        return None, (error.message,)
    flat = Image.fromarray(flatten(made))
    paper = Image.new("RGBA", flat.size, "white")
    return Image.alpha_composite(paper, flat).convert("RGB"), ()
