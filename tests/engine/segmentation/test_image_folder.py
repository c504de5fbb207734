"""A folder of pictures: what is in it, what is wrong with it, of what kind each picture is."""

from __future__ import annotations

import os
import shutil
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.collage.layers import Collage, Layer
from engine.core.errors import JobCancelled, UserError
from engine.exchange.layers import save_layers
from engine.segmentation import image_folder
from engine.segmentation.class_labels import LABELS, kinds_of
from engine.segmentation.image_folder import identify_files, read_image_folder, survey
from engine.worker.jobs import News, Progress, Survey
from tests.fakes import sketch_bird

NAMES = ("Ёжик в тумане", "猫 と 犬", "🦜🦜", "עיט זהוב", "a b c", "Ångström", "x" * 80)


def silent(_news: News) -> None: ...


def draw(folder: Path, names: list[str] | tuple[str, ...], size: int = 96, first: int = 0) -> list[Path]:
    """Different drawn birds under these names."""
    paths = []
    for code, name in enumerate(names, first):
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        sketch_bird(code, size)[0].save(path)
        paths.append(path)
    return paths


def test_names_of_any_alphabet(tmp_path: Path) -> None:
    for index, kind in enumerate(NAMES[:4]):
        draw(tmp_path / kind, NAMES, first=10 * index)
    found = survey(None, Survey(str(tmp_path)), silent)
    assert len(found.pictures) == 28 and not found.problems
    assert {kind for kind, _ in found.kinds} == set(NAMES[:4]) and all(count == 7 for _, count in found.kinds)
    assert survey(None, Survey(str(tmp_path)), silent) == found, "the second time it is remembered"


def test_what_cannot_be_used_is_listed(tmp_path: Path) -> None:
    good, other = draw(tmp_path, ["good", "other"])
    shutil.copy(good, tmp_path / "same bytes.png")
    Image.open(good).save(tmp_path / "saved again.jpg", quality=80)
    Image.open(good).resize((128, 128), Image.Resampling.BICUBIC).save(tmp_path / "stretched.webp")
    Image.new("RGB", (20, 200)).save(tmp_path / "thin.png")
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:300])
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "notes.txt").write_text("no picture, and none is claimed")
    found = survey(None, Survey(str(tmp_path)), silent)
    assert found.pictures == (str(good), str(other))
    told = {Path(one.picture).name: one for one in found.problems}
    assert {name: one.what for name, one in told.items()} == {
        "same bytes.png": "duplicate", "saved again.jpg": "duplicate", "stretched.webp": "duplicate",
        "thin.png": "tiny", "cut.png": "unreadable", "empty.jpg": "unreadable",
    }  # fmt: skip
    assert told["same bytes.png"].message == "same bytes.png is the same file as good.png."
    assert "same picture" in told["saved again.jpg"].message and "20 x 200" in told["thin.png"].message


def test_pictures_that_differ_little_are_not_taken_for_one(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for index in range(12):
        Image.fromarray(generator.integers(0, 255, (256, 256, 3), np.uint8)).save(tmp_path / f"noise {index}.png")
    for index in range(8):
        page = Image.new("RGB", (256, 256), "white")
        page.paste((0, 0, 0), (20 + 25 * index, 100, 44 + 25 * index, 130))
        page.save(tmp_path / f"small thing on white {index}.png")
    assert len(read_image_folder(tmp_path, silent).pictures) == 20


def test_all_the_same_leave_one(tmp_path: Path) -> None:
    (first,) = draw(tmp_path, ["0"])
    for index in range(1, 9):
        shutil.copy(first, tmp_path / f"{index}.png")
    found = read_image_folder(tmp_path, silent)
    assert found.pictures == (first,) and len(found.problems) == 8


def test_no_folder_an_empty_one_and_one_of_rubbish(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no folder"):
        survey(None, Survey(str(tmp_path / "none")), silent)
    with pytest.raises(UserError, match="There are no pictures"):
        survey(None, Survey(str(tmp_path)), silent)
    (tmp_path / "one.png").write_text("rubbish")
    with pytest.raises(UserError, match=r"None of the pictures in .* \(there are 1\)") as told:
        survey(None, Survey(str(tmp_path)), silent)
    assert "one.png" in told.value.hint


def test_a_folder_that_goes_away_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_folder, "_BLOCK", 2)
    draw(tmp_path / "pictures", [str(index) for index in range(8)])

    def report(news: News) -> None:
        if isinstance(news, Progress) and news.done == 4:
            (tmp_path / "pictures").rename(tmp_path / "unmounted")

    with pytest.raises(UserError, match="not there any more") as told:
        survey(None, Survey(str(tmp_path / "pictures")), report)
    assert "drive" in told.value.hint


def test_a_survey_that_is_stopped_is_not_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_folder, "_BLOCK", 2)
    files = draw(tmp_path, [str(index) for index in range(6)])

    def stop(news: News) -> None:
        if isinstance(news, Progress) and news.done == 4:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        identify_files(files, stop)
    looked: list[int] = []
    identify_files(files, lambda news: looked.append(news.done) if isinstance(news, Progress) else None)
    assert looked == [4]


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    (file,) = draw(tmp_path, ["a"])
    (before,) = identify_files([file], silent)
    sketch_bird(7, 96)[0].save(file)
    os.utime(file, ns=(1, 1))
    (after,) = identify_files([file], silent)
    assert before.digest != after.digest and before.sides == after.sides == (96, 96)


