"""Weights are read out of ONNX files as they were written, and nothing else is taken for one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engine.models.onnx_file import read_onnx
from tests.engine.models.onnx_writer import field, onnx_file, tensor, varint

SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
WEIGHTS = arrays.arrays(st.sampled_from(["<f4", "<f2", "<f8", "<i8", "<i4"]), SHAPES)


@given(st.dictionaries(st.text(max_size=20), WEIGHTS, max_size=4), st.lists(st.tuples(st.text(), st.lists(st.text()))))
def test_what_was_written_is_read(
    written: dict[str, npt.NDArray[np.generic]], nodes: list[tuple[str, list[str]]]
) -> None:
    graph = read_onnx(onnx_file(written, nodes))
    assert list(graph.initializers) == list(written)
    for name, array in written.items():
        read = graph.initializers[name]
        assert read.shape == array.shape and read.dtype == array.dtype and read.tobytes() == array.tobytes()
    assert [(node.name, list(node.inputs)) for node in graph.nodes] == nodes


def test_every_way_to_write_an_array() -> None:
    array = np.arange(6, dtype="<f4").reshape(2, 3)
    for packed in (False, True):
        for floats in (False, True):
            graph = read_onnx(field(7, field(5, tensor("weight", array, packed, floats))))
            assert (graph.initializers["weight"] == array).all()
    one_by_one = b"".join(varint(4 << 3 | 5) + number.tobytes() for number in array.ravel())
    message = field(1, 2) + field(1, 3) + field(2, 1) + one_by_one + field(8, "weight")
    assert (read_onnx(field(7, field(5, message))).initializers["weight"] == array).all()


@given(st.binary(max_size=200))
def test_anything_else_is_an_error_of_one_kind(data: bytes) -> None:
    for candidate in (data, field(7, data), field(7, field(5, data)), field(7, field(1, data))):
        try:
            read_onnx(candidate)
        except ValueError:
            continue


def test_a_file_cut_short_anywhere_is_told() -> None:
    whole = onnx_file({"weight": np.ones((2, 3), np.float32)}, [("/backbone/MatMul", ["weight"])])
    end = len(whole) - len(field(8, field(2, 17)))  # after the graph only the version of the operators is missing
    for size in range(end):
        with pytest.raises(ValueError):
            read_onnx(whole[:size])


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (field(1, 2) + field(2, 1) + field(8, "w") + field(9, b"12"), "as many"),
        (field(1, 1) + field(2, 8) + field(8, "w") + field(9, b"1234"), "unknown kind"),
        (field(1, 1) + field(2, 1) + field(8, "w") + field(14, 1), "another file"),
        (field(1, 2**62) + field(1, 2**62) + field(2, 1) + field(9, b"1234"), "as many"),
    ],
)
def test_weights_that_are_not_there_are_told(message: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_onnx(field(7, field(5, message)))


def test_a_number_without_an_end_is_told() -> None:
    with pytest.raises(ValueError, match="does not end"):
        read_onnx(b"\xff" * 20)
