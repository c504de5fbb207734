"""What goes wrong in a training: told in one sentence, the last good state kept, and gone on with afterwards."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from engine.__main__ import main
from engine.core.errors import UserError
from engine.packs.pack import Pack
from engine.runs.export import export_run
from engine.runs.launcher import start_run
from engine.runs.plan import Plan
from engine.runs.run import Run, read_run
from engine.runs.run_folder import checkpoints, open_plan
from engine.training.token_init import extended_pack
from engine.training.train import train
from engine.worker.jobs import Losses, News, Progress, Train
from tests.conftest import REPOSITORY

MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(tiny_world: Path, tiny_pack: Path, home: Path) -> MakeRun:
    """Makes a run's folder with a plan of a few quick steps; it learns from the pack's references."""

    def make(folder: Path | None = None, **words: Any) -> Path:
        plan: dict[str, Any] = {
            "pack": str(tiny_pack), "steps": 4, "batch": 2, "checkpoint_every": 2, "samples": 0, "rate": 1e-3,
        }  # fmt: skip
        folder = folder or home / "runs" / "birds"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "plan.json").write_text(json.dumps(plan | words))
        return folder

    return make


def go_on(folder: Path, code: int = 0) -> Run:
    """Train in this process, as the command line does; the run afterwards."""
    assert main(["train", "--resume", str(folder)]) == code
    return read_run(folder)


def failed(folder: Path, *said: str) -> Run:
    run = go_on(folder, 1)
    assert run.state == "failed" and run.hint and all(word in f"{run.message} {run.hint}" for word in said), run
    return run


def change(folder: Path, **words: Any) -> None:
    file = folder / "plan.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | words))


@pytest.mark.slow
def test_a_loss_that_is_no_number_is_stopped_before_its_step(make_run: MakeRun) -> None:
    folder = make_run()
    assert go_on(folder).state == "finished"
    good = load_file(checkpoints(folder)[-1] / "state.safetensors")
    change(folder, steps=12, token_rate=1e30, checkpoint_every=1)
    run = failed(folder, "not a number", "token_rate")
    assert [path.name for path in checkpoints(folder)] == ["step-4"]  # step-5 was whole, but led to no number
    kept = load_file(checkpoints(folder)[-1] / "state.safetensors")
    assert all(torch.equal(good[name], kept[name]) for name in good)
    assert all(abs(loss) < 1e30 for _, *losses in run.losses for loss in losses)
    change(folder, steps=6, token_rate=1e-3)
    run = go_on(folder)
    assert run.state == "finished" and [step for step, *_ in run.losses] == [1, 2, 3, 4, 5, 6]


@pytest.mark.slow
def test_the_last_checkpoint_survives_a_loss_that_is_no_number(make_run: MakeRun) -> None:
    folder = make_run(checkpoint_every=4)
    assert go_on(folder).state == "finished"
    good = (checkpoints(folder)[-1] / "state.safetensors").read_bytes()
    change(folder, steps=8, attention_weight=1e308)
    failed(folder, "not a number")
    assert [path.name for path in checkpoints(folder)] == ["step-4"]
    assert (checkpoints(folder)[-1] / "state.safetensors").read_bytes() == good


@pytest.mark.slow
def test_a_damaged_checkpoint_is_written_again(make_run: MakeRun) -> None:
    folder = make_run()
    assert go_on(folder).state == "finished"
    last = folder / "checkpoints" / "step-4" / "state.safetensors"
    whole = last.read_bytes()
    last.write_bytes(whole[:1000])
    assert go_on(folder).state == "finished"
    assert last.read_bytes() == whole


@pytest.mark.slow
def test_another_size_makes_the_examples_again(make_run: MakeRun) -> None:
    folder = make_run(size=64)
    assert go_on(folder).state == "finished"
    before = load_file(folder / "examples.safetensors")["latents"].shape
    change(folder, size=128, steps=6)
    assert go_on(folder).state == "finished"
    after = load_file(folder / "examples.safetensors")["latents"].shape
    assert after[:3] == before[:3] and after[3:] == tuple(2 * side for side in before[3:])
    change(folder, size=20)
    failed(folder, "size cannot be 20", "multiple of 8")


def test_no_pack_is_written_into_the_one_that_is_learned(
    make_run: MakeRun, tiny_pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(out=str(tiny_pack / "references" / "out"))
    assert main(["train", "--resume", str(folder)]) == 1
    assert "inside the pack" in capsys.readouterr().err


@pytest.mark.slow
def test_vanished_pictures_and_a_damaged_cache(
    make_run: MakeRun, models: Any, tiny_world: Path, tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures"
    shutil.copytree(tiny_world / "pictures", pictures)
    folder = make_run(pictures=str(pictures))
    away = pictures.rename(tmp_path / "unplugged")
    failed(folder, "pictures")
    away.rename(pictures)
    last = max(pictures.rglob("*.png"))

    def vanish(news: News) -> None:
        """Between looking at the pictures and learning from them."""
        if isinstance(news, Progress) and news.stage == "Finding parts" and last.exists():
            last.rename(tmp_path / "hidden.png")

    with pytest.raises(UserError, match=f"{last.name} is not there any more"):
        train(models, Train(str(folder)), vanish)
    assert not (folder / "examples.safetensors").exists()
    (tmp_path / "hidden.png").rename(last)
    (folder / "examples.safetensors").write_bytes(b"damaged")
    failed(folder, "damaged", "Delete it")
    (folder / "examples.safetensors").unlink()
    assert go_on(folder).state == "finished"


def test_base_models_that_do_not_fit_are_told(make_run: MakeRun, tiny_world: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    shutil.copytree(tiny_world / "base", wrong)
    (wrong / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    failed(make_run(base_model=str(wrong)), "FluxPipeline")
    failed(make_run(base_model="nobody/nothing"), "nobody/nothing", "not on this computer")
    config = json.loads((tiny_world / "base" / "unet" / "config.json").read_text())
    shutil.copytree(tiny_world / "base", tmp_path / "other")
    (tmp_path / "other" / "unet" / "config.json").write_text(json.dumps(config | {"cross_attention_dim": 99}))
    failed(make_run(base_model=str(tmp_path / "other")), "99")


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small disk")
@pytest.mark.slow
def test_a_full_disk_at_a_checkpoint(make_run: MakeRun, small_disk: Path) -> None:
    folder = make_run(small_disk / "runs", steps=6)
    change(folder, steps=2)
    change(folder, out=str(folder.parent.parent / "not here"))
    calm = make_run(steps=6)
    assert go_on(calm).state == "finished"
    change(folder, steps=6, out="")
    full = small_disk / "something else"
    state = checkpoints(calm)[-1] / "state.safetensors"
    # Room for the first checkpoint and its neighbours, not for the second.
    room = shutil.disk_usage(small_disk).free - int(state.stat().st_size * 1.9) - examples_size(calm)
    full.write_bytes(b"\1" * room)
    run = failed(folder, "disk", "Make room")
    assert [path.name for path in checkpoints(folder)] == ["step-2"]
    assert not list(folder.rglob("*-part*"))
    full.unlink()
    again = go_on(folder)
    assert again.state == "finished" and again.step == 6 > run.step - 3
    first, second = (load_file(Path(one.pack) / "tokens.safetensors") for one in (read_run(calm), again))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], capture_output=True)
    if done.returncode:
        pytest.skip("only the superuser may mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def examples_size(run: Path) -> int:
    return (run / "examples.safetensors").stat().st_size


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits a process's memory")
def test_too_little_memory_is_told(make_run: MakeRun) -> None:
    folder = make_run(batch=4096)
    code = (
        "import resource, sys, psutil, torch\nimport engine.handlers\nfrom engine.__main__ import main\n"
        "used = psutil.Process().memory_info().vms\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (1500 << 20),) * 2)\n"
        "sys.exit(main(['train', '--resume', sys.argv[1]]))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder)], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    run = read_run(folder)
    assert run.state == "failed" and "not enough memory" in run.message and "smaller batch" in run.hint, run
    change(folder, batch=2)
    assert go_on(folder).state == "finished"


def test_the_folder_of_a_run_that_goes_away(make_run: MakeRun, tmp_path: Path, models: Any) -> None:
    folder = make_run()

    def unplug(news: News) -> None:
        if isinstance(news, Losses) and news.step == 1:
            folder.rename(tmp_path / "unplugged")

    with pytest.raises(UserError, match="not there any more"):
        train(models, Train(str(folder)), unplug)
    assert not folder.exists() or not (folder / "checkpoints").exists()


# Plans written by hand.

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
WORDS = st.dictionaries(st.sampled_from([*Plan.__dataclass_fields__]) | st.text(max_size=10), VALUES, max_size=5)


@given(VALUES | WORDS, st.booleans())
def test_any_json_is_a_plan_or_a_sentence(document: Any, named: bool) -> None:
    if isinstance(document, dict) and named:
        document = {"pack": "p"} | document
    try:
        plan = Plan.from_json(json.dumps(document))
    except UserError as error:
        assert error.message and error.hint and str(error).encode()
        if isinstance(document, dict) and isinstance(document.get("pack"), str) and document["pack"]:
            assert any(word in error.message for word in document) or "should not have" in error.message
    else:
        assert isinstance(document, dict) and plan.pack == document["pack"]


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_file_is_a_plan_or_a_sentence(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "plan.json").write_bytes(data)
        with pytest.raises(UserError):
            open_plan(Path(folder))


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_names_of_folders_are_places_or_a_sentence(pack: str, start: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        document = {"pack": pack, "start": start, "base_model": start, "out": pack, "pictures": start}
        (Path(folder) / "plan.json").write_text(json.dumps(document))
        try:
            plan, run = open_plan(Path(folder))
        except UserError as error:
            assert error.message and error.hint
        else:
            assert Path(plan.pack).is_absolute() and run == Path(folder).resolve()
            with pytest.raises(UserError):
                start_run(Path(folder))


@pytest.mark.parametrize(
    "nested", ["[" * 100_000, '{"pack": "p", "steps": ' + "9" * 5000 + "}", '{"pack": "p", "rate": NaN}']
)
def test_strange_numbers_and_nesting(nested: str) -> None:
    with pytest.raises(UserError):
        Plan.from_json(nested)


def test_a_folder_without_a_plan(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="no plan"):
        start_run(tmp_path)
    assert main(["train", "--resume", str(tmp_path)]) == 1
    assert "There is no run" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_travels(make_run: MakeRun, tiny_pack: Path, tiny_world: Path, tmp_path: Path, home: Path) -> None:
    """What is exported learns elsewhere, without the pack, the pictures or the eyes it came from."""
    pictures = tmp_path / "pictures"
    shutil.copytree(tiny_world / "pictures", pictures)
    folder = make_run(pictures=str(pictures), steps=2)
    there, base = export_run(folder, tmp_path / "stick")
    assert base == Pack.open(tiny_pack).base_model.id
    document = json.loads((there / "plan.json").read_text())
    assert (document["pack"], document["pictures"], document["out"]) == ("draft", "pictures", "pack")
    here = go_on(folder)
    begun, _ = export_run(folder, tmp_path / "stick")
    assert begun != there and not (begun / "pictures").exists()
    shutil.rmtree(pictures)
    moved = there.rename(tmp_path / "elsewhere")
    made = go_on(moved)
    assert made.state == "finished" and Path(made.pack) == moved / "pack"
    first, second = (load_file(Path(one.pack) / "tokens.safetensors") for one in (here, made))
    assert all(torch.equal(first[name], second[name]) for name in first)
    change(begun, steps=3)
    assert go_on(begun).step == 3


def test_a_run_travels_with_the_pack_it_extends(make_run: MakeRun, tiny_pack: Path, tmp_path: Path) -> None:
    known = shutil.copytree(tiny_pack, tmp_path / "known")
    draft = shutil.copytree(tiny_pack, tmp_path / "more")
    manifest = draft / "pack.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"extends": str(known)}))
    there, _ = export_run(make_run(pack=str(draft)), tmp_path / "stick")
    shutil.rmtree(known)
    found = extended_pack(Pack.open(there / "draft"))
    assert found is not None and found.path == there / "extends"
