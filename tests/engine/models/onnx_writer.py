"""ONNX files for tests, written without the ``onnx`` package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

KINDS = {"<f4": 1, "<i4": 6, "<i8": 7, "<f2": 10, "<f8": 11}


def varint(value: int) -> bytes:
    """A whole number, seven bits to a byte."""
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


def field(number: int, value: int | bytes | str) -> bytes:
    """One field of a message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name: str, array: npt.NDArray[np.generic], packed: bool = False, floats: bool = False) -> bytes:
    """A TensorProto; ``packed``: its shape in one field; ``floats``: its numbers in ``float_data``."""
    shape = [field(1, b"".join(map(varint, array.shape)))] if packed else [field(1, size) for size in array.shape]
    kind = KINDS[array.dtype.newbyteorder("<").str]
    return b"".join([*shape, field(2, kind), field(8, name), field(4 if floats else 9, array.tobytes())])


def onnx_file(arrays: Mapping[str, npt.NDArray[np.generic]], nodes: Sequence[tuple[str, Sequence[str]]] = ()) -> bytes:
    """A ModelProto with initialisers and nodes (names and inputs), and some fields that nobody asks for."""
    graph = [field(5, tensor(name, array)) for name, array in arrays.items()]
    for name, inputs in nodes:
        graph.append(field(1, b"".join([*(field(1, one) for one in inputs), field(3, name), field(4, "MatMul")])))
    return field(1, 8) + field(2, "a test") + field(7, b"".join([*graph, field(2, "graph")])) + field(8, field(2, 17))
