"""Whether a person wants a pack's reference pictures painted: kept in the pack's folder, and not given away with it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from engine.core.atomic_files import read_json, write_bytes
from engine.core.json_values import json_bytes

_WISH: Final = "painting.json"


def is_stopped(folder: Path) -> bool:
    """Whether somebody said that a pack's pictures are not to be painted. Reads the disk."""
    return read_json(folder / _WISH).get("stopped") is True


def set_stopped(folder: Path, stopped: bool) -> None:
    """Keep that a pack's pictures are not to be painted, or are. Raises :class:`UserError`."""
    write_bytes(folder / _WISH, json_bytes({"stopped": stopped}), "the pack")
