"""Data that the version before (see earlier_data/README.md) wrote are opened, with the values that it read itself.

``HOME_FOLDER`` in the data stands for the data folder; the tiny base model they were made with is made again here.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from engine.core.errors import JobCancelled
from engine.core.png_metadata import read_creation
from engine.core.prompt import to_text
from engine.core.recipe import Recipe
from engine.packs.library import PackLibrary
from engine.packs.pack import Pack
from engine.packs.validation import check_pack
from engine.runs.launcher import pause_run, start_run
from engine.runs.run import list_runs, read_run
from engine.runs.run_folder import checkpoints, open_plan
from engine.worker.engine import Engine
from engine.worker.jobs import Losses, News, Render, Train
from partcraft_desktop.app.background import BackgroundReader
from partcraft_desktop.app.learning.draft import Draft
from partcraft_desktop.app.learning.planning import kept_draft
from partcraft_desktop.app.messages import Message
from partcraft_desktop.app.session import Session
from partcraft_desktop.app.settings import Settings
from tests.desktop.conftest import WAIT, prompt_text

DATA = Path(__file__).resolve().parent / "earlier_data"
WORD = "HOME_FOLDER"
RUNS = ("paused-birds", "travelled-birds")
TINY_WIDTH = 16
"""The width of the words of the base model that the data were made with."""


@pytest.fixture
def old(home: Path) -> Path:
    """The data folder of this test, as the version before left it."""
    shutil.copytree(DATA / "home", home, copy_function=shutil.copyfile)  # as of now: old deleted pictures are swept
    for path in home.rglob("*.json"):
        path.write_text(path.read_text("utf-8").replace(WORD, home.as_posix()), "utf-8", newline="\n")
    return home


@pytest.fixture
def expected(home: Path) -> dict[str, Any]:
    """What the version before read from it."""
    return json.loads((DATA / "EXPECTED.json").read_text("utf-8").replace(WORD, home.as_posix()))


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base model of the data, made anew: the same weights, for they are of one seed."""
    import torch

    from tests.engine.tiny import make_base

    torch.set_num_threads(1)
    return make_base(tmp_path_factory.mktemp("tiny") / "base", width=TINY_WIDTH)


@pytest.fixture
def with_base(old: Path, tiny_base: Path) -> Path:
    """The data folder, with the base model where downloaded ones lie."""
    shutil.copytree(tiny_base, old / "models" / "tiny" / "base")
    return old


def said(recipe: Recipe, pack: Pack) -> dict[str, Any]:
    return {
        "prompt": to_text(recipe.prompt, pack.vocabulary),
        "choices": [[one.part, one.code, one.strength, one.source] for one in recipe.choices],
        **{name: getattr(recipe, name) for name in ("pack", "negative", "seed", "count", "steps", "guidance", "size")},
    }


def only_pack(home: Path) -> Pack:
    (pack,) = PackLibrary(bundled=home / "no starter").packs()
    return pack


# Packs


def agree(pack: Pack, expected: dict[str, Any]) -> None:
    check_pack(pack, thorough=True)
    words = pack.vocabulary
    for name in ("id", "title", "provenance", "licence"):
        assert getattr(pack, name) == expected[name]
    assert (words.noun, words.codes_per_part) == (expected["noun"], expected["codes_per_part"])
    assert [[part.index, part.name, part.colour, part.background] for part in words.parts] == expected["parts"]
    assert [list(row) for row in words.code_names] == expected["code_names"]
    assert asdict(pack.backbone) == {**expected["backbone"], "centred": False}
    assert json.loads(json.dumps(asdict(pack.base_model))) == {
        **expected["base_model"],
        "beside": "",
        "vae": "",
        "distilled": False,
    }
    assert (
        dict(pack.metrics) == expected["metrics"]
        and {"kinds": pack.kinds, "run": pack.run, **pack.extra} == expected["extra"]
    )
    assert [one.id for one in pack.references] == [one["id"] for one in expected["references"]]
    for one, told in zip(pack.references, expected["references"], strict=True):
        assert (one.title, list(one.codes)) == (told["title"], told["codes"])
        assert list(Image.open(one.image).size) == told["size"]
        assert list(Image.open(one.thumbnail).size) == told["thumbnail"]
        labels, counts = np.unique(np.asarray(Image.open(one.labels)), return_counts=True)
        assert {str(label): int(count) for label, count in zip(labels, counts, strict=True)} == told["labels"]
    codes = pack.codebook().codes
    assert list(codes.shape) == expected["codebook_shape"]
    assert float(np.abs(codes).sum()) == pytest.approx(expected["codebook_codes_sum"], rel=1e-5)
    pictures = sorted(path.name for path in (pack.path / "thumbnails" / "codes").glob("*.png"))
    assert pictures == expected["code_pictures"]


