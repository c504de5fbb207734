"""A reader that learns more codes, and keeps all that it says of those it knows.

Who has a few pictures of new things, and of each known one hardly any, cannot teach a reader the known ones again: it
would get worse at them. So what sees and what tells the known codes stays as it is. Each part gets more hidden units
beside the known ones, and the new codes' outputs read both.
"""

from __future__ import annotations

from typing import Any, Final, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.models.part_reader import PartReader

_MORE: Final = 64
"""Hidden units that a part gets for its new codes."""


class ExtendedReader(nn.Module):
    """Pictures as for a :class:`PartReader` to logits (B, M, K + 1) at a temperature of 1 and where parts are, as its:
    the codes that ``known`` has come first, in as many parts, then new ones, then "none of these". Only what tells the
    new ones learns."""

    def __init__(self, known: PartReader, codes: int) -> None:
        super().__init__()
        if codes <= known.codes:
            raise ValueError(f"{codes} codes are no more than {known.codes}")
        self.codes = codes
        self.known = known.requires_grad_(False)
        width = self.known.what[0][0].in_features  # pyright: ignore
        self.seen = nn.ModuleList(nn.Linear(width, _MORE) for _ in known.what)
        self.told = nn.ModuleList(nn.Linear(known.hidden + _MORE, codes - known.codes) for _ in known.what)
        self.dropout = nn.Dropout(0.1)

    def train(self, mode: bool = True) -> Self:
        """What is known stays as it answers, its normalisations too."""
        super().train(mode)
        self.known.eval()
        return self

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        pooled, where = self.known.pooled(pictures)
        rows = []
        for part in range(self.known.parts):
            first, last = _layers(self.known, part)
            hidden = F.relu(first(pooled[:, part]))
            old = last(hidden) / self.known.temperature[part]
            more = F.relu(self.seen[part](pooled[:, part]))
            new = self.told[part](self.dropout(torch.cat([hidden, more], -1)))
            rows.append(torch.cat([old[:, :-1], new, old[:, -1:]], -1))
        return torch.stack(rows, 1), where

    @torch.no_grad()
    def merged(self) -> PartReader:
        """The same as a reader: its logits for known codes and none of them are the known reader's, exactly. Bounds are
        the known reader's; those of new codes are still to be set."""
        known, count, wide = self.known, self.known.codes, self.known.hidden
        reader = PartReader(known.parts, self.codes, known.width, wide + _MORE)
        for name in ("fine", "coarse", "where"):
            getattr(reader, name).load_state_dict(getattr(known, name).state_dict())
        reader.temperature.copy_(known.temperature)
        reader.arrived[:, :count], reader.missing[:, :count] = known.arrived, known.missing
        for part in range(known.parts):
            (first, last), (hidden, old) = _layers(reader, part), _layers(known, part)
            seen: Any = self.seen[part]
            told: Any = self.told[part]
            heat = known.temperature[part]
            first.weight.copy_(torch.cat([hidden.weight, seen.weight]))
            first.bias.copy_(torch.cat([hidden.bias, seen.bias]))
            last.weight.zero_()  # known codes do not look at what was added
            last.weight[:count, :wide], last.weight[-1, :wide] = old.weight[:-1], old.weight[-1]
            last.weight[count:-1] = told.weight * heat
            last.bias.copy_(torch.cat([old.bias[:-1], told.bias * heat, old.bias[-1:]]))
        return reader.eval()


def _layers(reader: PartReader, part: int) -> tuple[Any, Any]:
    """A part's two linear layers."""
    return reader.what[part][0], reader.what[part][3]  # pyright: ignore
