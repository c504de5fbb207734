"""What is known of a model on the hub: its revision, files with sizes and digests, licence."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.core.errors import UserError

_BLOCK: Final = 1 << 20


class TokenWanted(UserError):
    """The hub does not give a model, and might with the token of an account that may have it."""


@dataclass(frozen=True)
class HubFile:
    """A file of a model on the hub: its path with slashes, its bytes, and its digest: the SHA-256 (64 letters) of
    large files, git's blob id (40) of others."""

    path: str
    size: int
    digest: str


@dataclass(frozen=True)
class Repository:
    """A model on the hub at one ``revision`` (a commit's 40 letters). ``license`` is the hub's short name of it, empty
    where none is named; ``gated``: given only to those who accepted it; ``pipeline``: the class that diffusers makes of
    it, empty if it is none."""

    id: str
    revision: str
    files: tuple[HubFile, ...]
    license: str = ""
    gated: bool = False
    pipeline: str = ""


def digest_of(file: Path, digest: str, each: Callable[[int], None] = lambda _count: None) -> str:
    """The digest of a file on disk, of the kind that ``digest`` is. ``each`` is told the bytes that were read, and may
    raise. Raises ``OSError``."""
    with file.open("rb") as opened:
        if len(digest) == 64:
            hasher = hashlib.sha256()
        else:
            size = opened.seek(0, 2)
            opened.seek(0)
            hasher = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        while block := opened.read(_BLOCK):
            hasher.update(block)
            each(len(block))
    return hasher.hexdigest()
