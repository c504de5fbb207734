"""From a prompt with part tokens to the states of one text encoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.core.add_on_words import word_pattern
from engine.core.errors import UserError
from engine.core.recipe import Prompt
from engine.core.unicode_text import unicode_text
from engine.core.vocabulary import Choice
from engine.models.part_tokens import FIRST_ENCODER, PartTokens
from engine.models.placement import device_of


@dataclass(frozen=True, eq=False)
class WordVectors:
    """A word and what it says: ``vectors`` (n, W) by the text encoder's name, n the same for all."""

    word: str
    vectors: Mapping[str, Tensor]

    @property
    def length(self) -> int:
        """How many places of a prompt it takes."""
        return next(iter(self.vectors.values())).shape[0]

    def times(self, weight: float) -> WordVectors:
        """The same, stronger or weaker."""
        if weight == 1:
            return self
        return WordVectors(self.word, {name: vector * weight for name, vector in self.vectors.items()})


@dataclass(frozen=True)
class TokenizedPrompt:
    """A tokenised prompt: ``ids`` fill the encoder's length; ``places`` say where which choice stands; ``end`` is the
    place of the end token; ``words`` where which vector of whose embedding stands.

    At those places ``ids`` has 0. Any small number would do: the vector is replaced, and a small id
    keeps encoders that pool at the *largest* id (``eos_token_id: 2`` in SD 1.5 and SDXL) at the real end token.
    """

    ids: tuple[int, ...]
    places: tuple[tuple[int, Choice], ...]
    end: int
    words: tuple[tuple[int, WordVectors, int], ...] = ()

    def padded(self, pad: int) -> TokenizedPrompt:
        """The same with another word behind its end: text encoders were taught different ones."""
        behind = len(self.ids) - self.end - 1
        return TokenizedPrompt((*self.ids[: self.end + 1], *[pad] * behind), self.places, self.end, self.words)

    def column_of(self, part: int) -> int:
        """The place of a part's first choice, or -1."""
        return next((place for place, choice in self.places if choice.part == part), -1)


def tokenize_prompt(
    prompt: Prompt, tokenizer: Any, length: int = 77, embeddings: Sequence[WordVectors] = ()
) -> TokenizedPrompt:
    """Tokenise words and choices to ``length`` ids, start and end token included; words of embeddings take as many
    places as they have vectors.

    Words beyond the length are cut as in every CLIP pipeline. Raises :class:`UserError` when a choice or an embedding
    would be cut, because the picture would silently lack it.
    """
    ids: list[int] = []
    places: list[tuple[int, Choice]] = []
    words: list[tuple[int, WordVectors, int]] = []
    by_word = {embedding.word.casefold(): embedding for embedding in embeddings}
    pattern = word_pattern(by_word)
    for piece in prompt:
        if isinstance(piece, Choice):
            places.append((len(ids) + 1, piece))
            ids.append(0)
            continue
        # Split at a pattern with one group: plain text and words in turn.
        for index, text in enumerate(pattern.split(piece) if pattern else [piece]):
            if index % 2:
                embedding = by_word[text.casefold()]
                words += [(len(ids) + 1 + row, embedding, row) for row in range(embedding.length)]
                ids += [0] * embedding.length
            elif text.strip() or not pattern:
                ids += tokenizer(unicode_text(text), add_special_tokens=False, verbose=False).input_ids
    room = length - 2
    if words and words[-1][0] > room:
        raise UserError(
            f"The prompt is too long: the embedding “{words[-1][1].word}” would be cut off.",
            f"Shorten the words before it; there is room for {room} word pieces, vectors and parts.",
        )
    if places and places[-1][0] > room:
        lost = sum(place > room for place, _ in places)
        raise UserError(
            f"The prompt is too long: {lost} of {len(places)} chosen parts would be cut off.",
            f"Shorten the words before them; there is room for {room} word pieces and parts.",
        )
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    ids = [tokenizer.bos_token_id, *ids[:room], tokenizer.eos_token_id]
    return TokenizedPrompt((*ids, *[pad] * (length - len(ids))), tuple(places), len(ids) - 1, tuple(words))


