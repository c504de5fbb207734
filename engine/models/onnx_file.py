"""The weights in an ONNX file, read without the ``onnx`` package: the few messages of its protobuf that hold them.

Fields are named by their numbers in onnx.proto3: ``ModelProto.graph`` 7; ``GraphProto.node`` 1 and ``initializer`` 5;
``NodeProto.input`` 1 and ``name`` 3; ``TensorProto.dims`` 1, ``data_type`` 2, ``float_data`` 4, ``name`` 8,
``raw_data`` 9 and ``data_location`` 14.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

_DTYPES: Final = {1: np.dtype("<f4"), 6: np.dtype("<i4"), 7: np.dtype("<i8"), 10: np.dtype("<f2"), 11: np.dtype("<f8")}
"""Kinds of numbers, by ``TensorProto.data_type``."""
_FLOAT: Final = 1

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class OnnxNode:
    """One operation: its name and the names of what goes in."""

    name: str
    inputs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class OnnxGraph:
    """Arrays by name (views of the file's bytes) and the operations that use them, in order."""

    initializers: dict[str, npt.NDArray[np.generic]]
    nodes: tuple[OnnxNode, ...]


def read_onnx(data: bytes) -> OnnxGraph:
    """The graph of an ONNX file. Raises ``ValueError`` for what is none, is damaged, or keeps its weights elsewhere."""
    graph = [value for number, value in _fields(memoryview(data)) if number == 7 and isinstance(value, memoryview)]
    if len(graph) != 1:
        raise ValueError("there is no graph in the file")
    initializers: dict[str, npt.NDArray[np.generic]] = {}
    nodes = []
    for number, value in _fields(graph[0]):
        if number == 1:
            nodes.append(_node(_message(value)))
        elif number == 5:
            name, array = _tensor(_message(value))
            initializers[name] = array
    return OnnxGraph(initializers, tuple(nodes))


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a protobuf message: their numbers, with a whole number or bytes each."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(data, at)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"a field of the unknown kind {kind}")
        if size > len(data) - at:
            raise ValueError("the file ends too early")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A whole number of up to 64 bits, seven to a byte, and where the next field begins."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("the file ends too early")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number that does not end")


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where a message belongs")
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_message(value)).decode()  # UnicodeDecodeError is a ValueError


def _node(data: memoryview) -> OnnxNode:
    name, inputs = "", []
    for number, value in _fields(data):
        if number == 1:
            inputs.append(_text(value))
        elif number == 3:
            name = _text(value)
    return OnnxNode(name, tuple(inputs))


def _tensor(data: memoryview) -> tuple[str, npt.NDArray[np.generic]]:
    name, kind, elsewhere = "", 0, False
    shape: list[int] = []
    raw, floats = memoryview(b""), bytearray()
    for number, value in _fields(data):
        if number == 1:
            shape += [value] if isinstance(value, int) else _packed(value)
        elif number == 2 and isinstance(value, int):
            kind = value
        elif number == 4:  # packed, or one by one
            floats += _message(value)
        elif number == 8:
            name = _text(value)
        elif number == 9:
            raw = _message(value)
        elif number == 14:
            elsewhere = value == 1
    if kind not in _DTYPES or elsewhere:
        raise ValueError(f"the weights {name or '(no name)'} are of an unknown kind, or in another file")
    numbers = floats if kind == _FLOAT and not raw else raw
    if len(numbers) != math.prod(shape) * _DTYPES[kind].itemsize:
        raise ValueError(f"the weights {name or '(no name)'} are not as many as their shape says")
    return name, np.frombuffer(numbers, _DTYPES[kind]).reshape(shape)


def _packed(data: memoryview) -> list[int]:
    numbers, at = [], 0
    while at < len(data):
        number, at = _varint(data, at)
        numbers.append(number)
    return numbers
