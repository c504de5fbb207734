"""The two sides of a contact sheet: parts, their kinds, and the recipe where two meet. Quick to import."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from engine.core.errors import UserError
from engine.core.recipe import Recipe
from engine.core.vocabulary import Choice, Vocabulary
from engine.packs.pack import Pack

MOST_KINDS: Final = 16
"""Kinds of a part on one sheet, unless more are named."""


@dataclass(frozen=True)
class Axis:
    """One side of a sheet: a part and its codes, in order."""

    part: int
    codes: tuple[int, ...]


def shown_codes(pack: Pack, part: int) -> tuple[int, ...]:
    """The codes of a part that some reference shows, in order: what a collage can be made of."""
    return tuple(sorted({reference.codes[part] for reference in pack.references if reference.codes[part] >= 0}))


def read_axis(pack: Pack, text: str, most: int = MOST_KINDS) -> Axis:
    """An axis as people write it: "head", or "head: Dove, Flamingo". Raises :class:`UserError` for names that the pack
    does not have, and for a part that no reference shows."""
    vocabulary = pack.vocabulary
    name, _, kinds = text.partition(":")
    part = vocabulary.find_part(name)
    if part is None or part.background:
        names = ", ".join(one.name for one in vocabulary.visible_parts)
        raise UserError(f"{pack.title} has no part “{name.strip()}”.", f"Its parts are {names}.")
    shown = shown_codes(pack, part.index)
    if not shown:
        raise UserError(f"No picture of {pack.title} shows its {part.name}.", "Choose another part.")
    if not kinds.strip():
        return Axis(part.index, shown[:most])
    codes: list[int] = []
    for kind in kinds.split(","):
        code = vocabulary.find_code(part.index, kind)
        if code is None:
            raise UserError(
                f"There is no {part.name} “{kind.strip()}”.",
                f"Perhaps {', '.join(vocabulary.nearest_codes(part.index, kind))}?",
            )
        codes.append(code)
    return Axis(part.index, tuple(dict.fromkeys(codes)))


def cell_recipe(recipe: Recipe, vocabulary: Vocabulary, row: Choice, column: Choice) -> Recipe:
    """The recipe with these two choices in place of all that it has of their parts."""
    for choice in (row, column):
        first = recipe.choice_of(choice.part)
        if first is None:
            recipe = recipe.with_choice(choice, vocabulary.noun)
            continue
        prompt, seen = [], False
        for piece in recipe.prompt:
            if isinstance(piece, Choice) and piece.part == choice.part:
                if not seen:
                    prompt.append(choice)
                seen = True
            else:
                prompt.append(piece)
        recipe = replace(recipe, prompt=tuple(prompt))
    return recipe


def sheet_recipes(recipe: Recipe, vocabulary: Vocabulary, rows: Axis, columns: Axis) -> list[Recipe]:
    """The recipe of each cell, row by row, each of one picture; all have the recipe's seed, so that they differ in
    their parts alone."""
    return [
        replace(cell_recipe(recipe, vocabulary, Choice(rows.part, row), Choice(columns.part, column)), count=1)
        for row in rows.codes
        for column in columns.codes
    ]
