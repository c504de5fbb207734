"""The eyes at work: feature maps of pictures, their parts, and new vocabularies found in a folder."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from engine.clusters import Found, fit_codebook
from engine.errors import UserError
from engine.hosts import Report
from engine.jobs import Discover, Progress, Segment, Segmented
from engine.models import Eyes, Models, resolve
from engine.packs import CODEBOOK, Backbone, BaseModel, Pack, Reference
from engine.pictures import open_picture, picture_files
from engine.places import cache_dir, make_folder, write_bytes, write_whole
from engine.segmentation import Codebook
from engine.vocabulary import ABSENT, Part, Vocabulary

PHOTO_EYES: Final = "facebook/dinov2-base"
"""The model to name when the eyes at hand know only drawings."""

COLOURS: Final = (
    "#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#0072b2", "#d55e00", "#f0e442", "#7b4fa3",
    "#8a5a2b", "#44aa99", "#999933", "#882255",
)  # fmt: skip
"""Part colours that colour-blind eyes can tell apart (Okabe and Ito, then Tol)."""

_THUMBNAIL: Final = 256

Floats = npt.NDArray[np.float32]


class Dino:
    """A Dinov2 model as a function from pictures to feature maps, the way a pack's backbone says."""

    def __init__(self, eyes: Eyes, backbone: Backbone) -> None:
        self.eyes = eyes
        self.backbone = backbone

    def pixels(self, picture: Image.Image) -> torch.Tensor:
        """A picture as the model wants it: float32 (3, H, W), sides multiples of the patch.

        The aspect ratio is kept (at most 1:4) and the area is about ``image_size`` squared.
        """
        patch, size = self.eyes.patch, self.backbone.image_size
        ratio = math.sqrt(min(max(picture.width / picture.height, 0.25), 4.0))
        width, height = (max(1, round(side / patch)) * patch for side in (size * ratio, size / ratio))
        scaled = picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.array(scaled)).permute(2, 0, 1).float() / 255
        mean, std = (torch.tensor(values)[:, None, None] for values in (self.eyes.mean, self.eyes.std))
        return (pixels - mean) / std

    @torch.no_grad()
    def features(self, pictures: Sequence[Image.Image]) -> list[Floats]:
        """Feature maps, float32 (C, H/patch, W/patch) each; the class token is left out."""
        model = self.eyes.model
        layer = self.backbone.feature_layer
        batches: dict[tuple[int, ...], list[int]] = {}
        pixels = [self.pixels(picture) for picture in pictures]
        for index, one in enumerate(pixels):
            batches.setdefault(tuple(one.shape), []).append(index)
        found: dict[int, Floats] = {}
        for shape, members in batches.items():
            batch = torch.stack([pixels[index] for index in members]).to(model.device)
            normed = layer == "last_hidden_state"
            output = model(pixel_values=batch, output_hidden_states=not normed)
            states = output.last_hidden_state if normed else output.hidden_states[int(layer)]
            grid = (shape[1] // self.eyes.patch, shape[2] // self.eyes.patch)
            arranged = states[:, 1:].transpose(1, 2).unflatten(2, grid).float().cpu().contiguous().numpy()
            found.update(zip(members, arranged, strict=True))
        return [found[index] for index in range(len(pictures))]


def open_dino(models: Models, backbone: Backbone) -> Dino:
    """The eyes a backbone names. Raises :class:`UserError` if they are not on this computer or do not fit."""
    eyes = models.eyes(backbone.id)
    if eyes.patch != backbone.patch:
        raise UserError(
            f"The eyes {backbone.id} see patches of {eyes.patch} pixels, the pack was made with {backbone.patch}.",
            "Use the eyes the pack was made with.",
        )
    return Dino(eyes, backbone)


def segment(models: Models, job: Segment, report: Report) -> Segmented:
    """Find the parts of one picture. The engine's handler of :class:`Segment`. Raises :class:`UserError`."""
    pack = Pack.open(job.pack)
    codebook = pack.codebook()
    picture = open_picture(job.image)
    report(Progress("Looking", 0, 0))
    (features,) = open_dino(models, pack.backbone).features([picture])
    found = codebook.segment_picture(features, np.asarray(picture))
    note = ""
    if pack.backbone.sees == "drawings" and looks_like_a_photo(picture):
        note = f"These eyes know drawings only; a pack made with {PHOTO_EYES} sees photos."
    return Segmented(job.image, found, note)


def looks_like_a_photo(picture: Image.Image) -> bool:
    """Whether a picture has the grain of a photograph: few pixels are like both of their neighbours.

    At 256 pixels, ten photographs had 0 to 37% of such pixels, drawings 83% or more, even as JPEG 55%.
    """
    small = np.asarray(picture.convert("RGB").resize((256, 256), Image.Resampling.BOX), np.int16)
    across = np.abs(np.diff(small, axis=1)).max(axis=2)[:-1]
    down = np.abs(np.diff(small, axis=0)).max(axis=2)[:, :-1]
    return float((np.maximum(across, down) <= 1).mean()) < _FLAT_SHARE


_FLAT_SHARE: Final = 0.46


# A new vocabulary from a folder of pictures.


def discover(models: Models, job: Discover, report: Report) -> str:
    """Find parts and codes in a folder and write them as a pack, with references but without tokens.

    Pictures in two or more subfolders are taken as sorted by kind: a code is then a kind. ``job.options``:
    ``image_size`` (of the eyes), ``feature_layer``, ``sees``, ``part_names``, ``references`` (how many),
    ``codes_from`` ("clusters" also for sorted pictures), ``flip_background``, ``title``.
    The engine's handler of :class:`Discover`. Raises :class:`UserError`.
    """
    options = job.options
    if job.parts < 1 or job.codes < 1:
        raise UserError("A vocabulary needs at least one part and one code.", "Choose larger numbers.")
    eyes = job.eyes or "starter/eyes"
    patch = models.eyes(eyes).patch
    backbone = Backbone(
        id=eyes,
        feature_layer=str(options.get("feature_layer", "last_hidden_state")),
        image_size=int(options.get("image_size", 32 * patch)),
        patch=patch,
        sees=str(options.get("sees", "drawings" if eyes.startswith("starter/") else "photos")),
    )
    files = picture_files(job.folder)
    found = look_at(open_dino(models, backbone), files, report, classes_of(Path(job.folder), files))
    if options.get("codes_from") == "clusters" or len(set(found.classes)) < 2:
        found = replace(found, classes=())
    report(Progress("Finding parts", 0, 0))
    clusters = fit_codebook(
        found, job.parts, job.codes, seed=job.seed, flip_background=bool(options.get("flip_background"))
    )
    names = list(options.get("part_names") or [])
    names += [f"part {index + 1}" for index in range(len(names), job.parts)]
    parts = tuple(Part(i, names[i], COLOURS[i % len(COLOURS)]) for i in range(job.parts))
    try:
        words = Vocabulary(job.noun, parts, clusters.codebook.codes.shape[1], clusters.code_names)
    except ValueError as error:
        raise UserError(f"The parts cannot be named so: {error}.", "Give each part a name of its own.") from error
    out = make_folder(Path(job.out), "the pack")
    pack = Pack(
        path=out.resolve(),
        id=out.name,
        title=str(options.get("title", out.name)),
        vocabulary=words,
        backbone=backbone,
        base_model=BaseModel(job.base_model or "starter/base"),
        provenance=f"Found in {len(found.files)} pictures",
        metrics=clusters.metrics,
    )
    return str(write_pack(pack, clusters.codebook, found, int(options.get("references", 60)), report).path)


def classes_of(folder: Path, files: Sequence[Path]) -> tuple[str, ...]:
    """The first folder under ``folder`` of each file; empty unless all files are in folders, two at least."""
    firsts = [file.relative_to(folder).parts[:-1][:1] for file in files]
    if all(firsts) and len(set(firsts)) > 1:
        return tuple(first[0] for first in firsts)
    return ()


def look_at(dino: Dino, files: Sequence[Path], report: Report, classes: Sequence[str] = (), batch: int = 16) -> Found:
    """Feature maps of pictures, kept in the cache so that looking again is quick. Pictures that cannot be
    read are skipped and named. Raises :class:`UserError` if none can be read."""
    skipped: dict[int, str] = {}
    places = [_cache_place(dino.backbone, file) for file in files]
    for start in range(0, len(files), batch):
        report(Progress("Looking at pictures", start, len(files)))
        waiting: dict[int, Image.Image] = {}
        for index in range(start, min(start + batch, len(files))):
            if _read_cached(places[index]) is None:
                try:
                    waiting[index] = open_picture(files[index])
                except UserError as error:
                    skipped[index] = f"{files[index].name}: {error.message}"
        for index, features in zip(waiting, dino.features([*waiting.values()]), strict=True):
            make_folder(places[index].parent)
            write_bytes(places[index], save({"features": features.astype(np.float16)}), "the features")
    kept = [index for index in range(len(files)) if index not in skipped]
    if not kept:
        raise UserError("None of the pictures can be read.", next(iter(skipped.values())))
    return Found(
        tuple(files[index] for index in kept),
        _Cached([places[index] for index in kept]),
        tuple(classes[index] for index in kept) if classes else (),
        tuple(skipped.values()),
    )


class _Cached(Sequence[Floats]):
    """Feature maps that are read from the cache when they are asked for."""

    def __init__(self, places: Sequence[Path]) -> None:
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: Any) -> Any:
        found = _read_cached(self._places[index])
        if found is None:
            raise UserError("The cache of features was emptied while it was used.", "Start again.")
        return found


