"""Which creations are shown, beside what was searched for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from engine.core.recipe import Creation, Receipt
from engine.core.vocabulary import Choice
from engine.packs.pack import Pack
from partcraft_desktop.app.creation_stars import star_of


@dataclass(frozen=True)
class CreationFilter:
    """Creations with a star, whose parts have all "arrived" or of which some are "missing" or "unsure", of a pack (its
    id), with a part (its name); all of what is told has to hold. The receipt of one that asked for no part says none of
    these."""

    starred: bool = False
    receipt: Literal["", "arrived", "missing", "unsure"] = ""
    pack: str = ""
    part: str = ""

    @property
    def on(self) -> bool:
        """Whether it leaves anything out."""
        return self != CreationFilter()

    def among(
        self, creations: Iterable[Creation], stars: frozenset[str], packs: Mapping[str, Pack]
    ) -> tuple[Creation, ...]:
        """The creations that it lets through, in their order; ``packs`` by id."""
        return tuple(one for one in creations if self._lets(one, stars, packs))

    def words(self, packs: Mapping[str, Pack]) -> str:
        """What is shown, in a few words."""
        receipts = {
            "": "", "arrived": "all parts arrived", "missing": "a part is missing", "unsure": "a part is unsure",
        }  # fmt: skip
        pack = packs[self.pack].title if self.pack in packs else self.pack
        words = [self.starred and "starred", receipts[self.receipt], pack, self.part]
        text = ", ".join(word for word in words if word)
        return text[:1].upper() + text[1:]

    def _lets(self, creation: Creation, stars: frozenset[str], packs: Mapping[str, Pack]) -> bool:
        if self.starred and star_of(creation) not in stars:
            return False
        if self.pack and creation.recipe.pack != self.pack:
            return False
        if self.receipt and not self._lets_receipt(creation.receipt):
            return False
        return not self.part or self.part in parts_of(creation, packs)

    def _lets_receipt(self, receipt: Receipt) -> bool:
        if self.receipt == "arrived":
            return bool(receipt) and all(arrival.arrived for arrival in receipt)
        return any(arrival.missing if self.receipt == "missing" else arrival.unsure for arrival in receipt)


def parts_of(creation: Creation, packs: Mapping[str, Pack]) -> set[str]:
    """The names of the parts that a creation's recipe chose; none where its pack is not here."""
    pack = packs.get(creation.recipe.pack)
    parts = pack.vocabulary.parts if pack is not None else ()
    chosen = {piece.part for piece in creation.recipe.prompt if isinstance(piece, Choice)}
    return {part.name for number, part in enumerate(parts) if number in chosen}
