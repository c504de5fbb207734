"""What travels: a pack's and a run's own files, never what links, ids and folder names in them point at."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from engine.core.errors import UserError
from engine.core.paths import local_model_folder, models_dir, packs_dir, runs_dir
from engine.packs.archive import read_archive, write_archive
from engine.packs.contents import copy_pack, pack_files
from engine.packs.library import PackLibrary
from engine.packs.pack import Pack
from engine.packs.validation import check_pack
from engine.runs.export import export_run
from engine.runs.run_folder import open_plan
from tests.fakes import make_pack, sketch_bird

links = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes are made otherwise")
NAMES = ["references/0.png", "thumbnails/0.png", "references/0-labels.png", "LICENSE.txt", "codebook.safetensors"]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A folder with files that are nobody's business."""
    folder = tmp_path / "private"
    (folder / "deeper").mkdir(parents=True)
    (folder / "diary.txt").write_text("secret")
    (folder / "deeper" / "keys").write_text("secret")
    return folder


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    return make_pack(tmp_path / "made" / "birds")


def edited(pack: Pack, **changes: Any) -> None:
    path = pack.path / "pack.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **changes}), "utf-8")


def texts(folder: Path) -> str:
    return " ".join(path.read_text("latin-1") for path in folder.rglob("*") if path.is_file())


@links
@pytest.mark.parametrize("name", NAMES)
def test_a_link_out_of_a_pack_goes_nowhere(name: str, pack: Pack, secret: Path, tmp_path: Path) -> None:
    (pack.path / name).unlink(missing_ok=True)
    (pack.path / name).symlink_to(secret / "diary.txt")
    with pytest.raises(UserError) as caught:
        copy_pack(Pack.open(pack.path), tmp_path / "copy")
    assert name in caught.value.message
    with pytest.raises(UserError):
        write_archive(Pack.open(pack.path), tmp_path / "birds.partpack")
    assert not (tmp_path / "birds.partpack").exists()


@links
def test_a_linked_folder_in_a_pack_goes_nowhere(pack: Pack, secret: Path) -> None:
    shutil.copytree(pack.path / "references", secret / "references")
    shutil.rmtree(pack.path / "references")
    (pack.path / "references").symlink_to(secret / "references")
    with pytest.raises(UserError, match="leads out of the pack"):
        Pack.open(pack.path)


@links
def test_links_inside_a_pack_are_its_own(pack: Pack, tmp_path: Path) -> None:
    (pack.path / "references" / "0.png").rename(pack.path / "bird.png")
    (pack.path / "references" / "0.png").symlink_to("../bird.png")
    check_pack(Pack.open(copy_pack(Pack.open(pack.path), tmp_path / "copy")), thorough=True)


def test_only_what_belongs_to_a_pack_travels(pack: Pack, secret: Path, tmp_path: Path) -> None:
    shutil.copytree(secret, pack.path / "private")
    assert not [name for name in pack_files(pack) if "private" in name]
    with zipfile.ZipFile(write_archive(pack, tmp_path / "birds.partpack")) as archive:
        assert sorted(archive.namelist()) == pack_files(pack)


def run_of(pack: Pack, **plan: Any) -> Path:
    run = runs_dir() / "run"
    run.mkdir(parents=True)
    (run / "plan.json").write_text(json.dumps({"pack": str(pack.path), "base_model": "some/base", **plan}))
    return run


@pytest.mark.parametrize("where", ["extends", "start"])
def test_a_run_takes_no_private_folder_along(where: str, pack: Pack, secret: Path, tmp_path: Path) -> None:
    """The folder is none of a pack: refused; made one, only the pack's files go."""
    if where == "extends":
        edited(pack, extends=str(secret))
    run = run_of(pack, **({"start": str(secret)} if where == "start" else {}))
    with pytest.raises(UserError, match="is not a pack"):
        export_run(run, tmp_path / "stick")
    assert list((tmp_path / "stick").iterdir()) == []
    shutil.copytree(make_pack(tmp_path / "known").path, secret, dirs_exist_ok=True)
    there, _ = export_run(run, tmp_path / "stick")
    assert (there / where / "pack.json").is_file() and "secret" not in texts(there)


