"""Part tokens: the learned word of one (part, code), and prompts that say it to a CLIP text encoder.

A token is ``projection(embedding[part, code] + position[part])``, as wide as the text encoder. It stands
where an ordinary token embedding would, before position embeddings are added (PartCraft, ECCV 2024, 3.2).
No library class is changed: a forward hook puts the vectors into what the encoder's own embedding returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.core.atomic_files import plain_file
from engine.core.errors import UserError
from engine.core.vocabulary import Choice

FIRST_ENCODER: Final = "text_encoder"
"""The name of a base model's first text encoder, for most the only one."""

_T = TypeVar("_T")


class PartTokens(nn.Module):
    """The tokens of one text encoder.

    ``embedding`` (M, K, W) and ``position`` (M, W) are learned; ``projection`` is ``layers`` linear layers
    with ReLU between them (none: the sum itself is the token). Without ``around`` they start as the paper's
    do, from normal noise. ``around`` (M, W) starts every token of part m at ``around[m]`` with a little
    noise (standard deviation ``spread``) and the projection at the identity, so that the first step already
    speaks the encoder's language.
    """

    def __init__(
        self,
        parts: int,
        codes: int,
        width: int,
        layers: int = 1,
        around: Tensor | None = None,
        spread: float = 0.01,
    ) -> None:
        super().__init__()
        self.known: Tensor
        self.register_buffer("known", torch.zeros(parts, 0, width), persistent=False)
        self.embedding = nn.Parameter(torch.randn(parts, codes, width))
        self.position = nn.Parameter(torch.randn(parts, width))
        stack: list[nn.Module] = []
        for layer in range(layers):
            stack += [nn.ReLU()] if layer else []
            stack.append(nn.Linear(width, width))
        self.projection = nn.Sequential(*stack)
        if around is not None:
            if layers > 1:
                raise ValueError("tokens can start around a vector only with a projection of one layer or none")
            with torch.no_grad():
                self.embedding.mul_(spread)
                self.position.copy_(around)
                for module in self.projection:
                    if isinstance(module, nn.Linear):
                        nn.init.eye_(module.weight)
                        nn.init.zeros_(module.bias)

    @property
    def width(self) -> int:
        """How wide a token is: W."""
        return self.embedding.shape[-1]

    @property
    def raw(self) -> Tensor:
        """The embeddings of all codes, known and learned: (M, K, W)."""
        return torch.cat([self.known, self.embedding], dim=1) if self.known.shape[1] else self.embedding

    @property
    def widths(self) -> tuple[int, ...]:
        """The width, as :class:`TokenSet` says its widths."""
        return (self.width,)

    def of(self, encoder: str) -> PartTokens:
        """The tokens of a text encoder: these, if it is the first one. Raises :class:`UserError`."""
        if encoder != FIRST_ENCODER:
            raise _other_base()
        return self

    def keep(self, codes: int) -> None:
        """From now on the first ``codes`` codes of every part, positions and projection stay as they are:
        only the embeddings of the other codes are learned."""
        raw = self.raw.detach()
        self.known = raw[:, :codes].clone()
        self.embedding = nn.Parameter(raw[:, codes:].clone())
        for fixed in (self.position, *self.projection.parameters()):
            fixed.requires_grad_(False)

    def first_codes(self, codes: int) -> PartTokens:
        """The same tokens without the codes from the number ``codes`` on."""
        kept = {name: value[:, :codes] if name.endswith(".raw") else value for name, value in self.tensors().items()}
        return PartTokens.from_tensors({name: value for name, value in kept.items() if "projected" not in name})

    def forward(self, parts: Tensor, codes: Tensor) -> Tensor:
        """Tokens (N, W) of parts (N,) and codes (N,), both int64."""
        return self.projection(self.raw[parts, codes] + self.position[parts])

    def projected(self) -> Tensor:
        """All tokens: (M, K, W)."""
        return self.projection(self.raw + self.position[:, None])

    def of_choices(self, choices: Sequence[Choice]) -> Tensor:
        """Tokens (N, W) of choices; a strength other than 1 moves the token along the line from its
        part's mean token. Raises :class:`UserError` for a part or code these tokens do not have."""
        parts, codes, _ = self.raw.shape
        for choice in choices:
            if not (0 <= choice.part < parts and 0 <= choice.code < codes):
                raise UserError(
                    f"Part {choice.part} with code {choice.code} is not in this pack.",
                    f"It has parts 0 to {parts - 1} and codes 0 to {codes - 1}; choose again from its references.",
                )
        device = self.embedding.device
        part = torch.tensor([choice.part for choice in choices], device=device, dtype=torch.long)
        code = torch.tensor([choice.code for choice in choices], device=device, dtype=torch.long)
        tokens = self(part, code)
        if all(choice.strength == 1.0 for choice in choices):
            return tokens
        strength = torch.tensor([choice.strength for choice in choices], device=device, dtype=tokens.dtype)
        mean = self.projected().mean(dim=1)[part]
        return torch.where(strength[:, None] == 1.0, tokens, mean + strength[:, None] * (tokens - mean))

    def tensors(self, encoder: str = FIRST_ENCODER) -> dict[str, Tensor]:
        """What ``tokens.safetensors`` keeps for one text encoder: ``<encoder>.raw`` (M, K, W),
        ``.position`` (M, W), ``.projection.<i>.weight|bias`` and, for other tools, ``.projected`` (M, K, W)."""
        tensors = {"raw": self.raw, "position": self.position, "projected": self.projected()}
        tensors |= {f"projection.{name}": value for name, value in self.projection.state_dict().items()}
        return {f"{encoder}.{name}": value.detach().cpu().contiguous() for name, value in tensors.items()}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], encoder: str = FIRST_ENCODER) -> PartTokens:
        """The opposite of :meth:`tensors`, in float32. ``projected`` alone is enough to render.
        Raises ``ValueError`` when the tensors are missing or do not fit together."""
        own = f"{encoder}."
        own_tensors = {name.removeprefix(own): value for name, value in tensors.items() if name.startswith(own)}
        for name, value in own_tensors.items():
            if not torch.isfinite(value.float()).all():
                raise ValueError(f"{encoder}.{name} holds something that is no number")
        raw = own_tensors.get("raw", own_tensors.get("projected"))
        if raw is None or raw.ndim != 3 or raw.shape[1] < 1:
            raise ValueError(f"no tokens for {encoder}")
        projection = {
            name.removeprefix("projection."): v for name, v in own_tensors.items() if name.startswith("projection")
        }
        tokens = cls(*raw.shape, layers=len(projection) // 2 if "raw" in own_tensors else 0)
        position = own_tensors.get("position") if "raw" in own_tensors else None
        state = {f"projection.{name}": value for name, value in projection.items()} if "raw" in own_tensors else {}
        state |= {"embedding": raw, "position": torch.zeros_like(tokens.position) if position is None else position}
        try:
            tokens.load_state_dict({name: value.float() for name, value in state.items()})
        except RuntimeError as error:
            raise ValueError(f"the tokens for {encoder} do not fit together") from error
        return tokens

    @classmethod
    def load(cls, path: Path, encoder: str = FIRST_ENCODER) -> PartTokens:
        """Read one text encoder's tokens of a ``tokens.safetensors``. Raises :class:`UserError` if it is missing,
        damaged or of wrong shapes."""
        return _read(path, lambda tensors: cls.from_tensors(tensors, encoder))


class TokenSet(nn.Module):
    """The tokens of a base model with several text encoders (SDXL): a :class:`PartTokens` for each, by its name."""

    def __init__(self, sets: Mapping[str, PartTokens]) -> None:
        super().__init__()
        self.sets = nn.ModuleDict(dict(sets))

    @property
    def widths(self) -> tuple[int, ...]:
        """How wide the tokens of each encoder are."""
        return tuple(tokens.width for tokens in self._by_encoder().values())

    def of(self, encoder: str) -> PartTokens:
        """The tokens of a text encoder. Raises :class:`UserError` if it has none here."""
        tokens = self._by_encoder().get(encoder)
        if tokens is None:
            raise _other_base()
        return tokens

    def tensors(self) -> dict[str, Tensor]:
        """What ``tokens.safetensors`` keeps for all of them (see :meth:`PartTokens.tensors`)."""
        return {
            name: value for key, tokens in self._by_encoder().items() for name, value in tokens.tensors(key).items()
        }

    def _by_encoder(self) -> dict[str, PartTokens]:
        return {name: tokens for name, tokens in self.sets.items() if isinstance(tokens, PartTokens)}


Tokens = PartTokens | TokenSet
"""The tokens of a pack: of one text encoder, or of several."""


def load_tokens(path: Path) -> Tokens:
    """Read all of a ``tokens.safetensors``. Raises :class:`UserError` if it is missing, damaged or of wrong shapes."""

    def each(tensors: dict[str, Tensor]) -> Tokens:
        names = sorted({name.partition(".")[0] for name in tensors})
        if names == [FIRST_ENCODER]:
            return PartTokens.from_tensors(tensors)
        return TokenSet({name: PartTokens.from_tensors(tensors, name) for name in names})

    return _read(path, each)


def _read(path: Path, make: Callable[[dict[str, Tensor]], _T]) -> _T:
    try:
        # Cloned: a mapped file's tensors are aligned otherwise, and vectorised sums then round otherwise.
        return make({name: tensor.clone() for name, tensor in load_file(plain_file(path)).items()})
    except FileNotFoundError as error:
        raise UserError(
            f"{path.name} is missing from {path.parent.name}.", "Train the pack, or get it again."
        ) from error
    except Exception as error:
        raise UserError(f"The tokens of {path.parent.name} cannot be read: {error}.", "Get the pack again.") from error


def _other_base() -> UserError:
    return UserError(
        "The pack's tokens were learned for a base model with other text encoders.",
        "Choose the base model the pack was trained for.",
    )
