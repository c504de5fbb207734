"""Placement: which reference each part of a collage is taken from, and where it goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from types import MappingProxyType
from typing import Final

from engine.collage.anatomy import Anatomy
from engine.collage.arrangement import LARGEST_MOVE, Adjustment, Arrangement, PartKey, limited_factor
from engine.collage.label_measures import ReferenceMeasures
from engine.collage.layers import MissingPart, Point
from engine.collage.transform import Transform
from engine.core.errors import UserError
from engine.core.recipe import Recipe
from engine.core.vocabulary import Choice
from engine.packs.pack import Pack, Reference

SMALLEST_SCALE: Final = 0.7
LARGEST_SCALE: Final = 1.4

_NONE: Final[Mapping[str, Reference]] = MappingProxyType({})
_APART: Final = 0.8  # of their width between two of the same part that lie on another: there is little room
_LONGEST: Final = 1.35  # times a part that was cut off is made larger to reach the edge
_OVERLAP: Final = 0.01  # of a creature's size: parts are pushed into each other, so that no gap shows
_MARGIN: Final = 0.02  # of the collage's height: nearer to its upper edge nothing is lifted


@dataclass(frozen=True)
class PlacedPart:
    """A part of a collage: from which reference (its id), and how it gets from there to its place. ``joint`` is where
    it is fastened in the collage before a person's changes, None for what hangs on nothing; ``middle`` about what, in
    the collage, a person's changes scale and turn it."""

    part: int
    nth: int
    source: str
    transform: Transform
    visible: bool = True
    joint: Point | None = None
    middle: Point = (0.0, 0.0)


@dataclass(frozen=True)
class Placement:
    """A collage's parts from back to front, on the ground and at the size (pixels) of the reference ``pose``; and what
    was chosen but cannot be placed."""

    pose: str
    width: int
    height: int
    parts: tuple[PlacedPart, ...]
    missing: tuple[MissingPart, ...] = ()


def place(
    recipe: Recipe, pack: Pack, anatomy: Anatomy, pose: str = "", adjustments: Sequence[Adjustment] = (), *,
    order: Sequence[PartKey] = (), own: Mapping[str, Reference] = _NONE, without: Collection[PartKey] = (),
) -> Placement:  # fmt: skip
    """Where each choice of a recipe goes.

    ``pose`` is the id of the reference whose size, joints and ground are used; by default the one that the root part
    is taken from, else that of the first choice. Each part hangs by its joint on the part it belongs to; the whole
    creature then stands, on its own feet, where the pose's feet stood. Adjustments of parts that are not in the recipe
    are ignored; ``order`` is as in :class:`Arrangement`. ``own`` are a person's own pictures by id, measured in the
    anatomy too; ``without`` leaves out choices by part and nth. Choices that no picture shows, and a pose that is gone,
    are told as missing. Raises :class:`UserError` if nothing is chosen, or nothing of it can be placed.
    """
    taken: list[tuple[int, int, str]] = []
    missing: list[MissingPart] = []
    numbers: Counter[int] = Counter()
    for choice in recipe.choices:
        part, nth = choice.part, numbers[choice.part]
        numbers[part] += 1
        if (part, nth) in without:
            continue
        try:
            taken.append((part, nth, source_of(choice, pack, anatomy, own).id))
        except UserError as error:
            missing.append(MissingPart(part, error.message, error.hint, nth))
    if not taken:
        if missing:
            raise UserError(missing[0].message, missing[0].hint)
        raise UserError("No part has been chosen yet.", "Choose a part of a reference.")
    if pose and not (pose in anatomy.references and anatomy.references[pose].parts):
        missing.append(MissingPart(None, "The picture that gives the pose is gone.", "Choose another pose."))
        pose = ""
    pose = pose or next((source for part, _, source in taken if part == anatomy.root), taken[0][2])
    placer = _Placer(anatomy, pose, {part: source for part, _, source in reversed(taken)})
    placed = _stood(_side_by_side(taken, placer, anatomy), anatomy, pose)
    placed = [_reaching_out(one, anatomy, pose) for one in _inside(placed, anatomy, pose)]
    placed = [_fastened(one, anatomy) for one in placed]
    placed.sort(key=lambda one: anatomy.order.index(one.part))
    size = anatomy.references[pose]
    by_key = {(one.part, one.nth): one for one in placed}
    placed = [by_key[key] for key in Arrangement(order=tuple(order)).ordered(list(by_key))]
    parts = _adjusted(placed, anatomy, adjustments, max(size.width, size.height))
    return Placement(pose, size.width, size.height, tuple(parts), tuple(missing))


