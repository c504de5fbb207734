"""Starts: what a render begins with, and how far it may go from there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from engine.core.json_values import finite_number

START_VERSION: Final = 1

_MOST_PARTS: Final = 255
_FEW: Final = 8
_FINEST: Final = 50


@dataclass(frozen=True)
class Start:
    """A render that begins with a picture: the recipe's own collage, or a creation.

    ``freedom`` says how far it may go from there: 0 keeps the picture, 1 ignores it. ``creation`` is the path of the
    picture to begin with; empty: the collage. Parts (their indices) of ``keep`` stay as they are. Where ``only`` names
    parts, these change and the rest stays.
    """

    freedom: float = 0.5
    creation: str = ""
    keep: tuple[int, ...] = ()
    only: tuple[int, ...] = ()

    @property
    def is_local(self) -> bool:
        """Whether some places may change more than others."""
        return bool(self.keep or self.only)

    @property
    def is_ignored(self) -> bool:
        """Whether it makes no difference: everything is free."""
        return self.freedom >= 1 and not self.is_local

    def named_from(self, folder: Path) -> Start:
        """This start as a file in ``folder`` says it: a picture beside it without its folder, so that both can move."""
        path = Path(self.creation)
        beside = bool(self.creation) and path.is_absolute() and path.parent == folder.absolute()
        return replace(self, creation=path.name) if beside else self

    def found_from(self, folder: Path) -> Start:
        """This start as read from a file in ``folder``, with the whole path of its picture."""
        return replace(self, creation=str(folder.absolute() / self.creation)) if self.creation else self

    def to_document(self) -> dict[str, Any]:
        """A JSON object, read back by :meth:`from_document`."""
        document = asdict(self) | {"keep": list(self.keep), "only": list(self.only)}
        return {"version": START_VERSION, **document}

    @classmethod
    def from_document(cls, document: Any) -> Start | None:
        """Read what :meth:`to_document` wrote; wrong values fall back to the defaults. None for what is no start, or
        one of a newer version."""
        if not isinstance(document, Mapping) or document.get("version") != START_VERSION:
            return None
        freedom, creation = finite_number(document.get("freedom")), document.get("creation")
        return cls(
            cls.freedom if freedom is None else min(max(freedom, 0.0), 1.0),
            creation if isinstance(creation, str) and "\0" not in creation else "",
            _parts(document.get("keep")),
            _parts(document.get("only")),
        )


def default_freedom(base_model: str) -> float:
    """The freedom to begin with on a base model (its id, as in ``Pack.base_model.id``): what judge and eye found best
    on the starter's (docs/rendering.md), and for all others what SDEdit (arXiv 2108.01073) calls realistic and faithful
    alike."""
    return 0.4 if _is_measured(base_model) else 0.6


def default_start(base_model: str) -> Start | None:
    """What new recipes begin with on a base model: the collage where its default freedom was measured; elsewhere noise
    alone, until somebody has measured."""
    return Start(default_freedom(base_model)) if _is_measured(base_model) else None


def _is_measured(base_model: str) -> bool:
    return base_model.startswith("starter/")


def schedule_of(freedom: float, steps: int) -> tuple[int, int]:
    """How many steps there are from noise to picture, and how many of the last of them are taken.

    That is ``steps`` in all; but base models that paint in a few (fewer than 8) take all of them, on a finer schedule,
    for a third of four steps is none. 0 are taken only at freedom 0.
    """
    if freedom <= 0:
        return steps, 0
    total = min(math.ceil(steps / freedom), _FINEST) if steps < _FEW else steps
    return total, min(max(round(freedom * total), 1), total)


def steps_taken(start: Start | None, steps: int) -> int:
    """How many steps a picture of a render of ``steps`` counts for; one that is kept as it is takes none and counts
    for one."""
    return steps if start is None or start.is_ignored else max(schedule_of(start.freedom, steps)[1], 1)


def _parts(listed: Any) -> tuple[int, ...]:
    """The part indices in a list, each once, in order."""
    if not isinstance(listed, list):
        return ()
    parts = [part for part in listed if type(part) is int and 0 <= part < _MOST_PARTS]
    return tuple(dict.fromkeys(parts))
