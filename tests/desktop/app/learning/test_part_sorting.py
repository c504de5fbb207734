"""How clusters are sorted into parts, and how names follow them; what is kept of a draft."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from engine.core.palette import PALETTE
from engine.core.paths import slug
from engine.core.segmentation import NO_PART
from engine.runs.create import proposed_codes, proposed_title
from engine.worker.jobs import FindParts, PartsFound
from partcraft_desktop.app.learning.draft import MORE, Draft, DraftPlan
from partcraft_desktop.app.learning.pages import page_keys
from partcraft_desktop.app.learning.part_sorting import (
    DraftPart,
    PartSorting,
    free_name,
    relabelled_wall,
    sort_clusters,
)
from tests import fakes


def found(folder: Path, parts: int = 0, merged: tuple[tuple[int, ...], ...] = (), flip: bool = False) -> PartsFound:
    if not folder.is_dir():
        fakes.make_folder(folder)
    job = FindParts(str(folder), parts, merged=merged, flip_background=flip)
    return fakes.find_parts(None, job, lambda _news: None)


def names(sorting: PartSorting) -> list[str]:
    return [part.name for part in sorting.parts]


def test_the_first_find_is_taken_as_it_is(tmp_path: Path) -> None:
    sorting = sort_clusters(PartSorting(), found(tmp_path / "birds"), None)
    assert names(sorting) == list(fakes.PARTS) and sorting.settled and sorting.clusters == 5
    assert [part.colour for part in sorting.parts] == [PALETTE[at] for at in (1, 2, 3, 0, 4)], "as heads have elsewhere"


def test_names_and_colours_follow_the_clusters_by_what_they_cover(tmp_path: Path) -> None:
    five = found(tmp_path / "birds")
    sorting = sort_clusters(PartSorting(), five, None).changed(3, name="Kopf", named=True).changed(1, colour="#882255")
    sorting = sorting.changed(4, dropped=True)
    seven = sort_clusters(sorting.with_clusters(7, False), found(tmp_path / "birds", 7), five)
    assert seven.parts[3].name == "Kopf" and seven.parts[3].named
    # The wing is cut in two: its colour goes to the larger half.
    assert seven.parts[6].colour == "#882255" and seven.parts[4].dropped
    assert len({part.colour for part in seven.parts}) == 7
    assert len({name.casefold() for name in names(seven)}) == 7


def test_no_name_of_a_person_is_lost_when_the_number_changes(tmp_path: Path) -> None:
    folder = tmp_path / "birds"
    walls = {count: found(folder, count) for count in (2, 5)}
    sorting = sort_clusters(PartSorting(), walls[5], None)
    for at, name in enumerate(("Rumpf", "Flügel", "Schwanz", "Kopf", "Beine")):
        sorting = sorting.changed(at, name=name, named=True)
    few = sort_clusters(sorting.with_clusters(2, False), walls[2], walls[5])
    assert len(few.parts) == 2
    assert set(few.waiting) | set(names(few)) >= {"Rumpf", "Flügel", "Schwanz", "Kopf", "Beine"}
    again = sort_clusters(few.with_clusters(5, False), walls[5], walls[2])
    assert sorted(names(again)) == sorted(("Rumpf", "Flügel", "Schwanz", "Kopf", "Beine")) and again.waiting == ()


def test_merged_parts_are_seen_at_once_and_settle_as_they_are(tmp_path: Path) -> None:
    five = found(tmp_path / "birds")
    merged = sort_clusters(PartSorting(), five, None).changed(2, name="tail feathers", named=True).merge(1, 2)
    assert names(merged) == ["body", "tail feathers", "head", "legs"] and merged.merged == ((1, 2),)
    wall = relabelled_wall(merged, five)
    before, after = five.wall[0].labels, wall[0].labels
    assert np.array_equal(after == 1, (before == 1) | (before == 2))
    assert np.array_equal(after == NO_PART, before == NO_PART)
    settled = sort_clusters(merged, found(tmp_path / "birds", 5, merged.merged), five)
    assert settled.parts == merged.parts
    apart = settled.split(1, ())
    assert len(apart.parts) == 5 and apart.merged == () and apart.parts[1].name == "tail feathers"


def test_what_the_engine_takes_for_background_is_dropped_until_told_otherwise(tmp_path: Path) -> None:
    five = found(tmp_path / "birds")
    guessed = PartsFound(**{**vars(five), "background": (False, False, False, False, True)})
    sorting = sort_clusters(PartSorting(), guessed, None)
    assert sorting.dropped == (4,)
    assert sort_clusters(sorting.changed(4, dropped=False), guessed, guessed).dropped == ()


def test_flipping_keeps_the_names_of_the_other_side(tmp_path: Path) -> None:
    folder = tmp_path / "birds"
    five = found(folder)
    sorting = sort_clusters(PartSorting(), five, None).changed(0, name="Rumpf", named=True)
    flipped = sort_clusters(sorting.with_clusters(5, True), found(folder, 5, flip=True), five)
    assert "Rumpf" in flipped.waiting
    assert "Rumpf" in names(sort_clusters(flipped.with_clusters(5, False), five, found(folder, 5, flip=True)))


names_of_parts = st.lists(st.text(min_size=1, max_size=8).filter(str.strip), max_size=6)


@given(names_of_parts, st.text(min_size=1, max_size=8).filter(str.strip))
def test_a_free_name_is_free(taken: list[str], wanted: str) -> None:
    name = free_name(wanted, taken)
    assert name.casefold() not in {one.casefold().strip() for one in taken}


@given(st.data())
def test_any_draft_is_read_back_as_it_was(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 6))
    made = tuple(
        DraftPart((m,), f"part {m}", PALETTE[m], data.draw(st.booleans()), data.draw(st.booleans()))
        for m in range(count)
    )
    pair = (count, data.draw(st.booleans()))
    sorting = PartSorting(count, pair[1], made, pair, {(3, False): made} if made else None)
    plan = DraftPlan(data.draw(st.text(max_size=5)), "Vögel", "starter/base", 7, "thorough", 12, {"batch": 2})
    draft = Draft(data.draw(st.sampled_from(page_keys())), "/birds", "", sorting, plan, "/runs/birds")
    assert Draft.from_document(json.loads(json.dumps(draft.to_document()))) == draft


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
keys = st.sampled_from(["page", "folder", "extends", "run", "plan", "sorting"])
inner_keys = st.sampled_from(["clusters", "flip", "parts", "of", "earlier", "preset", "more", "codes", "noun", *MORE])


@given(st.dictionaries(keys, json_values | st.dictionaries(inner_keys, json_values, max_size=5), max_size=6))
@example({"sorting": {"earlier": 1}})
def test_no_damaged_draft_keeps_the_app_from_starting(document: dict[str, object]) -> None:
    draft = Draft.from_document(document)
    assert draft.page in page_keys()
    assert Draft.from_document(draft.to_document()) == draft


def test_titles_slugs_and_codes_are_proposed() -> None:
    assert proposed_title("/pictures/my_fine-birds") == "My fine birds"
    assert slug("Птицы / North & South!", "pack") == "птицы-north-south" and slug("!!!", "vocabulary") == "vocabulary"
    assert [proposed_codes(n) for n in (1, 12, 120, 6000)] == [1, 2, 20, 64]
