"""How long a prompt is, is counted as the engine counts it, and said before it is cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from engine.__main__ import main
from engine.core.paths import starter_pack
from engine.core.recipe import Prompt
from engine.core.unicode_text import unicode_text
from engine.core.vocabulary import Choice
from engine.models.components import load_tokenizer
from engine.models.text_encoding import tokenize_prompt
from engine.packs.pack import BaseModel, Pack
from engine.packs.prompt_room import PromptRoom, prompt_warning, room_of
from tests.engine.tiny import make_tokenizer

PIECES = st.lists(st.one_of(st.text(max_size=40), st.builds(Choice, st.integers(0, 3), st.integers(0, 3))), max_size=8)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("room") / "base"
    make_tokenizer().save_pretrained(folder / "tokenizer")
    (folder / "text_encoder").mkdir()
    (folder / "text_encoder/config.json").write_text('{"max_position_embeddings": 77}')
    return folder


@pytest.fixture(scope="module")
def two_files(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As Stable Diffusion's own tokenizers are kept: words and merges, a few of them."""
    folder = tmp_path_factory.mktemp("room") / "base" / "tokenizer"
    folder.mkdir(parents=True)
    words: dict[str, int] = json.loads((base / "tokenizer/tokenizer.json").read_text())["model"]["vocab"]
    merges = ["b i", "r d</w>", "bi rd</w>", "a n", "t h", "th e</w>"]
    for pair in merges:
        words["".join(pair.split())] = len(words)
    (folder / "vocab.json").write_text(json.dumps(words))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 77}))
    return folder.parent


def opened(folder: Path) -> tuple[PromptRoom, Any]:
    room = room_of(BaseModel(str(folder)))
    assert room is not None and room.room == 75
    return room, load_tokenizer(folder / "tokenizer")


@given(PIECES)
def test_it_counts_as_the_engine_does(base: Path, two_files: Path, pieces: list[Any]) -> None:
    for folder in (base, two_files):
        room, tokenizer = opened(folder)
        sentence = tokenize_prompt(tuple(pieces), tokenizer, 1000)
        assert room.taken(tuple(pieces)) == sentence.end - 1


def test_words_in_pieces_of_many_letters(two_files: Path) -> None:
    room, tokenizer = opened(two_files)
    assert isinstance(tokenizer, CLIPTokenizer)
    assert room.taken(("The bird and the BIRDS",)) == len(tokenizer("The bird and the BIRDS").input_ids) - 2
    assert room.taken(("the bird",)) == 2


def test_where_it_is_cut_is_said(base: Path) -> None:
    room, tokenizer = opened(base)
    head = Choice(0, 1)
    fits: Prompt = ("a" * 40, head, "b" * 34)
    assert room.taken(fits) == 75 and prompt_warning(room, fits) == "" and room.cut_at(fits) is None
    long: Prompt = (head, " ab" * 40, " and no more")
    said = prompt_warning(room, long)
    assert said == "This model reads 75 word pieces and parts, the prompt has 90: it stops before “ab ab ab”."
    assert tokenize_prompt(long, tokenizer).end == 76
    assert prompt_warning(room, ("c" * 70 + " d" * 50,)).endswith("stops before “d d d d d d d d d d d d…”.")
    assert prompt_warning(room, ("a" * 75, head)).endswith("not all of its parts fit.")
    assert prompt_warning(None, long) == "" and prompt_warning(room, ()) == ""
    assert "\ud83d" not in prompt_warning(room, ("a" * 75 + " \ud83d",))
    assert unicode_text(prompt_warning(room, ("a" * 75 + " \ud83d",)))


@pytest.mark.parametrize("spoil", ["gone", "empty", "text", "pipe"])
def test_where_nothing_is_known_nothing_is_said(spoil: str, base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "base" / "tokenizer"
    folder.mkdir(parents=True)
    if spoil != "gone":
        (folder / "tokenizer.json").write_text("" if spoil == "empty" else "no tokenizer")
    assert room_of(BaseModel(str(folder.parent))) is None
    assert room_of(BaseModel("nobody/nothing")) is None


def test_the_starter_says_its_room() -> None:
    pack = Pack.open(starter_pack())
    room = room_of(pack.base_model)
    assert room is not None and 8 < room.room <= 75
    assert 0 < room.taken(("a photo of a bird",)) <= 8


@pytest.mark.parametrize("option", ["prompt", "--negative"])
def test_the_command_line_warns(option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = " ".join(["bird"] * 120)
    asked = [words] if option == "prompt" else ["a bird", option, words]
    out = ["--out", str(tmp_path), "--steps", "1"]
    assert main(["render", *asked, *out, "--seed", "1"]) == 0
    said = capsys.readouterr().err
    assert "word pieces and parts, the prompt has 120: it stops before “bird bird" in said
    assert main(["render", "a bird", *out, "--seed", "1"]) == 0
    assert "word pieces" not in capsys.readouterr().err
