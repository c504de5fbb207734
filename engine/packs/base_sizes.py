"""Base sizes: how large a base model's own pictures are, and which other sizes it can paint.

Told from the small JSON files of the models alone, so that the window can ask; see
:mod:`engine.models.base_models` for what else they say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from huggingface_hub import try_to_load_from_cache

from engine.core.atomic_files import read_json
from engine.core.on_disk import is_file
from engine.core.paths import local_model_folder
from engine.packs.pack import STARTER_BASE, BaseModel

STEP: Final = 64
"""The distance in pixels between two offered sides."""
_RANGES: Final[dict[tuple[int, bool], tuple[float, float]]] = {
    (768, False): (1.0, 1.5),  # Stable Diffusion 1.x: 512 to 768
    (1024, False): (1.0, 4 / 3),  # Stable Diffusion 2.x: 512 to 640, 768 to 1024
    (2048, True): (0.75, 1.3125),  # SDXL, told its size and taught with many: 768 to 1344
}
"""The smallest and largest side that a kind of base model paints whole things at, as shares of its own. A kind is how
wide its words are, and whether it is told the picture's size. Other kinds are trusted with their own size only."""


@dataclass(frozen=True)
class BaseSizes:
    """Sides in pixels: ``own`` is the base model's own (0: not known), ``sides`` those it can paint, ascending, its own
    among them (empty: not known). ``scaled``: pictures of other sizes are painted at its own and then scaled."""

    own: int = 0
    sides: tuple[int, ...] = ()
    scaled: bool = False

    def paints(self, size: int) -> bool:
        """Whether a recipe's size is one it can paint, or nothing speaks against it."""
        return size == 0 or not self.sides or self.sides[0] <= size <= self.sides[-1]

    def scales(self, size: int) -> bool:
        """Whether a picture of this size is painted at the base model's own size and then scaled."""
        return self.scaled and not self.paints(size)

    def nearest(self, size: int) -> int:
        """The offered size nearest to one asked for, as recipes say it: 0 for the base model's own."""
        nearest = min(self.sides, key=lambda side: abs(side - size), default=0) if size else 0
        return 0 if nearest == self.own else nearest

    @property
    def text(self) -> str:
        """What it paints, in words: "128 px" or "512 to 768 px"."""
        return f"{self.sides[0]} to {self.sides[-1]} px" if len(self.sides) > 1 else f"{self.own} px"


def sizes_of(base: BaseModel) -> BaseSizes:
    """The sizes of the base model a pack belongs to, with the pack's UNet in it; not known if it is not on this
    computer, or does not say. Reads files."""
    unet = (
        model_document(base.unet, "config.json", "unet/config.json")
        if base.unet
        else model_document(base.id, "unet/config.json")
    )
    vae = (
        model_document(base.vae, "config.json", "vae/config.json")
        if base.vae
        else model_document(base.id, "vae/config.json")
    )
    side, blocks = unet.get("sample_size"), vae.get("block_out_channels") or vae.get("decoder_block_out_channels")
    if type(side) is not int or not 0 < side <= 4096 or not isinstance(blocks, list) or not 0 < len(blocks) < 8:
        return BaseSizes()
    own = side * 2 ** (len(blocks) - 1)
    width = unet.get("cross_attention_dim")
    kind = width if type(width) is int else 0, unet.get("addition_embed_type") == "text_time"
    low, high = _RANGES.get(kind, (1.0, 1.0))
    # The starter's pictures became larger once, and at any size but its own it makes fragments of birds.
    sides = range(math.ceil(own * low / STEP) * STEP, math.floor(own * high) + 1, STEP)
    return BaseSizes(own, tuple(sorted({own, *sides})) if high > low else (own,), base.id == STARTER_BASE)


def size_warning(sizes: BaseSizes, size: int) -> str:
    """What is to be said of a recipe's size that the base model cannot paint; empty if it can."""
    if sizes.paints(size):
        return ""
    what = "its picture is scaled to" if sizes.scales(size) else "this recipe asks for"
    return f"This model paints {sizes.text}; {what} {size} px."


def model_document(id: str, *names: str) -> dict[str, Any]:
    """The first of a model's JSON files that is there, else empty."""
    path = model_file(id, *names)
    return read_json(path) if path is not None else {}


def model_file(id: str, *names: str) -> Path | None:
    """The first of a model's files that is there, in its folder or in the Hugging Face cache."""
    folder = local_model_folder(id)
    for name in names:
        path = folder / name if folder is not None else _cached(id, name)
        if path is not None and is_file(path):
            return path
    return None


def _cached(id: str, name: str) -> Path | None:
    try:
        found = try_to_load_from_cache(id, name)
    except (OSError, ValueError):  # not an id of the hub
        return None
    return Path(found) if isinstance(found, str) else None