def _side_by_side(taken: Sequence[tuple[int, int, str]], placer: _Placer, anatomy: Anatomy) -> list[PlacedPart]:
    """Each part (its index, nth and source) at its joint; several of one part beside each other about it."""
    placed = [PlacedPart(part, nth, source, placer.transform(part, source)) for part, nth, source in taken]
    for part, count in Counter(part for part, _, _ in taken).items():
        if count == 1:
            continue
        boxes = {index: _box(one, anatomy) for index, one in enumerate(placed) if one.part == part}
        apart = 1.0 if anatomy.lies_on[part] is None else _APART
        middle = sum(box[0] + box[2] for box in boxes.values()) / 2 / count
        at = middle - apart * sum(box[2] - box[0] for box in boxes.values()) / 2
        for index, box in boxes.items():
            aside = at + (apart - 1) * (box[2] - box[0]) / 2 - box[0]
            placed[index] = replace(placed[index], transform=placed[index].transform.moved(aside, 0.0))
            at += apart * (box[2] - box[0])
    return placed


def _reaching_out(one: PlacedPart, anatomy: Anatomy, pose: str) -> PlacedPart:
    """A part that its own picture cut off, made larger about where it is fastened until the cut lies at the edge of the
    collage, if that is not far; a straight cut within it would be seen."""
    source, size = anatomy.references[one.source], anatomy.references[pose]
    anchor = anatomy.anchor(source, one.part, anatomy.parents[one.part])
    if anchor is None:
        return one
    left, top, right, bottom = source.parts[one.part].box
    cut = [left <= 1, top <= 1, right >= source.width - 1, bottom >= source.height - 1]
    if one.transform.mirror:
        cut[0], cut[2] = cut[2], cut[0]
    x, y = one.transform.apply(anchor)
    box, room = _box(one, anatomy), (x, y, size.width - x, size.height - y)
    lengths = (x - box[0], y - box[1], box[2] - x, box[3] - y)
    factors = [far / long for is_cut, far, long in zip(cut, room, lengths, strict=True) if is_cut and long > 0]
    factor = max(factors, default=1.0)
    if not 1.0 < factor <= _LONGEST:
        return one
    return replace(one, transform=one.transform.scaled(factor, (x, y)))


def _fastened(one: PlacedPart, anatomy: Anatomy) -> PlacedPart:
    anchor = anatomy.anchor(anatomy.references[one.source], one.part, anatomy.parents[one.part])
    left, top, right, bottom = anatomy.references[one.source].parts[one.part].box
    return replace(
        one,
        joint=None if anchor is None else one.transform.apply(anchor),
        middle=one.transform.apply(((left + right) / 2, (top + bottom) / 2)),
    )


