"""How far a pack is with the reference pictures it paints, as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PaintingStatus:
    """A pack's reference pictures: ``painted`` of ``total``, and how much of the next one (0 to 1). ``active``: the
    engine paints now; ``stopped``: a person said not to; ``fault``: why it came to nothing, in a sentence, and
    ``model``, the id of a model that is missing, where that is why. ``left``: seconds that are left (None: not known).
    """

    pack: str
    painted: int
    total: int
    share: float = 0.0
    active: bool = False
    stopped: bool = False
    fault: str = ""
    model: str = ""
    left: float | None = None
