"""Assembling: the references' own pixels at their own size, and errors told in a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.collage import assemble as assembling
from engine.collage.anatomy import ANATOMY
from engine.collage.arrangement import Adjustment, Arrangement, with_arrangement
from engine.collage.assemble import CollageMaker, Interrupted, assemble
from engine.collage.layers import Layer, flatten
from engine.core.errors import UserError
from engine.core.image_files import open_picture, read_label_map
from engine.core.recipe import Recipe
from engine.core.segmentation import Segmentation
from engine.core.vocabulary import Choice
from engine.packs.pack import Pack
from tests.engine.collage.creatures import make_crabs

EYE, FEET, CLAW, SHELL = range(4)


@pytest.fixture
def crabs(tmp_path: Path) -> Pack:
    return make_crabs(tmp_path / "crabs", mirrored=[1])


def recipe_of(*choices: tuple[int, int]) -> Recipe:
    return Recipe("crabs", tuple(Choice(part, code, source=str(code)) for part, code in choices))


WHOLE = recipe_of((SHELL, 2), (CLAW, 2), (EYE, 2), (FEET, 2))


def layer_of(maker: CollageMaker, recipe: Recipe, part: int, *changes: Adjustment) -> Layer:
    return next(layer for layer in maker.make(recipe, Arrangement(adjustments=changes)).layers if layer.part == part)


def test_a_whole_creature_is_nearly_its_own_picture(crabs: Pack) -> None:
    collage = assemble(WHOLE, crabs)
    assert (collage.width, collage.height) == (160, 160)
    assert [layer.name for layer in collage.layers][:2] == ["feet", "shell"]
    picture = flatten(collage)
    own = np.asarray(open_picture(crabs.references[2].image))
    inside = read_label_map(crabs.references[2].labels) == SHELL
    inside[:, 1:] &= inside[:, :-1]
    difference = np.abs(picture[..., :3].astype(int) - own).max(-1)
    assert picture[..., 3].min() == 255 and np.median(difference[inside]) == 0 and difference.mean() < 8


def test_parts_come_from_their_sources(crabs: Pack) -> None:
    collage = assemble(recipe_of((SHELL, 2), (CLAW, 3), (FEET, 0)), crabs)
    reds = {layer.name: int(np.median(layer.image[layer.image[..., 3] == 255][:, 0])) for layer in collage.layers}
    assert reds == {"shell": 100, "claw": 140, "feet": 20}


def test_the_ground_can_be_plain_or_nothing(crabs: Pack) -> None:
    assert assemble(WHOLE, crabs, Arrangement(ground="none")).ground is None
    plain = flatten(assemble(WHOLE, crabs, Arrangement(ground=(1, 2, 3))))
    assert plain[0, 0].tolist() == [1, 2, 3, 255]
    assert flatten(assemble(WHOLE, crabs, Arrangement(ground="none")))[0, 0, 3] == 0


def test_no_fringe_of_the_old_ground(crabs: Pack) -> None:
    """Scaled and turned, what can be seen of a layer has its part's own blue (10), none of the ground's (235)."""
    layer = layer_of(CollageMaker(crabs), WHOLE, CLAW, Adjustment(CLAW, scale=1.3, turn=20))
    assert layer.image[layer.image[..., 3] > 40][:, 2].max() <= 60


def test_a_turned_part_stays_about_its_middle(crabs: Pack) -> None:
    maker = CollageMaker(crabs)
    plain, turned = layer_of(maker, WHOLE, CLAW), layer_of(maker, WHOLE, CLAW, Adjustment(CLAW, turn=37, scale=0.8))
    middles = [(one.left + one.image.shape[1] / 2, one.top + one.image.shape[0] / 2) for one in (plain, turned)]
    assert middles[0] == pytest.approx(middles[1], abs=1)


def test_hidden_and_second_ones(crabs: Pack) -> None:
    maker = CollageMaker(crabs)
    assert not layer_of(maker, WHOLE, CLAW, Adjustment(CLAW, hidden=True)).visible
    names = [layer.name for layer in maker.make(recipe_of((SHELL, 2), (EYE, 0), (EYE, 2))).layers]
    assert names == ["shell", "eye", "eye 2"]


def test_a_change_redoes_one_part(crabs: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    cut: list[int] = []
    original = assembling.cut_out
    monkeypatch.setattr(
        assembling, "cut_out", lambda *given, **options: cut.append(given[2]) or original(*given, **options)
    )
    maker = CollageMaker(crabs)
    maker.make(WHOLE)
    assert sorted(cut) == [EYE, FEET, CLAW, SHELL]
    maker.make(WHOLE.with_choice(Choice(CLAW, 3, source="3")))
    assert cut[4:] == [CLAW]
    before = maker.make(WHOLE).layers
    after = maker.make(WHOLE, Arrangement(adjustments=(Adjustment(EYE, (0.1, 0.0)),))).layers
    assert all(one.image is other.image for one, other in zip(before, after, strict=True)) and len(cut) == 5


def test_a_recipe_keeps_its_arrangement(crabs: Pack) -> None:
    arranged = with_arrangement(WHOLE, Arrangement("0", "none", (Adjustment(EYE, hidden=True),)))
    collage = assemble(Recipe.from_json(arranged.to_json()), crabs)
    assert collage.ground is None and not next(layer for layer in collage.layers if layer.part == EYE).visible
    assert flatten(assemble(arranged, crabs, Arrangement())).tobytes() == flatten(assemble(WHOLE, crabs)).tobytes()


def test_a_small_cache_changes_nothing(crabs: Pack) -> None:
    assert (flatten(CollageMaker(crabs, 1).make(WHOLE)) == flatten(CollageMaker(crabs).make(WHOLE))).all()


def test_sources_of_other_sizes_fit(tmp_path: Path) -> None:
    pack = make_crabs(tmp_path)
    for suffix, filter in (("", Image.Resampling.BICUBIC), ("-labels", Image.Resampling.NEAREST)):
        file = tmp_path / f"3{suffix}.png"
        with Image.open(file) as small:
            small.resize((640, 640), filter).save(file)
    collage = assemble(recipe_of((SHELL, 2), (CLAW, 3)), pack)
    layers = {layer.part: layer for layer in collage.layers}
    assert collage.width == 160 and layers[CLAW].image.shape[1] < 80


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: (folder / "2.png").unlink(), "2.png is not there"),
        (lambda folder: (folder / "2.png").write_bytes(b""), "2.png is empty"),
        (lambda folder: Image.new("RGB", (80, 80)).save(folder / "2.png"), "different sizes"),
        (lambda folder: (folder / "2-labels.png").unlink(), "label map of Crab 2"),
        (lambda folder: (folder / "2-labels.png").write_bytes(b"x"), "label map of Crab 2"),
    ],
)
def test_what_is_gone_or_damaged_is_said(crabs: Pack, damage, sentence: str) -> None:
    damage(crabs.path)
    with pytest.raises(UserError, match=sentence):
        assemble(WHOLE, crabs)


def test_what_is_gone_leaves_the_rest(crabs: Pack) -> None:
    """The body's picture is gone: the others stand as in the next one's, on its ground."""
    (crabs.path / "2.png").unlink()
    collage = CollageMaker(crabs).make(recipe_of((SHELL, 2), (CLAW, 3), (EYE, 0), (EYE, 2)), Arrangement(pose="2"))
    assert {(layer.part, layer.nth, layer.source) for layer in collage.layers} == {(CLAW, 0, "3"), (EYE, 0, "0")}
    assert {(one.part, one.nth) for one in collage.missing} == {(SHELL, 0), (EYE, 1), (None, 0)}
    assert all("2.png is not there" in one.message and one.hint for one in collage.missing)
    assert collage.ground is not None and not CollageMaker(crabs).make(recipe_of((CLAW, 3))).missing


def test_a_layer_says_how_it_is_painted(crabs: Pack) -> None:
    maker = CollageMaker(crabs)
    turned = layer_of(maker, WHOLE, CLAW, Adjustment(CLAW, scale=1.5, turn=30, mirror=True))
    plain = layer_of(maker, WHOLE, CLAW)
    assert (turned.turn, turned.mirror, turned.source, turned.nth) == (30.0, True, "2", 0)
    assert turned.size == pytest.approx((plain.size[0] * 1.5, plain.size[1] * 1.5))
    assert plain.size == pytest.approx(plain.image.shape[1::-1])
    across = turned.size[0] * np.cos(np.pi / 6) + turned.size[1] * np.sin(np.pi / 6)
    assert turned.image.shape[1] == pytest.approx(across, abs=3)
    assert turned.joint == plain.joint is not None and layer_of(maker, WHOLE, SHELL).joint is None


def test_a_ground_of_two_colours(crabs: Pack) -> None:
    picture = flatten(assemble(WHOLE, crabs, Arrangement(ground=((0, 0, 0), (200, 100, 50)))))
    assert picture[0, 0].tolist() == [0, 0, 0, 255] and picture[-1, -1].tolist() == [200, 100, 50, 255]


def test_a_persons_own_picture_is_a_source_and_a_pose(crabs: Pack, tmp_path: Path) -> None:
    """It faces left, its labels are half as large, and no file of it lies in the pack."""
    other = make_crabs(tmp_path / "other", count=3, size=320, mirrored=[2])
    picture, kept = Path(other.references[2].image), CollageMaker(crabs)
    labels = read_label_map(other.references[2].labels)[::2, ::2]
    before = kept.anatomy
    (crabs.path / ANATOMY).unlink()
    kept.add_picture(str(picture), picture, Segmentation(labels, other.references[2].codes))
    assert not (crabs.path / ANATOMY).exists() and kept.anatomy.order == before.order
    recipe = Recipe("crabs", (Choice(SHELL, 0, source="0"), Choice(CLAW, 2, source=str(picture))))
    layers = {layer.part: layer for layer in kept.make(recipe).layers}
    assert layers[CLAW].source == str(picture) and layers[CLAW].mirror and not layers[SHELL].mirror
    assert layers[CLAW].image.shape[1] < 80, "its picture is twice as large"
    posed = kept.make(recipe, Arrangement(pose=str(picture)))
    assert (posed.width, posed.height) == (320, 320) and {layer.mirror for layer in posed.layers} == {True, False}
    Image.new("RGB", (50, 50)).save(picture)
    assert kept.make(recipe).layers, "what was cut out stays"
    changed = CollageMaker(crabs)
    with pytest.raises(UserError):
        changed.add_picture("gone", tmp_path / "gone.png", Segmentation(labels, other.references[2].codes))


def test_a_pack_without_label_maps_takes_a_persons_own_picture(crabs: Pack, tmp_path: Path) -> None:
    for reference in crabs.references:
        Path(reference.labels).unlink()
    other = make_crabs(tmp_path / "other").references[1]
    maker = CollageMaker(crabs)
    maker.add_picture("own", Path(other.image), Segmentation(read_label_map(other.labels), other.codes))
    collage = maker.make(
        Recipe("crabs", (Choice(SHELL, 1, source="own"), Choice(CLAW, 1, source="own"), Choice(EYE, 3)))
    )
    assert [layer.name for layer in collage.layers] == ["shell", "claw"]
    assert [one.part for one in collage.missing] == [EYE]


def test_a_huge_part_is_not_larger_than_memory(crabs: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembling, "_MOST_PIXELS", 10_000)
    layer = layer_of(CollageMaker(crabs), WHOLE, SHELL, Adjustment(SHELL, scale=10))
    assert layer.image.shape[0] * layer.image.shape[1] == pytest.approx(10_000, rel=0.05)


def test_a_pack_of_one_part(tmp_path: Path) -> None:
    pack = make_crabs(tmp_path, names=("shell",))
    collage = assemble(Recipe("crabs", (Choice(0, 1), Choice(0, 2))), pack)
    assert [layer.name for layer in collage.layers] == ["shell", "shell 2"]


def test_a_tiny_picture(tmp_path: Path) -> None:
    assert flatten(assemble(WHOLE, make_crabs(tmp_path, size=24))).shape == (24, 24, 4)


@pytest.mark.parametrize("size", [640, 643])
def test_a_draft_shows_the_same_at_a_quarter_of_the_size(tmp_path: Path, size: int) -> None:
    maker = CollageMaker(make_crabs(tmp_path, size=size, mirrored=[1]))
    recipe = recipe_of((SHELL, 2), (CLAW, 1), (EYE, 0), (FEET, 3))
    changes = Adjustment(CLAW, (0.05, -0.1), 1.3, 20), Adjustment(FEET, mirror=True)
    for arrangement in (Arrangement(), Arrangement(adjustments=changes, blend=True, match_colours=True)):
        full, draft = maker.make(recipe, arrangement), maker.make(recipe, arrangement, longest=200)
        assert full.shrink == 1 and draft.shrink == 4 and (draft.width, draft.height) == (-(-size // 4),) * 2
        for one, other in zip(full.layers, draft.layers, strict=True):
            assert (one.part, one.turn, one.mirror, one.source) == (other.part, other.turn, other.mirror, other.source)
            assert other.middle == pytest.approx([side / 4 for side in one.middle])
            assert (other.joint or ()) == pytest.approx([side / 4 for side in one.joint or ()])
            middles = [
                (layer.left + layer.image.shape[1] / 2, layer.top + layer.image.shape[0] / 2) for layer in (one, other)
            ]
            assert middles[1] == pytest.approx([side / 4 for side in middles[0]], abs=1.5)
            assert other.size == pytest.approx([side / 4 for side in one.size], abs=3)
        small = np.asarray(Image.fromarray(flatten(full)).reduce(4), float)
        assert np.abs(small - flatten(draft)).mean() < 2.5


def test_what_is_small_enough_needs_no_draft(crabs: Pack) -> None:
    maker = CollageMaker(crabs)
    full, same = maker.make(WHOLE), maker.make(WHOLE, longest=160)
    assert same.shrink == 1 and all(
        one.image is other.image for one, other in zip(full.layers, same.layers, strict=True)
    )


def test_a_draft_of_pictures_of_several_sizes(tmp_path: Path) -> None:
    """Each is made smaller as far as it is too large; the parts keep their size beside each other."""
    pack = make_crabs(tmp_path)
    for suffix, filter in (("", Image.Resampling.BICUBIC), ("-labels", Image.Resampling.NEAREST)):
        with Image.open(tmp_path / f"3{suffix}.png") as small:
            small.resize((640, 640), filter).save(tmp_path / f"3{suffix}.png")
    maker, recipe = CollageMaker(pack), recipe_of((SHELL, 3), (CLAW, 2), (EYE, 3))
    full, draft = maker.make(recipe), maker.make(recipe, longest=200)
    assert draft.width == 160 and draft.shrink == 4
    for one, other in zip(full.layers, draft.layers, strict=True):
        assert other.size == pytest.approx([side / 4 for side in one.size], abs=3)
    small = np.asarray(Image.fromarray(flatten(full)).reduce(4), float)
    assert np.abs(small - flatten(draft)).mean() < 2.5


def test_what_is_prepared_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maker = CollageMaker(make_crabs(tmp_path, size=320))
    maker.prepare("2", 200)
    for name in ("open_picture", "cut_out", "fill_ground"):
        monkeypatch.setattr(assembling, name, lambda *_, **__: pytest.fail("made again"))
    assert maker.make(WHOLE, longest=200).shrink == 2
    maker.prepare("gone", 200)


def test_what_is_no_longer_wanted_stops_and_goes_on_later(crabs: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    cut: list[int] = []
    original = assembling.cut_out
    monkeypatch.setattr(
        assembling, "cut_out", lambda *given, **options: cut.append(given[2]) or original(*given, **options)
    )
    maker = CollageMaker(crabs)
    with pytest.raises(Interrupted):
        maker.make(WHOLE, go_on=lambda: len(cut) < 2)
    assert len(cut) == 2
    with pytest.raises(Interrupted):
        maker.prepare("2", go_on=lambda: False)
    assert flatten(maker.make(WHOLE)).tobytes() == flatten(assemble(WHOLE, crabs)).tobytes()
    assert sorted(cut[:4]) == [EYE, FEET, CLAW, SHELL]
