"""Clicks at bad moments: packs, pictures and folders come and go while the real window uses them."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pytestqt.qtbot import QtBot
from safetensors.numpy import save_file

from engine.collage.layers import Collage, Layer
from engine.core.segmentation import NO_PART
from engine.core.vocabulary import Part, Vocabulary
from engine.packs.pack import Pack, Reference
from partcraft_desktop.app.layer_files import KINDS
from partcraft_desktop.window.main_window import MainWindow
from partcraft_desktop.window.save_dialog import SaveDialog
from tests.desktop.conftest import WAIT, Opened, said
from tests.fakes import make_pack

HEAD, WING = 3, 1


def make_strange_pack(folder: Path, parts: int) -> Pack:
    """A pack of so many parts, their names long, of emoji or from right to left; its pictures are of different sizes
    and kinds, a label map is all background."""
    pack = make_pack(folder, id=folder.name)
    odd = ("長" * 300, "🦜\u200d" * 40, "\u202eذيل", "a/b\n")
    names = tuple(Part(part, f"{odd[part % 4]}{part}", "#aa5500") for part in range(parts))
    references = []
    for number, (mode, size) in enumerate((("RGB", (64, 64)), ("RGBA", (90, 40)), ("P", (1, 1)), ("L", (31, 200)))):
        image, labels = folder / f"{number}.png", folder / f"{number}-labels.png"
        pixels = np.full((size[1], size[0], 3), 200, np.uint8)
        map = np.full((size[1], size[0]), NO_PART, np.uint8)
        for part in range(parts):
            at = part * size[1] // parts
            map[at : at + max(1, size[1] // parts), : size[0] // 2 + 1] = part
            pixels[map == part] = (10 * part, 80, 30)
        Image.fromarray(pixels).convert(mode).save(image)
        Image.fromarray(map if number else np.full_like(map, NO_PART)).save(labels)
        codes = tuple(number for _ in range(parts))
        references.append(Reference(str(number), odd[number], str(image), str(image), str(labels), codes))
    words = Vocabulary("ذيل", names, 8, tuple(tuple(f"{odd[c % 4]}{c}" for c in range(8)) for _ in range(parts)))
    rows = np.random.default_rng(1).standard_normal((parts, 9, 16)).astype(np.float32)
    save_file(
        {"foreground": np.ones((2, 16), np.float32), "parts": rows[:, 0].copy(), "codes": rows[:, 1:].copy()},
        folder / "codebook.safetensors",
    )
    strange = Pack(pack.path, folder.name, odd[0], words, pack.backbone, pack.base_model, tuple(references), kinds=None)
    strange.save()
    return strange


def settled(window: MainWindow) -> bool:
    state = window.session.state
    chosen = state.pack is not None and bool(state.recipe.choices)
    return window.session._undo.files.idle and (not chosen or state.creature.choices == state.recipe.choices)


@pytest.fixture
def strange(home: Path) -> tuple[Pack, Pack]:
    return make_strange_pack(home / "packs" / "one", 1), make_strange_pack(home / "packs" / "sixteen", 16)


@pytest.mark.parametrize("seed", range(int(os.environ.get("SEED0", 0)), int(os.environ.get("SEED1", 6))))
def test_whatever_is_done_when_the_window_goes_on(
    strange: tuple[Pack, Pack], qtbot: QtBot, window: MainWindow, opened: Opened, seed: int, tmp_path: Path
) -> None:
    """A walk of clicks, with files that come and go; pytest-qt fails it for any exception in a slot."""
    of, session = random.Random(seed), opened.session
    names = ("saved.psd", "gone/x.psd", "é" * 300 + ".png", ".", "a\0b.ora")
    targets = [*(tmp_path / name for name in names), Path("/")]

    def parts() -> list[int]:
        return [part.index for part in session.state.pack.vocabulary.parts] if session.state.pack else [0]

    def lose_a_file() -> None:
        references = session.state.pack.references if session.state.pack else ()
        if references:
            one = of.choice(references)
            Path(of.choice((one.image, one.labels, one.thumbnail))).unlink(missing_ok=True)

    def lose_a_pack() -> None:
        packs = [pack for pack in session.state.packs if pack.id != "fake-birds"]
        if packs:
            one = of.choice(packs)
            if of.random() < 0.5:
                session.remove_pack(one)
            else:
                shutil.rmtree(one.path, ignore_errors=True)
                session.list_packs()

    def select() -> None:
        collage = session.state.creature.collage
        if collage is not None and collage.layers:
            layer = of.choice(collage.layers)
            window.creature.canvas.select((layer.part, layer.nth))

    def references() -> list[str]:
        return [one.id for one in session.state.pack.references] if session.state.pack else [""]

    def arrange() -> None:
        part = of.choice([*parts(), 99])
        of.choice((
            lambda: session.arrangement.adjust_part(part, move=(of.uniform(-3, 3), 0.1)),
            lambda: session.arrangement.adjust_part(part, scale=of.choice((0.0, 1e9, 0.5))),
            lambda: session.arrangement.mirror_part(part),
            lambda: session.arrangement.set_pose(of.choice(("", "gone", *references()))),
            lambda: session.arrangement.set_ground(of.choice(("pose", "none", (1, 2, 3)))),
            session.arrangement.reset_arrangement,
        ))()  # fmt: skip

    def save() -> None:
        session.saves.save_creature(of.choice(targets), of.choice(KINDS))

    steps = [
        lambda: session.choose(of.choice(parts()), of.randrange(8), of.choice(("", *references()))),
        lambda: session.choose(of.choice(parts()), of.randrange(8), of.choice(("", *references()))),
        session.random_mix,
        lambda: session.remove(of.choice(parts())),
        lambda: session.open_pack(of.choice(("fake-birds", "one", "sixteen"))),
        lambda: session.open_reference(of.choice(references())),
        session.undo, session.undo, session.redo,
        lambda: window.wall.open_part(of.choice(parts())),
        select, arrange, arrange, save, lose_a_file, lose_a_pack,
        session.render, session.cancel_all, session.go_on,
        lambda: session.delete_creations(session.state.creations[:2]),
        lambda: window.creature.ways_out.row.layers.click(),
        lambda: session.deleted.read(),
        lambda: session.set_prompt_text(of.choice(("a bird", "<0:1><0:2> x", "<0:1*9>", "\u202e"))),
        lambda: qtbot.waitUntil(lambda: settled(window), timeout=WAIT),
    ]  # fmt: skip
    assert {pack.id for pack in session.state.packs} == {"fake-birds", "one", "sixteen"}
    for pack in strange:  # one of a pack's label maps is gone, and another of another size
        Path(pack.references[3].labels).unlink()
        Image.new("L", (7, 5)).save(pack.references[2].labels)
    session.set_setting("steps", 1)
    for _ in range(60):
        of.choice(steps)()
        if of.random() < 0.6:
            window.repaint()
            qtbot.wait(of.choice((0, 5)))
    session.cancel_all()
    qtbot.waitUntil(lambda: settled(window) and session.state.render is None, timeout=WAIT)
    for message in opened.messages:
        assert message.text.endswith(".") and "Error" not in message.text, message


@pytest.mark.parametrize("folder", ["", "/gone/for/good", "a\0b", "\ud800", "x" * 5000])
@pytest.mark.parametrize("name", ["a/b", "..", "長" * 300, "🦜\u200d" * 100, "\u202eذيل", "a\0b\n", "\ud800", ""])
def test_a_layer_is_saved_whatever_its_name_and_wherever_the_last_was(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, folder: str, name: str
) -> None:
    session = window.session
    session.settings.set(save_folder=folder, save_kind="of a newer version")
    collage = Collage(4, 4, (Layer(0, name, np.full((4, 4, 4), 255, np.uint8), 0, 0),))
    window.outlets.save_part(name, lambda: collage)
    qtbot.waitUntil(lambda: bool(window.findChildren(SaveDialog)), timeout=WAIT)
    dialog = window.findChildren(SaveDialog)[-1]
    proposed = Path(dialog.selectedFiles()[0])
    assert proposed.parent == Path(dialog.directory().absolutePath())
    assert proposed.suffix == ".png" and len(os.fsencode(proposed.name)) <= 255 and proposed.stem
    dialog.reject()
    session.saves.save_part(lambda: collage, tmp_path / proposed.name)
    qtbot.waitUntil(lambda: (tmp_path / proposed.name).is_file(), timeout=WAIT)


@pytest.mark.parametrize("out", ["/proc/nowhere", "a\0b", "\ud800", "/dev/null", "x" * 5000])
def test_an_output_folder_that_cannot_be_is_one_sentence(qtbot: QtBot, pack: Pack, home: Path, out: str) -> None:
    home.mkdir(exist_ok=True)
    (home / "settings.json").write_text(json.dumps({"out": out}))
    opened = Opened(home)
    session = opened.session
    session.begin()
    qtbot.waitUntil(lambda: session.state.reference is not None, timeout=WAIT)
    session.set_setting("steps", 1)
    session.choose(HEAD, 1, "1")
    session.render()
    session.deleted.read()
    qtbot.waitUntil(lambda: session.state.render is None and session.state.deleted_listed, timeout=WAIT)
    qtbot.waitUntil(lambda: any(message.kind == "error" for message in opened.messages), timeout=WAIT)
    for message in opened.messages:
        assert message.text.endswith(".") and "rror" not in message.text and "null byte" not in message.hint, message
    opened.close()


@pytest.mark.parametrize("place", ["/proc/nowhere", "file"])
def test_a_home_that_cannot_be_written_to_is_told_and_all_else_works(
    qtbot: QtBot, tmp_path: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    home = tmp_path / place  # an absolute one stays as it is
    opened = Opened(home)
    session = opened.session
    session.begin()
    qtbot.waitUntil(lambda: session.state.reference is not None, timeout=WAIT)
    session.choose(HEAD, 1, "1")
    qtbot.waitUntil(lambda: session.state.creature.collage is not None, timeout=WAIT)
    session.saves.save_creature(tmp_path / "a.psd", KINDS[2])
    carried: list[Path | None] = []
    make = session.saves.creature_maker()
    assert make is not None
    session.saves.write_dragged("bird", make, carried.append)
    session.deleted.read()
    qtbot.waitUntil(lambda: (tmp_path / "a.psd").is_file() and bool(carried), timeout=WAIT)
    assert carried == [None]
    qtbot.waitUntil(lambda: said(opened, "could not be saved"), timeout=WAIT)
    opened.close()
