"""What a creature's files are called: by its parts."""

from __future__ import annotations

from collections.abc import Iterable

from engine.core.paths import slug
from engine.core.vocabulary import Choice, Vocabulary


def creature_name(choices: Iterable[Choice], vocabulary: Vocabulary) -> str:
    """A file's name without a suffix, such as "dove-head-flamingo-wing", that every file system takes: the choices in
    their order, as many as a name has room for, without those that the pack does not have. The noun, where there are
    none."""
    named = [
        f"{vocabulary.code_name(choice.part, choice.code)} {vocabulary.parts[choice.part].name}"
        for choice in choices
        if 0 <= choice.part < len(vocabulary.parts) and 0 <= choice.code < vocabulary.codes_per_part
    ]
    name = slug(named[0], "") if named else ""
    for more in named[1:]:
        longer = f"{name}-{slug(more, '')}"
        if slug(longer, "") != longer:  # it would be cut short
            break
        name = longer
    return name or slug(vocabulary.noun, "creature")
