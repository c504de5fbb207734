"""What the page of models shows of the published vocabularies, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.hub.published import PublishedPack

if TYPE_CHECKING:
    from engine.hub.fetch import Offer


@dataclass(frozen=True)
class VocabularyStatus:
    """A published vocabulary: the ids of the models it needs that are not on this computer, and the id of the pack that
    it became (empty: not imported)."""

    published: PublishedPack
    missing: tuple[str, ...] = ()
    pack: str = ""


@dataclass(frozen=True)
class VocabulariesState:
    """The published vocabularies (empty: not looked at yet); the name of the one the hub is being asked for, what the
    hub said that it takes, the name of the one that is being fetched (``waiting``: the ids of what is still to come,
    the first is under way) or imported."""

    known: tuple[VocabularyStatus, ...] = ()
    asking: str = ""
    offered: str = ""
    offers: tuple[Offer, ...] = ()
    fetching: str = ""
    waiting: tuple[str, ...] = ()
    importing: str = ""

    def of(self, name: str) -> VocabularyStatus | None:
        """What is known of one, by its short name."""
        return next((one for one in self.known if one.published.name == name), None)
