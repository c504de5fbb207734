"""A person's own pictures: decoded once, shown in the order they were asked for."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from engine.core import image_files
from partcraft_desktop.app.decoded_pictures import keep_decoded, open_decoded
from partcraft_desktop.app.session import Session
from partcraft_desktop.window.main_window import MainWindow
from tests import fakes
from tests.desktop.conftest import WAIT, Opened, rendered, said

HEAD = 3


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often each file was opened to be decoded, by the window: the engine has its own process."""
    counts: Counter[str] = Counter()
    real = image_files.open_image

    def counting(path: Path | str, *more: Any) -> Image.Image:
        if threading.current_thread().name.startswith("readers"):
            counts[str(path)] += 1
        return real(path, *more)

    monkeypatch.setattr(image_files, "open_image", counting)
    yield counts


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "my bird.png"
    fakes.sketch_bird(3, 96)[0].save(path)
    return path


def test_an_own_picture_is_decoded_once(
    qtbot: QtBot, window: MainWindow, session: Session, picture: Path, decoded: Counter[str]
) -> None:
    shown: list[str] = []
    window.view.shown.connect(shown.append)
    session.open_image(picture)
    qtbot.waitUntil(lambda: str(picture) in shown, timeout=WAIT)
    tile = window.library.model.tiles[0]
    assert tile.thumbnail == str(picture)
    qtbot.waitUntil(lambda: window.library.isVisible() and has_thumbnail(window, picture), timeout=WAIT)
    assert decoded[str(picture)] == 1


def has_thumbnail(window: MainWindow, path: Path) -> bool:
    side = window.library.wall.visualRect(window.library.model.index(0)).width()
    return side > 0 and any(key[0] == str(path) for key in window._thumbnails._kept)


def test_a_kept_picture_is_read_again_when_its_file_changed(picture: Path, decoded: Counter[str]) -> None:
    keep_decoded(str(picture))
    before = open_decoded(str(picture))
    assert open_decoded(str(picture)) is before
    Image.new("RGB", (40, 30), "red").save(picture)
    os.utime(picture, ns=(1, 1))
    assert open_decoded(str(picture)).size == (40, 30)


