"""Original checkpoints are read without running any of their code."""

from __future__ import annotations

import json
import pickle
import shutil
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from PIL import Image
from safetensors.torch import load_file

from engine.__main__ import main
from engine.core.errors import UserError
from engine.core.vocabulary import ABSENT, Choice
from engine.exchange.original_checkpoint import (
    import_original,
    original_centroids,
    original_lora,
    original_tokens,
    read_foreign,
)
from engine.hub.pack_needs import what_is_lacking
from engine.models.hub import models_of_pack
from engine.models.loader import Models
from engine.packs.original_files import original_files
from engine.packs.pack import Pack
from engine.packs.validation import check_pack
from engine.rendering.painter import open_painter
from engine.segmentation.dino import open_dino
from tests.engine.models.test_golden_tokens import pieces


def test_centroids_are_read_from_foreign_objects(golden: Path) -> None:
    foreground, parts, codes = original_centroids(golden / "ckpt/pretrained_kmeans.pth")
    data = load_file(golden / "kmeans_centroids.safetensors")
    np.testing.assert_array_equal(foreground, data["fg"].numpy())
    np.testing.assert_array_equal(parts, data["coarse"].numpy())
    for part in range(8):
        np.testing.assert_array_equal(codes[part], data[f"fine{part}"].numpy())


def test_both_formats_hold_the_same_weights(golden: Path) -> None:
    old, new = golden / "ckpt/checkpoint-20", golden / "ckpt/accelerate_ge_0_25/checkpoint-20"
    one, other = (original_lora(read_foreign(p)) for p in (old / "pytorch_model.bin", new / "model.safetensors"))
    assert len(one) == 112 and one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    one, other = (original_tokens(read_foreign(p)) for p in (old / "pytorch_model_1.bin", new / "model_1.safetensors"))
    assert one.embedding.shape == (8, 16, 64)
    assert torch.equal(one.projected(), other.projected())