def test_a_damaged_memory_is_made_anew(tmp_path: Path, home: Path) -> None:
    files = draw(tmp_path / "pictures", ["a", "b"])
    before = [one.digest for one in identify_files(files, silent)]
    for kept in (home / "cache" / "pictures").iterdir():
        kept.write_bytes(b"rubbish")
    assert [one.digest for one in identify_files(files, silent)] == before


@pytest.mark.slow
def test_thirty_thousand_pictures(tmp_path: Path) -> None:
    """Small ones, all different: few colours in large fields, and the number written into their last row."""
    generator = np.random.default_rng(0)
    for index in range(30_000):
        if index % 1000 == 0:
            (tmp_path / f"kind {index // 1000:02}").mkdir()
        fields = np.kron(generator.integers(0, 255, (4, 4, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
        Image.fromarray(fields).save(tmp_path / f"kind {index // 1000:02}" / f"{index}.bmp")
    found = survey(None, Survey(str(tmp_path)), silent)
    assert len(found.pictures) == 30_000 and len(found.kinds) == 30 and not found.problems


def test_cut_outs_that_the_app_saved_are_no_pictures(tmp_path: Path) -> None:
    draw(tmp_path, ["owl", "wren"])
    pixels = np.full((64, 64, 4), 200, np.uint8)
    creature = Collage(64, 64, (Layer(0, "head", pixels, 0, 0),))
    save_layers(creature, tmp_path / "creature.png")
    save_layers(replace(creature, ground=pixels[..., :3]), tmp_path / "scene.png")
    found = read_image_folder(tmp_path, silent)
    assert [path.name for path in found.pictures] == ["owl.png", "scene.png", "wren.png"]
    assert [(one.what, one.message) for one in found.problems] == [
        ("own", "creature.png is a cut-out that PartCraft saved.")
    ]


def test_a_turned_picture_is_the_same(tmp_path: Path) -> None:
    """Turned by a tag, by a program that dropped the tag, or in the pixels."""
    upright = sketch_bird(1, 256)[0].convert("RGB").resize((256, 192))
    upright.save(tmp_path / "a.jpg", quality=92)
    turned = Image.Exif()
    turned[0x112] = 6
    upright.rotate(90, expand=True).save(tmp_path / "tag.jpg", quality=92, exif=turned)
    for angle in (90, 180, 270):
        upright.rotate(angle, expand=True).save(tmp_path / f"by {angle}.jpg", quality=92)
    upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "mirrored.jpg", quality=92)
    found = read_image_folder(tmp_path, silent)
    assert [path.name for path in found.pictures] == ["a.jpg", "mirrored.jpg"]
    assert {problem.what for problem in found.problems} == {"duplicate"}
    assert found.problems[0].message == "by 180.jpg shows the same picture as a.jpg."


# Kinds


@pytest.mark.parametrize(
    "text",
    [
        "file,label\n1.png,Robin\n2.png,Wren\n",
        "picture,class\r\n1.png,Robin\r\n2.png,Wren\r\n",
        "\ufefffile;label\n1.png;Robin\n2.png;Wren\n",
        "label\tfile\nRobin\t1.png\n\nWren\t2\n",
        "sep=;\r\nfile;label\r\n1.png;Robin\r\n2.png;Wren\r\n",
        "\ufeffSep=|\nfile|label\n1.png|Robin\n2.png|Wren\n",
        "sep=\t\nfile\tlabel\n1.png\tRobin\n2.png\tWren\n",
        'Image,Species,"who, when"\n"1.png","Robin",me\n./2.png,Wren\n',
    ],
)
def test_labels_in_many_forms(tmp_path: Path, text: str) -> None:
    files = draw(tmp_path, ["1", "2"])
    (tmp_path / LABELS).write_bytes(text.encode())
    assert kinds_of(tmp_path, files) == (("Robin", "Wren"), [])


def test_labels_of_any_alphabet(tmp_path: Path) -> None:
    files = draw(tmp_path, NAMES)
    rows = [f"{unicodedata.normalize('NFD', name)}.PNG,{name}" for name in NAMES]
    (tmp_path / LABELS).write_text("\n".join(["file,label", *rows]), "utf-8")
    assert kinds_of(tmp_path, files) == (NAMES, [])


def test_wrong_lines_are_told_and_the_others_count(tmp_path: Path) -> None:
    files = draw(tmp_path, ["a/1", "b/1", "2", "3"])
    rows = ["file,label", "a/1.png,Robin", "1.png,Wren", "9.png,Owl", "2.png,", "a\\1.png,Jay", "3.png,Ёж"]
    (tmp_path / LABELS).write_text("\n".join(rows), "utf-8")
    kinds, problems = kinds_of(tmp_path, files)
    assert kinds == ("Robin", "", "", "Ёж")
    told = " ".join(one.message for one in problems)
    for said in (
        "several pictures",
        "no picture of that name",
        "no label for 2.png",
        "calls a\\1.png Jay",
        "2 of the 4",
    ):
        assert said in told, said
    found = survey(None, Survey(str(tmp_path)), silent)
    assert found.kinds == (("Robin", 1), ("Ёж", 1)) and [one.what for one in found.problems] == ["label"] * 5


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "lacks the columns"),
        (b"one,two\n1,2\n", "lacks the columns"),
        (b"file,label\n", "names none"),
        (b"file,label\nnobody.png,Robin\n", "names none"),
        (b"file,label\ncaf\xe9.png,Robin\n", "not text in UTF-8"),
    ],
)
def test_labels_that_are_nonsense_are_one_sentence(tmp_path: Path, data: bytes, said: str) -> None:
    draw(tmp_path, ["1"])
    (tmp_path / LABELS).write_bytes(data)
    with pytest.raises(UserError, match=said) as told:
        survey(None, Survey(str(tmp_path)), silent)
    assert told.value.hint


