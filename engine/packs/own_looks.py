"""What a pack without a codebook learns from the pictures it painted: the mean look of each part, and so a codebook.

Kept in ``looks.safetensors`` as sums, so that each new picture adds to them; the file stays with the pack, and does not
travel with it: the codebook does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from engine.core.atomic_files import plain_file, write_bytes
from engine.core.segmentation import NO_PART
from engine.core.vocabulary import Vocabulary
from engine.packs.codebook import Codebook

LOOKS: Final = "looks.safetensors"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class OwnLooks:
    """Sums of unit features: ``parts`` (M, C), ``ground`` (C,) of cells without a part, with the numbers of cells
    ``counts`` (M + 1,), the ground's last; and the ids of the references they are from."""

    parts: Floats
    ground: Floats
    counts: Floats
    ids: frozenset[str] = frozenset()

    @classmethod
    def empty(cls, parts: int, width: int) -> OwnLooks:
        """Of no picture."""
        return cls(np.zeros((parts, width), np.float32), np.zeros(width, np.float32), np.zeros(parts + 1, np.float32))

    @classmethod
    def load(cls, folder: Path, parts: int, width: int) -> OwnLooks:
        """What is kept in a pack's folder; of no picture, where that is nothing, damaged, or of other eyes."""
        try:
            with safe_open(plain_file(folder / LOOKS), "numpy") as file:
                arrays = [np.asarray(file.get_tensor(name), np.float32) for name in ("parts", "ground", "counts")]
                ids = json.loads((file.metadata() or {}).get("ids", "[]"))
        except (SafetensorError, OSError, ValueError):
            return cls.empty(parts, width)
        fits = [one.shape for one in arrays] == [(parts, width), (width,), (parts + 1,)]
        if not fits or not all(np.isfinite(one).all() for one in arrays) or not isinstance(ids, list):
            return cls.empty(parts, width)
        return cls(arrays[0], arrays[1], arrays[2], frozenset(map(str, ids)))

    def save(self, folder: Path) -> None:
        """Keep it in a pack's folder. Raises :class:`UserError`."""
        arrays = {"parts": self.parts, "ground": self.ground, "counts": self.counts}
        write_bytes(folder / LOOKS, save(arrays, {"ids": json.dumps(sorted(self.ids))}), "the pack")

    def with_picture(
        self, id: str, features: Floats, labels: npt.NDArray[np.uint8], background: int | None
    ) -> OwnLooks:
        """And those of one more picture: features float32 (C, h, w), labels uint8 (h, w) on the same grid."""
        rows = np.nan_to_num(features.reshape(len(features), -1).T.astype(np.float32), posinf=0.0, neginf=0.0)
        length = np.linalg.norm(rows, axis=1).astype(np.float32)
        used = np.flatnonzero(length > 0)
        rows, flat = rows[used] / length[used][:, None], labels.reshape(-1)[used]
        parts, ground, counts = self.parts.copy(), self.ground.copy(), self.counts.copy()
        for part in range(len(parts)):
            own = rows[flat == part]
            parts[part] += own.sum(axis=0)
            counts[part] += len(own)
        behind = rows[np.isin(flat, [NO_PART] if background is None else [NO_PART, background])]
        ground += behind.sum(axis=0)
        counts[-1] += len(behind)
        return OwnLooks(parts, ground, counts, self.ids | {id})

    def codebook(self, vocabulary: Vocabulary) -> Codebook | None:
        """A codebook that finds the parts and tells no codes; None where no part was seen yet, or nothing else."""
        background = next((part.index for part in vocabulary.parts if part.background), None)
        shown = [part.index for part in vocabulary.visible_parts]
        front = self.parts[shown].sum(axis=0)
        if not self.counts[shown].any() or not self.counts[-1] or not front.any() or not self.ground.any():
            return None
        means = self.parts / np.maximum(self.counts[:-1, None], 1)
        if background is not None:
            means[background] = 0  # cells in front are never it
        foreground = np.stack([self.ground / self.counts[-1], front / self.counts[shown].sum()]).astype(np.float32)
        codes = np.zeros((len(means), vocabulary.codes_per_part, means.shape[1]), np.float32)
        return Codebook(foreground, means.astype(np.float32), codes, background)
