"""Where a pack's tokens begin: at words, at noise, or at the tokens of a pack that knows similar things."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from engine.core.atomic_files import plain_file
from engine.core.errors import UserError
from engine.core.on_disk import is_folder
from engine.models.conditioning import Encoder, encoders_of
from engine.models.part_tokens import FIRST_ENCODER, PartTokens, Tokens, TokenSet
from engine.models.text_encoding import word_embeddings
from engine.packs.pack import BEGINNINGS, TOKENS, Pack
from engine.runs.plan import Plan
from engine.segmentation.codebook_fitting import unit_rows

_ALIKE: Final = 0.8
"""Parts of two packs are the same when the cosine of their centroids is at least this."""
_NEARNESS: Final = 2.0
_RIDGE: Final = 0.1
"""Of the kernel regression from looks to tokens; chosen on held-out random parts of the starter."""
_GRID: Final = 2.0**14

Floats = npt.NDArray[np.float32]


def initial_tokens(plan: Plan, pack: Pack, pipeline: Any) -> Tokens:
    """Tokens as they are before the first step (seeded), for each of the base model's text encoders. Raises
    :class:`UserError`.

    A pack that extends another keeps that pack's tokens exactly (see :func:`extended_pack`), whatever the plan says.
    """
    encoders = encoders_of(pipeline)
    sets = {encoder.name: _start_of(plan, pack, encoder) for encoder in encoders}
    return TokenSet(sets) if len(encoders) > 1 else next(iter(sets.values()))


def _start_of(plan: Plan, pack: Pack, encoder: Encoder) -> PartTokens:
    vocabulary = pack.vocabulary
    shape = (len(vocabulary.parts), vocabulary.codes_per_part, encoder.width)
    extended = extended_pack(pack)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        if extended is not None:
            return _extended(pack, extended, shape, encoder.name)
        if plan.start == "noise":
            return PartTokens(*shape, plan.projection_layers)
        around = word_embeddings([part.name for part in vocabulary.parts], encoder.tokenizer, encoder.model).cpu()
        if plan.start == "words":
            return PartTokens(*shape, plan.projection_layers, around, plan.spread)
        if is_folder(plan.start):
            tokens = PartTokens(*shape, plan.projection_layers, around, plan.spread)
            guessed = guess_tokens(pack, Pack.open(plan.start), around, encoder.name)
            with torch.no_grad():
                tokens.position.copy_(guessed.mean(dim=1))
                tokens.embedding.add_(guessed - guessed.mean(dim=1, keepdim=True))
            return tokens
        try:
            tensors = load_file(plain_file(Path(plan.start)))
            around = tensors["start" if encoder.name == FIRST_ENCODER else f"{encoder.name}.start"].float()
        except Exception as error:
            raise UserError(
                f"The plan's start, {plan.start}, cannot be read.", 'Use "words", "noise" or the folder of a pack.'
            ) from error
        if not torch.isfinite(around).all():
            raise UserError("The plan's start holds something that is no number.", 'Use "words".')
        if around.shape != (len(vocabulary.parts), encoder.width):
            raise UserError("The plan's start does not fit the pack's parts and the base model.", 'Use "words".')
        return PartTokens(*shape, plan.projection_layers, around, plan.spread)


def extended_pack(pack: Pack) -> Pack | None:
    """The pack that this one extends: its ``pack.json`` says ``"extends": folder``. None if it extends none.

    Raises :class:`UserError` if that pack is gone, has no tokens, or is not what the first codes here are.
    """
    if not pack.extends:
        return None
    extended = Pack.open(pack.path / pack.extends)  # relative in a run that has travelled
    own, theirs = pack.vocabulary, extended.vocabulary
    if [part.name for part in own.parts] != [part.name for part in theirs.parts] or any(
        own.code_name(part.index, code) != theirs.code_name(part.index, code)
        for part in theirs.parts
        for code in range(theirs.codes_per_part)
    ):
        raise UserError(
            f"The pack {extended.title} has changed since {pack.title} was begun.",
            "Find the parts of the pictures again.",
        )
    return extended


def guess_tokens(pack: Pack, known_pack: Pack, around: Tensor, encoder: str = FIRST_ENCODER) -> Tensor:
    """A guess at a pack's tokens (M, K, W) from what its codes look like: what the known pack's tokens are of things
    that look so, by kernel regression over its codes and its :data:`BEGINNINGS`. ``around`` (M, W) stands for parts
    that the known pack does not have.

    Parts are the same if their names are or, seen with the same eyes, their centroids. Seen with other eyes, every
    code begins at the part's mean token. Raises :class:`UserError` if the known pack has no tokens of that width.
    """
    tokens = _tokens_of(known_pack, encoder).projected().detach()
    if tokens.shape[-1] != around.shape[-1]:
        raise UserError(
            f"The tokens of {known_pack.title} belong to another base model.",
            "Choose the base model it was trained for.",
        )
    own, theirs = pack.codebook(), known_pack.codebook()
    eyes = all(
        getattr(pack.backbone, name) == getattr(known_pack.backbone, name)
        for name in ("id", "feature_layer", "centred")
    )
    more = _beginnings(known_pack, encoder) if eyes else []
    guessed = around[:, None].expand(-1, pack.vocabulary.codes_per_part, -1).clone()
    for part, other in enumerate(_same_parts(pack, known_pack, own.parts, theirs.parts if eyes else None)):
        if other is None:
            continue
        if eyes:
            looks, vectors = theirs.codes[other], tokens[other].numpy()
            if other < len(more):
                looks, vectors = (np.concatenate(pair) for pair in zip((looks, vectors), more[other], strict=True))
            visible = own.codes[part].any(axis=1)
            guessed[part, visible] = torch.from_numpy(regress_tokens(looks, vectors, own.codes[part][visible]))
            guessed[part, ~visible] = tokens[other].mean(dim=0)
        else:
            guessed[part] = tokens[other].mean(dim=0)
    return _rounded(guessed)


def regress_tokens(looks: Floats, tokens: Floats, queries: Floats) -> Floats:
    """Tokens (K, W) for looks ``queries`` (K, C), from pairs of looks (N, C) and tokens (N, W): kernel ridge regression
    with a Gaussian kernel on unit rows. Rows of ``looks`` without length are left out."""
    shown = looks.any(axis=1)
    # In float64, for numpy adds up in an order that depends on where in memory rows lie.
    rows, query_rows = unit_rows(looks[shown].astype(np.float64)), unit_rows(queries.astype(np.float64))
    values = tokens[shown].astype(np.float64)
    mean = values.mean(axis=0)
    inside = np.exp(2 * _NEARNESS * (rows @ rows.T - 1)) + _RIDGE * np.eye(len(rows))
    weights = np.linalg.solve(inside, values - mean)
    return np.asarray(mean + np.exp(2 * _NEARNESS * (query_rows @ rows.T - 1)) @ weights, np.float32)


def _beginnings(known_pack: Pack, encoder: str) -> list[tuple[Floats, Floats]]:
    """A pack's :data:`BEGINNINGS`, a pair for each part; none if it keeps none that can be read."""
    try:
        tensors = load_file(plain_file(known_pack.path / BEGINNINGS))
    except (OSError, SafetensorError):
        return []  # only a help: training begins further away without it
    if not all(name in tensors and torch.isfinite(tensors[name].float()).all() for name in ("looks", encoder)):
        return []
    return [
        # Copied: a mapped file's rows are aligned otherwise, and vectorised sums then round otherwise.
        (looks.float().clone().numpy(), vectors.float().clone().numpy())
        for looks, vectors in zip(tensors["looks"], tensors[encoder], strict=False)
    ]


