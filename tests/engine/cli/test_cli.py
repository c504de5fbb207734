"""The command line: one JSON document on stdout, progress on stderr, honest exit codes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from engine.__main__ import main
from engine.core.png_metadata import read_creation, save_creation
from engine.core.recipe import BY_SEED, Recipe
from engine.core.start import Start, default_freedom
from engine.core.vocabulary import Choice
from engine.packs import library
from engine.packs.pack import BaseModel, Pack
from tests.conftest import REPOSITORY
from tests.fakes import SCRIPT, make_base_config, make_folder, make_pack, write_script

FAKES = "tests.fakes:HANDLERS"


class Run:
    """What a run of the command line left."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pack:
    """A pack that stands for the starter."""
    made = make_pack(tmp_path / "starter", id="starter")
    monkeypatch.setattr(library, "starter_pack", lambda: made.path)
    return made


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], pack: Pack) -> Callable[..., Run]:
    def run(*words: object) -> Run:
        code = main([str(word) for word in words], FAKES)
        said = capsys.readouterr()
        return Run(code, said.out, said.err)

    return run


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    path = tmp_path / "script.json"
    monkeypatch.setenv(SCRIPT, str(write_script(path)))
    return lambda **jobs: write_script(path, **jobs) and None


PROMPT = "a photo of a <head:Cardinal> <wing:3*0.8> bird"


