"""Whether the tensors of a safetensors file are numbers, whatever their precision, a few megabytes at a time."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Final

import numpy as np

from engine.core.atomic_files import plain_file

_EXPONENTS: Final[dict[str, tuple[type[np.unsignedinteger[Any]], int]]] = {
    "F64": (np.uint64, 0x7FF0_0000_0000_0000),
    "F32": (np.uint32, 0x7F80_0000),
    "F16": (np.uint16, 0x7C00),
    "BF16": (np.uint16, 0x7F80),
}
"""The bits of a number that are all set in infinities and in what is no number."""
_AT_ONCE: Final = 1 << 20


def first_not_finite(path: Path) -> str:
    """The name of the first tensor that holds an infinity or what is no number; empty if none does. The file is whole:
    its header has been read before. Raises ``OSError`` and ``ValueError``."""
    with plain_file(path).open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] not in _EXPONENTS or not math.prod(entry["shape"]):
            continue
        kind, exponent = _EXPONENTS[entry["dtype"]]
        bits = np.memmap(path, kind, "r", 8 + length + entry["data_offsets"][0], (math.prod(entry["shape"]),))
        mask = kind(exponent)
        for start in range(0, len(bits), _AT_ONCE):
            if ((bits[start : start + _AT_ONCE] & mask) == mask).any():
                return str(name)
    return ""
