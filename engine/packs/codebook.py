"""Codebook: three tiers of centroids that turn a feature map into a segmentation.

All three tiers compare by cosine, as the original does, and the lower index wins a tie:

1. each cell of the grid is background or foreground, whichever centroid is nearer;
2. each foreground cell belongs to the nearest part; background cells belong to the vocabulary's background part, if
   it has one (packs of the original do), else to none;
3. a part's feature is the plain mean of the features of its cells, and its code the nearest code centroid. A part
   without cells, or without any code, is ``ABSENT`` (the original said code 0, or code K).

Rows of zeros in the centroids are clusters that died in training; they are never chosen.

A codebook of photographs has **votes**: then the first tier is :class:`ForegroundVotes`, one picture's cut and all
pictures' votes, and the second compares what is left of a cell when the mean of its picture's foreground is taken out,
so that parts are places of the body, not colours of the coat. Codes are compared as ever: they are looks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from engine.core.atomic_files import plain_file, write_bytes
from engine.core.errors import UserError
from engine.core.recipe import Arrival, Receipt
from engine.core.segmentation import NO_PART, Segmentation
from engine.core.vocabulary import ABSENT, Choice, Vocabulary
from engine.packs.foreground import ForegroundVotes, centred_cells
from engine.packs.part_pieces import without_strays

_MAX_PARTS: Final = NO_PART  # labels are uint8 and 255 is taken
_AGAIN: Final = "Get the pack again, or remove it."
_SURENESS: Final = 12.0

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Codebook:
    """The centroids that turn a feature map into a segmentation.

    ``foreground`` is float32 (2, C): the background's row, then the foreground's. ``parts`` is (M, C), ``codes``
    (M, K, C). ``background`` is the index of the part that background cells belong to, or None. With ``votes``,
    ``foreground`` is not asked, and ``parts`` are centroids of centred cells. A part merged of several clusters is
    where any of them is, if ``clusters`` (P, C) are given and ``members``, which of them are each part's: the mean of
    two opposite ends of a body is like neither. ``in_one_piece`` are parts of which an object has one piece, where
    there are votes (:mod:`engine.packs.part_pieces`). Raises :class:`UserError` on construction if shapes or values do
    not fit together.
    """

    foreground: Floats
    parts: Floats
    codes: Floats
    background: int | None = None
    votes: ForegroundVotes | None = None
    clusters: Floats | None = None
    members: tuple[tuple[int, ...], ...] = ()
    in_one_piece: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        shapes = self.foreground.shape, self.parts.shape, self.codes.shape
        width = shapes[0][-1] if shapes[0] else 0
        count = shapes[1][0] if len(shapes[1]) == 2 else 0
        if shapes[0] != (2, width) or shapes[1] != (count, width) or not 1 <= count <= _MAX_PARTS:
            raise UserError(f"The codebook has wrong shapes: foreground {shapes[0]}, parts {shapes[1]}.", _AGAIN)
        if len(shapes[2]) != 3 or shapes[2][0] != count or shapes[2][1] < 1 or shapes[2][2] != width:
            raise UserError(f"The codebook has wrong shapes: parts {shapes[1]}, codes {shapes[2]}.", _AGAIN)
        for name, rows in (("foreground", self.foreground), ("parts", self.parts), ("codes", self.codes)):
            if rows.dtype != np.float32 or not np.isfinite(rows).all():
                raise UserError(f"The codebook's {name} are damaged: not all are finite float32 numbers.", _AGAIN)
        if self.votes and self.votes.centroids.shape[1] != width:
            raise UserError(f"The codebook has wrong shapes: votes {self.votes.centroids.shape}.", _AGAIN)
        if self.clusters is not None:
            numbers = sorted(number for group in self.members for number in group)
            whole = self.clusters.shape == (len(numbers), width) and np.isfinite(self.clusters).all()
            if not whole or len(self.members) != count or numbers != list(range(len(numbers))):
                raise UserError("The clusters of the codebook's parts do not fit together.", _AGAIN)
        if not all(0 <= part < count for part in self.in_one_piece):
            raise UserError("The codebook names parts that it does not have.", _AGAIN)
        if not self.parts.any():
            raise UserError("The codebook has no parts: every centroid is empty.", _AGAIN)

    @property
    def width(self) -> int:
        """C: how many numbers a feature has."""
        return self.parts.shape[1]

    @classmethod
    def load(cls, path: Path | str, vocabulary: Vocabulary | None = None) -> Codebook:
        """Read ``codebook.safetensors``; with a vocabulary, check against it and take its background part.

        The file's metadata may say ``foreground_row: 0`` where the foreground's centroid comes first. Raises
        :class:`UserError`.
        """
        path = Path(path)
        try:
            with safe_open(plain_file(path), "numpy") as file:
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
                metadata = file.metadata() or {}
        except FileNotFoundError as error:
            raise UserError(f"The pack “{path.parent.name}” is damaged: {path.name} is missing.", _AGAIN) from error
        except (SafetensorError, OSError, ValueError) as error:
            raise UserError(f"The pack “{path.parent.name}” is damaged: {path.name} is not whole.", _AGAIN) from error
        if missing := {"foreground", "parts", "codes"} - arrays.keys():
            raise UserError(f"The codebook lacks {', '.join(sorted(missing))}.", _AGAIN)
        foreground, parts, codes = (
            np.ascontiguousarray(arrays[name], np.float32) for name in ("foreground", "parts", "codes")
        )
        if metadata.get("foreground_row") == "0":
            foreground = foreground[::-1].copy()
        background = None
        if vocabulary:
            needed = (len(vocabulary.parts), vocabulary.codes_per_part)
            if codes.shape[:2] != needed:
                raise UserError(
                    f"The codebook does not fit its pack: {codes.shape[:2]} parts and codes instead of {needed}.",
                    _AGAIN,
                )
            background = next((part.index for part in vocabulary.parts if part.background), None)
        clusters, members = _clusters_in(arrays, count=len(parts))
        votes, whole = _votes_in(arrays, metadata), _whole_in(arrays)
        return cls(foreground, parts, codes, background, votes, clusters, members, whole)

    def save(self, path: Path | str) -> None:
        """Write ``codebook.safetensors``, whole or not at all. Raises :class:`UserError`."""
        arrays = {"foreground": self.foreground, "parts": self.parts, "codes": self.codes}
        metadata = {"foreground_row": "1"}
        if self.clusters is not None:
            part_of = {number: part for part, group in enumerate(self.members) for number in group}
            arrays |= {"clusters": self.clusters, "part_of": np.array([part_of[i] for i in range(len(part_of))])}
        if self.in_one_piece:
            arrays["in_one_piece"] = np.array(self.in_one_piece)
        if self.votes:
            arrays |= {"vote_centroids": self.votes.centroids, "vote_shares": self.votes.shares}
            metadata |= {"vote_weight": repr(self.votes.weight), "votes_flipped": str(int(self.votes.flipped))}
        data = save({name: np.ascontiguousarray(rows) for name, rows in arrays.items()}, metadata)
        write_bytes(Path(path), data, "the pack")

    def segment(self, features: Floats) -> Segmentation:
        """Labels and codes on the grid of a feature map, float32 (C, H, W).

        Cells that are not finite count as background. Raises :class:`UserError` if the features are of another
        width than the centroids.
        """
        labels = self._labels(features)
        return Segmentation(labels, self._codes(self.pooled(features, labels), labels))

    def pooled(self, features: Floats, labels: npt.NDArray[np.uint8]) -> Floats:
        """The mean feature of each part, (M, C); zeros for a part without cells.

        ``features`` is float32 (C, H, W), ``labels`` uint8 (H, W) as in a Segmentation on the same grid.
        """
        rows = self._rows(features)
        flat = labels.reshape(-1)
        result = np.zeros((len(self.parts), self.width), np.float32)
        whole = np.isfinite(rows).all(axis=1)
        for part in range(len(self.parts)):
            cells = rows[np.logical_and(flat == part, whole)]
            if len(cells):
                result[part] = cells.mean(0)
        return result

    def code_of(self, part: int, vector: Floats) -> int:
        """The nearest code of a part's mean feature (C,), or ``ABSENT`` for zeros or a part without codes."""
        likeness = _cosines(vector[None], self.codes[part])[0]
        return int(likeness.argmax()) if vector.any() and np.isfinite(likeness).any() else ABSENT

    def similarity(self, part: int, code: int, vector: Floats) -> float:
        """The cosine (-1..1) between a vector (C,) and a code's centroid; 0 if either is empty."""
        cosine = float(_cosines(vector[None], self.codes[part, code][None])[0, 0])
        return cosine if np.isfinite(cosine) and vector.any() else 0.0

    @property
    def tells_codes(self) -> bool:
        """Whether it knows codes, and not parts alone."""
        return bool(self.codes.any())

    def receipt(self, features: Floats, choices: Iterable[Choice]) -> Receipt:
        """What became of each choice in a picture with these features, float32 (C, H, W); in the order given. Empty
        where it cannot tell codes."""
        if not self.tells_codes:
            return ()
        labels = self._labels(features)
        pooled = self.pooled(features, labels)
        codes = self._codes(pooled, labels)
        return tuple(
            Arrival(
                choice.part,
                choice.code,
                codes[choice.part],
                self.similarity(choice.part, choice.code, pooled[choice.part]),
            )
            for choice in choices
        )

    def _labels(self, features: Floats) -> npt.NDArray[np.uint8]:
        rows = self._rows(features)
        whole = np.asarray(np.isfinite(rows).all(axis=1))
        rows = np.where(whole[:, None], rows, np.float32(0))
        if self.votes:
            mask = self.votes.foreground(features) & whole.reshape(features.shape[1:])
            foreground = mask.reshape(-1)
            cosines = self._centred_cosines(features, mask)
        else:
            foreground = whole & (_cosines(rows, self.foreground).argmax(1) == 1)
            cosines = self._part_cosines(rows)
        background = NO_PART if self.background is None else self.background
        labels = np.where(foreground, cosines.argmax(1), background)
        return labels.astype(np.uint8).reshape(features.shape[1:])

    def _codes(self, pooled: Floats, labels: npt.NDArray[np.uint8]) -> tuple[int, ...]:
        present = set(np.unique(labels).tolist())
        return tuple(self.code_of(part, pooled[part]) if part in present else ABSENT for part in range(len(self.parts)))

    def _part_cosines(self, rows: Floats) -> Floats:
        """How like each part rows (N, C) are: (N, M)."""
        if self.clusters is None:
            return _cosines(rows, self.parts)
        cosines = _cosines(rows, self.clusters)
        empty = np.full(len(rows), -np.inf, np.float32)
        return np.stack([cosines[:, list(group)].max(axis=1) if group else empty for group in self.members], axis=1)

    def _centred_cosines(self, features: Floats, mask: npt.NDArray[np.bool_]) -> Floats:
        """How like each part the cells of a foreground (H, W) are, without stray pieces: (H W, M)."""
        cosines = self._part_cosines(centred_cells(features, mask).reshape(-1, self.width))
        if not self.in_one_piece:
            return cosines
        return without_strays(cosines.reshape(*mask.shape, -1), mask, self.in_one_piece).reshape(cosines.shape)

    def _rows(self, features: Floats) -> Floats:
        """Features (C, H, W) as rows (H W, C), checked."""
        if features.ndim != 3 or features.shape[0] != self.width:
            raise UserError(
                f"The eyes see {features.shape[0]} numbers a place, but this pack was made with {self.width}.",
                "Use the eyes the pack names, or another pack.",
            )
        return np.asarray(features, np.float32).reshape(self.width, -1).T

    def beliefs(self, features: Floats, labels: npt.NDArray[np.uint8], shown: list[int]) -> Floats:
        """How much each cell looks like each label of ``shown``: (L, h, w), cosines to its centroid.

        What a cell is was decided in two steps (is it foreground, and which part), so beliefs are too: a label's
        belief is a soft foreground decision times a soft part decision, sharpened by how far apart cells are here.
        """
        rows = np.nan_to_num(self._rows(features), nan=0.0, posinf=0.0, neginf=0.0)
        parts = [label for label in shown if label not in (NO_PART, self.background)]
        if self.votes:
            foreground = self.votes.beliefs(features)
            front = _decided(foreground.reshape(-1))
            cosines = self._centred_cosines(features, self.votes.decided(foreground))
        else:
            split = _cosines(rows, self.foreground)
            split[~np.isfinite(split)] = -2.0
            front = _softmax(split)[:, 1]
            cosines = self._part_cosines(rows)
        among = _softmax(cosines[:, parts]) if parts else np.zeros((len(rows), 0), np.float32)
        beliefs = {label: front * among[:, i] for i, label in enumerate(parts)}
        stacked = np.stack([beliefs.get(label, 1 - front) for label in shown])
        return stacked.reshape(len(shown), *labels.shape).astype(np.float32)


