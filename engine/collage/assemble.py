"""Assembling: a recipe becomes a collage of the references' own pixels, at the pose's own size, without a model."""

from __future__ import annotations

import contextlib
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar, overload

import numpy as np
from PIL import Image

from engine.collage.anatomy import Anatomy, open_anatomy
from engine.collage.arrangement import Arrangement, Ground, arrangement_of
from engine.collage.blending import blend
from engine.collage.colour_matching import match_colours
from engine.collage.cut_outs import CutOut, colour_ground, cut_out, fill_ground
from engine.collage.label_measures import measure_labels, only_parts, stretched_labels
from engine.collage.layers import Collage, Layer, MissingPart, Pixels, Point
from engine.collage.mended_labels import found_labels
from engine.collage.placement import PlacedPart, place
from engine.collage.transform import Transform
from engine.core.errors import UserError
from engine.core.image_files import FULL_SIZE, open_picture, read_label_map
from engine.core.recipe import Recipe
from engine.core.segmentation import Segmentation
from engine.packs.pack import Pack, Reference

Value = TypeVar("Value")

_KEPT_BYTES: Final = 256 << 20
_KEPT_DRAFTS: Final = 0.5  # of that, beside it: a full collage does not push the drafts out that a click needs
_MATCHED: Final = 0.35  # of the way to the pose's colours: all of it would make every part look like the body
_MOST_PIXELS: Final = 64_000_000  # of one layer, turned: 256 MB; what is enlarged beyond that stays smaller


def assemble(recipe: Recipe, pack: Pack, arrangement: Arrangement | None = None) -> Collage:
    """One collage of a recipe; see :meth:`CollageMaker.make`, which who makes more than one uses."""
    return CollageMaker(pack).make(recipe, arrangement)


class Interrupted(Exception):
    """A collage is no longer wanted; what was made of it until then is kept."""