def source_of(choice: Choice, pack: Pack, anatomy: Anatomy, own: Mapping[str, Reference] = _NONE) -> Reference:
    """The reference a choice is taken from: its own ``source`` (of the pack, or one of a person's ``own`` pictures),
    else the one that shows its code largest. Raises :class:`UserError` if none shows it."""

    def share(reference: Reference) -> float:
        measures = anatomy.references.get(reference.id)
        shape = measures.parts.get(choice.part) if measures else None
        return shape.area / (measures.width * measures.height) if measures and shape else 0.0

    if not any(part.index == choice.part for part in pack.vocabulary.visible_parts):
        raise UserError(f"{pack.title} has no part number {choice.part}.", "Choose a part of a reference.")
    if not 0 <= choice.code < pack.vocabulary.codes_per_part:
        raise UserError(f"{pack.title} has no code number {choice.code}.", "Choose a part of a reference.")
    named = (own.get(choice.source) or pack.reference(choice.source)) if choice.source else None
    if named and named.codes[choice.part] == choice.code and share(named):
        return named
    best = max((one for one in pack.references if one.codes[choice.part] == choice.code), key=share, default=None)
    if best and share(best):
        return best
    part = pack.vocabulary.parts[choice.part].name
    if best and best.id not in anatomy.references:
        raise UserError(f"The label map of {best.title} is gone or damaged.", "Get the pack again.")
    code = pack.vocabulary.code_name(choice.part, choice.code)
    raise UserError(f"No reference of {pack.title} shows {part} {code}.", f"Choose another {part}.")


class _Placer:
    """Transforms of parts by the joints of the pose. ``sources`` is the reference of each part that is chosen."""

    def __init__(self, anatomy: Anatomy, pose: str, sources: Mapping[int, str]) -> None:
        self._anatomy = anatomy
        self._pose = pose
        self._sources = sources
        self._measures: ReferenceMeasures = anatomy.references[pose]

    def transform(self, part: int, source: str) -> Transform:
        """From a reference to the collage, with the part fastened where it belongs."""
        anatomy, measures = self._anatomy, self._anatomy.references[source]
        parent = anatomy.parents[part]
        free = Transform(self._scale(source), mirror=anatomy.faces_away(source, self._pose))
        anchor = anatomy.anchor(measures, part, parent)
        target = self._target(part, parent)
        if part == anatomy.root or anchor is None or target is None:
            centre = measures.parts[part].centre
            return free.carrying(centre, self._centre(part))
        fastened = free.carrying(anchor, target)
        return fastened if anatomy.lies_on[part] is not None else self._overlapping(fastened, measures, part, target)

    def _target(self, part: int, parent: int | None) -> Point | None:
        """Where a part is fastened in the collage. What it hangs on knows best, if it is there and was seen with such
        a part; then the pose; then what is usual."""
        if parent is None:
            return None
        source = self._sources.get(parent)
        if source is not None:
            joint = self._anatomy.anchor(self._anatomy.references[source], part, parent)
            if joint is not None:
                return self.transform(parent, source).apply(joint)
        return self._anatomy.anchor(self._measures, part, parent) or self._usual(part)

    def _centre(self, part: int) -> Point:
        shape = self._measures.parts.get(part)
        return shape.centre if shape else self._usual(part) or (self._measures.width / 2, self._measures.height / 2)

    def _usual(self, part: int) -> Point | None:
        """Where a part usually is, about the pose's root."""
        root = self._measures.parts.get(-1 if self._anatomy.root is None else self._anatomy.root)
        offset = self._anatomy.typical_points.get(part)
        if root is None or offset is None:
            return None
        side = root.area**0.5
        ahead = -side if self._anatomy.facings.get(self._pose, 0.0) < 0 else side
        return root.centre[0] + offset[0] * ahead, root.centre[1] + offset[1] * side

    def _scale(self, source: str) -> float:
        """By the areas of the parts that both pictures show: their median tells size from shape, which the root's
        alone does not. Kept within limits beside the ratio of the pictures' own sizes."""
        measures, pose = self._anatomy.references[source], self._measures
        pictures = (pose.width * pose.height / (measures.width * measures.height)) ** 0.5
        ratios = [
            (pose.parts[part].area / measures.parts[part].area) ** 0.5
            for part in measures.parts.keys() & pose.parts.keys()
        ]
        creatures = median(ratios) if ratios else pictures
        return min(max(creatures / pictures, SMALLEST_SCALE), LARGEST_SCALE) * pictures

    def _overlapping(self, transform: Transform, measures: ReferenceMeasures, part: int, target: Point) -> Transform:
        x, y = transform.apply(measures.parts[part].centre)
        away = max(((x - target[0]) ** 2 + (y - target[1]) ** 2) ** 0.5, 1e-6)
        push = _OVERLAP * (sum(shape.area for shape in self._measures.parts.values()) ** 0.5) / away
        return transform.moved((target[0] - x) * push, (target[1] - y) * push)


