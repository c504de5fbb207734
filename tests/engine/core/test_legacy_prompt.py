"""The original's prompt forms: the same answers where its answers are sensible, and a table of where ours differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import UserError
from engine.core.legacy_prompt import Form, parse_legacy
from engine.core.recipe import Prompt
from engine.core.vocabulary import Choice, Part, Vocabulary

EIGHT = Vocabulary("bird", tuple(Part(i, f"part {i}", "#000000") for i in range(8)), 32)

ROW = "it reads the row of another part, or of none"
DOTS = "it deletes every full stop of the prompt"
SPLIT = "its later reader (re) mends this, and ours reads as that one"
SIGN = "a sign is not a digit: this is not a choice but words"

# prompts.json: (reader of the original, prompt) -> why ours is another, and what ours is.
# v1 read the bare form, v2 and later re the bracketed one. Where the original raised an exception there was no
# answer to agree with; ours must then only not raise.
DIFFERENCES: dict[tuple[str, str], tuple[str, Prompt]] = {
    ("v1", "it is 12:30"): (ROW, ("it is 12:30",)),
    ("v1", "a 1:-3 bird"): (ROW, ("a 1:-3 bird",)),
    ("v1", "a -1:3 bird"): (ROW, ("a -1:3 bird",)),
    ("v1", "a +1:+2 bird"): (SIGN, ("a +1:+2 bird",)),
    ("v1", "U.S.A 0:1"): (DOTS, ("U.S.A ", Choice(0, 1))),
    ("v2", "a <-1:3> bird"): (ROW, ("a <-1:3> bird",)),
    ("v2", "U.S.A 0:1"): (DOTS, ("U.S.A 0:1",)),
    ("v2", "a <0:1>."): (DOTS, ("a ", Choice(0, 1), ".")),
    ("v2", "a photo. of a. <0:1>. bird."): (DOTS, ("a photo. of a. ", Choice(0, 1), ". bird.")),
    ("v2", "http://x.y a <0:1>"): (DOTS, ("http://x.y a ", Choice(0, 1))),
    ("v2", "a <0:1.5> bird"): (DOTS, ("a <0:1.5> bird",)),
    ("v2", "bird<0:1>"): (SPLIT, ("bird", Choice(0, 1))),
    ("v2", "(<0:1>)"): (SPLIT, ("(", Choice(0, 1), ")")),
    ("v2", "a <01:007> bird"): (SPLIT, ("a ", Choice(1, 7), " bird")),
    ("v2", "a\tphoto\tof <0:1>\tbird"): (SPLIT, ("a\tphoto\tof ", Choice(0, 1), "\tbird")),
}
FORM: dict[str, Form] = {"v1": "bare", "v2": "bracketed", "re": "bracketed"}


def as_the_original_says(prompt: Prompt) -> tuple[str, list[int], list[int]]:
    """Its caption, codes and parts."""
    caption = "".join(piece if isinstance(piece, str) else f"<part>_{piece.part}" for piece in prompt)
    choices = [piece for piece in prompt if isinstance(piece, Choice)]
    return caption, [choice.code for choice in choices], [choice.part for choice in choices]


@pytest.mark.parametrize("reader", ["v1", "v2", "re"])
def test_prompts_agree_with_the_original(golden: Path, reader: str) -> None:
    cases: list[dict[str, Any]] = json.loads((golden / "prompts.json").read_text("utf-8"))["cases"]
    differing = set()
    for case in cases:
        said, text = case[reader], case["prompt"]
        ours = parse_legacy(text, EIGHT, FORM[reader])
        theirs = (said.get("caption"), said.get("ints") or [], said.get("parts") or [])
        if "exception" in said or as_the_original_says(ours) == theirs:
            continue
        differing.add((reader, text))
        assert DIFFERENCES[reader, text][1] == ours, (reader, text, theirs)
    assert differing == {key for key in DIFFERENCES if key[0] == reader}


def test_the_replaced_token_changes_no_choice(golden: Path) -> None:
    """With replace_token the original writes another caption but reads the same parts and codes."""
    for case in json.loads((golden / "prompts.json").read_text("utf-8"))["cases"]:
        for reader in FORM:
            plain, replaced = case[reader], case[f"{reader}_replace_token"]
            assert (plain.get("ints"), plain.get("parts")) == (replaced.get("ints"), replaced.get("parts"))


# process_text.json (the web page): (vocabulary, prompt) -> why ours is another. "told" is a UserError.
APP_DIFFERENCES: dict[tuple[str, str], tuple[str, Prompt | str]] = {
    ("cub", "<head:201>"): ("it takes the last code for any larger number, without a word", "told"),
    ("dogs", "<nose:0>"): ("it takes code 1 for 0, without a word", "told"),
}


@pytest.mark.parametrize(("column", "dataset"), [("cub", "cub200_2011"), ("dogs", "dogs")])
def test_the_web_page_form_agrees(golden: Path, column: str, dataset: str) -> None:
    document = json.loads((golden / "process_text.json").read_text("utf-8"))
    names = document["names"][dataset]
    rows = {index: name for name, index in document["mapping"][dataset].items()}
    parts = tuple(Part(i, rows.get(i, f"part {i}"), "#000000") for i in range(8))
    vocabulary = Vocabulary("bird", parts, len(names), (tuple(names),) * 8)
    differing = set()
    for case in document["cases"]:
        said, text = case[column], case["text"]
        try:
            ours: Prompt | str = parse_legacy(text, vocabulary, "app")
        except UserError:
            ours = "told"
        if "exception" in said:  # KeyError: an unknown part. Blanks and doubled brackets we understand.
            assert ours == "told" or text in ("< head:3>", "<<body:5>>")
            continue
        converted = said["converted_re"]
        theirs = (converted["caption"], converted["ints"] or [], converted["parts"] or [])
        if isinstance(ours, str) or as_the_original_says(ours) != theirs:
            differing.add((column, text))
            assert APP_DIFFERENCES[column, text][1] == ours
            continue
        chosen = [piece for piece in ours if isinstance(piece, Choice)]
        spoken = [f"{vocabulary.parts[one.part].name}: {vocabulary.code_name(one.part, one.code)}" for one in chosen]
        assert spoken == said["part2id"]
    assert differing == {key for key in APP_DIFFERENCES if key[0] == column}


def test_out_of_range_is_told_in_brackets_and_plain_when_bare() -> None:
    with pytest.raises(UserError, match="0 to 31"):
        parse_legacy("<0:32>", EIGHT, "bracketed")
    with pytest.raises(UserError, match="part 0"):
        parse_legacy("<8:3>", EIGHT, "bracketed")
    assert parse_legacy("at 7:45 a 0:1, bird", EIGHT, "bare") == ("at 7:45 a ", Choice(0, 1), ", bird")