def test_render(run: Callable[..., Run], tmp_path: Path) -> None:
    done = run("render", PROMPT, "--seed", 7, "--count", 2, "--steps", 3, "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    assert done.json["prompt"] == "a photo of a <head:Cardinal> <wing:Ёжик*0.8> bird"
    first, second = done.json["creations"]
    assert (first["seed"], second["seed"]) == (7, 8)
    assert first["receipt"][0] == {
        "part": "head", "code": "Cardinal", "found": "Cardinal", "arrived": True, "similarity": 0.9,
    }  # fmt: skip
    assert first["receipt"][1]["found"] == "absent"
    kept = read_creation(first["path"]).recipe
    assert (kept.pack, kept.seed, kept.steps, kept.count) == ("starter", 7, 3, 1)
    assert kept.choices == (Choice(3, 0), Choice(1, 3, 0.8))
    assert "Rendering" in done.err


def test_render_for_people(run: Callable[..., Run], tmp_path: Path) -> None:
    done = run("render", PROMPT, "--out", tmp_path / "out")
    assert done.code == 0
    told = ".png  head ✓  wing ✗  (1 of 2 arrived, where guessing gives 0.2)\n"
    assert done.out.endswith(told) and done.out.count("\n") == 1


def test_render_keeps_trying(run: Callable[..., Run], tmp_path: Path) -> None:
    done = run("render", PROMPT, "--seed", 7, "--steps", 2, "--keep-trying", 3, "--out", tmp_path / "out", "--json")
    (only,) = done.json["creations"]
    assert only["seed"] == 9 and "tries" not in only["recipe"] and all(one["arrived"] for one in only["receipt"])
    assert "Try 1 of 3 0/2" in done.err and "Try 3 of 3: wing missing 0/2" in done.err
    assert run("render", PROMPT, "--keep-trying", 0, "--out", tmp_path / "out").code == 2


def test_a_size_that_the_base_model_cannot_paint_is_a_warning(
    run: Callable[..., Run], pack: Pack, tmp_path: Path
) -> None:
    base = make_base_config(tmp_path / "base", sample_size=16, width=64)
    replace(pack, base_model=BaseModel(str(base))).save()
    out = ("--steps", 1, "--out", tmp_path / "out")
    done = run("render", PROMPT, "--size", 512, *out)
    assert done.code == 0 and "This model paints 128 px; this recipe asks for 512 px." in done.err
    for sizes in ((), ("--size", 128), ("--size", 0)):
        assert "paints" not in run("render", PROMPT, *sizes, *out).err


def test_render_again_from_a_png_or_a_file(run: Callable[..., Run], tmp_path: Path) -> None:
    first = run("render", PROMPT, "--seed", 7, "--out", tmp_path / "a", "--json").json["creations"][0]
    again = run("render", "--recipe", first["path"], "--out", tmp_path / "b", "--json").json["creations"][0]
    assert again["recipe"] == first["recipe"]
    file = tmp_path / "recipe.json"
    file.write_text(Recipe("starter", ("a bird",), seed=3, count=2).to_json(), "utf-8")
    done = run("render", "--recipe", file, "--count", 1, "--out", tmp_path / "c", "--json")
    assert [one["seed"] for one in done.json["creations"]] == [3]


def test_render_from_the_collage(run: Callable[..., Run], tmp_path: Path) -> None:
    words = (PROMPT, "--out", tmp_path / "out", "--json")

    def start(*more: object) -> Start | None:
        return read_creation(run("render", *words, *more).json["creations"][0]["path"]).recipe.start

    assert start() is None
    assert start("--from-collage") == Start(default_freedom("starter/base"))
    assert start("--freedom", 0.25) == Start(0.25)
    local = start("--from-collage", "--freedom", 1, "--keep", "wing", "--keep", "4", "--reroll", "head")
    assert local == Start(1.0, keep=(1, 4), only=(3,))


def test_render_from_a_picture(run: Callable[..., Run], tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out", "--json")
    first = run("render", PROMPT, "--seed", 7, *out).json["creations"][0]
    again = run("render", "--start-from", first["path"], "--reroll", "head", "--freedom", 0.9, *out).json
    kept, before = (read_creation(one["path"]).recipe for one in (again["creations"][0], first))
    assert before.rest == BY_SEED and kept.rest not in ("", BY_SEED), "the parts not said stay those of the picture"
    assert kept == replace(before, start=Start(0.9, first["path"], only=(3,)), rest=kept.rest)
    back = run("render", "--recipe", again["creations"][0]["path"], "--from-collage", *out).json["creations"][0]
    assert back["recipe"]["start"]["creation"] == "" and back["recipe"]["start"]["freedom"] == 0.9
    said = run("render", "a <head:Kiwi> bird", "--start-from", first["path"], *out).json
    assert said["prompt"] == "a <head:Kiwi> bird"


def test_a_picture_that_kept_only_the_line_of_other_programs_is_made_again(
    run: Callable[..., Run], tmp_path: Path
) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a head-Cardinal (wing-3:0.8) bird\nSteps: 3, Sampler: Euler, CFG scale: 2, Seed: 9")
    Image.new("RGB", (8, 8)).save(tmp_path / "other.png", pnginfo=info)
    made = run("render", "--recipe", tmp_path / "other.png", "--out", tmp_path / "out", "--json").json["creations"][0]
    kept = read_creation(made["path"]).recipe
    assert kept.prompt == ("a ", Choice(3, 0), " ", Choice(1, 3, 0.8), " bird") and kept.pack == "starter"
    assert (kept.steps, kept.guidance, kept.seed) == (3, 2, 9)


def test_a_creation_of_an_earlier_base_is_rendered_and_it_is_told(
    run: Callable[..., Run], pack: Pack, tmp_path: Path
) -> None:
    replace(pack, base_model=replace(pack.base_model, revision="two")).save()
    first = run("render", PROMPT, "--out", tmp_path, "--json").json["creations"][0]["path"]
    creation = read_creation(first)
    assert creation.revision == "two"
    again = run("render", "--recipe", first, "--out", tmp_path / "again")
    assert again.code == 0 and "base model has changed" not in again.err
    earlier = save_creation(Image.new("RGB", (8, 8)), tmp_path / "earlier.png", creation.recipe)
    told = run("render", "--recipe", earlier.path, "--out", tmp_path / "told")
    assert told.code == 0 and "The base model has changed since this was painted" in told.err


def test_a_start_that_is_named_without_a_folder_is_beside_the_recipe(run: Callable[..., Run], tmp_path: Path) -> None:
    file = tmp_path / "recipe.json"
    file.write_text(Recipe("starter", ("a bird",), start=Start(0.4, "first.png")).to_json(), "utf-8")
    done = run("render", "--recipe", file, "--out", tmp_path / "out", "--json").json["creations"][0]
    assert done["recipe"]["start"]["creation"] == str(tmp_path / "first.png")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [(("--freedom", "1.5"), 2, "not between 0 and 1"), (("--keep", "beak"), 1, "no part called"),
     (("--from-collage", "--start-from", "a.png"), 2, "not allowed with")],
)  # fmt: skip
def test_wrong_starts(run: Callable[..., Run], tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done = run("render", PROMPT, *words, "--out", tmp_path / "out")
    assert done.code == code and said in done.err


def test_a_legacy_prompt_is_read_only_when_asked(run: Callable[..., Run], tmp_path: Path) -> None:
    done = run("render", "a 3:0 bird", "--legacy", "bare", "--out", tmp_path / "out", "--json")
    assert done.json["prompt"] == "a <head:Cardinal> bird"
    done = run("render", "a 3:0 bird", "--out", tmp_path / "out", "--json")
    assert done.json["prompt"] == "a 3:0 bird" and "--legacy bare" in done.err


def test_segment(run: Callable[..., Run], pack: Pack, tmp_path: Path) -> None:
    images = [reference.image for reference in pack.references[:2]]
    done = run("segment", *images, images[0], "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    assert len({one["labels"] for one in done.json["pictures"]}) == 3
    for one in done.json["pictures"]:
        labels = np.asarray(Image.open(one["labels"]))
        assert labels.shape == (128, 128) and labels.dtype == np.uint8
        assert Image.open(one["overlay"]).size == (128, 128)
        assert set(one["codes"]) == {"body", "wing", "tail", "head", "legs"}
        assert one["prompt"].count("<") == 5


@pytest.mark.parametrize(
    "names", [("a/bird", "bird-2", "b/bird"), ("bird[1]", "a/bird[1]", "b/bird[1]"), ("bird*", "birdie", "a/bird*")]
)
def test_three_pictures_in_three_out(run: Callable[..., Run], pack: Pack, tmp_path: Path, names: tuple[str]) -> None:
    images = [tmp_path / f"{name}.png" for name in names]
    for image in images:
        image.parent.mkdir(exist_ok=True)
        shutil.copy(pack.references[0].image, image)
    pictures = run("segment", *images, "--out", tmp_path / "out", "--json").json["pictures"]
    files = [Path(picture[kind]) for picture in pictures for kind in ("labels", "overlay")]
    assert len(set(files)) == 6 and sorted(files) == sorted((tmp_path / "out").iterdir())
    stems = [Path(picture["labels"]).name.removesuffix("-labels.png") for picture in pictures]
    assert stems == [Path(picture["overlay"]).name.removesuffix("-parts.png") for picture in pictures]


def test_segment_takes_folders(run: Callable[..., Run], pack: Pack, tmp_path: Path) -> None:
    done = run("segment", pack.path / "thumbnails", "--out", tmp_path / "out", "--json")
    assert len(done.json["pictures"]) == 6
    (tmp_path / "empty").mkdir()
    assert "no pictures" in run("segment", tmp_path / "empty", "--out", tmp_path / "out").err


def test_one_bad_picture_does_not_stop_the_rest(run: Callable[..., Run], pack: Pack, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    done = run("segment", bad, pack.references[0].image, "--out", tmp_path / "out", "--json")
    assert done.code == 1
    assert len(done.json["pictures"]) == 1 and done.json["errors"][0]["image"] == str(bad)
    done = run("segment", bad, pack.references[0].image, "--out", tmp_path / "out")
    assert done.code == 1 and "bad.png" in done.err
    assert "bad.png" not in done.out, "what went wrong is no answer"


def test_discover_train_evaluate(run: Callable[..., Run], tmp_path: Path) -> None:
    out = tmp_path / "owls"
    done = run("discover", tmp_path, "--parts", 5, "--codes", 4, "--out", out, "--json")
    assert done.code == 0 and done.json["id"] == "owls" and done.json["codes_per_part"] == 4
    assert run("discover", tmp_path, "--parts", 5, "--codes", 4, "--out", out).code == 1  # there is a pack already
    done = run("train", out, "--steps", 5, "--json")
    assert done.code == 0
    plan = json.loads((Path(done.json["plan"]) / "plan.json").read_text("utf-8"))
    assert plan["pack"] == str(out) and plan["steps"] == 5
    assert run("train", "--resume", done.json["plan"], "--json").code == 0
    done = run("evaluate", "--pack", out, "--count", 2, "--out", tmp_path / "scores", "--json")
    assert done.json["emr"] == 0.9 and done.json["count"] == 2 and done.json["chance"] == 0.1
    done = run("evaluate", "--pack", out, "--count", 2, "--out", tmp_path / "scores")
    assert "match rate (emr): 0.90 where guessing gives 0.10" in done.out and "  95% [0.850, 0.950]" in done.out
    assert f"report: {tmp_path / 'scores' / 'report.html'}" in done.out and "of 4: emr 0.900" in done.out
    assert run("evaluate", "--pack", out, "--mix", "0,3", "--out", tmp_path / "scores").code == 2


def test_a_training_says_whether_its_renders_resemble(
    run: Callable[..., Run], tmp_path: Path, script: Callable[..., None], home: Path
) -> None:
    pack = make_pack(tmp_path / "owls")
    rate = {"match_rate": 0.5, "match_asked": 40, "match_chance": 0.1}
    script(train={"metrics": {**rate, "resemblance": 0.21}})
    trained = run("train", pack.path, "--steps", 20)
    assert "do not resemble your pictures: mix collages now, or learn on Stable Diffusion." in trained.out
    assert trained.code == 0 and "ready" not in trained.out and "atch rate" not in trained.out
    listed = run("runs", "list").out
    assert "  resemblance 0.21 where" in listed and "mix collages now" in listed and "match rate" not in listed
    (listing,) = run("runs", "list", "--json").json["runs"]
    assert listing["resemblance"] == {"share": 0.21, "resembles": False} and listing["match_rate"]["rate"] == 0.5
    again = ("train", "--resume", listing["folder"])
    script(train={"metrics": {**rate, "resemblance": 0.9}})
    good = run(*again).out
    assert "is ready." in good and "Match rate 0.50" in good and "Resemblance 0.90 where" in good
    script(train={"metrics": {**rate, "resemblance": 1e9}})
    assert "is ready." in (told := run(*again).out) and "esembl" not in told
    assert run(*again, "--json").json["resemblance"] is None


def test_pictures_to_leave_out_are_named_as_below_the_folder(run: Callable[..., Run], tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "birds", ("Owl",), 3)
    done = run("discover", folder, "--leave-out", "Owl/0-1.png", "--out", tmp_path / "owls", "--json")
    assert done.code == 0
    done = run("discover", folder, "--leave-out", "0-1.png", "--out", tmp_path / "more")
    assert done.code == 1 and "There is no picture 0-1.png in birds." in done.err
    assert not (tmp_path / "more").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("render", "a bird", "--guidance", "7,5"), "--guidance: “7,5” is not a number; write 7.5"),
        (("render", "a bird", "--guidance", "much"), "“much” is not a number; write one such as 7.5"),
        (("render", "a bird", "--guidance", "nan"), "nan is not between"),
        (("render", "a bird", "--steps", "ten"), "--steps: “ten” is not a whole number"),
        (("render", "a bird", "--freedom", "2"), "2.0 is not between 0 and 1"),
        (("discover", "x", "--out", "y", "--drop", "a,b"), "--drop: “a” is not a whole number"),
        (("packs", "import", "x", "--background", "sky"), "--background: “sky” is not a whole number"),
    ],
)
def test_a_number_that_is_none_is_told_in_plain_words(
    run: Callable[..., Run], words: tuple[str, ...], sentence: str
) -> None:
    done = run(*words)
    assert done.code == 2 and sentence in done.err and "value" not in done.err


def test_names_of_parts_are_not_dropped_in_silence(run: Callable[..., Run], tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "birds", ("Owl",), 3)
    parts = ["ground", "head", "beak", "body", "wing", "tail", "leg"]
    done = run("discover", folder, "--names", ",".join(parts), "--out", tmp_path / "a")
    count = len(Pack.open(tmp_path / "a").vocabulary.parts)
    assert done.code == 0 and f"Not used of --names: {', '.join(parts[count:])}; there are {count} parts." in done.err
    assert "Not used" not in run("discover", folder, "--names", ",".join(parts[:count]), "--out", tmp_path / "b").err
    for wrong in ("head,,wing", "head,Head"):
        done = run("discover", folder, "--names", wrong, "--out", tmp_path / "c")
        assert done.code == 1 and "--names" in done.err and not (tmp_path / "c").exists()


def test_a_strength_after_a_colon_is_shown_how_to_write(run: Callable[..., Run]) -> None:
    assert "A strength follows a star: <head:Cardinal*1.2>." in run("render", "a <head:Cardinal:1.2> bird").err
    assert "The nearest is" in run("render", "a <head:Cardina> bird").err


def test_an_unpacked_pack_is_imported_as_it_is(run: Callable[..., Run], tmp_path: Path, home: Path) -> None:
    made = make_pack(tmp_path / "unpacked", id="owls")
    done = run("packs", "import", made.path, "--json")
    assert done.code == 0, done.err
    taken = Pack.open(done.json["path"])
    assert taken.path.parent == (home / "packs").resolve() and taken.to_document() == made.to_document()
    assert [place.name for place in (home / "packs").iterdir()] == ["owls"] and made.path.is_dir()
    (made.path / "codebook.safetensors").write_bytes(b"")
    assert run("packs", "import", made.path).code == 1 and len(list((home / "packs").iterdir())) == 1


def test_packs(run: Callable[..., Run], pack: Pack, tmp_path: Path, home: Path) -> None:
    assert [one["id"] for one in run("packs", "list", "--json").json["packs"]] == ["starter"]
    assert run("packs", "show", "--json").json["noun"] == "bird"
    assert "head" in run("packs", "show", "starter").out
    replace(pack, metrics={"match_rate": 0.62, "match_asked": 40, "match_chance": 0.5}).save()
    shown = run("packs", "show", "starter").out
    assert "match rate: 0.62 where guessing gives 0.50: hardly better than guessing (40 parts)" in shown
    file = run("packs", "export", "starter", tmp_path / "birds.partpack", "--json").json["file"]
    (pack.path / "codebook.safetensors").unlink()
    listed = run("packs", "list", "--json").json["packs"]
    assert not listed[0]["ok"] and "missing" in listed[0]["error"]["message"]
    checked = run("packs", "check", "--json")
    assert checked.code == 1 and not checked.json["packs"][0]["ok"]
    imported = run("packs", "import", file, "--json").json
    assert Path(imported["path"]) == home / "packs" / "starter"
    assert run("packs", "check", "starter").code == 0


def test_doctor(run: Callable[..., Run]) -> None:
    done = run("doctor", "--json")
    assert {one["name"] for one in done.json["findings"]} >= {"system", "libraries", "memory", "folder", "packs"}
    assert done.code == (0 if done.json["ok"] else 1)
    assert all(one["ok"] or one["hint"] for one in done.json["findings"])


def test_models(run: Callable[..., Run], home: Path) -> None:
    assert run("models", "list", "--json").code == 0
    done = run("models", "check", "no/such-model", "--json")
    assert done.code == 1 and "no/such-model" in done.json["models"][0]["message"]


# Failures


@pytest.mark.parametrize(
    "words",
    [
        (), ("fly",), ("render", "--count", "0"), ("render", "--count", "x"), ("render", "--guidance", "nan"),
        ("segment",), ("packs",), ("train",), ("render", "a", "--legacy", "odd"), ("doctor", "extra"),
    ],
)  # fmt: skip
def test_wrong_words_are_two(run: Callable[..., Run], words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.code == 2 and done.out == "" and "usage" in done.err


def test_help_is_done(run: Callable[..., Run]) -> None:
    for words in (("--help",), ("help",), ("render", "--help"), ("--version",)):
        done = run(*words)
        assert done.code == 0 and done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("render", "<hed:3>", "--out", "OUT"), "no part called “hed”"),
        (("render", "<head:99>", "--out", "OUT"), "0 to 7"),
        (("render", "--out", "OUT"), "nothing to render"),
        (("render", "a", "--pack", "owls", "--out", "OUT"), "no pack called “owls”"),
        (("render", "--recipe", "gone.json", "--out", "OUT"), "gone.json"),
        (("render", "a", "--out", "/dev/null/x"), "could not be saved"),
        (("packs", "import", "gone.partpack"), "not there"),
        (("packs", "show", "owls"), "no pack called"),
        (("train", "gone"), "is not there"),
        (("train", "--resume", "gone"), "no run"),
    ],
)
def test_failures_are_one_sentence_and_a_hint(
    run: Callable[..., Run], tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = run(*(tmp_path / "out" if word == "OUT" else word for word in words), "--json")
    assert done.code == 1
    assert said in done.err
    error = done.json["error"]
    assert said in error["message"] + error["hint"] and error["hint"] and "Traceback" not in done.err


def test_a_fault_shows_its_traceback_only_when_asked(
    run: Callable[..., Run], script: Callable[..., None], tmp_path: Path
) -> None:
    script(render={"raise": "oh dear"})
    done = run("render", "a", "--out", tmp_path / "out")
    assert done.code == 1 and "oh dear" not in done.err
    assert "RuntimeError: oh dear" in run("render", "a", "--out", tmp_path / "out", "--debug").err


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_keeps_what_is_finished(pack: Pack, tmp_path: Path) -> None:
    path = write_script(tmp_path / "script.json", render={"delay": 0.02})
    words = ["render", "a", "--pack", str(pack.path), "--count", "50", "--steps", "5", "--out", str(tmp_path), "--json"]
    code = f"import sys; from engine.__main__ import main; sys.exit(main({words!r}, {FAKES!r}))"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env={**os.environ, SCRIPT: str(path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr and process.stdout
        for line in process.stderr:
            if line.startswith("Rendering") and int(line.split()[1].partition("/")[0]) > 20:
                break
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    document = json.loads(out)
    assert document["interrupted"] and 1 <= len(document["creations"]) < 50
    assert all(read_creation(one["path"]).recipe for one in document["creations"])


def test_the_module_is_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "engine", "--help"], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0 and "segment" in done.stdout


def test_a_pack_says_what_it_is_before_it_is_added(run: Callable[..., Run], pack: Pack, tmp_path: Path) -> None:
    file = run("packs", "export", "starter", tmp_path / "birds.partpack", "--json").json["file"]
    replace(pack, licence="", id="others", title="Others").save()
    other = run("packs", "export", pack.path, tmp_path / "others.partpack", "--json").json["file"]
    for place, licence in ((file, "CC0"), (other, "no licence stated"), (pack.path, "no licence stated")):
        added = run("packs", "import", place, "--json")
        assert added.code == 0
        told = added.err
        assert f"  Licence: {licence}" in told and "  Size: " in told
        assert "  Contents: 5 parts of a bird (body, wing, tail, head, legs), 8 kinds of each" in told
        assert f"  Base model: {pack.base_model.id} (" in told
        assert "lacks" in added.json