@contextmanager
def embeddings_replaced(text_encoder: nn.Module, rows: Tensor, columns: Tensor, vectors: Tensor) -> Iterator[None]:
    """While open, the encoder's token embedding returns ``vectors`` (N, W) at ``[rows, columns]`` (N,), (N,)."""

    def put(_module: nn.Module, _inputs: Any, embedded: Tensor) -> Tensor:
        return embedded.index_put((rows, columns), vectors.to(embedded.dtype))

    handle = text_encoder.get_input_embeddings().register_forward_hook(put)  # type: ignore[operator]
    try:
        yield
    finally:
        handle.remove()


@dataclass(frozen=True)
class EncodedPrompt:
    """What a UNet is told: ``hidden`` (B, T, W) and ``pooled`` (B, P), the state at the end token, projected where the
    encoder has a projection. Only SDXL's looks at the latter."""

    hidden: Tensor
    pooled: Tensor


def encode_tokenized(
    sentences: Sequence[TokenizedPrompt],
    text_encoder: Any,
    tokens: PartTokens | None,
    layer: int | None = None,
    name: str = FIRST_ENCODER,
) -> EncodedPrompt:
    """Encode sentences of one length; differentiable in the tokens.

    ``name`` is the encoder's, by which embeddings have their vectors.
    ``hidden`` is the encoder's last state after its final norm, or what ``layer`` (such as -2) gives, before it.
    ``pooled`` is taken at the real end token: encoders with ``eos_token_id: 2`` look for the largest id instead, which
    a token added to the tokenizer would be. Raises :class:`UserError` when the tokens are not as wide as the encoder,
    or when there are choices but no tokens.
    """
    embeddings = text_encoder.get_input_embeddings().weight
    device = device_of(text_encoder)
    ids = torch.tensor([sentence.ids for sentence in sentences], device=device)
    placed = [(row, place, choice) for row, sentence in enumerate(sentences) for place, choice in sentence.places]
    spoken = [(row, *word) for row, sentence in enumerate(sentences) for word in sentence.words]
    states = layer is not None
    replaced: list[Tensor] = [embedding.vectors[name][at].to(device)[None] for _, _, embedding, at in spoken]
    if placed:
        if tokens is None:
            raise UserError("This pack has no tokens yet.", "Train it before rendering its parts.")
        if tokens.width != embeddings.shape[1]:
            raise UserError(
                f"The pack's tokens are {tokens.width} wide, the base model's words {embeddings.shape[1]}.",
                "Choose the base model the pack was trained for.",
            )
        replaced.insert(0, tokens.of_choices([choice for _, _, choice in placed]).to(device))
    if not replaced:
        output = text_encoder(ids, output_hidden_states=states)
    else:
        at = [(row, place) for row, place, *_ in (*placed, *spoken)]
        rows, columns = torch.tensor(at, device=device).T
        with embeddings_replaced(text_encoder, rows, columns, torch.cat(replaced)):
            output = text_encoder(ids, output_hidden_states=states)
    last = output.last_hidden_state
    ends = torch.tensor([sentence.end for sentence in sentences], device=device)
    pooled = last[torch.arange(len(sentences), device=device), ends]
    projection = getattr(text_encoder, "text_projection", None)
    hidden = last if layer is None else output.hidden_states[layer]
    return EncodedPrompt(hidden, pooled if projection is None else projection(pooled))


def word_embeddings(words: Sequence[str], tokenizer: Any, text_encoder: Any) -> Tensor:
    """The mean token embedding of each word or phrase: (N, W). A place to start tokens from."""
    table = text_encoder.get_input_embeddings().weight.detach()
    rows = []
    for word in words:
        ids = tokenizer(unicode_text(word), add_special_tokens=False).input_ids
        rows.append(table[ids].mean(dim=0) if ids else table.mean(dim=0))
    return torch.stack(rows).float()