def test_a_picture_that_is_read_late_does_not_cover_a_newer_choice(
    qtbot: QtBot, session: Session, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    real = image_files.open_image

    def slow(path: Path | str, *more: Any) -> Image.Image:
        if str(path) == str(picture):
            release.wait(WAIT / 1000)
        return real(path, *more)

    monkeypatch.setattr(image_files, "open_image", slow)
    session.open_image(picture)
    session.open_reference("3")
    release.set()
    qtbot.waitUntil(lambda: bool(session.state.own and session.state.own[0].segmentation), timeout=WAIT)
    assert session.state.reference is not None and session.state.reference.id == "3"


def test_a_picture_without_a_pack_says_what_to_do_wherever_it_is_opened(
    qtbot: QtBot, session: Session, picture: Path
) -> None:
    pack = session.state.pack
    assert pack is not None
    session.remove_pack(pack)
    qtbot.waitUntil(lambda: session.state.pack is None, timeout=WAIT)
    session.open_image(picture)
    qtbot.waitUntil(lambda: session.state.reference is not None, timeout=WAIT)
    reference = session.state.reference
    assert reference is not None and not reference.busy and reference.note.startswith("Open a pack")
    assert session.state.own == (reference,)


def test_a_picture_that_was_open_and_is_gone_gives_way_to_the_first_reference(
    qtbot: QtBot, open_session: Callable[[], Any], session: Session, picture: Path
) -> None:
    session.open_image(picture)
    qtbot.waitUntil(lambda: bool(session.state.own and session.state.own[0].segmentation), timeout=WAIT)
    session.keep()
    picture.unlink()
    again = open_session()
    assert again.session.state.reference is not None and again.session.state.reference.id == "0"
    assert again.session.state.own == () and not again.messages


def test_a_picture_asked_for_at_the_start_is_not_replaced_by_the_last_one(
    qtbot: QtBot, session: Session, home: Path, tmp_path: Path
) -> None:
    large, picture = tmp_path / "saved.png", tmp_path / "asked.png"  # both slow: one is decoded while the other is
    Image.effect_noise((2600, 2600), 90).convert("RGB").save(large)
    Image.effect_noise((2000, 2000), 90).convert("RGB").save(picture)
    session.open_image(large)
    qtbot.waitUntil(lambda: bool(session.state.own and session.state.own[0].segmentation), timeout=WAIT)
    session.keep()
    again = Opened(home)
    try:
        again.session.begin()
        again.session.open_paths([picture])
        qtbot.waitUntil(lambda: len(again.session.state.own) == 2 and again.readers.idle, timeout=WAIT)
        shown = again.session.state.reference
        assert shown is not None and shown.id == str(picture)
    finally:
        again.close()


def test_the_first_reference_opens_with_its_parts_without_the_engine(qtbot: QtBot, session: Session) -> None:
    qtbot.waitUntil(lambda: session.state.reference is not None and not session.state.reference.busy, timeout=WAIT)
    reference = session.state.reference
    assert reference is not None and reference.segmentation is not None
    assert reference.segmentation.part_at(98, 37) == HEAD
    assert session.state.engine == "off"
    assert session.state.hint


def test_a_dropped_picture_is_segmented_and_stays_on_the_wall(
    qtbot: QtBot, session: Session, tmp_path: Path, script: Callable[..., None]
) -> None:
    script(segment={"note": "These eyes know drawings only."})
    path = tmp_path / "my bird.png"
    fakes.sketch_bird(3, 96)[0].save(path)
    session.open_path(path)
    qtbot.waitUntil(lambda: bool(session.state.own and session.state.own[0].segmentation), timeout=WAIT)
    reference = session.state.reference
    assert reference is not None and reference.image == str(path) and reference.title == "my bird"
    assert reference.note == "These eyes know drawings only."
    assert reference.segmentation is not None and reference.segmentation.labels.shape == (96, 96)
    session.open_reference("1")
    session.open_image(path)
    qtbot.waitUntil(lambda: session.state.reference == reference, timeout=WAIT)


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "missing"])
def test_a_bad_picture_is_one_sentence_and_loses_nothing(
    qtbot: QtBot, session: Session, opened: Opened, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "bad.png"
    whole = tmp_path / "whole.png"
    fakes.sketch_bird(1, 64)[0].save(whole)
    if kind != "missing":
        path.write_bytes({"empty": b"", "text": b"hello", "truncated": whole.read_bytes()[:200]}[kind])
    before = session.state.reference
    assert before is not None
    session.open_path(path)
    qtbot.waitUntil(lambda: said(opened, "bad.png"), timeout=WAIT)
    assert session.state.reference is not None and session.state.reference.id == before.id
    assert session.state.own == ()


def test_a_picture_of_any_shape_opens(qtbot: QtBot, session: Session, tmp_path: Path) -> None:
    path = tmp_path / "wide.jpg"
    Image.new("CMYK", (300, 20), (0, 80, 80, 0)).save(path)
    session.open_path(path)
    qtbot.waitUntil(lambda: bool(session.state.own and session.state.own[0].segmentation), timeout=WAIT)


def test_what_was_found_for_another_pack_is_not_shown(
    qtbot: QtBot,
    opened: Opened,
    open_session: Callable[[], Opened],
    home: Path,
    tmp_path: Path,
    script: Callable[..., None],
) -> None:
    fakes.make_pack(home / "packs" / "others", codes=4, id="others")
    session = open_session().session
    script(segment={"delay": 0.3})
    path = tmp_path / "mine.png"
    fakes.sketch_bird(3, 96)[0].save(path)
    session.open_image(path)
    qtbot.waitUntil(lambda: bool(session.state.own), timeout=WAIT)
    session.open_pack("others" if session.state.pack and session.state.pack.id != "others" else "fake-birds")
    pack = session.state.pack
    qtbot.waitUntil(lambda: bool(session.state.own[0].segmentation), timeout=WAIT)
    segmentation = session.state.own[0].segmentation
    assert pack is not None and segmentation is not None
    assert max(segmentation.codes) < pack.vocabulary.codes_per_part
    assert session.state.reference is not None and session.state.reference.id == str(path)


def test_a_creation_that_is_opened_is_called_by_its_parts_and_other_pictures_by_their_files(
    qtbot: QtBot, session: Session, opened: Opened, open_session: Callable[..., Opened], picture: Path, tmp_path: Path
) -> None:
    session.set_setting("steps", 1)
    session.choose(HEAD, 2, "2")
    rendered(qtbot, session, 1)
    made = Path(session.state.creations[0].path)
    sent = tmp_path / "20260101-120000-7.png"  # as somebody else sends it
    sent.write_bytes(made.read_bytes())
    long = tmp_path / f"{'very ' * 20}long.png"
    long.write_bytes(picture.read_bytes())

    def titles(shown: Session) -> dict[str, str]:
        return {Path(own.id).name: own.title for own in shown.state.own}

    session.open_image(made)
    for path in (sent, picture, long):
        session.open_path(path)
    wanted = {made.name: "head Blue Jay", sent.name: "head Blue Jay", picture.name: "my bird"}
    qtbot.waitUntil(lambda: wanted.items() <= titles(session).items() and len(titles(session)) == 4, timeout=WAIT)
    assert len(titles(session)[long.name]) <= 60 and titles(session)[long.name].endswith("…")
    opened.close()
    again = open_session().session
    qtbot.waitUntil(lambda: len(titles(again)) == 4, timeout=WAIT)
    assert wanted.items() <= titles(again).items(), "also after a restart"