def _stood(placed: Sequence[PlacedPart], anatomy: Anatomy, pose: str) -> list[PlacedPart]:
    """The creature lowered or lifted as a whole, until its lowest foot stands where the pose's stood. What that would
    lift out of the picture is not lifted: then only the feet are, behind what they hang on."""
    measures = anatomy.references[pose]
    grounds = [measures.parts[foot].box[3] for foot in anatomy.feet if foot in measures.parts]
    bottoms = {one: _box(one, anatomy)[3] for one in placed if one.part in anatomy.feet}
    if not grounds or not bottoms:
        return list(placed)
    fall = max(grounds) - max(bottoms.values())
    top = min(_box(one, anatomy)[1] for one in placed)
    whole = fall if fall > 0 else max(fall, min(_MARGIN * measures.height - top, 0.0))
    stood = []
    for one in placed:
        dy = fall if one.part in anatomy.feet else whole
        stood.append(replace(one, transform=one.transform.moved(0.0, dy)))
    return stood


def _inside(placed: Sequence[PlacedPart], anatomy: Anatomy, pose: str) -> list[PlacedPart]:
    """The creature made smaller as a whole, about where it stands, until all of it is in the picture; but for parts
    that their own picture cut off."""
    measures = anatomy.references[pose]
    shapes = measures.parts.values()
    x = sum(shape.area * shape.centre[0] for shape in shapes) / sum(shape.area for shape in shapes)
    y = max(shape.box[3] for shape in shapes)
    factor = 1.0
    for one in placed:
        source = anatomy.references[one.source]
        left, top, right, bottom = source.parts[one.part].box
        if left <= 1 or top <= 1 or right >= source.width - 1 or bottom >= source.height - 1:
            continue
        left, top, right, bottom = _box(one, anatomy)
        for room, wanted in ((x, x - left), (y, y - top), (measures.width - x, right - x)):
            factor = min(factor, room / wanted) if wanted > room else factor
    factor = max(factor, SMALLEST_SCALE)
    if factor == 1.0:
        return list(placed)
    return [replace(one, transform=one.transform.scaled(factor, (x, y))) for one in placed]


def _box(one: PlacedPart, anatomy: Anatomy) -> tuple[float, float, float, float]:
    """The box of a placed part in the collage: left, top, right, bottom."""
    left, top, right, bottom = anatomy.references[one.source].parts[one.part].box
    corners = [one.transform.apply(corner) for corner in ((left, top), (right, top), (right, bottom), (left, bottom))]
    across, down = zip(*corners, strict=True)
    return min(across), min(down), max(across), max(down)


def _adjusted(
    placed: Sequence[PlacedPart], anatomy: Anatomy, adjustments: Sequence[Adjustment], side: int
) -> list[PlacedPart]:
    """Placed parts with a person's changes; ``side`` is the collage's longer side in pixels."""
    parts, natural = list(placed), [one.transform.scale for one in placed]
    for change in adjustments:
        at = next((i for i, one in enumerate(parts) if (one.part, one.nth) == (change.part, change.nth)), None)
        if at is None:
            continue
        one = parts[at]
        left, top, right, bottom = anatomy.references[one.source].parts[one.part].box
        middle = (left + right) / 2, (top + bottom) / 2
        x, y = one.middle
        turned = Transform(
            natural[at] * limited_factor(one.transform.scale / natural[at] * change.scale),
            (-one.transform.turn if change.mirror else one.transform.turn) + change.turn,
            one.transform.mirror != change.mirror,
        )
        far = LARGEST_MOVE * side  # one change after another leads no further than one alone
        x, y = (min(max(at + by * side, -far), far + side) for at, by in zip((x, y), change.move, strict=True))
        carried = turned.carrying(middle, (x, y))
        parts[at] = replace(one, transform=carried, middle=carried.apply(middle), visible=not change.hidden)
    return parts
