"""What the wizard asks for: parts of a folder shown before a pack is made of them, and the pack as they were shown."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.core.errors import UserError
from engine.core.paths import starter_pack
from engine.core.segmentation import NO_PART
from engine.core.vocabulary import ABSENT
from engine.models.dinov2_wheel import EYES
from engine.packs.pack import CODE_PICTURES, Pack
from engine.packs.validation import check_pack
from engine.segmentation.discover import discover
from engine.segmentation.find_parts import backbone_with, find_parts, note_on, parts_of, view_folder
from engine.training.examples import segmented_pictures
from engine.worker.jobs import Discover, EyeSettings, FindParts, News, PartsFound, Progress
from tests.conftest import REPOSITORY
from tests.engine.tiny import make_pictures
from tests.fakes import sketch_bird


def silent(_news: News) -> None: ...


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("birds") / "pictures"
    return make_pictures(folder, kinds=3, each=3)


@pytest.fixture(scope="module")
def eyes(tiny_world: Path) -> str:
    return str(tiny_world / "eyes")


@pytest.fixture
def find(models: Any, eyes: str, birds: Path) -> Any:
    def find(parts: int = 0, folder: Path = birds, **words: Any) -> PartsFound:
        return find_parts(models, FindParts(str(folder), parts, eyes, **words), silent)

    return find


@pytest.fixture
def draft(models: Any, eyes: str, birds: Path, tmp_path: Path) -> Any:
    def draft(parts: int = 4, codes: int = 3, folder: Path = birds, name: str = "out", **options: Any) -> Pack:
        job = Discover(str(folder), str(tmp_path / name), parts, codes, "bird", eyes, "some/base", **options)
        return Pack.open(discover(models, job, silent))

    return draft


def wall_of(pack: Pack) -> dict[str, np.ndarray]:
    return {one.id: np.asarray(Image.open(one.labels)) for one in pack.references}


def test_the_wall_shows_what_was_found(find: Any) -> None:
    found = find(4, show=6)
    assert found.pictures == 9 and found.asked == 4 and len(found.wall) == 6
    assert found.members == ((0,), (1,), (2,), (3,)) and found.background == (False,) * 4
    assert {one.kind for one in found.wall} == {"kind 0", "kind 1", "kind 2"}
    for seen in found.wall:
        assert seen.image.dtype == seen.labels.dtype == np.uint8 and seen.image.shape[2] == 3
        assert seen.labels.shape == seen.image.shape[:2] and max(seen.labels.shape) <= 192
        assert set(np.unique(seen.labels).tolist()) <= {0, 1, 2, 3, NO_PART}
        assert (seen.labels[0] == NO_PART).mean() > 0.8, "the border is background"
    assert 0.1 < sum(found.shares) < 0.9
    assert len(set(found.names)) == 4


def test_a_number_is_suggested_with_a_reason_and_remembered(find: Any, models: Any, birds: Path, eyes: str) -> None:
    found = find(0)
    assert found.asked == found.suggested == len(found.members) and 2 <= found.suggested <= 10
    assert found.reason.endswith(".") and str(found.suggested) in found.reason
    models.forget()
    stages: list[str] = []
    job = FindParts(str(birds), 0, eyes)
    again = find_parts(models, job, lambda news: stages.append(news.stage) if isinstance(news, Progress) else None)
    assert (again.suggested, again.reason) == (found.suggested, found.reason)
    assert "Trying numbers of parts" not in stages


def test_merging_dropping_and_flipping(find: Any) -> None:
    plain, merged = find(4), find(4, merged=((3, 1),), dropped=(2,))
    assert merged.members == ((0,), (1, 3), (2,)) and merged.background == (False, False, True)
    assert merged.shares[1] == pytest.approx(plain.shares[1] + plain.shares[3])
    before, after = (np.concatenate([seen.labels.ravel() for seen in wall.wall]) for wall in (plain, merged))
    joined = np.isin(before, (1, 3))
    assert joined.any() and (after[joined] == 1).mean() > 0.8
    flipped = find(4, flip_background=True)
    assert (flipped.wall[0].labels[0] != NO_PART).mean() > 0.8
    for words in ({"merged": ((0, 9),)}, {"dropped": (4,)}):
        with pytest.raises(UserError, match="only 4 clusters"):
            find(4, **words)


def test_the_pack_gets_what_the_wall_showed(find: Any, draft: Any) -> None:
    from engine.core.image_files import open_picture

    words = {"merged": ((0, 2),), "flip_background": False}
    found = find(4, show=9, **words)
    pack = draft(4, references=9, **words, part_names=["a", "b", "c"], colours=["#112233"])
    assert [part.name for part in pack.vocabulary.parts] == ["a", "b", "c"]
    assert pack.vocabulary.parts[0].colour == "#112233" and pack.vocabulary.parts[1].colour != "#112233"
    pictures = [open_picture(one.image).tobytes() for one in pack.references]
    for seen in found.wall:
        reference = pack.references[pictures.index(open_picture(seen.picture).tobytes())]
        np.testing.assert_array_equal(np.asarray(Image.open(reference.labels)), seen.labels)


def test_a_dropped_part_stays_but_is_background(draft: Any) -> None:
    pack = draft(4, dropped=[1], part_names=["a", "rest", "b", "c"])
    assert [part.background for part in pack.vocabulary.parts] == [False, True, False, False]
    assert pack.vocabulary.code_names[0] == ("kind 0", "kind 1", "kind 2") and pack.vocabulary.code_names[1] == ()
    assert pack.codebook().background == 1 and pack.codebook().parts.shape[0] == 4
    assert not list((pack.path / CODE_PICTURES).glob("1-*.png"))
    again = draft(4, name="other", background=[False, False, False, True])
    assert [part.name for part in again.vocabulary.visible_parts] == ["part 1", "part 2", "part 3"]
    with pytest.raises(UserError, match="Every part"):
        draft(2, name="none", dropped=[0, 1])


def test_codes_have_names_and_pictures(draft: Any, birds: Path, tmp_path: Path) -> None:
    pack = draft()
    check_pack(pack, thorough=True)
    for part in range(4):
        for code in {one.codes[part] for one in pack.references} - {ABSENT}:
            with Image.open(pack.path / CODE_PICTURES / f"{part}-{code}.png") as picture:
                assert min(picture.size) >= 1 and max(picture.size) <= 128
    flat = tmp_path / "flat"
    flat.mkdir()
    for index, file in enumerate(sorted(birds.rglob("*.png"))):
        word = ("Ёжик", "robin", "猫头鹰")[index // 3]
        shutil.copy(file, flat / f"IMG {word} {index}.png")
    named = draft(2, 3, folder=flat, name="named", part_names=["head", "body"])
    for row in named.vocabulary.code_names:
        assert len(set(row)) == 3
        assert set(row) <= {"ёжик", "robin", "猫头鹰", "head 0", "head 1", "head 2", "body 0", "body 1", "body 2"}
    assert {"ёжик", "robin", "猫头鹰"} & {name for row in named.vocabulary.code_names for name in row}


def test_small_words_and_what_programs_write_name_no_code(draft: Any, birds: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for index, file in enumerate(sorted(birds.rglob("*.png"))):
        word = ("with", "Screenshot", "mit und")[index // 3]
        shutil.copy(file, flat / f"{word} {index}.png")
    named = draft(2, 3, folder=flat, name="small", part_names=["head", "body"])
    names = {name for row in named.vocabulary.code_names for name in row}
    assert names <= {""} | {f"{part} {code}" for part in ("head", "body") for code in range(3)}


def test_few_pictures_are_halved_by_place_and_give_few_codes(draft: Any, birds: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for file in sorted(birds.rglob("*.png"))[:2]:
        shutil.copy(file, few / file.name)
    pack = draft(0, 8, folder=few, name="few")
    assert pack.vocabulary.codes_per_part == 2, "no more codes than pictures"
    assert "half of the pictures" not in pack.metrics["reason"], pack.metrics["reason"]


def test_parts_are_named_after_a_pack_with_the_same_eyes(
    draft: Any, find: Any, home: Path, models: Any, eyes: str, birds: Path
) -> None:
    pack = draft(3, part_names=["beak", "belly", "foot"])
    shutil.copytree(pack.path, home / "packs" / "known")
    assert find(3).names == ("beak", "belly", "foot")
    named = find(4).names
    assert len(set(named)) == 4 and set(named) & {"beak", "belly", "foot"}


def test_a_pack_is_extended(draft: Any, find: Any, models: Any, tiny_pack: Path, tmp_path: Path) -> None:
    known = Pack.open(tiny_pack)
    more = tmp_path / "more"
    for kind in range(4, 6):
        (more / f"kind {kind - 3}").mkdir(parents=True)
        for index in range(3):
            sketch_bird(kind, 90 + index)[0].rotate(2 * index).save(more / f"kind {kind - 3}" / f"{index}.png")
    found = find(7, folder=more, extends=str(tiny_pack))
    assert found.names == ("head", "wing", "tail", "body") and found.asked == found.suggested == 4
    assert known.title in found.reason
    pack = draft(4, folder=more, extends=str(tiny_pack))
    words = pack.vocabulary
    assert words.parts == known.vocabulary.parts and words.codes_per_part == 3 + 2
    assert words.code_names[0] == ("kind 0", "kind 1", "kind 2", "kind 1 2", "kind 2 2"), "names of codes stay distinct"
    old, new = known.codebook(), pack.codebook()
    np.testing.assert_array_equal(new.parts, old.parts)
    np.testing.assert_array_equal(new.foreground, old.foreground)
    np.testing.assert_array_equal(new.codes[:, :3], old.codes)
    assert pack.backbone == known.backbone and pack.base_model.id == "some/base"
    assert len(pack.references) == len(known.references) + 6
    assert {code for one in pack.references[-6:] for code in one.codes} <= {ABSENT, 3, 4}
    assert pack.extends == str(known.path) and pack.kinds == {"kind 1": 3, "kind 2": 4}
    learned = [one.codes for _, one in segmented_pictures(models, pack, str(more), lambda _news: None)]
    assert {code for codes in learned[:3] for code in codes} <= {ABSENT, 3}, "not the known code of the same name"
    assert {code for codes in learned[3:6] for code in codes} <= {ABSENT, 4}
    check_pack(pack, thorough=True)


def test_a_pack_that_was_trained_is_not_written_over(draft: Any) -> None:
    pack = draft(2)
    assert draft(3).vocabulary.parts[2].name == "part 3", "a draft gives way"
    (pack.path / "tokens.safetensors").touch()
    with pytest.raises(UserError, match="There is a pack in"):
        draft(2)


def test_codes_from_a_table_of_labels(draft: Any, birds: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    rows = ["picture;class"]
    for index, file in enumerate(sorted(birds.rglob("*.png"))):
        shutil.copy(file, flat / f"{index}.png")
        rows += [f"{index}.png;{('Ara', 'Бор')[index // 6]}"] if index != 4 else []
    (flat / "labels.csv").write_text("\n".join(rows), "utf-8-sig")
    pack = draft(3, 9, folder=flat)
    assert pack.vocabulary.code_names == (("Ara", "Бор"),) * 3
    assert any("does not name 1 of the 9" in one for one in pack.metrics["notes"])
    unnamed = next(one for one in pack.references if one.title == "4")
    assert set(unnamed.codes) <= {ABSENT, 0, 1}


def test_codes_that_are_clusters_stay_what_was_found(draft: Any, models: Any, birds: Path) -> None:
    pack = draft(3, 4, codes_from="clusters")
    assert pack.kinds == {}
    found = {(one.title, one.codes) for one in pack.references}
    learned = [one.codes for _, one in segmented_pictures(models, pack, str(birds), lambda _news: None)]
    assert len(learned) == len(found) and {codes for _, codes in found} == set(learned)


# Bad input


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are Unicode there")
def test_names_that_are_no_unicode(find: Any, draft: Any, tmp_path: Path) -> None:
    folder = make_pictures(tmp_path / "pictures", kinds=2, each=3)
    (folder / "kind 0").rename(folder / os.fsdecode(b"caf\xe9"))
    find(3, folder=folder)
    pack = Pack.open(draft(3, folder=folder).path)
    assert set(pack.vocabulary.code_names[0]) == {"caf\ufffd", "kind 1"}
    check_pack(pack, thorough=True)


def test_one_picture(find: Any, draft: Any, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    sketch_bird(1, 96)[0].save(folder / "bird.png")
    found = find(3, folder=folder)
    assert len(found.members) == 3 and "only one picture" in found.note
    pack = draft(3, 5, folder=folder)
    assert pack.metrics["codes_found"] == [1, 1, 1] and len(pack.references) == 1
    assert all(code in (0, ABSENT) for code in pack.references[0].codes)


def test_all_pictures_identical(find: Any, tmp_path: Path) -> None:
    folder = tmp_path / "same"
    folder.mkdir()
    for index in range(5):
        sketch_bird(1, 96)[0].save(folder / f"{index}.png")
    found = find(0, folder=folder)
    assert found.pictures == 1 and "only one picture" in found.note and "4 were left out" in found.note


@pytest.mark.parametrize("kind", ["flat", "noise"])
def test_pictures_without_any_object(find: Any, draft: Any, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / kind
    folder.mkdir()
    generator = np.random.default_rng(0)
    for index in range(6):
        colour = generator.integers(0, 255, 3)
        pixels = generator.integers(0, 255, (64, 64, 3)) if kind == "noise" else np.tile(colour, (64, 64, 1))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index}.png")
    try:
        found = find(3, folder=folder)
    except UserError as error:
        assert error.message and error.hint
    else:
        assert found.note, "something is said of it"
        assert draft(3, 2, folder=folder).references


def test_folders_that_cannot_be_used(find: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder, said in ((tmp_path / "empty", "no pictures"), (tmp_path / "none", "no folder")):
        with pytest.raises(UserError, match=said) as told:
            find(3, folder=folder)
        assert told.value.hint


def test_a_kind_of_one_picture_has_codes_like_the_others(draft: Any, tmp_path: Path) -> None:
    folder = make_pictures(tmp_path / "pictures", kinds=2, each=3)
    (folder / "alone").mkdir()
    sketch_bird(8, 96)[0].save(folder / "alone" / "bird.png")
    pack = draft(3, folder=folder)
    assert pack.vocabulary.code_names[0] == ("alone", "kind 0", "kind 1")
    assert next(one for one in pack.references if one.title == "alone").codes.count(0) >= 1


def test_photos_seen_by_eyes_for_drawings(models: Any, photos: Path, eyes: str, tiny_world: Path) -> None:
    settings = EyeSettings(image_size=64, sees="drawings")
    view = view_folder(models, str(photos), eyes, False, "", 0, silent, settings)
    parts = parts_of(models, view, 3, (), (), 0)
    assert f"{EYES} does" in note_on(models, view, parts, 3)
    seen = replace(view, backbone=replace(view.backbone, sees="photos"))
    assert EYES not in note_on(models, seen, parts, 3)


def test_the_starter_looks_as_its_pack_does(models: Any) -> None:
    assert backbone_with(models, "starter/eyes", EyeSettings()) == Pack.open(starter_pack()).backbone


@pytest.mark.slow
def test_discovery_in_two_processes_writes_one_pack(
    draft: Any, birds: Path, eyes: str, tmp_path: Path, home: Path
) -> None:
    code = f"""
from engine.models.loader import Models
from engine.segmentation.discover import discover
from engine.worker.jobs import Discover
job = Discover({str(birds)!r}, {str(tmp_path / "two")!r}, 3, 3, "bird", {eyes!r}, "some/base")
print(discover(Models(device="cpu"), job, lambda news: None))
"""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = []
    for rank in range(2):
        around = {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        running.append(
            subprocess.Popen(
                [sys.executable, "-c", code],
                cwd=REPOSITORY,
                env={**os.environ, **around},
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )
    said = [process.communicate(timeout=300) for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    pack = Pack.open(tmp_path / "two")
    check_pack(pack, thorough=True)
    shutil.rmtree(home / "cache")
    alone = draft(3, 3)
    for one, other in zip(wall_of(pack).values(), wall_of(alone).values(), strict=True):
        assert (one == other).mean() > 0.99
    np.testing.assert_allclose(pack.codebook().parts, alone.codebook().parts, atol=1e-2)
