"""The reader: a small network of a pack that looks at a picture and says, part by part, which code it shows, or none.

The eyes' features are made for finding parts; which of a part's variants a render shows they hardly tell
(docs/receipts.md). The reader sees pixels, at a size of its own, so that it does not matter how large a base model's
pictures are. For each part it has a map of where the part is, taught from label maps, and pools two scales of
features there (mean and deviation). What its probabilities mean is measured when it is made, and kept with it: from
where on a part counts as arrived, and up to where as missing. Between the two nobody can say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from engine.core.atomic_files import plain_file, write_whole
from engine.core.errors import UserError

SIDE: Final = 128
"""The side in pixels at which pictures are read, whatever their own."""
CELLS: Final = 16
"""The side of the map of where a part is."""
HIDDEN: Final = 128
"""How wide the layer before a part's codes is; a reader that learned more codes later has a wider one."""
_MOST_WIDTH, _MOST_HIDDEN = 256, 1 << 14
_AT_ONCE: Final = 64
_AGAIN: Final = "Get the pack again, or delete the file: its receipts are then made by its eyes."

Floats = npt.NDArray[np.float32]


class PartReader(nn.Module):
    """Pictures (B, 3, SIDE, SIDE) in -1..1 to logits (B, M, K + 1) over a part's codes and "none of these" (the last),
    and where each part is, logits (B, M, CELLS squared).

    Its buffers say what the logits mean: ``temperature`` (M,) divides them; a code of at least ``arrived`` (M, K;
    probability, 0..1) is there, one of at most ``missing`` (M, K) is not.
    """

    temperature: Tensor
    arrived: Tensor
    missing: Tensor

    def __init__(self, parts: int, codes: int, width: int = 16, hidden: int = HIDDEN) -> None:
        super().__init__()

        def block(inside: int, outside: int, stride: int = 1) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)
            )

        self.fine = nn.Sequential(block(3, width, 2), block(width, 2 * width, 2), block(2 * width, 2 * width))
        self.coarse = nn.Sequential(
            block(2 * width, 4 * width, 2), block(4 * width, 4 * width), block(4 * width, 4 * width)
        )
        self.where = nn.Conv2d(4 * width, parts, 3, padding=1)
        self.what = nn.ModuleList(
            nn.Sequential(nn.Linear(12 * width, hidden), nn.ReLU(), nn.Dropout(0.1), nn.Linear(hidden, codes + 1))
            for _ in range(parts)
        )
        self.register_buffer("temperature", torch.ones(parts))
        self.register_buffer("arrived", torch.full((parts, codes), 0.5))
        self.register_buffer("missing", torch.full((parts, codes), 0.5))

    @property
    def parts(self) -> int:
        """M: how many parts it looks for."""
        return len(self.what)

    @property
    def codes(self) -> int:
        """K: how many codes of a part it knows."""
        return self.what[0][-1].out_features - 1  # pyright: ignore

    def begin_like(self, other: PartReader) -> None:
        """Take another's eyes for edges and patterns, and, where it looks for as many parts, what it knows of the codes
        that come first here. It is as wide as this one."""
        for mine, theirs in ((self.fine, other.fine), (self.coarse, other.coarse)):
            mine.load_state_dict(theirs.state_dict())
        if other.parts != self.parts or other.codes > self.codes:
            return
        self.where.load_state_dict(other.where.state_dict())
        with torch.no_grad():
            for head, known in zip(self.what, other.what, strict=True):
                head[0].load_state_dict(known[0].state_dict())  # pyright: ignore
                for mine, theirs in zip(head[-1].parameters(), known[-1].parameters(), strict=True):  # pyright: ignore
                    mine[: other.codes].copy_(theirs[:-1])
                    mine[-1].copy_(theirs[-1])

    @property
    def width(self) -> int:
        """How wide its first layer is."""
        return self.fine[0][0].out_channels  # pyright: ignore

    @property
    def hidden(self) -> int:
        """How wide the layer before the codes is."""
        return self.what[0][0].out_features  # pyright: ignore

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        pooled, where = self.pooled(pictures)
        return torch.stack([head(pooled[:, part]) for part, head in enumerate(self.what)], 1), where

    def pooled(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """What is seen of each part, (B, M, 12 width), and where it is, logits (B, M, CELLS squared)."""
        fine = self.fine(pictures)
        coarse = self.coarse(fine)
        where = self.where(coarse)
        finer = F.interpolate(where, fine.shape[-2:], mode="bilinear", align_corners=False)
        return torch.cat([_pooled(coarse, where), _pooled(fine, finer)], -1), where.flatten(2)

    @torch.no_grad()
    def read(self, pictures: Sequence[Image.Image]) -> Floats:
        """How likely each picture shows each code of each part, or none of them: float32 (N, M, K + 1), rows of 1."""
        return self.probabilities(np.stack([as_read(picture) for picture in pictures]))

    @torch.no_grad()
    def probabilities(self, pictures: npt.NDArray[np.uint8]) -> Floats:
        """As :meth:`read`, of pictures uint8 (N, SIDE, SIDE, 3)."""
        self.eval()
        rows = [(self(unit)[0] / self.temperature[:, None]).softmax(-1) for unit in _batches(pictures)]
        return torch.cat(rows).numpy()

    def save(self, path: Path) -> None:
        """Write ``reader.safetensors``, weights in half precision, whole or not at all. Raises :class:`UserError`."""
        kept = {name: value.float() if name in _MEANINGS else value.half() for name, value in _numbers(self).items()}
        for name in _BOUNDS:
            if bool((kept[name] == kept[name][:, :1]).all()):  # one pair a part, as older programs read it
                kept[name] = kept[name][:, 0]
        write_whole(
            path, lambda beside: save_file({name: value.contiguous() for name, value in kept.items()}, beside),
            "the pack's reader",
        )  # fmt: skip

    @classmethod
    def load(cls, path: Path, parts: int, codes: int) -> PartReader:
        """The reader in a file, of a pack with so many parts and codes. Raises :class:`UserError` if it is damaged or
        another pack's."""
        try:
            tensors = load_file(plain_file(path))
        except (SafetensorError, OSError, ValueError) as error:
            raise UserError(f"The pack “{path.parent.name}” is damaged: {path.name} is not whole.", _AGAIN) from error
        first = tensors.get("fine.0.0.weight")
        width = first.shape[0] if first is not None and first.dim() == 4 else 0
        layer = tensors.get("what.0.0.weight")
        hidden = layer.shape[0] if layer is not None and layer.dim() == 2 else 0
        if not (1 <= width <= _MOST_WIDTH and 1 <= hidden <= _MOST_HIDDEN):
            raise UserError(f"The pack “{path.parent.name}” is damaged: {path.name} holds no reader.", _AGAIN)
        for name in _BOUNDS:  # one a part, or one a code
            if name in tensors and tensors[name].shape == (parts,):
                tensors[name] = tensors[name][:, None].expand(parts, codes)
        reader = cls(parts, codes, width, hidden)
        needed = {name: tuple(value.shape) for name, value in _numbers(reader).items()}
        if needed != {name: tuple(value.shape) for name, value in tensors.items()}:
            raise UserError(f"The reader of the pack “{path.parent.name}” does not fit it.", _AGAIN)
        values = {name: value.float() for name, value in tensors.items()}
        if not all(bool(torch.isfinite(value).all()) for value in values.values()):
            raise UserError(
                f"The pack “{path.parent.name}” is damaged: {path.name} holds something that is no number.", _AGAIN
            )
        reader.load_state_dict(values, strict=False)
        if not bool((reader.temperature > 0).all() and (reader.missing <= reader.arrived).all()):
            raise UserError(f"The reader of the pack “{path.parent.name}” says nothing: its bounds cross.", _AGAIN)
        return reader.eval()


_BOUNDS: Final = ("arrived", "missing")
_MEANINGS: Final = ("temperature", *_BOUNDS)


def as_read(picture: Image.Image) -> npt.NDArray[np.uint8]:
    """A picture as it is read, uint8 (SIDE, SIDE, 3): all of it, at the reader's own size."""
    small = picture.convert("RGB")
    if small.size != (SIDE, SIDE):
        small = small.resize((SIDE, SIDE), Image.Resampling.BOX if min(small.size) >= 2 * SIDE else _SMOOTH)
    return np.asarray(small)


_SMOOTH: Final = Image.Resampling.BICUBIC


def to_unit(pictures: npt.NDArray[np.uint8]) -> Tensor:
    """Pictures uint8 (N, H, W, 3) as float32 (N, 3, H, W) in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def _pooled(features: Tensor, where: Tensor) -> Tensor:
    """Mean and deviation of features (B, C, h, w) where each part is, logits (B, M, h, w): (B, M, 2 C)."""
    rows, weights = features.flatten(2).transpose(1, 2), where.flatten(2).softmax(-1)
    mean = weights @ rows
    square = weights @ rows.square()
    return torch.cat([mean, (square - mean.square()).clamp(min=0).add(1e-4).sqrt()], -1)


def _batches(pictures: npt.NDArray[np.uint8]) -> Iterator[Tensor]:
    for first in range(0, len(pictures), _AT_ONCE):
        yield to_unit(pictures[first : first + _AT_ONCE])


def _numbers(reader: PartReader) -> dict[str, Tensor]:
    """What a reader's file holds, by name: all but the counters of its normalisations."""
    return {name: value.detach() for name, value in reader.state_dict().items() if value.is_floating_point()}
