"""What is to be said of a recipe's prompt before it is rendered: what the picture will show that the prompt does not
say as it seems to. Nothing of it stands in the way."""

from __future__ import annotations

from typing import Final

from engine.core.errors import UserError
from engine.core.recipe import BY_SEED, Recipe
from engine.packs.known_words import KnownWords, unknown_words_notes
from engine.packs.pack import Pack
from engine.packs.unsaid_parts import rest_of, unsaid_parts

_ALL_STAY: Final = 0.5
"""At this freedom and below a render keeps what its start shows, several of a part, too (seen at 0.4; gone at 0.7)."""
_COUNTS: Final = {2: "Two", 3: "Three", 4: "Four", 5: "Five"}


def prompt_notes(
    pack: Pack, recipe: Recipe, known: KnownWords | None = None, seed_known: bool = True
) -> tuple[str, ...]:
    """Sentences about a recipe of a pack, each for itself; none where all is as it seems. ``known`` is what its base
    model was taught, where that is known; ``seed_known``: it will be rendered with its own seed."""
    rest = rest_note(pack, recipe, seed_known)
    return (*unknown_words_notes(known, recipe), *several_notes(pack, recipe), *([rest] if rest else []))


def several_notes(pack: Pack, recipe: Recipe) -> tuple[str, ...]:
    """What becomes of a part that the prompt says in several kinds: a base model has one place for it, where it does
    not begin with a collage that has them all."""
    if recipe.start is not None and recipe.start.freedom <= _ALL_STAY:
        return ()
    codes: dict[int, set[int]] = {}
    for choice in recipe.choices:
        codes.setdefault(choice.part, set()).add(choice.code)
    parts = pack.vocabulary.parts
    will = "will" if pack.base_model.needs_all_parts else "may"
    several = [(parts[part].name, len(kinds)) for part, kinds in codes.items() if len(kinds) > 1 and part < len(parts)]
    return tuple(
        f"{_COUNTS.get(count, str(count))} kinds of {name} are said: they {will} be mixed into one."
        for name, count in several
    )


def rest_note(pack: Pack, recipe: Recipe, seed_known: bool = True) -> str:
    """Where the parts come from that the prompt does not say; empty where it says all, or the base model may be left to
    itself."""
    try:
        rest = rest_of(pack, recipe)
    except UserError as error:
        return str(error)
    if rest is None:
        return _smears(pack, recipe) if leaves_smears(pack, recipe) else ""
    if not recipe.choices:  # nothing is asked for that it could be the rest of
        return ""
    rest_is = "The rest is"
    if recipe.rest != BY_SEED:
        return f"{rest_is} from {rest.title}."
    if seed_known and recipe.count * recipe.tries == 1:
        return f"{rest_is} from {rest.title}, by seed."
    return f"{rest_is} from one {pack.vocabulary.noun} of the pack, by seed."


def leaves_smears(pack: Pack, recipe: Recipe) -> bool:
    """Whether the base model needs all parts and a recipe leaves some to it, as recipes of earlier versions do."""
    return pack.base_model.needs_all_parts and not recipe.rest and bool(unsaid_parts(pack, recipe.prompt))


def _smears(pack: Pack, recipe: Recipe) -> str:
    names = [part.name for part in unsaid_parts(pack, recipe.prompt)]
    listed = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    return f"Not said: {listed}. This model needs all parts, and paints smears for these."
