"""Feature maps of many pictures: computed in batches, kept on disk by what the pictures show."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import secrets
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch.distributed as dist
from PIL import Image
from safetensors.numpy import save

from engine.core.atomic_files import make_folder, write_bytes
from engine.core.byte_sizes import byte_size
from engine.core.errors import UserError
from engine.core.image_files import open_picture
from engine.core.on_disk import files_like, is_folder, size_of, status_of
from engine.core.paths import cache_dir
from engine.models.hub import model_folder
from engine.packs.pack import Backbone
from engine.segmentation.dino import Dino, Floats
from engine.segmentation.image_folder import FileFacts, identify_files, missing_folder_error
from engine.worker.jobs import Progress, Report

_log = logging.getLogger(__name__)

_SEEN: Final = "what was seen of the pictures"
_BATCH: Final = 16
_SPARE: Final = 200 << 20
"""Bytes of disk that the cache leaves free."""


@dataclass(frozen=True)
class StoredFeatures:
    """Where a feature map lies: its file, from which byte on, its shape (H, W, C). Only the files that were read last
    are mapped: each holds a descriptor, and for thousands of pictures there are more files than a process may open."""

    file: Path
    offset: int
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Its size on the disk."""
        return 2 * math.prod(self.shape)

    def read(self) -> npt.NDArray[np.float16]:
        """The map, float16 (H, W, C). Raises :class:`UserError`."""
        try:
            data = _mapping(self.file)[self.offset : self.offset + self.nbytes]
            return data.view(np.float16).reshape(self.shape)
        except (OSError, ValueError) as error:
            raise UserError(
                "What was seen of these pictures is not in the cache any more.", "Start again: it is seen anew."
            ) from error


@lru_cache(maxsize=32)
def _mapping(file: Path) -> npt.NDArray[np.uint8]:
    return np.memmap(file, np.uint8, "r")


class FeatureMaps(Sequence[Floats]):
    """Feature maps of pictures in the cache, read from the disk when they are asked for: float32 (C, H, W) each."""

    def __init__(self, stored: Sequence[StoredFeatures]) -> None:
        self._stored = stored

    def __len__(self) -> int:
        return len(self._stored)

    def __getitem__(self, index: Any) -> Any:
        return np.ascontiguousarray(np.moveaxis(self.cells(index), 2, 0), np.float32)

    def cells(self, index: int) -> npt.NDArray[np.float16]:
        """One map as it lies on the disk: float16 (H, W, C). Raises :class:`UserError` if it is there no more."""
        return self._stored[index].read()


@dataclass(frozen=True)
class PictureFeatures:
    """Pictures with their feature maps: what a vocabulary is found in.

    ``features[i]`` is float32 (C, H, W); it may be read from disk each time, for thousands do not fit into memory.
    ``classes[i]`` is of what kind picture i is if the pictures are sorted, "" where nobody says. ``key`` names
    these very feature maps, or is empty. ``skipped`` are sentences on pictures left out, ``notes`` on the folder.
    """

    files: tuple[Path, ...]
    features: Sequence[Floats]
    classes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    key: str = ""
    notes: tuple[str, ...] = ()


class FeatureCache:
    """Feature maps on disk by the digests of their pictures. New ones are written to ``folder``; those in ``others``
    are read, too."""

    def __init__(self, folder: Path, *others: Path) -> None:
        self.folder = folder
        self._folders = (folder, *others)
        self._read: set[str] = set()
        self._maps: dict[str, StoredFeatures] = {}
        self.refresh()

    def refresh(self) -> None:
        """Take notice of what other processes have added."""
        for file in (file for folder in self._folders for file in files_like(folder, "*.safetensors")):
            if file.name not in self._read:
                self._read.add(file.name)
                self._maps.update(_contents(file))

    def __contains__(self, digest: str) -> bool:
        return digest in self._maps

    def __getitem__(self, digest: str) -> StoredFeatures:
        return self._maps[digest]

    def add(self, maps: dict[str, Floats]) -> None:
        """Keep feature maps, float32 (C, H, W) by digest. Raises :class:`UserError` for a full disk."""
        if not maps:
            return
        arranged = {
            key: np.ascontiguousarray(np.moveaxis(features, 0, 2), np.float16) for key, features in maps.items()
        }
        place = make_folder(self.folder, _SEEN) / f"{secrets.token_hex(8)}.safetensors"
        write_bytes(place, save(arranged), _SEEN)
        self.refresh()

    def require_room(self, pictures: int) -> None:
        """Raise :class:`UserError` if so many more pictures as those that are here do not fit on the disk."""
        picture_bytes = max((stored.nbytes for stored in self._maps.values()), default=0)
        free = shutil.disk_usage(self.folder).free - _SPARE
        if pictures * picture_bytes > free:
            raise UserError(
                f"Looking at {pictures} more pictures needs {byte_size(pictures * picture_bytes)} of disk, and "
                f"{byte_size(max(free, 0))} are free.",
                f"Make room on the disk of {self.folder}, or take fewer pictures.",
            )


