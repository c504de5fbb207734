"""Checkpoints in one file, as A1111 and ComfyUI keep them, made into a model's folder.

All else in the app opens folders in the layout of diffusers: their pieces are checked one by one, trained on and
swapped. So a checkpoint is unpacked once, in half precision, into the models folder; the file stays as it is. The names
of its weights are translated by diffusers, piece by piece with what ``resources/layouts`` says of the family; nothing
is asked of a hub.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import create_diffusers_clip_model_from_ldm
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from engine.core.atomic_files import make_folder, plain_file, read_json, system_fault
from engine.core.byte_sizes import byte_size
from engine.core.errors import UserError, out_of_memory
from engine.core.json_values import json_bytes
from engine.core.leftovers import IMPORTING
from engine.core.on_disk import entries_of, is_file, is_folder, resolved, size_of
from engine.core.paths import free_folder, models_dir, resources_dir, slug
from engine.hub.single_files import UNPACKABLE, checkpoint_kind
from engine.models.base_models import components_of, missing_files, require_base
from engine.models.components import require_fitting_weights
from engine.worker.jobs import Progress, Report, UnpackCheckpoint

UNPACKED: Final = "checkpoints"
"""The folder in the models folder for checkpoints that were unpacked."""
_SOURCE: Final = "unpacked_from.json"
_LAYOUTS: Final = dict(zip(UNPACKABLE, ("sd1", "sd2", "sdxl"), strict=True))
_SPARE: Final = 200_000_000
"""Bytes of disk that stay free."""
_WORDS: Final = {
    "sd1": {"text_encoder": "cond_stage_model."},
    "sd2": {"text_encoder": "cond_stage_model."},
    "sdxl": {"text_encoder": "conditioner.embedders.0.", "text_encoder_2": "conditioner.embedders.1."},
}
_VELOCITY: Final = "v_pred"
"""An empty weight by which checkpoints of SDXL say that they predict velocity."""


def unpack_checkpoint(models: object, job: UnpackCheckpoint, report: Report) -> str:
    """The id of the base model that a checkpoint was unpacked as, now or before. The engine's handler of
    :class:`UnpackCheckpoint`; raises as :func:`unpack`."""
    file = resolved(Path(job.file).expanduser())
    said = {"file": str(file), "size": size_of(file), "prediction": job.prediction}
    home = models_dir() / UNPACKED
    for there in entries_of(home):
        if read_json(there / _SOURCE) == said and not missing_files(there):
            return f"{UNPACKED}/{there.name}"
    out = free_folder(home, slug(file.stem, "checkpoint"))
    unpack(file, out, job.prediction, report, said)
    return f"{UNPACKED}/{out.name}"


def unpack(
    file: Path,
    out: Path,
    prediction: str = "",
    report: Report = lambda _news: None,
    said: Mapping[str, object] | None = None,
    layouts: Path | None = None,
) -> None:
    """Write a checkpoint as a base model's folder ``out``, whole or not at all. ``prediction`` is "epsilon",
    "v_prediction" or empty: then as the file says it, or as its family and its name have it. ``said`` is kept in the
    folder; ``layouts`` describes the families (default: the app's own).

    Raises :class:`UserError` for what is no checkpoint of a base model known here, lacks a piece, or is damaged, and
    where there is no room.
    """
    layouts = layouts or resources_dir() / "layouts"
    report(Progress("Reading the checkpoint", 0, 0))
    with _opened(file) as checkpoint:
        layout = _layout_of(file, checkpoint)
        _require_room(file, checkpoint, out.parent)
        make_folder(out.parent, "the model")
        try:
            with tempfile.TemporaryDirectory(prefix=IMPORTING, dir=out.parent) as place:
                beside = Path(place) / "model"
                shutil.copytree(layouts / layout, beside)
                write_tokenizers(beside, (layouts / "clip_merges.txt").read_text("utf-8"))
                _write_schedule(beside, layout, prediction or _prediction(file, layout, checkpoint))
                pieces = components_of(beside)
                for done, piece in enumerate(pieces):
                    report(Progress("Unpacking", done, len(pieces)))
                    _write_piece(piece, layout, checkpoint, beside, file)
                report(Progress("Checking", 0, 0))
                require_base(beside)
                for piece in pieces:
                    require_fitting_weights(beside / piece, piece)
                (beside / _SOURCE).write_bytes(json_bytes(said or {}))
                beside.rename(out)
        except OSError as error:
            raise system_fault(error, out, "the model") from error


@dataclass(frozen=True)
class _Checkpoint:
    """Names and shapes of a checkpoint's weights, what its file says of itself, and the way to a weight."""

    shapes: Mapping[str, tuple[int, ...]]
    notes: Mapping[str, str]
    read: Callable[[str], Tensor]
    close: Callable[[], None] = lambda: None

    def __enter__(self) -> _Checkpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def below(self, start: str) -> dict[str, Tensor]:
        """The weights whose names begin so, in half precision if they were in full."""
        found = {name: self.read(name) for name in self.shapes if name.startswith(start)}
        return {name: value.half() if value.dtype in _WIDE else value for name, value in found.items()}


_WIDE: Final = (torch.float32, torch.float64)


def _opened(file: Path) -> _Checkpoint:
    if not is_file(file):
        raise UserError(f"There is no file {file}.", "Choose a .safetensors or .ckpt file.")
    try:
        plain_file(file)
        if file.suffix.lower() == ".safetensors":
            opened = safe_open(file, "pt").__enter__()
            shapes = {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
            end = partial(opened.__exit__, None, None, None)
            return _Checkpoint(shapes, opened.metadata() or {}, opened.get_tensor, end)
        # Tensors and containers only: whatever else a pickle asks for is refused.
        document = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        document = document.get("state_dict", document)
        weights = {str(name): value for name, value in document.items() if isinstance(value, Tensor)}
        return _Checkpoint({name: tuple(value.shape) for name, value in weights.items()}, {}, weights.__getitem__)
    except (SafetensorError, OSError, ValueError, RuntimeError, AttributeError, EOFError, KeyError) as error:
        message = f"{file.name} is no checkpoint that can be read, or is damaged."
        raise UserError(message, "Get the file again.") from error
    except Exception as error:  # the restricted reader refuses in ways of its own
        raise UserError(
            f"{file.name} holds more than weights, and is not opened.", "Get the model as a .safetensors file."
        ) from error


def _layout_of(file: Path, checkpoint: _Checkpoint) -> str:
    kind = checkpoint_kind(checkpoint.shapes)
    if not kind:
        raise UserError(f"{file.name} is no checkpoint of a base model.", "Choose one of Stable Diffusion 1, 2 or XL.")
    if kind not in _LAYOUTS:
        raise UserError(f"{file.name} is a {kind}, which cannot be used.", "Choose one of Stable Diffusion 1, 2 or XL.")
    return _LAYOUTS[kind]


def _require_room(file: Path, checkpoint: _Checkpoint, home: Path) -> None:
    size = 2 * sum(_count(shape) for shape in checkpoint.shapes.values())
    place = next(folder for folder in (home, *home.parents) if is_folder(folder))
    free = shutil.disk_usage(place).free
    if size + _SPARE > free:
        raise UserError(
            f"Unpacking {file.name} takes {byte_size(size)}, and {byte_size(free)} are free in {place}.",
            "Make room, or set another data folder.",
        )


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


def _write_piece(piece: str, layout: str, checkpoint: _Checkpoint, beside: Path, file: Path) -> None:
    starts = {"unet": "model.diffusion_model.", "vae": "first_stage_model.", **_WORDS[layout]}
    weights = checkpoint.below(starts[piece])
    if not weights:
        raise UserError(f"{file.name} has no {_CALLED[piece]}.", "Choose a checkpoint with all of its pieces.")
    options: dict[str, Any] = {"config": str(beside), "subfolder": piece, "local_files_only": True}
    try:
        if piece in ("unet", "vae"):
            kind: Any = UNet2DConditionModel if piece == "unet" else AutoencoderKL
            model = kind.from_single_file(weights, torch_dtype=torch.float16, **options)
        else:
            encoder: Any = CLIPTextModel if piece == "text_encoder" else CLIPTextModelWithProjection
            model = create_diffusers_clip_model_from_ldm(encoder, weights, torch_dtype=torch.float16, **options)
    except Exception as error:  # names and shapes that do not fit are told in many ways
        if out_of_memory(error):
            raise
        raise UserError(
            f"The {_CALLED[piece]} in {file.name} is not as its family has it.", "Choose another checkpoint."
        ) from error
    config = (beside / piece / "config.json").read_bytes()
    model.save_pretrained(beside / piece, safe_serialization=True)
    (beside / piece / "config.json").write_bytes(config)  # as the family has it, not as this version would say it


_CALLED: Final = {
    "unet": "UNet", "vae": "autoencoder", "text_encoder": "text encoder", "text_encoder_2": "second text encoder",
}  # fmt: skip


def write_tokenizers(beside: Path, merges: str) -> None:
    """Write CLIP's words into the folders of a base model's tokenizers: letters, letters at a word's end, pairs in the
    order of merging, and the two marks, as github.com/openai/CLIP numbers them."""
    letters = _letters()
    pairs = ["".join(line.split()) for line in merges.splitlines()[1:]]
    entries = [*letters, *(letter + "</w>" for letter in letters), *pairs, "<|startoftext|>", "<|endoftext|>"]
    words = json.dumps({entry: index for index, entry in enumerate(entries)}, ensure_ascii=False)
    for place in (entry for entry in entries_of(beside) if entry.name.startswith("tokenizer")):
        (place / "vocab.json").write_text(words, "utf-8")
        (place / "merges.txt").write_text(merges, "utf-8")


def _letters() -> list[str]:
    """A printable character for each byte, in the order of GPT-2's table: printable bytes stand for themselves."""
    own = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    return [*map(chr, own), *(chr(256 + index) for index in range(256 - len(own)))]


def _prediction(file: Path, layout: str, checkpoint: _Checkpoint) -> str:
    said = checkpoint.notes.get("modelspec.prediction_type", "").lower()
    if said in ("v", "v_prediction", "epsilon"):
        return "epsilon" if said == "epsilon" else "v_prediction"
    if layout == "sd2":  # those of 768 pixels predict velocity; nothing in the weights tells
        return "epsilon" if any(word in file.stem.lower() for word in ("base", "512")) else "v_prediction"
    return "v_prediction" if _VELOCITY in checkpoint.shapes else "epsilon"


def _write_schedule(beside: Path, layout: str, prediction: str) -> None:
    place = beside / "scheduler" / "scheduler_config.json"
    place.write_bytes(json_bytes(read_json(place) | {"prediction_type": prediction}))
    if layout == "sd2" and prediction == "v_prediction":
        unet = beside / "unet" / "config.json"  # those paint 768 pixels where the others paint 512
        described = read_json(unet)
        unet.write_bytes(json_bytes(described | {"sample_size": described["sample_size"] * 3 // 2}))
