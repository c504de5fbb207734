"""Part tokens: strength, files, the length of a prompt, and the place where CLIP pools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from engine.core.errors import UserError
from engine.core.unicode_text import unicode_text
from engine.core.vocabulary import Choice
from engine.models.part_tokens import PartTokens
from engine.models.text_encoding import embeddings_replaced, encode_tokenized, tokenize_prompt, word_embeddings
from tests.engine.tiny import WIDTH


@pytest.fixture(scope="module")
def words(tiny_world: Path, models: Any) -> Any:
    return models.pipeline(str(tiny_world / "base"))


@given(st.floats(0, 2), st.integers(0, 2), st.integers(0, 3))
def test_strength_moves_along_the_line_from_the_mean(strength: float, part: int, code: int) -> None:
    torch.manual_seed(0)
    tokens = PartTokens(3, 4, 8)
    with torch.no_grad():
        plain, moved = tokens.of_choices([Choice(part, code), Choice(part, code, strength)])
        mean = tokens.projected()[part].mean(dim=0)
    torch.testing.assert_close(moved, mean + strength * (plain - mean))
    if strength == 1.0:
        assert torch.equal(moved, plain)


def test_files_keep_tokens_and_what_made_them(tmp_path: Path) -> None:
    tokens = PartTokens(3, 4, 8, layers=2)
    save_file(tokens.tensors(), tmp_path / "tokens.safetensors")
    again = PartTokens.load(tmp_path / "tokens.safetensors")
    assert torch.equal(again.projected(), tokens.projected())
    save_file(
        {"text_encoder.projected": tokens.tensors()["text_encoder.projected"]}, tmp_path / "projected.safetensors"
    )
    alone = PartTokens.load(tmp_path / "projected.safetensors")
    torch.testing.assert_close(alone.projected(), tokens.projected())


@pytest.mark.parametrize(
    "tensors",
    [
        {"other": torch.zeros(2)},
        {"text_encoder.raw": torch.zeros(3, 8)},
        {"text_encoder.raw": torch.zeros(3, 4, 8), "text_encoder.position": torch.zeros(2, 8)},
    ],
)
def test_wrong_files_are_told(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file(tensors, tmp_path / "tokens.safetensors")
    with pytest.raises(UserError, match="cannot be read"):
        PartTokens.load(tmp_path / "tokens.safetensors")
    with pytest.raises(UserError, match="missing"):
        PartTokens.load(tmp_path / "none.safetensors")
    (tmp_path / "tokens.safetensors").write_bytes(b"short")
    with pytest.raises(UserError, match="cannot be read"):
        PartTokens.load(tmp_path / "tokens.safetensors")


@pytest.mark.parametrize("text", ["\ud83d", "caf\udce9 bird", "\ude00\ud83d"])
def test_words_that_are_no_unicode_are_told_like_others(words: Any, text: str) -> None:
    assert tokenize_prompt((text,), words.tokenizer) == tokenize_prompt((unicode_text(text),), words.tokenizer)
    assert word_embeddings([text], words.tokenizer, words.text_encoder).isfinite().all()


def test_words_may_be_cut_but_chosen_parts_may_not(words: Any) -> None:
    long = "bird " * 80
    sentence = tokenize_prompt((Choice(0, 1), long), words.tokenizer)
    assert len(sentence.ids) == 77 and sentence.ids[-1] == words.tokenizer.eos_token_id
    with pytest.raises(UserError, match="1 of 2 chosen parts"):
        tokenize_prompt((Choice(0, 1), long, Choice(1, 1)), words.tokenizer)
    fits = tokenize_prompt(tuple(Choice(0, 1) for _ in range(75)), words.tokenizer)
    assert len(fits.places) == 75
    with pytest.raises(UserError, match="1 of 76"):
        tokenize_prompt(tuple(Choice(0, 1) for _ in range(76)), words.tokenizer)


def test_the_pooled_state_is_the_end_tokens_whatever_the_config_says(words: Any) -> None:
    """Configs with eos_token_id 2 pool at the largest id, which an added token's would be."""
    config = CLIPTextConfig.from_dict({**words.text_encoder.config.to_dict(), "eos_token_id": 2})
    old = CLIPTextModel(config).eval()
    old.load_state_dict(words.text_encoder.state_dict())
    sentence = tokenize_prompt(("a ", Choice(0, 1), " bird"), words.tokenizer)
    end = sentence.ids.index(words.tokenizer.eos_token_id)
    tokens = PartTokens(1, 2, WIDTH)
    with torch.no_grad():
        for encoder in (old, words.text_encoder):
            encoded = encode_tokenized([sentence], encoder, tokens)
            torch.testing.assert_close(encoded.pooled[0], encoded.hidden[0, end])


def test_only_the_tokens_said_learn(words: Any) -> None:
    tokens = PartTokens(3, 4, WIDTH, layers=0)
    sentences = [
        tokenize_prompt(("a ", Choice(2, 1)), words.tokenizer),
        tokenize_prompt((Choice(0, 3), "b"), words.tokenizer),
    ]
    encode_tokenized(sentences, words.text_encoder, tokens).hidden.square().sum().backward()
    assert tokens.embedding.grad is not None
    learned = tokens.embedding.grad.abs().sum(-1).nonzero().tolist()
    assert learned == [[0, 3], [2, 1]]


def test_the_encoder_is_left_as_it_was(words: Any) -> None:
    sentence = tokenize_prompt(("a bird",), words.tokenizer)
    with torch.no_grad():
        before = encode_tokenized([sentence], words.text_encoder, None).hidden
        row = torch.tensor([0])
        with pytest.raises(RuntimeError), embeddings_replaced(words.text_encoder, row, row, torch.zeros(1, WIDTH)):
            raise RuntimeError
        assert torch.equal(encode_tokenized([sentence], words.text_encoder, None).hidden, before)


def test_tokens_that_do_not_fit_are_told(words: Any) -> None:
    sentence = tokenize_prompt((Choice(0, 1),), words.tokenizer)
    with pytest.raises(UserError, match="no tokens yet"):
        encode_tokenized([sentence], words.text_encoder, None)
    with pytest.raises(UserError, match="16 wide"):
        encode_tokenized([sentence], words.text_encoder, PartTokens(1, 2, 16))
    with pytest.raises(UserError, match="not in this pack"):
        encode_tokenized([sentence], words.text_encoder, PartTokens(1, 1, WIDTH))


def test_tokens_can_start_around_words(words: Any) -> None:
    around = word_embeddings(["head", "wing"], words.tokenizer, words.text_encoder)
    assert not torch.equal(around[0], around[1])
    tokens = PartTokens(2, 5, WIDTH, around=around, spread=1e-6)
    torch.testing.assert_close(tokens.projected(), around[:, None].expand(-1, 5, -1), rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match="one layer"):
        PartTokens(2, 5, WIDTH, layers=2, around=around)
