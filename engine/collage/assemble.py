"""Assembling: a recipe becomes a collage of the references' own pixels, at the pose's own size, without a model."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar

import numpy as np
from PIL import Image

from engine.collage.anatomy import Anatomy, open_anatomy
from engine.collage.arrangement import Arrangement, Ground, arrangement_of
from engine.collage.blending import blend
from engine.collage.colour_matching import match_colours
from engine.collage.cut_outs import CutOut, colour_ground, cut_out, fill_ground
from engine.collage.label_measures import measure_labels, only_parts, stretched_labels
from engine.collage.layers import Collage, Layer, MissingPart, Pixels
from engine.collage.mended_labels import found_labels
from engine.collage.placement import PlacedPart, place
from engine.collage.transform import Transform
from engine.core.errors import UserError
from engine.core.image_files import open_picture, read_label_map
from engine.core.recipe import Recipe
from engine.core.segmentation import Segmentation
from engine.packs.pack import Pack, Reference

Value = TypeVar("Value")

_KEPT_BYTES: Final = 256 << 20
_MATCHED: Final = 0.35  # of the way to the pose's colours: all of it would make every part look like the body
_MOST_PIXELS: Final = 64_000_000  # of one layer: 256 MB; what is enlarged beyond that stays smaller


def assemble(recipe: Recipe, pack: Pack, arrangement: Arrangement | None = None) -> Collage:
    """One collage of a recipe; see :meth:`CollageMaker.make`, which who makes more than one uses."""
    return CollageMaker(pack).make(recipe, arrangement)


class CollageMaker:
    """Makes collages of one pack and keeps what it has decoded, cut out and scaled, so that a change costs only what
    changed. One thread at a time works in it; others wait."""

    def __init__(self, pack: Pack, kept_bytes: int = _KEPT_BYTES) -> None:
        self._pack = pack
        self._anatomy: Anatomy | None = None
        self._cache = _Cache(kept_bytes)
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
        visible = frozenset(part.index for part in self._pack.vocabulary.visible_parts)
        picture = np.asarray(open_picture(image))
        labels = found_labels(picture, stretched_labels(only_parts(segmentation.labels, visible), picture.shape[:2]))
        with self._lock:
            self._anatomy = self.anatomy.with_picture(id, measure_labels(labels))
            self._own[id] = Reference(id, image.stem, str(image), str(image), "", segmentation.codes)
            self._own_labels[id] = labels
            self._cache.forget(id)

    def prepare(self, id: str) -> None:
        """Read a reference that a person looks at, and fill its ground, so that a click on it costs less. What cannot
        be read is told when it is clicked."""
        with self._lock, contextlib.suppress(UserError):
            self._ground(id, "pose", 0, 0)

    def make(self, recipe: Recipe, arrangement: Arrangement | None = None) -> Collage:
        """The collage of a recipe, arranged as the recipe keeps it, or as ``arrangement`` says.

        References that are gone, have no label map or one of another size, and parts that no reference shows are told
        in ``missing``, and the rest is made without them. Raises :class:`UserError` if there is no rest.
        """
        arranged = arrangement or arrangement_of(recipe)
        with self._lock:
            return self._made(recipe, arranged)

    def _made(self, recipe: Recipe, arranged: Arrangement) -> Collage:
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
            for placed in placement.parts:
                try:
                    like = placement.pose if arranged.match_colours and placement.pose != placed.source else ""
                    layers[placed.part, placed.nth] = self._layer(placed, like)
                except UserError as error:
                    missing[placed.part, placed.nth] = MissingPart(placed.part, error.message, error.hint, placed.nth)
            if failed == len(missing):
                try:
                    behind = self._ground(placement.pose, arranged.ground, placement.width, placement.height)
                except UserError as error:
                    missing[None, 0] = MissingPart(None, error.message, error.hint)
                    # Only a pose that was chosen can fail alone: what is shown could be read.
                    arranged = replace(arranged, pose="") if arranged.pose else replace(arranged, ground="none")
                    continue
                shown = tuple(layers[placed.part, placed.nth] for placed in placement.parts)
                if arranged.blend:
                    shown = blend(shown, placement.width, placement.height)
                said = (*placement.missing, *missing.values())
                return Collage(placement.width, placement.height, shown, behind, said, placement.pose)

    def _layer(self, placed: PlacedPart, like: str) -> Layer:
        """``like``: the reference to whose colours its own are brought nearer; empty: they stay."""
        cut = self._cut_out(placed.source, placed.part)
        if like:
            cut = self._matched(placed.source, placed.part, like)
        move = placed.transform
        key = ("scaled", placed.source, placed.part, like, move.scale, move.turn, move.mirror)
        image = self._cache.get(key, lambda: _transformed(cut.image, move))
        height, width = cut.image.shape[:2]
        x, y = move.apply((cut.left + width / 2, cut.top + height / 2))
        name = self._pack.vocabulary.parts[placed.part].name + (f" {placed.nth + 1}" if placed.nth else "")
        left, top = round(x - image.shape[1] / 2), round(y - image.shape[0] / 2)
        scale = _scale_within_memory(width, height, move.scale)
        size = (max(width * scale, 1.0), max(height * scale, 1.0))
        return Layer(
            placed.part, name, image, left, top, placed.visible, placed.nth, move.turn, size, move.mirror,
            placed.source, placed.joint, placed.middle,
        )  # fmt: skip

    def _cut_out(self, id: str, part: int) -> CutOut:
        def cut() -> CutOut:
            picture, labels = self._reference(id)
            made = cut_out(picture, labels, part, covered_by=self.anatomy.covers(part))
            if made is None:
                title = self._pack.vocabulary.parts[part].name
                raise UserError(f"{id} does not show its {title} any more.", f"Choose another {title}.")
            return made

        return self._cache.get(("cut out", id, part), cut)

    def _matched(self, id: str, part: int, like: str) -> CutOut:
        """A cut-out, its colours nearer to those of the root part, or any part, of the reference ``like``."""

        def match() -> CutOut:
            cut, shown = self._cut_out(id, part), self.anatomy.references[like].parts
            root = self.anatomy.root if self.anatomy.root in shown else next(iter(shown), None)
            if root is None:
                return cut
            return replace(cut, image=match_colours(cut.image, self._cut_out(like, root).image, _MATCHED))

        return self._cache.get(("matched", id, part, like), match)

    def _ground(self, id: str, ground: Ground, width: int, height: int) -> Pixels | None:
        if ground == "none":
            return None
        if ground != "pose":
            return colour_ground(ground, (width, height))
        return self._cache.get(("ground", id), lambda: fill_ground(*self._reference(id)))

    def _reference(self, id: str) -> tuple[Pixels, Pixels]:
        """A reference's picture uint8 (H, W, 3), and its label map (H, W) without the background's labels."""

        def read() -> tuple[Pixels, Pixels]:
            if id in self._own:
                picture = np.asarray(open_picture(self._own[id].image))
                if self._own_labels[id].shape == picture.shape[:2]:
                    return picture, self._own_labels[id]
                raise UserError(f"{self._own[id].title} has changed since its parts were found.", "Open it again.")
            reference = self._pack.reference(id)
            if reference is None:
                raise UserError(f"The reference {id} is not in {self._pack.title} any more.", "Choose another.")
            picture = np.asarray(open_picture(reference.image, max_side=1 << 20))
            visible = frozenset(part.index for part in self._pack.vocabulary.visible_parts)
            labels = only_parts(read_label_map(reference.labels), visible)
            if labels.shape != picture.shape[:2]:
                raise UserError(
                    f"The picture and the label map of {reference.title} have different sizes.", "Get the pack again."
                )
            return picture, found_labels(picture, labels) if self.anatomy.mended else labels

        return self._cache.get(("reference", id), read)


def _transformed(image: Pixels, transform: Transform) -> Pixels:
    """A cut-out uint8 (h, w, 4) mirrored, scaled and turned about its middle. Pillow resamples transparent pictures
    with premultiplied colours, so that nothing of what was around shows at the edge."""
    made = Image.fromarray(image)
    if transform.mirror:
        made = made.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if transform.scale != 1.0:
        scale = _scale_within_memory(made.width, made.height, transform.scale)
        size = [max(round(side * scale), 1) for side in made.size]
        made = made.resize((size[0], size[1]), Image.Resampling.BICUBIC)
    if transform.turn % 360:
        made = made.rotate(transform.turn, Image.Resampling.BICUBIC, expand=True)
    return np.asarray(made)


def _scale_within_memory(width: int, height: int, scale: float) -> float:
    return min(scale, (_MOST_PIXELS / (width * height)) ** 0.5) if scale != 1.0 else scale


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
