"""What a person makes of the clusters that were found: which of them are one part, what it is called, what is dropped.

Values and functions only. The names follow the clusters when their number changes, by where both lie on the wall.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from engine.core.correction import ANY_PART, Correction
from engine.core.palette import PALETTE
from engine.core.part_looks import USUAL_COLOURS
from engine.core.segmentation import NO_PART
from engine.worker.jobs import PartsFound, SeenPicture
from partcraft_desktop.app.learning.picture_edits import PartStroke, carried_over, edited_picture, picture_name

FOLLOWS: Final = 0.2
"""A name follows to a cluster when they share at least this much of what they cover together."""

MOST_PARTS: Final = 16


@dataclass(frozen=True)
class DraftPart:
    """A part as a person has it so far. ``members`` are clusters; ``named``: a person chose the name; ``dropped``: it
    belongs to the background."""

    members: tuple[int, ...]
    name: str
    colour: str
    named: bool = False
    dropped: bool = False


@dataclass(frozen=True)
class PartSorting:
    """How the clusters are sorted into parts.

    ``clusters`` is how many are wanted (0: as many as suggested), ``flip`` whether background and foreground change
    places. ``parts`` were made for ``of`` (clusters, flip), which is another pair while new clusters are on their way.
    ``earlier`` keeps the parts of other pairs, so that going back brings every name back. ``strokes`` are what a person
    painted in pictures, and ``left_out`` the pictures of which nothing is learned (paths below the folder).
    """

    clusters: int = 0
    flip: bool = False
    parts: tuple[DraftPart, ...] = ()
    of: tuple[int, bool] = (0, False)
    earlier: Mapping[tuple[int, bool], tuple[DraftPart, ...]] | None = None
    strokes: tuple[PartStroke, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether the parts belong to the clusters that are wanted."""
        return bool(self.parts) and self.of == (self.clusters, self.flip)

    @property
    def merged(self) -> tuple[tuple[int, ...], ...]:
        """The groups of clusters that are one part each."""
        return tuple(part.members for part in self.parts if len(part.members) > 1) if self.settled else ()

    @property
    def dropped(self) -> tuple[int, ...]:
        """The clusters that were dropped."""
        clusters = (member for part in self.parts if part.dropped for member in part.members)
        return tuple(sorted(clusters)) if self.settled else ()

    @property
    def waiting(self) -> tuple[str, ...]:
        """Names a person gave that no part has now: they come back with the number of parts they were given at."""
        current_names = {part.name.casefold() for part in self.parts}
        given_names = [p.name for parts in (self.earlier or {}).values() for p in parts if p.named]
        return tuple(dict.fromkeys(name for name in given_names if name.casefold() not in current_names))

    @property
    def corrections(self) -> tuple[Correction, ...]:
        """What was painted, for the clusters that are wanted."""
        return tuple(stroke.correction((self.clusters, self.flip)) for stroke in self.strokes)

    @property
    def partless(self) -> int:
        """How many strokes are of parts that are not there any more."""
        return sum(correction.label == ANY_PART for correction in self.corrections) if self.settled else 0

    def anew(self) -> PartSorting:
        """Nothing sorted; what was said of pictures stays, but of which parts it was is past."""
        strokes = tuple(replace(stroke, clusters={}) for stroke in self.strokes)
        return PartSorting(strokes=strokes, left_out=self.left_out)

    def with_clusters(self, clusters: int, flip: bool) -> PartSorting:
        """Another number of clusters, or the other ground."""
        earlier = dict(self.earlier or {})
        if self.parts and self.of[0]:
            earlier[self.of] = self.parts
        return replace(self, clusters=clusters, flip=flip, earlier=earlier)

    def changed(self, at: int, **changes: Any) -> PartSorting:
        """Part ``at`` with other values."""
        parts = (*self.parts[:at], replace(self.parts[at], **changes), *self.parts[at + 1 :])
        return replace(self, parts=parts)

    def merge(self, first: int, second: int) -> PartSorting:
        """Two parts as one: it stands where the earlier stood, and keeps the name a person gave to either."""
        keep, gone = sorted((first, second))
        kept_part, other_part = self.parts[keep], self.parts[gone]
        named_part = kept_part if kept_part.named or not other_part.named else other_part
        members = tuple(sorted((*kept_part.members, *other_part.members)))
        merged = replace(
            named_part, members=members, colour=kept_part.colour, dropped=kept_part.dropped and other_part.dropped
        )
        parts = [merged if at == keep else part for at, part in enumerate(self.parts) if at != gone]
        return replace(self, parts=tuple(sorted(parts, key=lambda part: part.members)))

    def split(self, at: int, names: Sequence[str]) -> PartSorting:
        """The clusters of a merged part as parts of their own again."""
        merged = self.parts[at]
        parts = [part for part in self.parts if part is not merged]
        for number, member in enumerate(merged.members):
            if number == 0:
                parts.append(replace(merged, members=(member,)))
            else:
                name = free_name(names[number] if number < len(names) else "part", (part.name for part in parts))
                parts.append(DraftPart((member,), name, _free_colour(part.colour for part in parts)))
        return replace(self, parts=tuple(sorted(parts, key=lambda part: part.members)))