class CollageMaker:
    """Makes collages of one pack and keeps what it has decoded, cut out and scaled, so that a change costs only what
    changed. One thread at a time works in it; others wait."""

    def __init__(self, pack: Pack, kept_bytes: int = _KEPT_BYTES) -> None:
        self._pack = pack
        self._visible = frozenset(part.index for part in pack.vocabulary.visible_parts)
        self._anatomy: Anatomy | None = None
        self._full = _Cache(kept_bytes)
        self._drafts = _Cache(int(kept_bytes * _KEPT_DRAFTS))
        self._go_on: Callable[[], bool] = _always
        self._lock = Lock()
        self._own: dict[str, Reference] = {}
        self._own_labels: dict[str, Pixels] = {}

    @property
    def anatomy(self) -> Anatomy:
        """How the pack's creatures hang together, own pictures with them; read or measured when first asked for."""
        if self._anatomy is None:
            self._anatomy = open_anatomy(self._pack)
        return self._anatomy

    def add_picture(self, id: str, image: Path, segmentation: Segmentation) -> None:
        """Let choices whose source is ``id``, and poses, be taken from a person's own picture, at most 4096 px a side.

        The labels may be smaller than the picture. What was added under that id before is replaced; the pack's
        ``anatomy.json`` stays as it is. Raises :class:`UserError` if the picture cannot be read.
        """
        picture = np.asarray(open_picture(image))
        labels = only_parts(segmentation.labels, self._visible)
        labels = found_labels(picture, stretched_labels(labels, picture.shape[:2]))
        with self._lock:
            self._anatomy = self.anatomy.with_picture(id, measure_labels(labels))
            self._own[id] = Reference(id, image.stem, str(image), str(image), "", segmentation.codes)
            self._own_labels[id] = labels
            self._full.forget(id)
            self._drafts.forget(id)

    def prepare(self, id: str, longest: int | None = None, go_on: Callable[[], bool] | None = None) -> None:
        """Read a reference that a person looks at, cut its parts out and fill its ground, so that a click on it costs
        less. What cannot be read is told when it is clicked. ``longest`` and ``go_on`` as in :meth:`make`."""
        with self._working(go_on), contextlib.suppress(UserError):
            measures = self.anatomy.references.get(id)
            shrink = self._shrink(id, longest)
            for part in measures.parts if measures is not None else ():
                with contextlib.suppress(UserError):
                    self._cut_out(id, part, shrink)
            self._ground(id, "pose", (0, 0), shrink)

    def make(
        self,
        recipe: Recipe,
        arrangement: Arrangement | None = None,
        longest: int | None = None,
        go_on: Callable[[], bool] | None = None,
    ) -> Collage:
        """The collage of a recipe, arranged as the recipe keeps it, or as ``arrangement`` says.

        References that are gone, have no label map or one of another size, and parts that no reference shows are told
        in ``missing``, and the rest is made without them. Raises :class:`UserError` if there is no rest.

        With ``longest`` it is a draft for the screen: each reference whose longer side has more pixels is halved until
        it has not, and the collage is as much smaller as the one that gives the pose (``Collage.shrink``); everything
        lies where it lies in the full one. ``go_on`` is asked between the pieces of work; once it says no,
        :class:`Interrupted` is raised.
        """
        arranged = arrangement or arrangement_of(recipe)
        with self._working(go_on):
            return self._made(recipe, arranged, longest)

    @contextlib.contextmanager
    def _working(self, go_on: Callable[[], bool] | None) -> Iterator[None]:
        with self._lock:
            self._go_on = go_on or _always
            try:
                yield
            finally:
                self._go_on = _always

    def _shrink(self, id: str, longest: int | None) -> int:
        """By how much a reference is made smaller, a power of two."""
        measures = self.anatomy.references.get(id)
        if longest is None or measures is None:
            return 1
        return 1 << max(0, math.ceil(math.log2(max(measures.width, measures.height) / max(longest, 1))))

    def _made(self, recipe: Recipe, arranged: Arrangement, longest: int | None) -> Collage:
        missing: dict[tuple[int | None, int], MissingPart] = {}
        layers: dict[tuple[int, int], Layer] = {}
        while True:
            try:
                placement = place(
                    recipe, self._pack, self.anatomy, arranged.pose, arranged.adjustments,
                    order=arranged.order, own=self._own,
                    without=[(part, nth) for part, nth in missing if part is not None],
                )  # fmt: skip
            except UserError as error:
                first = next(iter(missing.values()), error)  # nothing is left: what came first says why
                raise UserError(first.message, first.hint) from error
            failed = len(missing)
            shrink = self._shrink(placement.pose, longest)
            width, height = -(-placement.width // shrink), -(-placement.height // shrink)
            for placed in placement.parts:
                try:
                    like = placement.pose if arranged.match_colours and placement.pose != placed.source else ""
                    layers[placed.part, placed.nth] = self._layer(placed, like, shrink, longest)
                except UserError as error:
                    missing[placed.part, placed.nth] = MissingPart(placed.part, error.message, error.hint, placed.nth)
            if failed == len(missing):
                try:
                    behind = self._ground(placement.pose, arranged.ground, (width, height), shrink)
                except UserError as error:
                    missing[None, 0] = MissingPart(None, error.message, error.hint)
                    # Only a pose that was chosen can fail alone: what is shown could be read.
                    arranged = replace(arranged, pose="") if arranged.pose else replace(arranged, ground="none")
                    continue
                shown = tuple(layers[placed.part, placed.nth] for placed in placement.parts)
                if arranged.blend:
                    shown = blend(shown, width, height)
                said = (*placement.missing, *missing.values())
                return Collage(width, height, shown, behind, said, placement.pose, shrink)

    def _layer(self, placed: PlacedPart, like: str, shrink: int, longest: int | None) -> Layer:
        """``like``: the reference to whose colours its own are brought nearer; empty: they stay. ``shrink``: by how
        much the collage is smaller."""
        own = self._shrink(placed.source, longest)
        cut = self._cut_out(placed.source, placed.part, own)
        if like:
            cut = self._matched(placed.source, placed.part, like, own, self._shrink(like, longest))
        move = _drafted(placed.transform, own, shrink)
        key = ("scaled", placed.source, placed.part, like, move.scale, move.turn, move.mirror)
        image = self._kept(own, key, lambda: _transformed(cut.image, move))
        height, width = cut.image.shape[:2]
        x, y = move.apply((cut.left + width / 2, cut.top + height / 2))
        name = self._pack.vocabulary.parts[placed.part].name + (f" {placed.nth + 1}" if placed.nth else "")
        left, top = round(x - image.shape[1] / 2), round(y - image.shape[0] / 2)
        scale = _scale_within_memory((width, height), move)
        size = (max(width * scale, 1.0), max(height * scale, 1.0))
        return Layer(
            placed.part, name, image, left, top, placed.visible, placed.nth, move.turn, size, move.mirror,
            placed.source, _divided(placed.joint, shrink), _divided(placed.middle, shrink),
        )  # fmt: skip

    def _kept(self, shrink: int, key: tuple[Any, ...], make: Callable[[], Value]) -> Value:
        """What is kept of a picture that was made so much smaller; made if it is not there and still wanted."""
        cache = self._full if shrink == 1 else self._drafts
        key = (*key, shrink)
        if key not in cache and not self._go_on():
            raise Interrupted
        return cache.get(key, make)

    def _cut_out(self, id: str, part: int, shrink: int) -> CutOut:
        def cut() -> CutOut:
            picture, labels = self._reference(id, shrink)
            made = cut_out(picture, labels, part, covered_by=self.anatomy.covers(part))
            if made is None:
                title = self._pack.vocabulary.parts[part].name
                raise UserError(f"{id} does not show its {title} any more.", f"Choose another {title}.")
            return made

        return self._kept(shrink, ("cut out", id, part), cut)

    def _matched(self, id: str, part: int, like: str, shrink: int, like_shrink: int) -> CutOut:
        """A cut-out, its colours nearer to those of the root part, or any part, of the reference ``like``."""

        def match() -> CutOut:
            cut, shown = self._cut_out(id, part, shrink), self.anatomy.references[like].parts
            root = self.anatomy.root if self.anatomy.root in shown else next(iter(shown), None)
            if root is None:
                return cut
            return replace(cut, image=match_colours(cut.image, self._cut_out(like, root, like_shrink).image, _MATCHED))

        return self._kept(shrink, ("matched", id, part, like), match)

    def _ground(self, id: str, ground: Ground, size: tuple[int, int], shrink: int) -> Pixels | None:
        if ground == "none":
            return None
        if ground != "pose":
            return colour_ground(ground, size)
        return self._kept(shrink, ("ground", id), lambda: fill_ground(*self._reference(id, shrink)))

    def _reference(self, id: str, shrink: int) -> tuple[Pixels, Pixels]:
        """A reference's picture uint8 (H, W, 3), and its label map (H, W) without the background's labels."""

        def read() -> tuple[Pixels, Pixels]:
            # For a draft it is not kept at its full size: a few large ones would push each other out.
            kept = self._full.peek(("reference", id, 1)) if shrink > 1 else None
            picture, labels = self._opened(id) if kept is None else (Image.fromarray(kept[0]), kept[1])
            if shrink > 1:
                picture, labels = _smaller(picture, labels, shrink)
            return np.asarray(picture), only_parts(labels, self._visible)

        return self._kept(shrink, ("reference", id), read)

    def _opened(self, id: str) -> tuple[Image.Image, Pixels]:
        """A reference's picture and its label map, which may have the background's labels."""
        if id in self._own:
            picture = open_picture(self._own[id].image)
            if self._own_labels[id].shape == (picture.height, picture.width):
                return picture, self._own_labels[id]
            raise UserError(f"{self._own[id].title} has changed since its parts were found.", "Open it again.")
        reference = self._pack.reference(id)
        if reference is None:
            raise UserError(f"The reference {id} is not in {self._pack.title} any more.", "Choose another.")
        picture = open_picture(reference.image, max_side=FULL_SIZE)
        labels = read_label_map(reference.labels)
        if labels.shape != (picture.height, picture.width):
            raise UserError(
                f"The picture and the label map of {reference.title} have different sizes.", "Get the pack again."
            )
        if self.anatomy.mended:
            labels = found_labels(np.asarray(picture), only_parts(labels, self._visible))
        return picture, labels


def _always() -> bool:
    return True


def _drafted(transform: Transform, source: int, collage: int) -> Transform:
    """A transform as it is between a reference and a collage that are so many times smaller."""
    return replace(
        transform, scale=transform.scale * source / collage, dx=transform.dx / collage, dy=transform.dy / collage
    )


@overload
def _divided(point: Point, by: int) -> Point: ...
@overload
def _divided(point: Point | None, by: int) -> Point | None: ...
def _divided(point: Point | None, by: int) -> Point | None:
    return None if point is None else (point[0] / by, point[1] / by)


def _smaller(picture: Image.Image, labels: Pixels, shrink: int) -> tuple[Image.Image, Pixels]:
    """A picture of means, and the labels in the middle of what each pixel was."""
    made = picture.reduce(shrink)
    found = labels[shrink // 2 :: shrink, shrink // 2 :: shrink]
    rest = [(0, full - part) for full, part in zip((made.height, made.width), found.shape, strict=True)]
    return made, np.pad(found, rest, "edge")


def _transformed(image: Pixels, transform: Transform) -> Pixels:
    """A cut-out uint8 (h, w, 4) mirrored, scaled and turned about its middle. Pillow resamples transparent pictures
    with premultiplied colours, so that nothing of what was around shows at the edge."""
    made = Image.fromarray(image)
    if transform.mirror:
        made = made.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    scale = _scale_within_memory(made.size, transform)
    if scale != 1.0:
        size = [max(round(side * scale), 1) for side in made.size]
        made = made.resize((size[0], size[1]), Image.Resampling.BICUBIC)
    if transform.turn % 360:
        made = made.rotate(transform.turn, Image.Resampling.BICUBIC, expand=True)
    return np.asarray(made)


def _scale_within_memory(size: tuple[int, int], transform: Transform) -> float:
    """The scale of a transform, or less where what comes of a (width, height), turned, would be too large."""
    if transform.scale == 1.0 and not transform.turn % 360:
        return 1.0
    across, down = abs(math.cos(math.radians(transform.turn))), abs(math.sin(math.radians(transform.turn)))
    area = (size[0] * across + size[1] * down) * (size[0] * down + size[1] * across)
    return min(transform.scale, (_MOST_PIXELS / area) ** 0.5)


@dataclass(frozen=True)
class _Entry:
    value: Any
    size: int


class _Cache:
    """Values by key; those not used for longest are forgotten when all together are larger than ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[tuple[Any, ...], _Entry] = OrderedDict()
        self._size = 0

    def forget(self, id: str) -> None:
        """Forget all that was made of one picture."""
        for key in [key for key in self._entries if key[1] == id]:
            self._size -= self._entries.pop(key).size

    def __contains__(self, key: tuple[Any, ...]) -> bool:
        return key in self._entries

    def peek(self, key: tuple[Any, ...]) -> Any:
        """The value of a key if it is there."""
        return self._entries[key].value if key in self._entries else None

    def get(self, key: tuple[Any, ...], make: Callable[[], Value]) -> Value:
        """The value of a key; made if it is not there."""
        if key not in self._entries:
            value = make()
            self._entries[key] = _Entry(value, _bytes_of(value))
            self._size += self._entries[key].size
        self._entries.move_to_end(key)
        while self._size > self._limit and len(self._entries) > 1:
            self._size -= self._entries.popitem(last=False)[1].size
        return self._entries[key].value


def _bytes_of(value: Any) -> int:
    if isinstance(value, tuple):
        return sum(array.nbytes for array in value)
    return value.image.nbytes if isinstance(value, CutOut) else value.nbytes
