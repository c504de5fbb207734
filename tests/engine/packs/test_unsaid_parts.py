"""Parts that a prompt leaves unsaid: which are they, and from which reference they come."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.core.errors import UserError
from engine.core.recipe import BY_SEED, Recipe, Rest
from engine.core.start import Start
from engine.core.vocabulary import ABSENT, Choice
from engine.packs.pack import BaseModel, Pack
from engine.packs.prompt_notes import leaves_smears, rest_note
from engine.packs.unsaid_parts import fixed_rest, rest_of, spoken_recipe, unsaid_parts
from tests.fakes import make_pack


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    return make_pack(tmp_path / "birds")


def names(pack: Pack, text: str) -> set[str]:
    return {part.name for part in unsaid_parts(pack, (text,))}


def test_parts_in_words_are_said(pack: Pack) -> None:
    visible = {part.name for part in pack.vocabulary.visible_parts}
    assert names(pack, "a photo of a bird") == visible
    assert names(pack, "a bird with a red Head and blue wings") == visible - {"head", "wing"}
    assert names(pack, "a headless wingspan") == visible


def test_new_recipes_of_a_base_that_needs_all_parts_have_a_rest_and_old_ones_do_not(pack: Pack) -> None:
    new = pack.new_recipe(("a bird",), seed=3)
    assert new.rest == BY_SEED and Recipe.from_json(new.to_json()) == new
    old = Recipe.from_json('{"version": 1, "pack": "fake-birds", "prompt": ["a bird"], "seed": 3}')
    assert old.rest == "" and rest_of(pack, old) is None and spoken_recipe(pack, old) is old
    assert "rest" not in old.to_json() and leaves_smears(pack, old)
    other = replace(pack, base_model=BaseModel("stable-diffusion"))
    assert other.new_recipe().rest == "" and not leaves_smears(other, other.new_recipe())


def test_the_rest_is_one_reference_of_the_seed_and_does_not_touch_what_is_said(pack: Pack) -> None:
    said = Choice(0, 5)
    recipe = pack.new_recipe(("a photo of a ", said, " bird"), seed=0)
    seen: list[str] = []
    for seed in range(len(pack.references)):
        rest = rest_of(pack, replace(recipe, seed=seed))
        assert rest is not None and rest == rest_of(pack, replace(recipe, seed=seed))
        reference = pack.reference(rest.reference)
        assert reference is not None and rest.title == reference.title
        assert all(choice.code == reference.codes[choice.part] for choice in rest.choices)
        parts = {part.index for part in pack.vocabulary.visible_parts if reference.codes[part.index] != ABSENT}
        assert {choice.part for choice in rest.choices} == parts - {0}
        spoken = spoken_recipe(pack, replace(recipe, seed=seed))
        assert spoken.choice_of(0) == said and {choice.part for choice in spoken.choices} == parts
        assert str(spoken.prompt[-1]).endswith("bird")
        assert Rest.from_document(rest.to_document()) == rest
        seen.append(rest.reference)
    assert len(set(seen)) == len(pack.references)


def test_a_reference_that_hides_a_part_is_not_chosen_by_seed(pack: Pack) -> None:
    first = pack.references[0]
    hidden = replace(first, codes=(first.codes[0], ABSENT, *first.codes[2:]))
    pack = replace(pack, references=(hidden, *pack.references[1:]))
    chosen = {fixed_rest(pack, pack.new_recipe(("a bird",), seed=seed)) for seed in range(20)}
    assert chosen == {reference.id for reference in pack.references[1:]}


def test_a_rest_that_is_named_stays_whatever_the_seed_and_one_that_is_gone_is_said(pack: Pack) -> None:
    recipe = replace(pack.new_recipe(("a bird",), seed=4), rest=pack.references[2].id)
    assert {fixed_rest(pack, replace(recipe, seed=seed)) for seed in range(9)} == {pack.references[2].id}
    gone = replace(recipe, rest="gone")
    with pytest.raises(UserError, match="gone"):
        rest_of(pack, gone)
    assert "gone" in rest_note(pack, gone)


def test_single_parts_of_a_collage_are_rendered_alone(pack: Pack) -> None:
    recipe = pack.new_recipe(("a ", Choice(0, 5), " bird"), seed=4)
    assert rest_of(pack, replace(recipe, start=Start(0.8, only=(0,)))) is None
    assert rest_of(pack, replace(recipe, start=Start(0.8, keep=(0,)))) is not None
    assert rest_of(pack, replace(recipe, start=Start(0.8, creation="one.png", only=(0,)))) is not None


def test_the_note_names_the_reference_only_where_it_is_known(pack: Pack) -> None:
    recipe = pack.new_recipe(("a ", Choice(0, 5), " bird"), seed=1)
    title = pack.references[1].title
    assert rest_note(pack, recipe) == f"The rest is from {title}, by seed."
    by_chance = f"The rest is from one {pack.vocabulary.noun} of the pack, by seed."
    assert rest_note(pack, recipe, seed_known=False) == rest_note(pack, replace(recipe, count=2)) == by_chance
    assert (
        rest_note(pack, replace(recipe, rest=pack.references[2].id)) == f"The rest is from {pack.references[2].title}."
    )
    smears = rest_note(pack, replace(recipe, rest=""))
    assert smears.startswith("Not said: ") and "wing" in smears
