"""What the page of models shows, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.hub.shelf import Shelf

if TYPE_CHECKING:
    from engine.hub.fetch import Offer


@dataclass(frozen=True)
class FetchStatus:
    """How far the fetch of a model is: bytes here and in all (0: not known yet), bytes a second, seconds that are left
    (None: not known). ``resting``: it waits before it asks the hub again; ``pausing``: it was asked to stop."""

    id: str
    done: int = 0
    total: int = 0
    speed: float = 0.0
    left: float | None = None
    resting: bool = False
    pausing: bool = False


@dataclass(frozen=True)
class ModelFault:
    """Why the hub did not give a model, and what to do. ``token``: a token may help."""

    id: str
    message: str
    hint: str
    token: bool = False


@dataclass(frozen=True)
class ModelsState:
    """The page of models: what is there (None: not looked at yet), which model the hub is being asked for, which
    checkpoint in one file is being unpacked and how much of it (0 to 1), what the hub said that fetching takes, what is
    being fetched, what went wrong last, the model that somebody came for, and the folder of a model that somebody
    brought (empty: none)."""

    shelf: Shelf | None = None
    asking: str = ""
    unpacking: str = ""
    unpacked: float = 0.0
    offer: Offer | None = None
    fetches: tuple[FetchStatus, ...] = ()
    fault: ModelFault | None = None
    wanted: str = ""
    brought: str = ""

    def fetch_of(self, id: str) -> FetchStatus | None:
        """The fetch of a model that is under way."""
        return next((fetch for fetch in self.fetches if fetch.id == id), None)