def write_pack(pack: Pack, codebook: Codebook, found: Found, references: int, report: Report) -> Pack:
    """Write a pack's folder: codebook, references with labels and thumbnails, and pack.json last, so that a
    folder with a pack.json is whole. Raises :class:`UserError`."""
    for name in ("references", "thumbnails", "labels"):
        make_folder(pack.path / name, "the pack")
    codebook.save(pack.path / CODEBOOK)
    made: list[Reference] = []
    chosen = _spread(found, references)
    for done, index in enumerate(chosen):
        report(Progress("Cutting references into parts", done, len(chosen)))
        made.append(_write_reference(pack, codebook, found, index))
    pack = replace(pack, references=tuple(made))
    pack.save()
    return pack


def _write_reference(pack: Pack, codebook: Codebook, found: Found, index: int) -> Reference:
    file, features = found.files[index], found.features[index]
    kind = found.classes[index] if found.classes else ""
    id = re.sub(r"[^\w-]+", "-", f"{index:05d}-{file.stem}")[:60]  # a name that every system and pack.json allows
    picture = open_picture(file, max_side=1024)
    labels = codebook.segment_picture(features, np.asarray(picture))
    codes = labels.codes
    if kind:  # the folder knows better than the nearest centroid
        code = pack.vocabulary.code_names[0].index(kind)
        codes = tuple(ABSENT if one == ABSENT else code for one in codes)
    small = picture.copy()
    small.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
    paths = {name: pack.path / name / f"{id}.png" for name in ("references", "thumbnails", "labels")}
    for name, shown in (
        ("references", picture),
        ("thumbnails", small),
        ("labels", Image.fromarray(labels.labels)),
    ):
        write_whole(paths[name], lambda beside, shown=shown: shown.save(beside, "PNG"), "the pack")
    return Reference(
        id, kind or file.stem, str(paths["references"]), str(paths["thumbnails"]), str(paths["labels"]), codes
    )


def _spread(found: Found, count: int) -> list[int]:
    """Which pictures become references: as many kinds as there are first, then more of each."""
    kinds = found.classes or ("",) * len(found.files)
    seen: dict[str, int] = {}
    ranked = []
    for index, kind in enumerate(kinds):
        seen[kind] = seen.get(kind, 0) + 1
        ranked.append((seen[kind], index))
    return sorted(index for _, index in sorted(ranked)[:count])


def _cache_place(backbone: Backbone, file: Path) -> Path:
    seen = [*sorted(resolve(backbone.id).glob("*.safetensors")), file]
    stamps = [f"{path.resolve()}:{path.stat().st_size}:{path.stat().st_mtime_ns}" for path in seen]
    key = "|".join([*stamps, backbone.feature_layer, str(backbone.image_size)])
    return cache_dir() / "features" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.safetensors"


def _read_cached(place: Path) -> Floats | None:
    try:
        return load_file(place)["features"].astype(np.float32)
    except (OSError, SafetensorError, KeyError):
        return None  # not there, or damaged: it is computed again
