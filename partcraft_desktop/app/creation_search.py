"""Creations found by words: of their parts and choices, their pack, what else their recipe says, and their file.

What is searched are the creations on show, not the index on disk: that has no names of parts, which a pack may change
at any time, and learns of a new creation only at the next start.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.core.prompt import choice_text
from engine.core.recipe import Creation
from engine.packs.pack import Pack


class CreationSearch:
    """Remembers the words of creations from one search to the next. May be asked on any thread."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Creation, Pack | None, str]] = {}  # by path

    def paths_of(self, words: str, creations: Sequence[Creation], packs: Sequence[Pack]) -> frozenset[str]:
        """The paths of those creations in which every one of the words, parted by spaces, occurs; all for no words.
        Capitals do not matter."""
        wanted = _folded(words).split()
        by_id = {pack.id: pack for pack in reversed(packs)}
        found = frozenset(
            creation.path
            for creation in creations
            if all(word in text for text in (self._text_of(creation, by_id),) for word in wanted)
        )
        if len(self._kept) > 2 * len(creations):
            kept_paths = {creation.path for creation in creations}
            self._kept = {path: kept for path, kept in tuple(self._kept.items()) if path in kept_paths}
        return found

    def _text_of(self, creation: Creation, packs: Mapping[str, Pack]) -> str:
        pack = packs.get(creation.recipe.pack)
        kept = self._kept.get(creation.path)
        if kept is not None and kept[0] is creation and kept[1] is pack:
            return kept[2]
        text = _text_of(creation, pack)
        self._kept[creation.path] = (creation, pack, text)
        return text


def _text_of(creation: Creation, pack: Pack | None) -> str:
    recipe = creation.recipe
    vocabulary = pack.vocabulary if pack is not None else None
    said = "".join(piece if isinstance(piece, str) else choice_text(piece, vocabulary) for piece in recipe.prompt)
    title = pack.title if pack is not None else ""
    return _folded("\n".join((said, recipe.negative, recipe.pack, title, Path(creation.path).name)))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
