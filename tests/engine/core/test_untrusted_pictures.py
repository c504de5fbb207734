"""A picture never runs a program: PostScript in a .png is refused unread, wherever pictures are opened."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.core.errors import UserError
from engine.core.image_files import FORMATS, open_image, open_picture, read_label_map
from engine.core.png_metadata import read_creation
from engine.packs.library import PackLibrary
from engine.packs.pack import Pack
from engine.packs.validation import check_pack
from engine.segmentation.image_folder import survey
from engine.worker.jobs import Survey
from partcraft_desktop.widgets.images import read_crop, read_levels
from partcraft_desktop.widgets.thumbnails import _read_small
from tests.fakes import make_pack, sketch_bird

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n(out) (w) file pop\nshowpage\n%%EOF\n"

_started: list[str] | None = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _started is not None and event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.spawn"):
        _started.append(f"{event} {arguments[:2]}")


sys.addaudithook(_hook)


@contextmanager
def programs() -> Iterator[list[str]]:
    """While open: the programs that this process starts."""
    global _started
    _started = started = []
    try:
        yield started
    finally:
        _started = None


@pytest.fixture
def ghostscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program called ``gs`` on the path; the file it leaves when it is started."""
    trace = tmp_path / "gs was started"
    program = tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch '{trace}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    # Pillow looks for it once and remembers.
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)
    return trace


@pytest.fixture
def disguised(tmp_path: Path) -> Path:
    """A folder with a program in PostScript that is called a picture, and one picture."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "bird.png").write_bytes(EPS)
    sketch_bird(1)[0].save(folder / "real.png")
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for gs is a shell script")
def test_pillow_alone_would_start_it(ghostscript: Path, disguised: Path) -> None:
    with programs() as started, Image.open(disguised / "bird.png") as picture, pytest.raises(OSError):
        picture.load()
    assert started and ghostscript.exists()


@pytest.mark.parametrize("read", [open_picture, open_image, read_label_map, read_creation, read_levels])
def test_nothing_opens_it(read: Callable[[Path], Any], ghostscript: Path, disguised: Path) -> None:
    with programs() as started, pytest.raises((UserError, OSError)):
        read(disguised / "bird.png")
    assert not started and not ghostscript.exists()


def test_neither_do_thumbnails_and_crops(ghostscript: Path, disguised: Path) -> None:
    bird = str(disguised / "bird.png")
    for labels in (bird, str(disguised / "real.png")):
        with programs() as started, pytest.raises(UserError):
            read_crop(bird, labels, 0, 32)
        assert not started
    with programs() as started, pytest.raises(UserError):
        _read_small(bird, 32)
    assert not started and not ghostscript.exists()


def test_a_folder_leaves_it_out(ghostscript: Path, disguised: Path) -> None:
    with programs() as started:
        surveyed = survey(None, Survey(str(disguised)), lambda news: None)
    assert [Path(one).name for one in surveyed.pictures] == ["real.png"]
    assert [(Path(one.picture).name, one.what) for one in surveyed.problems] == [("bird.png", "unreadable")]
    assert not started and not ghostscript.exists()


@pytest.mark.parametrize("what", ["image", "labels", "thumbnail"])
def test_a_pack_with_it_is_refused(what: str, ghostscript: Path, tmp_path: Path) -> None:
    pack = make_pack(tmp_path / "made" / "birds")
    file = tmp_path / "birds.partpack"
    PackLibrary(own=tmp_path / "made").export_pack(pack, file)
    Path(getattr(pack.references[0], what)).write_bytes(EPS)
    with programs() as started, pytest.raises(UserError):
        check_pack(Pack.open(pack.path), thorough=True)
    assert not started
    shutil.make_archive(str(tmp_path / "evil"), "zip", pack.path)
    (tmp_path / "evil.zip").rename(tmp_path / "evil.partpack")
    with programs() as started, pytest.raises(UserError):
        PackLibrary(own=tmp_path / "other").import_pack(tmp_path / "evil.partpack")
    assert not started and not ghostscript.exists()


@pytest.mark.parametrize("form", FORMATS)
def test_no_program_is_started_for_any_format(form: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    sketch_bird(3)[0].save(path, form)
    with programs() as started:
        assert np.asarray(open_picture(path)).shape[2] == 3
    assert not started
