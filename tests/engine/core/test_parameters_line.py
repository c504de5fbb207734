"""The line for other programs: nothing in it reads as a network, and it reads back."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.parameters_line import parameters_line, read_parameters
from engine.core.part_words import from_part_words, part_words, to_part_words
from engine.core.recipe import Prompt, Recipe
from engine.core.vocabulary import Choice
from tests.fakes import make_vocabulary

WORDS = make_vocabulary()
NETWORK = re.compile(r"<(\w+):([^>]+)>")
"""What A1111 takes out of a prompt as a network of its own."""


def test_choices_are_words_and_read_back() -> None:
    prompt = ("a photo of a ", Choice(3, 0), " ", Choice(1, 3, 0.8), " bird, 12:30 (red)")
    text = to_part_words(prompt, WORDS)
    assert text == "a photo of a head-Cardinal (wing-Ёжик:0.8) bird, 12:30 (red)"
    assert from_part_words(text, WORDS) == prompt


choices = st.builds(
    Choice,
    st.integers(0, len(WORDS.parts) - 1),
    st.integers(0, WORDS.codes_per_part - 1),
    st.sampled_from([1.0, 0.25, 2.0]),
)


@given(st.lists(choices | st.sampled_from(["a photo of a", "bird", "(x:1.2)", "<b>", "-", " and "]), max_size=6))
def test_every_prompt_reads_back_but_for_spaces(pieces: list[str | Choice]) -> None:
    prompt: Prompt = tuple(pieces)
    text = to_part_words(prompt, WORDS)
    assert not NETWORK.search(text)
    again = from_part_words(text, WORDS)

    def choices_of(prompt: Prompt) -> list[Choice]:
        return [piece for piece in prompt if isinstance(piece, Choice)]

    def letters(prompt: Prompt) -> str:
        return "".join("".join(piece.split()) for piece in prompt if isinstance(piece, str))

    assert choices_of(again) == choices_of(prompt) and letters(again) == letters(prompt)


def test_names_that_differ_in_signs_only_and_numbers_beyond_the_vocabulary_are_told_apart() -> None:
    same = replace(WORDS, code_names=(("a b", "A_b", "a  b", *[""] * (WORDS.codes_per_part - 3)),) * len(WORDS.parts))
    assert len({word.casefold() for word in part_words(same).values()}) == len(WORDS.parts) * WORDS.codes_per_part
    for prompt in ((Choice(0, 1), " ", Choice(0, 2)), (Choice(77, 3), ", ", Choice(0, 99, 0.5))):
        assert from_part_words(to_part_words(prompt, same), same) == prompt
    assert from_part_words(to_part_words((Choice(2, 16),))) == (Choice(2, 16),)


@pytest.mark.parametrize("typed", ["<lora:x:1>", "\\<head:3>", "<<head:Cardinal>"])
def test_words_that_look_like_a_network_are_kept_from_being_one(typed: str) -> None:
    assert not NETWORK.search(to_part_words((typed,), WORDS))


def test_a_whole_line_reads_back() -> None:
    prompt = ("a ", Choice(3, 0), " bird,\non a twig")
    recipe = Recipe("", prompt, "blurry, <wing:Ёжик>", seed=7, steps=9, guidance=3.5)
    text = parameters_line(recipe, (64, 64), WORDS, "some/base, v2", "Euler a")
    assert not NETWORK.search(text) and "Sampler: Euler a" in text and "Model: some/base  v2" in text
    assert read_parameters(text, WORDS) == replace(recipe, size=64)
    assert read_parameters(parameters_line(recipe, (64, 48), WORDS), WORDS) == recipe
    assert read_parameters("a bird", WORDS) is None
    wild = read_parameters("a bird\nSteps: 99999999, Seed: -1, CFG scale: nan", WORDS)
    assert wild == Recipe("", ("a bird",))
