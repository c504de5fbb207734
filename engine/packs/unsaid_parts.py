"""Unsaid parts: what a recipe's pictures show where its prompt says nothing.

A base model that was taught with all parts said (:attr:`BaseModel.needs_all_parts`) paints smears for the others. New
recipes of its packs therefore take them from one reference of the pack, a whole thing whose parts go together; which
one it is follows from the seed alone. A recipe without such a wish is painted as it is.
"""

from __future__ import annotations

import re

from engine.core.errors import UserError
from engine.core.recipe import BY_SEED, Prompt, Recipe, Rest
from engine.core.vocabulary import ABSENT, Choice, Part
from engine.packs.pack import Pack, Reference


def unsaid_parts(pack: Pack, prompt: Prompt) -> tuple[Part, ...]:
    """The parts that a prompt neither chooses nor names in its words ("a bird with a red head" names one)."""
    chosen = {piece.part for piece in prompt if isinstance(piece, Choice)}
    words = " ".join(piece for piece in prompt if isinstance(piece, str))
    return tuple(
        part for part in pack.vocabulary.visible_parts if part.index not in chosen and not _names(words, part.name)
    )


def rest_of(pack: Pack, recipe: Recipe) -> Rest | None:
    """What the recipe's first picture shows of the parts it leaves unsaid: the choices of one reference. None where the
    recipe does not ask for it, says all, the pack has no references, or single parts of a collage are rendered anew:
    all else then stays as it is.

    By seed, it is reference number ``seed`` modulo how many there are, of those with the most parts visible, so that
    neighbouring seeds have different ones. Raises :class:`UserError` where the recipe names a reference that the pack
    does not have.
    """
    unsaid = unsaid_parts(pack, recipe.prompt)
    alone = recipe.start is not None and recipe.start.only and not recipe.start.creation
    if not recipe.rest or not unsaid or alone:
        return None
    reference = _reference(pack, recipe)
    if reference is None:
        return None
    codes = [(part.index, reference.codes[part.index]) for part in unsaid]
    choices = tuple(Choice(part, code, source=reference.id) for part, code in codes if code != ABSENT)
    return Rest(reference.id, reference.title, choices) if choices else None


def spoken_recipe(pack: Pack, recipe: Recipe) -> Recipe:
    """A recipe whose prompt says all that its first picture is painted from. Raises :class:`UserError` as
    :func:`rest_of`."""
    rest = rest_of(pack, recipe)
    return rest.added_to(recipe, pack.vocabulary.noun) if rest else recipe


def fixed_rest(pack: Pack, recipe: Recipe) -> str:
    """The recipe's ``rest`` as the id of the reference that its own seed chooses: for recipes that go on from its
    picture with other seeds. Raises :class:`UserError` as :func:`rest_of`."""
    rest = rest_of(pack, recipe)
    return rest.reference if rest else recipe.rest


def _reference(pack: Pack, recipe: Recipe) -> Reference | None:
    if recipe.rest == BY_SEED:
        visible = [part.index for part in pack.vocabulary.visible_parts]
        seen = [sum(reference.codes[part] != ABSENT for part in visible) for reference in pack.references]
        whole = [one for one, count in zip(pack.references, seen, strict=True) if count == max(seen)]
        return whole[recipe.seed % len(whole)] if whole else None
    reference = pack.reference(recipe.rest)
    if reference is None:
        raise UserError(
            f"The parts that are not said come from “{recipe.rest}”, which is not in the pack “{pack.title}”.",
            "Choose these parts, or take them from another of its pictures.",
        )
    return reference


def _names(words: str, name: str) -> bool:
    """Whether words name a part, one or several of it."""
    return re.search(rf"(?<!\w){re.escape(name.rstrip('s'))}s?(?!\w)", words, re.IGNORECASE) is not None