def test_a_run_takes_only_pictures_of_its_folder_along(pack: Pack, secret: Path, tmp_path: Path) -> None:
    sketch_bird(1)[0].save(secret / "deeper" / "bird.png")
    (secret / "labels.csv").write_text("file,label\nbird.png,robin\n")
    if sys.platform != "win32":
        (secret / "link.png").symlink_to(secret / "diary.txt")
    there, _ = export_run(run_of(pack, pictures=str(secret)), tmp_path / "stick")
    names = {path.relative_to(there / "pictures").as_posix() for path in (there / "pictures").rglob("*.*")}
    assert names == {"deeper/bird.png", "labels.csv"} and "secret" not in texts(there)


@pytest.mark.parametrize("start", ["diary.txt", "start.safetensors"])
def test_a_start_is_tensors_or_stays(start: str, pack: Pack, secret: Path, tmp_path: Path) -> None:
    save_file({"start": np.zeros((6, 4), np.float32)}, secret / "start.safetensors")
    run = run_of(pack, start=str(secret / start))
    if start == "diary.txt":
        with pytest.raises(UserError, match="start"):
            export_run(run, tmp_path / "stick")
    else:
        assert (export_run(run, tmp_path / "stick")[0] / "start.safetensors").is_file()


@links
@pytest.mark.parametrize("name", ["examples.safetensors", "log.jsonl", "run.json", "checkpoints"])
def test_no_link_is_followed_out_of_a_run(name: str, pack: Pack, secret: Path, tmp_path: Path) -> None:
    run = run_of(pack)
    (secret / "step-3").mkdir()
    (secret / "step-3" / "state.safetensors").write_text("secret")
    (run / name).symlink_to(secret if name == "checkpoints" else secret / "diary.txt")
    assert "secret" not in texts(export_run(run, tmp_path / "stick")[0])


@pytest.mark.parametrize("id", ["../packs/birds/base", "a/../../packs/birds/base", "..\\base", ".."])
@pytest.mark.parametrize("what", ["backbone", "base_model", "unet"])
def test_a_pack_brings_no_models_of_its_own(what: str, id: str, pack: Pack) -> None:
    document = json.loads((pack.path / "pack.json").read_text("utf-8"))
    change = {"base_model": {**document["base_model"], "unet": id}} if what == "unet" else {}
    edited(pack, **(change or {what: {**document[what], "id": id}}))
    with pytest.raises(UserError, match="no name of a model"):
        Pack.open(pack.path)


def test_models_are_not_looked_for_in_packs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    brought = packs_dir() / "birds" / "base"
    brought.mkdir(parents=True)
    models_dir().mkdir(parents=True)
    monkeypatch.chdir(home)  # as the engine's process does
    monkeypatch.setenv("HOME", str(home))
    for id in ("packs/birds/base", str(brought), "~/packs/birds/base", "../packs/birds/base"):
        assert local_model_folder(id) is None
    (models_dir() / "packs/birds/base").mkdir(parents=True)
    assert local_model_folder("packs/birds/base") == models_dir() / "packs/birds/base"


def pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def ended(work: Callable[[], object]) -> list[str]:
    """What a piece of work said that must not wait for ever: the error's sentence, or nothing."""
    said: list[str] = []

    def run() -> None:
        try:
            work()
            said.append("")
        except (UserError, OSError) as error:
            said.append(str(error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), "it waits for a pipe"
    return said


@links
@pytest.mark.parametrize("name", ["pack.json", "codebook.safetensors", "tokens.safetensors", "lora.safetensors"])
def test_a_pipe_in_a_pack_is_no_file(name: str, pack: Pack) -> None:
    pipe(pack.path / name)
    assert ended(lambda: check_pack(Pack.open(pack.path), thorough=True)) != [""]
    assert ended(lambda: copy_pack(pack, pack.path.parent / "copy")) != [""]


@links
def test_a_pipe_or_a_folder_is_not_imported(pack: Pack, tmp_path: Path) -> None:
    pipe(tmp_path / "birds.partpack")
    library = PackLibrary(own=tmp_path / "own")
    assert "a pipe or a device" in ended(lambda: library.import_pack(tmp_path / "birds.partpack"))[0]
    assert "is a folder" in ended(lambda: library.import_pack(tmp_path / "made"))[0]


@links
def test_a_pack_that_is_here_with_a_pipe_is_another(pack: Pack, tmp_path: Path) -> None:
    file = write_archive(pack, tmp_path / "birds.partpack")
    pipe(pack.path / "tokens.safetensors")
    assert ended(lambda: read_archive(file, tmp_path / "own", [pack])) == [""]


@links
def test_a_pipe_is_no_plan(pack: Pack) -> None:
    run = run_of(pack)
    pipe(run / "plan.json")
    assert "no plan" in ended(lambda: open_plan(run))[0]
