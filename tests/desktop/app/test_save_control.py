"""Pictures saved for other programs from the session: what is in the files, what is said, what stays when it fails."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from psd_tools import PSDImage
from pytestqt.qtbot import QtBot

from engine.collage.arrangement import Arrangement, with_arrangement
from engine.collage.assemble import assemble
from engine.collage.layers import Collage, flatten
from engine.collage.placement import Adjustment
from engine.core.png_metadata import read_creation
from engine.core.source_mark import TRAINED, source_type_in
from engine.core.vocabulary import Choice
from engine.packs.pack import Pack
from partcraft_desktop.app.layer_files import DRAGGED, KEEP_DRAGGED_S, KINDS, WORKFLOWS, SaveKind, kind_of
from partcraft_desktop.app.session import Session
from tests.desktop.conftest import WAIT, Opened, rendered, said
from tests.engine.exchange.comfyui_reader import check_api, from_window

GROUND, TRANSPARENT, PSD, ORA = KINDS


def choose_all(session: Session, pack: Pack) -> Collage:
    """A part of each of five references; the collage they make."""
    for part, reference in zip(range(5), pack.references, strict=False):
        session.choose(part, reference.codes[part], reference.id)
    return assemble(session.state.recipe, pack)


def saved(qtbot: QtBot, session: Session) -> None:
    """Wait until nothing is on its way to a file."""
    qtbot.waitUntil(lambda: not session.state.saving, timeout=WAIT)


def test_the_creature_as_it_is_arranged(opened: Opened, pack: Pack, tmp_path: Path, qtbot: QtBot) -> None:
    session = opened.session
    choose_all(session, pack)
    moved = Arrangement(adjustments=(Adjustment(3, (0.1, 0.0), 1.5), Adjustment(1, hidden=True)))
    session.update_state(recipe=with_arrangement(session.state.recipe, moved))
    wanted = assemble(session.state.recipe, pack)
    for kind in KINDS:
        session.saves.save_creature(tmp_path / f"{kind.name}{kind.suffix}", kind)
        assert session.state.saving == (f"{kind.name}{kind.suffix}",)
        saved(qtbot, session)
        assert said(opened, f"Saved as “{kind.name}{kind.suffix}”.")
    with Image.open(tmp_path / "ground.png") as picture:
        assert np.array_equal(np.asarray(picture), flatten(wanted))
        assert picture.getchannel("A").getextrema() == (255, 255)
    with Image.open(tmp_path / "transparent.png") as picture:
        assert picture.getpixel((0, 0)) == (0, 0, 0, 0) and picture.size == (128, 128)
    layers = list(PSDImage.open(tmp_path / "psd.psd"))
    names = [(layer.name, layer.visible) for layer in layers]
    assert names == [("ground", True), *((layer.name, layer.visible) for layer in wanted.layers)]
    assert ("wing", False) in names
    assert (layers[-1].left, layers[-1].top) == (wanted.layers[-1].left, wanted.layers[-1].top)
    assert session.state.engine == "off", "no engine is needed"


def test_renders_say_that_a_model_made_them_unless_that_is_turned_off(
    opened: Opened, pack: Pack, tmp_path: Path, qtbot: QtBot
) -> None:
    session = opened.session
    for on, mark in ((True, TRAINED), (False, "")):
        opened.settings.set(mark_renders=on)
        rendered(qtbot, session)
        creation = session.state.creations[0]
        assert source_type_in(Path(creation.path)) == mark
        for kind in (GROUND, TRANSPARENT):
            session.saves.save_creation(creation, tmp_path / f"{kind.name}.png", kind)
            saved(qtbot, session)
            assert source_type_in(tmp_path / f"{kind.name}.png") == mark
    choose_all(session, pack)
    session.saves.save_creature(tmp_path / "collage.png", GROUND)
    saved(qtbot, session)
    assert source_type_in(tmp_path / "collage.png") == "", "no model took part"


def test_a_recipe_is_saved_for_comfyui(opened: Opened, pack: Pack, tmp_path: Path, qtbot: QtBot) -> None:
    session = opened.session
    choose_all(session, pack)
    session.starts.set_freedom(0.4)
    rendered(qtbot, session)
    for kind in WORKFLOWS:
        for name in ("creature", "creation"):
            path = tmp_path / f"{name}-{kind.name}.json"
            if name == "creature":
                session.saves.save_creature(path, kind)
            else:
                session.saves.save_creation(session.state.creations[0], path, kind)
            saved(qtbot, session)
            assert said(opened, f"Saved as “{path.name}”.") and said(opened, f"Put “{path.stem}-start.png” into")
            document = json.loads(path.read_text("utf-8"))
            nodes = document if kind.name == "comfyui-api" else from_window(document)
            check_api(nodes)
            (drawn,) = [node["inputs"] for node in nodes.values() if node["class_type"] == "KSampler"]
            assert (drawn["seed"], drawn["denoise"]) == (session.state.creations[0].recipe.seed, 0.4)
    assert kind_of(tmp_path / "a.json", GROUND) == WORKFLOWS[0]


def test_what_is_only_tried_is_not_saved(opened: Opened, pack: Pack, tmp_path: Path, qtbot: QtBot) -> None:
    session = opened.session
    session.choose(1, 0, "0")
    session.update_state(tried=Choice(3, 2, source="2"))
    session.saves.save_creature(tmp_path / "x.psd", PSD)
    saved(qtbot, session)
    assert [layer.name for layer in PSDImage.open(tmp_path / "x.psd")] == ["ground", "wing"]


def test_a_part_that_is_missing_is_said(opened: Opened, pack: Pack, tmp_path: Path, qtbot: QtBot) -> None:
    session = opened.session
    session.choose(1, 0, "0")
    session.choose(3, 7)  # nothing shows code 7
    session.saves.save_creature(tmp_path / "x.psd", PSD)
    saved(qtbot, session)
    assert said(opened, "Saved as “x.psd”. ") and said(opened, "head")


def test_nothing_chosen_is_nothing_to_save(opened: Opened, tmp_path: Path) -> None:
    opened.session.saves.save_creature(tmp_path / "x.psd", PSD)
    assert said(opened, "There is no creature to save yet.") and not list(tmp_path.glob("x*"))


def test_a_creation_in_layers_is_cut_by_its_own_segmentation(opened: Opened, tmp_path: Path, qtbot: QtBot) -> None:
    session = opened.session
    session.choose(1, 0, "0")
    rendered(qtbot, session)
    creation = session.state.creations[0]
    for kind in KINDS:
        session.saves.save_creation(creation, tmp_path / f"{kind.name}{kind.suffix}", kind)
        saved(qtbot, session)
    assert read_creation(tmp_path / "ground.png").recipe == creation.recipe, "as it is, it remembers its recipe"
    names = [layer.name for layer in PSDImage.open(tmp_path / "psd.psd")]
    assert names[0] == "ground" and set(names[1:]) == {"body", "wing", "tail", "head", "legs"}
    with Image.open(tmp_path / "transparent.png") as picture, Image.open(creation.path) as whole:
        assert picture.size == whole.size and picture.getchannel("A").getpixel((0, 0)) == 0
    assert (tmp_path / "ora.ora").stat().st_size > 0


def test_an_engine_that_fails_leaves_no_file(
    opened: Opened, tmp_path: Path, qtbot: QtBot, script: Callable[..., None]
) -> None:
    session = opened.session
    rendered(qtbot, session)
    script(segment={"fail": ["The eyes are not here.", "Get them again."]})
    session.saves.save_creation(session.state.creations[0], tmp_path / "x.psd", PSD)
    saved(qtbot, session)
    assert said(opened, "The eyes are not here. Get them again.") and not list(tmp_path.glob("x*"))


def test_a_creation_of_a_pack_that_is_gone(opened: Opened, tmp_path: Path, qtbot: QtBot) -> None:
    session = opened.session
    rendered(qtbot, session)
    creation = session.state.creations[0]
    session.update_state(packs=())
    session.saves.save_creation(creation, tmp_path / "x.psd", PSD)
    assert said(opened, "save it as PNG with its ground") and session.state.saving == ()
    session.saves.save_creation(creation, tmp_path / "x.png", GROUND)
    saved(qtbot, session)
    assert (tmp_path / "x.png").read_bytes() == Path(creation.path).read_bytes()


def test_a_creation_that_is_gone(opened: Opened, tmp_path: Path, qtbot: QtBot) -> None:
    session = opened.session
    rendered(qtbot, session)
    creation = session.state.creations[0]
    Path(creation.path).unlink()
    session.saves.save_creation(creation, tmp_path / "x.png", GROUND)
    saved(qtbot, session)
    assert said(opened, "is not there any more") and not list(tmp_path.glob("*x.png"))


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("gone/x.psd", "is not there"),
        ("half\ud800.psd", "a character that no file's name can"),
        ("nul\0.psd", "a character that no file's name can"),
        ("long" * 100 + ".psd", "the disk takes no such name"),
        ("folder.psd", "could not be saved"),
        ("x.jpg", "cannot be saved as .jpg files"),
    ],
)
def test_what_cannot_be_saved_is_one_sentence(
    place: str, sentence: str, opened: Opened, pack: Pack, tmp_path: Path, qtbot: QtBot
) -> None:
    choose_all(opened.session, pack)
    folder = tmp_path / "pictures"
    (folder / "folder.psd").mkdir(parents=True)
    opened.session.saves.save_creature(folder / place, PSD)
    saved(qtbot, opened.session)
    assert said(opened, sentence) and [file.name for file in folder.rglob("*")] == ["folder.psd"]
    assert opened.messages[-1].kind == "error" and opened.messages[-1].hint


def test_a_full_disk_leaves_the_old_file(
    opened: Opened, pack: Pack, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs a disk that is always full")
    choose_all(opened.session, pack)
    path = tmp_path / "x.psd"
    path.write_bytes(b"old")
    monkeypatch.setattr("engine.core.atomic_files.secrets.token_hex", lambda count: "full")
    (tmp_path / ".full-part.psd").symlink_to("/dev/full")
    opened.session.saves.save_creature(path, PSD)
    saved(qtbot, opened.session)
    assert said(opened, "The disk is full, so the layers could not be saved. Make room")
    assert path.read_bytes() == b"old" and not list(tmp_path.glob(".*"))


def test_closing_the_window_does_not_lose_a_save(opened: Opened, pack: Pack, tmp_path: Path) -> None:
    choose_all(opened.session, pack)
    opened.session.saves.save_creature(tmp_path / "x.psd", PSD)
    opened.close()
    assert len(list(PSDImage.open(tmp_path / "x.psd"))) == 6


def test_the_message_leads_to_the_folder(opened: Opened, pack: Pack, tmp_path: Path, qtbot: QtBot) -> None:
    choose_all(opened.session, pack)
    opened.session.saves.save_creature(tmp_path / "x.png", GROUND)
    saved(qtbot, opened.session)
    action = opened.messages[-1].action
    assert action is not None and action.label == "Show in folder"
    with qtbot.waitSignal(opened.session.saves.folder_wanted, timeout=WAIT) as wanted:
        action.run()
    assert wanted.args == [tmp_path]


@pytest.mark.parametrize(
    ("name", "chosen", "kind"),
    [("x.png", TRANSPARENT, TRANSPARENT), ("x.PSD", GROUND, PSD), ("x.ora", PSD, ORA), ("x.png", PSD, GROUND)],
)
def test_a_suffix_that_is_typed_decides(name: str, chosen: SaveKind, kind: SaveKind) -> None:
    assert kind_of(Path(name), chosen) == kind


def test_what_is_dragged_waits_in_a_folder_that_is_swept(
    open_session: Callable[[], Opened], home: Path, pack: Pack, qtbot: QtBot
) -> None:
    first = open_session()
    wanted = choose_all(first.session, pack)
    make = first.session.saves.creature_maker()
    assert make is not None
    files: list[Path | None] = []
    first.session.saves.write_dragged("Ёжик head / CON", make, files.append)
    qtbot.waitUntil(lambda: bool(files), timeout=WAIT)
    (file,) = files
    assert file is not None and file.parent.parent == home / DRAGGED and file.name == "ёжик-head-con.png"
    with Image.open(file) as picture:
        assert np.array_equal(np.asarray(picture), flatten(wanted))
    first.close()
    second = open_session()
    qtbot.waitUntil(lambda: second.readers.idle, timeout=WAIT)
    assert file.exists(), "a program may read it late"
    second.close()
    past = time.time() - KEEP_DRAGGED_S - 60
    os.utime(file.parent, (past, past))
    open_session()
    qtbot.waitUntil(lambda: not file.parent.exists(), timeout=WAIT)


def test_a_drag_whose_file_cannot_be_written_says_so(opened: Opened, home: Path, pack: Pack, qtbot: QtBot) -> None:
    choose_all(opened.session, pack)
    shutil.rmtree(home / DRAGGED, ignore_errors=True)
    (home / DRAGGED).write_text("in the way")
    make = opened.session.saves.creature_maker()
    assert make is not None
    files: list[Path | None] = []
    opened.session.saves.write_dragged("x", make, files.append)
    qtbot.waitUntil(lambda: bool(files), timeout=WAIT)
    assert files == [None] and said(opened, "could not be saved")
