"""The anatomy of a pack's creatures: how their parts hang together, learned from the references' label maps.

Nothing is known beforehand of what the parts are or how many there are.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np

from engine.collage.label_measures import Joint, PartShape, ReferenceMeasures, measure_labels, only_parts
from engine.collage.layers import Point
from engine.collage.mended_labels import found_labels
from engine.core.atomic_files import read_text, write_bytes
from engine.core.errors import UserError
from engine.core.image_files import FULL_SIZE, open_picture, read_label_map
from engine.core.json_values import finite_number, json_bytes
from engine.core.on_disk import size_of
from engine.core.segmentation import NO_PART
from engine.packs.pack import Pack, Reference
from engine.packs.stand_ins import is_stand_in, pictures_of

ANATOMY: Final = "anatomy.json"
ANATOMY_VERSION: Final = 2

_SAMPLE: Final = 12  # references by which a pack is told whose label maps are exact
_LIES_ON: Final = 0.5  # share of a part's outline along another, on average
_LOWEST: Final = 0.05  # of a creature's height above its lowest point still stands on the ground
_LARGEST_SIDE: Final = 1 << 20  # pixels
_FACES: Final = 0.25  # of the usual distance to a side: less is a view from the front


@dataclass(frozen=True)
class Anatomy:
    """How the parts of a pack's creatures hang together.

    ``references`` are the measures of each reference by its id; everything else follows from them and is kept beside
    them for whoever reads the file. ``parts`` counts the vocabulary's parts. ``root`` is the part that most others
    touch, None without any part. ``parents[m]`` is the part that part m hangs on, None for the root and for parts never
    seen. ``lies_on[m]`` is the part that part m lies on or in, or None. ``order`` is every part once, from back to
    front. ``feet`` are the parts, never the root, that most often reach lowest. ``facings`` tells by reference's id
    which way it faces: references with opposite signs face opposite ways, near 0 faces neither. ``mended``: the label
    maps are not exact and were measured, and are to be used, as :func:`found_labels` mends them.
    """

    parts: int
    references: Mapping[str, ReferenceMeasures]
    root: int | None
    parents: tuple[int | None, ...]
    lies_on: tuple[int | None, ...]
    order: tuple[int, ...]
    feet: tuple[int, ...]
    facings: Mapping[str, float]
    mended: bool = False

    def faces_away(self, one: str, other: str) -> bool:
        """Whether two references, by their ids, face opposite ways."""
        sides = self.facings.get(one, 0.0), self.facings.get(other, 0.0)
        return sides[0] * sides[1] < 0 and min(map(abs, sides)) >= _FACES

    def covers(self, part: int) -> tuple[int, ...]:
        """The parts that hide something of a part: those in front of it that hang on it, or that it hangs on."""
        in_front = self.order[self.order.index(part) + 1 :]
        return tuple(other for other in in_front if self.parents[other] == part or self.parents[part] == other)

    def with_picture(self, id: str, measures: ReferenceMeasures) -> Anatomy:
        """This anatomy and one more picture, which changes nothing of what is known of the pack's creatures, unless
        nothing is."""
        references = {**self.references, id: measures}
        joined = conclude(self.parts, references)
        if self.root is None:
            return joined
        along = sum(side * joined.facings[one] for one, side in self.facings.items())
        facing = joined.facings[id] if along >= 0 else -joined.facings[id]
        return replace(self, references=references, facings={**self.facings, id: facing})

    @cached_property
    def typical_points(self) -> Mapping[int, Point]:
        """Where each part usually is from the root's centre, in square roots of the root's area, facing ahead: its
        joint with the root, or its centre where it lies on another part or touches no root."""
        offsets: dict[int, list[Point]] = {}
        for id, measures in self.references.items():
            root = measures.parts.get(-1 if self.root is None else self.root)
            if root is None:
                continue
            ahead = -1.0 if self.facings.get(id, 0.0) < 0 else 1.0
            for part in measures.parts:
                x, y = self.anchor(measures, part, self.root) or measures.parts[part].centre
                side = root.area**0.5
                offsets.setdefault(part, []).append((ahead * (x - root.centre[0]) / side, (y - root.centre[1]) / side))
        return {part: _mean_point(points) for part, points in offsets.items()}

    def anchor(self, measures: ReferenceMeasures, part: int, parent: int | None) -> Point | None:
        """Where a part is fastened in a reference, in pixels: its centre if it lies on another, else its joint with
        ``parent``. None where the reference does not show that."""
        if part not in measures.parts:
            return None
        if self.lies_on[part] is not None:
            return measures.parts[part].centre
        joint = None if parent is None else measures.joint(part, parent)
        return joint.point if joint else None

    def to_json(self) -> str:
        """One JSON document, read back by :meth:`from_json`."""
        conclusions = {
            "root": self.root, "parents": self.parents, "lies_on": self.lies_on, "order": self.order,
            "feet": self.feet, "facings": {id: round(side, 4) for id, side in self.facings.items()},
        }  # fmt: skip
        references = {id: asdict(measures) for id, measures in self.references.items()}
        first = {"version": ANATOMY_VERSION, "parts": self.parts, "mended": self.mended}
        document = {**first, **conclusions, "references": references}
        return json_bytes(document).decode()

    @classmethod
    def from_json(cls, text: str) -> Anatomy:
        """Read what :meth:`to_json` wrote. Raises ``ValueError`` for anything else, another version included."""
        try:
            return cls._from_document(json.loads(text))
        except (KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            raise ValueError("this is not an anatomy") from error

    @classmethod
    def _from_document(cls, document: Mapping[str, Any]) -> Anatomy:
        if document["version"] != ANATOMY_VERSION:
            raise ValueError("this is an anatomy of another version")
        parts = document["parts"]
        if type(parts) is not int or not 0 <= parts <= NO_PART:
            raise ValueError("this anatomy tells of more parts than there can be")
        measures = {id: _measures(kept, parts) for id, kept in document["references"].items()}
        return replace(conclude(parts, measures), mended=document["mended"] is True)


def open_anatomy(pack: Pack) -> Anatomy:
    """The anatomy of a pack: as kept in its folder, or measured, and kept there if the folder can be written to.

    References whose label maps are gone or damaged are left out; what is kept counts only while each label map has the
    size in bytes it was measured at.
    """
    file = pack.path / ANATOMY
    with contextlib.suppress(OSError, ValueError):  # not there, damaged, or of another version: made again
        kept = Anatomy.from_json(read_text(file))
        measured = {id: measures.labels_bytes for id, measures in kept.references.items()}
        sizes = {reference.id: _bytes_of(reference) for reference in pack.references}
        if kept.parts == len(pack.vocabulary.parts) and measured == {id: size for id, size in sizes.items() if size}:
            return kept
    anatomy = measure_pack(pack)
    with contextlib.suppress(UserError):  # a pack that cannot be written to: measured again next time
        write_bytes(file, anatomy.to_json().encode(), "the anatomy")
    return anatomy


def measure_pack(pack: Pack) -> Anatomy:
    """The anatomy from the label maps of all references that can be read. Writes nothing. Drawn stand-ins say nothing
    of how a creature hangs together, unless there is nothing else."""
    visible = frozenset(part.index for part in pack.vocabulary.visible_parts)
    mended = _are_found(pack, visible)
    measures: dict[str, ReferenceMeasures] = {}
    drawn: ReferenceMeasures | None = None
    for reference in pack.references:
        if is_stand_in(reference) and drawn is not None:  # one drawing is for all
            measures[reference.id] = drawn
            continue
        with contextlib.suppress(UserError):  # it is named when it is asked for
            labels = only_parts(read_label_map(reference.labels), visible)
            if mended:
                with contextlib.suppress(UserError):  # the picture is gone, its label map is not
                    labels = found_labels(np.asarray(open_picture(reference.image, max_side=FULL_SIZE)), labels)
            measures[reference.id] = measure_labels(labels, _bytes_of(reference))
            drawn = measures[reference.id] if is_stand_in(reference) else drawn
    pictures = {one.id: measures[one.id] for one in pictures_of(pack) if one.id in measures}
    anatomy = conclude(len(pack.vocabulary.parts), pictures or measures)
    facings = {**dict.fromkeys(measures, 0.0), **anatomy.facings}
    return replace(anatomy, references=measures, facings=facings, mended=mended)


def _are_found(pack: Pack, visible: frozenset[int]) -> bool:
    """Whether a pack's label maps were found in its pictures and are not exact: most of some need mending."""
    pictures = pictures_of(pack)
    some = pictures[:: -(-len(pictures) // _SAMPLE) or 1]
    wrong = 0
    for reference in some:
        with contextlib.suppress(UserError):
            labels = only_parts(read_label_map(reference.labels), visible)
            picture = np.asarray(open_picture(reference.image, max_side=FULL_SIZE))
            wrong += found_labels(picture, labels) is not labels
    return 2 * wrong > len(some)


def conclude(parts: int, references: Mapping[str, ReferenceMeasures]) -> Anatomy:
    """What the measures of references (by id) say about ``parts`` parts together."""
    contact = np.zeros((parts, parts))  # summed length, in shares of the picture's longer side
    touching = np.zeros((parts, parts))  # references where two parts touch
    together = np.zeros((parts, parts))  # references that show both
    front = np.zeros((parts, parts))  # summed votes that the row is in front of the column
    shares = np.zeros((parts, parts))  # summed shares of the row's outline along the column
    for measures in references.values():
        for part in measures.parts:
            together[part, list(measures.parts)] += 1
        for joint in measures.joints:
            one, other = joint.first, joint.second
            length = joint.length / max(measures.width, measures.height)
            contact[[one, other], [other, one]] += length
            touching[[one, other], [other, one]] += 1
            front[[one, other], [other, one]] += joint.front, -joint.front
            shares[[one, other], [other, one]] += joint.first_share, joint.second_share
    seen = np.diag(together)
    root = _root(touching, together, contact, seen)
    lies_on = _covered(shares / np.maximum(touching, 1), touching, seen)
    return Anatomy(
        parts,
        references,
        root,
        _parents(root, touching / np.maximum(together, 1), contact, seen),
        lies_on,
        _order(front / np.maximum(touching, 1), touching, seen),
        _feet(parts, root, references, seen),
        _facings(parts, root, references),
    )


def _root(touching: np.ndarray, together: np.ndarray, contact: np.ndarray, seen: np.ndarray) -> int | None:
    """The part that most others touch; of two, the one with the longer borders; of parts that never touch, the one
    seen most often."""
    if not seen.any():
        return None
    neighbours = (touching / np.maximum(together, 1)).sum(1) * (seen >= seen.max() / 2)
    return max(range(len(seen)), key=lambda part: (round(neighbours[part], 2), contact[part].sum(), seen[part]))


def _parents(root: int | None, often: np.ndarray, contact: np.ndarray, seen: np.ndarray) -> tuple[int | None, ...]:
    """A tree from the root outward: what touches it in at least half of the references hangs on it, then what touches
    those; what is left hangs on what it touches most, or on the root."""
    parents: list[int | None] = [None] * len(seen)
    placed = [] if root is None else [root]
    waiting = [part for part in range(len(seen)) if seen[part] and part != root]
    while waiting:
        hanging = [part for part in waiting if often[part, placed].max() >= 0.5]
        if not hanging:
            hanging = [max(waiting, key=lambda part: contact[part, placed].max())]
        for part in hanging:
            strength = contact[part, placed] * (often[part, placed] >= min(0.5, often[part, placed].max()))
            parents[part] = placed[int(strength.argmax())]
        placed += hanging
        waiting = [part for part in waiting if part not in hanging]
    return tuple(parents)


def _covered(shares: np.ndarray, touching: np.ndarray, seen: np.ndarray) -> tuple[int | None, ...]:
    lies_on: list[int | None] = []
    for part in range(len(seen)):
        along = shares[part] * (touching[part] >= seen[part] / 2)
        lies_on.append(int(along.argmax()) if seen[part] and along.max() >= _LIES_ON else None)
    return tuple(lies_on)


def _order(front: np.ndarray, touching: np.ndarray, seen: np.ndarray) -> tuple[int, ...]:
    """Every part once, from back to front: the next one back is always the one that has least of the others behind
    it. Parts that nothing is known of come in their own order, first."""
    votes = np.where(touching >= np.maximum(np.minimum.outer(seen, seen) / 4, 1), front, 0.0)
    left, order = list(range(len(seen))), []
    while left:
        behind = {part: sum(max(votes[part, other], 0.0) for other in left) for part in left}
        back = min(left, key=lambda part: (round(behind[part], 3), sum(votes[part, other] for other in left)))
        order.append(back)
        left.remove(back)
    return tuple(order)


def _feet(
    parts: int, root: int | None, references: Mapping[str, ReferenceMeasures], seen: np.ndarray
) -> tuple[int, ...]:
    lowest = np.zeros(parts)
    for measures in references.values():
        boxes = {part: shape.box for part, shape in measures.parts.items()}
        if boxes:
            top, bottom = min(box[1] for box in boxes.values()), max(box[3] for box in boxes.values())
            for part, box in boxes.items():
                lowest[part] += box[3] >= bottom - _LOWEST * (bottom - top)
    return tuple(part for part in range(parts) if part != root and seen[part] and lowest[part] >= seen[part] / 2)


def _facings(parts: int, root: int | None, references: Mapping[str, ReferenceMeasures]) -> dict[str, float]:
    """How far each reference's parts lie to the sides on which they lie in most: the first principal component of
    their distances from the root, across, in square roots of the root's area."""
    distances = np.zeros((len(references), parts))
    for row, measures in enumerate(references.values()):
        body = measures.parts.get(-1 if root is None else root)
        for part, shape in measures.parts.items():
            if body is not None:
                distances[row, part] = (shape.centre[0] - body.centre[0]) / body.area**0.5
    if not distances.any():
        return dict.fromkeys(references, 0.0)
    component = np.linalg.svd(distances, full_matrices=False)[2][0]
    sides = distances @ component
    sides *= 1.0 if sides.sum() >= 0 else -1.0
    return dict(zip(references, (sides / np.median(np.abs(sides[sides != 0]))).tolist(), strict=True))


def _measures(kept: Mapping[str, Any], parts: int) -> ReferenceMeasures:
    """Raises ``ValueError`` for what cannot have been measured: numbers that are none, or lie far outside."""
    width, height = (int(_within(kept[side], 1, _LARGEST_SIDE)) for side in ("width", "height"))
    most = 2.0 * max(width, height)  # large label maps are measured on a grid, which reaches a little beyond
    shapes = {
        int(part): PartShape(
            _within(shape["area"], 0.5, most * most),
            (_within(shape["centre"][0], 0, most), _within(shape["centre"][1], 0, most)),
            _box(shape["box"], most),
        )
        for part, shape in kept["parts"].items()
    }
    joints = tuple(
        Joint(
            int(joint["first"]), int(joint["second"]),
            (_within(joint["point"][0], 0, most), _within(joint["point"][1], 0, most)),
            _within(joint["length"], 0, most * most), _within(joint["front"], -1, 1),
            _within(joint["first_share"], 0, 1), _within(joint["second_share"], 0, 1),
        )
        for joint in kept["joints"]
    )  # fmt: skip
    named = set(shapes) | {joint.first for joint in joints} | {joint.second for joint in joints}
    if not all(0 <= part < parts for part in named):
        raise ValueError("this anatomy tells of parts that are not there")
    return ReferenceMeasures(width, height, int(kept["labels_bytes"]), shapes, joints)


def _within(kept: Any, low: float, high: float) -> float:
    number = finite_number(kept)
    if number is None or not low <= number <= high:
        raise ValueError("this anatomy has a number that was never measured")
    return number


def _box(kept: Sequence[Any], most: float) -> tuple[float, float, float, float]:
    left, top, right, bottom = (_within(side, 0, most) for side in kept)
    if not (left < right and top < bottom):
        raise ValueError("this anatomy has a box of no size")
    return left, top, right, bottom


def _mean_point(points: Sequence[Point]) -> Point:
    x, y = np.mean(points, axis=0).tolist()
    return x, y


def _bytes_of(reference: Reference) -> int:
    """The size of a reference's label map in bytes; 0 if it cannot be read."""
    return size_of(reference.labels)
