"""Other people's embeddings (textual inversion): the vectors of a word, for each text encoder of a base model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file

from engine.core.add_on import EMBEDDING
from engine.core.add_on_file import look_at_add_on, require_fit, vectors_in
from engine.core.atomic_files import plain_file
from engine.core.errors import UserError
from engine.models.conditioning import ENCODERS
from engine.models.text_encoding import WordVectors


def read_embedding(path: Path, word: str, widths: Sequence[int]) -> WordVectors:
    """Read an embedding for a base model whose words are so wide, in float32: ``emb_params`` (n, W), for SDXL
    ``clip_l`` and ``clip_g``, or the only tensor of a file. Raises :class:`UserError` for a damaged file, and one of
    another width."""
    file = look_at_add_on(path)
    if file.kind != EMBEDDING:
        raise UserError(f"“{path.name}” is no embedding.", "Add it as a LoRA.")
    require_fit(path.name, file, tuple(widths))
    try:
        tensors = {name: tensor.clone().float() for name, tensor in load_file(plain_file(path)).items()}
    except Exception as error:  # the library refuses damaged files in many ways
        raise UserError(f"“{path.name}” is no whole safetensors file.", "Get the file again.") from error
    names = vectors_in({name: tuple(tensor.shape) for name, tensor in tensors.items()}) or ()
    found = [tensors[name] if tensors[name].ndim == 2 else tensors[name][None] for name in names]
    if len({vectors.shape[0] for vectors in found}) != 1 or not all(torch.isfinite(one).all() for one in found):
        raise UserError(f"“{path.name}” is damaged: its vectors are no numbers, or not as many.", "Get the file again.")
    return WordVectors(word, dict(zip(ENCODERS, found, strict=False)))
