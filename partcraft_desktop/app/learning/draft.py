"""A new vocabulary in the making, as values that are kept between two starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, Literal

from engine.core.palette import PALETTE
from engine.runs.plan import Plan
from partcraft_desktop.app.learning.pages import PageKey, page_keys
from partcraft_desktop.app.learning.part_sorting import DraftPart, PartSorting
from partcraft_desktop.app.learning.picture_edits import strokes_from

Preset = Literal["quick", "balanced", "thorough"]
SHARES: Final[Mapping[Preset, float]] = {"quick": 0.25, "balanced": 1.0, "thorough": 3.0}
"""How long each preset learns, measured by the steps that suit the base model."""

MORE: Final[Mapping[str, Any]] = {
    name: getattr(Plan, name)
    for name in ("batch", "rank", "size", "checkpointing", "seed", "rate", "token_rate", "recipe")
}
"""What stands under "More" on the Plan page, as it is for most base models (see ``planning.usual``); the names are
those of :class:`engine.runs.plan.Plan`."""


@dataclass(frozen=True)
class DraftPlan:
    """What a person decided on the Plan page. Empty texts and ``codes`` 0 stand for what is proposed; ``steps`` 0 for
    the preset's; ``more`` has only what differs from what is usual for the base model."""

    noun: str = ""
    title: str = ""
    base_model: str = ""
    codes: int = 0
    preset: Preset = "balanced"
    steps: int = 0
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Draft:
    """All a person decided so far. ``folder`` has the pictures; ``extends`` is the folder of the pack that gets more,
    empty for a new vocabulary; ``eyes`` is the id of the eyes that look, empty for those that fit;
    ``run`` is the folder of the training once it was started."""

    page: PageKey = "pictures"
    folder: str = ""
    extends: str = ""
    sorting: PartSorting = field(default_factory=PartSorting)
    plan: DraftPlan = field(default_factory=DraftPlan)
    run: str = ""
    eyes: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing was decided yet."""
        return not self.folder and not self.run

    def to_document(self) -> dict[str, Any]:
        """JSON values, read back by :meth:`from_document`."""
        sorting = self.sorting
        earlier = [{"of": list(of), "parts": _lines(parts)} for of, parts in (sorting.earlier or {}).items()]
        return {
            "version": 1,
            "page": self.page,
            "folder": self.folder,
            "extends": self.extends,
            "run": self.run,
            **({"eyes": self.eyes} if self.eyes else {}),
            "plan": {**asdict(self.plan), "more": dict(self.plan.more)},
            "sorting": {
                "clusters": sorting.clusters,
                "flip": sorting.flip,
                "of": list(sorting.of),
                "parts": _lines(sorting.parts),
                "earlier": earlier,
                **({"strokes": [stroke.to_document() for stroke in sorting.strokes]} if sorting.strokes else {}),
                **({"left_out": list(sorting.left_out)} if sorting.left_out else {}),
            },
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Draft:
        """From JSON values. What is wrong is left out: a damaged file must not keep the app from starting."""
        page = document.get("page")
        return cls(
            page if page in page_keys() else page_keys()[0],
            _text(document, "folder"),
            _text(document, "extends"),
            _sorting(document.get("sorting")),
            _planned(document.get("plan")),
            _text(document, "run"),
            _text(document, "eyes"),
        )


def _lines(parts: tuple[DraftPart, ...]) -> list[dict[str, Any]]:
    return [{**asdict(part), "members": list(part.members)} for part in parts]


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""


def _pair(value: Any) -> tuple[int, bool]:
    fits = isinstance(value, list) and len(value) == 2 and type(value[0]) is int and isinstance(value[1], bool)
    return (value[0], value[1]) if fits else (0, False)


def _parts(value: Any) -> tuple[DraftPart, ...]:
    """The parts of a document; none if any of them is not right, or two share a cluster."""
    parts: list[DraftPart] = []
    for at, line in enumerate(value if isinstance(value, list) else []):
        members = line.get("members") if isinstance(line, dict) else None
        if not isinstance(members, list) or not members or not all(type(m) is int and m >= 0 for m in members):
            return ()
        colour = _text(line, "colour")
        parts.append(
            DraftPart(
                tuple(members),
                _text(line, "name").strip() or f"part {at + 1}",
                colour if len(colour) == 7 and colour.startswith("#") else PALETTE[at % len(PALETTE)],
                line.get("named") is True,
                line.get("dropped") is True,
            )
        )
    together = [member for part in parts for member in part.members]
    names = {part.name.casefold() for part in parts}
    return tuple(parts) if len(set(together)) == len(together) and len(names) == len(parts) else ()


def _sorting(value: Any) -> PartSorting:
    if not isinstance(value, dict):
        return PartSorting()
    clusters = value.get("clusters")
    lines = value.get("earlier")
    lines = [line for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []
    left_out = value.get("left_out")
    earlier = {_pair(line.get("of")): _parts(line.get("parts")) for line in lines}
    return PartSorting(
        clusters if type(clusters) is int and 0 <= clusters <= 64 else 0,
        value.get("flip") is True,
        _parts(value.get("parts")),
        _pair(value.get("of")),
        earlier or None,
        strokes_from(value.get("strokes")),
        tuple(name for name in left_out if isinstance(name, str)) if isinstance(left_out, list) else (),
    )


def _planned(value: Any) -> DraftPlan:
    if not isinstance(value, dict):
        return DraftPlan()
    values: dict[str, Any] = {}
    for spec in fields(DraftPlan):
        field_value, default = value.get(spec.name), getattr(DraftPlan(), spec.name)
        if spec.name == "more":
            lines = field_value.items() if isinstance(field_value, dict) else ()
            values["more"] = {name: more for name, more in lines if name in MORE and type(more) is type(MORE[name])}
        elif type(field_value) is type(default) and (spec.name != "preset" or field_value in SHARES):
            values[spec.name] = max(0, field_value) if isinstance(field_value, int) else field_value
    return DraftPlan(**values)
