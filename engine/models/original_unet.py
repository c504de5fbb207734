"""Where a layer of diffusers' UNet is in the original one, of which single-file checkpoints and SDXL's LoRAs speak.

The original counts the blocks of a side through (``input_blocks.4``), the first convolution and the changes of size
among them; within a block, 0 is the residual part and 1 the attention.
"""

from __future__ import annotations

import re
from typing import Any, Final

_BLOCK: Final = re.compile(
    r"(down|mid|up)_blocks?\.(?:(\d+)\.)?(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)"
)
_RESIDUAL: Final = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
    "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
_OUTSIDE: Final = {
    "conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2", "conv_norm_out": "out.0",
    "conv_out": "out.2",
}  # fmt: skip


def original_path(path: str, config: Any) -> str | None:
    """The original path of a layer; None for one that has none. ``config`` is the UNet's: ``layers_per_block`` and, for
    where a change of size stands, ``up_block_types``."""
    if path in _OUTSIDE:
        return _OUTSIDE[path]
    match = _BLOCK.fullmatch(path)
    each = config["layers_per_block"]
    if not match or not isinstance(each, int):
        return None
    side, kind, index, rest = match[1], match[3], int(match[4]), match[5]
    level = int(match[2] or 0)
    if kind == "resnets":
        rest = _RESIDUAL.get(rest, rest)
    if side == "mid":
        place = "middle_block"
        within = 1 if kind == "attentions" else 2 * index
    elif side == "down":
        place = f"input_blocks.{1 + level * (each + 1) + (each if kind == 'downsamplers' else index)}"
        within = int(kind == "attentions")
        rest = "op" if kind == "downsamplers" else rest
    else:
        place = f"output_blocks.{level * (each + 1) + (each if kind == 'upsamplers' else index)}"
        attends = "Attn" in str(config["up_block_types"][level])
        within = (1 + attends) if kind == "upsamplers" else int(kind == "attentions")
    return f"{place}.{within}.{rest}"
