"""The drawn birds: the same every time, with exact masks, any part with any other; held-out species kept out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.aviary.dataset import BirdDataset
from engine.aviary.drawing.attributes import FORMS, KINDS, PARTS, attribute_width, attributes, random_bird, random_part
from engine.aviary.drawing.bird import Pose, draw_bird
from engine.aviary.drawing.species import HELD_OUT, PACK_SPECIES, SPECIES, compose, mixed_bird, species

pytest.importorskip("skia", reason="the aviary is drawn with skia-python (pip install .[aviary])")


def test_there_are_thirty_species_and_six_are_held_out() -> None:
    assert len(SPECIES) >= 30
    assert len(PACK_SPECIES) == 24 and len(HELD_OUT) == 6
    assert not set(PACK_SPECIES) & set(HELD_OUT)
    assert list(PACK_SPECIES) == sorted(PACK_SPECIES)


@pytest.mark.parametrize("part", PARTS)
def test_every_species_has_a_part_of_its_own(part: str) -> None:
    looks = [bird.part(part) for bird in SPECIES.values()]
    assert len(set(looks)) == len(looks)


def test_a_seed_draws_the_same_picture_and_another_seed_another() -> None:
    first, again, other = draw_bird(species("Owl"), 7), draw_bird(species("Owl"), 7), draw_bird(species("Owl"), 8)
    assert np.array_equal(first.image, again.image) and np.array_equal(first.labels, again.labels)
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("size", [64, 128, 200])
def test_sizes_and_types(size: int) -> None:
    drawing = draw_bird(species("Jay"), 3, size)
    assert drawing.image.shape == (size, size, 3) and drawing.image.dtype == np.uint8
    assert drawing.labels.shape == (size, size) and drawing.labels.dtype == np.uint8


@pytest.mark.parametrize("name", sorted(SPECIES))
def test_all_five_parts_of_every_species_are_seen(name: str) -> None:
    for seed in range(5):
        drawing = draw_bird(species(name), seed)
        for part in PARTS:
            assert drawing.mask(part).sum() >= 60, f"{part} of {name}, seed {seed}"


def test_masks_are_exact() -> None:
    """Changing a part's colours changes pixels of that part only (and the blended rim of one pixel)."""
    bird, pose = species("Cardinal"), Pose()
    for part in PARTS:
        look = bird.part(part)
        colours = {name: "#10e0d0" for name in look.__dataclass_fields__ if name not in FORMS[part]}
        before, after = draw_bird(bird, pose), draw_bird(replace(bird, **{part: replace(look, **colours)}), pose)
        assert np.array_equal(before.labels, after.labels)
        changed = (before.image != after.image).any(-1)
        mask = before.mask(part)
        rim = np.zeros_like(mask)
        for y in (-1, 0, 1):
            for x in (-1, 0, 1):
                rim |= np.roll(mask, (y, x), (0, 1))
        assert (changed & ~rim).sum() <= 8  # where a hidden edge shows through another's blended one
        assert (changed & mask).sum() > 0.9 * mask.sum()


def test_any_part_combines_with_any_other() -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        drawing = draw_bird(random_bird(rng), rng)
        assert set(np.unique(drawing.labels)) == set(range(6))


def test_mixed_birds_have_as_many_donors_as_asked() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        assert len(set(mixed_bird(rng, PACK_SPECIES, 4).sources)) == 4
    bird = compose(["Owl", "Jay", "Owl", "Wren", "Dove"])
    assert bird.head == species("Owl").head and bird.tail == species("Wren").tail


def test_training_birds_never_show_held_out_species_and_are_reproducible() -> None:
    flock = BirdDataset()
    held = {part: {species(name).part(part) for name in HELD_OUT} for part in PARTS}
    for index in range(500):
        bird, pose = flock.bird(index)
        assert not set(bird.sources) & set(HELD_OUT)
        assert all(bird.part(part) not in held[part] for part in PARTS)
        assert (bird, pose) == flock.bird(index)
        assert not pose.left


@pytest.mark.parametrize("part", PARTS)
def test_attributes_tell_parts_apart(part: str) -> None:
    rng = np.random.default_rng(2)
    values = attributes(random_part(part, rng), part)
    assert values.shape == (attribute_width(part),) and values.dtype == np.float32
    assert np.abs(values).max() <= 1
    assert values[: sum(map(len, FORMS[part].values()))].sum() == len(FORMS[part])
    rows = np.stack([attributes(bird.part(part), part) for bird in SPECIES.values()])
    assert len(np.unique(rows, axis=0)) == len(SPECIES)
    assert set(KINDS[part].__dataclass_fields__) >= set(FORMS[part])


def test_unknown_species_are_named() -> None:
    with pytest.raises(KeyError, match="Cardinal"):
        species("Dodo")