def test_its_pack_opens(old: Path, expected: dict[str, Any]) -> None:
    agree(only_pack(old), expected["packs"]["tiny-birds"])


def test_its_pack_is_written_back_as_it_was(old: Path) -> None:
    pack = only_pack(old)
    before = json.loads((pack.path / "pack.json").read_text("utf-8"))
    pack.save()
    assert json.loads((pack.path / "pack.json").read_text("utf-8")) == before


def test_its_partpack_is_taken_in(old: Path, expected: dict[str, Any], tmp_path: Path) -> None:
    file = DATA / "partpack" / "tiny-birds.partpack"
    elsewhere = PackLibrary(bundled=old / "no starter", own=tmp_path / "elsewhere")
    agree(elsewhere.import_pack(file), expected["packs"]["tiny-birds"])
    here = PackLibrary(bundled=old / "no starter")
    assert here.import_pack(file).path == only_pack(old).path, "it is here already, byte for byte"


# Creations


def test_its_creations_are_read(old: Path, expected: dict[str, Any]) -> None:
    pack = only_pack(old)
    assert len(expected["creations"]) == 3
    for told in expected["creations"]:
        one = read_creation(old / told["file"])
        assert one.created == told["created"] and said(one.recipe, pack) == told["recipe"]
        assert [[row.part, row.code, row.found, row.similarity] for row in one.receipt] == told["receipt"]
        with Image.open(one.path) as picture:
            assert picture.info["parameters"] == told["parameters"] and list(picture.size) == told["size"]


def test_its_creation_is_rendered_again(with_base: Path, expected: dict[str, Any], tmp_path: Path) -> None:
    """The same recipe makes the same picture (to rounding) with the same receipt."""
    from engine.models.loader import Models
    from engine.rendering.render import render

    told = expected["creations"][-1]
    one = read_creation(with_base / told["file"])
    pack = only_pack(with_base)
    (made,) = render(Models(device="cpu"), Render(str(pack.path), one.recipe, str(tmp_path / "out")), lambda news: None)
    assert made.recipe == one.recipe
    assert [(row.part, row.code) for row in made.receipt] == [(row.part, row.code) for row in one.receipt]
    assert [row.similarity for row in made.receipt] == pytest.approx([row.similarity for row in one.receipt], abs=0.02)
    pixels = [np.asarray(Image.open(path).convert("RGB")).astype(int) for path in (one.path, made.path)]
    assert np.abs(pixels[0] - pixels[1]).max() <= 2


# Runs


@pytest.mark.parametrize("name", RUNS)
def test_its_run_is_read(old: Path, expected: dict[str, Any], name: str) -> None:
    told, folder = expected["runs"][name], old / "runs" / name
    run = read_run(folder)
    assert [run.title, run.state, run.step, run.steps, run.pack] == [
        told[word] for word in ("title", "state", "step", "steps", "pack")
    ]
    assert [list(loss) for loss in run.losses] == told["losses"]
    samples = [[one.step, one.part, Path(one.picture).relative_to(folder).as_posix()] for one in run.samples]
    assert samples == told["samples"]
    assert [path.name for path in checkpoints(folder)] == told["checkpoints"]
    plan, place = open_plan(folder)
    assert place == folder.resolve() and Pack.open(plan.pack).vocabulary.visible_parts and Path(plan.start).is_dir()
    assert {one.folder for one in list_runs()} == {str(old / "runs" / one) for one in RUNS}


def test_the_decisions_beside_its_run_are_read(old: Path, expected: dict[str, Any]) -> None:
    draft = kept_draft(str(old / "runs" / "paused-birds"))
    assert draft is not None and draft.to_document() == expected["run_draft"]


@pytest.mark.parametrize("name", RUNS)
def test_its_run_goes_on(with_base: Path, expected: dict[str, Any], name: str) -> None:
    """The next steps are those that the version before would have taken."""
    from engine.models.loader import Models
    from engine.training.train import train

    told, folder = expected["runs"][name], with_base / "runs" / name
    seen: list[list[float]] = []

    def hear(news: News) -> None:
        if isinstance(news, Losses):
            seen.append([news.step, news.diffusion, news.attention])
            if len(seen) == len(told["next_losses"]):
                raise JobCancelled

    with pytest.raises(JobCancelled):
        train(Models(device="cpu"), Train(str(folder)), hear)
    assert np.array(seen) == pytest.approx(np.array(told["next_losses"]), rel=1e-4)
    run = read_run(folder)
    assert run.step == told["step"] + len(seen)
    assert [list(loss) for loss in run.losses[: told["step"]]] == told["losses"]
    assert checkpoints(folder)[-1].name == f"step-{run.step}"