def compute_features(
    dino: Dino,
    files: Sequence[Path],
    report: Report,
    classes: Sequence[str] = (),
    batch: int = _BATCH,
    together: bool = False,
) -> PictureFeatures:
    """Feature maps of pictures, from the cache where they were looked at before. Pictures that cannot be read are
    skipped and named.

    With ``together``, all processes of an open ``torch.distributed`` group call this at the same time: each looks at a
    share and all find everything in the cache, which must be on a disk they share. Raises :class:`UserError` if none
    can be read, a picture goes away, or the disk is full.
    """
    facts = identify_files(files, report)
    skipped = {index: file_facts.message for index, file_facts in enumerate(facts) if file_facts.fault == "unreadable"}
    readable = [index for index in range(len(files)) if index not in skipped]
    if not readable:
        raise UserError("None of the pictures can be read.", next(iter(skipped.values()), ""))
    key = dino_cache_key(dino.backbone)
    cache = open_cache(cache_dir() / "features" / key, together)
    first = {facts[index].digest: index for index in reversed(readable)}
    waiting = sorted(index for digest, index in first.items() if digest not in cache)
    rank, world = _own_share() if together else (0, 1)
    waiting = waiting[rank::world]
    for start in range(0, len(waiting), batch):
        report(Progress("Looking at pictures", start, len(waiting)))
        _compute_missing(dino, files, facts, waiting[start : start + batch], cache)
        if start == 0:
            cache.require_room(len(waiting) - batch)
    if world > 1:
        dist.barrier()
        cache.refresh()
    report(Progress("Looking at pictures", len(waiting), len(waiting)))
    digests = [facts[index].digest for index in readable]
    return PictureFeatures(
        tuple(files[index] for index in readable),
        FeatureMaps([cache[digest] for digest in digests]),
        tuple(classes[index] for index in readable) if classes else (),
        tuple(skipped.values()),
        hashlib.blake2b("".join([key, *digests]).encode(), digest_size=16).hexdigest(),
    )


def open_cache(folder: Path, together: bool) -> FeatureCache:
    """The cache in a folder. Where that may not be written to, what is new goes to a temporary folder, to which this
    process returns and no other comes."""
    if together or _takes_files(folder):
        return FeatureCache(folder)
    _log.warning("%s cannot be written to: what is seen is kept until the program ends", folder)
    return FeatureCache(Path(_temporary_folder().name) / folder.name, folder)


def _takes_files(folder: Path) -> bool:
    try:
        make_folder(folder, _SEEN)
        with tempfile.TemporaryFile(dir=folder):  # asking for permissions would not do: disks are read-only, too
            return True
    except (OSError, UserError):
        return False


@lru_cache(maxsize=1)
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="partcraft-features-", ignore_cleanup_errors=True)


def _compute_missing(
    dino: Dino, files: Sequence[Path], facts: Sequence[FileFacts], indices: Sequence[int], cache: FeatureCache
) -> None:
    """Look at a few pictures and keep what was seen."""
    pictures: dict[str, Image.Image] = {}
    for index in indices:
        try:
            pictures[facts[index].digest] = open_picture(files[index], max_side=max(1024, 2 * dino.backbone.image_size))
        except UserError as error:
            if not is_folder(files[index].parent):
                raise missing_folder_error(files[index].parent) from error
            raise UserError(
                f"{error.message.removesuffix('.')}: it was whole a moment ago.", "Start again without it."
            ) from error
    cache.add(dict(zip(pictures, dino.features([*pictures.values()]), strict=True)))


def _own_share() -> tuple[int, int]:
    """Which process of how many this is. All meet here, so that all see the same pictures in the cache before."""
    if not (dist.is_available() and dist.is_initialized()):
        return 0, 1
    dist.barrier()
    return dist.get_rank(), dist.get_world_size()


def dino_cache_key(backbone: Backbone) -> str:
    """What features depend on besides the picture: the eyes' files, the layer, the size."""
    folder = model_folder(backbone.id)
    files = [*files_like(folder, "*.safetensors"), *files_like(folder, "*config.json")]
    stamps = [(path, status_of(path)) for path in files]
    prints = [_file_print(path, status.st_size, status.st_mtime_ns) for path, status in stamps if status is not None]
    text = "|".join([*prints, backbone.feature_layer, str(backbone.image_size), str(backbone.patch)])
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@lru_cache(maxsize=64)
def _file_print(path: Path, size: int, time: int) -> str:
    """The digest of what a file holds; ``size`` and ``time`` are there to notice that it is another.

    Of safetensors the tensors alone: the library writes the notes in the header in another order each time, and the
    same weights are the same eyes whoever saved them."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        if path.suffix == ".safetensors":
            length = int.from_bytes(file.read(8), "little")
            try:
                header = json.loads(file.read(length)) if length <= size else None
            except (ValueError, RecursionError):
                header = None
            if isinstance(header, dict):
                tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
                digest.update(json.dumps(tensors, sort_keys=True).encode())
            else:
                file.seek(0)
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _contents(file: Path) -> dict[str, StoredFeatures]:
    """What a safetensors file keeps, by name; nothing of a damaged one: its pictures are looked at anew."""
    try:
        size = size_of(file)
        # By hand: safe_open does not say where in the file a tensor begins, which mapping its rows needs.
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            header = json.loads(opened.read(length)) if length <= size else {}
        contents = {
            name: StoredFeatures(file, 8 + length + int(entry["data_offsets"][0]), tuple(map(int, entry["shape"])))
            for name, entry in header.items()
            if name != "__metadata__"
        }
    except (FileNotFoundError, ValueError, KeyError, TypeError, IndexError):
        return {}
    return contents if all(stored.offset + stored.nbytes <= size for stored in contents.values()) else {}
