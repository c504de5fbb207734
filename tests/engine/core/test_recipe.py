"""Recipes as values, and PNGs that remember them."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from engine.core.atomic_files import write_whole
from engine.core.errors import UserError
from engine.core.parameters_line import parameters_line
from engine.core.png_metadata import CHUNK, read_creation, save_creation
from engine.core.recipe import Arrival, Prompt, Recipe
from engine.core.vocabulary import ABSENT, Choice
from tests.fakes import make_vocabulary

WORDS = make_vocabulary()
HEAD, WING = Choice(3, 0, 1.0, "cardinal-1"), Choice(1, 3, 0.8, "ёжик")
RECIPE = Recipe("fake-birds", ("a photo of a ", HEAD, " ", WING, " bird, 朝"), "blurry, 暗い", 7, 4, 20, 3.5, 128)

recipes = st.builds(
    Recipe,
    pack=st.text(),
    prompt=st.lists(
        st.one_of(
            st.text(min_size=1), st.builds(Choice, st.integers(0, 9), st.integers(0, 99), st.floats(0, 2), st.text())
        )
    ).map(lambda pieces: Recipe.from_json(Recipe("", tuple(pieces)).to_json()).prompt),
    negative=st.text(),
    seed=st.integers(0, 2**63 - 1),
    count=st.integers(1, 1024),
    steps=st.integers(1, 1000),
    guidance=st.floats(0, 100),
    size=st.integers(0, 8192),
    extra=st.dictionaries(st.text(min_size=1).map("x-".__add__), st.integers() | st.text(), max_size=3),
)


# As values


@given(recipes)
def test_json_reads_back(recipe: Recipe) -> None:
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_a_newer_recipe_keeps_what_this_version_does_not_know() -> None:
    document = {**json.loads(RECIPE.to_json()), "version": 9, "upscale": {"by": 4}}
    recipe = Recipe.from_json(json.dumps(document))
    assert recipe == replace(RECIPE, extra={"upscale": {"by": 4}})
    assert json.loads(recipe.to_json())["upscale"] == {"by": 4}


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda one: st.lists(one) | st.dictionaries(
    st.sampled_from(["pack", "prompt", "seed", "part", "code", "strength", "steps"]), one)))  # fmt: skip
def test_any_json_is_a_recipe_or_a_value_error(document: object) -> None:
    try:
        recipe = Recipe.from_json(json.dumps(document))
    except ValueError:
        return
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_choices_go_before_the_noun_and_after_each_other() -> None:
    recipe = Recipe("p", ("a photo of a bird",)).with_choice(HEAD, "bird").with_choice(WING, "bird")
    assert recipe.prompt == ("a photo of a ", HEAD, " ", WING, " bird")
    other = replace(HEAD, code=5)
    assert recipe.with_choice(other, "bird").prompt == ("a photo of a ", other, " ", WING, " bird")
    assert recipe.without(3).without(1).prompt == ("a photo of a bird",)
    assert recipe.choice_of(1) == WING and recipe.choice_of(4) is None


@pytest.mark.parametrize(
    ("prompt", "left"),
    [
        (("a bird with ", HEAD, " and ", WING), ("a bird with ", WING)),
        (("a bird with ", WING, " and ", HEAD), ("a bird with ", WING)),
        (("a bird with ", WING, ", ", HEAD, " and a crown"), ("a bird with ", WING, " and a crown")),
        (("a ", HEAD, ", ", WING, " bird"), ("a ", WING, " bird")),
        (("a ", WING, ", ", HEAD, " bird"), ("a ", WING, " bird")),
        (("a bird like ", HEAD, ", at sea."), ("a bird like, at sea.",)),
        (("a ", WING, " ", HEAD, "."), ("a ", WING, ".")),
        ((HEAD, " on sand"), ("on sand",)),
        (("sand and ", HEAD, " band"), ("sand band",)),
        (("a  wide   ", HEAD, " sky, and  sea"), ("a  wide sky, and  sea",)),
    ],
)
def test_taking_a_choice_out_leaves_tidy_words(prompt: Prompt, left: Prompt) -> None:
    assert Recipe("p", prompt).without(HEAD.part).prompt == left


# In a PNG


def saved(folder: Path, recipe: Recipe = RECIPE) -> Path:
    receipt = (Arrival(3, 0, 0, 0.9), Arrival(1, 3, ABSENT, -0.25))
    path = folder / "creation.png"
    creation = save_creation(Image.new("RGB", (64, 48), "red"), path, recipe, receipt, WORDS, "starter/base", "LCM")
    assert creation == read_creation(path)
    return path


def test_a_png_remembers_its_recipe_and_receipt(tmp_path: Path) -> None:
    creation = read_creation(saved(tmp_path))
    assert creation.recipe == replace(RECIPE, count=1)
    assert [arrival.arrived for arrival in creation.receipt] == [True, False]
    assert creation.created and creation.path == str(tmp_path / "creation.png")


def test_the_chunks_are_what_other_programs_read(tmp_path: Path) -> None:
    with Image.open(saved(tmp_path)) as picture:
        assert isinstance(picture, PngImagePlugin.PngImageFile)
        text = picture.text
    document = json.loads(text["partcraft"])
    assert document["names"] == {"3:0": ["head", "Cardinal"], "1:3": ["wing", "Ёжик"]}
    assert text["parameters"].split("\n") == [
        "a photo of a head-Cardinal (wing-Ёжик:0.8) bird, 朝",
        "Negative prompt: blurry, 暗い",
        "Steps: 20, Sampler: LCM, CFG scale: 3.5, Seed: 7, Size: 64x48, Model: starter/base",
    ]


def test_a_choice_outside_the_vocabulary_is_saved_without_a_name(tmp_path: Path) -> None:
    recipe = Recipe("p", (Choice(77, 3), Choice(3, 99), HEAD))
    save_creation(Image.new("RGB", (4, 4)), tmp_path / "a.png", recipe, (), WORDS)
    assert read_creation(tmp_path / "a.png").recipe == recipe


def test_parameters_without_negative_prompt_or_model() -> None:
    assert parameters_line(Recipe("p", ("a",)), (8, 8)) == "a\nSteps: 20, CFG scale: 3, Seed: 0, Size: 8x8"


def test_a_recipe_survives_other_programs_that_keep_text(tmp_path: Path) -> None:
    path = saved(tmp_path)
    with Image.open(path) as picture:
        assert isinstance(picture, PngImagePlugin.PngImageFile)
        info = PngImagePlugin.PngInfo()
        for key, value in picture.text.items():
            info.add_text(key, str(value))  # as tEXt or zTXt where Latin, iTXt where not
        picture.save(tmp_path / "again.png", pnginfo=info)
    assert read_creation(tmp_path / "again.png").recipe == replace(RECIPE, count=1)


@pytest.mark.parametrize(
    ("chunk", "said"),
    [(None, "no recipe"), ("{", "cannot be read"), ("[]", "cannot be read"), ('{"recipe": {}}', "cannot be read"),
     ('{"recipe": {"pack": "p"}, "receipt": [1, {"part": 0}], "created": 3}', "")],
)  # fmt: skip
def test_a_png_with_a_strange_chunk(tmp_path: Path, chunk: str | None, said: str) -> None:
    info = PngImagePlugin.PngInfo()
    if chunk is not None:
        info.add_itxt("partcraft", chunk)
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png", pnginfo=info)
    if said:
        with pytest.raises(UserError, match=said):
            read_creation(tmp_path / "a.png")
    else:
        creation = read_creation(tmp_path / "a.png")
        assert creation.receipt == () and creation.created == ""


@pytest.mark.parametrize("number", [10**400, float("nan"), float("inf"), True, "0.5"])
def test_a_receipt_with_absurd_numbers_hides_no_creation(tmp_path: Path, number: object) -> None:
    row = {"part": 0, "code": 1, "found": 1, "similarity": number, "where": number}
    info = PngImagePlugin.PngInfo()
    info.add_itxt(CHUNK, json.dumps({"version": 1, "recipe": json.loads(RECIPE.to_json()), "receipt": [row]}))
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png", pnginfo=info)
    assert read_creation(tmp_path / "a.png").receipt == (Arrival(0, 1, 1, 0.0),)


def test_what_a_reader_says_is_kept_and_what_it_does_not_say_takes_no_room(tmp_path: Path) -> None:
    receipt = (Arrival(0, 1, 1, 0.5, None, 0.97), Arrival(1, 1, 1, 0.5, None, 0.4, unsure=True), Arrival(2, 0, 0, 0.5))
    save_creation(Image.new("RGB", (8, 8)), tmp_path / "a.png", Recipe("p"), receipt)
    assert read_creation(tmp_path / "a.png").receipt == receipt
    with Image.open(tmp_path / "a.png") as picture:
        rows = json.loads(picture.text["partcraft"])["receipt"]  # pyright: ignore
    assert set(rows[2]) == {"part", "code", "found", "similarity"}


def test_halves_of_surrogate_pairs_lose_no_picture(tmp_path: Path) -> None:
    """A pack's JSON may hold them, and UTF-8 does not."""
    recipe = Recipe("a\ud800", ("a \udfff bird",), "\ud800")
    made = save_creation(Image.new("RGB", (4, 4)), tmp_path / "a.png", recipe, (), model="\ud800")
    assert read_creation(made.path).recipe == recipe
    assert Recipe.from_json(recipe.to_json().encode("utf-8").decode()) == recipe


