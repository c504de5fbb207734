"""One absurd pack, run or creation is bad, or taken with what is right of it; the others work."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from engine.core.errors import UserError
from engine.core.json_values import read_document
from engine.core.png_metadata import CHUNK, read_creation, save_creation
from engine.core.recipe import LIMITS, Arrival, Recipe
from engine.core.start import Start
from engine.core.vocabulary import Choice
from engine.models.hub import list_models, model_folder
from engine.packs.base_sizes import sizes_of
from engine.packs.library import PackLibrary
from engine.packs.pack import MANIFEST
from engine.runs.plan import Plan
from engine.runs.run import list_runs
from engine.runs.run_folder import IDENTITY, LOG, PLAN, WISH, open_plan
from engine.runs.status import STATUS, RunStatus
from tests.absurd import Place, spoilings, spoilt
from tests.fakes import make_pack


def within_limits(recipe: Recipe) -> bool:
    return all(low <= getattr(recipe, name) <= high for name, (low, high) in LIMITS.items())


@given(st.data())
@settings(max_examples=150)
def test_packs(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    library = PackLibrary(Path("none"), tmp_path_factory.getbasetemp() / "absurd packs")
    folder = library.own / "absurd"
    if not folder.exists():
        make_pack(folder, id="absurd", references=1)
        make_pack(library.own / "whole", id="whole", references=1)
        document = json.loads((folder / MANIFEST).read_text("utf-8"))
        document |= {"kinds": {"owl": 1}, "extends": "../whole", "run": "abc"}
        document["base_model"] |= {"unet": "starter/unet", "steps": 4, "guidance": 1.5, "revision": "x"}
        document["backbone"] |= {"centred": False}
        PACKS.extend(spoilings(document))
        assert len(PACKS) > 1000
    at, text = data.draw(st.sampled_from(PACKS))
    (folder / MANIFEST).write_text(text)
    entries = {entry.path.name: entry for entry in library.listing()}
    assert entries["whole"].pack is not None and library.find("whole").id == "whole", at
    pack = entries["absurd"].pack
    if pack is None:
        assert entries["absurd"].error is not None
        return
    assert within_limits(pack.new_recipe()), at
    sizes_of(pack.base_model)
    json.dumps(pack.to_document())
    with contextlib.suppress(UserError):
        model_folder(pack.base_model.id)


PACKS: list[tuple[Place, str]] = []
RUNS: list[tuple[str, Place, str]] = []


@given(st.data())
@settings(max_examples=150)
def test_runs(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    home = tmp_path_factory.getbasetemp() / "absurd runs"
    absurd, whole = home / "runs" / "absurd", home / "runs" / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARTCRAFT_HOME", str(home))
        if not home.exists():
            make_pack(home / "packs" / "birds", references=1)
        status = RunStatus(1, 1.0, 2.0, pack=str(home / "packs" / "birds"), seconds_left=2.0)
        files: dict[str, dict[str, Any]] = {
            PLAN: asdict(Plan(str(home / "packs" / "birds"))),
            STATUS: asdict(status),
            IDENTITY: {"id": "abc"},
            LOG: {"step": 1, "diffusion": 0.1, "attention": 0.2},
            WISH: {"wish": "stop"},
        }
        for folder in (absurd, whole):
            folder.mkdir(parents=True, exist_ok=True)
            for name, document in files.items():
                (folder / name).write_text(json.dumps(document) + "\n")
        if not RUNS:
            RUNS.extend((name, at, text) for name, document in files.items() for at, text in spoilings(document))
        name, at, text = data.draw(st.sampled_from(RUNS))
        (absurd / name).write_text(text + "\n")
        runs = {Path(run.folder).name: run for run in list_runs()}
        assert runs.keys() == {"absurd", "whole"} and runs["whole"].plan is not None, (name, at)
        with contextlib.suppress(UserError):
            open_plan(absurd)


def test_creations(tmp_path: Path) -> None:
    picture = Image.new("RGB", (8, 8))
    recipe = Recipe("birds", ("a ", Choice(1, 2, 0.5, "x"), " bird"), "blurred", 5, start=Start(0.5, "x.png", (1,)))
    path = tmp_path / "absurd.png"
    save_creation(picture, path, recipe, (Arrival(1, 2, 2, 0.5, 0.5),))
    for at, text in spoilings(read_document(text_of(path))):
        info = PngInfo()
        info.add_itxt(CHUNK, text)
        picture.save(path, pnginfo=info)
        try:
            creation = read_creation(path)
        except UserError:
            continue
        assert within_limits(creation.recipe), at
        assert Recipe.from_json(creation.recipe.to_json()).prompt == creation.recipe.prompt, at


def text_of(path: Path) -> str:
    with Image.open(path) as picture:
        picture.load()
        return str(picture.info[CHUNK])


@pytest.mark.parametrize("value", ["~nosuchuser/x", "a" * 5000, "\0", "x/" * 3000, "/dev/zero"])
def test_models(home: Path, value: str) -> None:
    with pytest.raises(UserError):
        model_folder(value)
    (home / "models" / "odd").mkdir(parents=True)
    (home / "models" / "odd" / "config.json").write_text(json.dumps(spoilt({"model_type": ""}, ("model_type",), value)))
    assert not [model for model in list_models() if model.id == "odd"]
