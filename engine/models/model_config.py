"""The small JSON files of models, read without trust: no code is named by them, and nothing absurd is built."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from engine.core.atomic_files import read_text
from engine.core.errors import UserError
from engine.core.json_values import read_document

OWN_WORDS: Final = "_partcraft"
"""What a base model of ours says of itself in its model_index.json; diffusers reads nothing that begins so."""
_KEPT: Final = {"_class_name", "_diffusers_version", OWN_WORDS}
_CODE: Final = {"attn_implementation", "auto_map", "custom_pipeline", "trust_remote_code", "experts_implementation"}
"""Keys by which a library would look for code of somebody's; others that begin with a dash below are its own notes."""

_WIDEST: Final = 65_536
_MOST: Final = {
    "layers_per_block": 64, "transformer_layers_per_block": 64, "reverse_transformer_layers_per_block": 64,
    "num_hidden_layers": 256, "num_encoder_blocks": 64, "num_decoder_blocks": 64, "num_attention_heads": 1024,
    "attention_head_dim": 4096, "norm_num_groups": 4096, "num_channels": 64, "num_register_tokens": 1024,
    "in_channels": 4096, "out_channels": 4096, "latent_channels": 4096, "block_out_channels": _WIDEST,
    "encoder_block_out_channels": _WIDEST, "decoder_block_out_channels": _WIDEST, "hidden_size": _WIDEST,
    "intermediate_size": 4 * _WIDEST, "projection_dim": _WIDEST, "cross_attention_dim": _WIDEST,
    "addition_time_embed_dim": _WIDEST, "projection_class_embeddings_input_dim": 16 * _WIDEST,
    "time_cond_proj_dim": _WIDEST, "vocab_size": 10_000_000, "max_position_embeddings": 100_000, "sample_size": 4096,
    "image_size": 8192, "patch_size": 1024, "num_train_timesteps": 100_000,
}  # fmt: skip
"""The largest whole number that each of these may be, alone or in lists."""
_LONGEST: Final = 64
"""How many numbers a list of those may have: a model of more levels is none."""
_LARGEST: Final = 10**15
"""Any other whole number. Fractions may be infinite, as schedules say of what is not clipped."""


def require_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file of a model, without the keys that name code; empty if it is something else.

    Raises :class:`UserError` for a file that cannot be read, numbers that no model has, and quantised models.
    """
    try:
        document = read_document(read_text(path))
    except (OSError, ValueError) as error:
        raise unreadable(path.parent, error) from error
    if not isinstance(document, dict):
        return {}
    if document.get("quantization_config"):
        raise UserError(
            f"The model in {path.parent} is quantised, which cannot be used.", "Get it in half or full precision."
        )
    kept = {key: value for key, value in document.items() if key in _KEPT or not (key[:1] == "_" or key in _CODE)}
    for key, value in kept.items():
        if not _can_be(key, value):
            raise UserError(
                f"The model in {path.parent} cannot be used: {path.name} says that its {key} is {_shown(value)}.",
                "Get the model again.",
            )
    return kept


def unreadable(folder: Path, error: Exception) -> UserError:
    """A model's folder that cannot be read, with the library's own first words."""
    reason = [*str(error).strip().splitlines(), "it is damaged, or of another kind."][0]
    return UserError(f"The model in {folder} cannot be read: {reason}", "Get the model again.")


def _can_be(key: str, value: Any) -> bool:
    most = _MOST.get(key)
    values = list(_values(value))
    if most is None:
        return all(abs(one) <= _LARGEST for one in values if type(one) is int)
    return len(values) <= _LONGEST and all(one is None or (type(one) is int and 0 <= one <= most) for one in values)


def _values(value: Any) -> Iterator[Any]:
    """A value, or those in its lists and objects. They are no deeper than :func:`read_document` lets them be."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _values(inner)
    else:
        yield value


def _shown(value: Any) -> str:
    try:
        text = ascii(value)
    except ValueError:  # a whole number of more digits than Python writes
        text = "a number of thousands of digits"
    return text if len(text) <= 40 else f"{text[:37]}..."