@settings(max_examples=60)
@given(st.text(max_size=200) | st.lists(st.lists(st.text(max_size=8), max_size=3), max_size=6).map(
    lambda rows: "\n".join(["file,label", *(",".join(row) for row in rows)])))  # fmt: skip
def test_any_text_gives_kinds_or_one_sentence(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    files = [folder / "1.png", folder / "2.png"]
    (folder / LABELS).write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        kinds, _ = kinds_of(folder, files)
    except UserError as error:
        assert error.message and error.hint
    else:
        assert len(kinds) == 2 and any(kinds)


def test_a_kind_of_one_picture(tmp_path: Path) -> None:
    draw(tmp_path / "many", ["1", "2", "3"])
    draw(tmp_path / "one", ["4"], first=9)
    assert survey(None, Survey(str(tmp_path)), silent).kinds == (("many", 3), ("one", 1))


@pytest.mark.parametrize(("short", "notes"), [(1, 1), (3, 3), (5, 1)])
def test_a_jpeg_that_lacks_its_end_is_used_and_noted(tmp_path: Path, short: int, notes: int) -> None:
    for number in range(6):
        sketch_bird(number, 96)[0].save(tmp_path / f"{number}.jpg")
        if number < short:
            file = tmp_path / f"{number}.jpg"
            file.write_bytes(file.read_bytes()[:-7])
    for _ in range(2):  # read, and remembered
        folder = read_image_folder(tmp_path, lambda _: None)
        told = [problem.message for problem in folder.problems if problem.what == "note"]
        assert len(folder.pictures) == 6 and len(told) == len(folder.problems) == notes
        assert "The last bytes of" in told[0] and ("5 pictures" in told[0]) == (short == 5)