def _votes_in(arrays: dict[str, npt.NDArray[Any]], metadata: dict[str, str]) -> ForegroundVotes | None:
    """The votes of a codebook's file, or None if it has none. Raises :class:`UserError`."""
    if "vote_centroids" not in arrays:
        return None
    try:
        centroids, shares = (
            np.ascontiguousarray(arrays[name], np.float32) for name in ("vote_centroids", "vote_shares")
        )
        weight = min(max(float(metadata["vote_weight"]), 0.0), 1.0)
    except (KeyError, ValueError) as error:
        raise UserError("The codebook's votes are not whole.", _AGAIN) from error
    return ForegroundVotes(centroids, shares, weight, metadata.get("votes_flipped") == "1")


def _whole_in(arrays: dict[str, npt.NDArray[Any]]) -> tuple[int, ...]:
    """The parts in one piece of a codebook's file. Raises :class:`UserError`."""
    parts = arrays.get("in_one_piece", np.zeros(0, np.int64))
    if parts.ndim != 1 or parts.dtype.kind not in "iu":
        raise UserError("The codebook names parts that it does not have.", _AGAIN)
    return tuple(parts.tolist())


def _clusters_in(arrays: dict[str, npt.NDArray[Any]], count: int) -> tuple[Floats | None, tuple[tuple[int, ...], ...]]:
    """The clusters of a codebook's file and which are each part's, of ``count`` parts. Raises :class:`UserError`."""
    if "clusters" not in arrays:
        return None, ()
    part_of = arrays.get("part_of", np.zeros(0))
    if part_of.shape != arrays["clusters"].shape[:1]:
        raise UserError("The clusters of the codebook's parts do not fit together.", _AGAIN)
    members = tuple(tuple(np.flatnonzero(part_of == part).tolist()) for part in range(count))
    return np.ascontiguousarray(arrays["clusters"], np.float32), members


def _decided(beliefs: Floats) -> Floats:
    """Beliefs (N,) of 0 to 1, those away from the middle made surer."""
    return np.asarray(1 / (1 + np.exp(-_SURENESS * (beliefs - np.float32(0.5)))), np.float32)


def _cosines(rows: Floats, centroids: Floats) -> Floats:
    """Cosines (N, M) of rows (N, C) and centroids (M, C); -inf for empty centroids, 0 for empty rows."""
    lengths = np.linalg.norm(centroids, axis=1)
    units = centroids / np.where(lengths > 0, lengths, 1)[:, None]
    sizes = np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = np.asarray((rows / np.where(sizes > 0, sizes, 1)) @ units.T, np.float32)
    cosines[:, lengths == 0] = -np.inf
    return cosines


def _softmax(cosines: Floats) -> Floats:
    """Soft decisions (N, M) whose sharpness suits the spread of the cosines: a typical margin is worth e^10."""
    ordered = np.sort(cosines, axis=1)
    margin = np.median(ordered[:, -1] - ordered[:, -2]) if cosines.shape[1] > 1 else 1.0
    logits = 10.0 / max(float(margin), 1e-3) * (cosines - ordered[:, -1:])
    weights = np.exp(logits)
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)