def test_what_is_no_png(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not there"):
        read_creation(tmp_path / "gone.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "a.jpg")
    with pytest.raises(UserError, match="no recipe"):
        read_creation(tmp_path / "a.jpg")
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UserError, match="cannot be read"):
        read_creation(path)


# Whole or not at all


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not there") as caught:
        save_creation(Image.new("RGB", (4, 4)), tmp_path / "gone" / "a.png", RECIPE)
    assert caught.value.hint


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("before")

    def write(beside: Path) -> None:
        beside.write_text("half of it")
        with Path("/dev/full").open("wb", buffering=0) as full:
            full.write(b"the other half")

    with pytest.raises(UserError, match="disk is full"):
        write_whole(path, write)
    assert path.read_text() == "before" and [one.name for one in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(UserError, match="cannot be written"):
            save_creation(Image.new("RGB", (4, 4)), tmp_path / "a.png", RECIPE)
    finally:
        tmp_path.chmod(0o700)


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError):
        save_creation(Image.new("RGB", (4, 4)), tmp_path / "file" / "a.png", RECIPE)


def test_a_fault_while_writing_leaves_nothing(tmp_path: Path) -> None:
    def write(beside: Path) -> None:
        beside.write_text("half")
        raise ValueError

    with pytest.raises(ValueError):
        write_whole(tmp_path / "a.json", write)
    assert not list(tmp_path.iterdir())
