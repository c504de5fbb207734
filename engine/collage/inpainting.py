"""Colours where there are none: pull-push for thin rims, diffusion for large holes."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_SWEEPS: Final = 3  # of the diffusion on the finest grid; more on each coarser one, where they cost less
_MOST_SWEEPS: Final = 32
_UNEVEN: Final = 2.0  # a direction that counts this much more is the only one to be halved


def pull_push(colours: Floats, weights: Floats) -> Floats:
    """Colours float32 (..., C, h, w) in which each pixel is as much its own as its weight (h, w), 0 to 1, says.

    Several at once, each with its own weights (..., 1, h, w), cost less than one after the other.
    The rest comes from the pixels around it that have a weight, the nearest first (the pull-push pyramid of Gortler
    and others, The Lumigraph, 1996). All 0 where no pixel has a weight.
    """
    height, width = weights.shape[-2:]
    if height * width == 1:
        return colours * (weights > 0)
    made = _doubled(pull_push(*_halved(colours, weights, (height > 1, width > 1))), (height, width))
    own = colours - made
    own *= weights
    made += own
    return made


def diffuse(colours: Floats, known: Mask, across: float = 1.0) -> Floats:
    """Colours float32 (C, h, w) in which those that are not ``known`` (h, w) are as smooth as their rim allows.

    Each is the mean of its four neighbours (Laplace's equation, coarse to fine); the two beside it count ``across``
    times as much as those above and below. A linear slope along the rim goes on across the hole. All 0 where nothing
    is known.
    """
    if known.all():
        return colours
    slope = _plane(colours, known, across)
    return _diffused(colours - slope, known, across, _SWEEPS) + slope


def across_of(colours: Floats, known: Mask, most: float) -> float:
    """What ``across`` of :func:`diffuse` should be for a ground (C, h, w), 1 / ``most`` to ``most``.

    More than 1 where its colours change more downwards than sideways, so that a horizon goes on level, and less where
    trunks stand upright. Only differences between pixels that are ``known`` (h, w) count.
    """
    down, side = colours[:, 1:] - colours[:, :-1], colours[:, :, 1:] - colours[:, :, :-1]
    down = np.einsum("chw,chw->hw", down, down)[known[1:] & known[:-1]] / len(colours)
    side = np.einsum("chw,chw->hw", side, side)[known[:, 1:] & known[:, :-1]] / len(colours)
    if not (down.size and side.size):
        return 1.0
    # Squared once more: a horizon is clear at a ratio of 5 to 20, where the grain of photographs has up to 2.
    return float(np.clip(((down.mean() + 1e-3) / (side.mean() + 1e-3)) ** 2, 1 / most, most))


def _diffused(colours: Floats, known: Mask, across: float, sweeps: int) -> Floats:
    height, width = known.shape
    if known.all() or known.size == 1:
        return colours * known
    # A direction in which neighbours count much more is coarsened alone: else a coarse grid would blur the lines that
    # are to go on, and the few sweeps on the fine one could not bring them back.
    halve_x, halve_y = width > 1 and across * _UNEVEN > 1, height > 1 and across < _UNEVEN
    if not (halve_x or halve_y):
        halve_x, halve_y = width > 1, height > 1
    coarse, weights = _halved(colours, known.astype(np.float32), (halve_y, halve_x))
    coarser = across * (1 if halve_x == halve_y else 0.25 if halve_x else 4)
    more = min(sweeps * 2 if halve_x and halve_y else sweeps + 1, _MOST_SWEEPS)
    made = _doubled(_diffused(coarse, weights > 0, coarser, more), (height, width))
    np.copyto(made, colours, where=known)
    return _smoothed(made, ~known, across, sweeps)


def _smoothed(colours: Floats, where: Mask, across: float, sweeps: int) -> Floats:
    """Each pixel of ``where`` so many times replaced by the mean of its four neighbours, those beside it ``across``
    times; at the border the inner one stands for both."""
    down, side = np.float32(0.5 / (1 + across)), np.float32(0.5 * across / (1 + across))
    channels, height, width = colours.shape
    edged = np.empty((channels, height + 2, width + 2), np.float32)
    inner = edged[:, 1:-1, 1:-1]
    inner[...] = colours
    mean, beside = np.empty_like(colours), np.empty_like(colours)
    for _ in range(sweeps):
        edged[:, 0], edged[:, -1] = edged[:, 1], edged[:, -2]
        edged[..., 0], edged[..., -1] = edged[..., 1], edged[..., -2]
        np.add(edged[:, 2:, 1:-1], edged[:, :-2, 1:-1], out=mean)
        mean *= down
        np.add(edged[:, 1:-1, 2:], edged[:, 1:-1, :-2], out=beside)
        beside *= side
        mean += beside
        np.copyto(inner, mean, where=where)
    return np.ascontiguousarray(inner)


def _plane(colours: Floats, known: Mask, across: float) -> Floats:
    """The linear slope (C, h, w) that is nearest to the known colours; 0 where too few are known."""
    height, width = known.shape
    step = max(1, round((height * width / 4096) ** 0.5))
    rows, columns = np.nonzero(known[::step, ::step])
    if len(rows) < 16:
        return np.zeros_like(colours)
    y, x = np.linspace(-1, 1, height, dtype=np.float32), np.linspace(-1, 1, width, dtype=np.float32)
    terms = np.stack([np.ones(len(rows), np.float32), y[::step][rows], x[::step][columns]], 1)
    wanted = terms.T @ colours[:, ::step, ::step][:, rows, columns].T
    # A weight against slopes: few pixels in one corner say little about the other, and where one direction counts
    # much more, lines along it are level.
    ridge = len(rows) * np.diag([0, 1e-2 / across**2, 1e-2 * across**2])
    level, down, side = np.linalg.solve(terms.T @ terms + ridge, wanted)[..., None, None]
    return np.asarray(level + y[:, None] * down + x * side, np.float32)


def _halved(colours: Floats, weights: Floats, axes: tuple[bool, bool]) -> tuple[Floats, Floats]:
    """Weighted means of pairs along the axes (y, x) that are asked for, and the sums of their weights up to 1."""
    total = colours * weights
    if axes[0]:
        total, weights = _rows_paired(total), _rows_paired(weights)
    if axes[1]:
        total, weights = _columns_paired(total), _columns_paired(weights)
    total /= np.maximum(weights, 1e-12)
    return total, np.minimum(weights, 1)


def _rows_paired(values: Floats) -> Floats:
    """Sums of pairs of rows; the last one stays alone where their number is odd."""
    made = values[..., ::2, :].copy()
    made[..., : values.shape[-2] // 2, :] += values[..., 1::2, :]
    return made


def _columns_paired(values: Floats) -> Floats:
    made = values[..., ::2].copy()
    made[..., : values.shape[-1] // 2] += values[..., 1::2]
    return made


def _doubled(values: Floats, size: tuple[int, int]) -> Floats:
    """Values (C, h, w) stretched to the size (H, W) that they were halved from, linear between their centres."""
    if values.shape[-2] != size[0]:
        values = np.swapaxes(_columns_doubled(np.swapaxes(values, -2, -1), size[0]), -2, -1)
    return values if values.shape[-1] == size[1] else _columns_doubled(values, size[1])


def _columns_doubled(values: Floats, length: int) -> Floats:
    near, far = values * np.float32(0.75), values * np.float32(0.25)
    made = np.empty_like(values, shape=(*values.shape[:-1], length))
    odd = length // 2
    made[..., 0::2] = near
    made[..., 2::2] += far[..., :-1]
    made[..., 0] += far[..., 0]
    made[..., 1::2] = near[..., :odd]
    made[..., 1:-1:2] += far[..., 1 : 1 + (length - 1) // 2]
    if length % 2 == 0:
        made[..., -1] += far[..., -1]
    return made
