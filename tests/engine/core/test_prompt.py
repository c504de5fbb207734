"""The prompt language: what is a choice, what stays plain words, and that writing reads back."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from engine.core.errors import UserError
from engine.core.prompt import choice_text, parse, to_text
from engine.core.vocabulary import Choice, Part, Vocabulary

NAMES = ("Cardinal", "Snowy Owl", "Ёжик", "木菟", "a:b", "c*d", "e>f", "<g>", "back\\slash", "#7", "3", "")
BIRD = Vocabulary(
    "bird",
    (Part(0, "body", "#111111"), Part(1, "left wing", "#222222"), Part(2, "голова", "#333333")),
    12,
    (NAMES, (), NAMES),
)


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("a photo of a <body:Cardinal> bird", [Choice(0, 0)]),
        ("<body:cardinal><LEFT WING:11>", [Choice(0, 0), Choice(1, 11)]),
        ("<0:1> <1:5>", [Choice(0, 1), Choice(1, 5)]),
        ("< body : Snowy Owl >", [Choice(0, 1)]),
        ("<голова:ёжик>", [Choice(2, 2)]),
        ("<2:木菟*0.8>", [Choice(2, 3, 0.8)]),
        ("<body:Cardinal*0> <body:Cardinal*2>", [Choice(0, 0, 0.0), Choice(0, 0, 2.0)]),
        (r"<body:a\:b> <body:c\*d> <body:e\>f> <body:\<g\>>", [Choice(0, 4), Choice(0, 5), Choice(0, 6), Choice(0, 7)]),
        ("<body:a:b>", [Choice(0, 4)]),
        (r"<body:back\\slash>", [Choice(0, 8)]),
        # a name wins over a number, and # always means the number
        ("<body:3>", [Choice(0, 10)]),
        ("<body:#3>", [Choice(0, 3)]),
        (r"<body:\#7> <body:#7>", [Choice(0, 9), Choice(0, 7)]),
        ("<#1:2>", [Choice(1, 2)]),
    ],
)
def test_choices(text: str, choices: list[Choice]) -> None:
    assert [piece for piece in parse(text, BIRD) if isinstance(piece, Choice)] == choices


@pytest.mark.parametrize(
    "text",
    ["", "at 12:30", "16:9", "<b>", "<b>bold</b>", "a < b", "b > a", "0:16 1:16", "<body", "body:3>", "<:3>", "< :3>",
     "<>", "<<>>", "f(x)=<x, y>", "new\nline", r"C:\birds", "<part>_0", "<body:3\n>"],
)  # fmt: skip
def test_plain_words_stay_plain(text: str) -> None:
    assert parse(text, BIRD) == ((text,) if text else ())


def test_an_escaped_bracket_is_plain() -> None:
    assert parse(r"\<body:3> \\<body:3>", BIRD) == ("<body:3> \\", Choice(0, 10))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<bdy:3>", "body"),
        ("<9:3>", "left wing"),
        ("<#9:3>", "left wing"),
        ("<body:Cardnal>", "Cardinal"),
        ("<body:99>", "0 to 11"),
        ("<left wing:12>", "0 to 11"),
        ("<body:#12>", "0 to 11"),
        ("<body:-1>", "0 to 11"),
        ("<body:>", "Which body"),
        ("<body:Cardinal*2.1>", "0 to 2"),
        ("<body:Cardinal*-1>", "0 to 2"),
        ("<body:Cardinal*nan>", "0 to 2"),
        ("<body:Cardinal*>", "0 to 2"),
        ("<body:Cardinal*0.8*0.8>", "0 to 2"),
        ("<lora:style:0.8>", "no part called “lora”"),
    ],
)
def test_mistakes_name_what_would_be_right(text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(text, BIRD)
    assert said in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("text", ["<{}:1>", "<head:{}>", "<#{}:1>", "<head:#{}>", "<head:1*{}>"])
def test_a_number_of_five_thousand_digits_is_one_short_sentence(text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(text.format("9" * 5000), BIRD)
    assert len(caught.value.message) < 200


def test_the_same_part_twice() -> None:
    assert parse("<body:Cardinal><body:Snowy Owl>", BIRD) == (Choice(0, 0), Choice(0, 1))


def test_an_edit_keeps_the_sources_of_choices_that_stay() -> None:
    before = ("a ", Choice(0, 0, 1.0, "cardinal-3"), " bird")
    after = parse("one <body:Cardinal*0.5> <body:Snowy Owl>", BIRD, like=before)
    assert after == ("one ", Choice(0, 0, 0.5, "cardinal-3"), " ", Choice(0, 1))


def test_a_choice_outside_the_vocabulary_is_written_as_numbers() -> None:
    assert choice_text(Choice(9, 3), BIRD) == "<9:3>"
    assert choice_text(Choice(0, 30), BIRD) == "<body:30>"
    assert choice_text(Choice(2, 16, 0.8)) == "<2:16*0.8>"


words = st.one_of(st.text(), st.text(alphabet="<>:*\\#\n 0123abody"), st.just("<body:3>"), st.just("\\<body:3>"))
choices = st.builds(Choice, st.integers(0, 2), st.integers(0, 11), st.floats(0, 2))


def joined(pieces: list[str | Choice]) -> tuple[str | Choice, ...]:
    result: list[str | Choice] = []
    for piece in pieces:
        if isinstance(piece, str) and result and isinstance(result[-1], str):
            result[-1] += piece
        elif piece != "":
            result.append(piece)
    return tuple(result)


@given(st.lists(st.one_of(words, choices)))
@example(["<body", ":3>"])
@example(["\\", Choice(0, 0)])
def test_writing_reads_back(pieces: list[str | Choice]) -> None:
    prompt = joined(pieces)
    assert parse(to_text(prompt, BIRD), BIRD) == prompt


@given(words)
def test_reading_any_words_reads_back_or_says_why(text: str) -> None:
    try:
        prompt = parse(text, BIRD)
    except UserError:
        return
    assert parse(to_text(prompt, BIRD), BIRD) == prompt


names = st.text(min_size=1, max_size=8)


@given(
    st.lists(names, min_size=2, max_size=2), st.lists(st.one_of(names, st.sampled_from("012")), min_size=3, max_size=3)
)
def test_any_names_read_back(part_names: list[str], code_names: list[str]) -> None:
    try:
        vocabulary = Vocabulary(
            "thing", tuple(Part(i, name, "#000000") for i, name in enumerate(part_names)), 3, (tuple(code_names), ())
        )
    except ValueError:
        assume(False)
        return
    for part in range(2):
        for code in range(3):
            prompt = (Choice(part, code),)
            assert parse(to_text(prompt, vocabulary), vocabulary) == prompt