def _extended(pack: Pack, known_pack: Pack, shape: tuple[int, int, int], encoder: str) -> PartTokens:
    """The known pack's tokens followed by guesses at the new ones; only these will be learned."""
    old = _tokens_of(known_pack, encoder)
    if old.width != shape[2]:
        raise UserError(
            f"The tokens of {known_pack.title} belong to another base model.",
            "Choose the base model it was trained for.",
        )
    count = known_pack.vocabulary.codes_per_part
    tokens = PartTokens(*shape, layers=sum(isinstance(layer, torch.nn.Linear) for layer in old.projection))
    guessed = guess_tokens(pack, known_pack, old.projected().detach().mean(dim=1), encoder)[:, count:]
    with torch.no_grad():
        tokens.position.copy_(old.position)
        tokens.projection.load_state_dict(old.projection.state_dict())
        tokens.embedding[:, :count] = old.raw
        tokens.embedding[:, count:] = _before(old, guessed)
    tokens.keep(count)
    return tokens


def _before(tokens: PartTokens, target: Tensor) -> Tensor:
    """Embeddings (M, K, W) that the tokens' position and projection turn into ``target``, or into their parts' mean
    embedding where the projection cannot be undone."""
    if not len(tokens.projection):
        return target - tokens.position[:, None]
    if len(tokens.projection) > 1:
        return tokens.raw.mean(dim=1, keepdim=True).expand_as(target)
    layer: Any = tokens.projection[0]
    sought = (target - layer.bias).flatten(0, 1).T.double()
    solved = torch.linalg.lstsq(layer.weight.double(), sought).solution.T.float().view_as(target)
    return _rounded(solved) - tokens.position[:, None]


def _rounded(values: Tensor) -> Tensor:
    """Values on a grid much coarser than what libraries' sums differ by from one process to the next, and much finer
    than what matters: a run that begins again begins at the same bits."""
    return torch.round(values * _GRID) / _GRID


def _same_parts(pack: Pack, known_pack: Pack, own: Floats, theirs: Floats | None) -> list[int | None]:
    """For each part, the known pack's part that is the same, if any."""
    names = {part.name.casefold(): part.index for part in known_pack.vocabulary.parts}
    indices = [names.get(part.name.casefold()) for part in pack.vocabulary.parts]
    if theirs is not None:
        alike = unit_rows(own) @ unit_rows(theirs).T
        indices = [
            int(row.argmax()) if index is None and row.max() >= _ALIKE else index
            for index, row in zip(indices, alike, strict=True)
        ]
    return indices


def _tokens_of(pack: Pack, encoder: str) -> PartTokens:
    return PartTokens.load(pack.path / TOKENS, encoder)
