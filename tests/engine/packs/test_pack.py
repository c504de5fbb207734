"""Packs on disk: written and read back, broken in every way, zipped and unzipped with distrust."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from engine.core.errors import UserError
from engine.core.paths import data_dir, packs_dir, resources_dir, starter_pack
from engine.core.recipe import Creation, Recipe
from engine.core.vocabulary import Part
from engine.packs.library import PackLibrary
from engine.packs.pack import PACK_VERSION, Pack
from engine.packs.validation import check_pack
from tests.fakes import make_pack


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    return make_pack(tmp_path / "birds")


@pytest.fixture
def library(tmp_path: Path) -> PackLibrary:
    make_pack(tmp_path / "bundled", id="starter", references=1)
    return PackLibrary(tmp_path / "bundled", tmp_path / "own")


def edit(pack: Pack, **changes: Any) -> None:
    path = pack.path / "pack.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **changes}), "utf-8")


def rezip(file: Path, change: Callable[[zipfile.ZipFile], None]) -> Path:
    with zipfile.ZipFile(file, "a") as archive:
        change(archive)
    return file


# Places


def test_places(home: Path) -> None:
    assert data_dir() == home and packs_dir() == home / "packs"
    assert (resources_dir().parent / "pyproject.toml").is_file()
    assert starter_pack() == resources_dir() / "starter" / "pack"


# One pack


def test_a_pack_reads_back(pack: Pack) -> None:
    assert Pack.open(pack.path) == pack
    check_pack(pack, thorough=True)
    assert pack.codebook().background == 5
    reference = pack.reference("2")
    assert reference and Path(reference.image).is_absolute() and pack.reference("x") is None


def test_unknown_keys_are_kept(pack: Pack) -> None:
    edit(pack, colour_of_the_week="blue")
    read = Pack.open(pack.path)
    assert read.extra == {"colour_of_the_week": "blue"}
    read.save()
    assert Pack.open(pack.path) == read


def test_a_pack_can_be_moved(pack: Pack, tmp_path: Path) -> None:
    moved = Pack.open(pack.path.rename(tmp_path / "elsewhere"))
    check_pack(moved, thorough=True)


def test_parts_are_renamed(pack: Pack) -> None:
    words = pack.vocabulary
    bill = replace(words, parts=(replace(words.parts[0], name="bill"), *words.parts[1:]))
    replace(pack, vocabulary=bill).save()
    assert Pack.open(pack.path).vocabulary.find_part("bill") == Part(0, "bill", words.parts[0].colour)


def test_saving_into_a_folder_that_is_gone(pack: Pack) -> None:
    shutil.rmtree(pack.path)
    with pytest.raises(UserError, match="not there"):
        pack.save()


def cut(name: str) -> Callable[[Pack], None]:
    def change(pack: Pack) -> None:
        path = pack.path / name
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return change


def without(name: str) -> Callable[[Pack], None]:
    return lambda pack: (pack.path / name).unlink()


def changed(**changes: Any) -> Callable[[Pack], None]:
    return lambda pack: edit(pack, **changes)


def other_codebook(pack: Pack) -> None:
    rows = np.ones((6, 9, 16), np.float32)
    save_file({"foreground": rows[0, :2], "parts": rows[:, 0], "codes": rows}, pack.path / "codebook.safetensors")


def tokens(*shape: int) -> Callable[[Pack], None]:
    return lambda pack: save_file({"text_encoder.raw": np.zeros(shape, np.float32)}, pack.path / "tokens.safetensors")


def junk_lora(pack: Pack) -> None:
    (pack.path / "lora.safetensors").write_bytes(b"junk")


def other_labels(pack: Pack) -> None:
    Image.new("L", (9, 9)).save(pack.path / "references" / "0-labels.png")


def labels_beyond_the_parts(pack: Pack) -> None:
    Image.new("L", (128, 128), 77).save(pack.path / "references" / "0-labels.png")


REFERENCE = {
    "id": "0",
    "title": "a",
    "image": "references/0.png",
    "labels": "references/0-labels.png",
    "codes": [0] * 6,
}

BROKEN: list[tuple[Callable[[Pack], None], str]] = [
    (without("pack.json"), "is not a pack"),
    (cut("pack.json"), "damaged"),
    (changed(version=PACK_VERSION + 1), "newer PartCraft"),
    (changed(version=None), "no version"),
    (changed(parts=[]), "needs one row"),
    (changed(parts=[{"index": 0}]), "lacks 'name'"),
    (changed(parts=[{"index": 0, "name": "a", "colour": "red"}]), "not a colour"),
    (changed(codes_per_part="many"), "wrong kind"),
    (changed(codes_per_part=7), "needs one name"),
    (changed(backbone=None), "wrong kind"),
    (changed(base_model={"id": "base", "guidance": 10**400}), "guidance is not between"),
    (changed(base_model={"id": "base", "steps": 10**400}), "not between 0 and 1000"),
    (changed(codes_per_part=True), "wrong kind"),
    (changed(references=[{**REFERENCE, "image": "../../secret.png"}]), "leads out of the pack"),
    (changed(references=[{**REFERENCE, "image": "/etc/passwd"}]), "leads out of the pack"),
    (changed(references=[{**REFERENCE, "labels": "C:\\secret.png"}]), "leads out of the pack"),
    (changed(references=[{**REFERENCE, "codes": [0]}]), "one code a part"),
    (changed(references=[{**REFERENCE, "codes": [99] * 6}]), "out of range"),
    (without("codebook.safetensors"), "codebook.safetensors is missing"),
    (cut("codebook.safetensors"), "codebook.safetensors is not whole"),
    (other_codebook, "does not fit its pack"),
    (tokens(6, 9, 64), "tokens of “birds” do not fit"),
    (tokens(6, 8, 32), "32 wide"),
    (junk_lora, "lora.safetensors is not whole"),
    (without("references/3.png"), "lacks references/3.png"),
    (without("thumbnails/3.png"), "lacks thumbnails/3.png"),
    (cut("references/3.png"), "3.png is damaged"),
    (cut("references/3-labels.png"), "3-labels.png is not whole"),
    (other_labels, "labels of “Cardinal”"),
    (labels_beyond_the_parts, "labels of “Cardinal”"),
]


@pytest.mark.parametrize(("spoil", "said"), BROKEN)
def test_a_broken_pack_is_told_in_one_sentence(pack: Pack, spoil: Callable[[Pack], None], said: str) -> None:
    spoil(pack)
    with pytest.raises(UserError) as caught:
        check_pack(Pack.open(pack.path), thorough=True)
    assert said in caught.value.message
    assert caught.value.message.endswith(".") and caught.value.hint
    assert str(pack.path.parent) not in caught.value.message  # names, not places of this machine


# The library


def test_listing_shows_broken_packs_with_their_errors(library: PackLibrary) -> None:
    make_pack(library.own / "zebra", id="zebra", references=1)
    other = make_pack(library.own / "apple", id="apple", references=1)
    edit(other, title="An apple")
    make_pack(library.own / "broken", id="broken")
    (library.own / "broken" / "codebook.safetensors").unlink()
    listing = library.listing()
    assert [one.pack and one.pack.id for one in listing] == ["starter", "apple", "zebra", None]
    assert listing[0].bundled and not listing[1].bundled
    assert listing[-1].error and "missing" in listing[-1].error.message
    assert [pack.id for pack in library.packs()] == ["starter", "apple", "zebra"]


def test_finding(library: PackLibrary, pack: Pack) -> None:
    make_pack(library.own / "owls", id="owls", references=1)
    assert library.find("").id == "starter"
    assert library.find("OWLS").id == library.find("Fake birds").id.replace("starter", "owls")
    assert library.find(str(pack.path)) == pack
    with pytest.raises(UserError, match="owls"):
        library.find("owl")
    (library.own / "owls" / "codebook.safetensors").unlink()
    with pytest.raises(UserError, match="missing"):
        library.find("owls")


def test_an_empty_library(tmp_path: Path) -> None:
    library = PackLibrary(tmp_path / "no", tmp_path / "none")
    assert library.listing() == []
    with pytest.raises(UserError, match="no pack yet"):
        library.find("")


def test_deleting_can_be_undone(library: PackLibrary) -> None:
    path = make_pack(library.own / "owls", id="owls", references=1).path
    trashed = library.delete(path)
    assert [pack.id for pack in library.packs()] == ["starter"]
    make_pack(library.own / "owls", id="owls-2", references=1)  # meanwhile its place was taken
    assert library.restore(trashed).id == "owls"
    assert {pack.id for pack in library.packs()} == {"starter", "owls", "owls-2"}
    with pytest.raises(UserError, match="stays"):
        library.delete(library.listing()[0].path)


# .partpack files


def test_a_pack_travels(library: PackLibrary, pack: Pack, tmp_path: Path) -> None:
    (pack.path / "LICENSE").write_text("CC0")
    (pack.path / "notes.log").write_text("not part of the pack")
    file = library.export_pack(pack, tmp_path / "birds")
    assert file == tmp_path / "birds.partpack"
    imported = library.import_pack(file)
    assert imported.path == library.own / "fake-birds"
    assert imported.to_document() == pack.to_document()
    assert (imported.path / "LICENSE").is_file() and not (imported.path / "notes.log").exists()
    assert [one.name for one in library.own.iterdir()] == ["fake-birds"]


def test_the_same_pack_is_not_taken_twice_and_another_gets_its_own_id(
    library: PackLibrary, pack: Pack, tmp_path: Path
) -> None:
    file = library.export_pack(pack, tmp_path / "birds.partpack")
    first = library.import_pack(file)
    assert library.import_pack(file) == first
    edit(pack, title="Other birds")
    second = library.import_pack(library.export_pack(Pack.open(pack.path), tmp_path / "other.partpack"))
    assert (second.id, second.title, second.path.name) == ("fake-birds-2", "Other birds", "fake-birds-2")


def test_a_zip_of_the_folder_itself_is_understood(library: PackLibrary, pack: Pack, tmp_path: Path) -> None:
    made = shutil.make_archive(str(tmp_path / "zipped"), "zip", pack.path.parent, pack.path.name)
    assert library.import_pack(Path(made)).id == "fake-birds"


def slip(name: str) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr(name, "evil")

    return change


def link(file: Path) -> None:
    with zipfile.ZipFile(file, "a") as archive:
        member = zipfile.ZipInfo("references/link.png")
        member.external_attr = 0o120777 << 16
        archive.writestr(member, "/etc/passwd")


def half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5000])


def flipped_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[data.index(b"foreground") + 3000] ^= 1
    file.write_bytes(bytes(data))


def not_a_zip(file: Path) -> None:
    file.write_text("hello")


def empty_zip(file: Path) -> None:
    with zipfile.ZipFile(file, "w"):
        pass


def newer(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("pack.json", '{"version": 99}')


def lacking(file: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        kept = {name: archive.read(name) for name in archive.namelist() if name != "codebook.safetensors"}
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in kept.items():
            archive.writestr(name, data)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (slip("../evil.txt"), "not safe"),
        (slip("references/../../../evil.txt"), "not safe"),
        (slip("/tmp/evil.txt"), "not safe"),
        (slip("..\\evil.txt"), "not safe"),
        (slip("C:evil.txt"), "not safe"),
        (link, "not safe"),
        (half, "not a whole pack"),
        (flipped_bit, "not a whole pack"),
        (not_a_zip, "not a whole pack"),
        (empty_zip, "is not a pack"),
        (newer, "newer PartCraft"),
        (lacking, "codebook.safetensors is missing"),
        (lambda file: file.unlink(), "not there"),
    ],
)
def test_a_strange_file_changes_nothing(
    library: PackLibrary, pack: Pack, tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    file = library.export_pack(pack, tmp_path / "birds.partpack")
    spoil(file)
    before = sorted(path for path in tmp_path.rglob("*") if path != library.own)
    with pytest.raises(UserError) as caught:
        library.import_pack(file)
    assert said in caught.value.message and caught.value.hint
    assert list(library.own.iterdir()) == []
    assert sorted(path for path in tmp_path.rglob("*") if path != library.own) == before


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of files are Unicode there")
def test_text_that_is_no_unicode_is_kept_and_a_file_of_such_a_name_is_told(
    library: PackLibrary, tmp_path: Path
) -> None:
    pack = replace(make_pack(library.own / "birds"), title="half \ud83d", licence="\udce9")
    pack.save()
    assert Pack.open(pack.path) == pack
    file = library.export_pack(pack, tmp_path / os.fsdecode(b"caf\xe9.partpack"))
    library.delete(pack.path)
    again = library.import_pack(file)
    assert again.title == pack.title
    (again.path / os.fsdecode(b"README \xe9")).write_text("")
    with pytest.raises(UserError, match="not Unicode"):
        library.export_pack(again, tmp_path / "b.partpack")


def test_a_broken_pack_is_not_exported(library: PackLibrary, pack: Pack, tmp_path: Path) -> None:
    (pack.path / "references" / "1.png").unlink()
    with pytest.raises(UserError, match="lacks"):
        library.export_pack(pack, tmp_path / "birds.partpack")
    assert not (tmp_path / "birds.partpack").exists()


def test_it_is_told_when_a_creation_was_painted_by_another_base(tmp_path: Path) -> None:
    plain = make_pack(tmp_path / "pack")
    creation = Creation("a.png", Recipe(plain.id), revision="one")
    assert plain.repaints_otherwise(creation) == "", "nothing is known of this base"
    pack = replace(plain, base_model=replace(plain.base_model, revision="two"))
    assert "base model has changed" in pack.repaints_otherwise(creation)
    assert "base model has changed" in pack.repaints_otherwise(replace(creation, revision="")), "before they were told"
    assert pack.repaints_otherwise(replace(creation, revision="two")) == ""
    assert pack.repaints_otherwise(replace(creation, recipe=Recipe("another"))) == ""
