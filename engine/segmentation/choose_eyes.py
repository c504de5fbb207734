"""Which eyes see which pictures: the starter's know drawings like the aviary's, DINOv2 everything else.

It is measured how well the starter's own eyes recognise what they see. In pictures like those they were trained on,
places are near the centroids of the starter's codebook, and parts look like those of some bird it knows. Where each
line is drawn and what came of it is in docs/photos.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from safetensors import SafetensorError, safe_open

from engine.core.atomic_files import plain_file
from engine.core.errors import UserError
from engine.core.image_files import open_picture
from engine.core.paths import starter_pack
from engine.models.dinov2_wheel import EYES, is_whole
from engine.models.hub import find_model_folder, list_models
from engine.models.loader import Models
from engine.packs.codebook import Codebook
from engine.packs.pack import BEGINNINGS, Backbone, Pack
from engine.segmentation.codebook_fitting import unit_rows
from engine.segmentation.dino import open_dino

STARTER_EYES: Final = "starter/eyes"

Floats = npt.NDArray[np.float32]

_PLACES: Final = (0.76, 0.05)
_PARTS: Final = (0.675, 0.03)
_LOOKS: Final = (0.957, 0.015)
"""Cosines: where the line is, and what counts as one away from it. All places to their centroids (background, or the
part's), those of the foreground to their part's, and parts to the nearest of 1,500 known birds."""

_IN_DOUBT: Final = -0.4
"""One picture alone is only called strange if it is this far beyond the line; many together decide at the line."""

_PICTURES_ASKED: Final = 12
_FLAT_SHARE: Final = 0.46


@dataclass(frozen=True)
class EyesChoice:
    """The id of eyes, why they were chosen, in a sentence, and whether better ones are not on this computer."""

    id: str
    reason: str
    missing: bool = False


@dataclass(frozen=True)
class _KnownBirdsKey:
    pack: Path


@dataclass(frozen=True)
class _FamiliarKey:
    files: tuple[Path, ...]
    to_birds: bool


@dataclass(frozen=True, eq=False)
class _KnownBirds:
    """The starter's codebook and the looks of the parts of birds it knows, (parts, birds, C) of length one."""

    backbone: Backbone
    codebook: Codebook
    looks: Floats


def choose_eyes(models: Models, files: Sequence[Path]) -> EyesChoice:
    """The eyes that fit pictures: the starter's for drawings like the aviary's, else DINOv2-small."""
    if are_familiar(models, files):
        return EyesChoice(STARTER_EYES, "These look like the starter's drawings, so its own eyes see them.")
    if EYES in eyes_here():
        return EyesChoice(EYES, "These are no drawings like the starter's, so DINOv2 sees them.")
    return EyesChoice(
        STARTER_EYES,
        "These are no drawings like the starter's, so its eyes do not see them well, and DINOv2 is not on this "
        "computer (partcraft eyes get).",
        missing=True,
    )


def eyes_here() -> tuple[str, ...]:
    """Ids of the eyes on this computer: the starter's, DINOv2-small, and those of the models folder."""
    ids = [model.id for model in list_models() if model.kind == "eyes" and not model.missing and model.id != EYES]
    known = find_model_folder(EYES)
    if known is not None and is_whole(known):
        ids.insert(ids.index(STARTER_EYES) + 1 if STARTER_EYES in ids else 0, EYES)
    return tuple(ids)


def are_familiar(models: Models, files: Sequence[Path]) -> bool:
    """Whether most of some pictures are like the starter's drawings. Kept with the models."""
    return _ask(models, files, _known_birds(models))


def are_seen(models: Models, backbone: Backbone, files: Sequence[Path]) -> bool:
    """Whether eyes see most of some pictures well, as far as can be told. Kept with the models."""
    if backbone.sees != "drawings":
        return True
    return _ask(models, files, _known_birds(models) if backbone.id == STARTER_EYES else None)


def _ask(models: Models, files: Sequence[Path], known: _KnownBirds | None) -> bool:
    """Whether most of some pictures are like known birds or, where none are known, like drawings."""
    count = min(len(files), _PICTURES_ASKED)
    asked = tuple(files[index] for index in np.linspace(0, len(files) - 1, count).astype(int))

    def ask() -> bool:
        pictures = []
        for file in asked:
            with suppress(UserError):  # whoever uses the pictures says what is wrong with one
                pictures.append(open_picture(file, max_side=512))
        if not pictures:
            return True
        if known is None:
            return 2 * sum(looks_like_a_photo(picture) for picture in pictures) <= len(pictures)
        features = open_dino(models, known.backbone).features(pictures)
        return float(np.median([_familiarity(known, picture) for picture in features])) > 0

    return models.cache.get(_FamiliarKey(asked, known is not None), ask)


def can_see(models: Models, backbone: Backbone, picture: Image.Image) -> bool:
    """Whether eyes see a picture well; in doubt they do."""
    if backbone.sees != "drawings":
        return True
    known = _known_birds(models) if backbone.id == STARTER_EYES else None
    if known is None:
        return not looks_like_a_photo(picture)
    (features,) = open_dino(models, known.backbone).features([picture])
    return _familiarity(known, features) > _IN_DOUBT


def looks_like_a_photo(picture: Image.Image) -> bool:
    """Whether a picture has the grain of a photograph: few pixels are like both of their neighbours.

    At 256 pixels, ten photographs had 0 to 37% of such pixels, drawings 83% or more, even as JPEG 55%.
    """
    small = np.asarray(picture.convert("RGB").resize((256, 256), Image.Resampling.BOX), np.int16)
    across = np.abs(np.diff(small, axis=1)).max(axis=2)[:-1]
    down = np.abs(np.diff(small, axis=0)).max(axis=2)[:, :-1]
    return float((np.maximum(across, down) <= 1).mean()) < _FLAT_SHARE


def _known_birds(models: Models) -> _KnownBirds | None:
    """What the starter knows, None where it is not here or not whole."""

    def read() -> _KnownBirds | None:
        try:
            pack = Pack.open(starter_pack())
            with safe_open(plain_file(pack.path / BEGINNINGS), "np") as opened:
                looks = opened.get_tensor("looks").astype(np.float32)
            codebook = pack.codebook()
        except (UserError, SafetensorError, OSError):
            return None
        if not models.has(STARTER_EYES):  # whoever picked other eyes by hand can do without them
            return None
        if looks.ndim != 3 or looks.shape[::2] != codebook.parts.shape or pack.backbone.id != STARTER_EYES:
            return None
        return _KnownBirds(pack.backbone, codebook, unit_rows(looks))

    return models.cache.get(_KnownBirdsKey(starter_pack()), read, 4_000_000)


def _familiarity(known: _KnownBirds, features: Floats) -> float:
    """How far within (above 0) or beyond (below) the line a picture is, by the worst of the three measures; features
    are (C, H, W)."""
    rows = features.reshape(len(features), -1).T
    units = unit_rows(rows)
    to_ground, to_thing = (units @ unit_rows(known.codebook.foreground).T).T
    to_parts = units @ unit_rows(known.codebook.parts).T
    thing, part = to_thing > to_ground, to_parts.argmax(axis=1)
    if not thing.any():
        return -np.inf
    nearest = to_parts.max(axis=1)
    looks = []
    for index, known_looks in enumerate(known.looks):
        own = thing & (part == index)
        if np.count_nonzero(own) > 1:
            looks.append(float((known_looks @ unit_rows(rows[own].mean(axis=0)[None])[0]).max()))
    measured = (
        (float(np.where(thing, nearest, to_ground).mean()), _PLACES),
        (float(nearest[thing].mean()), _PARTS),
        (float(np.mean(looks)) if looks else 0.0, _LOOKS),
    )
    return min((value - line) / unit for value, (line, unit) in measured)
