"""Where tokens begin: guesses from a pack that knows similar things, and packs that extend another."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.core.errors import UserError
from engine.models.loader import Models
from engine.models.part_reader import PartReader
from engine.models.part_tokens import PartTokens
from engine.packs.pack import BEGINNINGS, READER, TOKENS, Pack
from engine.segmentation.discover import discover
from engine.segmentation.reader_examples import LabelledPictures
from engine.segmentation.reader_fitting import make_reader
from engine.training import pack_reader
from engine.training.token_init import guess_tokens, regress_tokens
from engine.training.train import train
from engine.worker.jobs import Discover, EyeSettings, News, Train
from tests.fakes import sketch_bird


def silent(_news: News) -> None: ...


def unit_rows(count: int, seed: int) -> Any:
    rows = np.random.default_rng(seed).standard_normal((count, 6)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_what_looks_alike_begins_alike() -> None:
    looks, asked = unit_rows(400, 1), unit_rows(50, 2)
    way = np.random.default_rng(3).standard_normal((6, 4)).astype(np.float32)
    found = regress_tokens(looks, looks @ way, asked)
    error = np.square(found - asked @ way).mean() / np.square(asked @ way).mean()
    assert error < 0.05


@pytest.fixture
def extension(tiny_world: Path, tiny_pack: Path, models: Models, tmp_path: Path) -> Path:
    """The tiny pack with a fourth kind of bird, found but not learned."""
    known = shutil.copytree(tiny_pack, tmp_path / "known")
    folder = tmp_path / "new" / "Owl"
    folder.mkdir(parents=True)
    for index in range(3):
        sketch_bird(5 + index)[0].save(folder / f"{index}.png")
    job = Discover(
        str(folder.parent), str(tmp_path / "extension"), 4, 1, "bird", str(tiny_world / "eyes"),
        str(tiny_world / "base"), extends=str(known), eye_settings=EyeSettings(image_size=64),
    )  # fmt: skip
    return Path(discover(models, job, silent))


def test_an_extended_pack_keeps_its_old_tokens_bit_for_bit(
    extension: Path, tiny_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[LabelledPictures] = []

    def noted(source: LabelledPictures, *rest: Any) -> Any:
        read.append(source)
        return make_reader(source, *rest)

    monkeypatch.setattr(pack_reader, "make_reader", noted)
    plan = {
        "pack": "extension", "run": "run", "out": "out", "pictures": "new", "steps": 3, "batch": 2, "rank": 0,
        "token_rate": 0.1, "size": 64, "sample_every": 100,
    }  # fmt: skip
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    out = Pack.open(train(Models(device="cpu"), Train(str(tmp_path / "plan.json")), silent))
    old, new = (PartTokens.load(folder / TOKENS) for folder in (tiny_pack, out.path))
    count = Pack.open(tiny_pack).vocabulary.codes_per_part
    assert new.raw.shape[1] > count
    assert torch.equal(new.projected()[:, :count], old.projected())
    codes = load_file(tmp_path / "run" / "examples.safetensors")["codes"][:, 0]
    assert (codes >= count).any(dim=1).sum() == 3
    assert (codes < count).all(dim=1).sum() >= 3, "the old ones are rehearsed"
    assert (read[0].codes < count).all(1).sum() >= 3, "by the reader, too, which would forget them"
    begun = guess_tokens(Pack.open(extension), Pack.open(tiny_pack), old.projected().mean(dim=1))
    assert (new.projected()[:, count:] - begun[:, count:]).abs().max() > 0.05, "the new ones are learned"


def test_an_extended_pack_keeps_what_its_reader_says_of_old_codes(
    extension: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = Pack.open(tmp_path / "known").vocabulary, Pack.open(extension).vocabulary
    torch.manual_seed(6)
    known = PartReader(len(old.parts), old.codes_per_part, 4)
    known.arrived.fill_(0.7)
    known.save(tmp_path / "known" / READER)
    monkeypatch.setattr(pack_reader, "LEAST_KAPPA", -1.0)
    plan = {"pack": "extension", "pictures": "new", "out": "out", "steps": 2, "batch": 2, "size": 64, "samples": 0}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    out = Path(train(Models(device="cpu"), Train(str(tmp_path / "plan.json")), silent))
    count, pictures = old.codes_per_part, np.random.default_rng(0).integers(0, 255, (3, 128, 128, 3), np.uint8)
    learned = PartReader.load(out / READER, len(new.parts), new.codes_per_part)
    kept = learned.probabilities(pictures)[..., [*range(count), -1]]
    assert np.abs(kept / kept.sum(-1, keepdims=True) - known.probabilities(pictures)).max() < 0.01
    assert torch.equal(learned.arrived[:, :count], known.arrived)
    assert (learned.arrived[:, count:] != 0.7).all(), "new codes have bounds of their own"


@pytest.mark.slow
def test_an_extended_pack_learns_the_same_each_time(extension: Path, tmp_path: Path) -> None:
    plan = {"pack": "extension", "pictures": "new", "steps": 2, "batch": 2, "size": 64, "samples": 0}
    learned = []
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}.json").write_text(json.dumps({**plan, "run": f"run-{name}", "out": f"out-{name}"}))
        out = train(Models(device="cpu"), Train(str(tmp_path / f"{name}.json")), silent)
        learned.append(load_file(Path(out) / TOKENS))
    assert all(torch.equal(learned[0][key], one[key]) for one in learned[1:] for key in one)


def test_an_extension_of_a_pack_that_changed_is_refused(extension: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "known" / "pack.json"
    document = json.loads(manifest.read_text())
    document["parts"][0]["name"] = "another"
    manifest.write_text(json.dumps(document))
    (tmp_path / "plan.json").write_text(json.dumps({"pack": "extension", "run": "run", "pictures": "new", "size": 64}))
    with pytest.raises(UserError, match="has changed"):
        train(Models(device="cpu"), Train(str(tmp_path / "plan.json")), silent)


def test_a_pack_may_keep_more_looks_than_codes(tiny_pack: Path, tmp_path: Path) -> None:
    known = Pack.open(shutil.copytree(tiny_pack, tmp_path / "known"))
    tokens = load_file(known.path / TOKENS)["text_encoder.projected"]
    around = tokens.mean(dim=1)
    codes = torch.from_numpy(known.codebook().codes)
    alone = guess_tokens(known, known, around)
    # Codes of the pack itself are known; more pairs that say the opposite pull them away.
    save_file({"looks": codes.half(), "text_encoder": (-tokens).half()}, known.path / BEGINNINGS)
    assert (guess_tokens(known, known, around) - alone).abs().max() > 0.1
    (known.path / BEGINNINGS).write_bytes(b"damaged")
    assert torch.equal(guess_tokens(known, known, around), alone)
