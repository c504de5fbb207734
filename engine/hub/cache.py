"""Files of the Hugging Face cache, by their digests."""

from __future__ import annotations

from pathlib import Path

from engine.core.model_places import hub_cache_home
from engine.core.on_disk import is_file, size_of
from engine.hub.repository import HubFile


def cached_file(id: str, file: HubFile) -> Path | None:
    """A file of a model in the cache, of the right size, by its digest; None if it is not there."""
    home = hub_cache_home(id)
    blob = home / "blobs" / file.digest if home else None
    return blob if blob is not None and is_file(blob) and size_of(blob) == file.size else None
