"""Words that a base model was not taught are told: in prompts and negative prompts, and only where it says what it was
taught."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.aviary.captions import taught_words
from engine.core.add_on import EMBEDDING, AddOn
from engine.core.paths import starter_pack
from engine.core.recipe import Recipe
from engine.core.start import Start
from engine.core.vocabulary import Choice
from engine.packs.known_words import KnownWords, known_words_of, unknown_words_notes
from engine.packs.pack import BaseModel, Pack
from engine.packs.prompt_notes import several_notes
from engine.packs.prompt_room import room_of
from tests.fakes import make_pack

STARTER = BaseModel("starter/base")


@pytest.fixture
def known() -> KnownWords:
    known = known_words_of(STARTER)
    assert known is not None
    return known


def test_the_starters_words_are_those_of_its_captions(known: KnownWords) -> None:
    assert known.words == taught_words() and len(known.words) > 80
    room = room_of(STARTER)
    assert room is not None and room.known == known


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("a close-up photo of the Bird", ()),
        ("two birds with red wings and a striped tail", ("two",)),
        ("a cat at night, a CAT", ("cat", "night")),
        ("the bird's head, one leg", ("one",)),
        ("a photo of a bird, 12:30, 4k", ("k",)),
        ("鳥 птица", ("鳥", "птица")),
    ],
)
def test_what_it_does_not_know(known: KnownWords, text: str, unknown: tuple[str, ...]) -> None:
    assert known.unknown(text) == unknown


def test_prompt_and_negative_prompt_are_told_apart_and_add_ons_are_known(known: KnownWords) -> None:
    recipe = Recipe("starter", ("a cat at night ", Choice(0, 1), " by sunny"), "blurry, bird, <head:Jay>")
    assert unknown_words_notes(known, recipe) == (
        "The starter paints birds only: it does not know “cat”, “night”, “sunny”.",
        "The starter does not know “blurry” in the negative prompt.",
    )
    added = replace(recipe, add_ons=(AddOn(EMBEDDING, "sunny.safetensors"),), negative="")
    assert unknown_words_notes(known, added) == ("The starter paints birds only: it does not know “cat”, “night”.",)
    many = replace(recipe, prompt=("one two three four five six",), negative="")
    assert unknown_words_notes(known, many)[0].endswith("“one”, “two”, “three”, “four” and 2 more.")


def test_nothing_is_said_of_a_base_that_does_not_say_what_it_knows(tmp_path: Path) -> None:
    assert known_words_of(BaseModel(str(tmp_path))) is None
    assert unknown_words_notes(None, Recipe("any", ("a cat",))) == ()
    (tmp_path / "known_words.json").write_text('{"name": "x", "paints": 3, "words": []}')
    assert known_words_of(BaseModel(str(tmp_path))) is None


def test_two_kinds_of_a_part_are_told_and_the_same_twice_is_not(tmp_path: Path) -> None:
    pack = make_pack(tmp_path / "birds")
    head = pack.vocabulary.find_part("head")
    assert head is not None
    two = pack.new_recipe((Choice(head.index, 1), " and ", Choice(head.index, 2)))
    assert several_notes(pack, two) == ("Two kinds of head are said: they will be mixed into one.",)
    assert (
        several_notes(pack, replace(two, start=Start(0.4))) == () != several_notes(pack, replace(two, start=Start(0.7)))
    )
    other = replace(pack, base_model=BaseModel("stable-diffusion"))
    assert several_notes(other, two) == ("Two kinds of head are said: they may be mixed into one.",)
    assert several_notes(pack, replace(two, prompt=(Choice(head.index, 1), Choice(head.index, 1)))) == ()
    assert several_notes(Pack.open(starter_pack()), pack.new_recipe(("two heads",))) == ()