def sort_clusters(
    sorting: PartSorting,
    parts_found: PartsFound,
    before: PartsFound | None,
    colours_of: Mapping[str, str] | None = None,
) -> PartSorting:
    """Sort the clusters that were found as the person had sorted those before. ``colours_of`` are the colours that
    parts of these names have elsewhere; where there is none, a part gets the usual one of its name."""
    colours_of = {**USUAL_COLOURS, **(colours_of or {})}
    pair = (sum(len(members) for members in parts_found.members), sorting.flip)
    result = replace(sorting, clusters=pair[0])
    if result.settled:
        parts_by_members = {frozenset(part.members): part for part in sorting.parts}
        if parts_by_members.keys() == {frozenset(members) for members in parts_found.members}:
            return replace(result, parts=tuple(parts_by_members[frozenset(members)] for members in parts_found.members))
    follow = _followers(sorting, parts_found, before)
    earlier_parts = {frozenset(part.members): part for part in (sorting.earlier or {}).get(pair, ())}
    taken_names: list[str] = []
    colours: list[str] = []
    parts: dict[int, DraftPart] = {}
    # Names of persons first, so that a proposed name never takes one away; then names that have a colour.
    order = sorted(
        range(len(parts_found.members)),
        key=lambda m: (not (follow.get(m) and follow[m].named), parts_found.names[m] not in colours_of),
    )
    for m in order:
        old, own = follow.get(m), earlier_parts.get(frozenset(parts_found.members[m]))
        named_part = next((part for part in (old, own) if part and part.named and part.name not in taken_names), None)
        name = named_part.name if named_part else free_name(parts_found.names[m] or f"part {m + 1}", taken_names)
        wished = [part.colour for part in (old, own) if part] or [colours_of.get(name, "")]
        colour = next((free for free in wished if free and free not in colours), None) or _free_colour(colours)
        dropped = old.dropped if old else own.dropped if own else parts_found.background[m]
        parts[m] = DraftPart(parts_found.members[m], name, colour, named_part is not None, dropped)
        taken_names.append(name)
        colours.append(colour)
    made = tuple(parts[m] for m in range(len(parts_found.members)))
    follows = {old: parts_found.members[m][0] for m, part in follow.items() for old in part.members}
    strokes = carried_over(sorting.strokes, sorting.of, pair, follows) if sorting.of != pair else sorting.strokes
    return replace(result, parts=made, of=pair, strokes=strokes)


def _followers(sorting: PartSorting, parts_found: PartsFound, before: PartsFound | None) -> dict[int, DraftPart]:
    """For clusters found now, the part before that lies where they lie."""
    if before is None or not sorting.parts:
        return {}
    old, new = len(sorting.parts), len(parts_found.members)
    shared = np.zeros((old, new))
    old_area, new_area = np.zeros(old), np.zeros(new)
    to_draft = part_map(sorting.parts, before)
    earlier = {seen_picture.picture: seen_picture for seen_picture in before.wall}
    for seen_picture in parts_found.wall:
        was = earlier.get(seen_picture.picture)
        if was is None or was.labels.shape != seen_picture.labels.shape:
            continue
        a, b = to_draft[was.labels].astype(int), seen_picture.labels.astype(int)
        both = (a < old) & (b < new)
        shared += np.bincount((a * new + b)[both], minlength=old * new).reshape(old, new)
        old_area += np.bincount(a[a < old], minlength=old)
        new_area += np.bincount(b[b < new], minlength=new)
    likeness = shared / np.maximum(old_area[:, None] + new_area[None] - shared, 1)
    pairs: dict[int, DraftPart] = {}
    used: set[int] = set()
    for place in np.argsort(-likeness, axis=None).tolist():
        a, b = divmod(place, new)
        if likeness[a, b] < FOLLOWS:
            break
        if a not in used and b not in pairs:
            pairs[b] = sorting.parts[a]
            used.add(a)
    return pairs


def part_map(parts: Sequence[DraftPart], parts_found: PartsFound) -> np.ndarray:
    """uint8 (256,): the draft's part for each label of a wall, so that a merge is seen before it is found anew."""
    to_draft = np.full(256, NO_PART, np.uint8)
    of = {member: at for at, part in enumerate(parts) for member in part.members}
    for label, members in enumerate(parts_found.members):
        to_draft[label] = of.get(members[0], NO_PART) if members else NO_PART
    return to_draft


def relabelled_wall(sorting: PartSorting, parts_found: PartsFound | None, folder: str = "") -> tuple[SeenPicture, ...]:
    """The wall of a folder with the labels of the draft's parts and what was painted and left out; as it was found
    while other clusters are on their way."""
    if parts_found is None:
        return ()
    to_draft = part_map(sorting.parts, parts_found)
    wall = parts_found.wall
    if not np.array_equal(to_draft[: len(parts_found.members)], np.arange(len(parts_found.members))):
        wall = tuple(replace(seen_picture, labels=to_draft[seen_picture.labels]) for seen_picture in wall)
    if not sorting.settled or not (sorting.strokes or sorting.left_out or any(one.left_out for one in wall)):
        return wall
    part_of = {cluster: at for at, part in enumerate(sorting.parts) for cluster in part.members}
    strokes: dict[str, list[Correction]] = {}
    for one in sorting.corrections:
        label = one.label if one.label is None else part_of.get(one.label, ANY_PART)
        strokes.setdefault(one.picture, []).append(replace(one, label=label))
    edited: list[SeenPicture] = []
    for seen_picture in wall:
        name = picture_name(seen_picture.picture, folder)
        edited.append(edited_picture(seen_picture, strokes.get(name, ()), name in sorting.left_out))
    return tuple(edited)


def free_name(proposed_name: str, taken_names: Iterable[str]) -> str:
    """``proposed_name``, with a number behind it if another part has that name."""
    folded_names = {name.casefold().strip() for name in taken_names}
    name, number = proposed_name.strip(), 2
    while name.casefold() in folded_names:
        name, number = f"{proposed_name.strip()} {number}", number + 1
    return name


def _free_colour(taken_colours: Iterable[str]) -> str:
    colours = list(taken_colours)
    return min(PALETTE, key=lambda colour: (colours.count(colour), PALETTE.index(colour)))