@pytest.mark.slow
def test_its_run_is_learned_to_its_end(with_base: Path, qtbot: QtBot) -> None:
    """In a process of its own, as the window does it; its pack opens beside the one from before."""
    folder = with_base / "runs" / "paused-birds"
    start_run(folder)
    try:
        qtbot.waitUntil(lambda: read_run(folder).state != "running", timeout=300_000)
    finally:
        pause_run(folder)  # leaves nothing behind; one at rest stays as it is
    run = read_run(folder)
    assert run.state == "finished", run
    check_pack(Pack.open(run.pack), thorough=True)
    assert Path(run.pack) == with_base / "packs" / "paused-birds" and len(run.losses) == run.steps == 64


# The window


@pytest.fixture
def open_session(qtbot: QtBot, old: Path) -> Iterator[Callable[[], Session]]:
    """Starts of the app on the data: everything is real but the engine, whose jobs are the tests' own."""
    made: list[Session] = []

    def make() -> Session:
        session = Session(
            PackLibrary(bundled=old / "no starter"), Settings(old), BackgroundReader(),
            lambda outlet: Engine(outlet, host="thread", handlers="tests.fakes:HANDLERS"),
        )  # fmt: skip
        made.append(session)
        session.begin()
        return session

    yield make
    for session in made:
        session.shutdown()


def settled(session: Session) -> bool:
    state = session.state
    return bool(len(state.creations) == 2 and len(state.learning.runs) == 2 and state.reference and state.own
                and state.reference.segmentation is not None)  # fmt: skip


def test_its_session_is_there_again(
    qtbot: QtBot, open_session: Callable[[], Session], old: Path, expected: dict[str, Any]
) -> None:
    told = expected["session"]
    messages: list[Message] = []
    session = open_session()
    session.message.connect(messages.append)
    qtbot.waitUntil(lambda: settled(session), timeout=WAIT)
    state = session.state
    assert state.pack is not None and state.reference is not None
    assert state.pack.id == told["pack"] and prompt_text(session) == told["prompt_text"]
    assert said(state.recipe, state.pack) == told["recipe"]
    assert (state.seed_locked, state.can_undo, state.hint) == (told["seed_locked"], told["can_undo"], told["hint"])
    assert (state.reference.id, state.reference.title) == (told["reference"], told["reference_title"])
    assert [one.id for one in state.own] == told["own"]
    assert [Path(one.path).name for one in state.creations] == told["creations"]
    assert state.learning.draft.to_document() == told["draft"] and isinstance(state.learning.draft, Draft)
    assert sorted([run.folder, run.title, run.state] for run in state.learning.runs) == sorted(told["runs"])
    assert not [message for message in messages if message.kind != "info"]

    # A reference's parts, without the engine.
    reference = expected["packs"]["tiny-birds"]["references"][2]
    session.open_reference(reference["id"])
    qtbot.waitUntil(lambda: bool(session.state.reference and session.state.reference.segmentation), timeout=WAIT)
    shown = session.state.reference
    assert shown is not None and shown.segmentation is not None and shown.title == reference["title"]
    assert list(shown.segmentation.codes) == reference["codes"]
    for label, count in reference["labels"].items():
        assert int((shown.segmentation.labels == int(label)).sum()) == count


def test_its_settings_are_there_again(old: Path, expected: dict[str, Any]) -> None:
    settings = Settings(old)
    assert {name: getattr(settings.values, name) for name in expected["settings"]} == expected["settings"]
    assert settings.values.extra == {} and settings.out == old / "creations"


def test_its_session_is_kept_as_it_was(qtbot: QtBot, open_session: Callable[[], Session], old: Path) -> None:
    """What is written at the next start says the same, with what changed."""
    before = json.loads((old / "session.json").read_text("utf-8"))
    session = open_session()
    qtbot.waitUntil(lambda: settled(session), timeout=WAIT)
    session.lock_seed(False)
    session.keep()
    after = json.loads((old / "session.json").read_text("utf-8"))
    new = [after.pop(name) for name in ("queue", "closed")]  # not known then, as how long things take
    assert new == [[], {}] and isinstance(after.pop("timings"), dict)
    assert after == {**before, "seed_locked": False}


def test_its_training_is_found_by_the_wizard(
    qtbot: QtBot, open_session: Callable[[], Session], old: Path, expected: dict[str, Any]
) -> None:
    session = open_session()
    qtbot.waitUntil(lambda: settled(session), timeout=WAIT)
    learning = session.learning
    learning.show()
    run = learning.now.run
    assert run is not None and run.state == "paused" and learning.now.draft.page == "learning"
    names = [part.name for part in learning.now.draft.sorting.parts]
    assert names == [part["name"] for part in expected["run_draft"]["sorting"]["parts"]] and "Flügel" in names
    learning.show_run(str(old / "runs" / "travelled-birds"))
    assert learning.now.draft.run == str(old / "runs" / "travelled-birds")