def test_gpu_made_kmeans_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files saved on a CUDA machine also hold kernel objects; they are rebuilt as empty shells."""

    def kind(module: str, name: str) -> type:
        made = type(name, (), {"__module__": module})
        for depth in range(1, module.count(".") + 2):
            package = ".".join(module.split(".")[:depth])
            monkeypatch.setitem(sys.modules, package, sys.modules.get(package) or types.ModuleType(package))
        setattr(sys.modules[module], name, made)
        return made

    kmeans_kind = kind("torchpq.clustering.KMeans", "KMeans")
    kernel_kind = kind("cupy._core.raw", "RawKernel")

    def kmeans(clusters: int) -> object:
        made = kmeans_kind()
        made._buffers = {"centroids": torch.full((6, clusters), float(clusters))}
        made.kernel = kernel_kind()
        made._names = {"a", "b"}
        return made

    document = {"foreground_background": kmeans(2), "coarse_kmeans": kmeans(3), "fine_kmeans": [kmeans(5)] * 3}
    torch.save(document, tmp_path / "k.pth")
    foreground, parts, codes = original_centroids(tmp_path / "k.pth")
    assert foreground.shape == (2, 6) and parts.shape == (3, 6) and codes.shape == (3, 5, 6)


class _Harm:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("harm done",))


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"centroids": _Harm()}, tmp_path / "harm.pth")
    with pytest.raises(UserError):
        read_foreign(tmp_path / "harm.pth")
    (tmp_path / "plain.bin").write_bytes(pickle.dumps(_Harm()))
    with pytest.raises(UserError):
        read_foreign(tmp_path / "plain.bin")
    assert "harm done" not in capsys.readouterr().out


def test_missing_and_other_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not there"):
        read_foreign(tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="LoRA"):
        original_lora({"encoder.weight": torch.zeros(1)})
    with pytest.raises(UserError, match="mapper"):
        original_tokens({"pe": torch.zeros(2, 2)})
    torch.save({"other": torch.zeros(1)}, tmp_path / "k.pth")
    with pytest.raises(UserError, match="parts"):
        original_centroids(tmp_path / "k.pth")


def test_a_checkpoint_becomes_a_pack_that_sees_and_renders_as_the_original(
    golden: Path, tmp_path: Path, models: Models
) -> None:
    pack = import_original(
        golden / "ckpt/checkpoint-20", golden / "ckpt/pretrained_kmeans.pth", tmp_path / "original",
        base_model=str(golden / "tiny_sd"), eyes=str(golden / "tiny_dino"), background=0, foreground_row=0,
        part_names=["ground", "tail"], code_names=["a", "b"],
    )  # fmt: skip
    pack = Pack.open(pack.path)
    assert [part.name for part in pack.vocabulary.parts][:3] == ["ground", "tail", "part 3"]
    assert pack.vocabulary.code_names[3][:3] == ("a", "b", "") and pack.vocabulary.codes_per_part == 16

    data = load_file(golden / "vision.safetensors")
    dino, codebook = open_dino(models, pack.backbone), pack.codebook()
    for index, (name, top, left) in enumerate(((0, 0, 5), (3, 0, 60), (6, 0, 0), (9, 21, 0))):
        picture = Image.open(golden / f"data/img/{name:02d}.png").convert("RGB")
        short = min(picture.size)
        scaled = picture.resize(
            (256 * picture.width // short, 256 * picture.height // short), Image.Resampling.BILINEAR
        )
        labels = codebook.segment(dino.features([scaled.crop((left, top, left + 256, top + 256))])[0]).labels
        theirs = data["segmasks"][index].numpy().astype(bool)
        assert all((labels[theirs[part]] == part).all() for part in range(8))

    painter = open_painter(models, pack)
    kept = painter.pipeline.scheduler
    painter.pipeline.scheduler = DDIMScheduler.from_pretrained(golden / "tiny_sd/scheduler")
    rendered = load_file(golden / "render.safetensors")
    latents = painter.paint(
        pieces("a <2:3> <2:5> bird"), (), [0], steps=4, guidance=7.5, latents=rendered["latents"], output="latent"
    )
    painter.pipeline.scheduler = kept
    torch.testing.assert_close(latents, rendered["twice.final_latents"], rtol=0, atol=1e-4)
    with pytest.raises(UserError, match=r"no pytorch_model\.bin"):
        import_original(tmp_path, golden / "ckpt/pretrained_kmeans.pth", tmp_path / "x", base_model="")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"part_names": list("abcdefghi")}, "9 names were given for 8 parts"),
        ({"code_names": [str(code) for code in range(17)]}, "17 names were given for 16 codes"),
        ({"part_names": ["head", "Head"]}, "cannot be named so"),
        ({"background": 8}, "no part 8"),
    ],
)
def test_what_does_not_fit_a_checkpoint_is_told(
    golden: Path, tmp_path: Path, wrong: dict[str, Any], sentence: str
) -> None:
    checkpoint, kmeans = golden / "ckpt/checkpoint-20", golden / "ckpt/pretrained_kmeans.pth"
    with pytest.raises(UserError, match=sentence) as told:
        import_original(checkpoint, kmeans, tmp_path / "packs" / "x", base_model="b", **wrong)
    assert told.value.hint and not (tmp_path / "packs").exists()


def test_a_checkpoint_is_imported_from_the_command_line(
    golden: Path, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "names.txt").write_text("\n".join(f"kind {code}" for code in range(16)), "utf-8")
    words = ["packs", "import", golden / "ckpt/checkpoint-20", "--base-model", golden / "tiny_sd", "--eyes",
             golden / "tiny_dino", "--noun", "bird", "--names", tmp_path / "names.txt", "--part-names",
             "ground, tail,,wing", "--background", "0", "--title", "Old birds", "--json"]  # fmt: skip
    assert main([str(word) for word in words]) == 0
    said = json.loads(capsys.readouterr().out)
    pack = Pack.open(said["path"])
    check_pack(pack)
    assert pack.path.parent == (home / "packs").resolve() and pack.title == "Old birds"
    assert pack.vocabulary.noun == "bird" and pack.vocabulary.code_name(1, 3) == "kind 3"
    assert [part.name for part in pack.vocabulary.visible_parts][:4] == ["tail", "part 3", "wing", "part 5"]
    assert main([str(word) for word in words[:3]]) == 1
    assert "--base-model" in capsys.readouterr().err
    assert main(["packs", "import", str(tmp_path), "--base-model", "x"]) == 1
    assert "There is no pytorch_model.bin" in capsys.readouterr().err
    assert main(["packs", "export", "old birds", str(tmp_path / "plain"), "--plain"]) == 0
    assert len(list((tmp_path / "plain/embeddings").iterdir())) == 7 * 16


def test_codes_that_are_classes_are_not_told_from_a_picture(golden: Path, tmp_path: Path, models: Models) -> None:
    """The published checkpoints' codes are bird species; the k-means file's are clusters of looks."""
    packs = [
        import_original(
            golden / "ckpt/checkpoint-20", golden / "ckpt/pretrained_kmeans.pth", tmp_path / name, base_model="b",
            eyes=str(golden / "tiny_dino"), background=0, codes_are_classes=name == "classes",
        )
        for name in ("clusters", "classes")
    ]  # fmt: skip
    check_pack(packs[1])
    with Image.open(golden / "data/img/00.png") as file:
        (features,) = open_dino(models, packs[1].backbone).features([file.convert("RGB")])
    clusters, classes = (pack.codebook().segment(features) for pack in packs)
    np.testing.assert_array_equal(classes.labels, clusters.labels)
    assert set(classes.codes) == {ABSENT} != set(clusters.codes)
    choices = (Choice(1, 3), Choice(2, 0))
    receipts = [pack.codebook().receipt(features, choices) for pack in packs]
    assert len(receipts[0]) == 2 and receipts[1] == ()


def test_names_keep_their_places_and_published_folders_are_known(
    golden: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "dreamcreature-sd1.5-cub200" / "checkpoint-74900"
    shutil.copytree(golden / "ckpt/checkpoint-20", place)
    words = ["packs", "import", place, "--kmeans", golden / "ckpt/pretrained_kmeans.pth", "--base-model", "b",
             "--part-names", "body,tail,head,,wing,,leg", "--json"]  # fmt: skip
    for more, told in (((), False), (("--codes", "clusters"), True)):
        assert main([str(word) for word in (*words, *more)]) == 0
        pack = Pack.open(json.loads(capsys.readouterr().out)["path"])
        names = ["body", "tail", "head", "part 4", "wing", "part 6", "leg", "part 8"]
        assert [part.name for part in pack.vocabulary.parts] == names
        assert pack.codebook().tells_codes == told


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit on a file's size")
@pytest.mark.parametrize("room", [0, 1000, 100_000])
def test_a_disk_that_takes_no_more_leaves_no_broken_pack(golden: Path, tmp_path: Path, room: int) -> None:
    import resource

    def take(out: Path) -> Pack:
        return import_original(
            golden / "ckpt/checkpoint-20", golden / "ckpt/pretrained_kmeans.pth", out, base_model="starter/base"
        )

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(UserError, match="could not be saved"):
            take(tmp_path / "packs" / "original")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / "packs").iterdir()) == []
    pack = take(tmp_path / "packs" / "original")
    assert list((tmp_path / "packs").iterdir()) == [pack.path] and Pack.open(pack.path) == pack
    with pytest.raises(UserError, match="could not be saved"):  # it is there already
        take(pack.path)
    assert Pack.open(pack.path) == pack


FORMS = {
    "accelerate before 0.25": ("checkpoint-20/pytorch_model.bin", "checkpoint-20/pytorch_model_1.bin"),
    "accelerate from 0.25 on": (
        "accelerate_ge_0_25/checkpoint-20/model.safetensors",
        "accelerate_ge_0_25/checkpoint-20/model_1.safetensors",
    ),
    "the end of a training": ("lora_layers.pth", "hash_mapper.pth"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_renders_the_originals_picture(golden: Path, tmp_path: Path, models: Models, form: str) -> None:
    files = [golden / "ckpt" / name for name in FORMS[form]]
    found = original_files(files[0].parent)
    assert found is not None and [found.lora, found.mapper] == files
    assert found.centroids == (golden / "ckpt/pretrained_kmeans.pth").resolve()
    pack = import_original(
        found.folder, found.centroids, tmp_path / "pack", base_model=str(golden / "tiny_sd"),
        eyes=str(golden / "tiny_dino"), background=0,
    )  # fmt: skip
    check_pack(pack, thorough=True)
    if form == "the end of a training":
        # Its LoRA is the training's own; the one that the picture was made with was strengthened, to be seen.
        for name, strengthened in zip(FORMS[form], FORMS["accelerate before 0.25"], strict=True):
            shutil.copy(golden / "ckpt" / strengthened, tmp_path / name)
        pack = import_original(tmp_path, None, tmp_path / "other", base_model=str(golden / "tiny_sd"))
    painter = open_painter(models, pack)
    painter.pipeline.scheduler = DDIMScheduler.from_pretrained(golden / "tiny_sd/scheduler")
    rendered = load_file(golden / "render.safetensors")
    prompt = pieces("a <2:3> <2:5> bird")
    latents = painter.paint(prompt, (), [0], steps=4, guidance=7.5, latents=rendered["latents"], output="latent")
    torch.testing.assert_close(latents, rendered["twice.final_latents"], rtol=0, atol=1e-4)


def test_an_import_says_what_it_lacks(golden: Path, tmp_path: Path, home: Path) -> None:
    whole = import_original(
        golden / "ckpt/checkpoint-20", golden / "ckpt/pretrained_kmeans.pth", tmp_path / "whole",
        base_model=str(golden / "tiny_sd"), eyes=str(golden / "tiny_dino"),
    )  # fmt: skip
    assert what_is_lacking(whole) == ("16 of its 16 reference pictures are drawn stand-ins until they are painted.",)
    bare = import_original(golden / "ckpt/checkpoint-20", None, tmp_path / "bare", base_model="nobody/base")
    lacking = what_is_lacking(bare)
    assert lacking[0] == "Its base model is not on this computer (nobody/base): it cannot paint yet."
    assert lacking[1].startswith("Its eyes are not on this computer (facebook/dinov2-base)")
    assert lacking[2].startswith("Nothing came with it that says what its parts look like")
    with pytest.raises(UserError, match=r"no model_1\.safetensors"):
        (tmp_path / "half").mkdir()
        shutil.copy(golden / "ckpt/accelerate_ge_0_25/checkpoint-20/model.safetensors", tmp_path / "half")
        import_original(tmp_path / "half", None, tmp_path / "x", base_model="b")


def test_a_base_model_is_kept_by_its_id_or_as_seen_from_the_pack(golden: Path, tmp_path: Path, home: Path) -> None:
    """No path of one computer is written down."""

    def imported(base: str, name: str) -> tuple[Pack, str]:
        out = home / "packs" / name
        pack = import_original(golden / "ckpt/checkpoint-20", None, out, base_model=base)
        return pack, (pack.path / "pack.json").read_text()

    here = home / "models" / "somebody" / "base"
    shutil.copytree(golden / "tiny_sd", here)
    pack, text = imported(str(here), "one")
    assert pack.base_model.id == "somebody/base" and str(home) not in text
    elsewhere = tmp_path / "elsewhere" / "my base"
    shutil.copytree(golden / "tiny_sd", elsewhere)
    pack, text = imported(str(elsewhere), "two")
    assert pack.base_model.id == str(elsewhere) and str(tmp_path) not in text
    assert json.loads(text)["base_model"]["beside"] == "../../../elsewhere/my base"
    assert models_of_pack(pack).folder == elsewhere
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("home", "elsewhere"):
        (tmp_path / name).rename(moved / name)
    again = Pack.open(moved / "home/packs/two")
    assert again.base_model.id == str(moved / "elsewhere/my base"), "both have moved together"
    shutil.rmtree(moved / "elsewhere")
    with pytest.raises(UserError, match="There is no folder") as told:
        models_of_pack(again)
    assert "add the folder in which it is now" in told.value.hint and told.value.model == again.base_model.id
    assert what_is_lacking(again)[0].startswith("Its base model is not on this computer (my base was in ")


def test_nothing_in_any_file_of_a_checkpoint_is_run(
    golden: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of the three files as a pickle that would run something, bare or as torch keeps it."""
    names = ("pytorch_model.bin", "pytorch_model_1.bin", "pretrained_kmeans.pth")
    for turn, name in enumerate(names):
        for bare in (True, False):
            place = tmp_path / f"{turn}{bare}"
            shutil.copytree(golden / "ckpt/checkpoint-20", place)
            shutil.copy(golden / "ckpt/pretrained_kmeans.pth", place)
            (place / name).unlink()
            if bare:
                (place / name).write_bytes(pickle.dumps({"pe": _Harm()}))
            else:
                torch.save({"pe": _Harm(), "fine_kmeans": _Harm()}, place / name)
            with pytest.raises(UserError, match="is damaged"):
                import_original(place, place / names[2], tmp_path / "packs" / "x", base_model="b")
            assert not (tmp_path / "packs").exists()
    assert "harm done" not in capsys.readouterr().out
